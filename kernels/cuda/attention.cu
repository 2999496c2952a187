/* SPDX-License-Identifier: Apache-2.0
 * Rotary embedding with the store into the cache, and the choice of the attention kernel; decoding
 * steps have theirs in attention_decode.cu. */
#include "attention_span.h"

#define THREADS 128u

/* ---- rotary embedding ---- */

/* The sequence that row belongs to, by its number, or n_sequences. */
LV_INLINE uint32_t sequence_of(const LvCudaBatch &b, uint32_t row)
{
    for (uint32_t i = 0; i < b.n_sequences; i++)
        if (row - b.sequences[i].first_row < b.sequences[i].n_rows)
            return i;
    return b.n_sequences;
}

/* A block a row. */
template <typename T> LV_KERNEL(THREADS) rope_store(const LvCudaRope a)
{
    const LvCudaBatch &b = a.batch;
    uint32_t row = blockIdx.x, found = sequence_of(b, row);
    if (found == b.n_sequences)
        return;
    LvCudaSequence sequence = b.sequences[found];
    uint32_t position = sequence.position + (row - sequence.first_row), half = b.head_dim / 2;
    size_t head_size = (size_t)sequence.capacity * b.head_dim;
    T *keys = (T *)sequence.cache + (size_t)b.layer * 2 * b.n_kv_heads * head_size +
              (size_t)position * b.head_dim;
    T *values = keys + b.n_kv_heads * head_size;
    T *heads = (T *)a.qkv + (size_t)row * a.qkv_stride;
    const float *cosine = a.table + (size_t)position * b.head_dim, *sine = cosine + half;

    for (uint32_t i = threadIdx.x; i < (b.n_heads + b.n_kv_heads) * half; i += THREADS) {
        uint32_t head = i / half, m = i % half;
        T *pair = heads + (size_t)head * b.head_dim + m;
        float x = lv_widen(pair[0]), y = lv_widen(pair[half]);
        T first = lv_narrow<T>(x * cosine[m] - y * sine[m]);
        T second = lv_narrow<T>(y * cosine[m] + x * sine[m]);
        pair[0] = first;
        pair[half] = second;
        if (head >= b.n_heads) {
            T *key = keys + (head - b.n_heads) * head_size + m;
            key[0] = first;
            key[half] = second;
        }
    }
    const T *from = heads + (size_t)(b.n_heads + b.n_kv_heads) * b.head_dim;
    for (uint32_t i = threadIdx.x; i < b.n_kv_heads * b.head_dim; i += THREADS)
        values[i / b.head_dim * head_size + i % b.head_dim] = from[i];
}

static bool batch_runs(const LvCudaBatch &b)
{
    return b.n_kv_heads && b.n_heads && b.n_heads % b.n_kv_heads == 0 && b.head_dim &&
           b.head_dim % 2 == 0 && b.head_dim <= LV_CUDA_MAX_HEAD_DIM &&
           (b.type == LV_F32 || b.type == LV_BF16);
}

int lv_cuda_rope_store(LvCudaStream stream, const LvCudaRope *args)
{
    if (!batch_runs(args->batch))
        return LV_CUDA_BAD_ARGUMENT;
    uint64_t rows = args->batch.n_sequences ? args->rows : 0;
    if (args->batch.type == LV_F32)
        return lv_launch(rope_store<float>, rows, 1, 1, THREADS, 0, stream, *args);
    return lv_launch(rope_store<LvBf16>, rows, 1, 1, THREADS, 0, stream, *args);
}

/* ---- attention ---- */

template <typename A> static int attend(LvCudaStream stream, const A &args)
{
    int result = args.wgmma ? lv_attention_wgmma(stream, args) : LV_CUDA_BAD_ARGUMENT;
    if (result == LV_CUDA_BAD_ARGUMENT)
        result = lv_attention_tensor(stream, args);
    return result == LV_CUDA_BAD_ARGUMENT ? lv_attention_plain(stream, args) : result;
}

int lv_cuda_attention_full(LvCudaStream stream, const LvCudaAttentionFull *args)
{
    return attend(stream, *args);
}

int lv_cuda_attention_prefill(LvCudaStream stream, const LvCudaPrefill *args)
{
    return batch_runs(args->batch) ? attend(stream, *args) : LV_CUDA_BAD_ARGUMENT;
}
