/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/status.h"

#define NAME(name) #name,
const char *const fake_operation_names[] = {FAKE_OPERATIONS(NAME)};

/* ---- what happens around a call ---- */

static LlavaovStatus sleep_us(const LvRun *run, uint64_t us)
{
    while (us && !lv_cancelled(run->cancel)) {
        uint64_t piece = us < 2000 ? us : 2000;
        struct timespec time = {0, (long)piece * 1000};
        nanosleep(&time, NULL);
        us -= piece;
    }
    return lv_cancelled(run->cancel)
               ? lv_fail(run->error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled")
               : LLAVAOV_OK;
}

/* Sleeps and fails as asked; *call is the number of this call. */
static LlavaovStatus before(FakeDevice *fake, const LvRun *run, int operation, uint64_t *call)
{
    *call = ++fake->calls[operation];
    uint64_t total = operation < FAKE_weight_load ? ++fake->total : fake->total;
    const char *name = fake_operation_names[operation];
    if (total > fake->lost_after)
        return lv_fail_about(run->error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, name,
            "the device was lost (fake), seen by %s", name);
    for (size_t i = 0; i < fake->n_rules; i++) {
        const FakeRule *rule = &fake->rules[i];
        if (rule->operation != operation || rule->call != *call)
            continue;
        if (rule->effect == FAKE_FAIL)
            return lv_fail_about(run->error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, name,
                "call %llu of %s failed (fake)", (unsigned long long)*call, name);
        if (rule->effect == FAKE_NO_MEMORY)
            return lv_fail_about(run->error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_DEVICE, name,
                "no memory for call %llu of %s (fake)", (unsigned long long)*call, name);
    }
    return sleep_us(run, fake->delay_us[operation]);
}

/* Spoils the result as asked. */
static void after(FakeDevice *fake, int operation, uint64_t call, LvTensor out)
{
    for (size_t i = 0; i < fake->n_rules; i++) {
        const FakeRule *rule = &fake->rules[i];
        if (rule->operation != operation || rule->call != call || !out.rows || !out.cols)
            continue;
        if (rule->effect == FAKE_NAN)
            *(float *)out.data = NAN;
        for (size_t r = 0; rule->effect == FAKE_ZERO && r < out.rows; r++)
            memset((float *)out.data + r * out.stride, 0, out.cols * sizeof(float));
    }
}

/* Defines an operation that passes `arguments` on and whose result is the tensor `result`. */
#define DECORATED(name, result, parameters, arguments)                                             \
    static LlavaovStatus fake_##name parameters                                                    \
    {                                                                                              \
        FakeDevice *fake = (FakeDevice *)backend;                                                  \
        uint64_t call;                                                                             \
        LlavaovStatus status = before(fake, run, FAKE_##name, &call);                              \
        backend = fake->inner;                                                                     \
        if (status == LLAVAOV_OK)                                                                  \
            status = backend->ops->name arguments;                                                 \
        if (status == LLAVAOV_OK)                                                                  \
            after(fake, FAKE_##name, call, result);                                                \
        return status;                                                                             \
    }

DECORATED(patch_embedding, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, const LvTile *tiles, size_t n_tiles,
        const LvVisionConfig *vision, const LvWeight *weight, const LvWeight *bias,
        const LvWeight *position),
    (backend, run, out, tiles, n_tiles, vision, weight, bias, position))
DECORATED(layer_norm, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, const LvWeight *scale,
        const LvWeight *bias, double eps),
    (backend, run, out, in, scale, bias, eps))
DECORATED(attention_full, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor qkv, size_t n_items,
        size_t n_tokens, uint32_t n_heads, uint32_t head_dim),
    (backend, run, out, qkv, n_items, n_tokens, n_heads, head_dim))
DECORATED(pool_bilinear, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, size_t n_items,
        uint32_t in_h, uint32_t in_w, uint32_t out_h, uint32_t out_w),
    (backend, run, out, in, n_items, in_h, in_w, out_h, out_w))
DECORATED(pool_max, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, size_t n_items,
        uint32_t in_h, uint32_t in_w),
    (backend, run, out, in, n_items, in_h, in_w))
DECORATED(linear, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, const LvWeight *weight,
        const LvWeight *bias, LvActivation activation, const LvTensor *residual),
    (backend, run, out, in, weight, bias, activation, residual))
DECORATED(gather_rows, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, const uint32_t *rows),
    (backend, run, out, in, rows))
DECORATED(copy, out, (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in),
    (backend, run, out, in))
DECORATED(embed_tokens, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, const int32_t *ids,
        const LvWeight *table),
    (backend, run, out, ids, table))
DECORATED(rms_norm, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, const LvWeight *scale,
        double eps),
    (backend, run, out, in, scale, eps))
DECORATED(attention_causal, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor qkv, const LvBatch *batch,
        uint32_t layer, const LvTextConfig *text),
    (backend, run, out, qkv, batch, layer, text))
DECORATED(linear_gated, out,
    (LvBackend * backend, const LvRun *run, LvTensor out, LvTensor in, const LvWeight *gate_up,
        LvActivation activation),
    (backend, run, out, in, gate_up, activation))
DECORATED(upload, dst, (LvBackend * backend, const LvRun *run, LvTensor dst, const float *src),
    (backend, run, dst, src))

static LlavaovStatus fake_download(LvBackend *backend, const LvRun *run, float *dst, LvTensor src)
{
    FakeDevice *fake = (FakeDevice *)backend;
    uint64_t call;
    LlavaovStatus status = before(fake, run, FAKE_download, &call);
    if (status == LLAVAOV_OK)
        status = fake->inner->ops->download(fake->inner, run, dst, src);
    if (status == LLAVAOV_OK)
        after(fake, FAKE_download, call, (LvTensor){dst, LV_F32, src.rows, src.cols, src.cols});
    return status;
}

/* Once a layer; the first layer's call stands for the whole pass. */
static LlavaovStatus fake_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    FakeDevice *fake = (FakeDevice *)backend;
    uint64_t call;
    LlavaovStatus status = before(fake, run, FAKE_rope_store, &call);
    bool several = false;
    for (size_t i = 0; i < batch->n_sequences; i++)
        several |= batch->sequences[i].n_rows > 1;
    if (status == LLAVAOV_OK && layer == 0)
        status = sleep_us(run, 1000 * (several ? fake->prefill_ms : fake->token_ms));
    if (status == LLAVAOV_OK)
        status = fake->inner->ops->rope_store(fake->inner, run, qkv, batch, layer, text);
    if (status == LLAVAOV_OK)
        after(fake, FAKE_rope_store, call, qkv);
    return status;
}

static LlavaovStatus fake_synchronize(LvBackend *backend, const LvRun *run)
{
    LvBackend *inner = ((FakeDevice *)backend)->inner;
    return inner->ops->synchronize(inner, run);
}

static LlavaovStatus fake_tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    FakeDevice *fake = (FakeDevice *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, FAKE_tensor_alloc, &call);
    *tensor = (LvTensor){0};
    return status == LLAVAOV_OK
               ? fake->inner->ops->tensor_alloc(fake->inner, rows, cols, tensor, error)
               : status;
}

static LlavaovStatus fake_kept_tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    FakeDevice *fake = (FakeDevice *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, FAKE_kept_tensor_alloc, &call);
    *tensor = (LvTensor){0};
    return status == LLAVAOV_OK
               ? fake->inner->ops->kept_tensor_alloc(fake->inner, rows, cols, tensor, error)
               : status;
}

static void fake_kept_tensor_free(LvBackend *backend, LvTensor *tensor)
{
    LvBackend *inner = ((FakeDevice *)backend)->inner;
    inner->ops->kept_tensor_free(inner, tensor);
}

static void fake_tensor_free(LvBackend *backend, LvTensor *tensor)
{
    LvBackend *inner = ((FakeDevice *)backend)->inner;
    inner->ops->tensor_free(inner, tensor);
}

static LlavaovStatus fake_weight_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight, LlavaovError *error)
{
    FakeDevice *fake = (FakeDevice *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, FAKE_weight_load, &call);
    *weight = NULL;
    return status == LLAVAOV_OK
               ? fake->inner->ops->weight_load(fake->inner, parts, n_parts, use, weight, error)
               : status;
}

static void fake_weight_free(LvBackend *backend, LvWeight *weight)
{
    LvBackend *inner = ((FakeDevice *)backend)->inner;
    inner->ops->weight_free(inner, weight);
}

static LlavaovStatus fake_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache, LlavaovError *error)
{
    FakeDevice *fake = (FakeDevice *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, FAKE_kv_open, &call);
    *cache = NULL;
    return status == LLAVAOV_OK ? fake->inner->ops->kv_open(fake->inner, n_layers, n_kv_heads,
                                      head_dim, capacity, cache, error)
                                : status;
}

static LlavaovStatus fake_kv_fork(LvBackend *backend, const LvRun *run, LvKvCache *base, uint32_t n,
    uint32_t capacity, LvKvCache **cache)
{
    FakeDevice *fake = (FakeDevice *)backend;
    uint64_t call;
    LlavaovStatus status = before(fake, run, FAKE_kv_fork, &call);
    *cache = NULL;
    return status == LLAVAOV_OK
               ? fake->inner->ops->kv_fork(fake->inner, run, base, n, capacity, cache)
               : status;
}

static void fake_kv_close(LvBackend *backend, LvKvCache *cache)
{
    LvBackend *inner = ((FakeDevice *)backend)->inner;
    inner->ops->kv_close(inner, cache);
}

static void fake_close(LvBackend *backend)
{
    FakeDevice *fake = (FakeDevice *)backend;
    if (fake->inner)
        fake->inner->ops->close(fake->inner);
    lv_free(fake);
}

#define MEMBER(name) .name = fake_##name,
const LvBackendOps fake_device_ops = {FAKE_OPERATIONS(MEMBER).close = fake_close,
    .tensor_free = fake_tensor_free, .kept_tensor_free = fake_kept_tensor_free,
    .synchronize = fake_synchronize, .weight_free = fake_weight_free, .kv_close = fake_kv_close};
