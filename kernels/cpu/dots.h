/* SPDX-License-Identifier: Apache-2.0
 * Many rows in the bits of few (few.h): register tiles instead of dot products.
 *
 * A dot product is VEC chains, chain j over k = j, j + VEC, ..., and then the tree of vf_sum, which
 * adds chain j + h to chain j for h = VEC / 2, ..., 2, 1. Here a tile of rows and outputs is
 * computed for each chain, and the VEC tiles are added by the same tree. */
#ifndef LV_DOTS_H
#define LV_DOTS_H

#include "cpu/linear.h"

#define TILE_FLOATS ((size_t)TILE_R * LANES)

/* Elements of a chain; those beyond a row's end are zeros. */
static inline size_t chain_steps(size_t inner)
{
    return (inner + VEC - 1) / VEC;
}

static void pack_dot_rows(float *dst, const float *src, size_t stride, size_t rows, size_t cols)
{
    const size_t steps = chain_steps(cols);
    for (size_t r = 0; r < rows; r += TILE_R)
        pack_row_panel_to(dst + r * VEC * steps, (PackPlaces){steps * TILE_R, TILE_R, true},
            src + r * stride, stride, at_most(rows - r, TILE_R), cols);
}

static void pack_dot_weights(float *dst, const LvMatrix *m, size_t first, size_t rows)
{
    const PackPlaces to = {chain_steps(m->cols) * LANES, LANES, true};
    pack_weights_to(dst, to, m, first, rows, 0, m->cols);
}

static size_t dots_scratch(size_t inner)
{
    return chain_steps(inner) * VEC * LANES + VEC / 2 * TILE_FLOATS;
}

/* sums[0] = the tile that is the tree's end; sums has VEC / 2 tiles. */
static void dot_tile(size_t steps, size_t rows, const float *in, const float *weights, float *sums)
{
    for (size_t chain = 0; chain < VEC; chain++)
        tiles[1][rows - 1](steps, in + chain * steps * TILE_R, weights + chain * steps * LANES,
            sums + chain % (VEC / 2) * TILE_FLOATS, LANES, chain >= VEC / 2);
    for (size_t half = VEC / 4; half > 0; half /= 2)
        for (size_t chain = 0; chain < half; chain++) {
            float *to = sums + chain * TILE_FLOATS;
            const float *from = to + half * TILE_FLOATS;
            for (size_t i = 0; i < rows * LANES; i += VEC)
                vf_store(to + i, vf_add(vf_load(to + i), vf_load(from + i)));
        }
}

static void linear_dots(const LvLinearArgs *l)
{
    const size_t steps = chain_steps(l->weight.cols), per_tile = l->up ? VEC : LANES;
    float *weights = l->scratch, *sums = l->scratch + steps * VEC * LANES;
    for (size_t c = 0; c < l->cols; c += per_tile) {
        const size_t rest = l->cols - c;
        pack_dot_weights(weights, &l->weight, l->first + c, at_most(rest, VEC));
        if (l->up)
            pack_dot_weights(weights + VEC, l->up, l->first + c, at_most(rest, VEC));
        else
            pack_dot_weights(weights + VEC, &l->weight, l->first + c + VEC,
                rest > VEC ? at_most(rest - VEC, VEC) : 0);
        for (size_t r = 0; r < l->rows; r += TILE_R) {
            const size_t rows = at_most(l->rows - r, TILE_R);
            dot_tile(steps, rows, l->in + r * VEC * steps, weights, sums);
            finish_tile(l, r, rows, c, sums, LANES);
        }
    }
}

#endif
