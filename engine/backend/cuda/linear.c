/* SPDX-License-Identifier: Apache-2.0
 * Products with weights and what follows them. Few rows, as decoding has them, go through a kernel
 * that reads each weight once and does all that comes before and after as well; more go through
 * cuBLASLt. */
#include "backend/cuda/cuda.h"

static LvCudaFunction function_of(LvActivation activation)
{
    switch (activation) {
    case LV_ACTIVATION_NONE:
        break;
    case LV_ACTIVATION_GELU_TANH:
        return LV_CUDA_GELU_TANH;
    case LV_ACTIVATION_GELU_ERF:
        return LV_CUDA_GELU_ERF;
    case LV_ACTIVATION_SILU:
        return LV_CUDA_SILU;
    case LV_ACTIVATION_RELU:
        return LV_CUDA_RELU;
    case LV_ACTIVATION_QUICK_GELU:
        return LV_CUDA_QUICK_GELU;
    case LV_ACTIVATION_LEAKY_RELU:
        return LV_CUDA_LEAKY_RELU;
    case LV_ACTIVATION_RELU2:
        return LV_CUDA_RELU2;
    case LV_ACTIVATION_RELU6:
        return LV_CUDA_RELU6;
    case LV_ACTIVATION_TANH:
        return LV_CUDA_TANH;
    case LV_ACTIVATION_SIGMOID:
        return LV_CUDA_SIGMOID;
    case LV_ACTIVATION_MISH:
        return LV_CUDA_MISH;
    case LV_ACTIVATION_HARDSWISH:
        return LV_CUDA_HARDSWISH;
    case LV_ACTIVATION_GELU_10:
        return LV_CUDA_GELU_10;
    case LV_ACTIVATION_LAPLACE:
        return LV_CUDA_LAPLACE;
    case LV_ACTIVATION_SQRTSOFTPLUS:
        return LV_CUDA_SQRTSOFTPLUS;
    }
    return LV_CUDA_NONE;
}

static LvMatmul product(LvCuda *cuda, LvTensor out, LvTensor in, const LvWeight *weight)
{
    return (LvMatmul){.out = out.data,
        .in = in.data,
        .weight = weight->matrix,
        .rows = out.rows,
        .cols = weight->rows,
        .inner = in.cols,
        .out_stride = out.stride,
        .in_stride = in.stride,
        .type = cuda->type,
        .out_type = cuda->type};
}

/* Weights of the activations' type go to the GPU's own library, others to a kernel of ours. */
int lv_cuda_multiply(LvCuda *cuda, const LvMatmul *m)
{
    if (m->weight.type != m->type) {
        const LvCudaProduct product = lv_matmul_product(m);
        return lv_cuda_launched(cuda, lv_cuda_product(lv_runtime_stream(cuda->runtime), &product));
    }
    lv_cuda_not_kernel(cuda);
    return lv_runtime_matmul(cuda->runtime, m);
}

/* Products of one or two tiles that leave most of the device idle, where the encoder is a graph: parts
 * of the inner dimension that fill it, in tiles of 128 x 128, none of them short. */
#define CUT_TILE 128u
#define LEAST_CUT 512u
static uint32_t cuts_of(const LvCuda *cuda, size_t rows, size_t cols, size_t inner)
{
    const size_t tiles =
        lv_round_up(rows, CUT_TILE) / CUT_TILE * (lv_round_up(cols, CUT_TILE) / CUT_TILE);
    if (cuda->encoder.way == LV_ENCODER_NONE || tiles == 0)
        return 0;
    const size_t most = inner / LEAST_CUT, wanted = cuda->facts.n_processors / tiles;
    const size_t cuts = wanted < most ? wanted : most;
    return cuts > 1 ? (uint32_t)cuts : 0;
}

/* In fp8 where there is that. */
static int multiply(LvCuda *cuda, const LvMatmul *m, const LvWeight *weight)
{
    const int code = lv_fp8_multiply(cuda, m, weight);
    return code == LV_RUNTIME_REFUSED ? lv_cuda_multiply(cuda, m) : code;
}

static bool is_bias(const LvWeight *bias, size_t n)
{
    return !bias || (bias->bias && bias->rows * bias->cols == n);
}

static bool aligned(const void *data, size_t row_bytes)
{
    return (uintptr_t)data % 16 == 0 && row_bytes % 16 == 0;
}

static bool are_few(const LvCuda *cuda, LvTensor in, const LvWeight *weight)
{
    const size_t size = lv_dtype_bytes(cuda->type);
    return lv_cuda_few_takes(cuda->type, weight->matrix.type) &&
           in.rows <= lv_cuda_few_rows(cuda->type) && in.cols * size % 16 == 0 &&
           aligned(in.data, in.stride * size) &&
           aligned(weight->matrix.data, lv_dtype_span(weight->matrix.type, weight->matrix.stride));
}

/* One product and all around it. norm: of in, or NULL; without residual then. */
typedef struct Linear {
    LvTensor out, in;
    const LvRmsNorm *norm;
    const LvWeight *weight, *bias; /* bias may be NULL */
    LvActivation activation;
    const LvTensor *residual; /* may be NULL */
} Linear;

static LvCudaFew few(const LvCuda *cuda, const Linear *l)
{
    LvCudaFew args = {.out = l->out.data,
        .out_stride = l->out.stride,
        .out_type = cuda->type,
        .in = l->in.data,
        .in_stride = l->in.stride,
        .type = cuda->type,
        .rows = l->in.rows,
        .cols = l->out.cols,
        .inner = l->in.cols,
        .weight = l->weight->matrix,
        .function = function_of(l->activation),
        .overlap = lv_cuda_overlap(cuda)};
    if (l->norm) {
        args.norm_scale = l->norm->scale->vector;
        args.norm_eps = (float)l->norm->eps;
    }
    return args;
}

static int linear_few(LvCuda *cuda, const Linear *l)
{
    LvCudaFew args = few(cuda, l);
    args.bias = l->bias ? l->bias->vector : NULL;
    args.residual = l->residual ? l->residual->data : NULL;
    args.residual_stride = l->residual ? l->residual->stride : 0;
    return lv_cuda_launched(cuda, lv_cuda_linear_few(lv_runtime_stream(cuda->runtime), &args));
}

/* Bias, GELU in its tanh form (for bf16: runtime.h) and the addition of a tensor that lies as the
 * result does are part of the product; every other function is a pass of its own over the result.
 */
static int linear_many(LvCuda *cuda, const Linear *l)
{
    const LvTensor out = l->out, *residual = l->residual;
    LvMatmul matmul = product(cuda, out, l->in, l->weight);
    const LvCudaFunction function = function_of(l->activation);
    const bool fused_add = residual && function == LV_CUDA_NONE && residual->stride == out.stride;
    const bool fused_gelu = function == LV_CUDA_GELU_TANH && !residual && cuda->type == LV_BF16;
    matmul.bias = l->bias ? l->bias->bias : NULL;
    matmul.addend = fused_add ? residual->data : NULL;
    matmul.tail = fused_gelu ? LV_TAIL_GELU_TANH : LV_TAIL_NONE;
    matmul.cuts = cuts_of(cuda, out.rows, out.cols, l->in.cols);
    const bool second = (residual && !fused_add) || (function != LV_CUDA_NONE && !fused_gelu);
    void *scratch = NULL;
    int code = 0;
    /* The second pass reads the residual, which may lie where the product would go. */
    if (second && residual && residual->data == out.data) {
        code = lv_cuda_scratch(cuda, out.rows * out.stride * lv_dtype_bytes(cuda->type), &scratch);
        matmul.out = scratch;
    }
    if (code == 0)
        code = multiply(cuda, &matmul, l->weight);
    if (code == 0 && second) {
        const LvCudaEpilogue args = {.out = out.data,
            .out_stride = out.stride,
            .out_type = cuda->type,
            .in = matmul.out,
            .in_stride = out.stride,
            .in_type = cuda->type,
            .rows = out.rows,
            .cols = out.cols,
            .residual = residual ? residual->data : NULL,
            .residual_stride = residual ? residual->stride : 0,
            .residual_type = cuda->type,
            .residual_rows = residual ? residual->rows : 0,
            .function = function};
        code = lv_cuda_launched(cuda, lv_cuda_epilogue(lv_runtime_stream(cuda->runtime), &args));
    }
    lv_cuda_scratch_free(cuda, scratch);
    return code;
}

/* The weight holds gate then up. */
static int gated_few(LvCuda *cuda, const Linear *l)
{
    LvCudaFew args = few(cuda, l);
    args.up = lv_weight_rows(l->weight, l->out.cols);
    return lv_cuda_launched(cuda, lv_cuda_linear_few(lv_runtime_stream(cuda->runtime), &args));
}

/* In one kernel, which is not for all; LV_CUDA_BAD_ARGUMENT then. */
static int gated_at_once(LvCuda *cuda, const Linear *l)
{
    const LvCudaWeight *weight = &l->weight->matrix;
    if (!cuda->fused_gate || cuda->type != LV_BF16 || weight->type != LV_BF16)
        return LV_CUDA_BAD_ARGUMENT;
    const LvCudaGatedProduct args = {.out = l->out.data,
        .out_stride = l->out.stride,
        .in = l->in.data,
        .in_stride = l->in.stride,
        .gate = weight->data,
        .up = lv_weight_rows(l->weight, l->out.cols).data,
        .weight_stride = weight->stride,
        .rows = l->out.rows,
        .cols = l->out.cols,
        .inner = l->in.cols,
        .function = function_of(l->activation)};
    return lv_cuda_gated_product(lv_runtime_stream(cuda->runtime), &args);
}

static int gated_many(LvCuda *cuda, const Linear *l)
{
    const int at_once = gated_at_once(cuda, l);
    if (at_once != LV_CUDA_BAD_ARGUMENT)
        return lv_cuda_launched(cuda, at_once);
    void *scratch;
    const size_t stride = lv_round_up(l->weight->rows, 32), rows = l->out.rows;
    int code = lv_cuda_scratch(cuda, rows * stride * lv_dtype_bytes(cuda->type), &scratch);
    if (code == 0) {
        const LvTensor both = {scratch, l->out.dtype, rows, l->weight->rows, stride};
        const LvMatmul matmul = product(cuda, both, l->in, l->weight);
        code = multiply(cuda, &matmul, l->weight);
    }
    if (code == 0)
        code = lv_cuda_launched(
            cuda, lv_cuda_gated(lv_runtime_stream(cuda->runtime),
                      &(LvCudaGated){l->out.data, l->out.stride, scratch, stride, cuda->type, rows,
                          l->out.cols, function_of(l->activation)}));
    lv_cuda_scratch_free(cuda, scratch);
    return code;
}

/* A norm that the product does not take along: into memory of its own, from where l reads then. */
static int normalise(LvCuda *cuda, Linear *l, void **scratch)
{
    const LvTensor in = l->in;
    const size_t stride = lv_round_up(in.cols, 32);
    int code = lv_cuda_scratch(cuda, in.rows * stride * lv_dtype_bytes(cuda->type), scratch);
    if (code != 0)
        return code;
    l->in = (LvTensor){*scratch, in.dtype, in.rows, in.cols, stride};
    const LvCudaNorm args = {*scratch, stride, in.data, in.stride, cuda->type, in.rows, in.cols,
        l->norm->scale->vector, NULL, (float)l->norm->eps, 0};
    return lv_cuda_launched(cuda, lv_cuda_rms_norm(lv_runtime_stream(cuda->runtime), &args));
}

static int enqueue(LvCuda *cuda, Linear l, bool gated)
{
    if (are_few(cuda, l.in, l.weight))
        return gated ? gated_few(cuda, &l) : linear_few(cuda, &l);
    void *scratch = NULL;
    int code = l.norm ? normalise(cuda, &l, &scratch) : 0;
    if (code == 0)
        code = gated ? gated_many(cuda, &l) : linear_many(cuda, &l);
    lv_cuda_scratch_free(cuda, scratch);
    return code;
}

static bool fits(const Linear *l, bool gated)
{
    const LvWeight *w = l->weight;
    return l->in.rows == l->out.rows && l->in.cols == w->cols &&
           w->rows == (gated ? 2 : 1) * l->out.cols && w->matrix.data &&
           is_bias(l->bias, l->out.cols) &&
           (!l->norm || (l->norm->scale->vector &&
                            l->norm->scale->rows * l->norm->scale->cols == l->in.cols)) &&
           (!l->residual || (l->residual->rows == l->out.rows && l->residual->cols == l->out.cols));
}

static LlavaovStatus execute(
    LvBackend *backend, const LvRun *run, const char *name, const Linear *l, bool gated)
{
    LvCuda *cuda = lv_cuda(backend);
    if (!fits(l, gated))
        return lv_cuda_shape_error(run, name);
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    return lv_cuda_end(cuda, run, name, enqueue(cuda, *l, gated));
}

LlavaovStatus lv_cuda_op_linear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const LvWeight *bias, LvActivation activation, const LvTensor *residual)
{
    const Linear l = {out, in, NULL, weight, bias, activation, residual};
    return execute(backend, run, "linear", &l, false);
}

LlavaovStatus lv_cuda_op_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, const LvWeight *gate_up, LvActivation activation)
{
    const Linear l = {out, in, NULL, gate_up, NULL, activation, NULL};
    return execute(backend, run, "linear_gated", &l, true);
}

LlavaovStatus lv_cuda_op_norm_linear(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, LvRmsNorm norm, const LvWeight *weight, const LvWeight *bias)
{
    const Linear l = {out, in, &norm, weight, bias, LV_ACTIVATION_NONE, NULL};
    return execute(backend, run, "norm_linear", &l, false);
}

LlavaovStatus lv_cuda_op_norm_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, LvRmsNorm norm, const LvWeight *gate_up, LvActivation activation)
{
    const Linear l = {out, in, &norm, gate_up, NULL, activation, NULL};
    return execute(backend, run, "norm_linear_gated", &l, true);
}

/* ---- greedy ---- */

static int best_few(LvCuda *cuda, const Linear *l, int32_t *tokens, LvCudaPost post)
{
    LvCudaStream stream = lv_runtime_stream(cuda->runtime);
    const uint32_t n_parts = lv_cuda_best_parts(l->out.cols);
    void *best;
    int code = lv_cuda_scratch(cuda, l->in.rows * n_parts * sizeof(LvCudaBest), &best);
    if (code != 0)
        return code;
    LvCudaFew args = few(cuda, l);
    args.best = best;
    code = lv_cuda_launched(cuda, lv_cuda_linear_few_best(stream, &args));
    if (code == 0)
        code = lv_cuda_launched(cuda,
            lv_cuda_best_of(stream,
                &(LvCudaBestOf){tokens, best, l->in.rows, n_parts, lv_cuda_overlap(cuda), post}));
    lv_cuda_scratch_free(cuda, best);
    return code;
}

static int best_many(LvCuda *cuda, Linear l, int32_t *tokens, LvCudaPost post)
{
    const size_t stride = lv_round_up(l.out.cols, 32), rows = l.in.rows;
    void *scores;
    int code = lv_cuda_scratch(cuda, rows * stride * lv_dtype_bytes(cuda->type), &scores);
    if (code != 0)
        return code;
    l.out.data = scores;
    l.out.stride = stride;
    code = enqueue(cuda, l, false);
    if (code == 0)
        code = lv_cuda_launched(
            cuda, lv_cuda_argmax(lv_runtime_stream(cuda->runtime),
                      &(LvCudaArgmax){tokens, scores, stride, cuda->type, rows, l.out.cols, post}));
    lv_cuda_scratch_free(cuda, scores);
    return code;
}

LlavaovStatus lv_cuda_op_norm_linear_greedy(LvBackend *backend, const LvRun *run, int32_t *tokens,
    LvTensor in, LvRmsNorm norm, const LvWeight *weight)
{
    LvCuda *cuda = lv_cuda(backend);
    const LvTensor out = {NULL, in.dtype, in.rows, weight->rows, 0};
    const Linear l = {out, in, &norm, weight, NULL, LV_ACTIVATION_NONE, NULL};
    const size_t bytes = in.rows * sizeof *tokens;
    if (!fits(&l, false) || bytes > LV_STAGING_HALF)
        return lv_cuda_shape_error(run, "norm_linear_greedy");
    LlavaovStatus status = in.rows ? lv_cuda_begin(cuda, run) : LLAVAOV_OK;
    if (status != LLAVAOV_OK || in.rows == 0)
        return status;
    const bool step = run->step; /* its tokens go their own way */
    const LvCudaPost post = lv_cuda_post(cuda, step);
    void *chosen = cuda->steps.tokens, *scratch = NULL;
    int code = 0;
    if (!step) {
        code = lv_cuda_scratch(cuda, bytes, &scratch);
        chosen = scratch;
    }
    if (code == 0)
        code = are_few(cuda, in, weight) ? best_few(cuda, &l, chosen, post)
                                         : best_many(cuda, l, chosen, post);
    if (code == 0 && !step)
        code = lv_cuda_fetch(cuda, tokens, chosen, bytes);
    lv_cuda_scratch_free(cuda, scratch);
    return lv_cuda_end(cuda, run, "norm_linear_greedy", code);
}
