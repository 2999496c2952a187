/* SPDX-License-Identifier: Apache-2.0
 * Integer weights of one axis of the antialiased resize (docs/model.md 3.2 and 3.3; Pillow's
 * Resample.c and the uint8 path of PyTorch's UpSampleKernel.cpp that torchvision calls). Pure;
 * thread-safe.
 *
 *     scale = in / out, fs = max(scale, 1), centre = (i + 1/2) scale, support = r fs, r the
 *     filter's radius: bicubic 2, bilinear and Hamming 1, box 1/2, Lanczos 3
 *     window = [int(centre - support + 1/2), int(centre + support + 1/2)) cut to [0, in)
 *     weight(x) = filter((x - centre + 1/2) / fs), cubic a = -1/2, normalised over the window
 * in doubles, in each reference's own order of operations, then rounded half away from zero to a
 * multiple of 2^-precision: 22 for Pillow; for torchvision the largest that keeps the axis'
 * greatest weight within 16 bits, at most 22. "Nearest" has a single weight of 1 in each window, at
 * the sample that the reference picks. */
#ifndef LV_RESIZE_WEIGHTS_H
#define LV_RESIZE_WEIGHTS_H

#include "checkpoint/preprocess.h"
#include "llavaov.h"
#include "planes.h"

typedef struct LvResizeAxis {
    uint32_t in, out;
    uint32_t precision; /* bits after the point */
    uint32_t stride;    /* weights held for an output, a multiple of 8; 0 outside its window */
    uint32_t max_taps;  /* longest window */
    uint32_t *first; /* [out] the input that the first held weight belongs to: first + stride <= in
                        rounded up to 8 */
    uint32_t *end;   /* [out] one past the last input of the window; never falls from one output to
                        the next */
    uint32_t *begin; /* [out] first input of the window, >= first */
    int16_t *low;    /* [out][stride] weight = low + high * 2^LV_WEIGHT_SPLIT */
    int16_t *high;   /* [out][stride], or NULL when every weight fits low */
} LvResizeAxis;

/* in and out: 1 to LV_MAX_PICTURE_EDGE. Memory grows as in + out. Errors: ARGUMENT, MEMORY,
 * UNSUPPORTED (a filter that torchvision does not have, where sizes differ); then *axis holds
 * nothing. */
LlavaovStatus lv_resize_axis_init(LvResizeAxis *axis, LlavaovResize variant, LvFilter filter,
    uint32_t in, uint32_t out, LlavaovError *error);
void lv_resize_axis_free(LvResizeAxis *axis);

/* Whether the vertical pass runs first, which matters since intermediate results have 8 bits.
 * Pillow since 13.0 does so where it saves work, torchvision never. */
bool lv_resize_down_first(LlavaovResize variant, uint32_t in_width, uint32_t in_height,
    uint32_t out_width, uint32_t out_height);

#endif
