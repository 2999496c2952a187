/* SPDX-License-Identifier: Apache-2.0
 * The arithmetic of any-resolution pictures (model.md 3.5 to 3.7): every product is an IEEE double
 * in the reference's order. Pure functions; thread-safe. */
#ifndef LV_ANYRES_H
#define LV_ANYRES_H

#include <stdbool.h>
#include <stdint.h>

/* How one picture is cut into tiles and its features become a token sequence (single-image
 * layout). */
typedef struct LvAnyresPlan {
    uint32_t best_height, best_width;       /* the chosen pinpoint */
    uint32_t grid_rows, grid_cols;          /* tiles: best / image_size */
    uint32_t resized_height, resized_width; /* picture inside the canvas, aspect kept */
    uint32_t pad_top, pad_left;             /* black border before it; the remainder is after it */
    uint32_t n_tiles;                       /* 1 base + grid_rows * grid_cols; 1: no grid */
    uint32_t crop_top, crop_left;     /* unpadding: first kept row and column of the feature map */
    uint32_t crop_height, crop_width; /* feature map after unpadding */
    uint32_t map_height, map_width;   /* after shrinking (equal to crop_* when not shrunk) */
    uint32_t n_tokens;                /* grid^2 + map_height * (map_width + 1) where unpadded */
} LvAnyresPlan;

/* best_*: the pinpoint that keeps most of the picture's pixels, then wastes the least of the
 * canvas; the first of equals. pinpoints: [height, width]. */
void lv_anyres_choose(
    uint32_t (*const pinpoints)[2], uint32_t n, double width, double height, LvAnyresPlan *plan);

/* resized_* and pad_*: the picture inside the chosen canvas. */
void lv_anyres_place(uint32_t width, uint32_t height, LvAnyresPlan *plan);

/* crop_*: drops rows or columns of the feature map that lie wholly outside the picture; half of an
 * odd excess stays. rounded: the size inside is rounded to seven digits before it is truncated to
 * an integer, as transformers does and LLaVA-NeXT does not. */
void lv_anyres_unpad(uint32_t grid, double width, double height, bool rounded, LvAnyresPlan *plan);

/* map_*: the unpadded map, shrunk to about anyres_max tiles' worth of tokens if it has more. */
void lv_anyres_shrink(uint32_t grid, uint32_t anyres_max, LvAnyresPlan *plan);

#endif
