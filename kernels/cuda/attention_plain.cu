/* SPDX-License-Identifier: Apache-2.0
 * Attention without tensor cores: float32, and bf16 of head sizes or alignments that
 * attention_tensor.cu does not take. A block is TILE_ROWS queries of a head; eight lanes share a
 * query: its scores, its running maximum and sum, and its results. Sums run over RUN_TILES tiles of
 * keys and are then added to those before: two short chains of additions, where one over all keys
 * would lose a digit in a long context. */
#include "arithmetic.h"
#include "attention_span.h"
#include "warp.h"

#define TILE_ROWS 16u
#define TILE_KEYS 32u
#define RUN_TILES 8u
#define LANES 8u /* of a query */
#define THREADS (TILE_ROWS * LANES)

static size_t shared_bytes(uint32_t head_dim)
{
    return ((TILE_ROWS + 2 * TILE_KEYS) * (head_dim + 1) + TILE_ROWS * (TILE_KEYS + 1)) *
           sizeof(float);
}

LV_INLINE float greatest_of_lanes(float x)
{
    LV_UNROLL
    for (unsigned mask = 1; mask < LANES; mask *= 2)
        x = fmaxf(x, lv_shuffle_xor(x, mask));
    return x;
}

LV_INLINE float sum_of_lanes(float x)
{
    LV_UNROLL
    for (unsigned mask = 1; mask < LANES; mask *= 2)
        x += lv_shuffle_xor(x, mask);
    return x;
}

/* Rows [first, end) as float32, zeros up to `rows`. */
template <typename T>
LV_INLINE void load_rows(float *to, const T *from, size_t stride, uint32_t first, uint32_t end,
    uint32_t rows, uint32_t head_dim)
{
    for (uint32_t i = threadIdx.x; i < rows * head_dim; i += THREADS) {
        uint32_t row = i / head_dim, col = i % head_dim;
        to[row * (head_dim + 1) + col] =
            first + row < end ? lv_widen(from[(size_t)(first + row) * stride + col]) : 0.0f;
    }
}

/* head_dim <= LANES * OWN; OWN results a lane. */
template <typename T, int OWN>
LV_INLINE void attend(const Span<T> &s, uint32_t head_dim, float scale)
{
    float *queries = (float *)lv_shared(), *keys = queries + TILE_ROWS * (head_dim + 1);
    float *values = keys + TILE_KEYS * (head_dim + 1);
    float *weights = values + TILE_KEYS * (head_dim + 1);
    uint32_t row = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    const float *query = queries + row * (head_dim + 1);
    float *weight = weights + row * (TILE_KEYS + 1);
    uint32_t end = row < s.n_queries ? visible_end(s, row) : s.first_key;
    float best = -INFINITY, run_sum = 0, run[OWN];      /* of the current tiles */
    float centre_before = -INFINITY, sum = 0, acc[OWN]; /* of those before */
    LV_UNROLL
    for (int i = 0; i < OWN; i++)
        acc[i] = run[i] = 0;
    load_rows(queries, s.queries, s.query_stride, 0, s.n_queries, TILE_ROWS, head_dim);

    for (uint32_t first = s.first_key; first < s.end_key; first += TILE_KEYS) {
        __syncthreads();
        load_rows(keys, s.keys, s.key_stride, first, s.end_key, TILE_KEYS, head_dim);
        load_rows(values, s.values, s.key_stride, first, s.end_key, TILE_KEYS, head_dim);
        __syncthreads();
        float scores[TILE_KEYS / LANES], new_best = best;
        LV_UNROLL
        for (uint32_t j = 0; j < TILE_KEYS / LANES; j++) {
            uint32_t key = lane + j * LANES;
            const float *k = keys + key * (head_dim + 1);
            float score = 0;
            for (uint32_t c = 0; c < head_dim; c++)
                score += query[c] * k[c];
            scores[j] = first + key < end ? score * scale * LOG2_E : -INFINITY;
            new_best = fmaxf(new_best, scores[j]);
        }
        new_best = greatest_of_lanes(new_best);
        float centre = new_best == -INFINITY ? 0 : new_best, rescale = lv_exp2(best - centre);
        best = new_best;
        run_sum *= rescale;
        LV_UNROLL
        for (uint32_t j = 0; j < TILE_KEYS / LANES; j++) {
            float w = lv_exp2(scores[j] - centre);
            run_sum += w;
            weight[lane + j * LANES] = w;
        }
        LV_UNROLL
        for (int i = 0; i < OWN; i++)
            run[i] *= rescale;
        lv_sync_warp();
        uint32_t n = first < end ? (end - first < TILE_KEYS ? end - first : TILE_KEYS) : 0;
        for (uint32_t key = 0; key < n; key++) {
            float w = weight[key];
            LV_UNROLL
            for (int i = 0; i < OWN; i++) {
                uint32_t c = lane + (uint32_t)i * LANES;
                if (c < head_dim)
                    run[i] += w * values[key * (head_dim + 1) + c];
            }
        }
        lv_sync_warp();
        if ((first - s.first_key) / TILE_KEYS % RUN_TILES < RUN_TILES - 1 &&
            first + TILE_KEYS < s.end_key)
            continue;
        rescale = lv_exp2(centre_before - centre);
        centre_before = best;
        sum = sum * rescale + run_sum;
        run_sum = 0;
        LV_UNROLL
        for (int i = 0; i < OWN; i++) {
            acc[i] = acc[i] * rescale + run[i];
            run[i] = 0;
        }
    }

    sum = sum_of_lanes(sum);
    if (row >= s.n_queries)
        return;
    LV_UNROLL
    for (int i = 0; i < OWN; i++) {
        uint32_t c = lane + (uint32_t)i * LANES;
        if (c < head_dim && s.partial)
            s.partial[row * s.partial_stride + c] = acc[i];
        else if (c < head_dim)
            s.out[row * s.out_stride + c] = lv_narrow<T>(acc[i] / sum);
    }
    if (s.partial && lane == 0) {
        s.partial[row * s.partial_stride + head_dim] = best;
        s.partial[row * s.partial_stride + head_dim + 1] = sum;
    }
}

LV_INLINE uint32_t head_dim_of(const LvCudaAttentionFull &a)
{
    return a.head_dim;
}

LV_INLINE uint32_t head_dim_of(const LvCudaPrefill &a)
{
    return a.batch.head_dim;
}

LV_INLINE uint32_t head_dim_of(const LvCudaDecode &a)
{
    return a.batch.head_dim;
}

template <typename T, int OWN, typename A>
LV_KERNEL_MANY_REGISTERS(THREADS)
attention_plain(const A a)
{
    Span<T> s;
    lv_wait_previous();
    if (find_span(a, TILE_ROWS, &s))
        attend<T, OWN>(s, head_dim_of(a), a.scale);
}

template <typename T, typename A>
static int launch_type(LvCudaStream stream, uint32_t head_dim, const A &a)
{
    void (*kernel)(const A) = attention_plain<T, 32, A>;
    if (head_dim == 0 || head_dim > LV_CUDA_MAX_HEAD_DIM)
        return LV_CUDA_BAD_ARGUMENT;
    if (head_dim <= 8 * LANES)
        kernel = attention_plain<T, 8, A>;
    else if (head_dim <= 16 * LANES)
        kernel = attention_plain<T, 16, A>;
    return launch_spans(kernel, TILE_ROWS, THREADS, shared_bytes(head_dim), stream, a);
}

template <typename A>
static int launch_any(LvCudaStream stream, LvDtype type, uint32_t head_dim, const A &a)
{
    if (type == LV_F32)
        return launch_type<float>(stream, head_dim, a);
    if (type == LV_BF16)
        return launch_type<LvBf16>(stream, head_dim, a);
    return LV_CUDA_BAD_ARGUMENT;
}

int lv_attention_plain(LvCudaStream stream, const LvCudaAttentionFull &args)
{
    return launch_any(stream, args.type, args.head_dim, args);
}

int lv_attention_plain(LvCudaStream stream, const LvCudaPrefill &args)
{
    return launch_any(stream, args.batch.type, args.batch.head_dim, args);
}

int lv_attention_plain(LvCudaStream stream, const LvCudaDecode &args)
{
    return launch_any(stream, args.batch.type, args.batch.head_dim, args);
}
