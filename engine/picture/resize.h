/* SPDX-License-Identifier: Apache-2.0
 * The 8-bit two-pass antialiased resize with 8 bits between the passes; bit-exact with
 * torchvision's uint8 CPU resize and with Pillow's. A pass whose size does not change is skipped.
 * The horizontal pass comes first, but as Pillow does since 13.0, the Pillow variant runs the
 * vertical pass first where the height shrinks by more than twice as many pixels as the width.
 *
 * Rows are pushed in from the top and leave through a sink as soon as their window is complete;
 * only the rows of one vertical window are held. Cost and memory grow linearly with the pixels read
 * and written. A resizer belongs to one thread at a time. */
#ifndef LV_RESIZE_H
#define LV_RESIZE_H

#include "base/cancel.h"
#include "checkpoint/preprocess.h"
#include "llavaov.h"

/* Takes output row y: `width` red bytes, then as many green, then blue. Called in order, y = 0, 1,
 * ... */
typedef void (*LvResizeSink)(void *data, uint32_t y, const uint8_t *planes);

typedef struct LvResizer LvResizer;

/* Sizes: 1 to LV_MAX_PICTURE_EDGE. Errors: ARGUMENT, MEMORY. */
LlavaovStatus lv_resizer_new(LlavaovResize variant, LvFilter filter, uint32_t in_width,
    uint32_t in_height, uint32_t out_width, uint32_t out_height, LvResizeSink sink, void *data,
    LvResizer **resizer, LlavaovError *error);

/* Samples that each plane of a pushed row must hold: in_width rounded up to 8; the values of the
 * extra ones do not matter, but they must be initialised. */
static inline size_t lv_resizer_row_samples(uint32_t in_width)
{
    return ((size_t)in_width + 7) / 8 * 8;
}

/* The next input row: red, green and blue samples, 0..255. Error: CANCELLED. */
LlavaovStatus lv_resizer_push(LvResizer *resizer, const int16_t *red, const int16_t *green,
    const int16_t *blue, const LvCancel *cancel, LlavaovError *error);
/* Pushes the last row once more; there must be one. */
LlavaovStatus lv_resizer_push_again(
    LvResizer *resizer, const LvCancel *cancel, LlavaovError *error);

/* NULL is allowed. */
void lv_resizer_free(LvResizer *resizer);

#endif
