/* SPDX-License-Identifier: Apache-2.0
 * Which int8 set runs, and what becomes int8. */
#include <string.h>

#include "int8.h"

const LvInt8Kernels *lv_int8_baseline(void);
#if defined(__x86_64__)
const LvInt8Kernels *lv_int8_avx512vnni(void);
const LvInt8Kernels *lv_int8_avxvnni(void);
const LvInt8Kernels *lv_int8_avx2(void);
const LvInt8Kernels *lv_int8_sse2(void);
#elif defined(__aarch64__)
const LvInt8Kernels *lv_int8_i8mm(void);
const LvInt8Kernels *lv_int8_dot(void);
const LvInt8Kernels *lv_int8_neon(void);
#endif

static const LvInt8Set sets[] = {
#if defined(__x86_64__)
    {"avx512-vnni", "avx512", LV_CPU_AVX512 | LV_CPU_AVX2 | LV_CPU_AVX512_VNNI, lv_int8_avx512vnni},
    {"avx2", "avx512", LV_CPU_AVX2, lv_int8_avx2},
    {"avx-vnni", "avx2", LV_CPU_AVX2 | LV_CPU_AVX_VNNI, lv_int8_avxvnni},
    {"avx2", "avx2", LV_CPU_AVX2, lv_int8_avx2},
    {"sse2", "baseline", 0, lv_int8_sse2},
#elif defined(__aarch64__)
    {"i8mm", "neon", LV_CPU_DOT | LV_CPU_I8MM, lv_int8_i8mm},
    {"dot", "neon", LV_CPU_DOT, lv_int8_dot},
    {"neon", "neon", 0, lv_int8_neon},
#endif
    {"baseline", "baseline", 0, lv_int8_baseline},
    {NULL, NULL, 0, NULL},
};

const LvInt8Set *lv_int8_sets(void)
{
    return sets;
}

const LvInt8Kernels *lv_int8_choose(const LvKernels *with, unsigned flags)
{
    for (const LvInt8Set *set = sets; set->name; set++)
        if (strcmp(set->with, with->name) == 0 && !(set->flags & ~flags))
            return set->kernels();
    return lv_int8_baseline();
}

bool lv_int8_keeps(const int32_t *columns, size_t rows, size_t cols)
{
    int64_t all = 0;
    for (size_t k = 0; k < cols; k++) {
        all += columns[k];
        if (columns[k] && columns[k] < (int64_t)LV_INT8_LEAST_COLUMN * (int64_t)rows)
            return false;
    }
    return all == 0 || all >= LV_INT8_LEAST_MEAN * (int64_t)rows * (int64_t)cols;
}
