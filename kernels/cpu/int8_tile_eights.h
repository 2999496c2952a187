/* SPDX-License-Identifier: Apache-2.0
 * In place of int8_tile.h, for instructions that want two quads of k at a time: units of INT8_UNIT lines (rows of
 * int8) by eight outputs. The int8_vec_*.h gives
 *
 *     INT8_TILE, INT8_UNITS, INT8_UNITS_LIST(M)  lines of a tile, an even number, and units
 *     Int8Lanes, load_lanes           eight activations of each line of a unit; when half, four, then zeros
 *     Int8Weights, load_weights_of    eight weights, or four, then zeros, of each of four outputs
 *     Int8Sums, step, store_sums      sums of a unit and four outputs, all of them zero at first
 *
 * Units at or above N_UNITS vanish at compile time. */
#ifndef LV_INT8_TILE_H
#define LV_INT8_TILE_H

#include "int8.h"

_Static_assert(INT8_TILE == INT8_UNITS * INT8_UNIT, "int8_tile_eights.h");

/* Where sums of a line of a tile stand: those of one panel, then those of another. */
#define BOTH (2 * LV_INT8_PANEL)

typedef struct Int8Tile {
    size_t lines, quads;
    const char *in;
    size_t stride;             /* bytes from line to line */
    const int8_t *numbers[2];  /* panels; the second may be NULL */
    const int32_t *offsets[2]; /* of their outputs */
    int32_t *sums;             /* [INT8_TILE][BOTH] */
} Int8Tile;

/* An odd last line is its unit's second one, too, whose sums nobody reads. */
#define INT8_DECLARE(u)                                                                            \
    Int8Sums c##u##0 = {vdupq_n_s32(0), vdupq_n_s32(0)}, c##u##1 = c##u##0;                        \
    const char *const at##u = t->in + (u < N_UNITS ? u * INT8_UNIT * t->stride : 0);               \
    const char *const next##u =                                                                    \
        u + 1 == N_UNITS && t->lines < (size_t)N_UNITS * INT8_UNIT ? at##u : at##u + t->stride;
#define INT8_STEP(u)                                                                               \
    if (u < N_UNITS) {                                                                             \
        const Int8Lanes x = load_lanes(at##u + k, next##u + k, half);                              \
        c##u##0 = step(c##u##0, x, w0);                                                            \
        c##u##1 = step(c##u##1, x, w1);                                                            \
    }
#define INT8_STORE(u)                                                                              \
    if (u < N_UNITS) {                                                                             \
        store_sums(sums + u * INT8_UNIT * BOTH, c##u##0);                                          \
        store_sums(sums + u * INT8_UNIT * BOTH + 4, c##u##1);                                      \
    }

static inline __attribute__((always_inline)) void int8_tile_as(
    const int N_UNITS, const Int8Tile *t, const int8_t *numbers, int32_t *sums)
{
    const size_t end = t->quads / 2 * 8;
    INT8_UNITS_LIST(INT8_DECLARE)
    size_t k = 0;
    for (; k < end; k += 8, numbers += 8 * LV_INT8_PANEL) {
        const bool half = false;
        const Int8Weights w0 = load_weights_of(numbers, half),
                          w1 = load_weights_of(numbers + 16, half);
        INT8_UNITS_LIST(INT8_STEP)
    }
    if (t->quads % 2) {
        const bool half = true;
        const Int8Weights w0 = load_weights_of(numbers, half),
                          w1 = load_weights_of(numbers + 16, half);
        INT8_UNITS_LIST(INT8_STEP)
    }
    INT8_UNITS_LIST(INT8_STORE)
}

#define INT8_DEFINE(u)                                                                             \
    static void int8_units_##u(const Int8Tile *t, const int8_t *numbers, int32_t *sums)            \
    {                                                                                              \
        int8_tile_as(u + 1, t, numbers, sums);                                                     \
    }
INT8_UNITS_LIST(INT8_DEFINE)

static void int8_tile(const Int8Tile *t)
{
#define INT8_ENTRY(u) int8_units_##u,
    static void (*const tiles[INT8_UNITS])(const Int8Tile *, const int8_t *, int32_t *) = {
        INT8_UNITS_LIST(INT8_ENTRY)};
    for (size_t panel = 0; panel < 2 && t->numbers[panel]; panel++)
        for (size_t o = 0; o < LV_INT8_PANEL; o += 8)
            tiles[(t->lines + INT8_UNIT - 1) / INT8_UNIT - 1](
                t, t->numbers[panel] + o * 4, t->sums + panel * LV_INT8_PANEL + o);
}

#endif
