/* SPDX-License-Identifier: Apache-2.0
 * One set of int4.h: a file includes an int4_vec_*.h, which gives
 *
 *     Int4Sums             a register of sums, one for each of VEC outputs
 *     Int4Weights, unpack  a group's numbers of VEC outputs, ready to be multiplied
 *     group_sums           their sums of products with a unit of activations
 *     vf_of_int4
 *
 * defines SET_NAME and SET_FUNCTION, and includes this. A group of a panel is
 * unpacked once for all rows, whose outputs so far wait in the nearest cache. */
#ifndef LV_INT4_SET_H
#define LV_INT4_SET_H

#include "int4.h"

#include <math.h>
#include <string.h>

#include "cpu/functions.h"
#include "cpu/int4_quantise.h"

static void int4_put_row(LvInt4Unit *units, size_t stride, const float *in, size_t cols)
{
    for (size_t k = 0; k < cols; k += LV_INT4_GROUP, units += stride) {
        const size_t n = cols - k < LV_INT4_GROUP ? cols - k : LV_INT4_GROUP;
        float x[LV_INT4_GROUP] = {0};
        memcpy(x, in + k, n * sizeof *x);
        /* The bits of magnitudes are ordered as the numbers are, and NaN is above all. */
        int32_t greatest = 0, sum = 0;
        for (size_t i = 0; i < LV_INT4_GROUP; i++) {
            int32_t bits;
            memcpy(&bits, &x[i], sizeof bits);
            bits &= 0x7FFFFFFF;
            greatest = bits > greatest ? bits : greatest;
        }
        float m;
        memcpy(&m, &greatest, sizeof m);
        const bool finite = greatest < 0x7F800000, none = !finite || m < 0x1p-100f;
        const float factor = none ? 0 : 127 / m;
        for (size_t i = 0; i < LV_INT4_GROUP; i++) {
            const float shifted = (none ? 0 : x[i] * factor) + 0x1.8p23f;
            int32_t q;
            memcpy(&q, &shifted, sizeof q);
            q -= 0x4B400000;
            units->numbers[i] = (int8_t)q;
            sum += q;
        }
        units->scale = !finite ? NAN : none ? 0 : m / 127;
        units->offset = -8 * sum;
    }
}

/* sums [rows][LV_INT4_PANEL] of a panel. */
static void panel_sums(float *sums, const LvInt4Matrix *m, size_t panel, const LvInt4Args *a)
{
    const uint8_t *numbers = m->numbers + panel * lv_int4_panel_bytes(m->cols);
    const uint16_t *scales = m->scales + panel * lv_int4_panel_scales(m->cols);
    const LvInt4Unit *units = a->in;
    memset(sums, 0, a->rows * LV_INT4_PANEL * sizeof *sums);
    for (size_t g = lv_int4_groups(m->cols); g; g--, units += a->rows) {
        for (size_t o = 0; o < LV_INT4_PANEL; o += VEC) {
            const Int4Weights weights = unpack(numbers + o * 4);
            const vf scale = vf_load_f16(scales + o);
            float *to = sums + o;
            for (size_t r = 0; r < a->rows; r++, to += LV_INT4_PANEL) {
                const vf s = vf_of_int4(group_sums(&weights, &units[r]));
                vf_store(
                    to, vf_add(vf_load(to), vf_mul(vf_mul(s, vf_set1(units[r].scale)), scale)));
            }
        }
        numbers += LV_INT4_GROUP / 2 * LV_INT4_PANEL;
        scales += LV_INT4_PANEL;
    }
}

/* Finishes n <= 16 outputs from c on of all rows. */
static inline __attribute__((always_inline)) void finish_as(const LvInt4Args *a,
    LvFunction function, size_t c, size_t n, const float *sums, const float *ups)
{
    for (size_t r = 0; r < a->rows; r++)
        for (size_t i = 0; i < n; i += VEC) {
            const size_t left = n - i, at = r * LV_INT4_PANEL + i;
            vf y = vf_load(sums + at);
            if (a->bias)
                y = vf_add(y, load_at_most(a->bias + c + i, left));
            y = vf_apply(function, y);
            if (ups)
                y = vf_mul(y, vf_load(ups + at));
            if (a->residual)
                y = vf_add(y, load_at_most(a->residual + r * a->residual_stride + c + i, left));
            float *out = a->out + r * a->out_stride + c + i;
            if (left >= VEC)
                vf_store(out, y);
            else
                vf_store_n(out, y, left);
        }
}

static void int4_product(const LvInt4Args *a)
{
    float sums[LV_INT4_ROWS * LV_INT4_PANEL], ups[LV_INT4_ROWS * LV_INT4_PANEL];
    for (size_t c = 0; c < a->cols; c += LV_INT4_PANEL) {
        const size_t panel = (a->first + c) / LV_INT4_PANEL, left = a->cols - c,
                     n = left < LV_INT4_PANEL ? left : LV_INT4_PANEL;
        panel_sums(sums, a->weight, panel, a);
        if (a->up)
            panel_sums(ups, a->up, panel, a);
        switch (a->function) {
        case LV_FUNCTION_NONE:
            finish_as(a, LV_FUNCTION_NONE, c, n, sums, a->up ? ups : NULL);
            break;
        case LV_FUNCTION_SILU:
            finish_as(a, LV_FUNCTION_SILU, c, n, sums, a->up ? ups : NULL);
            break;
        default:
            finish_as(a, a->function, c, n, sums, a->up ? ups : NULL);
            break;
        }
    }
}

const LvInt4Kernels *SET_FUNCTION(void);
const LvInt4Kernels *SET_FUNCTION(void)
{
    static const LvInt4Kernels kernels = {.name = SET_NAME,
        .put_panel = int4_put_panel,
        .put_row = int4_put_row,
        .product = int4_product};
    return &kernels;
}

#endif
