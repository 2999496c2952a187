/* SPDX-License-Identifier: Apache-2.0
 * The CPU backend: memory, the table of operations and opening. Tensors are float32, weights stay
 * as stored. */
#include <stdio.h>
#include <string.h>

#include "backend/cpu_quantise.h"
#include "base/pages.h"

/* ---- memory ---- */

typedef void *(*Alloc)(size_t count, size_t size);

static LlavaovStatus tensor_from(
    Alloc alloc, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    size_t stride = 0, total = 0;
    *tensor = (LvTensor){0};
    float *data = NULL;
    if (!__builtin_add_overflow(cols, (size_t)15, &stride)) {
        stride &= ~(size_t)15;
        if (!__builtin_mul_overflow(rows, stride, &total))
            data = alloc(total, sizeof *data);
    }
    if (!data)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL,
            "no memory for a tensor of %zu x %zu floats", rows, cols);
    *tensor = (LvTensor){data, LV_F32, rows, cols, stride};
    return LLAVAOV_OK;
}

static LlavaovStatus tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    return tensor_from(lv_alloc_aligned, rows, cols, tensor, error);
}

static void tensor_free(LvBackend *backend, LvTensor *tensor)
{
    lv_free(tensor->data);
    *tensor = (LvTensor){0};
}

static LlavaovStatus kept_tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    return tensor_from(lv_pages_alloc, rows, cols, tensor, error);
}

static void kept_tensor_free(LvBackend *backend, LvTensor *tensor)
{
    lv_pages_free(tensor->data);
    *tensor = (LvTensor){0};
}

static LlavaovStatus upload(LvBackend *backend, const LvRun *run, LvTensor dst, const float *src)
{
    for (size_t r = 0; r < dst.rows; r++)
        memcpy(lv_row_out(dst, r), src + r * dst.cols, dst.cols * sizeof(float));
    return LLAVAOV_OK;
}

static LlavaovStatus download(LvBackend *backend, const LvRun *run, float *dst, LvTensor src)
{
    for (size_t r = 0; r < src.rows; r++)
        memcpy(dst + r * src.cols, lv_row(src, r), src.cols * sizeof(float));
    return LLAVAOV_OK;
}

static LlavaovStatus synchronize(LvBackend *backend, const LvRun *run)
{
    return LLAVAOV_OK;
}

static void cpu_close(LvBackend *backend)
{
    LvCpu *cpu = lv_cpu(backend);
    if (!cpu)
        return;
    if (cpu->workers)
        for (uint32_t i = 0; i < lv_pool_threads(cpu->pool); i++)
            lv_free(cpu->workers[i].data);
    lv_free(cpu->workers);
    lv_free(cpu->packed.data);
    lv_free(cpu->rope.table.data);
    lv_free(cpu->rope_pass.table.data);
    lv_pool_close(cpu->pool);
    lv_free(cpu);
}

/* ---- opening ---- */

static const LvBackendOps operations = {
    .close = cpu_close,
    .tensor_alloc = tensor_alloc,
    .tensor_free = tensor_free,
    .kept_tensor_alloc = kept_tensor_alloc,
    .kept_tensor_free = kept_tensor_free,
    .upload = upload,
    .download = download,
    .synchronize = synchronize,
    .weight_load = lv_cpu_weight_load,
    .weight_free = lv_cpu_weight_free,
    .kv_open = lv_cpu_kv_open,
    .kv_fork = lv_cpu_kv_fork,
    .kv_close = lv_cpu_kv_close,
    .patch_embedding = lv_cpu_patch_embedding,
    .layer_norm = lv_cpu_layer_norm,
    .attention_full = lv_cpu_attention_full,
    .pool_bilinear = lv_cpu_pool_bilinear,
    .pool_max = lv_cpu_pool_max,
    .linear = lv_cpu_linear,
    .gather_rows = lv_cpu_gather_rows,
    .copy = lv_cpu_copy,
    .embed_tokens = lv_cpu_embed_tokens,
    .rms_norm = lv_cpu_rms_norm,
    .rope_store = lv_cpu_rope_store,
    .attention_causal = lv_cpu_attention_causal,
    .linear_gated = lv_cpu_linear_gated,
};

static LlavaovStatus choose_kernels(
    const char *mask, const LvKernels **kernels, LlavaovError *error)
{
    const bool any = !mask || !*mask || strcmp(mask, "auto") == 0;
    *kernels = lv_kernels_choose(any ? NULL : mask, lv_cpu_flags());
    if (*kernels)
        return LLAVAOV_OK;
    char names[128] = "";
    for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++) {
        const size_t at = strlen(names);
        snprintf(names + at, sizeof names - at, ", \"%s\"", set->name);
    }
    return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "cpu-mask",
        "cpu mask \"%s\" is not known; use \"auto\"%s", mask, names);
}

static bool stored_as(const LvBackendOptions *options, LvDtype type)
{
    const LvQuantisation *stored = options->config ? &options->config->quantisation : NULL;
    return stored && stored->present && stored->type == type;
}

/* A checkpoint of integers is multiplied as such unless float32 is asked for. */
static LlavaovPrecision precision_of(const LvBackendOptions *options)
{
    if (options->precision != LLAVAOV_PRECISION_AUTO)
        return options->precision;
    return stored_as(options, LV_INT8)   ? LLAVAOV_PRECISION_INT8
           : stored_as(options, LV_INT4) ? LLAVAOV_PRECISION_INT4
                                         : LLAVAOV_PRECISION_AUTO;
}

LlavaovStatus lv_backend_cpu_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    const LvKernels *kernels = NULL;
    LlavaovStatus status = choose_kernels(options->cpu_mask, &kernels, error);
    if (status != LLAVAOV_OK)
        return status;
    const LlavaovPrecision precision = precision_of(options);
    const LvQuantised quantised = lv_cpu_quantised(precision);
    if (quantised.int4 && stored_as(options, LV_INT8))
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "precision",
            "the checkpoint's weights are int8, and cannot become int4; use precision \"auto\"");
    if (quantised.type == LV_F32 && !quantised.int8 &&
        options->precision != LLAVAOV_PRECISION_AUTO && options->precision != LLAVAOV_PRECISION_F32)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "precision",
            "the CPU backend computes in float32, on weights as stored or in four bits, or in "
            "int8 or int4; use "
            "precision \"auto\", \"f32\", \"int8\", \"int4\", \"nf4\" or \"fp4\"");
    if (options->kv_precision != LLAVAOV_PRECISION_AUTO &&
        options->kv_precision != LLAVAOV_PRECISION_F32 &&
        options->kv_precision != LLAVAOV_PRECISION_F16)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "kv-precision",
            "the CPU backend holds keys and values in float32 or float16; use kv-precision "
            "\"auto\", "
            "\"f32\" or \"f16\"");
    if (options->threads > LV_MAX_THREADS)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "threads",
            "at most %u threads, not %u", LV_MAX_THREADS, options->threads);
    LvCpu *cpu = lv_calloc(1, sizeof *cpu);
    if (!cpu)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the CPU backend");
    cpu->pool = lv_pool_open(options->threads);
    if (cpu->pool)
        cpu->workers = lv_calloc(lv_pool_threads(cpu->pool), sizeof *cpu->workers);
    if (!cpu->workers) {
        cpu_close(&cpu->base);
        return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_OPTION, "threads",
            "no memory for the CPU backend's threads");
    }
    cpu->kernels = kernels;
    cpu->int8 = lv_int8_choose(kernels, lv_cpu_flags());
    cpu->int4 = lv_int4_choose(kernels, lv_cpu_flags());
    cpu->quantised = quantised;
    cpu->kv = options->kv_precision == LLAVAOV_PRECISION_F16 ? LV_F16 : LV_F32;
    uint32_t threads = lv_pool_threads(cpu->pool);
    snprintf(cpu->detail, sizeof cpu->detail,
        "cpu: %s kernels, %u thread%s, weights %s, %s%s arithmetic%s%s%s", kernels->name, threads,
        threads == 1 ? "" : "s",
        quantised.type == LV_F32 && !quantised.int8 ? "as stored"
                                                    : llavaov_precision_name(precision),
        quantised.int8 ? cpu->int8->name : "",
        quantised.int4   ? " int4, int8 and float32"
        : quantised.int8 ? " int8 and float32"
                         : "float32",
        cpu->kv == LV_F16 ? ", keys and values in f16" : "",
        options->why_cpu ? "; chosen because " : "", options->why_cpu ? options->why_cpu : "");
    cpu->base.ops = &operations;
    cpu->base.info = (LvBackendInfo){.device = "cpu",
        .detail = cpu->detail,
        .activation_dtype = LV_F32,
        .threads = threads,
        .preferred_tiles = 1,
        .preferred_rows = LV_PANEL_ROWS,
        .preferred_sequences = LV_FEW_ROWS,
        .exact_rows = LV_FEW_ROWS,
        .shared_caches = true};
    *backend = &cpu->base;
    return LLAVAOV_OK;
}
