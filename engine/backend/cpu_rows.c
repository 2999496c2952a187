/* SPDX-License-Identifier: Apache-2.0
 * Operations on rows: norms, pooling, gathering, copying, embedding. */
#include "backend/cpu.h"

#include <string.h>

#define ROWS_AT_ONCE 64 /* most rows in one unit of a row-wise loop */

typedef struct Norm {
    LvCpu *cpu;
    LvTensor out, in;
    const float *scale, *bias;
    double eps;
} Norm;

static void layer_norm_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const Norm *norm = data;
    norm->cpu->kernels->layer_norm(lv_row_out(norm->out, first), norm->out.stride,
        lv_row(norm->in, first), norm->in.stride, n, norm->in.cols, norm->scale, norm->bias,
        norm->eps);
}

static void rms_norm_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const Norm *norm = data;
    norm->cpu->kernels->rms_norm(lv_row_out(norm->out, first), norm->out.stride,
        lv_row(norm->in, first), norm->in.stride, n, norm->in.cols, norm->scale, norm->eps);
}

static bool is_vector(const LvWeight *weight, size_t n)
{
    return weight->vector && weight->rows * weight->cols == n;
}

LlavaovStatus lv_cpu_layer_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, const LvWeight *bias, double eps)
{
    if (out.rows != in.rows || out.cols != in.cols || !is_vector(scale, in.cols) ||
        (bias && !is_vector(bias, in.cols)))
        return lv_shape_error(run, "layer_norm");
    Norm norm = {lv_cpu(backend), out, in, scale->vector, bias ? bias->vector : NULL, eps};
    return lv_cpu_run(norm.cpu, run, in.rows, ROWS_AT_ONCE, layer_norm_rows, &norm);
}

LlavaovStatus lv_cpu_rms_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, double eps)
{
    if (out.rows != in.rows || out.cols != in.cols || !is_vector(scale, in.cols))
        return lv_shape_error(run, "rms_norm");
    Norm norm = {lv_cpu(backend), out, in, scale->vector, NULL, eps};
    return lv_cpu_run(norm.cpu, run, in.rows, ROWS_AT_ONCE, rms_norm_rows, &norm);
}

/* ---- bilinear pooling (docs/model.md 3.9) ---- */

typedef struct Pool {
    LvCpu *cpu;
    LvTensor out, in;
    uint32_t in_h, in_w, out_h, out_w;
} Pool;

/* Source positions of output d and the weight of the second; the first's is 1 - that. float32
 * throughout. */
static void source_of(
    uint32_t d, uint32_t in, uint32_t out, uint32_t *i0, uint32_t *i1, float *w0, float *w1)
{
    float scale = (float)in / (float)out;
    float source = scale * ((float)d + 0.5f) - 0.5f;
    if (source < 0)
        source = 0;
    *i0 = (uint32_t)source;
    if (*i0 > in - 1)
        *i0 = in - 1;
    *i1 = *i0 + (*i0 < in - 1);
    *w1 = source - (float)*i0;
    *w0 = 1.0f - *w1;
}

static void pool_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const Pool *p = data;
    for (size_t row = first; row < first + n; row++) {
        size_t item = row / ((size_t)p->out_h * p->out_w), at = row % ((size_t)p->out_h * p->out_w);
        uint32_t x0, x1, y0, y1;
        float w[4];
        source_of((uint32_t)(at % p->out_w), p->in_w, p->out_w, &x0, &x1, &w[0], &w[1]);
        source_of((uint32_t)(at / p->out_w), p->in_h, p->out_h, &y0, &y1, &w[2], &w[3]);
        size_t base = item * p->in_h * p->in_w;
        size_t top = base + (size_t)y0 * p->in_w, bottom = base + (size_t)y1 * p->in_w;
        p->cpu->kernels->blend(lv_row_out(p->out, row), lv_row(p->in, top + x0),
            lv_row(p->in, top + x1), lv_row(p->in, bottom + x0), lv_row(p->in, bottom + x1), w,
            p->in.cols);
    }
}

LlavaovStatus lv_cpu_pool_bilinear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    size_t n_items, uint32_t in_h, uint32_t in_w, uint32_t out_h, uint32_t out_w)
{
    if (!in_h || !in_w || !out_h || !out_w || in.rows != n_items * in_h * in_w ||
        out.rows != n_items * out_h * out_w || in.cols != out.cols)
        return lv_shape_error(run, "pool_bilinear");
    Pool pool = {lv_cpu(backend), out, in, in_h, in_w, out_h, out_w};
    return lv_cpu_run(pool.cpu, run, out.rows, ROWS_AT_ONCE, pool_rows, &pool);
}

static void greatest_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const Pool *p = data;
    for (size_t row = first; row < first + n; row++) {
        const size_t item = row / ((size_t)p->out_h * p->out_w),
                     at = row % ((size_t)p->out_h * p->out_w);
        const size_t top = (item * p->in_h + at / p->out_w * 2) * p->in_w + at % p->out_w * 2;
        const float *a = lv_row(p->in, top), *b = lv_row(p->in, top + 1),
                    *c = lv_row(p->in, top + p->in_w), *d = lv_row(p->in, top + p->in_w + 1);
        float *out = lv_row_out(p->out, row);
        for (size_t i = 0; i < p->in.cols; i++) {
            const float upper = a[i] > b[i] ? a[i] : b[i], lower = c[i] > d[i] ? c[i] : d[i];
            out[i] = upper > lower ? upper : lower;
        }
    }
}

LlavaovStatus lv_cpu_pool_max(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    size_t n_items, uint32_t in_h, uint32_t in_w)
{
    if (in_h < 2 || in_w < 2 || in.rows != n_items * in_h * in_w ||
        out.rows != n_items * (in_h / 2) * (in_w / 2) || in.cols != out.cols)
        return lv_shape_error(run, "pool_max");
    Pool pool = {lv_cpu(backend), out, in, in_h, in_w, in_h / 2, in_w / 2};
    return lv_cpu_run(pool.cpu, run, out.rows, ROWS_AT_ONCE, greatest_rows, &pool);
}

/* ---- moving rows ---- */

LlavaovStatus lv_cpu_gather_rows(
    LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in, const uint32_t *rows)
{
    if (out.cols != in.cols)
        return lv_shape_error(run, "gather_rows");
    for (size_t i = 0; i < out.rows; i++) {
        if (rows[i] >= in.rows)
            return lv_shape_error(run, "gather_rows");
        memcpy(lv_row_out(out, i), lv_row(in, rows[i]), in.cols * sizeof(float));
    }
    return lv_cancelled(run->cancel) ? lv_cancelled_status(run) : LLAVAOV_OK;
}

LlavaovStatus lv_cpu_copy(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in)
{
    if (out.rows != in.rows || out.cols != in.cols)
        return lv_shape_error(run, "copy");
    for (size_t i = 0; i < out.rows; i++)
        memcpy(lv_row_out(out, i), lv_row(in, i), in.cols * sizeof(float));
    return lv_cancelled(run->cancel) ? lv_cancelled_status(run) : LLAVAOV_OK;
}

LlavaovStatus lv_cpu_embed_tokens(
    LvBackend *backend, const LvRun *run, LvTensor out, const int32_t *ids, const LvWeight *table)
{
    const LvKernels *kernels = lv_cpu(backend)->kernels;
    if (out.cols != table->cols)
        return lv_shape_error(run, "embed_tokens");
    for (size_t i = 0; i < out.rows; i++) {
        size_t id = (size_t)ids[i], part = 0;
        while (part < table->n_parts && id >= table->parts[part].rows)
            id -= table->parts[part++].rows;
        if (ids[i] < 0 || part == table->n_parts)
            return lv_shape_error(run, "embed_tokens");
        const LvMatrix row = lv_matrix_rows(&table->parts[part], id, 1);
        kernels->to_float(lv_row_out(out, i), &row);
    }
    return lv_cancelled(run->cancel) ? lv_cancelled_status(run) : LLAVAOV_OK;
}
