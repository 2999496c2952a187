/* SPDX-License-Identifier: Apache-2.0
 * What a block of attention_decode.cu works on, and how it comes into shared memory: tiles of the
 * cache, the queries, this step's key and value. */
#ifndef LV_CUDA_ATTENTION_DECODE_LOAD_H
#define LV_CUDA_ATTENTION_DECODE_LOAD_H

#include "attention_span.h"
#include "fragment.h"

#define DECODE_WARPS 4
#define DECODE_THREADS (DECODE_WARPS * LV_WARP)
#define KEYS 16 /* of a warp in a tile */
#define DECODE_TILE_KEYS (DECODE_WARPS * KEYS)
#define ROWS 16 /* queries of a block */

template <int D> struct Size {
    static const int stages = D < 128 ? 3 : 2; /* of a warp's tiles: as many bytes either way */
    static const int stride = D + 8; /* of a row in shared memory: an odd number of 16 bytes, so
                                        that 8 rows meet no bank twice */
    static const int tile = 2 * KEYS * stride; /* a warp's keys, then values */
    static const int pieces = D / 8;           /* of 16 bytes in a row */
    static const int halves = D / 16;          /* of 16 bytes in half a row */
    static const int result = D + 2;           /* sums, greatest score (times log2 e), weight */
    static const size_t copies =
        ((size_t)ROWS * stride + DECODE_WARPS * stages * tile) * sizeof(LvBf16);
    static const size_t results = (size_t)DECODE_WARPS * ROWS * result * sizeof(float);
    static const size_t shared = copies > results ? copies : results;
    static_assert(shared <= LV_SHARED_OF_ALL, "on any GPU");
};

/* ---- what a block works on ---- */

struct DecodeWork {
    const LvBf16 *queries;     /* the first head's; heads lie head_dim apart */
    const LvBf16 *key, *value; /* of this step */
    LvBf16 *keys, *values;     /* the cache's, from key 0 on */
    uint32_t n_queries, first_key, end_key, cached_end, position;
    bool stores; /* this step's key and value */
    float *results;
    size_t result_stride;
};

/* Blocks: splits; tiles of a kv head's queries; sequences. False: nothing to do. */
template <int D> LV_INLINE bool find_work(const LvCudaDecode &a, DecodeWork *w)
{
    const LvCudaBatch &b = a.batch;
    const LvCudaSequence sequence = lv_load_fresh(b.sequences + blockIdx.z);
    const uint32_t keys = split_keys(a), split = blockIdx.x;
    const uint32_t group = b.n_heads / b.n_kv_heads, tiles = (group + ROWS - 1) / ROWS;
    const uint32_t kv_head = blockIdx.y / tiles, first = blockIdx.y % tiles * ROWS;
    const uint32_t head = kv_head * group + first, n_keys = sequence.position + 1;
    const size_t head_size = (size_t)sequence.capacity * D;
    const LvBf16 *row = (const LvBf16 *)a.qkv + sequence.first_row * a.qkv_stride;
    w->queries = row + (size_t)head * D;
    w->key = row + (size_t)(b.n_heads + kv_head) * D;
    w->value = w->key + (size_t)b.n_kv_heads * D;
    w->keys = (LvBf16 *)sequence.cache + ((size_t)b.layer * 2 * b.n_kv_heads + kv_head) * head_size;
    w->values = w->keys + b.n_kv_heads * head_size;
    w->n_queries = group - first < ROWS ? group - first : ROWS;
    w->position = sequence.position;
    w->first_key = split * keys;
    w->end_key = n_keys - w->first_key < keys ? n_keys : w->first_key + keys;
    w->cached_end = a.rope && w->end_key == n_keys ? w->end_key - 1 : w->end_key;
    w->stores = a.rope && first == 0;
    w->result_stride = (size_t)a.n_splits * Size<D>::result;
    w->results = a.workspace + ((size_t)blockIdx.z * b.n_heads + head) * w->result_stride +
                 (size_t)split * Size<D>::result;
    return sequence.n_rows && w->first_key < n_keys;
}

/* ---- copies ---- */

/* Starts the copy of the warp's part of tile t; zeros for keys that are not in the cache. */
template <int D> LV_INLINE void copy_cache_tile(LvBf16 *tiles, const DecodeWork &w, uint32_t t)
{
    const uint32_t pieces = Size<D>::pieces, rows = LV_WARP / pieces;
    const uint32_t row = lv_lane() / pieces, col = lv_lane() % pieces * 8;
    const uint32_t first = w.first_key + t * DECODE_TILE_KEYS + threadIdx.x / LV_WARP * KEYS;
    LvBf16 *to = tiles + t % Size<D>::stages * Size<D>::tile + row * Size<D>::stride + col;
    LV_UNROLL
    for (uint32_t i = 0; i < KEYS; i += rows) {
        const uint32_t key = first + row + i;
        const bool inside = key < w.cached_end;
        const size_t from = inside ? (size_t)key * D + col : 0;
        lv_copy_async(to + i * Size<D>::stride, w.keys + from, inside);
        lv_copy_async(to + (KEYS + i) * Size<D>::stride, w.values + from, inside);
    }
}

LV_INLINE LvPiece load_piece(const LvBf16 *from)
{
    return *(const LvPiece *)from;
}

LV_INLINE void store_piece(LvBf16 *to, const LvPiece &piece)
{
    *(LvPiece *)to = piece;
}

/* The angles of 8 pairs. */
struct Angles {
    LvPiece cosine[2], sine[2];
};

template <int D> LV_INLINE Angles load_angles(const float *table, uint32_t position)
{
    const float *from = table + (size_t)position * D + threadIdx.x % Size<D>::halves * 8;
    Angles angles;
    LV_UNROLL
    for (int i = 0; i < 2; i++) {
        angles.cosine[i] = lv_load_constant(from + 4 * i);
        angles.sine[i] = lv_load_constant(from + D / 2 + 4 * i);
    }
    return angles;
}

/* Eight pairs: x of the row's first half, y of the second; rounded as rope_store rounds. */
LV_INLINE void rotate(LvPiece &x, LvPiece &y, const Angles &angles)
{
    LvPiece first, second;
    LV_UNROLL
    for (int i = 0; i < 4; i++) {
        float p[2], q[2];
        LV_UNROLL
        for (int j = 0; j < 2; j++) {
            const int at = 2 * i + j;
            const float a = lv_piece_at<LvBf16>(x, at), b = lv_piece_at<LvBf16>(y, at);
            const float cosine = lv_piece_at<float>(angles.cosine[at / 4], at % 4);
            const float sine = lv_piece_at<float>(angles.sine[at / 4], at % 4);
            p[j] = a * cosine - b * sine;
            q[j] = b * cosine + a * sine;
        }
        first.word[i] = lv_pack_bf16(p[0], p[1]);
        second.word[i] = lv_pack_bf16(q[0], q[1]);
    }
    x = first;
    y = second;
}

/* All rows of queries, zeros behind the last. */
template <int D>
LV_INLINE void load_step_queries(
    LvBf16 *to, const DecodeWork &w, bool rotated, const Angles &angles)
{
    static_assert(ROWS * Size<D>::halves <= (int)DECODE_THREADS, "a thread eight pairs");
    const uint32_t row = threadIdx.x / Size<D>::halves, col = threadIdx.x % Size<D>::halves * 8;
    if (row >= ROWS)
        return;
    LvPiece x = {}, y = {};
    if (row < w.n_queries) {
        x = load_piece(w.queries + row * D + col);
        y = load_piece(w.queries + row * D + D / 2 + col);
        if (rotated)
            rotate(x, y, angles);
    }
    store_piece(to + row * Size<D>::stride + col, x);
    store_piece(to + row * Size<D>::stride + D / 2 + col, y);
}

/* This step's key and value, held by the lanes of the warp that works on them. */
struct Newest {
    LvPiece x, y, value;
};

template <int D> LV_INLINE Newest load_newest(const DecodeWork &w, const Angles &angles)
{
    const unsigned lane = lv_lane(), col = lane % Size<D>::halves * 8;
    Newest newest;
    newest.x = load_piece(w.key + col);
    newest.y = load_piece(w.key + D / 2 + col);
    newest.value = load_piece(w.value + lane % Size<D>::pieces * 8);
    rotate(newest.x, newest.y, angles);
    return newest;
}

template <int D> LV_INLINE void put_newest(LvBf16 *key, LvBf16 *value, const Newest &newest)
{
    const unsigned lane = lv_lane();
    if (lane < Size<D>::halves) {
        store_piece(key + lane * 8, newest.x);
        store_piece(key + D / 2 + lane * 8, newest.y);
    }
    if (lane < Size<D>::pieces)
        store_piece(value + lane * 8, newest.value);
}

#endif
