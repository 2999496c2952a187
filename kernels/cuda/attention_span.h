/* SPDX-License-Identifier: Apache-2.0
 * Shared by the two attention kernels (attention_tensor.cu for bf16 on tensor cores,
 * attention_plain.cu for everything else): how a block finds its queries and keys. */
#ifndef LV_CUDA_ATTENTION_SPAN_H
#define LV_CUDA_ATTENTION_SPAN_H

#include "element.h"
#include "launcher.h"

#define LOG2_E 1.4426950408889634f

/* Queries and keys of one head, and where results go. Query i sees keys first_key <= key <
 * end_key, and if causal only those <= position + i. */
template <typename T> struct Span {
    const T *queries;
    size_t query_stride;
    uint32_t n_queries;
    const T *keys, *values; /* from key 0 on */
    size_t key_stride;
    uint32_t first_key, end_key;
    bool causal;
    uint32_t position;
    T *out; /* where partial is NULL: query i's head_dim results */
    size_t out_stride;
    float *partial; /* query i's head_dim sums, greatest score (times log2 e), sum of weights */
    size_t partial_stride;
};

/* The end of the keys that query i sees. */
template <typename T> LV_INLINE uint32_t visible_end(const Span<T> &s, uint32_t i)
{
    uint32_t end = s.position + i + 1;
    return s.causal && end < s.end_key ? end : s.end_key;
}

/* ---- from a block to its span; false: nothing to do ---- */

template <typename T>
LV_INLINE bool find_span(const LvCudaAttentionFull &a, uint32_t tile_rows, Span<T> *s)
{
    uint32_t tiles = (uint32_t)((a.n_tokens + tile_rows - 1) / tile_rows);
    uint32_t tile = blockIdx.x % tiles, head = blockIdx.x / tiles % a.n_heads;
    size_t item = blockIdx.x / tiles / a.n_heads, width = (size_t)a.n_heads * a.head_dim;
    uint32_t first = tile * tile_rows, n = (uint32_t)a.n_tokens;
    const T *rows = (const T *)a.qkv + item * a.n_tokens * a.qkv_stride + (size_t)head * a.head_dim;
    s->queries = rows + first * a.qkv_stride;
    s->query_stride = s->key_stride = a.qkv_stride;
    s->n_queries = n - first < tile_rows ? n - first : tile_rows;
    s->keys = rows + width;
    s->values = rows + 2 * width;
    s->first_key = 0;
    s->end_key = n;
    s->causal = false;
    s->position = 0;
    s->out = (T *)a.out + (item * a.n_tokens + first) * a.out_stride + (size_t)head * a.head_dim;
    s->out_stride = a.out_stride;
    s->partial = NULL;
    s->partial_stride = 0;
    return true;
}

template <typename T>
LV_INLINE void find_cache(
    const LvCudaBatch &b, const LvCudaSequence &sequence, uint32_t kv_head, Span<T> *s)
{
    size_t head_size = (size_t)sequence.capacity * b.head_dim;
    const T *layer = (const T *)sequence.cache + (size_t)b.layer * 2 * b.n_kv_heads * head_size;
    s->keys = layer + kv_head * head_size;
    s->values = s->keys + b.n_kv_heads * head_size;
    s->key_stride = b.head_dim;
}

/* The rows from `first` on, tile_rows at most. Blocks: heads, whose groups share keys; tiles of
 * queries; sequences. */
template <typename T>
LV_INLINE bool find_rows(const LvCudaPrefill &a, uint32_t first, uint32_t tile_rows, Span<T> *s)
{
    const LvCudaBatch &b = a.batch;
    LvCudaSequence sequence = b.sequences[blockIdx.z];
    uint32_t head = blockIdx.x;
    if (first >= sequence.n_rows)
        return false;
    uint32_t left = sequence.n_rows - first;
    find_cache(b, sequence, head / (b.n_heads / b.n_kv_heads), s);
    size_t row = (size_t)sequence.first_row + first, col = (size_t)head * b.head_dim;
    s->queries = (const T *)a.qkv + row * a.qkv_stride + col;
    s->query_stride = a.qkv_stride;
    s->n_queries = left < tile_rows ? left : tile_rows;
    s->position = sequence.position + first;
    s->first_key = 0;
    s->end_key = s->position + s->n_queries;
    s->causal = true;
    s->out = (T *)a.out + row * a.out_stride + col;
    s->out_stride = a.out_stride;
    s->partial = NULL;
    s->partial_stride = 0;
    return true;
}

/* The last tiles first, since they have the most keys. */
template <typename T>
LV_INLINE bool find_span(const LvCudaPrefill &a, uint32_t tile_rows, Span<T> *s)
{
    return find_rows(a, (gridDim.y - 1 - blockIdx.y) * tile_rows, tile_rows, s);
}

LV_INLINE uint32_t split_keys(const LvCudaDecode &a)
{
    return a.keys_at ? lv_load_fresh(a.keys_at) : a.keys_per_split;
}

/* Blocks: splits; tiles of a kv head's queries; sequences. The queries of a kv head are the heads
 * of its group, which share every key and value. */
template <typename T>
LV_INLINE bool find_span(const LvCudaDecode &a, uint32_t tile_rows, Span<T> *s)
{
    const LvCudaBatch &b = a.batch;
    LvCudaSequence sequence = b.sequences[blockIdx.z];
    if (sequence.n_rows == 0)
        return false;
    uint32_t group = b.n_heads / b.n_kv_heads, tiles = (group + tile_rows - 1) / tile_rows;
    uint32_t kv_head = blockIdx.y / tiles, first = blockIdx.y % tiles * tile_rows;
    uint32_t n_keys = sequence.position + 1, split = blockIdx.x, keys = split_keys(a);
    find_cache(b, sequence, kv_head, s);
    uint32_t head = kv_head * group + first;
    s->queries = (const T *)a.qkv + sequence.first_row * a.qkv_stride + (size_t)head * b.head_dim;
    s->query_stride = b.head_dim;
    s->n_queries = group - first < tile_rows ? group - first : tile_rows;
    s->causal = false;
    s->position = 0;
    s->first_key = split * keys;
    s->end_key = n_keys < s->first_key + keys ? n_keys : s->first_key + keys;
    s->out = NULL;
    s->out_stride = 0;
    s->partial_stride = (size_t)a.n_splits * (b.head_dim + 2);
    s->partial = a.workspace + ((size_t)blockIdx.z * b.n_heads + head) * s->partial_stride +
                 (size_t)split * (b.head_dim + 2);
    return s->first_key < n_keys;
}

/* ---- how many blocks ---- */

static inline uint64_t count_tiles(uint64_t rows, uint32_t tile_rows)
{
    return (rows + tile_rows - 1) / tile_rows;
}

static inline uint64_t count_spans(const LvCudaAttentionFull &a, uint32_t tile_rows)
{
    return count_tiles(a.n_tokens, tile_rows) * a.n_heads * a.n_items;
}

static inline uint64_t count_spans(const LvCudaPrefill &a, uint32_t tile_rows)
{
    return count_tiles(a.max_rows, tile_rows) * a.batch.n_heads * a.batch.n_sequences;
}

static inline int launch_spans(void (*kernel)(const LvCudaAttentionFull), uint32_t tile_rows,
    unsigned threads, size_t shared, LvCudaStream stream, const LvCudaAttentionFull &a)
{
    return lv_launch_overlapped(
        kernel, count_spans(a, tile_rows), 1, 1, threads, shared, stream, a);
}

static inline int launch_spans(void (*kernel)(const LvCudaPrefill), uint32_t tile_rows,
    unsigned threads, size_t shared, LvCudaStream stream, const LvCudaPrefill &a)
{
    return lv_launch(kernel, a.batch.n_heads, count_tiles(a.max_rows, tile_rows),
        a.batch.n_sequences, threads, shared, stream, a);
}

static inline int launch_spans(void (*kernel)(const LvCudaDecode), uint32_t tile_rows,
    unsigned threads, size_t shared, LvCudaStream stream, const LvCudaDecode &a)
{
    uint64_t group = a.batch.n_heads / a.batch.n_kv_heads;
    uint64_t tiles = count_tiles(group, tile_rows) * a.batch.n_kv_heads;
    return lv_launch(kernel, a.n_splits, tiles, a.batch.n_sequences, threads, shared, stream, a);
}

/* ---- the families; LV_CUDA_BAD_ARGUMENT where they have no kernel ---- */

int lv_attention_tensor(LvCudaStream stream, const LvCudaAttentionFull &args);
int lv_attention_tensor(LvCudaStream stream, const LvCudaPrefill &args);
int lv_attention_wgmma(LvCudaStream stream, const LvCudaAttentionFull &args);
int lv_attention_wgmma(LvCudaStream stream, const LvCudaPrefill &args);
int lv_attention_plain(LvCudaStream stream, const LvCudaAttentionFull &args);
int lv_attention_plain(LvCudaStream stream, const LvCudaPrefill &args);
int lv_attention_plain(LvCudaStream stream, const LvCudaDecode &args);

/* The second kernel of decoding (attention_join.cu): from the workspace to out. */
int lv_attention_join(LvCudaStream stream, const LvCudaDecode &args);

#endif
