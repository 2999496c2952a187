/* SPDX-License-Identifier: Apache-2.0
 * Which kernel set runs: the first of the table whose instruction sets are all allowed. */
#include "ops.h"

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
/* clang 14's __builtin_cpu_supports does not know f16c. The check for AVX2 covers the operating
 * system's support. */
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
