/* SPDX-License-Identifier: Apache-2.0
 * The plain reference of int4.h. */
#include "int4.h"

#include <math.h>
#include <string.h>

#include "float16.h"

/* ---- weights ---- */

typedef struct Tried {
    uint16_t scale;
    int numbers[LV_INT4_GROUP];
    float error;
} Tried;

/* Sums in the order of int4.h. */
static float total(const float terms[LV_INT4_GROUP])
{
    float s[8] = {0};
    for (size_t k = 0; k < LV_INT4_GROUP; k++)
        s[k % 8] += terms[k];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static void try_scale(Tried *best, const float *x, float scale)
{
    Tried t = {.scale = lv_float16_of(scale)};
    const float rounded = lv_float16_value(t.scale), inverse = 1 / rounded;
    float terms[LV_INT4_GROUP];
    if (rounded == 0)
        return;
    for (size_t k = 0; k < LV_INT4_GROUP; k++) {
        const float q = fminf(fmaxf(nearbyintf(x[k] * inverse), -8), 7), e = x[k] - q * rounded;
        t.numbers[k] = (int)q;
        terms[k] = e * e;
    }
    t.error = total(terms);
    if (t.error < best->error)
        *best = t;
}

static void try_fit(Tried *best, const float *x)
{
    float xq[LV_INT4_GROUP], qq[LV_INT4_GROUP];
    for (size_t k = 0; k < LV_INT4_GROUP; k++) {
        xq[k] = x[k] * (float)best->numbers[k];
        qq[k] = (float)(best->numbers[k] * best->numbers[k]);
    }
    if (total(qq) > 0)
        try_scale(best, x, total(xq) / total(qq));
}

static Tried best_of(const float *x)
{
    Tried best = {0};
    float squares[LV_INT4_GROUP], greatest = 0;
    for (size_t k = 0; k < LV_INT4_GROUP; k++) {
        squares[k] = x[k] * x[k];
        greatest = fabsf(x[k]) > fabsf(greatest) ? x[k] : greatest;
    }
    best.error = total(squares);
    for (int i = 0; i <= 8; i++)
        try_scale(&best, x, greatest / -(7 + (float)i / 4));
    try_fit(&best, x);
    try_fit(&best, x);
    return best;
}

static bool put_panel(
    uint8_t *numbers, uint16_t *scales, const float *weights, size_t n, size_t cols)
{
    memset(numbers, 0x88, lv_int4_panel_bytes(cols));
    memset(scales, 0, lv_int4_panel_scales(cols) * sizeof *scales);
    for (size_t i = 0; i < n; i++)
        for (size_t g = 0; g < lv_int4_groups(cols); g++) {
            float x[LV_INT4_GROUP] = {0};
            for (size_t k = 0; k < LV_INT4_GROUP && g * LV_INT4_GROUP + k < cols; k++) {
                x[k] = weights[i * cols + g * LV_INT4_GROUP + k];
                if (fabsf(x[k]) > LV_INT4_GREATEST)
                    return false;
            }
            const Tried best = best_of(x);
            scales[g * LV_INT4_PANEL + i] = best.scale;
            for (size_t k = 0; k < LV_INT4_GROUP; k++) {
                uint8_t *byte = numbers + ((g * 4 + k / 8) * LV_INT4_PANEL + i) * 4 + k % 4;
                const int q = best.numbers[k] + 8;
                *byte = (uint8_t)(k / 4 % 2 ? (*byte & 15) | q << 4 : (*byte & 0xF0) | q);
            }
        }
    return true;
}

/* ---- activations ---- */

static void put_row(LvInt4Unit *units, size_t stride, const float *in, size_t cols)
{
    for (size_t k = 0; k < cols; k += LV_INT4_GROUP, units += stride) {
        const size_t n = cols - k < LV_INT4_GROUP ? cols - k : LV_INT4_GROUP;
        float greatest = 0;
        bool finite = true;
        for (size_t i = 0; i < n; i++) {
            finite &= isfinite(in[k + i]) != 0;
            greatest = fmaxf(greatest, fabsf(in[k + i]));
        }
        *units = (LvInt4Unit){.scale = !finite ? NAN : greatest < 0x1p-100f ? 0 : greatest / 127};
        for (size_t i = 0; i < n && finite && greatest >= 0x1p-100f; i++) {
            units->numbers[i] = (int8_t)nearbyintf(in[k + i] * (127 / greatest));
            units->offset -= 8 * units->numbers[i];
        }
    }
}

/* ---- products ---- */

static float output(const LvInt4Matrix *m, size_t output, const LvInt4Args *a, size_t row)
{
    const size_t panel = output / LV_INT4_PANEL, i = output % LV_INT4_PANEL;
    const uint8_t *numbers = m->numbers + panel * lv_int4_panel_bytes(m->cols);
    const uint16_t *scales = m->scales + panel * lv_int4_panel_scales(m->cols);
    float y = 0;
    for (size_t g = 0; g < lv_int4_groups(m->cols); g++) {
        const LvInt4Unit *unit = &a->in[g * a->rows + row];
        int32_t sum = 0;
        for (size_t k = 0; k < LV_INT4_GROUP; k++) {
            const uint8_t byte = numbers[((g * 4 + k / 8) * LV_INT4_PANEL + i) * 4 + k % 4];
            sum += unit->numbers[k] * ((k / 4 % 2 ? byte >> 4 : byte & 15) - 8);
        }
        y += (float)sum * unit->scale * lv_float16_value(scales[g * LV_INT4_PANEL + i]);
    }
    return y;
}

static void product(const LvInt4Args *a)
{
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->cols; c++) {
            float y = output(a->weight, a->first + c, a, r);
            y = lv_function_plain(a->function, a->bias ? y + a->bias[c] : y);
            if (a->up)
                y *= output(a->up, a->first + c, a, r);
            if (a->residual)
                y += a->residual[r * a->residual_stride + c];
            a->out[r * a->out_stride + c] = y;
        }
}

const LvInt4Kernels *lv_int4_reference(void)
{
    static const LvInt4Kernels kernels = {
        .name = "reference", .put_panel = put_panel, .put_row = put_row, .product = product};
    return &kernels;
}
