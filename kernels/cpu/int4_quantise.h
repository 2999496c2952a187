/* SPDX-License-Identifier: Apache-2.0
 * Weights become four bits: int4.h's rules, in loops of eight that any instruction set's compiler turns into
 * vectors without another order of sums. */
#ifndef LV_INT4_QUANTISE_H
#define LV_INT4_QUANTISE_H

#include "float16.h"
#include "int4.h"

#define LANES_AT_ONCE 8

typedef struct Int4Tried {
    float scale, error; /* scale: a float16's value */
    float numbers[LV_INT4_GROUP];
} Int4Tried;

static inline float total(const float s[LANES_AT_ONCE])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static inline void try_scale(Int4Tried *best, const float *x, float wanted)
{
    Int4Tried t = {.scale = lv_float16_value(lv_float16_of(wanted))};
    if (t.scale == 0)
        return;
    const float inverse = 1 / t.scale;
    float errors[LANES_AT_ONCE] = {0};
    for (size_t k = 0; k < LV_INT4_GROUP; k += LANES_AT_ONCE)
        for (size_t i = 0; i < LANES_AT_ONCE; i++) {
            float q = (x[k + i] * inverse + 0x1.8p23f) - 0x1.8p23f;
            q = q < -8 ? -8 : q;
            q = q > 7 ? 7 : q;
            const float e = x[k + i] - q * t.scale;
            t.numbers[k + i] = q;
            errors[i] += e * e;
        }
    t.error = total(errors);
    if (t.error < best->error)
        *best = t;
}

static inline void try_fit(Int4Tried *best, const float *x)
{
    float xq[LANES_AT_ONCE] = {0}, qq[LANES_AT_ONCE] = {0};
    for (size_t k = 0; k < LV_INT4_GROUP; k += LANES_AT_ONCE)
        for (size_t i = 0; i < LANES_AT_ONCE; i++) {
            const float q = best->numbers[k + i];
            xq[i] += x[k + i] * q;
            qq[i] += q * q;
        }
    if (total(qq) > 0)
        try_scale(best, x, total(xq) / total(qq));
}

/* false: a number is too great. */
static bool quantise_group(Int4Tried *best, const float x[LV_INT4_GROUP])
{
    float squares[LANES_AT_ONCE] = {0}, greatest = 0;
    for (size_t k = 0; k < LV_INT4_GROUP; k += LANES_AT_ONCE)
        for (size_t i = 0; i < LANES_AT_ONCE; i++)
            squares[i] += x[k + i] * x[k + i];
    for (size_t k = 0; k < LV_INT4_GROUP; k++) {
        const float magnitude = x[k] < 0 ? -x[k] : x[k];
        if (magnitude > (greatest < 0 ? -greatest : greatest))
            greatest = x[k];
    }
    if (greatest > LV_INT4_GREATEST || greatest < -LV_INT4_GREATEST)
        return false;
    *best = (Int4Tried){.error = total(squares)};
    for (int i = 0; i <= 8; i++)
        try_scale(best, x, greatest / -(7 + (float)i / 4));
    try_fit(best, x);
    try_fit(best, x);
    return true;
}

static bool int4_put_panel(
    uint8_t *numbers, uint16_t *scales, const float *weights, size_t n, size_t cols)
{
    const size_t groups = lv_int4_groups(cols);
    if (n < LV_INT4_PANEL) {
        memset(numbers, 0x88, lv_int4_panel_bytes(cols));
        memset(scales, 0, lv_int4_panel_scales(cols) * sizeof *scales);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t g = 0; g < groups; g++) {
            const size_t at = g * LV_INT4_GROUP, left = cols - at;
            float x[LV_INT4_GROUP] = {0};
            Int4Tried best;
            memcpy(x, weights + i * cols + at,
                (left < LV_INT4_GROUP ? left : LV_INT4_GROUP) * sizeof *x);
            if (!quantise_group(&best, x))
                return false;
            scales[g * LV_INT4_PANEL + i] = best.scale == 0 ? 0 : lv_float16_of(best.scale);
            for (size_t pair = 0; pair < 4; pair++) {
                uint8_t *bytes = numbers + ((g * 4 + pair) * LV_INT4_PANEL + i) * 4;
                const float *q = best.numbers + pair * 8;
                for (size_t k = 0; k < 4; k++)
                    bytes[k] = (uint8_t)((int)(q[k] + 8) | (int)(q[k + 4] + 8) << 4);
            }
        }
    return true;
}

#endif
