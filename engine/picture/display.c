/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/display.h"

#include "base/alloc.h"
#include "base/status.h"
#include "ops.h"
#include "picture/color.h"

bool lv_image_as_shown(const LlavaovImage *image)
{
    return image->scan == LLAVAOV_SCAN_PROGRESSIVE &&
           image->orientation == LLAVAOV_ORIENTATION_UPRIGHT;
}

/* Where pixel (x, y) of the upright rows goes: at + x * right + y * down pixels of `rgb`. */
typedef struct Turned {
    uint8_t *rgb;
    ptrdiff_t at, right, down;
} Turned;

typedef struct Display {
    const LlavaovImage *image;
    const LvPlaneKernels *kernels;
    bool both;       /* fields are there */
    uint32_t parity; /* parity of the rows that stay as they are */
    /* Colour planes of one row each: the rows above and below, of the field that stays, and the row
     * between, of the other field. */
    int16_t *above, *below, *own;
    Turned turned;
} Display;

static void put_row(const Display *d, uint32_t y, const int16_t *row)
{
    const size_t width = d->image->width;
    const ptrdiff_t step = d->turned.right * 3;
    uint8_t *out = d->turned.rgb + (d->turned.at + (ptrdiff_t)y * d->turned.down) * 3;
    for (size_t x = 0; x < width; x++)
        for (size_t c = 0; c < 3; c++)
            out[(ptrdiff_t)x * step + (ptrdiff_t)c] = (uint8_t)row[c * width + x];
}

/* A stored row. */
static void get_row(const Display *d, uint32_t y, int16_t *row)
{
    const size_t width = d->image->width;
    lv_color_row(d->kernels, d->image, y, row, row + width, row + 2 * width);
}

static int16_t least(int16_t a, int16_t b)
{
    return a < b ? a : b;
}

static int16_t greatest(int16_t a, int16_t b)
{
    return a > b ? a : b;
}

/* A row of the other field, between two of the field that stays. */
static void fill_row(const Display *d, const int16_t *above, const int16_t *below)
{
    int16_t *own = d->own;
    const size_t n = 3 * (size_t)d->image->width;
    if (d->both)
        for (size_t i = 0; i < n; i++)
            own[i] =
                greatest(least(above[i], below[i]), least(own[i], greatest(above[i], below[i])));
    else
        for (size_t i = 0; i < n; i++)
            own[i] = (int16_t)((above[i] + below[i] + 1) / 2);
}

static void show_progressive_row(Display *d, uint32_t y)
{
    get_row(d, y, d->above);
    put_row(d, y, d->above);
}

/* Called for y = 0, 1, ... */
static void show_interlaced_row(Display *d, uint32_t y)
{
    const bool last = y + 1 == d->image->height;
    if (y % 2 == d->parity) {
        if (y == 0) /* otherwise already read as the row below */
            get_row(d, d->both ? y : 0, d->above);
        put_row(d, y, d->above);
        return;
    }
    const int16_t *above = y ? d->above : d->below, *below = last ? d->above : d->below;
    if (!last)
        get_row(d, d->both ? y + 1 : (y + 1) / 2, d->below);
    if (d->both)
        get_row(d, y, d->own);
    fill_row(d, above, below);
    put_row(d, y, d->own);
    int16_t *swap = d->above;
    d->above = d->below;
    d->below = swap;
}

static LlavaovStatus show_rows(Display *d, const LvCancel *cancel, LlavaovError *error)
{
    const LlavaovImage *image = d->image;
    const bool bottom =
        image->scan == LLAVAOV_SCAN_BOTTOM_FIRST || image->scan == LLAVAOV_SCAN_BOTTOM_FIELD;
    d->both = image->scan == LLAVAOV_SCAN_TOP_FIRST || image->scan == LLAVAOV_SCAN_BOTTOM_FIRST;
    d->parity = bottom && image->height > 1;
    for (uint32_t y = 0; y < image->height; y++) {
        if (lv_cancelled(cancel))
            return lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
        if (image->scan == LLAVAOV_SCAN_PROGRESSIVE)
            show_progressive_row(d, y);
        else
            show_interlaced_row(d, y);
    }
    return LLAVAOV_OK;
}

/* Sets where pixels are written; returns whether rows become columns. */
static bool turn(LlavaovOrientation orientation, ptrdiff_t w, ptrdiff_t h, Turned *t)
{
    switch (orientation) {
    case LLAVAOV_ORIENTATION_UPRIGHT:
        t->at = 0, t->right = 1, t->down = w;
        break;
    case LLAVAOV_ORIENTATION_MIRROR:
        t->at = w - 1, t->right = -1, t->down = w;
        break;
    case LLAVAOV_ORIENTATION_ROTATE_180:
        t->at = w * h - 1, t->right = -1, t->down = -w;
        break;
    case LLAVAOV_ORIENTATION_FLIP:
        t->at = (h - 1) * w, t->right = 1, t->down = -w;
        break;
    case LLAVAOV_ORIENTATION_TRANSPOSE:
        t->at = 0, t->right = h, t->down = 1;
        return true;
    case LLAVAOV_ORIENTATION_ROTATE_90:
        t->at = h - 1, t->right = h, t->down = -1;
        return true;
    case LLAVAOV_ORIENTATION_TRANSVERSE:
        t->at = w * h - 1, t->right = -h, t->down = -1;
        return true;
    case LLAVAOV_ORIENTATION_ROTATE_270:
        t->at = (w - 1) * h, t->right = -h, t->down = 1;
        return true;
    }
    return false;
}

LlavaovStatus lv_image_show(const LlavaovImage *image, const LvCancel *cancel, LlavaovImage *shown,
    uint8_t **pixels, LlavaovError *error)
{
    const size_t width = image->width, height = image->height;
    Display d = {.image = image, .kernels = lv_plane_kernels_choose(lv_cpu_flags())};
    *pixels = d.turned.rgb = lv_alloc(width * height, 3);
    int16_t *rows = lv_alloc(width, 9 * sizeof *rows);
    const bool swap = turn(image->orientation, (ptrdiff_t)width, (ptrdiff_t)height, &d.turned);
    d.above = rows;
    LlavaovStatus status = LLAVAOV_OK;
    if (*pixels && rows) {
        d.below = rows + 3 * width;
        d.own = rows + 6 * width;
        status = show_rows(&d, cancel, error);
    } else {
        status = lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_PICTURE, NULL,
            "no memory for a picture of %ux%u pixels", image->width, image->height);
    }
    lv_free(rows);
    if (status) {
        lv_free(*pixels);
        *pixels = NULL;
        return status;
    }
    *shown = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = swap ? image->height : image->width,
        .height = swap ? image->width : image->height,
        .plane = {*pixels},
        .stride = {(ptrdiff_t)(swap ? height : width) * 3},
        .pixel_width = swap ? image->pixel_height : image->pixel_width,
        .pixel_height = swap ? image->pixel_width : image->pixel_height};
    return LLAVAOV_OK;
}
