/* SPDX-License-Identifier: Apache-2.0
 * Attention and the rotary embedding. */
#include "backend/cuda/cuda.h"

#include <math.h>
#include <string.h>

LlavaovStatus lv_cuda_op_attention_full(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, size_t n_items, size_t n_tokens, uint32_t n_heads, uint32_t head_dim)
{
    LvCuda *cuda = lv_cuda(backend);
    const size_t width = (size_t)n_heads * head_dim;
    if (!width || head_dim > LV_CUDA_MAX_HEAD_DIM || qkv.cols != 3 * width || out.cols != width ||
        qkv.rows != n_items * n_tokens || out.rows != qkv.rows)
        return lv_cuda_shape_error(run, "attention_full");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const LvCudaAttentionFull args = {.out = out.data,
        .out_stride = out.stride,
        .qkv = qkv.data,
        .qkv_stride = qkv.stride,
        .type = cuda->type,
        .n_items = n_items,
        .n_tokens = n_tokens,
        .n_heads = n_heads,
        .head_dim = head_dim,
        .scale = (float)(1.0 / sqrt((double)head_dim)),
        .wgmma = cuda->wgmma,
        .overlap = lv_encoder_overlap(cuda)};
    int code = lv_cuda_attention_full(lv_runtime_stream(cuda->runtime), &args);
    return lv_cuda_end(cuda, run, "attention_full", lv_cuda_launched(cuda, code));
}

/* ---- batches ---- */

/* The batch on the device: that of the step under way, which is there, or all layers of a pass ask
 * for the same one, which is sent once. */
static int send_batch(
    LvCuda *cuda, bool step, const LvBatch *batch, const LvCudaSequence **sequences)
{
    const size_t n = batch->n_sequences, bytes = n * sizeof(LvCudaSequence);
    if (step) {
        *sequences = cuda->steps.state->block.sequences;
        return 0;
    }
    if (cuda->steps.recording)
        return LV_CUDA_NOT_RECORDABLE;
    if (n > cuda->sequences_capacity) {
        const size_t capacity = lv_round_up(n, 64);
        void *device;
        int code = lv_memory_take(cuda->memory, capacity * sizeof(LvCudaSequence), false, &device);
        if (code != 0)
            return code;
        LvCudaSequence *known = lv_calloc(capacity, sizeof *known);
        if (!known) {
            lv_memory_give(cuda->memory, device);
            return LV_RUNTIME_OUT_OF_MEMORY;
        }
        lv_memory_give(cuda->memory, cuda->sequences);
        lv_free(cuda->known);
        cuda->sequences = device;
        cuda->known = known;
        cuda->sequences_capacity = capacity;
        cuda->n_known = 0;
    }
    *sequences = cuda->sequences;
    bool same = cuda->n_known == n;
    for (size_t i = 0; i < n; i++) {
        const LvSequence *s = &batch->sequences[i];
        LvCudaSequence wanted;
        memset(&wanted, 0, sizeof wanted);
        wanted.cache = s->cache->data;
        wanted.capacity = s->cache->capacity;
        wanted.first_row = s->first_row;
        wanted.n_rows = s->n_rows;
        wanted.position = s->position;
        same = same && memcmp(&cuda->known[i], &wanted, sizeof wanted) == 0;
        cuda->known[i] = wanted;
    }
    cuda->n_known = n;
    if (same || n == 0)
        return 0;
    void *host, *staged;
    int code = lv_staging_take(cuda, bytes, &host, &staged);
    if (code == 0) {
        memcpy(host, cuda->known, bytes);
        code = lv_runtime_to_device(cuda->runtime, cuda->sequences, host, bytes);
    }
    if (code != 0)
        cuda->n_known = 0;
    return code;
}

int lv_cuda_reserve_rope(LvCuda *cuda, uint32_t positions, const LvTextConfig *text)
{
    if (cuda->rope_positions >= positions && cuda->rope_head_dim == text->head_dim &&
        lv_rope_equal(&cuda->rope_made_for, &text->rope))
        return 0;
    if (cuda->steps.recording)
        return LV_CUDA_NOT_RECORDABLE;
    lv_steps_forget(cuda);
    uint32_t n = cuda->rope_positions > 2048 ? 2 * cuda->rope_positions : 4096;
    while (n < positions)
        n *= 2;
    const size_t bytes = (size_t)n * text->head_dim * sizeof(float);
    float *table = lv_alloc(bytes, 1);
    if (!table)
        return LV_RUNTIME_OUT_OF_MEMORY;
    lv_rope_rows(table, &text->rope, text->head_dim, 0, 0, n);
    lv_memory_give(cuda->memory, cuda->rope);
    cuda->rope = NULL;
    cuda->rope_positions = 0;
    void *device;
    int code = lv_memory_take(cuda->memory, bytes, false, &device);
    if (code == 0)
        cuda->rope = device;
    for (size_t at = 0; at < bytes && code == 0; at += LV_STAGING_HALF) {
        const size_t piece = bytes - at < LV_STAGING_HALF ? bytes - at : LV_STAGING_HALF;
        void *host, *staged;
        code = lv_staging_take(cuda, piece, &host, &staged);
        if (code == 0) {
            memcpy(host, (char *)table + at, piece);
            code = lv_runtime_to_device(cuda->runtime, (char *)device + at, host, piece);
        }
    }
    lv_free(table);
    if (code == 0) {
        cuda->rope_positions = n;
        cuda->rope_head_dim = text->head_dim;
        cuda->rope_made_for = text->rope;
    }
    return code;
}

/* Checks what both operations on a batch promise each other. */
static bool batch_fits(LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    if (!lv_rope_is_fixed(&text->rope) || lv_text_window(text, layer) || !text->n_kv_heads ||
        text->n_heads % text->n_kv_heads || !text->head_dim || text->head_dim % 2 ||
        text->head_dim > LV_CUDA_MAX_HEAD_DIM || batch->n_sequences > UINT32_MAX ||
        qkv.cols != (size_t)(text->n_heads + 2 * text->n_kv_heads) * text->head_dim)
        return false;
    for (size_t i = 0; i < batch->n_sequences; i++) {
        const LvSequence *s = &batch->sequences[i];
        const LvKvCache *cache = s->cache;
        if (layer >= cache->n_layers || cache->n_kv_heads != text->n_kv_heads ||
            cache->head_dim != text->head_dim ||
            (size_t)s->position + s->n_rows > cache->capacity ||
            (size_t)s->first_row + s->n_rows > qkv.rows)
            return false;
    }
    return true;
}

static LvCudaBatch batch_of(LvCuda *cuda, const LvCudaSequence *sequences, const LvBatch *batch,
    uint32_t layer, const LvTextConfig *text)
{
    return (LvCudaBatch){.sequences = sequences,
        .n_sequences = (uint32_t)batch->n_sequences,
        .layer = layer,
        .n_heads = text->n_heads,
        .n_kv_heads = text->n_kv_heads,
        .head_dim = text->head_dim,
        .type = cuda->type};
}

/* One past the last position of a batch, and the most rows of a sequence. */
static uint32_t end_of(const LvBatch *batch, uint32_t *max_rows)
{
    uint32_t end = 1;
    *max_rows = 0;
    for (size_t i = 0; i < batch->n_sequences; i++) {
        const LvSequence *s = &batch->sequences[i];
        *max_rows = s->n_rows > *max_rows ? s->n_rows : *max_rows;
        end = s->position + s->n_rows > end ? s->position + s->n_rows : end;
    }
    return end;
}

static int rotate(LvCuda *cuda, LvTensor qkv, const LvCudaBatch *batch)
{
    const LvCudaRope args = {.batch = *batch,
        .qkv = qkv.data,
        .qkv_stride = qkv.stride,
        .rows = qkv.rows,
        .table = cuda->rope};
    return lv_cuda_launched(cuda, lv_cuda_rope_store(lv_runtime_stream(cuda->runtime), &args));
}

static int rope_store(LvCuda *cuda, bool step, LvTensor qkv, const LvBatch *batch, uint32_t layer,
    const LvTextConfig *text)
{
    uint32_t max_rows;
    const LvCudaSequence *sequences = NULL;
    int code = lv_cuda_reserve_rope(cuda, end_of(batch, &max_rows), text);
    if (code == 0)
        code = send_batch(cuda, step, batch, &sequences);
    if (code != 0)
        return code;
    const LvCudaBatch args = batch_of(cuda, sequences, batch, layer, text);
    return rotate(cuda, qkv, &args);
}

LlavaovStatus lv_cuda_op_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    LvCuda *cuda = lv_cuda(backend);
    if (!batch_fits(qkv, batch, layer, text))
        return lv_cuda_shape_error(run, "rope_store");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    return lv_cuda_end(
        cuda, run, "rope_store", rope_store(cuda, run->step, qkv, batch, layer, text));
}

/* ---- causal attention ---- */

/* One row a sequence: the keys are cut so that the whole device has work. rope: NULL where qkv is
 * rotated and its keys and values are stored. */
static int decode(LvCuda *cuda, bool step, LvTensor out, LvTensor qkv, const LvCudaBatch *batch,
    uint32_t max_keys, float scale, const float *rope)
{
    const uint32_t keys = lv_cuda_keys_per_split(
        batch->n_sequences, batch->n_kv_heads, max_keys, cuda->facts.n_processors);
    const uint32_t n_splits = step ? cuda->steps.n_splits : (max_keys + keys - 1) / keys;
    void *workspace;
    int code = lv_cuda_scratch(cuda,
        lv_cuda_decode_workspace(batch->n_sequences, batch->n_heads, batch->head_dim, n_splits) *
            sizeof(float),
        &workspace);
    if (code == 0)
        code = lv_cuda_launched(
            cuda, lv_cuda_attention_decode(lv_runtime_stream(cuda->runtime),
                      &(LvCudaDecode){.batch = *batch,
                          .out = out.data,
                          .out_stride = out.stride,
                          .qkv = qkv.data,
                          .qkv_stride = qkv.stride,
                          .n_splits = n_splits,
                          .keys_per_split = keys,
                          .workspace = workspace,
                          .scale = scale,
                          .keys_at = step ? &cuda->steps.state->block.keys_per_split : NULL,
                          .rope = rope,
                          .rows = qkv.rows,
                          .overlap = lv_cuda_overlap(cuda),
                          .join_overlap = cuda->steps.overlap && cuda->steps.active}));
    lv_cuda_scratch_free(cuda, workspace);
    return code;
}

static int prefill(LvCuda *cuda, LvTensor out, LvTensor qkv, const LvCudaBatch *batch,
    uint32_t max_rows, float scale)
{
    const LvCudaPrefill args = {.batch = *batch,
        .out = out.data,
        .out_stride = out.stride,
        .qkv = qkv.data,
        .qkv_stride = qkv.stride,
        .max_rows = max_rows,
        .scale = scale,
        .wgmma = cuda->wgmma};
    return lv_cuda_launched(
        cuda, lv_cuda_attention_prefill(lv_runtime_stream(cuda->runtime), &args));
}

/* ---- ways on from one place ---- */

/* Several sequences have one cache (LvBackendInfo.shared_caches). */
static bool share_caches(const LvBatch *batch)
{
    for (size_t i = 1; i < batch->n_sequences; i++)
        for (size_t k = 0; k < i; k++)
            if (batch->sequences[i].cache == batch->sequences[k].cache)
                return true;
    return false;
}

/* Keys and values of a way, rotated already, to its cache's layer: another way's lie there. */
static int store_again(
    LvCuda *cuda, LvTensor qkv, const LvSequence *s, uint32_t layer, const LvTextConfig *text)
{
    const LvKvCache *cache = s->cache;
    const size_t size = lv_dtype_bytes(cuda->type), head = text->head_dim * size;
    int code = 0;
    lv_cuda_not_kernel(cuda);
    for (uint32_t i = 0; i < 2 * text->n_kv_heads && code == 0; i++) {
        const size_t first = ((size_t)layer * 2 * cache->n_kv_heads + i) * cache->capacity;
        const char *from = (const char *)qkv.data + (s->first_row * qkv.stride) * size +
                           (text->n_heads + i) * head;
        code =
            lv_runtime_copy_rows(cuda->runtime, (char *)cache->data + (first + s->position) * head,
                head, from, qkv.stride * size, head, s->n_rows);
    }
    return code;
}

/* One way after the other: each finds its own rows in the cache. */
static int attend_ways(LvCuda *cuda, LvTensor out, LvTensor qkv, const LvBatch *batch,
    uint32_t layer, const LvTextConfig *text, bool rotated)
{
    const float scale = (float)(1.0 / sqrt((double)text->head_dim));
    const LvCudaSequence *sequences = NULL;
    uint32_t max_rows;
    int code = lv_cuda_reserve_rope(cuda, end_of(batch, &max_rows), text);
    if (code == 0)
        code = send_batch(cuda, false, batch, &sequences);
    for (size_t i = 0; i < batch->n_sequences && code == 0; i++) {
        const LvSequence *s = &batch->sequences[i];
        const LvBatch way = {s, 1};
        const LvCudaBatch args = batch_of(cuda, sequences + i, &way, layer, text);
        if (s->n_rows == 0)
            continue;
        if (rotated)
            code = store_again(cuda, qkv, s, layer, text);
        else if (s->n_rows > 1)
            code = rotate(cuda, qkv, &args);
        if (code == 0)
            code = s->n_rows > 1 ? prefill(cuda, out, qkv, &args, s->n_rows, scale)
                                 : decode(cuda, false, out, qkv, &args, s->position + 1, scale,
                                       rotated ? NULL : cuda->rope);
    }
    return code;
}

/* rotated: rope_store was there before. */
static int attend(LvCuda *cuda, bool step, LvTensor out, LvTensor qkv, const LvBatch *batch,
    uint32_t layer, const LvTextConfig *text, bool rotated)
{
    uint32_t max_rows;
    const uint32_t max_keys = end_of(batch, &max_rows);
    const float scale = (float)(1.0 / sqrt((double)text->head_dim));
    const LvCudaSequence *sequences = NULL;
    if (max_rows == 0)
        return 0;
    if (!step && share_caches(batch))
        return attend_ways(cuda, out, qkv, batch, layer, text, rotated);
    int code = 0;
    if (!rotated)
        code = max_rows == 1 ? lv_cuda_reserve_rope(cuda, max_keys, text)
                             : rope_store(cuda, step, qkv, batch, layer, text);
    if (code == 0)
        code = send_batch(cuda, step, batch, &sequences);
    if (code != 0)
        return code;
    const LvCudaBatch args = batch_of(cuda, sequences, batch, layer, text);
    if (max_rows == 1)
        return decode(cuda, step, out, qkv, &args, max_keys, scale, rotated ? NULL : cuda->rope);
    return prefill(cuda, out, qkv, &args, max_rows, scale);
}

static LlavaovStatus attention(LvBackend *backend, const LvRun *run, const char *name, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text, bool rotated)
{
    LvCuda *cuda = lv_cuda(backend);
    if (!batch_fits(qkv, batch, layer, text) || out.rows != qkv.rows ||
        out.cols != (size_t)text->n_heads * text->head_dim)
        return lv_cuda_shape_error(run, name);
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    return lv_cuda_end(
        cuda, run, name, attend(cuda, run->step, out, qkv, batch, layer, text, rotated));
}

LlavaovStatus lv_cuda_op_attention_causal(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    return attention(backend, run, "attention_causal", out, qkv, batch, layer, text, true);
}

LlavaovStatus lv_cuda_op_rope_attention(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    return attention(backend, run, "rope_attention", out, qkv, batch, layer, text, false);
}
