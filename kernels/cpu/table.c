/* SPDX-License-Identifier: Apache-2.0
 * Which kernel set runs: the first of the table whose instruction sets are all allowed. */
#include "ops.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "cpu/sets.h"

#if LV_HAVE_X86_SETS
#include <cpuid.h>
#endif

static const struct {
    const LvKernels *(*kernels)(void);
    unsigned flags;
} sets[] = {
#if LV_HAVE_X86_SETS
    {lv_kernels_avx512, LV_CPU_AVX512 | LV_CPU_AVX2},
    {lv_kernels_avx2, LV_CPU_AVX2},
#endif
    {lv_kernels_baseline, 0},
};

#if LV_HAVE_X86_SETS
/* clang 14's __builtin_cpu_supports does not know f16c. AVX2's check has seen to the system's part.
 */
static int has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

unsigned lv_cpu_flags(void)
{
    unsigned flags = 0;
#if LV_HAVE_X86_SETS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
        flags |= LV_CPU_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        flags |= LV_CPU_AVX512;
#endif
    return flags;
}

const LvKernels *lv_kernels_choose(unsigned flags)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if ((sets[i].flags & ~flags) == 0)
            return sets[i].kernels();
    return lv_kernels_reference();
}

void lv_attention_begin(float *max, float *sum, float *acc, uint32_t lanes, uint32_t head_dim)
{
    for (uint32_t lane = 0; lane < lanes; lane++)
        max[lane] = -FLT_MAX;
    memset(sum, 0, lanes * sizeof *sum);
    memset(acc, 0, (size_t)lanes * head_dim * sizeof *acc);
}

void lv_attention_merge(float *max, float *sum, float *acc, const float *other_max,
    const float *other_sum, const float *other_acc, uint32_t lanes, uint32_t head_dim)
{
    float mine[LV_MAX_LANES], theirs[LV_MAX_LANES];
    for (uint32_t lane = 0; lane < lanes; lane++) {
        float best = max[lane] > other_max[lane] ? max[lane] : other_max[lane];
        mine[lane] = expf(max[lane] - best);
        theirs[lane] = expf(other_max[lane] - best);
        max[lane] = best;
        sum[lane] = sum[lane] * mine[lane] + other_sum[lane] * theirs[lane];
    }
    for (uint32_t i = 0; i < head_dim; i++)
        for (uint32_t lane = 0; lane < lanes; lane++) {
            size_t at = (size_t)i * lanes + lane;
            acc[at] = acc[at] * mine[lane] + other_acc[at] * theirs[lane];
        }
}
