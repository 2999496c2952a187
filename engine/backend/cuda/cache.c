/* SPDX-License-Identifier: Apache-2.0
 * The key-value cache. */
#include "backend/cuda/cuda.h"

LlavaovStatus lv_cuda_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache_out, LlavaovError *error)
{
    LvCuda *cuda = lv_cuda(backend);
    *cache_out = NULL;
    if (!n_layers || n_layers > LV_MAX_LAYERS || !n_kv_heads || n_kv_heads > LV_MAX_HEADS ||
        !head_dim || head_dim > LV_CUDA_MAX_HEAD_DIM || capacity > LV_MAX_CONTEXT)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL,
            "a cache of %u layers, %u heads of %u, %u tokens", n_layers, n_kv_heads, head_dim,
            capacity);
    LvKvCache *cache = lv_calloc(1, sizeof *cache);
    if (!cache)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a cache");
    cache->n_layers = n_layers;
    cache->n_kv_heads = n_kv_heads;
    cache->head_dim = head_dim;
    cache->capacity = capacity ? capacity : 1;
    cache->serial = ++cuda->n_caches;
    const size_t bytes = lv_cuda_kv_elements(n_layers, n_kv_heads, head_dim, cache->capacity) *
                         lv_dtype_bytes(cuda->type);
    int code = lv_memory_take(cuda->memory, bytes, false, &cache->data);
    if (code != 0) {
        lv_free(cache);
        return lv_cuda_no_memory(cuda, error, "a key-value cache", code);
    }
    *cache_out = cache;
    return LLAVAOV_OK;
}

void lv_cuda_kv_close(LvBackend *backend, LvKvCache *cache)
{
    if (!cache)
        return;
    lv_memory_give(lv_cuda(backend)->memory, cache->data);
    lv_free(cache);
}

/* Every head of every layer has its tokens side by side. */
static int copy_tokens(LvCuda *cuda, LvKvCache *to, const LvKvCache *from, uint32_t n)
{
    const size_t token = from->head_dim * lv_dtype_bytes(cuda->type);
    return lv_runtime_copy_rows(cuda->runtime, to->data, to->capacity * token, from->data,
        from->capacity * token, n * token, (size_t)from->n_layers * 2 * from->n_kv_heads);
}

LlavaovStatus lv_cuda_kv_fork(LvBackend *backend, const LvRun *run, LvKvCache *base, uint32_t n,
    uint32_t capacity, LvKvCache **cache)
{
    LvCuda *cuda = lv_cuda(backend);
    *cache = NULL;
    if (n > capacity || n > base->capacity)
        return lv_cuda_shape_error(run, "kv_fork");
    LlavaovStatus status = lv_cuda_kv_open(
        backend, base->n_layers, base->n_kv_heads, base->head_dim, capacity, cache, run->error);
    if (status != LLAVAOV_OK)
        return status;
    status = lv_cuda_begin(cuda, run);
    if (status == LLAVAOV_OK)
        status = lv_cuda_end(cuda, run, "kv_fork", copy_tokens(cuda, *cache, base, n));
    if (status != LLAVAOV_OK) {
        lv_cuda_kv_close(backend, *cache);
        *cache = NULL;
    }
    return status;
}
