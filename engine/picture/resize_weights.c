/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/resize_weights.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

/* The references evaluate the same cubic in different orders, and its last bit can change a rounded
 * weight. */
static double cubic_pillow(double t)
{
    t = fabs(t);
    if (t < 1.0)
        return ((-0.5 + 2.0) * t - (-0.5 + 3.0)) * t * t + 1;
    if (t < 2.0)
        return (((t - 5) * t + 8) * t - 4) * -0.5;
    return 0.0;
}

static double cubic_torch(double t)
{
    t = fabs(t);
    if (t < 1.0)
        return ((-0.5 + 2.0) * t - (-0.5 + 3.0)) * t * t + 1;
    if (t < 2.0)
        return ((-0.5 * t - 5 * -0.5) * t + 8 * -0.5) * t - 4 * -0.5;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x *= M_PI;
    return sin(x) / x;
}

static double filter_at(LvFilter filter, LlavaovResize variant, double t)
{
    switch (filter) {
    case LV_FILTER_LANCZOS:
        return -3.0 <= t && t < 3.0 ? sinc(t) * sinc(t / 3) : 0.0;
    case LV_FILTER_BILINEAR:
        t = fabs(t);
        return t < 1.0 ? 1.0 - t : 0.0;
    case LV_FILTER_BOX:
        return t > -0.5 && t <= 0.5 ? 1.0 : 0.0;
    case LV_FILTER_HAMMING:
        t = fabs(t);
        return t >= 1.0 ? 0.0 : sinc(t) * (0.54 + 0.46 * cos(t * M_PI));
    default:
        return variant == LLAVAOV_RESIZE_PILLOW ? cubic_pillow(t) : cubic_torch(t);
    }
}

static double radius_of(LvFilter filter)
{
    return filter == LV_FILTER_LANCZOS   ? 3.0
           : filter == LV_FILTER_BOX     ? 0.5
           : filter == LV_FILTER_BICUBIC ? 2.0
                                         : 1.0;
}

typedef struct Window {
    uint32_t begin, taps;
    double centre, inverse;
} Window;

static Window window_of(LvFilter filter, uint32_t in, uint32_t out, uint32_t i)
{
    double scale = (double)in / out;
    double filter_scale = scale < 1.0 ? 1.0 : scale;
    double support = radius_of(filter) * filter_scale;
    Window window = {.centre = (i + 0.5) * scale, .inverse = 1.0 / filter_scale};
    int64_t begin = (int64_t)(window.centre - support + 0.5);
    int64_t end = (int64_t)(window.centre + support + 0.5);
    window.begin = begin < 0 ? 0 : (uint32_t)begin;
    window.taps = (end > in ? in : (uint32_t)end) - window.begin;
    return window;
}

/* The normalised weights of a window. */
static void real_weights(
    const Window *window, LlavaovResize variant, LvFilter filter, double *weights)
{
    double total = 0.0;
    double offset = window->begin - window->centre;
    for (uint32_t x = 0; x < window->taps; x++) {
        double t = variant == LLAVAOV_RESIZE_PILLOW ? x + window->begin - window->centre + 0.5
                                                    : x + offset + 0.5;
        double w = filter_at(filter, variant, t * window->inverse);
        weights[x] = w;
        total += w;
    }
    if (total != 0.0)
        for (uint32_t x = 0; x < window->taps; x++)
            weights[x] /= total;
}

static int32_t fixed_point(double weight, uint32_t precision)
{
    double scaled = weight * (1u << precision);
    return (int32_t)(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

static uint32_t torch_precision(double greatest)
{
    uint32_t precision = 0;
    while (precision < 22 && (int64_t)(0.5 + greatest * (1u << (precision + 1))) < 1 << 15)
        precision++;
    return precision;
}

static uint32_t round_up8(uint32_t n)
{
    return (n + 7) / 8 * 8;
}

static LlavaovStatus allocate(LvResizeAxis *axis, bool split, double **weights, LlavaovError *error)
{
    axis->first = lv_alloc(axis->out, sizeof *axis->first);
    axis->begin = lv_alloc(axis->out, sizeof *axis->begin);
    axis->end = lv_alloc(axis->out, sizeof *axis->end);
    axis->low = lv_alloc_aligned((size_t)axis->out * axis->stride, sizeof *axis->low);
    if (split)
        axis->high = lv_alloc_aligned((size_t)axis->out * axis->stride, sizeof *axis->high);
    *weights = lv_alloc(axis->max_taps, sizeof **weights);
    if (axis->first && axis->begin && axis->end && axis->low && (axis->high || !split) && *weights)
        return LLAVAOV_OK;
    lv_free(*weights);
    uint32_t in = axis->in, out = axis->out;
    lv_resize_axis_free(axis);
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL,
        "no memory for the weights of a resize from %u to %u pixels", in, out);
}

static void store_weights(
    LvResizeAxis *axis, uint32_t i, const Window *window, const double *weights)
{
    uint32_t last_first = round_up8(axis->in) - axis->stride;
    axis->begin[i] = window->begin;
    axis->end[i] = window->begin + window->taps;
    axis->first[i] = window->begin < last_first ? window->begin : last_first;
    size_t row = (size_t)i * axis->stride, skipped = window->begin - axis->first[i];
    memset(axis->low + row, 0, axis->stride * sizeof *axis->low);
    if (axis->high)
        memset(axis->high + row, 0, axis->stride * sizeof *axis->high);
    for (uint32_t x = 0; x < window->taps; x++) {
        int32_t k = fixed_point(weights[x], axis->precision);
        if (axis->high) {
            /* Rounded to nearest, so that |low| <= |k|: sums of low cannot overflow unless sums of
             * k do. */
            int32_t high = (k + (1 << (LV_WEIGHT_SPLIT - 1))) >> LV_WEIGHT_SPLIT;
            axis->high[row + skipped + x] = (int16_t)high;
            k -= high * (1 << LV_WEIGHT_SPLIT);
        }
        axis->low[row + skipped + x] = (int16_t)k;
    }
}

/* Pillow's affine transform accumulates the scale; torchvision's "nearest exact" computes in
 * float32. */
static LlavaovStatus nearest(LvResizeAxis *axis, LlavaovResize variant, LlavaovError *error)
{
    const double weight = 1.0;
    double *unused, scale = (double)axis->in / axis->out, at = scale * 0.5;
    const float narrow = (float)axis->in / (float)axis->out;
    axis->max_taps = 1;
    axis->stride = 8;
    axis->precision = torch_precision(weight);
    LlavaovStatus status = allocate(axis, false, &unused, error);
    if (status)
        return status;
    lv_free(unused);
    for (uint32_t i = 0; i < axis->out; i++, at += scale) {
        const double source = variant == LLAVAOV_RESIZE_PILLOW
                                  ? floor(at)
                                  : floorf((float)((i + 0.5) * (double)narrow));
        const Window window = {
            .begin = source < axis->in ? (uint32_t)source : axis->in - 1, .taps = 1};
        store_weights(axis, i, &window, &weight);
    }
    return LLAVAOV_OK;
}

LlavaovStatus lv_resize_axis_init(LvResizeAxis *axis, LlavaovResize variant, LvFilter filter,
    uint32_t in, uint32_t out, LlavaovError *error)
{
    *axis = (LvResizeAxis){.in = in, .out = out, .precision = 22};
    if (in == 0 || out == 0 || in > LV_MAX_PICTURE_EDGE || out > LV_MAX_PICTURE_EDGE)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "a resize from %u to %u pixels is outside 1 to %u", in, out, LV_MAX_PICTURE_EDGE);
    if (in != out && variant == LLAVAOV_RESIZE_TORCHVISION &&
        (filter == LV_FILTER_BOX || filter == LV_FILTER_HAMMING))
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "resample",
            "resample is %d (%s), which torchvision does not have for its tensors: transformers "
            "fails on it, too",
            (int)filter, filter == LV_FILTER_BOX ? "box" : "Hamming");
    if (filter == LV_FILTER_NEAREST)
        return nearest(axis, variant, error);
    for (uint32_t i = 0; i < out; i++) {
        uint32_t taps = window_of(filter, in, out, i).taps;
        axis->max_taps = taps > axis->max_taps ? taps : axis->max_taps;
    }
    axis->stride = round_up8(axis->max_taps);

    double *weights;
    LlavaovStatus status = allocate(axis, variant == LLAVAOV_RESIZE_PILLOW, &weights, error);
    if (status)
        return status;
    if (variant == LLAVAOV_RESIZE_TORCHVISION) {
        double greatest = 0.0;
        for (uint32_t i = 0; i < out; i++) {
            Window window = window_of(filter, in, out, i);
            real_weights(&window, variant, filter, weights);
            for (uint32_t x = 0; x < window.taps; x++)
                greatest = fmax(greatest, weights[x]);
        }
        axis->precision = torch_precision(greatest);
    }
    for (uint32_t i = 0; i < out; i++) {
        Window window = window_of(filter, in, out, i);
        real_weights(&window, variant, filter, weights);
        store_weights(axis, i, &window, weights);
    }
    lv_free(weights);
    return LLAVAOV_OK;
}

void lv_resize_axis_free(LvResizeAxis *axis)
{
    lv_free(axis->first);
    lv_free(axis->begin);
    lv_free(axis->end);
    lv_free(axis->low);
    lv_free(axis->high);
    *axis = (LvResizeAxis){0};
}

bool lv_resize_down_first(LlavaovResize variant, uint32_t in_width, uint32_t in_height,
    uint32_t out_width, uint32_t out_height)
{
    int64_t shorter = (int64_t)in_height - out_height, narrower = (int64_t)in_width - out_width;
    return variant == LLAVAOV_RESIZE_PILLOW && in_width != out_width && shorter > 0 &&
           shorter > 2 * narrower;
}
