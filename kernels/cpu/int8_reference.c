/* SPDX-License-Identifier: Apache-2.0
 * The plain reference of int8.h. */
#include "int8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool scale_of(const float *in, size_t n, float *greatest)
{
    *greatest = 0;
    for (size_t k = 0; k < n; k++) {
        if (!isfinite(in[k]))
            return false;
        *greatest = fmaxf(*greatest, fabsf(in[k]));
    }
    return true;
}

static int32_t number(float x, float greatest, float most)
{
    return greatest < 0x1p-100f ? 0 : (int32_t)nearbyintf(x * (most / greatest));
}

static void put_panel(int8_t *numbers, float *scales, int32_t *offsets, int32_t *columns,
    const float *weights, size_t n, size_t cols, int8_t *row)
{
    memset(numbers, 0, lv_int8_panel_bytes(cols));
    for (size_t i = 0; i < LV_INT8_PANEL; i++) {
        scales[i] = 0;
        offsets[i] = 0;
        if (i >= n)
            continue;
        float greatest;
        scale_of(weights + i * cols, cols, &greatest);
        scales[i] = greatest < 0x1p-100f ? 0 : greatest / 127;
        for (size_t k = 0; k < cols; k++) {
            const int32_t q = number(weights[i * cols + k], greatest, 127);
            numbers[(k / 4 * LV_INT8_PANEL + i) * 4 + k % 4] = (int8_t)q;
            offsets[i] -= 128 * q;
            columns[k] += abs(q);
        }
    }
}

/* What the greatest magnitude becomes. */
static float most_of(LvInt8Kind kind)
{
    return kind == LV_INT8_WIDE ? 16256 : kind == LV_INT8_SKEWED ? 239 : 127;
}

static LvInt8Row measure_row(const float *in, size_t cols)
{
    float greatest, negative = 0;
    if (!scale_of(in, cols, &greatest))
        return (LvInt8Row){.scale = NAN};
    if (greatest < 0x1p-100f)
        return (LvInt8Row){.scale = 0};
    for (size_t k = 0; k < cols; k++)
        negative = fmaxf(negative, -in[k]);
    LvInt8Kind kind = negative * 15 <= greatest ? LV_INT8_SKEWED : LV_INT8_EVEN;
    int64_t sum = 0;
    for (size_t k = 0; k < cols; k++)
        sum += abs(number(in[k], greatest, most_of(kind)));
    if (greatest >= LV_INT8_LARGE || sum < (int64_t)LV_INT8_LEAST_ROW * (int64_t)cols)
        kind = LV_INT8_WIDE;
    return (LvInt8Row){
        .scale = greatest / most_of(kind), .factor = most_of(kind) / greatest, .kind = kind};
}

static size_t row_bytes(size_t cols)
{
    return (cols + 1) / 2 * 2 * sizeof(int16_t);
}

static void put_row(void *dst, const LvInt8Row *row, const float *in, size_t cols)
{
    int16_t *high = dst, *low = high + row_bytes(cols) / 2;
    for (size_t k = 0; k < cols; k++) {
        const int32_t q = row->factor == 0 ? 0 : (int32_t)nearbyintf(in[k] * row->factor);
        if (row->kind == LV_INT8_WIDE) {
            const int32_t h = (q + 64 + 16384) / 128 - 128; /* the floor of (q + 64) / 128 */
            high[k] = (int16_t)h;
            low[k] = (int16_t)(q - 128 * h);
        } else
            high[k] = (int16_t)q;
    }
}

static float dot(const LvInt8Matrix *m, size_t output, const int16_t *in)
{
    const int8_t *panel = m->numbers + output / LV_INT8_PANEL * lv_int8_panel_bytes(m->cols);
    int64_t sum = 0;
    for (size_t k = 0; k < m->cols; k++)
        sum += in[k] * panel[(k / 4 * LV_INT8_PANEL + output % LV_INT8_PANEL) * 4 + k % 4];
    return (float)sum;
}

static float scaled(const LvInt8Matrix *m, size_t output, const LvInt8Row *row, const int16_t *in)
{
    float sum = dot(m, output, in);
    if (row->kind == LV_INT8_WIDE)
        sum = sum * 128 + dot(m, output, in + row_bytes(m->cols) / 2);
    return sum * row->scale * m->scales[output];
}

static void product(const LvInt8Args *a)
{
    const int16_t *in = a->in;
    for (size_t i = 0; i < a->n_rows; i++) {
        const LvInt8Row *row = &a->rows[i];
        for (size_t c = 0; c < a->cols; c++) {
            float y = scaled(a->weight, a->first + c, row, in);
            y = lv_function_plain(a->function, a->bias ? y + a->bias[c] : y);
            if (a->up)
                y *= scaled(a->up, a->first + c, row, in);
            if (a->residual)
                y += a->residual[row->row * a->residual_stride + c];
            a->out[row->row * a->out_stride + c] = y;
        }
        in += (row->kind == LV_INT8_WIDE ? 2 : 1) * row_bytes(a->weight->cols) / 2;
    }
}

const LvInt8Kernels *lv_int8_reference(void)
{
    static const LvInt8Kernels kernels = {.name = "reference",
        .put_panel = put_panel,
        .measure_row = measure_row,
        .row_bytes = row_bytes,
        .put_row = put_row,
        .product = product};
    return &kernels;
}
