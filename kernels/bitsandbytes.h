/* SPDX-License-Identifier: Apache-2.0
 * Quantising to four bits as bitsandbytes does on a CPU (its rules of version 0.50), bit for bit.
 *
 * A matrix counts as one sequence of numbers, row after row, in blocks of LV_BNB_BLOCK; the last
 * block may be short. A block has one scale, its greatest magnitude, in float32. Two codes share a
 * byte, the first in the high half.
 *
 * "Nested" scales are stored in 8 bits themselves: less their mean, in blocks of LV_BNB_NESTED,
 * each a place in a map of 256 numbers times the block's own scale.
 *
 * Pure functions on finite numbers; denormals are computed. */
#ifndef LV_BITSANDBYTES_H
#define LV_BITSANDBYTES_H

#include <stddef.h>
#include <stdint.h>

#include "dtype.h"

#define LV_BNB_BLOCK 64u
#define LV_BNB_NESTED 256u

/* Quantises n numbers that begin with a block; n is no multiple of the block at the end of the
 * matrix only. dtype: LV_NF4 or LV_FP4. codes: ceil(n / 2) bytes, scales: one a block. The scale of a
 * short block is at least 1e-38. */
void lv_bnb_quantise(LvDtype dtype, const float *in, size_t n, uint8_t *codes, float *scales);

/* Codes of a matrix in rows that begin at whole bytes, as LvMatrix has them; the same bytes where a row
 * has an even number. */
void lv_bnb_rows(uint8_t *rows_out, const uint8_t *codes, size_t rows, size_t cols);

/* The mean as torch has it on one thread; n > 0. Other devices and numbers of threads may round the
 * last bit differently. */
float lv_bnb_mean(const float *scales, size_t n);

/* Nests n scales whose mean is `offset`: codes, and one scale for each LV_BNB_NESTED of them. */
void lv_bnb_nest(const float *scales, size_t n, float offset, uint8_t *codes, float *nested_scales);

/* The scales that nested ones stand for, in blocks of `block`. */
void lv_bnb_expand(float *scales, const uint8_t *codes, size_t n, const float map[256],
    const float *nested_scales, size_t block, float offset);

/* The map of nested scales, increasing. */
const float *lv_bnb_nested_map(void);

#endif
