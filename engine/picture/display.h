/* SPDX-License-Identifier: Apache-2.0
 * From a stored picture to what a screen would show: deinterlaced and upright. Pure; thread-safe.
 *
 * Interlaced pictures. The field that was captured first is kept; the picture's timestamp is its
 * time. Each row y of the other field lies between two rows of the first, a above and b below (at
 * the edge the nearest one twice), and is replaced, for each colour of each pixel, by
 *     both fields: the median of a, row y, b
 *     one field:   (a + b + 1) / 2, rounded down
 * This is the vertical-temporal median: static content keeps all detail except lines one row thick,
 * and moving content shows no combing, since no pixel of the second field leaves the range of its
 * neighbours in the first.
 *
 * Orientation is applied afterwards, as a permutation of the pixels. The stored pixel (x, y) of a
 * picture of width w and height h goes to
 *     upright (x, y)           mirror (w - 1 - x, y)    rotate 180 (w - 1 - x, h - 1 - y)
 *     flip (x, h - 1 - y)      transpose (y, x)         rotate 90 (h - 1 - y, x)
 *     transverse (h - 1 - y, w - 1 - x)                 rotate 270 (y, w - 1 - x)
 * and in the last four width and height are swapped. */
#ifndef LV_DISPLAY_H
#define LV_DISPLAY_H

#include "base/cancel.h"
#include "llavaov.h"

/* Whether a picture is shown as it is stored: progressive and upright. */
bool lv_image_as_shown(const LlavaovImage *image);

/* The picture (accepted by lv_image_check) in display orientation, as RGB in newly allocated
 * memory: plane[0], which the caller frees with lv_free. cancel is polled between rows. Errors:
 * MEMORY, CANCELLED; then *pixels is NULL. */
LlavaovStatus lv_image_show(const LlavaovImage *image, const LvCancel *cancel, LlavaovImage *shown,
    uint8_t **pixels, LlavaovError *error);

#endif
