/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/fake.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/status.h"

/* clang-format off */
#define OPERATIONS(M)                                                                              \
    M(patch_embedding) M(layer_norm) M(attention_full) M(pool_bilinear) M(pool_max)                            \
    M(linear) M(gather_rows) M(copy)                                                               \
    M(embed_tokens) M(rms_norm) M(rope_store) M(attention_causal) M(linear_gated)                  \
    M(upload) M(download) M(weight_load) M(tensor_alloc) M(kv_open)
/* clang-format on */

#define NUMBER(name) OP_##name,
#define NAME(name) #name,
enum { OPERATIONS(NUMBER) N_OPERATIONS };
static const char *const operation_names[] = {OPERATIONS(NAME)};

typedef enum Effect { EFFECT_DEVICE, EFFECT_MEMORY, EFFECT_NAN, EFFECT_ZERO } Effect;
static const char *const effect_names[] = {"fail", "memory", "nan", "zero"};

typedef struct Rule {
    Effect effect;
    int operation;
    uint64_t call;
} Rule;

typedef struct Fake {
    LvBackend base;
    LvBackend *inner;
    char detail[528];
    _Atomic uint64_t calls[N_OPERATIONS], total;
    uint64_t delay_us[N_OPERATIONS];
    uint64_t prefill_us, token_us, lost_after;
    size_t n_rules;
    Rule rules[LV_FAKE_MAX_RULES];
} Fake;

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
static LlavaovStatus before(Fake *fake, const LvRun *run, int operation, uint64_t *call)
{
    *call = ++fake->calls[operation];
    uint64_t total = operation < OP_weight_load ? ++fake->total : fake->total;
    const char *name = operation_names[operation];
    if (total > fake->lost_after)
        return lv_fail_about(run->error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, name,
            "the device was lost (fake), seen by %s", name);
    for (size_t i = 0; i < fake->n_rules; i++) {
        const Rule *rule = &fake->rules[i];
        if (rule->operation != operation || rule->call != *call)
            continue;
        if (rule->effect == EFFECT_DEVICE)
            return lv_fail_about(run->error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, name,
                "call %llu of %s failed (fake)", (unsigned long long)*call, name);
        if (rule->effect == EFFECT_MEMORY)
            return lv_fail_about(run->error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_DEVICE, name,
                "no memory for call %llu of %s (fake)", (unsigned long long)*call, name);
    }
    return sleep_us(run, fake->delay_us[operation]);
}

/* Spoils the result as asked. */
static void after(Fake *fake, int operation, uint64_t call, LvTensor out)
{
    for (size_t i = 0; i < fake->n_rules; i++) {
        const Rule *rule = &fake->rules[i];
        if (rule->operation != operation || rule->call != call || !out.rows || !out.cols)
            continue;
        if (rule->effect == EFFECT_NAN)
            *(float *)out.data = NAN;
        for (size_t r = 0; rule->effect == EFFECT_ZERO && r < out.rows; r++)
            memset((float *)out.data + r * out.stride, 0, out.cols * sizeof(float));
    }
}

/* Defines an operation that passes `arguments` on and whose result is the tensor `result`. */
#define DECORATED(name, result, parameters, arguments)                                             \
    static LlavaovStatus fake_##name parameters                                                    \
    {                                                                                              \
        Fake *fake = (Fake *)backend;                                                              \
        uint64_t call;                                                                             \
        LlavaovStatus status = before(fake, run, OP_##name, &call);                                \
        backend = fake->inner;                                                                     \
        if (status == LLAVAOV_OK)                                                                  \
            status = backend->ops->name arguments;                                                 \
        if (status == LLAVAOV_OK)                                                                  \
            after(fake, OP_##name, call, result);                                                  \
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
    Fake *fake = (Fake *)backend;
    uint64_t call;
    LlavaovStatus status = before(fake, run, OP_download, &call);
    if (status == LLAVAOV_OK)
        status = fake->inner->ops->download(fake->inner, run, dst, src);
    if (status == LLAVAOV_OK)
        after(fake, OP_download, call, (LvTensor){dst, LV_F32, src.rows, src.cols, src.cols});
    return status;
}

/* Once a layer; the first layer's call stands for the whole pass. */
static LlavaovStatus fake_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    Fake *fake = (Fake *)backend;
    uint64_t call;
    LlavaovStatus status = before(fake, run, OP_rope_store, &call);
    bool several = false;
    for (size_t i = 0; i < batch->n_sequences; i++)
        several |= batch->sequences[i].n_rows > 1;
    if (status == LLAVAOV_OK && layer == 0)
        status = sleep_us(run, several ? fake->prefill_us : fake->token_us);
    if (status == LLAVAOV_OK)
        status = fake->inner->ops->rope_store(fake->inner, run, qkv, batch, layer, text);
    if (status == LLAVAOV_OK)
        after(fake, OP_rope_store, call, qkv);
    return status;
}

static LlavaovStatus fake_synchronize(LvBackend *backend, const LvRun *run)
{
    LvBackend *inner = ((Fake *)backend)->inner;
    return inner->ops->synchronize(inner, run);
}

static LlavaovStatus fake_tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    Fake *fake = (Fake *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, OP_tensor_alloc, &call);
    *tensor = (LvTensor){0};
    return status == LLAVAOV_OK
               ? fake->inner->ops->tensor_alloc(fake->inner, rows, cols, tensor, error)
               : status;
}

static void fake_tensor_free(LvBackend *backend, LvTensor *tensor)
{
    LvBackend *inner = ((Fake *)backend)->inner;
    inner->ops->tensor_free(inner, tensor);
}

static LlavaovStatus fake_weight_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight, LlavaovError *error)
{
    Fake *fake = (Fake *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, OP_weight_load, &call);
    *weight = NULL;
    return status == LLAVAOV_OK
               ? fake->inner->ops->weight_load(fake->inner, parts, n_parts, use, weight, error)
               : status;
}

static void fake_weight_free(LvBackend *backend, LvWeight *weight)
{
    LvBackend *inner = ((Fake *)backend)->inner;
    inner->ops->weight_free(inner, weight);
}

static LlavaovStatus fake_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache, LlavaovError *error)
{
    Fake *fake = (Fake *)backend;
    LvRun run = {.error = error};
    uint64_t call;
    LlavaovStatus status = before(fake, &run, OP_kv_open, &call);
    *cache = NULL;
    return status == LLAVAOV_OK ? fake->inner->ops->kv_open(fake->inner, n_layers, n_kv_heads,
                                      head_dim, capacity, cache, error)
                                : status;
}

static void fake_kv_close(LvBackend *backend, LvKvCache *cache)
{
    LvBackend *inner = ((Fake *)backend)->inner;
    inner->ops->kv_close(inner, cache);
}

static void fake_close(LvBackend *backend)
{
    Fake *fake = (Fake *)backend;
    if (fake && fake->inner)
        fake->inner->ops->close(fake->inner);
    lv_free(fake);
}

#define MEMBER(name) .name = fake_##name,
static const LvBackendOps operations = {OPERATIONS(MEMBER).close = fake_close,
    .tensor_free = fake_tensor_free, .synchronize = fake_synchronize,
    .weight_free = fake_weight_free, .kv_close = fake_kv_close};

/* ---- the wish list ---- */

static int operation_of(const char *name, size_t n)
{
    for (int i = 0; i < N_OPERATIONS; i++)
        if (strlen(operation_names[i]) == n && memcmp(operation_names[i], name, n) == 0)
            return i;
    return -1;
}

static bool number_of(const char *text, uint64_t *value)
{
    if (*text < '0' || *text > '9' || strlen(text) > 12)
        return false;
    char *end;
    *value = strtoull(text, &end, 10);
    return *end == '\0';
}

/* OP@N */
static bool parse_rule(Fake *fake, Effect effect, const char *value)
{
    const char *at = strchr(value, '@');
    Rule rule = {
        .effect = effect, .operation = at ? operation_of(value, (size_t)(at - value)) : -1};
    if (rule.operation < 0 || !number_of(at + 1, &rule.call) || fake->n_rules == LV_FAKE_MAX_RULES)
        return false;
    fake->rules[fake->n_rules++] = rule;
    return true;
}

static bool parse_wish(Fake *fake, const char *key, const char *value, LlavaovStatus *open_status)
{
    uint64_t number = 0;
    for (int i = 0; i < 4; i++)
        if (strcmp(key, effect_names[i]) == 0)
            return parse_rule(fake, (Effect)i, value);
    if (strcmp(key, "fail-open") == 0) {
        bool memory = strcmp(value, "memory") == 0;
        *open_status = memory ? LLAVAOV_ERROR_MEMORY : LLAVAOV_ERROR_DEVICE;
        return memory || strcmp(value, "device") == 0;
    }
    if (!number_of(value, &number))
        return false;
    size_t n = strlen(key);
    if (strcmp(key, "encode-ms") == 0)
        fake->delay_us[OP_patch_embedding] += number * 1000;
    else if (strcmp(key, "load-ms") == 0)
        fake->delay_us[OP_weight_load] += number * 1000;
    else if (strcmp(key, "prefill-ms") == 0)
        fake->prefill_us = number * 1000;
    else if (strcmp(key, "token-ms") == 0)
        fake->token_us = number * 1000;
    else if (strcmp(key, "lost-after") == 0)
        fake->lost_after = number;
    else if (n > 3 && strcmp(key + n - 3, "-us") == 0 && operation_of(key, n - 3) >= 0)
        fake->delay_us[operation_of(key, n - 3)] += number;
    else
        return false;
    return true;
}

static LlavaovStatus parse_wishes(
    Fake *fake, const char *text, LlavaovStatus *open_status, LlavaovError *error)
{
    char *copy = lv_strdup(text), *rest = copy;
    if (!copy)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the fake backend");
    LlavaovStatus status = LLAVAOV_OK;
    while (rest && status == LLAVAOV_OK) {
        char *wish = rest, *end = strchr(rest, ';'), *equals;
        rest = end ? end + 1 : NULL;
        if (end)
            *end = '\0';
        if (!*wish)
            continue;
        equals = strchr(wish, '=');
        if (equals)
            *equals = '\0';
        if (!equals || !parse_wish(fake, wish, equals + 1, open_status))
            status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_DEVICE, "device",
                "fake backend: \"%s%s%s\" is not understood", wish, equals ? "=" : "",
                equals ? equals + 1 : "");
    }
    lv_free(copy);
    return status;
}

LlavaovStatus lv_backend_fake_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    Fake *fake = lv_calloc(1, sizeof *fake);
    if (!fake)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the fake backend");
    fake->lost_after = UINT64_MAX;
    LlavaovStatus open_status = LLAVAOV_OK;
    LlavaovStatus status = parse_wishes(fake, options->parsed.wishes, &open_status, error);
    if (status == LLAVAOV_OK && open_status != LLAVAOV_OK)
        status = lv_fail_about(
            error, open_status, LLAVAOV_ABOUT_DEVICE, "device", "opening failed (fake)");
    if (status == LLAVAOV_OK) {
        LvBackendOptions inner = *options;
        inner.device = "cpu";
        status = lv_backend_cpu_open(&inner, &fake->inner, error);
    }
    if (status != LLAVAOV_OK) {
        fake_close(&fake->base);
        return status;
    }
    fake->base.ops = &operations;
    fake->base.info = fake->inner->info;
    snprintf(fake->detail, sizeof fake->detail, "fake: %s", fake->inner->info.detail);
    fake->base.info.device = "fake";
    fake->base.info.detail = fake->detail;
    *backend = &fake->base;
    return LLAVAOV_OK;
}
