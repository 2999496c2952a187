/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"
#include "model/try.h"
#include "model/warm.h"
#include "picture/picture.h"
#include "serve/event.h"
#include "serve/pictures.h"
#include "serve/quantise_cache.h"
#include "serve/remote.h"
#include "serve/request.h"
#include "serve/scheduler.h"
#include "base/clock.h"
#include "serve/thread.h"
#include "text/chat.h"

/* The backend is opened on a thread of low priority, because its own threads inherit that. */
typedef struct BackendOpening {
    LvBackendOptions options;
    LvBackend *backend;
    LlavaovStatus status;
    LlavaovError *error;
} BackendOpening;

static void *open_backend_main(void *data)
{
    BackendOpening *opening = data;
    opening->status = lv_backend_open(&opening->options, &opening->backend, opening->error);
    return NULL;
}

static LlavaovStatus open_backend(
    LlavaovEngine *engine, const LlavaovEngineOptions *options, LlavaovError *error)
{
    BackendOpening opening = {
        .options = {.device = options->device,
            .precision = options->precision,
            .kv_precision = options->kv_precision,
            .threads = options->threads,
            .cpu_mask = options->cpu_mask,
            .config = lv_checkpoint_config(engine->checkpoint),
            .weight_elements = lv_checkpoint_weight_elements(engine->checkpoint)},
        .error = error,
    };
    pthread_t thread;
    if (!lv_thread_start(&thread, "llavaov-open", open_backend_main, &opening))
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "a thread cannot be started");
    pthread_join(thread, NULL);
    engine->backend = opening.backend;
    return opening.status;
}

/* The caller's progress, in bytes of weights; warming up counts as a twentieth of them. */
typedef struct LoadProgress {
    LlavaovProgress progress;
    void *data;
    uint64_t bytes, warming;
} LoadProgress;

static bool weights_ready(void *data, uint64_t done, uint64_t total)
{
    const LoadProgress *p = data;
    return p->progress(p->data, done, total + p->warming);
}

static bool calls_done(void *data, uint64_t done, uint64_t total)
{
    const LoadProgress *p = data;
    const uint64_t share = total ? p->warming * done / total : p->warming;
    return p->progress(p->data, p->bytes + share, p->bytes + p->warming);
}

static LlavaovStatus load(
    LlavaovEngine *engine, const LlavaovEngineOptions *options, LlavaovError *error)
{
    LvWarm warm = lv_warm_of(engine->backend);
    LoadProgress p = {.progress = options->progress,
        .data = options->progress_data,
        .bytes = lv_checkpoint_weight_bytes(engine->checkpoint)};
    if (warm.milliseconds)
        p.warming = p.bytes / 20;
    LlavaovStatus status = lv_model_open(engine->checkpoint, engine->backend,
        p.progress ? weights_ready : NULL, &p, &engine->model, error);
    if (status != LLAVAOV_OK || !warm.milliseconds)
        return status;
    warm.progress = p.progress ? calls_done : NULL;
    warm.progress_data = &p;
    return lv_model_warm(engine->model, &warm, NULL, error);
}

/* The folder's, or what the cache has of it. */
static LlavaovStatus open_checkpoint(
    LlavaovEngine *engine, const LlavaovEngineOptions *options, LlavaovError *error)
{
    const LvQuantiseOptions quantise = {.precision = options->precision,
        .threads = options->threads,
        .cpu_mask = options->cpu_mask,
        .progress = options->progress,
        .progress_data = options->progress_data};
    char path[PATH_MAX];
    LlavaovStatus status = lv_checkpoint_open(options->model_path, &engine->checkpoint, error);
    if (status != LLAVAOV_OK || !options->quantized_cache || !*options->quantized_cache ||
        lv_checkpoint_config(engine->checkpoint)->quantisation.present ||
        (options->precision != LLAVAOV_PRECISION_INT8 &&
            options->precision != LLAVAOV_PRECISION_INT4))
        return status;
    lv_checkpoint_close(engine->checkpoint);
    engine->checkpoint = NULL;
    status = lv_quantise_cached(
        path, engine->told, options->quantized_cache, options->model_path, &quantise, error);
    return status == LLAVAOV_OK ? lv_checkpoint_open(path, &engine->checkpoint, error) : status;
}

/* The checkpoint's end tokens and the template's own turn end. */
static LlavaovStatus collect_stop_tokens(LlavaovEngine *engine, LlavaovError *error)
{
    const LvConfig *config = lv_checkpoint_config(engine->checkpoint);
    LlavaovIds ids = lv_checkpoint_generation(engine->checkpoint)->rules.stop_tokens;
    if (ids.n == 0)
        ids = (LlavaovIds){config->eos_tokens, config->n_eos_tokens};
    engine->stop_tokens = lv_alloc(ids.n + 1, sizeof *engine->stop_tokens);
    if (!engine->stop_tokens)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for stop tokens");
    for (size_t i = 0; i < ids.n; i++)
        engine->stop_tokens[engine->n_stop_tokens++] = ids.ids[i];
    int32_t turn_end = lv_tokenizer_added_token(engine->tokenizer, "<|im_end|>");
    if (turn_end >= 0)
        engine->stop_tokens[engine->n_stop_tokens++] = turn_end;
    return LLAVAOV_OK;
}

static LlavaovStatus name_model(LlavaovEngine *engine, const char *path, LlavaovError *error)
{
    engine->path = lv_strdup(path);
    if (!engine->path)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a path");
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    engine->name = lv_alloc(end - start + 1, 1);
    if (!engine->name)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a name");
    memcpy(engine->name, path + start, end - start);
    engine->name[end - start] = '\0';
    return LLAVAOV_OK;
}

static void describe(LlavaovEngine *engine, const LlavaovEngineOptions *options, uint64_t load_ns)
{
    const LvConfig *config = engine->model->config;
    const uint32_t pooled = lv_pooled_grid(config);
    const LvHostTensor *table = lv_checkpoint_tensor(engine->checkpoint, "T.embed_tokens.weight");
    const LvHostTensor *layer =
        lv_checkpoint_tensor(engine->checkpoint, "T.layers.0.mlp.gate_proj.weight");
    if (layer && !lv_traits_float(lv_dtype_traits(layer->dtype)))
        table = layer; /* quantised: what most of the weights are */
    LlavaovEngineInfo *info = &engine->info;
    info->model_path = engine->path;
    info->model_name = engine->name;
    info->generation_notice = lv_checkpoint_generation(engine->checkpoint)->notice;
    info->device = engine->backend->info.device;
    info->device_detail = engine->backend->info.detail;
    if (*engine->told) {
        snprintf(engine->detail, sizeof engine->detail, "%s; %s", engine->backend->info.detail,
            engine->told);
        info->device_detail = engine->detail;
    }
    info->precision = options->precision != LLAVAOV_PRECISION_AUTO
                          ? llavaov_precision_name(options->precision)
                      : engine->backend->info.activation_dtype != LV_F32
                          ? lv_dtype_name(engine->backend->info.activation_dtype)
                      : table ? lv_dtype_name(table->dtype)
                              : lv_dtype_name(LV_F32);
    info->threads = engine->backend->info.threads;
    info->image_size = config->vision.image_size;
    info->tokens_per_frame = pooled * pooled;
    info->context_length = config->text.context_length;
    info->weight_bytes = lv_checkpoint_weight_bytes(engine->checkpoint);
    info->load_ns = load_ns;
}

static LlavaovStatus start_threads(LlavaovEngine *engine, LlavaovError *error)
{
    const struct {
        const char *name;
        void *(*main)(void *);
    } threads[LV_ENGINE_THREADS] = {
        {engine->remote ? "llavaov-remote" : "llavaov-infer",
            engine->remote ? lv_remote_main : lv_scheduler_main},
        {"llavaov-picture", lv_pictures_main},
        {"llavaov-events", lv_event_main},
    };
    for (; engine->n_threads < LV_ENGINE_THREADS; engine->n_threads++)
        if (!lv_thread_start(&engine->threads[engine->n_threads], threads[engine->n_threads].name,
                threads[engine->n_threads].main, engine))
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "a thread cannot be started");
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_engine_open(
    const LlavaovEngineOptions *given, LlavaovEngine **engine_out, LlavaovError *error)
{
    *engine_out = NULL;
    LlavaovError ignored;
    if (!error)
        error = &ignored;
    lv_error_clear(error);
    LlavaovEngineOptions known;
    LlavaovStatus status =
        lv_struct_read(&known, sizeof known, given, "LlavaovEngineOptions", error);
    if (status != LLAVAOV_OK)
        return status;
    const LlavaovEngineOptions *options = &known;
    const bool is_remote = options->device && !strcmp(options->device, "remote");
    if (!options->model_path || !*options->model_path)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model-path",
            "no checkpoint folder is given");
    if (options->threads > LV_MAX_THREADS)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "threads",
            "threads is %u, must be at most %u", options->threads, LV_MAX_THREADS);
    if ((unsigned)options->resize > LLAVAOV_RESIZE_PILLOW)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "resize",
            "resize %d does not exist", (int)options->resize);
    LlavaovEngine *engine = lv_calloc(1, sizeof *engine);
    if (!engine)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an engine");
    atomic_init(&engine->refs, 1);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_mutex_init(&engine->trie_lock, NULL);
    pthread_cond_init(&engine->work, NULL);
    pthread_cond_init(&engine->pictures, NULL);
    pthread_cond_init(&engine->events, NULL);
    pthread_cond_init(&engine->idle, NULL);
    lv_list_init(&engine->sessions);
    lv_list_init(&engine->active);
    lv_list_init(&engine->with_events);
    lv_list_init(&engine->with_pictures);
    lv_list_init(&engine->kept);
    lv_admission_init(&engine->admission);

    const uint64_t start = lv_now_ns();
    LV_TRY(name_model(engine, options->model_path, error));
    LV_TRY(is_remote ? lv_checkpoint_open_configs(options->model_path, &engine->checkpoint, error)
                     : open_checkpoint(engine, options, error));
    LV_TRY(lv_tokenizer_open_folder(options->model_path, &engine->tokenizer, error));
    LV_TRY(lv_chat_prepare(
        engine->tokenizer, lv_placeholders(lv_checkpoint_config(engine->checkpoint)), error));
    /* Sessions may have another one, so that none is no reason to fail. */
    llavaov_chat_template_open(
        options->model_path, NULL, &engine->chat_template, &engine->template_error);
    if (is_remote) {
        LV_TRY(lv_engine_open_remote(engine, options, error));
    } else {
        LV_TRY(open_backend(engine, options, error));
        LV_TRY(load(engine, options, error));
    }
    engine->resize = lv_resize_of(engine->model->config, options->resize);
    LV_TRY(collect_stop_tokens(engine, error));
    describe(engine, options, lv_now_ns() - start);
    LV_TRY(start_threads(engine, error));
    *engine_out = engine;
    return LLAVAOV_OK;
done:
    llavaov_engine_unref(engine);
    return status;
}
