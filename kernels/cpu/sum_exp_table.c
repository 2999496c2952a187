/* SPDX-License-Identifier: Apache-2.0 */
#include "ops.h"
#include "sum_exp.h"

double lv_sum_exp_baseline(const float *x, size_t n, float greatest);
#if defined(__x86_64__)
double lv_sum_exp_avx2(const float *x, size_t n, float greatest);
double lv_sum_exp_avx512(const float *x, size_t n, float greatest);
#endif

LvSumExp lv_sum_exp_choose(unsigned flags)
{
#if defined(__x86_64__)
    if (flags & LV_CPU_AVX512)
        return lv_sum_exp_avx512;
    if (flags & LV_CPU_AVX2)
        return lv_sum_exp_avx2;
#endif
    return lv_sum_exp_baseline;
}
