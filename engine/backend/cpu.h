/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of the CPU backend. */
#ifndef LV_CPU_H
#define LV_CPU_H

#include <stdatomic.h>

#include "backend/backend.h"
#include "backend/pool.h"
#include "backend/rope.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "int4.h"
#include "int8.h"
#include "ops.h"

/* A buffer that only grows. */
typedef struct LvCpuScratch {
    float *data;
    size_t size;
} LvCpuScratch;

/* Cosines and sines of positions first .. first + n - 1 (rope.h). */
typedef struct LvCpuRope {
    LvCpuScratch table;
    LvRope made_for;
    uint32_t head_dim, variant, first, n;
} LvCpuRope;

/* What linear weights become while they are loaded. */
typedef struct LvQuantised {
    LvDtype type; /* LV_F32: they stay as they are stored, unless: */
    bool nested;  /* scales are rounded to what nested ones hold */
    bool int8;    /* they become int8 (cpu_int8.h) */
    bool int4;    /* with int8: the decoder's layers become int4 (cpu_int4.h), and the head int8 */
} LvQuantised;

typedef struct LvCpu {
    LvBackend base;
    LvQuantised quantised;
    LvDtype kv; /* what caches hold: LV_F32 or LV_F16 */
    char detail[512];
    const LvKernels *kernels;
    const LvInt8Kernels *int8;
    const LvInt4Kernels *int4;
    LvPool *pool;
    LvCpuScratch *workers;     /* one a thread */
    LvCpuScratch packed;       /* packed operands, partial states of split attention */
    LvCpuRope rope;            /* for short passes, from position 0 on; grows */
    LvCpuRope rope_pass;       /* for the current rows, where their pass has its own frequencies */
    float pixel_value[3][256]; /* for the pixel values requested last */
    LvPixelValues pixel_values;
} LvCpu;

/* A weight stays where the checkpoint has it, in its parts, unless it is quantised; a VECTOR is
 * converted and packed. Where there is int8 or int4, products take that and nothing else of the parts than
 * their sizes. */
struct LvWeight {
    size_t rows, cols;
    float *vector;      /* rows * cols floats, or NULL */
    LvInt8Matrix *int8; /* one a part, or NULL */
    LvInt4Matrix *int4; /* the same; not both */
    uint64_t owned; /* a bit for each part whose data and scales are the weight's own: quantised */
    size_t n_parts; /* at most 64 */
    LvMatrix parts[]; /* and behind them their scales and minimums */
};

/* The first n_base tokens of a fork are read where its base has them. */
struct LvKvCache {
    atomic_uint refs; /* the owner's and the forks' */
    LvKvCache *base;  /* a reference, to a cache without a base; or NULL, with n_base 0 */
    size_t n_base;
    uint32_t n_layers, n_kv_heads, head_dim;
    /* Of the tokens from n_base on: */
    size_t capacity;             /* a multiple of the kernels' tile_rows */
    size_t key_size, value_size; /* numbers of one head's panels */
    LvDtype held;                /* what they are: LV_F32 or LV_F16 */
    void *data;                  /* [layer][head] keys, then values */
};

static inline LvCpu *lv_cpu(LvBackend *backend)
{
    return (LvCpu *)backend;
}

static inline void *lv_kv_keys(const LvKvCache *cache, uint32_t layer, uint32_t head)
{
    return (char *)cache->data + ((size_t)layer * cache->n_kv_heads + head) *
                                     (cache->key_size + cache->value_size) *
                                     lv_dtype_bytes(cache->held);
}

static inline void *lv_kv_values(const LvKvCache *cache, uint32_t layer, uint32_t head)
{
    return (char *)lv_kv_keys(cache, layer, head) + cache->key_size * lv_dtype_bytes(cache->held);
}

static inline size_t lv_ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline const float *lv_row(LvTensor t, size_t row)
{
    return (const float *)t.data + row * t.stride;
}

static inline float *lv_row_out(LvTensor t, size_t row)
{
    return (float *)t.data + row * t.stride;
}

/* Makes room for `floats` (a == SIZE_MAX overflow is refused too). */
LlavaovStatus lv_cpu_scratch_reserve(LvCpuScratch *scratch, size_t floats, LlavaovError *error);
/* The same for every worker. */
LlavaovStatus lv_cpu_workers_reserve(LvCpu *cpu, size_t floats, LlavaovError *error);
/* Runs a loop on the pool; a raised cancel flag becomes LLAVAOV_ERROR_CANCELLED. */
LlavaovStatus lv_cpu_run(
    LvCpu *cpu, const LvRun *run, size_t n_units, size_t most, LvPoolTask task, void *data);
LlavaovStatus lv_cancelled_status(const LvRun *run);
/* An error for operands that violate the operation's contract. */
LlavaovStatus lv_shape_error(const LvRun *run, const char *operation);
LvFunction lv_function_of(LvActivation activation);

/* ---- cpu_linear.c ---- */
LlavaovStatus lv_cpu_linear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const LvWeight *bias, LvActivation activation,
    const LvTensor *residual);
LlavaovStatus lv_cpu_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *gate_up, LvActivation activation);
LlavaovStatus lv_cpu_patch_embedding(LvBackend *backend, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight,
    const LvWeight *bias, const LvWeight *position);
/* ---- cpu_cache.c ---- */
LlavaovStatus lv_cpu_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache, LlavaovError *error);
LlavaovStatus lv_cpu_kv_fork(LvBackend *backend, const LvRun *run, LvKvCache *base, uint32_t n,
    uint32_t capacity, LvKvCache **cache);
void lv_cpu_kv_close(LvBackend *backend, LvKvCache *cache);
LlavaovStatus lv_cpu_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
/* Stores one sequence's keys and values, rotated already, again: those of another way were stored
 * over them. */
LlavaovStatus lv_cpu_store_again(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvSequence *sequence, uint32_t layer, const LvTextConfig *text);
/* Whether rows of queries, keys and values fit the batch and its caches. */
bool lv_cpu_batch_fits(
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
/* ---- cpu_attention.c ---- */
LlavaovStatus lv_cpu_attention_full(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, size_t n_items, size_t n_tokens, uint32_t n_heads, uint32_t head_dim);
LlavaovStatus lv_cpu_attention_causal(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
/* ---- cpu_rows.c ---- */
LlavaovStatus lv_cpu_layer_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, const LvWeight *bias, double eps);
LlavaovStatus lv_cpu_rms_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, double eps);
LlavaovStatus lv_cpu_pool_max(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    size_t n_items, uint32_t in_h, uint32_t in_w);
LlavaovStatus lv_cpu_pool_bilinear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    size_t n_items, uint32_t in_h, uint32_t in_w, uint32_t out_h, uint32_t out_w);
LlavaovStatus lv_cpu_gather_rows(
    LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in, const uint32_t *rows);
LlavaovStatus lv_cpu_copy(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in);
LlavaovStatus lv_cpu_embed_tokens(
    LvBackend *backend, const LvRun *run, LvTensor out, const int32_t *ids, const LvWeight *table);

/* ---- cpu_weight.c ---- */
LlavaovStatus lv_cpu_weight_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight, LlavaovError *error);
void lv_cpu_weight_free(LvBackend *backend, LvWeight *weight);

#endif
