/* SPDX-License-Identifier: Apache-2.0
 * What a screen shows of a stored picture: all rows of one moment, upright. Pure; thread-safe.
 *
 * Interlaced pictures. The field that was taken first stays as it is: the picture's time is its
 * time. Each row y of the other field lies between two rows of the first, a above and b below (the
 * nearest one twice at the edge), and becomes, for each colour of each pixel,
 *     both fields: the median of a, row y, b
 *     one field:   (a + b + 1) / 2, rounded down
 * The median is what is known as vertical-temporal median: what stands still keeps all detail but
 * lines that are one row thick, and what moves shows no comb: no pixel of the second field is
 * outside of what its neighbours in the first span.
 *
 * Turning is a permutation of the pixels, after that. The stored pixel (x, y) of a picture of
 * width w and height h goes to
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

/* The picture (which lv_image_check accepted) as it is shown: RGB in memory of its own, which is
 * plane[0] and the caller's to lv_free. cancel is polled between rows. Errors: MEMORY, CANCELLED;
 * then *pixels is NULL. */
LlavaovStatus lv_image_show(const LlavaovImage *image, const LvCancel *cancel, LlavaovImage *shown,
    uint8_t **pixels, LlavaovError *error);

#endif
