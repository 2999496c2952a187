/* SPDX-License-Identifier: Apache-2.0
 * Which int4 set runs. */
#include <string.h>

#include "int4.h"

const LvInt4Kernels *lv_int4_baseline(void);
#if defined(__x86_64__)
const LvInt4Kernels *lv_int4_avx512vnni(void);
const LvInt4Kernels *lv_int4_avxvnni(void);
const LvInt4Kernels *lv_int4_avx2(void);
const LvInt4Kernels *lv_int4_sse2(void);
#elif defined(__aarch64__)
const LvInt4Kernels *lv_int4_dot(void);
const LvInt4Kernels *lv_int4_neon(void);
#endif

static const LvInt4Set sets[] = {
#if defined(__x86_64__)
    {"avx512-vnni", "avx512", LV_CPU_AVX512 | LV_CPU_AVX2 | LV_CPU_AVX512_VNNI, lv_int4_avx512vnni},
    {"avx2", "avx512", LV_CPU_AVX2, lv_int4_avx2},
    {"avx-vnni", "avx2", LV_CPU_AVX2 | LV_CPU_AVX_VNNI, lv_int4_avxvnni},
    {"avx2", "avx2", LV_CPU_AVX2, lv_int4_avx2},
    {"sse2", "baseline", 0, lv_int4_sse2},
#elif defined(__aarch64__)
    {"dot", "neon", LV_CPU_DOT, lv_int4_dot},
    {"neon", "neon", 0, lv_int4_neon},
#endif
    {"baseline", "baseline", 0, lv_int4_baseline},
    {NULL, NULL, 0, NULL},
};

const LvInt4Set *lv_int4_sets(void)
{
    return sets;
}

const LvInt4Kernels *lv_int4_choose(const LvKernels *with, unsigned flags)
{
    for (const LvInt4Set *set = sets; set->name; set++)
        if (strcmp(set->with, with->name) == 0 && !(set->flags & ~flags))
            return set->kernels();
    return lv_int4_baseline();
}
