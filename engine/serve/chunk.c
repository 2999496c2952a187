/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/chunk.h"

#include "serve/engine.h"

#define ROW_STEP 256u

/* Operations are counted as two a multiply-add, and only those of products and of attention. */

/* Of one row in all layers, with so many keys before it. */
static double row_flops(const LvTextConfig *t, uint32_t position)
{
    const double hidden = t->hidden_size, queries = (double)t->n_heads * t->head_dim,
                 keys = (double)t->n_kv_heads * t->head_dim;
    const double weights = hidden * (2 * queries + 2 * keys + 3.0 * t->intermediate_size);
    return t->n_layers * (2 * weights + 4 * queries * position);
}

static double tile_flops(const LvVisionConfig *v)
{
    const double rows = (double)v->grid * v->grid, width = (double)v->n_heads * v->head_dim;
    const double weights = v->hidden_size * (4 * width + 2.0 * v->intermediate_size);
    return v->n_layers_run * rows * (2 * weights + 4 * width * rows);
}

size_t lv_chunk_rows(const LvBackendInfo *info, const LvTextConfig *text, uint32_t position,
    size_t left, bool bounded)
{
    size_t most = info->preferred_rows ? info->preferred_rows : left;
    if (bounded && info->slice_flops > 0) {
        const double wanted = info->slice_flops / row_flops(text, position);
        size_t rows = wanted < (double)most ? (size_t)wanted / ROW_STEP * ROW_STEP : most;
        rows = rows < ROW_STEP ? ROW_STEP : rows;
        if (left <= rows + rows / 4)
            rows = left;
        most = rows < most ? rows : most;
    }
    return most < left ? most : left;
}

uint32_t lv_chunk_most_tiles(const LvBackendInfo *info)
{
    const uint32_t most = info->preferred_tiles ? info->preferred_tiles : 1;
    return most < LV_MAX_SLICE_TILES ? most : LV_MAX_SLICE_TILES;
}

size_t lv_chunk_most_requests(const LvBackendInfo *info)
{
    const uint32_t n = info->preferred_sequences;
    return n == 0 ? 1 : n < LV_MAX_SLICE_REQUESTS ? n : LV_MAX_SLICE_REQUESTS;
}

uint32_t lv_chunk_tiles(
    const LvBackendInfo *info, const LvVisionConfig *vision, size_t sessions, bool bounded)
{
    uint32_t most = lv_chunk_most_tiles(info);
    if (bounded && info->slice_flops > 0) {
        const double fit = 1.5 * info->slice_flops / tile_flops(vision) + 0.5;
        const size_t beyond = sessions > most / 4 ? sessions - most / 4 : 0;
        const double tiles = (fit < 1 ? 1 : fit) + (double)beyond;
        most = tiles < (double)most ? (uint32_t)tiles : most;
    }
    return most;
}
