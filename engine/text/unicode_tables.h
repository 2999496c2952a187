/* SPDX-License-Identifier: Apache-2.0
 * Generated tables (make_unicode_tables.py): Unicode as the reference tokenizer knows it. Sorted by
 * code point. */
#ifndef LV_UNICODE_TABLES_H
#define LV_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

#define LV_N_CLASS_RANGES 831
#define LV_N_COMBINING_RANGES 334
#define LV_N_DECOMPOSITIONS 2060
#define LV_N_COMPOSITIONS 940

/* first..last, inclusive, share a value: an LvUnicodeClass, or the rank of a canonical combining
 * class (1 = lowest). */
typedef struct LvClassRange {
    uint32_t first, last, value;
} LvClassRange;
extern const LvClassRange lv_class_ranges[LV_N_CLASS_RANGES];
extern const LvClassRange lv_combining_ranges[LV_N_COMBINING_RANGES];
#define LV_MAX_COMBINING_RANK 63

/* The value of the range that code lies in; 0 when it lies in none. */
uint32_t lv_class_range_value(const LvClassRange *ranges, size_t n, uint32_t code);

/* One step of canonical decomposition: character -> first second (0: first alone). first may
 * decompose again. */
typedef struct LvDecomposition {
    uint32_t character, first, second;
} LvDecomposition;
extern const LvDecomposition lv_decompositions[LV_N_DECOMPOSITIONS];

/* Indices of the rows of lv_decompositions that compose again, by (first, second). */
extern const uint16_t lv_compositions[LV_N_COMPOSITIONS];

#endif
