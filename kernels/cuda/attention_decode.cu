/* SPDX-License-Identifier: Apache-2.0
 * Attention of decoding steps: one query row a sequence, bound by reading the cache. Each cache is
 * cut into spans of keys, a block a span and kv head (flash decoding), and the spans' results are
 * joined by a second kernel.
 *
 * For bf16 the heads of a group, which share every key and value, are the rows of one tensor-core
 * fragment. Every warp processes 16 of each 64 keys by itself, with two or three such tiles in
 * flight. Where the kernel rotates (LvCudaDecode.rope), all but the newest key were in the cache
 * before the step began: they are requested before the product that computes queries, key and value
 * is done. */
#include "arithmetic.h"
#include "attention_span.h"
#include "fragment.h"
#include "warp.h"

#define WARPS 4
#define THREADS (WARPS * LV_WARP)
#define KEYS 16 /* of a warp in a tile */
#define TILE_KEYS (WARPS * KEYS)
#define ROWS 16 /* queries of a block */

template <int D> struct Size {
    static const int stages = D < 128 ? 3 : 2; /* of a warp's tiles: as many bytes either way */
    static const int stride = D + 8; /* of a row in shared memory: an odd number of 16 bytes, so
                                        that 8 rows meet no bank twice */
    static const int tile = 2 * KEYS * stride; /* a warp's keys, then values */
    static const int pieces = D / 8;           /* of 16 bytes in a row */
    static const int halves = D / 16;          /* of 16 bytes in half a row */
    static const int result = D + 2;           /* sums, greatest score (times log2 e), weight */
    static const size_t copies = ((size_t)ROWS * stride + WARPS * stages * tile) * sizeof(LvBf16);
    static const size_t results = (size_t)WARPS * ROWS * result * sizeof(float);
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
template <int D> LV_INLINE void copy_tile(LvBf16 *tiles, const DecodeWork &w, uint32_t t)
{
    const uint32_t pieces = Size<D>::pieces, rows = LV_WARP / pieces;
    const uint32_t row = lv_lane() / pieces, col = lv_lane() % pieces * 8;
    const uint32_t first = w.first_key + t * TILE_KEYS + threadIdx.x / LV_WARP * KEYS;
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
LV_INLINE void load_queries(LvBf16 *to, const DecodeWork &w, bool rotated, const Angles &angles)
{
    static_assert(ROWS * Size<D>::halves <= (int)THREADS, "a thread eight pairs");
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

/* ---- a warp's arithmetic ---- */

/* A warp's state for its queries; rows g and g + 8 of each lane. */
template <int D> struct DecodeState {
    float acc[D / 8][4];
    float best[2], sum[2]; /* the greatest score, not yet scaled */
};

LV_INLINE float over_row(float x, bool greatest)
{
    LV_UNROLL
    for (unsigned mask = 1; mask <= 2; mask *= 2) {
        const float other = lv_shuffle_xor(x, mask);
        x = greatest ? fmaxf(x, other) : x + other;
    }
    return x;
}

/* One tile: 16 keys from `first` on, of which those behind `end` are not seen. Rows g + 8 are
 * worked on where there are any. */
template <int D>
LV_INLINE void attend(DecodeState<D> &state, const uint32_t (*query)[4], const LvBf16 *keys,
    float factor, uint32_t first, uint32_t end, bool all_rows)
{
    const unsigned lane = lv_lane();
    const int stride = Size<D>::stride;
    const LvBf16 *key = keys + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8;
    const LvBf16 *value = keys + (KEYS + lane % 16) * stride + lane / 16 * 8;
    float scores[2][4] = {};
    uint32_t weights[4] = {};
    LV_UNROLL
    for (int k = 0; k < D / 16; k++) {
        uint32_t b[4];
        lv_load_tiles(b, key + k * 16);
        lv_multiply_add(scores[0], query[k], b);
        lv_multiply_add(scores[1], query[k], b + 2);
    }
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        if (r && !all_rows)
            continue;
        float best = state.best[r], w[2][2];
        LV_UNROLL
        for (int n = 0; n < 2; n++) {
            LV_UNROLL
            for (int i = 0; i < 2; i++) {
                float &score = scores[n][2 * r + i];
                if (first + n * 8 + lane % 4 * 2 + i >= end)
                    score = -INFINITY;
                best = fmaxf(best, score);
            }
        }
        best = over_row(best, true);
        const float centre = best == -INFINITY ? 0 : best * factor;
        const float rescale = lv_exp2(fmaf(state.best[r], factor, -centre));
        state.best[r] = best;
        state.sum[r] *= rescale;
        LV_UNROLL
        for (int n = 0; n < 2; n++) {
            LV_UNROLL
            for (int i = 0; i < 2; i++) {
                w[n][i] = lv_exp2(fmaf(scores[n][2 * r + i], factor, -centre));
                state.sum[r] += w[n][i];
            }
            weights[2 * n + r] = lv_pack_bf16(w[n][0], w[n][1]);
        }
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            state.acc[n][2 * r] *= rescale;
            state.acc[n][2 * r + 1] *= rescale;
        }
    }
    LV_UNROLL
    for (int n = 0; n < D / 8; n += 2) {
        uint32_t b[4];
        lv_load_tiles_transposed(b, value + n * 8);
        lv_multiply_add(state.acc[n], weights, b);
        lv_multiply_add(state.acc[n + 1], weights, b + 2);
    }
}

/* The warps' results, joined through shared memory, go to the workspace. */
template <int D>
LV_INLINE void join_warps(const DecodeWork &w, const DecodeState<D> &state, float factor)
{
    const uint32_t width = Size<D>::result;
    float *all = (float *)lv_shared();
    const unsigned lane = lv_lane();
    __syncthreads();
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        const uint32_t row = lane / 4 + 8 * (uint32_t)r;
        float *own = all + (threadIdx.x / LV_WARP * ROWS + row) * width;
        const float sum = over_row(state.sum[r], false);
        if (row >= w.n_queries)
            continue;
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            own[n * 8 + lane % 4 * 2] = state.acc[n][2 * r];
            own[n * 8 + lane % 4 * 2 + 1] = state.acc[n][2 * r + 1];
        }
        if (lane % 4 == 0) {
            own[D] = state.best[r] * factor;
            own[D + 1] = sum;
        }
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < w.n_queries * width; i += THREADS) {
        const uint32_t row = i / width, col = i % width;
        float best = -INFINITY, total = 0;
        LV_UNROLL
        for (uint32_t v = 0; v < WARPS; v++)
            best = fmaxf(best, all[(v * ROWS + row) * width + D]);
        LV_UNROLL
        for (uint32_t v = 0; v < WARPS; v++) {
            const float *from = all + (v * ROWS + row) * width;
            total += from[D] == -INFINITY ? 0.0f : from[col] * lv_exp2(from[D] - best);
        }
        w.results[row * w.result_stride + col] = col == D ? best : total;
    }
}

template <int D> LV_KERNEL(THREADS) attention_decode(const LvCudaDecode a)
{
    LvBf16 *queries = (LvBf16 *)lv_shared();
    const uint32_t warp = threadIdx.x / LV_WARP, lane = lv_lane();
    LvBf16 *tiles = queries + ROWS * Size<D>::stride + warp * Size<D>::stages * Size<D>::tile;
    const float factor = a.scale * LOG2_E;
    DecodeWork w;
    Angles angles = {};
    lv_let_next_start();
    if (!a.rope)
        lv_wait_previous();
    const bool here = find_work<D>(a, &w);
    const uint32_t n_tiles = here ? (w.end_key - w.first_key + TILE_KEYS - 1) / TILE_KEYS : 0;
    LV_UNROLL
    for (uint32_t t = 0; t < Size<D>::stages; t++) {
        if (t < n_tiles)
            copy_tile<D>(tiles, w, t);
        lv_copy_commit();
    }
    if (a.rope) {
        if (here)
            angles = load_angles<D>(a.rope, w.position);
        lv_wait_previous();
    }
    if (!here)
        return;

    load_queries<D>(queries, w, a.rope, angles);
    /* The newest key is the last of the span that has not come from the cache. */
    const uint32_t newest_at = w.end_key - 1 - w.first_key;
    const bool has_newest = w.cached_end < w.end_key && newest_at % TILE_KEYS / KEYS == warp;
    Newest newest;
    if (has_newest) {
        newest = load_newest<D>(w, angles);
        if (w.stores)
            put_newest<D>(
                w.keys + (size_t)w.position * D, w.values + (size_t)w.position * D, newest);
    }
    __syncthreads();

    DecodeState<D> state = {};
    state.best[0] = state.best[1] = -INFINITY;
    uint32_t query[D / 16][4];
    LV_UNROLL
    for (int k = 0; k < D / 16; k++)
        lv_load_tiles(query[k], queries + lane % 16 * Size<D>::stride + lane / 16 * 8 + k * 16);
    for (uint32_t t = 0; t < n_tiles; t++) {
        LvBf16 *tile = tiles + t % Size<D>::stages * Size<D>::tile;
        const uint32_t first = w.first_key + t * TILE_KEYS + warp * KEYS;
        lv_copy_wait<Size<D>::stages - 1>();
        lv_sync_warp();
        if (has_newest && t == newest_at / TILE_KEYS) {
            LvBf16 *row = tile + newest_at % KEYS * Size<D>::stride;
            put_newest<D>(row, row + KEYS * Size<D>::stride, newest);
            lv_sync_warp();
        }
        if (first < w.end_key)
            attend<D>(state, query, tile, factor, first, w.end_key, w.n_queries > 8);
        lv_sync_warp();
        if (t + Size<D>::stages < n_tiles)
            copy_tile<D>(tiles, w, t + Size<D>::stages);
        lv_copy_commit();
    }
    join_warps<D>(w, state, factor);
}

template <int D> static int launch_tensor(LvCudaStream stream, const LvCudaDecode &a)
{
    const uint64_t group = a.batch.n_heads / a.batch.n_kv_heads;
    const uint64_t tiles = (group + ROWS - 1) / ROWS * a.batch.n_kv_heads;
    return lv_launch_overlapped(attention_decode<D>, a.n_splits, tiles, a.batch.n_sequences,
        THREADS, Size<D>::shared, stream, a);
}

/* LV_CUDA_BAD_ARGUMENT where tensor cores cannot. */
static int attend_tensor(LvCudaStream stream, const LvCudaDecode &a)
{
    if (a.batch.type != LV_BF16 || !lv_rows_aligned(a.qkv, a.qkv_stride, sizeof(LvBf16), 8) ||
        (uintptr_t)a.rope % 16)
        return LV_CUDA_BAD_ARGUMENT;
    switch (a.batch.head_dim) {
    case 32:
        return launch_tensor<32>(stream, a);
    case 64:
        return launch_tensor<64>(stream, a);
    case 128:
        return launch_tensor<128>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

/* ---- joining ---- */

#define AT_ONCE 8    /* splits that a warp loads at once */
#define JOIN_WARPS 8 /* of a block; two where there are few splits */

/* A block a head of a sequence. Warps take splits in turn, a lane COLUMNS columns: 32, 64 ... from
 * each other. Splits behind the sequence's end were not written and are not read. */
template <typename T, int COLUMNS> LV_KERNEL(JOIN_WARPS *LV_WARP) join_splits(const LvCudaDecode a)
{
    const LvCudaBatch &b = a.batch;
    const uint32_t n_warps = blockDim.x / LV_WARP, warp = threadIdx.x / LV_WARP;
    const uint32_t width = b.head_dim + 2;
    /* A split's weight each; what the warps' reductions share; the warps' sums of each column. */
    float *weights = (float *)lv_shared(), *scratch = weights + (a.n_splits + 31) / 32 * 32;
    float *sums = scratch + 64;
    lv_let_next_start();
    const LvCudaSequence sequence = lv_load_fresh(b.sequences + blockIdx.y);
    const uint32_t n = sequence.n_rows ? sequence.position / split_keys(a) + 1 : 0;
    lv_wait_previous();
    if (n == 0)
        return;
    const float *parts =
        a.workspace + ((size_t)blockIdx.y * b.n_heads + blockIdx.x) * a.n_splits * width;
    float part[AT_ONCE][COLUMNS], acc[COLUMNS], best = -INFINITY, sum = 0;
    LV_UNROLL
    for (int c = 0; c < COLUMNS; c++)
        acc[c] = 0;
    for (uint32_t i = threadIdx.x; i < n; i += blockDim.x)
        best = fmaxf(best, parts[(size_t)i * width + b.head_dim]);
    for (uint32_t first = warp; first < n || first == warp; first += n_warps * AT_ONCE) {
        LV_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            const uint32_t i = first + u * n_warps;
            LV_UNROLL
            for (int c = 0; c < COLUMNS; c++) {
                const uint32_t col = lv_lane() + LV_WARP * c;
                part[u][c] = i < n && col < b.head_dim ? parts[(size_t)i * width + col] : 0.0f;
            }
        }
        if (first == warp) { /* the weights, while the parts are being loaded */
            LV_UNROLL
            for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
                best = fmaxf(best, lv_shuffle_xor(best, mask));
            if (lv_lane() == 0)
                scratch[warp] = best;
            __syncthreads();
            for (uint32_t w = 0; w < n_warps; w++)
                best = fmaxf(best, scratch[w]);
            for (uint32_t i = threadIdx.x; i < n; i += blockDim.x) {
                const float *end = parts + (size_t)i * width + b.head_dim;
                weights[i] = lv_exp2(end[0] - best);
                sum += end[1] * weights[i];
            }
            lv_block_sums<1>(&sum, scratch + 32);
        }
        LV_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            const uint32_t i = first + u * n_warps;
            const float weight = i < n ? weights[i] : 0.0f;
            LV_UNROLL
            for (int c = 0; c < COLUMNS; c++)
                acc[c] += weight == 0 ? 0.0f : part[u][c] * weight;
        }
    }
    LV_UNROLL
    for (int c = 0; c < COLUMNS; c++)
        sums[(warp * COLUMNS + c) * LV_WARP + lv_lane()] = acc[c];
    __syncthreads();
    T *out = (T *)a.out + sequence.first_row * a.out_stride + (size_t)blockIdx.x * b.head_dim;
    for (uint32_t col = threadIdx.x; col < b.head_dim; col += blockDim.x) {
        float total = 0;
        for (uint32_t w = 0; w < n_warps; w++)
            total += sums[w * COLUMNS * LV_WARP + col];
        out[col] = lv_narrow<T>(total / sum);
    }
}

template <typename T, int COLUMNS>
static int launch_join(LvCudaStream stream, const LvCudaDecode &a)
{
    const bool overlapped = a.overlap || a.join_overlap;
    const unsigned warps = a.n_splits > 4 ? JOIN_WARPS : 2;
    const size_t shared =
        ((a.n_splits + 31) / 32 * 32 + 64 + (size_t)warps * COLUMNS * LV_WARP) * sizeof(float);
    return lv_launch_as(overlapped, join_splits<T, COLUMNS>, a.n_splits ? a.batch.n_heads : 0,
        a.batch.n_sequences, 1, warps * LV_WARP, shared, stream, a);
}

template <typename T> static int join(LvCudaStream stream, const LvCudaDecode &a)
{
    if (a.batch.head_dim <= 64)
        return launch_join<T, 2>(stream, a);
    if (a.batch.head_dim <= 128)
        return launch_join<T, 4>(stream, a);
    return launch_join<T, 8>(stream, a);
}

/* ---- all of it ---- */

/* Without tensor cores the rotation is a kernel of its own. */
static int attend_plain(LvCudaStream stream, const LvCudaDecode &a)
{
    LvCudaRope rope = {};
    rope.batch = a.batch;
    rope.qkv = a.qkv;
    rope.qkv_stride = a.qkv_stride;
    rope.rows = a.rows;
    rope.table = a.rope;
    int result = a.rope ? lv_cuda_rope_store(stream, &rope) : 0;
    return result ? result : lv_attention_plain(stream, a);
}

int lv_cuda_attention_decode(LvCudaStream stream, const LvCudaDecode *args)
{
    const LvCudaDecode &a = *args;
    const LvCudaBatch &b = a.batch;
    if (!b.n_kv_heads || !b.n_heads || b.n_heads % b.n_kv_heads || !b.head_dim || b.head_dim % 2 ||
        b.head_dim > LV_CUDA_MAX_HEAD_DIM || (b.type != LV_F32 && b.type != LV_BF16) ||
        (!a.keys_at && (a.keys_per_split == 0 || a.keys_per_split % 64)))
        return LV_CUDA_BAD_ARGUMENT;
    int result = attend_tensor(stream, a);
    if (result == LV_CUDA_BAD_ARGUMENT)
        result = attend_plain(stream, a);
    if (result)
        return result;
    return b.type == LV_F32 ? join<float>(stream, a) : join<LvBf16>(stream, a);
}

uint32_t lv_cuda_splits(uint32_t n_sequences, uint32_t n_kv_heads, uint32_t n_processors)
{
    /* Two blocks per multiprocessor hide each other's latency. */
    uint64_t blocks = (uint64_t)n_sequences * n_kv_heads, wanted = 2 * (uint64_t)n_processors;
    uint64_t splits = blocks ? (wanted + blocks - 1) / blocks : 1;
    return splits ? (uint32_t)splits : 1;
}

uint32_t lv_cuda_keys_per_split(
    uint32_t n_sequences, uint32_t n_kv_heads, uint32_t max_keys, uint32_t n_processors)
{
    uint64_t splits = lv_cuda_splits(n_sequences, n_kv_heads, n_processors);
    uint64_t keys = (max_keys + splits - 1) / splits;
    keys = (keys + TILE_KEYS - 1) / TILE_KEYS * TILE_KEYS;
    return (uint32_t)(keys < TILE_KEYS ? TILE_KEYS : keys);
}
