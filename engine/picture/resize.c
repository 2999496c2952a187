/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/resize.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "picture/resize_weights.h"
#include "ops.h"

struct LvResizer {
    const LvPlaneKernels *kernels;
    LvResizeAxis across, down;
    bool resize_across, resize_down, down_first;
    uint32_t in_height, out_width, out_height;
    uint32_t n_pushed, n_emitted;
    uint32_t mid_width; /* between the passes */
    uint32_t ring_rows;
    size_t mid_bytes; /* 3 * mid_width */
    uint8_t *ring;    /* [ring_rows][3][mid_width] what the vertical pass reads */
    int32_t *sums;    /* [3][mid_width] of the vertical pass */
    uint8_t *mid;     /* [3][mid_width] its result */
    int16_t *samples; /* the same as 16-bit planes, down_first only */
    uint8_t *row;     /* [3][out_width] to the sink, down_first only */
    LvResizeSink sink;
    void *data;
};

/* Planes of samples to planes of bytes. */
static void across_row(const LvResizer *r, const int16_t *const planes[3], uint8_t *out)
{
    const LvResizeAxis *axis = &r->across;
    r->kernels->across(&(LvAcross){.planes = {planes[0], planes[1], planes[2]},
        .first = axis->first,
        .low = axis->low,
        .high = axis->high,
        .stride = axis->stride,
        .n = axis->out,
        .precision = axis->precision,
        .out = out});
}

static void down_row(LvResizer *r, uint32_t y)
{
    const LvResizeAxis *axis = &r->down;
    size_t weights = (size_t)y * axis->stride + axis->begin[y] - axis->first[y];
    r->kernels->down(&(LvDown){.ring = r->ring,
        .ring_rows = r->ring_rows,
        .first = axis->begin[y],
        .taps = axis->end[y] - axis->begin[y],
        .low = axis->low + weights,
        .high = axis->high ? axis->high + weights : NULL,
        .n = r->mid_bytes,
        .precision = axis->precision,
        .sums = r->sums,
        .out = r->mid});
}

/* The vertical pass has made r->mid. */
static const uint8_t *finish_row(LvResizer *r)
{
    if (!r->down_first)
        return r->mid;
    const int16_t *planes[3];
    size_t stride = lv_resizer_row_samples(r->mid_width);
    for (int c = 0; c < 3; c++) {
        const uint8_t *mid = r->mid + (size_t)c * r->mid_width;
        int16_t *plane = r->samples + c * stride;
        for (uint32_t x = 0; x < r->mid_width; x++)
            plane[x] = mid[x];
        planes[c] = plane;
    }
    across_row(r, planes, r->row);
    return r->row;
}

/* Everything whose window ends with the rows pushed so far. */
static LlavaovStatus emit(LvResizer *r, const LvCancel *cancel, LlavaovError *error)
{
    r->n_pushed++;
    if (!r->resize_down)
        r->sink(r->data, r->n_emitted++, r->ring);
    else
        while (r->n_emitted < r->out_height && r->down.end[r->n_emitted] <= r->n_pushed &&
               !lv_cancelled(cancel)) {
            down_row(r, r->n_emitted);
            r->sink(r->data, r->n_emitted++, finish_row(r));
        }
    if (lv_cancelled(cancel))
        return lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
    return LLAVAOV_OK;
}

LlavaovStatus lv_resizer_push(LvResizer *r, const int16_t *red, const int16_t *green,
    const int16_t *blue, const LvCancel *cancel, LlavaovError *error)
{
    if (r->n_pushed == r->in_height)
        return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL, "a row too many for a resize");
    const int16_t *planes[3] = {red, green, blue};
    uint8_t *out = r->ring + r->n_pushed % r->ring_rows * r->mid_bytes;
    if (r->resize_across && !r->down_first)
        across_row(r, planes, out);
    else
        for (int c = 0; c < 3; c++, out += r->mid_width)
            for (uint32_t x = 0; x < r->mid_width; x++)
                out[x] = (uint8_t)planes[c][x];
    return emit(r, cancel, error);
}

LlavaovStatus lv_resizer_push_again(LvResizer *r, const LvCancel *cancel, LlavaovError *error)
{
    if (r->n_pushed == 0 || r->n_pushed == r->in_height)
        return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL, "a row too many for a resize");
    const uint8_t *last = r->ring + (r->n_pushed - 1) % r->ring_rows * r->mid_bytes;
    uint8_t *next = r->ring + r->n_pushed % r->ring_rows * r->mid_bytes;
    if (next != last)
        memcpy(next, last, r->mid_bytes);
    return emit(r, cancel, error);
}

static LlavaovStatus allocate(LvResizer *r, LlavaovError *error)
{
    bool done;
    r->ring_rows = r->resize_down ? r->down.max_taps : 1;
    r->ring = lv_alloc_aligned(r->ring_rows, r->mid_bytes);
    done = r->ring != NULL;
    if (r->resize_down) {
        r->sums = lv_alloc_aligned(r->mid_bytes, sizeof *r->sums);
        r->mid = lv_alloc_aligned(r->mid_bytes, 1);
        done = done && r->sums && r->mid;
    }
    if (r->down_first) {
        size_t samples = 3 * lv_resizer_row_samples(r->mid_width);
        r->samples = lv_alloc_aligned(samples, sizeof *r->samples);
        r->row = lv_alloc_aligned(r->out_width, 3);
        done = done && r->samples && r->row;
        if (r->samples)
            memset(r->samples, 0, samples * sizeof *r->samples);
    }
    return done ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL,
                      "no memory for a resize to %ux%u pixels", r->out_width, r->out_height);
}

LlavaovStatus lv_resizer_new(LlavaovResize variant, LvFilter filter, uint32_t in_width,
    uint32_t in_height, uint32_t out_width, uint32_t out_height, LvResizeSink sink, void *data,
    LvResizer **resizer, LlavaovError *error)
{
    *resizer = NULL;
    LvResizer *r = lv_calloc(1, sizeof *r);
    if (!r)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a resize");
    r->kernels = lv_plane_kernels_choose(lv_cpu_flags());
    r->in_height = in_height;
    r->out_width = out_width;
    r->out_height = out_height;
    r->resize_across = in_width != out_width;
    r->resize_down = in_height != out_height;
    r->down_first = lv_resize_down_first(variant, in_width, in_height, out_width, out_height);
    r->mid_width = r->down_first ? in_width : out_width;
    r->mid_bytes = (size_t)r->mid_width * 3;
    r->sink = sink;
    r->data = data;
    LlavaovStatus status =
        lv_resize_axis_init(&r->across, variant, filter, in_width, out_width, error);
    if (!status)
        status = lv_resize_axis_init(&r->down, variant, filter, in_height, out_height, error);
    if (!status)
        status = allocate(r, error);
    if (status)
        lv_resizer_free(r);
    else
        *resizer = r;
    return status;
}

void lv_resizer_free(LvResizer *r)
{
    if (!r)
        return;
    lv_resize_axis_free(&r->across);
    lv_resize_axis_free(&r->down);
    lv_free(r->ring);
    lv_free(r->sums);
    lv_free(r->mid);
    lv_free(r->samples);
    lv_free(r->row);
    lv_free(r);
}
