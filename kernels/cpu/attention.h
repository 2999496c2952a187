/* SPDX-License-Identifier: Apache-2.0
 * Attention of a kernel set. Scores are held transposed, [key][lane]: queries lie side by side in
 * registers, so maximum, exponential and sum run down the keys without any horizontal step, and the
 * scores of a block are at once the right-hand operand of the product with the values. Keys are
 * packed as rows of the first product (panels of TILE_R keys), values as rows of the second (panels
 * of TILE_R dimensions by all keys). */
#ifndef LV_ATTENTION_H
#define LV_ATTENTION_H

#include <float.h>

#include "cpu/functions.h"
#include "cpu/tile.h"
#include "float16.h"

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
static void store_float_keys(
    float *panels, size_t first_key, const float *src, size_t stride, size_t n, uint32_t head_dim)
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

static void store_keys(void *panels, LvDtype held, size_t capacity, size_t first_key,
    const float *src, size_t stride, size_t n, uint32_t head_dim)
{
    if (held != LV_F16) {
        store_float_keys(panels, first_key, src, stride, n, head_dim);
        return;
    }
    for (size_t k = first_key; k < first_key + n; k++, src += stride) {
        uint16_t *out = (uint16_t *)panels + k / TILE_R * TILE_R * head_dim + k % TILE_R;
        for (uint32_t i = 0; i < head_dim; i++)
            out[i * TILE_R] = lv_float16_near(src[i]);
    }
}

/* Key k, dimension i lies at panel i / TILE_R (capacity * TILE_R numbers), [k][i % TILE_R]. */
static void store_values(void *panels, LvDtype held, size_t capacity, size_t first_key,
    const float *src, size_t stride, size_t n, uint32_t head_dim)
{
    for (size_t k = 0; k < n; k++, src += stride)
        for (uint32_t i0 = 0; i0 < head_dim; i0 += TILE_R) {
            const size_t at = i0 * capacity + (first_key + k) * TILE_R,
                         some = at_most(head_dim - i0, TILE_R);
            if (held == LV_F16)
                for (uint32_t i = 0; i < some; i++)
                    ((uint16_t *)panels)[at + i] = lv_float16_near(src[i0 + i]);
            else
                for (uint32_t i = 0; i < some; i++)
                    ((float *)panels)[at + i] = src[i0 + i];
        }
}

static void copy_keys(void *dst, size_t dst_capacity, const void *src, LvDtype held,
    size_t src_capacity, size_t n, uint32_t head_dim)
{
    const size_t panels = (n + TILE_R - 1) / TILE_R;
    memcpy(dst, src, panels * TILE_R * head_dim * lv_dtype_bytes(held));
}

static void copy_values(void *dst, size_t dst_capacity, const void *src, LvDtype held,
    size_t src_capacity, size_t n, uint32_t head_dim)
{
    const size_t bytes = lv_dtype_bytes(held);
    for (uint32_t i = 0; i < head_dim; i += TILE_R)
        memcpy((char *)dst + i * dst_capacity * bytes, (const char *)src + i * src_capacity * bytes,
            n * TILE_R * bytes);
}

/* n numbers of panels from `at` on as floats: where they are, or in `room`, which has VEC - 1 more. */
static inline const float *held_floats(
    LvDtype held, const void *panels, size_t at, size_t n, float *room)
{
    if (held != LV_F16)
        return (const float *)panels + at;
    const uint16_t *halves = (const uint16_t *)panels + at;
    size_t k = 0;
    for (; k + VEC <= n; k += VEC)
        vf_store(room + k, vf_load_any_f16(halves + k));
    if (k < n) {
        uint16_t rest[VEC] = {0};
        memcpy(rest, halves + k, (n - k) * sizeof *rest);
        vf_store(room + k, vf_load_any_f16(rest));
    }
    return room;
}

/* Keys that a lane does not see get -Inf. Only rows from the first lane's limit on, and with a
 * window those below the last lane's first key, can be affected. */
static void mask_scores(const LvAttentionTile *t, size_t n)
{
    size_t first = t->first_key, end = first + n;
    for (size_t key = t->visible[0] > first ? t->visible[0] : first; key < end; key++)
        for (uint32_t lane = 0; lane < t->n_lanes && t->visible[lane] <= key; lane++)
            t->scores[(key - first) * LANES + lane] = -INFINITY;
    if (!t->window)
        return;
    uint32_t last = t->visible[t->n_lanes - 1];
    for (size_t key = first; key < end && key + t->window < last; key++)
        for (uint32_t lane = t->n_lanes; lane-- && key + t->window < t->visible[lane];)
            t->scores[(key - first) * LANES + lane] = -INFINITY;
}

/* The maximum of each lane's scores. */
static inline __attribute__((always_inline)) void find_max(
    const int WIDTH, const LvAttentionTile *t, size_t n)
{
    const float *scores = t->scores;
    vf max0 = vf_set1(-FLT_MAX), max1 = max0;
    for (size_t k = 0; k < n; k++, scores += LANES) {
        max0 = vf_max(vf_load(scores), max0);
        if (WIDTH > 1)
            max1 = vf_max(vf_load(scores + VEC), max1);
    }
    vf_store(t->state.max, max0);
    vf_store(t->state.max + VEC, max1);
}

/* scores <- e^(scores - max) of n keys, whose sum, from zero, is added to the state's. */
static inline __attribute__((always_inline)) void soften(
    const int WIDTH, const LvAttentionTile *t, float *scores, size_t n)
{
    vf max0 = vf_load(t->state.max), max1 = vf_load(t->state.max + VEC), sum0 = vf_set1(0),
       sum1 = sum0;
    for (size_t k = 0; k < n; k++, scores += LANES) {
        vf p0 = vf_exp(vf_sub(vf_load(scores), max0));
        vf_store(scores, p0);
        sum0 = vf_add(sum0, p0);
        if (WIDTH > 1) {
            vf p1 = vf_exp(vf_sub(vf_load(scores + VEC), max1));
            vf_store(scores + VEC, p1);
            sum1 = vf_add(sum1, p1);
        }
    }
    vf_store(t->state.sum, vf_add(vf_load(t->state.sum), sum0));
    vf_store(t->state.sum + VEC, vf_add(vf_load(t->state.sum + VEC), sum1));
}

/* Chains of additions: no longer than PART_KEYS, then one link a part of the block. */
#define PART_KEYS 256

static void attention_tile(const LvAttentionTile *t)
{
    _Alignas(64) float
        room[TILE_R * (LV_MAX_KERNEL_HEAD_DIM > PART_KEYS ? LV_MAX_KERNEL_HEAD_DIM : PART_KEYS) +
             VEC];
    int width = t->n_lanes > VEC ? 2 : 1;
    const TileFunction *tile_of = tiles[width - 1];
    size_t n = t->n_keys;
    for (size_t k = 0; k < n; k += TILE_R)
        tile_of[at_most(n - k, TILE_R) - 1](t->head_dim,
            held_floats(t->held, t->keys, (t->first_key + k) * t->head_dim,
                (size_t)TILE_R * t->head_dim, room),
            t->queries, t->scores + k * LANES, LANES, false);
    if (t->visible && t->n_lanes)
        mask_scores(t, n);
    if (width == 1)
        find_max(1, t, n);
    else
        find_max(2, t, n);
    memset(t->state.sum, 0, LANES * sizeof *t->state.sum);
    if (!n)
        memset(t->state.acc, 0, (size_t)LANES * t->head_dim * sizeof *t->state.acc);
    for (size_t k = 0; k < n; k += PART_KEYS) {
        size_t part = at_most(n - k, PART_KEYS);
        float *scores = t->scores + k * LANES;
        if (width == 1)
            soften(1, t, scores, part);
        else
            soften(2, t, scores, part);
        for (uint32_t i = 0; i < t->head_dim; i += TILE_R)
            tile_of[at_most(t->head_dim - i, TILE_R) - 1](part,
                held_floats(t->held, t->values, i * t->capacity + (t->first_key + k) * TILE_R,
                    part * TILE_R, room),
                scores, t->state.acc + (size_t)i * LANES, LANES, k > 0);
    }
}

static void attention_join(const LvAttentionState *state, const LvAttentionState *other,
    uint32_t n_lanes, uint32_t head_dim)
{
    for (uint32_t l = 0; l < n_lanes; l += VEC) {
        vf a = vf_load(state->max + l), b = vf_load(other->max + l), best = vf_max(a, b);
        vf mine = vf_exp(vf_sub(a, best)), theirs = vf_exp(vf_sub(b, best));
        vf sum = vf_mul(vf_load(state->sum + l), mine);
        vf_store(state->max + l, best);
        vf_store(state->sum + l, vf_fma(vf_load(other->sum + l), theirs, sum));
        for (size_t i = 0; i < head_dim; i++) {
            vf acc = vf_mul(vf_load(state->acc + i * LANES + l), mine);
            acc = vf_fma(vf_load(other->acc + i * LANES + l), theirs, acc);
            vf_store(state->acc + i * LANES + l, acc);
        }
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
