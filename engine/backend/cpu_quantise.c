/* SPDX-License-Identifier: Apache-2.0
 * Weights become four bits as they are loaded (kernels/bitsandbytes.h), all threads at work on one. */
#define _GNU_SOURCE /* madvise */
#include "backend/cpu_quantise.h"

#include <sys/mman.h>
#include <unistd.h>

#define CHUNK (64 * LV_BNB_BLOCK) /* elements that a thread widens at once */
#define CHUNKS_AT_ONCE 16

static const struct {
    LlavaovPrecision precision;
    LvQuantised quantised;
} kinds[] = {
    {LLAVAOV_PRECISION_NF4, {.type = LV_NF4}},
    {LLAVAOV_PRECISION_FP4, {.type = LV_FP4}},
    {LLAVAOV_PRECISION_NF4_DQ, {.type = LV_NF4, .nested = true}},
    {LLAVAOV_PRECISION_FP4_DQ, {.type = LV_FP4, .nested = true}},
    {LLAVAOV_PRECISION_INT8, {.type = LV_F32, .int8 = true}},
    {LLAVAOV_PRECISION_INT4, {.type = LV_F32, .int8 = true, .int4 = true}},
};

LvQuantised lv_cpu_quantised(LlavaovPrecision precision)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].precision == precision)
            return kinds[i].quantised;
    return (LvQuantised){.type = LV_F32};
}

/* One matrix of floats on its way. */
typedef struct Quantising {
    const LvKernels *kernels;
    LvMatrix source; /* as one row */
    LvDtype type;
    uint8_t *codes;
    float *scales;
} Quantising;

static void quantise_chunks(void *data, size_t first, size_t n, unsigned worker)
{
    const Quantising *q = data;
    float values[CHUNK];
    for (size_t at = first * CHUNK; at < q->source.cols && n; at += CHUNK, n--) {
        LvMatrix piece = q->source;
        piece.data = (const char *)piece.data + lv_dtype_span(piece.dtype, at);
        piece.cols = piece.cols - at < CHUNK ? piece.cols - at : CHUNK;
        q->kernels->to_float(values, &piece);
        lv_bnb_quantise(
            q->type, values, piece.cols, q->codes + at / 2, q->scales + at / LV_BNB_BLOCK);
    }
}

void lv_cpu_quantise_codes(
    LvCpu *cpu, LvDtype type, const LvMatrix *source, uint8_t *codes, float *scales)
{
    Quantising q = {cpu->kernels, *source, type, codes, scales};
    q.source.rows = 1;
    q.source.cols = source->rows * source->cols;
    lv_pool_run(
        cpu->pool, lv_ceil_div(q.source.cols, CHUNK), CHUNKS_AT_ONCE, quantise_chunks, &q, NULL);
}

/* The scales that nested ones would be read as. */
static bool round_scales(float *scales, size_t n)
{
    const size_t blocks = lv_ceil_div(n, LV_BNB_NESTED);
    const float offset = lv_bnb_mean(scales, n);
    uint8_t *codes = lv_alloc(n, 1);
    float *nested = lv_alloc(blocks, sizeof *nested);
    if (codes && nested) {
        lv_bnb_nest(scales, n, offset, codes, nested);
        lv_bnb_expand(scales, codes, n, lv_bnb_nested_map(), nested, LV_BNB_NESTED, offset);
    }
    const bool done = codes && nested;
    lv_free(codes);
    lv_free(nested);
    return done;
}

/* Rows begin at whole bytes here, in the format they do not. */
static bool part_rows(uint8_t **codes, const LvMatrix *m)
{
    uint8_t *rows = lv_alloc(m->rows, lv_dtype_span(LV_NF4, m->cols));
    if (!rows)
        return false;
    lv_bnb_rows(rows, *codes, m->rows, m->cols);
    lv_free(*codes);
    *codes = rows;
    return true;
}

LlavaovStatus lv_cpu_quantise(LvCpu *cpu, LvQuantised quantised, const LvHostTensor *tensor,
    LvMatrix *matrix, LvMatrix *scales, LlavaovError *error)
{
    const LvMatrix source = *matrix;
    const size_t n = source.rows * source.cols, blocks = lv_ceil_div(n, LV_BNB_BLOCK);
    uint8_t *codes = lv_alloc(lv_ceil_div(n, 2), 1);
    float *new_scales = lv_alloc(blocks, sizeof *new_scales);
    bool done = codes && new_scales;
    if (done)
        lv_cpu_quantise_codes(cpu, quantised.type, &source, codes, new_scales);
    if (done && quantised.nested)
        done = round_scales(new_scales, blocks);
    if (done && source.cols % 2 && source.rows > 1)
        done = part_rows(&codes, &source);
    if (!done) {
        lv_free(codes);
        lv_free(new_scales);
        return lv_cpu_no_memory(tensor, error);
    }
    *scales = (LvMatrix){.data = new_scales, .dtype = LV_F32, .rows = 1, .cols = blocks};
    *matrix = (LvMatrix){.data = codes,
        .scales = scales,
        .dtype = quantised.type,
        .rounded_to = source.dtype,
        .rows = source.rows,
        .cols = source.cols};
    return LLAVAOV_OK;
}

LlavaovStatus lv_cpu_no_memory(const LvHostTensor *tensor, LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_TENSOR, tensor->name,
        "no memory for tensor %s", tensor->name);
}

LlavaovStatus lv_cpu_all_of(const LvWeight *weight, const LvHostTensor *const *tensors,
    LvDtype type, bool *already, LlavaovError *error)
{
    *already = weight->parts[0].dtype == type;
    for (size_t i = 0; i < weight->n_parts; i++) {
        const LvDtype dtype = weight->parts[i].dtype;
        if (dtype != type && !lv_traits_float(lv_dtype_traits(dtype)))
            return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION,
                "precision", "%s: tensor %s is %s, and cannot become %s; use precision \"auto\"",
                tensors[i]->file, tensors[i]->name, lv_dtype_name(dtype), lv_dtype_name(type));
        if (*already != (dtype == type))
            return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR,
                tensors[i]->name, "%s: tensor %s is %s, but %s, with which it is multiplied, is %s",
                tensors[i]->file, tensors[i]->name, lv_dtype_name(dtype), tensors[0]->name,
                lv_dtype_name(weight->parts[0].dtype));
    }
    return LLAVAOV_OK;
}

void lv_cpu_release_pages(const LvHostTensor *tensor)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
                    first = ((uintptr_t)tensor->data + page - 1) / page * page,
                    end = ((uintptr_t)tensor->data + tensor->bytes) / page * page;
    if (tensor->mapped && end > first) {
        madvise((void *)first, end - first, MADV_DONTNEED);
        /* What is read beside it brings none of it back. */
        madvise((void *)first, end - first, MADV_RANDOM);
    }
}
