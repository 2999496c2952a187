/* SPDX-License-Identifier: Apache-2.0
 * Which kernel set runs: the first of the table whose instruction sets are all allowed. */
#include <string.h>

#include "cpu/sets.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define SET_ROW(name, flags) {#name, flags, lv_kernels_##name},
static const LvKernelSet sets[] = {LV_KERNEL_SETS(SET_ROW){NULL, 0, NULL}};

#if defined(__x86_64__)
/* clang 14's __builtin_cpu_supports does not know f16c. AVX2's check has seen to the system's part.
 */
static int has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* Nor does GCC 12's know avxvnni. */
static int has_avx_vnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}
#endif

unsigned lv_cpu_flags(void)
{
    unsigned flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
        flags |= has_avx_vnni() ? LV_CPU_AVX2 | LV_CPU_AVX_VNNI : LV_CPU_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        flags |= __builtin_cpu_supports("avx512vnni") ? LV_CPU_AVX512 | LV_CPU_AVX512_VNNI
                                                      : LV_CPU_AVX512;
#elif defined(__aarch64__) && defined(__linux__)
    /* HWCAP_ASIMDDP, HWCAP2_I8MM */
    if (getauxval(AT_HWCAP) & 1ul << 20)
        flags |= getauxval(AT_HWCAP2) & 1ul << 13 ? LV_CPU_DOT | LV_CPU_I8MM : LV_CPU_DOT;
#endif
    return flags;
}

const LvKernelSet *lv_kernel_sets(void)
{
    return sets;
}

const LvKernels *lv_kernels_choose(const char *most, unsigned flags)
{
    const LvKernelSet *set = sets;
    while (most && set->name && strcmp(set->name, most) != 0)
        set++;
    while (set->name && (set->flags & ~flags))
        set++;
    return set->name ? set->kernels() : NULL;
}
