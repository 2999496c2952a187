/* SPDX-License-Identifier: Apache-2.0
 * The register tile of int8 products: up to INT8_TILE lines (rows of int8) by two registers of sums,
 * which are two panels' or, where a register is half a panel, one panel's halves.
 *
 * Rows at or above ROWS, and the second register when WIDTH is 1, vanish at compile time. */
#ifndef LV_INT8_TILE_H
#define LV_INT8_TILE_H

#include "int8.h"

/* Where sums of a line of a tile stand: those of one panel, then those of another. */
#define BOTH (2 * LV_INT8_PANEL)

typedef struct Int8Tile {
    size_t lines, quads;
    const char *in;
    size_t stride;             /* bytes from line to line */
    const int8_t *numbers[2];  /* panels; the second may be NULL */
    const int32_t *offsets[2]; /* of their outputs */
    int32_t *sums;             /* [lines][BOTH] */
} Int8Tile;

typedef struct Int8Part {
    const int8_t *numbers[2];
    const int32_t *offsets[2];
    int32_t *sums[2];
} Int8Part;

/* Three lines have one pointer, and the stride in another register. */
#define INT8_DECLARE(r) Int8Sums c##r##0 = start0, c##r##1 = start1;
#define INT8_STEP(r)                                                                               \
    if (r < ROWS) {                                                                                \
        const Int8Lanes x = broadcast(at[r / 3] + r % 3 * stride);                                 \
        c##r##0 = step(c##r##0, x, w0);                                                            \
        if (WIDTH > 1)                                                                             \
            c##r##1 = step(c##r##1, x, w1);                                                        \
    }
#define INT8_STORE(r)                                                                              \
    if (r < ROWS) {                                                                                \
        store_sums(part->sums[0] + r * BOTH, c##r##0);                                             \
        if (WIDTH > 1)                                                                             \
            store_sums(part->sums[1] + r * BOTH, c##r##1);                                         \
    }

static inline __attribute__((always_inline)) void int8_tile_as(
    const int ROWS, const int WIDTH, const Int8Tile *t, const Int8Part *part)
{
    const size_t stride = t->stride;
    const char *at[4] = {t->in, t->in + 3 * stride, t->in + 6 * stride, t->in + 9 * stride};
    const int8_t *first = part->numbers[0], *second = part->numbers[1];
    const Int8Sums start0 = start_sums(part->offsets[0]),
                   start1 = WIDTH > 1 ? start_sums(part->offsets[1]) : start0;
    INT8_ROWS_LIST(INT8_DECLARE)
    for (size_t quad = 0; quad < t->quads; quad++) {
        const Int8Weights w0 = load_quad(first), w1 = WIDTH > 1 ? load_quad(second) : w0;
        INT8_ROWS_LIST(INT8_STEP)
        for (int i = 0; i < 4; i++)
            at[i] += 4 * sizeof(Int8Lane);
        first += 4 * LV_INT8_PANEL;
        second += 4 * LV_INT8_PANEL;
    }
    INT8_ROWS_LIST(INT8_STORE)
}

#define INT8_DEFINE(r)                                                                             \
    static void int8_one_##r(const Int8Tile *t, const Int8Part *part)                              \
    {                                                                                              \
        int8_tile_as(r + 1, 1, t, part);                                                           \
    }                                                                                              \
    static void int8_two_##r(const Int8Tile *t, const Int8Part *part)                              \
    {                                                                                              \
        int8_tile_as(r + 1, 2, t, part);                                                           \
    }
INT8_ROWS_LIST(INT8_DEFINE)

#define INT8_ONE(r) int8_one_##r,
#define INT8_TWO(r) int8_two_##r,
/* [registers - 1][lines - 1] */
static void (*const int8_tiles[2][INT8_TILE])(const Int8Tile *, const Int8Part *) = {
    {INT8_ROWS_LIST(INT8_ONE)}, {INT8_ROWS_LIST(INT8_TWO)}};

static void int8_tile(const Int8Tile *t)
{
#if SUMS == 16 /* LV_INT8_PANEL */
    const Int8Part part = {{t->numbers[0], t->numbers[1]}, {t->offsets[0], t->offsets[1]},
        {t->sums, t->sums + LV_INT8_PANEL}};
    int8_tiles[t->numbers[1] != NULL][t->lines - 1](t, &part);
#else
    for (int panel = 0; panel < 2 && t->numbers[panel]; panel++)
        for (size_t o = 0; o < LV_INT8_PANEL; o += 2 * SUMS) {
            const int8_t *numbers = t->numbers[panel] + o * 4;
            const int32_t *offsets = t->offsets[panel] + o;
            int32_t *sums = t->sums + panel * LV_INT8_PANEL + o;
            const Int8Part part = {
                {numbers, numbers + SUMS * 4}, {offsets, offsets + SUMS}, {sums, sums + SUMS}};
            int8_tiles[1][t->lines - 1](t, &part);
        }
#endif
}

#endif
