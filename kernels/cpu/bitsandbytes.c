/* SPDX-License-Identifier: Apache-2.0 */
#include "bitsandbytes.h"

#include <math.h>
#include <string.h>

#include "cpu/bitsandbytes_map.h"

#define CODES 16u
#define MAP_CODES 256u
#define INDEX_STEPS 65535 /* that -1 to 1 has for nested scales */

/* A number's code is order[how many of the bounds are below it]. The bounds are halfway between
 * neighbouring values, rounded; of the two zeros of FP4 the lower is the one without a sign. */
typedef struct Book {
    float bounds[CODES - 1];
    uint8_t order[CODES];
} Book;

static Book book_of(LvDtype dtype)
{
    static const uint8_t fp4_order[CODES] = {11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3};
    const float *codes = lv_dtype_traits(dtype)->codes;
    Book book;
    for (uint8_t i = 0; i < CODES; i++)
        book.order[i] = dtype == LV_FP4 ? fp4_order[i] : i;
    for (size_t i = 0; i + 1 < CODES; i++)
        book.bounds[i] = (codes[book.order[i]] + codes[book.order[i + 1]]) / 2;
    return book;
}

static float greatest_magnitude(const float *in, size_t n)
{
    float greatest = 0;
    for (size_t i = 0; i < n; i++) {
        const float magnitude = fabsf(in[i]);
        greatest = magnitude > greatest ? magnitude : greatest;
    }
    return greatest;
}

static float at_least(float x, float least)
{
    return x < least ? least : x;
}

static float clamped(float x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

/* The number of bounds below each of n <= LV_BNB_BLOCK numbers. */
static void count_bounds(const Book *book, const float *in, size_t n, int32_t *counts)
{
    memset(counts, 0, n * sizeof *counts);
    for (size_t b = 0; b + 1 < CODES; b++)
        for (size_t i = 0; i < n; i++)
            counts[i] += in[i] > book->bounds[b];
}

void lv_bnb_quantise(LvDtype dtype, const float *in, size_t n, uint8_t *codes, float *scales)
{
    const Book book = book_of(dtype);
    for (size_t at = 0; at < n; at += LV_BNB_BLOCK, scales++) {
        float scaled[LV_BNB_BLOCK] = {0};
        int32_t counts[LV_BNB_BLOCK];
        const size_t width = n - at < LV_BNB_BLOCK ? n - at : LV_BNB_BLOCK;
        const float greatest = greatest_magnitude(in + at, width),
                    scale = at_least(greatest, 1e-38f), inverse = 1.0f / scale;
        *scales = width < LV_BNB_BLOCK ? scale : greatest;
        for (size_t i = 0; i < width; i++)
            scaled[i] = clamped(width < LV_BNB_BLOCK ? in[at + i] / scale : in[at + i] * inverse);
        /* An odd number of codes ends in that of 0. */
        const size_t even = width + width % 2;
        count_bounds(&book, scaled, even, counts);
        for (size_t i = 0; i < even; i += 2)
            codes[(at + i) / 2] = (uint8_t)(book.order[counts[i]] << 4 | book.order[counts[i + 1]]);
    }
}

void lv_bnb_rows(uint8_t *rows_out, const uint8_t *codes, size_t rows, size_t cols)
{
    const size_t span = lv_dtype_span(LV_NF4, cols);
    memset(rows_out, 0, rows * span);
    for (size_t r = 0; r < rows; r++, rows_out += span)
        for (size_t k = 0; k < cols; k++) {
            const size_t at = r * cols + k;
            const uint8_t code = at % 2 ? codes[at / 2] & 15 : codes[at / 2] >> 4;
            rows_out[k / 2] |= (uint8_t)(k % 2 ? code : code << 4);
        }
}

/* ---- nested scales ---- */

#define SUM_LANES 8u
#define SUM_ROWS 4u
#define SUM_LEVELS 4u

/* Sums `size` groups of rows x lanes numbers, those at the same place: each level gathers what the
 * one below it has summed in a power of two of steps. The result is in sums[0]. */
static void cascade(const float *in, size_t size, size_t width, float sums[][SUM_ROWS * SUM_LANES])
{
    size_t power = 0, i = 0;
    while (((size_t)1 << power) < size)
        power++;
    power = power / SUM_LEVELS < 4 ? 4 : power / SUM_LEVELS;
    const size_t step = (size_t)1 << power;
    memset(sums, 0, SUM_LEVELS * sizeof *sums);
    while (i + step <= size) {
        for (const size_t end = i + step; i < end; i++)
            for (size_t k = 0; k < width; k++)
                sums[0][k] += in[i * width + k];
        for (size_t level = 1; level < SUM_LEVELS; level++) {
            for (size_t k = 0; k < width; k++) {
                sums[level][k] += sums[level - 1][k];
                sums[level - 1][k] = 0;
            }
            if (i & (step - 1) << level * power)
                break;
        }
    }
    for (; i < size; i++)
        for (size_t k = 0; k < width; k++)
            sums[0][k] += in[i * width + k];
    for (size_t level = 1; level < SUM_LEVELS; level++)
        for (size_t k = 0; k < width; k++)
            sums[0][k] += sums[level][k];
}

float lv_bnb_mean(const float *scales, size_t n)
{
    float sums[SUM_LEVELS][SUM_ROWS * SUM_LANES];
    const size_t lanes = n < SUM_LANES ? 1 : SUM_LANES, vectors = n / lanes,
                 groups = vectors / SUM_ROWS;
    cascade(scales, groups, SUM_ROWS * lanes, sums);
    for (size_t v = groups * SUM_ROWS; v < vectors; v++)
        for (size_t k = 0; k < lanes; k++)
            sums[0][k] += scales[v * lanes + k];
    for (size_t row = 1; row < SUM_ROWS; row++)
        for (size_t k = 0; k < lanes; k++)
            sums[0][k] += sums[0][row * lanes + k];
    float sum = 0;
    for (size_t i = vectors * lanes; i < n; i++)
        sum += scales[i];
    for (size_t k = 0; k < lanes; k++)
        sum += sums[0][k];
    return sum / (float)n;
}

const float *lv_bnb_nested_map(void)
{
    return nested_map;
}

/* The code whose number is nearest to x, from -1 to 1, after x is rounded to one of so many steps. */
static uint8_t nested_code(float x)
{
    const uint32_t step = (uint32_t)fmaf((clamped(x) + 1) * 0.5f, INDEX_STEPS, 0.5f);
    const float value = -1.0f + 2.0f * (float)step / (float)INDEX_STEPS;
    size_t below = 0, all = MAP_CODES - 1; /* borders between neighbours */
    while (below < all) {
        const size_t middle = (below + all) / 2;
        if (0.5f * (nested_map[middle] + nested_map[middle + 1]) < value)
            below = middle + 1;
        else
            all = middle;
    }
    return (uint8_t)below;
}

void lv_bnb_nest(const float *scales, size_t n, float offset, uint8_t *codes, float *nested_scales)
{
    for (size_t at = 0; at < n; at += LV_BNB_NESTED) {
        float centred[LV_BNB_NESTED];
        const size_t width = n - at < LV_BNB_NESTED ? n - at : LV_BNB_NESTED;
        for (size_t i = 0; i < width; i++)
            centred[i] = scales[at + i] - offset;
        const float greatest = greatest_magnitude(centred, width), inverse = 1.0f / greatest;
        *nested_scales++ = greatest;
        for (size_t i = 0; i < width; i++)
            codes[at + i] = greatest == 0 ? 0 : nested_code(centred[i] * inverse);
    }
}

void lv_bnb_expand(float *scales, const uint8_t *codes, size_t n, const float map[256],
    const float *nested_scales, size_t block, float offset)
{
    for (size_t i = 0; i < n; i++) {
        const float centred = map[codes[i]] * nested_scales[i / block];
        scales[i] = centred + offset;
    }
}
