/* SPDX-License-Identifier: Apache-2.0
 * How pictures are prepared for the vision tower: the reference's image and video processors. */
#ifndef LV_PREPROCESS_H
#define LV_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/refusal.h"

/* Filters of a resize, with the numbers that files give them (Pillow's). */
typedef enum LvFilter {
    LV_FILTER_NEAREST,
    LV_FILTER_LANCZOS,
    LV_FILTER_BILINEAR,
    LV_FILTER_BICUBIC,
    LV_FILTER_BOX,
    LV_FILTER_HAMMING
} LvFilter;

/* The value of byte p of channel c: ((float)(p * scale) - mean[c]) / std[c], the product in
 * float64, the rest in float32. */
typedef struct LvPixelValues {
    double scale;
    float mean[3], std[3];
} LvPixelValues;

/* (p - 127.5) / 127.5: what the released files say. */
#define LV_PIXEL_VALUES_RELEASED                                                                   \
    {                                                                                              \
        1, {127.5f, 127.5f, 127.5f},                                                               \
        {                                                                                          \
            127.5f, 127.5f, 127.5f                                                                 \
        }                                                                                          \
    }

/* Whether image_mean gives a colour to pad with. In the reference one number for all channels gives
 * none, for any picture; a list of one gives none where it is needed. */
typedef enum LvPadding { LV_PADDING_ALWAYS, LV_PADDING_SQUARES, LV_PADDING_NEVER } LvPadding;

/* Pictures of one kind (image or video). */
typedef struct LvPreprocess {
    LvFilter filter;                  /* resample */
    bool resize;                      /* do_resize */
    uint32_t height, width;           /* size; 0: shortest_edge counts */
    uint32_t shortest_edge;           /* size: the aspect is kept */
    uint32_t crop_height, crop_width; /* of a crop from the centre after the resize; 0: none */
    /* Edge of the tiles of an any-resolution picture: crop_size's height, else size's. */
    uint32_t tile;
    LvPixelValues values;
    uint8_t pad[3]; /* colour around a picture that is padded to a square */
    LvPadding padding;
    /* image_grid_pinpoints of the processor, [height, width], owned; NULL: the model's. */
    uint32_t (*pinpoints)[2];
    uint32_t n_pinpoints;
    bool no_pinpoints; /* null: no picture can be cut into tiles */
    /* Why pictures of this kind cannot be prepared, and the field responsible; empty if they
     * can. */
    LvRefusal refusal;
} LvPreprocess;

/* To tiles of this edge, with the released filter and values. */
#define LV_PREPROCESS_RELEASED(size)                                                               \
    {                                                                                              \
        .filter = LV_FILTER_BICUBIC, .resize = true, .height = (size), .width = (size),            \
        .tile = (size), .values = LV_PIXEL_VALUES_RELEASED, .pad = {                               \
            127,                                                                                   \
            127,                                                                                   \
            127                                                                                    \
        }                                                                                          \
    }

/* How the reference's processor counts placeholders; the count must agree with what the model
 * produces. */
typedef struct LvPlaceholderCount {
    bool read;               /* there is such a file; otherwise the model's own count is used */
    uint32_t n_image_tokens; /* of one tile; 0: not given, and no picture can be counted */
    uint32_t anyres_max;     /* as LvConfig's */
    char aspect_ratio[32];
    bool drop_first;
} LvPlaceholderCount;

#endif
