/* SPDX-License-Identifier: Apache-2.0
 * Opening the CUDA backend, its table, and the module that holds it. */
#define _GNU_SOURCE /* secure_getenv */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda.h"
#include "backend/module.h"

/* One encoder call, one piece of a prefill and one decoding step that fill a large GPU.
 *
 * Rows of a prefill, an estimate for the 0.5B model on the 132 multiprocessors of an H100 with
 * tiles of 128 x 256 (gate and up, 9,728 columns) and 128 x 128 (output and down, 896): 17 rows of
 * tiles make 4.9 and 0.9 rounds, where 16 make 4.6 and 0.85, and 6,303 tokens are three chunks
 * instead of three and a rest. What gate and up give, 19 KiB a row, still fits the L2 of 50 MB.
 * The option rows sets another number, to measure with. */
#define PREFERRED_TILES 32u
#define PREFERRED_ROWS 2176u
#define PREFERRED_SEQUENCES LV_STEP_MOST
#define LEAST_MAJOR 8u          /* compute capability */
#define WGMMA_MAJOR 9u          /* the one with wgmma */
#define FP8_CAPABILITY 89u      /* ten times the least compute capability for fp8 */
#define FP8_ROWS_CAPABILITY 90u /* the one with scales of rows */
#define ROPE_POSITIONS 32768u   /* of the rotary table when it is made; it grows with the context */

/* LvBackendInfo.slice_flops: what a GPU is taken to do in the time at the rate of prefill, a third
 * of its dense rate (short products, and attention). The option slice-us sets another
 * time; 0: slices are not bounded. */
#define SLICE_US 2000u
#define PREFILL_SHARE (1.0 / 3)

/* LvBackendInfo.warm_ms; the option warm-ms sets another time. */
#define WARM_MS 2000u

/* Dense operations a second of one multiprocessor, sums in float32, from data sheets: A100 312e12 /
 * 108, H100 989e12 / 132, B200 2250e12 / 148; others from GeForce RTX 3090 on (71e12 / 82).
 * Products in float32 use no tensor cores. */
static double processor_flops(const LvCuda *cuda)
{
    if (cuda->type == LV_F32)
        return 0.3e12;
    if (cuda->facts.major == 8 && cuda->facts.minor == 0)
        return 2.9e12;
    return cuda->facts.major == 9 ? 7.5e12 : cuda->facts.major == 10 ? 15e12 : 1e12;
}

/* Sizes of what the device does at once. */
typedef struct Sizes {
    uint32_t tiles, rows, slice_us, warm_ms;
} Sizes;

static Sizes choose_sizes(const LvDevice *device)
{
    Sizes sizes = {PREFERRED_TILES, PREFERRED_ROWS, SLICE_US, WARM_MS};
    if (device->rows != LV_DEVICE_UNSET)
        sizes.rows = device->rows;
    if (device->slice_us != LV_DEVICE_UNSET)
        sizes.slice_us = device->slice_us;
    if (device->warm_ms != LV_DEVICE_UNSET)
        sizes.warm_ms = device->warm_ms;
    return sizes;
}

static void cuda_close(LvBackend *backend)
{
    LvCuda *cuda = lv_cuda(backend);
    if (!cuda)
        return;
    if (cuda->runtime) {
        if (lv_runtime_enter(cuda->runtime) == 0)
            lv_runtime_synchronize(cuda->runtime);
        if (cuda->memory) {
            lv_steps_close(cuda);
            lv_encoder_forget(cuda);
            lv_staging_close(cuda);
            lv_pictures_close(cuda);
            lv_memory_give(cuda->memory, cuda->rope);
            lv_memory_give(cuda->memory, cuda->sequences);
        }
        lv_memory_close(cuda->memory);
        lv_runtime_close(cuda->runtime);
    }
    lv_free(cuda->known);
    pthread_mutex_destroy(&cuda->pictures.lock);
    pthread_mutex_destroy(&cuda->lock);
    lv_free(cuda);
}

static const LvBackendOps operations = {
    .close = cuda_close,
    .tensor_alloc = lv_cuda_tensor_alloc,
    .tensor_free = lv_cuda_tensor_free,
    .kept_tensor_alloc = lv_cuda_tensor_alloc,
    .kept_tensor_free = lv_cuda_tensor_free,
    .upload = lv_cuda_upload,
    .download = lv_cuda_download,
    .synchronize = lv_cuda_synchronize,
    .weight_load = lv_cuda_weight_load,
    .weight_free = lv_cuda_weight_free,
    .kv_open = lv_cuda_kv_open,
    .kv_fork = lv_cuda_kv_fork,
    .kv_close = lv_cuda_kv_close,
    .picture_take = lv_cuda_picture_take,
    .picture_free = lv_cuda_picture_free,
    .patch_embedding = lv_cuda_op_patch_embedding,
    .layer_norm = lv_cuda_op_layer_norm,
    .attention_full = lv_cuda_op_attention_full,
    .pool_bilinear = lv_cuda_op_pool_bilinear,
    .pool_max = lv_cuda_op_pool_max,
    .linear = lv_cuda_op_linear,
    .gather_rows = lv_cuda_op_gather_rows,
    .copy = lv_cuda_op_copy,
    .embed_tokens = lv_cuda_op_embed_tokens,
    .rms_norm = lv_cuda_op_rms_norm,
    .rope_store = lv_cuda_op_rope_store,
    .attention_causal = lv_cuda_op_attention_causal,
    .linear_gated = lv_cuda_op_linear_gated,
    .sample = lv_cuda_op_sample,
    .norm_linear = lv_cuda_op_norm_linear,
    .norm_linear_gated = lv_cuda_op_norm_linear_gated,
    .rope_attention = lv_cuda_op_rope_attention,
    .norm_linear_greedy = lv_cuda_op_norm_linear_greedy,
    .step_begin = lv_cuda_op_step_begin,
    .step_end = lv_cuda_op_step_end,
    .pass_begin = lv_cuda_op_pass_begin,
    .pass_end = lv_cuda_op_pass_end,
    .notice = lv_cuda_op_notice,
};

static LlavaovStatus choose_type(LvCuda *cuda, LlavaovPrecision precision, LlavaovError *error)
{
    switch (precision) {
    case LLAVAOV_PRECISION_AUTO:
    case LLAVAOV_PRECISION_BF16:
        cuda->type = LV_BF16;
        return LLAVAOV_OK;
    case LLAVAOV_PRECISION_F32:
        cuda->type = LV_F32;
        return LLAVAOV_OK;
    case LLAVAOV_PRECISION_FP8:
        cuda->type = LV_BF16;
        cuda->fp8 = LV_SCALE_ROW; /* choose_scaling */
        return LLAVAOV_OK;
    default:
        break;
    }
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "precision",
        "the CUDA backend computes in bf16, float32 or fp8; use precision \"auto\", \"bf16\", "
        "\"f32\" or \"fp8\"");
}

/* Caches hold what is computed in. */
static LlavaovStatus check_kv(const LvCuda *cuda, LlavaovPrecision kv, LlavaovError *error)
{
    const LlavaovPrecision own =
        cuda->type == LV_F32 ? LLAVAOV_PRECISION_F32 : LLAVAOV_PRECISION_BF16;
    if (kv == LLAVAOV_PRECISION_AUTO || kv == own)
        return LLAVAOV_OK;
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "kv-precision",
        "the CUDA backend holds keys and values in what it computes in; use kv-precision \"auto\"");
}

/* cuBLASLt takes a scale for each row on compute capability 9.0 alone, and elsewhere one for all. */
static LlavaovStatus choose_scaling(LvCuda *cuda, const char *label, LlavaovError *error)
{
    const uint32_t major = cuda->facts.major, minor = cuda->facts.minor;
    if (cuda->fp8 == LV_UNSCALED)
        return LLAVAOV_OK;
    if (10 * major + minor < FP8_CAPABILITY)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "precision",
            "%sprecision=fp8 is for compute capability %u.%u and newer, %s has %u.%u; use \"auto\"",
            label, FP8_CAPABILITY / 10, FP8_CAPABILITY % 10, cuda->facts.name, major, minor);
    cuda->fp8 = 10 * major + minor == FP8_ROWS_CAPABILITY ? LV_SCALE_ROW : LV_SCALE_TENSOR;
    return LLAVAOV_OK;
}

/* Asks for all that the model will need while nothing is loaded yet. */
static LlavaovStatus check_budget(
    LvCuda *cuda, const LvBackendOptions *options, Sizes *sizes, LlavaovError *error)
{
    uint64_t free_bytes = 0;
    int code = lv_runtime_memory(cuda->runtime, &free_bytes);
    if (code != 0)
        return lv_fail_about(error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, "device",
            "%s: asking for its memory: %s", cuda->device, lv_runtime_error(code));
    if (!options->config)
        return LLAVAOV_OK;
    LvCudaNeed need;
    uint64_t sum;
    /* A small device gets small encoder calls. */
    for (;; sizes->tiles /= 2) {
        need = lv_cuda_need(options->config, options->weight_elements, cuda->type,
            cuda->fp8 != LV_UNSCALED, sizes->tiles, sizes->rows, PREFERRED_SEQUENCES);
        need.workspace += cuda->facts.reserved_bytes;
        sum = need.weights + need.cache + need.workspace;
        if (sum <= free_bytes || sizes->tiles == 1)
            break;
    }
    if (sum <= free_bytes)
        return LLAVAOV_OK;
    const double mib = 1 << 20;
    return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_DEVICE, "device",
        "%s (%s): %.1f MiB of memory are missing: the model needs %.1f MiB (weights %.1f, "
        "key-value cache of a whole context %.1f, workspace %.1f), %.1f MiB are free",
        cuda->device, cuda->facts.name, (double)(sum - free_bytes) / mib, (double)sum / mib,
        (double)need.weights / mib, (double)need.cache / mib, (double)need.workspace / mib,
        (double)free_bytes / mib);
}

static LlavaovStatus open_runtime(
    LvCuda *cuda, const char *label, uint32_t number, LlavaovError *error)
{
    LlavaovError why = {0};
    LlavaovStatus status = lv_runtime_open(number, &cuda->runtime, &cuda->facts, &why);
    if (status != LLAVAOV_OK)
        return lv_fail_about(
            error, status, LLAVAOV_ABOUT_DEVICE, "device", "%s%s", label, why.message);
    if (cuda->facts.major < LEAST_MAJOR)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%s%s has compute capability %u.%u, at least %u.0 is needed", label, cuda->facts.name,
            cuda->facts.major, cuda->facts.minor, LEAST_MAJOR);
    if (cuda->wgmma && cuda->facts.major != WGMMA_MAJOR)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%sattention=wgmma is for compute capability %u.0, %s has %u.%u", label, WGMMA_MAJOR,
            cuda->facts.name, cuda->facts.major, cuda->facts.minor);
    return LLAVAOV_OK;
}

static LlavaovStatus open_memory(
    LvCuda *cuda, uint64_t tiles, bool timed_plans, LlavaovError *error)
{
    cuda->memory = lv_memory_open(cuda->runtime, 0);
    if (!cuda->memory)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the CUDA backend");
    int code = lv_runtime_enter(cuda->runtime);
    if (code == 0 && timed_plans)
        code = lv_runtime_time_products(cuda->runtime);
    if (code == 0)
        code = lv_staging_open(cuda);
    if (code != 0)
        return lv_cuda_no_memory(cuda, error, "staging memory", code);
    code = lv_pictures_open(cuda, tiles);
    if (code != 0)
        return lv_cuda_no_memory(cuda, error, "pictures", code);
    code = lv_steps_open(cuda);
    return code == 0 ? LLAVAOV_OK : lv_cuda_no_memory(cuda, error, "decoding steps", code);
}

/* As a whole while nobody waits for a token. */
static LlavaovStatus open_rope(LvCuda *cuda, const LvConfig *config, LlavaovError *error)
{
    if (!config)
        return LLAVAOV_OK;
    const uint32_t context = config->text.context_length;
    pthread_mutex_lock(&cuda->lock);
    const int code = lv_cuda_reserve_rope(
        cuda, context < ROPE_POSITIONS ? context : ROPE_POSITIONS, &config->text);
    pthread_mutex_unlock(&cuda->lock);
    return code == 0 ? LLAVAOV_OK : lv_cuda_no_memory(cuda, error, "the rotary table", code);
}

/* What the kernels for this device cannot do. */
static LlavaovStatus check_model(const char *label, const LvConfig *config, LlavaovError *error)
{
    if (!config)
        return LLAVAOV_OK;
    for (uint32_t i = 0; i < config->text.n_layers; i++)
        if (lv_text_window(&config->text, i))
            return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
                "%sthe model's layers have sliding windows, which only the CPU "
                "backend "
                "computes; use \"cpu\"",
                label);
    if (!lv_rope_is_fixed(&config->text.rope))
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%sthe model's rotary embedding changes with the length (rope type "
            "dynamic "
            "or longrope), which only the CPU backend computes; use \"cpu\"",
            label);
    return LLAVAOV_OK;
}

static LlavaovStatus cuda_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    const LvDeviceLabel label = lv_device_label(options->device);
    const uint32_t number = options->parsed.number;
    Sizes sizes = choose_sizes(&options->parsed);
    LvCuda *cuda = lv_calloc(1, sizeof *cuda);
    if (!cuda)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the CUDA backend");
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&cuda->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&cuda->pictures.lock, NULL);
    snprintf(cuda->device, sizeof cuda->device, "cuda:%u", number);
    cuda->steps.graphs = !options->parsed.no_graphs;
    cuda->steps.overlap = !options->parsed.no_overlap;
    cuda->wgmma = options->parsed.wgmma;
    cuda->fused_gate = options->parsed.fused_gate;
    cuda->encoder.on = options->parsed.encoder_graph;
    LlavaovStatus status = check_model(label.text, options->config, error);
    if (status == LLAVAOV_OK)
        status = choose_type(cuda, options->precision, error);
    if (status == LLAVAOV_OK)
        status = check_kv(cuda, options->kv_precision, error);
    if (status == LLAVAOV_OK)
        status = open_runtime(cuda, label.text, number, error);
    if (status == LLAVAOV_OK)
        status = choose_scaling(cuda, label.text, error);
    if (status == LLAVAOV_OK)
        status = check_budget(cuda, options, &sizes, error);
    if (status == LLAVAOV_OK)
        status = open_memory(cuda, sizes.tiles, options->parsed.timed_plans, error);
    if (status == LLAVAOV_OK)
        status = open_rope(cuda, options->config, error);
    if (status != LLAVAOV_OK) {
        cuda_close(&cuda->base);
        return status;
    }
    snprintf(cuda->detail, sizeof cuda->detail,
        "%s: %s, compute capability %u.%u, %.1f GiB; weights and activations in %s%s%s%s%s%s%s%s",
        cuda->device, cuda->facts.name, cuda->facts.major, cuda->facts.minor,
        (double)cuda->facts.memory_bytes / (1 << 30), cuda->type == LV_F32 ? "float32" : "bf16",
        cuda->fp8 == LV_SCALE_ROW      ? ", layers' products of many rows in fp8, a scale a row"
        : cuda->fp8 == LV_SCALE_TENSOR ? ", layers' products of many rows in fp8, one scale"
                                       : "",
        options->parsed.timed_plans ? "; plans=timed" : "", cuda->wgmma ? "; attention=wgmma" : "",
        cuda->fused_gate ? "; gate=fused" : "", cuda->encoder.on ? "; encoder=graph" : "",
        cuda->steps.graphs ? "" : "; ", cuda->steps.why);
    cuda->base.ops = &operations;
    cuda->base.info = (LvBackendInfo){.device = cuda->device,
        .detail = cuda->detail,
        .activation_dtype = cuda->type == LV_F32 ? LV_F32 : LV_BF16,
        .threads = 1,
        .preferred_tiles = sizes.tiles,
        .preferred_rows = sizes.rows,
        .slice_flops = cuda->facts.n_processors * processor_flops(cuda) * PREFILL_SHARE *
                       sizes.slice_us * 1e-6,
        .preferred_sequences = PREFERRED_SEQUENCES,
        .shared_caches = true,
        .warm_ms = cuda->facts.starts_cold ? sizes.warm_ms : 0,
        .cuda_pictures = cuda->facts.sends_rows};
    *backend = &cuda->base;
    return LLAVAOV_OK;
}

/* The module's only exported name. */
__attribute__((visibility("default"))) const LvModule *lv_cuda_module(void);

const LvModule *lv_cuda_module(void)
{
    static const LvModule module = {
        LLAVAOV_VERSION, sizeof(LvBackendOps), sizeof(LvBackendOptions), cuda_open};
    return &module;
}
