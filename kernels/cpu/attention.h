/* SPDX-License-Identifier: Apache-2.0
 * Attention of a kernel set. Scores are held transposed, [key][lane]: queries lie side by side in
 * registers, so maximum, exponential and sum run down the keys without any horizontal step, and the
 * scores of a block are at once the right-hand operand of the product with the values. Keys are
 * packed as rows of the first product (panels of TILE_R keys), values as rows of the second (panels
 * of TILE_R dimensions by all keys). */
#ifndef LV_ATTENTION_H
#define LV_ATTENTION_H

#include "cpu/functions.h"
#include "cpu/tile.h"

static void pack_queries(
    float *dst, const float *const *sources, uint32_t n_lanes, uint32_t head_dim, float scale)
{
    for (uint32_t i0 = 0; i0 < head_dim; i0 += VEC) {
        size_t n = at_most(head_dim - i0, VEC);
        for (uint32_t l0 = 0; l0 < LANES; l0 += VEC) {
            vf t[VEC];
            for (uint32_t l = 0; l < VEC; l++)
                t[l] = l0 + l >= n_lanes ? vf_set1(0)
                       : n == VEC        ? vf_load(sources[l0 + l] + i0)
                                         : vf_load_n(sources[l0 + l] + i0, n);
            vf_transpose(t);
            for (size_t i = 0; i < n; i++)
                vf_store(dst + (i0 + i) * LANES + l0, vf_mul(t[i], vf_set1(scale)));
        }
    }
}

static size_t key_panel_size(size_t capacity, uint32_t head_dim)
{
    return capacity * head_dim;
}

static size_t value_panel_size(size_t capacity, uint32_t head_dim)
{
    return capacity * ((head_dim + TILE_R - 1) / TILE_R * TILE_R);
}

/* Key k, dimension i lies at panel k / TILE_R, [i][k % TILE_R]. */
static void store_keys(float *panels, size_t capacity, size_t first_key, const float *src,
    size_t stride, size_t n, uint32_t head_dim)
{
    while (n) {
        float *panel = panels + first_key / TILE_R * TILE_R * head_dim;
        size_t column = first_key % TILE_R, take = at_most(n, TILE_R - column);
        if (take == TILE_R)
            pack_row_panel(panel, src, stride, TILE_R, head_dim);
        else
            for (size_t k = 0; k < take; k++)
                for (uint32_t i = 0; i < head_dim; i++)
                    panel[i * TILE_R + column + k] = src[k * stride + i];
        first_key += take;
        src += take * stride;
        n -= take;
    }
}

/* Key k, dimension i lies at panel i / TILE_R (capacity * TILE_R floats), [k][i % TILE_R]. */
static void store_values(float *panels, size_t capacity, size_t first_key, const float *src,
    size_t stride, size_t n, uint32_t head_dim)
{
    for (size_t k = 0; k < n; k++, src += stride)
        for (uint32_t i0 = 0; i0 < head_dim; i0 += TILE_R) {
            float *out = panels + i0 * capacity + (first_key + k) * TILE_R;
            for (uint32_t i = 0; i < TILE_R && i0 + i < head_dim; i++)
                out[i] = src[i0 + i];
        }
}

/* Keys at or beyond what a lane sees get -Inf. Only rows from the first lane's limit on can be
 * affected. */
static void mask_scores(const LvAttentionTile *t, size_t first, size_t n)
{
    for (size_t key = t->visible[0] > first ? t->visible[0] : first; key < first + n; key++)
        for (uint32_t lane = 0; lane < t->n_lanes && t->visible[lane] <= key; lane++)
            t->scores[(key - first) * LANES + lane] = -INFINITY;
}

/* scores <- e^(scores - max); max, sum and acc move on to the new maximum. */
static inline __attribute__((always_inline)) void soften(
    const int WIDTH, const LvAttentionTile *t, size_t n)
{
    float *scores = t->scores;
    vf old0 = vf_load(t->max), old1 = WIDTH > 1 ? vf_load(t->max + VEC) : old0, max0 = old0,
       max1 = old1;
    for (size_t k = 0; k < n; k++) {
        max0 = vf_max(vf_load(scores + k * LANES), max0);
        if (WIDTH > 1)
            max1 = vf_max(vf_load(scores + k * LANES + VEC), max1);
    }
    vf down0 = vf_exp(vf_sub(old0, max0)), down1 = vf_exp(vf_sub(old1, max1));
    vf sum0 = vf_mul(vf_load(t->sum), down0), sum1 = sum0;
    if (WIDTH > 1)
        sum1 = vf_mul(vf_load(t->sum + VEC), down1);
    for (size_t k = 0; k < n; k++) {
        vf p0 = vf_exp(vf_sub(vf_load(scores + k * LANES), max0));
        vf_store(scores + k * LANES, p0);
        sum0 = vf_add(sum0, p0);
        if (WIDTH > 1) {
            vf p1 = vf_exp(vf_sub(vf_load(scores + k * LANES + VEC), max1));
            vf_store(scores + k * LANES + VEC, p1);
            sum1 = vf_add(sum1, p1);
        }
    }
    vf_store(t->max, max0);
    vf_store(t->sum, sum0);
    if (WIDTH > 1) {
        vf_store(t->max + VEC, max1);
        vf_store(t->sum + VEC, sum1);
    }
    for (uint32_t i = 0; i < t->head_dim; i++) {
        float *acc = t->acc + (size_t)i * LANES;
        vf_store(acc, vf_mul(vf_load(acc), down0));
        if (WIDTH > 1)
            vf_store(acc + VEC, vf_mul(vf_load(acc + VEC), down1));
    }
}

static void attention_tile(const LvAttentionTile *t)
{
    int width = t->n_lanes > VEC ? 2 : 1;
    const TileFunction *tile_of = tiles[width - 1];
    for (size_t done = 0; done < t->n_keys; done += LV_KEY_BLOCK) {
        size_t first = t->first_key + done, n = at_most(t->n_keys - done, LV_KEY_BLOCK);
        for (size_t k = 0; k < n; k += TILE_R)
            tile_of[at_most(n - k, TILE_R) - 1](t->head_dim, t->keys + (first + k) * t->head_dim,
                t->queries, t->scores + k * LANES, LANES, false);
        if (t->visible && t->n_lanes && t->visible[0] < first + n)
            mask_scores(t, first, n);
        if (width == 1)
            soften(1, t, n);
        else
            soften(2, t, n);
        for (uint32_t i = 0; i < t->head_dim; i += TILE_R)
            tile_of[at_most(t->head_dim - i, TILE_R) - 1](n,
                t->values + i * t->capacity + first * TILE_R, t->scores, t->acc + (size_t)i * LANES,
                LANES, true);
    }
}

static void attention_store(float *const *destinations, const float *acc, const float *sum,
    uint32_t n_lanes, uint32_t head_dim)
{
    for (uint32_t l0 = 0; l0 < n_lanes; l0 += VEC) {
        vf factor = vf_div(vf_set1(1.0f), vf_load(sum + l0));
        for (uint32_t i0 = 0; i0 < head_dim; i0 += VEC) {
            size_t n = at_most(head_dim - i0, VEC);
            vf t[VEC];
            for (size_t i = 0; i < VEC; i++)
                t[i] = i < n ? vf_mul(vf_load(acc + (i0 + i) * LANES + l0), factor) : vf_set1(0);
            vf_transpose(t);
            for (uint32_t l = 0; l < VEC && l0 + l < n_lanes; l++) {
                if (n == VEC)
                    vf_store(destinations[l0 + l] + i0, t[l]);
                else
                    vf_store_n(destinations[l0 + l] + i0, t[l], n);
            }
        }
    }
}

#endif
