/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/resize.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "picture/resize_weights.h"

struct LvResizer {
    LvResizeAxis across, down; /* first and other arrays are NULL for a skipped pass */
    bool resize_across, resize_down;
    uint32_t in_width, in_height, out_width, out_height;
    uint32_t n_pushed, n_emitted;
    uint32_t ring_rows;
    size_t row_bytes; /* 3 * out_width */
    uint8_t *ring;    /* [ring_rows][3][out_width] results of the horizontal pass */
    int32_t *sums;    /* [row_bytes] of the vertical pass */
    uint8_t *row;     /* [3][out_width] to the sink */
    LvResizeSink sink;
    void *data;
};

static inline uint8_t to_byte(int32_t sum, uint32_t precision)
{
    sum >>= precision;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* (high << LV_WEIGHT_SPLIT) + low, modulo 2^32 as in the references' 32-bit sums. */
static inline int32_t join(int32_t high, int32_t low)
{
    return (int32_t)(((uint32_t)high << LV_WEIGHT_SPLIT) + (uint32_t)low);
}

/* n is a multiple of 8. */
static inline int32_t dot(const int16_t *samples, const int16_t *weights, uint32_t n)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < n / 8 * 8; i++)
        sum += samples[i] * weights[i];
    return sum;
}

static void across_plane(const LvResizeAxis *axis, const int16_t *samples, uint8_t *out)
{
    uint32_t n = axis->stride;
    int32_t half = 1 << (axis->precision - 1);
    for (uint32_t i = 0; i < axis->out; i++) {
        const int16_t *window = samples + axis->first[i];
        int32_t sum = dot(window, axis->low + (size_t)i * n, n);
        if (axis->high)
            sum = join(dot(window, axis->high + (size_t)i * n, n), sum);
        out[i] = to_byte(sum + half, axis->precision);
    }
}

static void add_row(int32_t *restrict sums, const uint8_t *restrict row, int16_t weight, size_t n)
{
    for (size_t x = 0; x < n; x++)
        sums[x] += (int16_t)row[x] * weight;
}

static void add_row_high(
    int32_t *restrict sums, const uint8_t *restrict row, int16_t high, int16_t low, size_t n)
{
    for (size_t x = 0; x < n; x++)
        sums[x] = join((int16_t)row[x] * high, (int16_t)row[x] * low + sums[x]);
}

static void down_row(LvResizer *r, uint32_t y)
{
    const LvResizeAxis *axis = &r->down;
    int32_t half = 1 << (axis->precision - 1);
    for (size_t x = 0; x < r->row_bytes; x++)
        r->sums[x] = half;
    size_t weights = (size_t)y * axis->stride + axis->begin[y] - axis->first[y];
    for (uint32_t tap = 0; tap < axis->end[y] - axis->begin[y]; tap++) {
        const uint8_t *row = r->ring + (axis->begin[y] + tap) % r->ring_rows * r->row_bytes;
        if (axis->high)
            add_row_high(
                r->sums, row, axis->high[weights + tap], axis->low[weights + tap], r->row_bytes);
        else
            add_row(r->sums, row, axis->low[weights + tap], r->row_bytes);
    }
    for (size_t x = 0; x < r->row_bytes; x++)
        r->row[x] = to_byte(r->sums[x], axis->precision);
}

/* Everything whose window ends with the rows pushed so far. */
static LlavaovStatus emit(LvResizer *r, const LvCancel *cancel, LlavaovError *error)
{
    if (lv_cancelled(cancel))
        return lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
    r->n_pushed++;
    if (!r->resize_down) {
        r->sink(r->data, r->n_emitted++, r->ring);
        return LLAVAOV_OK;
    }
    while (r->n_emitted < r->out_height && r->down.end[r->n_emitted] <= r->n_pushed) {
        if (lv_cancelled(cancel))
            return lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
        down_row(r, r->n_emitted);
        r->sink(r->data, r->n_emitted++, r->row);
    }
    return LLAVAOV_OK;
}

LlavaovStatus lv_resizer_push(LvResizer *r, const int16_t *red, const int16_t *green,
    const int16_t *blue, const LvCancel *cancel, LlavaovError *error)
{
    if (r->n_pushed == r->in_height)
        return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL, "a row too many for a resize");
    const int16_t *planes[3] = {red, green, blue};
    uint8_t *out = r->ring + r->n_pushed % r->ring_rows * r->row_bytes;
    for (int c = 0; c < 3; c++, out += r->out_width) {
        if (r->resize_across)
            across_plane(&r->across, planes[c], out);
        else
            for (uint32_t x = 0; x < r->out_width; x++)
                out[x] = (uint8_t)planes[c][x];
    }
    return emit(r, cancel, error);
}

LlavaovStatus lv_resizer_push_again(LvResizer *r, const LvCancel *cancel, LlavaovError *error)
{
    if (r->n_pushed == 0 || r->n_pushed == r->in_height)
        return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL, "a row too many for a resize");
    const uint8_t *last = r->ring + (r->n_pushed - 1) % r->ring_rows * r->row_bytes;
    uint8_t *next = r->ring + r->n_pushed % r->ring_rows * r->row_bytes;
    if (next != last)
        memcpy(next, last, r->row_bytes);
    return emit(r, cancel, error);
}

LlavaovStatus lv_resizer_new(LlavaovResize variant, uint32_t in_width, uint32_t in_height,
    uint32_t out_width, uint32_t out_height, LvResizeSink sink, void *data, LvResizer **resizer,
    LlavaovError *error)
{
    *resizer = NULL;
    LvResizer *r = lv_calloc(1, sizeof *r);
    if (!r)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a resize");
    r->in_width = in_width;
    r->in_height = in_height;
    r->out_width = out_width;
    r->out_height = out_height;
    r->resize_across = in_width != out_width;
    r->resize_down = in_height != out_height;
    r->row_bytes = (size_t)out_width * 3;
    r->ring_rows = 1;
    r->sink = sink;
    r->data = data;
    LlavaovStatus status = lv_resize_axis_init(&r->across, variant, in_width, out_width, error);
    if (!status)
        status = lv_resize_axis_init(&r->down, variant, in_height, out_height, error);
    if (status) {
        lv_resizer_free(r);
        return status;
    }
    if (r->resize_down)
        r->ring_rows = r->down.max_taps;
    r->ring = lv_alloc_aligned(r->ring_rows, r->row_bytes);
    r->sums = lv_alloc_aligned(r->row_bytes, sizeof *r->sums);
    r->row = lv_alloc_aligned(r->row_bytes, 1);
    if (!r->ring || !r->sums || !r->row) {
        lv_resizer_free(r);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a resize to %ux%u pixels",
            out_width, out_height);
    }
    *resizer = r;
    return LLAVAOV_OK;
}

void lv_resizer_free(LvResizer *r)
{
    if (!r)
        return;
    lv_resize_axis_free(&r->across);
    lv_resize_axis_free(&r->down);
    lv_free(r->ring);
    lv_free(r->sums);
    lv_free(r->row);
    lv_free(r);
}
