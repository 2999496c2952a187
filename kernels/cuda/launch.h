/* SPDX-License-Identifier: Apache-2.0
 * The contract of the CUDA kernels: one launcher an operation, callable from C. The same header
 * serves the device build (nvcc) and the build that executes the kernels on the CPU (shim/).
 *
 * Every pointer inside an argument structure is device memory; the structure itself is host memory
 * and is copied before the call returns, so a launcher can be captured into a graph. What may
 * change between replays of a graph therefore lies behind pointers (ids, positions, sequences),
 * what fixes the grid in the structure. A launcher enqueues on `stream` and does not wait; it
 * allocates nothing and keeps no state.
 *
 * Result: 0; LV_CUDA_BAD_ARGUMENT when the kernels cannot run these shapes, types or alignments
 * (nothing was enqueued); otherwise the runtime's positive cudaError_t of the launch.
 *
 * Matrices are row-major, strides count elements from one row to the next and may exceed the row's
 * length: what lies between a row's end and the next row is neither read nor written. Sizes may be
 * 0. Outputs overlap no input unless the comment allows it. Pointers and strides need only their
 * element's alignment; 16-byte aligned rows take the fast paths. Activations are float32 or bf16
 * (`type`); sums, norms and softmax are float32 inside, results are rounded once to nearest even.
 * Vectors (biases, norm scales, positions) are float32.
 *
 * Every result depends only on the values that its formula names and on the shapes: the same call
 * gives the same bits. NaN and Inf pass through. */
#ifndef LV_CUDA_LAUNCH_H
#define LV_CUDA_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#include "../dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void *LvCudaStream; /* a cudaStream_t */

/* As LvFunction of ops.h, same values and formulas. */
typedef enum LvCudaFunction {
    LV_CUDA_NONE,
    LV_CUDA_GELU_TANH,
    LV_CUDA_GELU_ERF,
    LV_CUDA_SILU,
    LV_CUDA_RELU,
    LV_CUDA_QUICK_GELU,
    LV_CUDA_LEAKY_RELU,
    LV_CUDA_RELU2,
    LV_CUDA_RELU6,
    LV_CUDA_TANH,
    LV_CUDA_SIGMOID,
    LV_CUDA_MISH,
    LV_CUDA_HARDSWISH,
    LV_CUDA_GELU_10,
    LV_CUDA_LAPLACE,
    LV_CUDA_SQRTSOFTPLUS
} LvCudaFunction;
#define LV_LAST_CUDA_FUNCTION LV_CUDA_SQRTSOFTPLUS

enum { LV_CUDA_BAD_ARGUMENT = -1 };

/* Some arguments have a member `overlap`. Not 0: the kernel may begin before the one ahead of it in
 * the stream is done; it asks for what never changes (weights, scales, biases, tables), and waits
 * for that one before it touches anything else. The result is the same. Only for devices and code
 * of which lv_cuda_waits says so; never for what follows something other than a kernel. */

/* *waits = 1 if this module's kernels, as the device runs them, wait as `overlap` asks; otherwise
 * 0. Two kernels, the second of which overlaps the first. */
int lv_cuda_waits(LvCudaStream stream, int32_t *waits);

/* ---- weights ---- */

/* Scales or minimums of a weight: of a float type, shaped as dtype.h says, rows without gaps. */
typedef struct LvCudaScales {
    const void *data; /* NULL: the type has none */
    LvDtype type;
    LvScaling scaling; /* ROW or BLOCK; the block is the weight's */
} LvCudaScales;

/* A weight as products read it. What launches one takes the types that it has kernels for: those of
 * activations, which have no scales, and which agree with the other operand's, and what is added
 * for others; LV_CUDA_BAD_ARGUMENT otherwise. */
typedef struct LvCudaWeight {
    const void *data; /* type [rows, cols] */
    size_t stride;    /* elements */
    LvDtype type;
    LvCudaScales scales, minimums;
} LvCudaWeight;

/* ---- moving rows (move.cu) ---- */

/* out[r][c] = in[r][c] between any two of the three types; same type: an exact copy. May be in
 * place where type and stride agree. */
typedef struct LvCudaConvert {
    void *out; /* out_type [rows, cols] */
    size_t out_stride;
    LvDtype out_type;
    const void *in; /* in_type [rows, cols] */
    size_t in_stride;
    LvDtype in_type;
    size_t rows, cols;
} LvCudaConvert;
int lv_cuda_convert(LvCudaStream stream, const LvCudaConvert *args);

/* out[r] = in[index[r]], converted: rows of activations, or of an embedding table by token id. An
 * index outside 0 .. in_rows - 1 gives a row of NaN. */
typedef struct LvCudaGather {
    void *out; /* out_type [rows, cols] */
    size_t out_stride;
    LvDtype out_type;
    const void *in; /* in_type [in_rows, cols] */
    size_t in_stride;
    LvDtype in_type;
    size_t in_rows;
    const int32_t *index; /* [rows] */
    size_t rows, cols;
} LvCudaGather;
int lv_cuda_gather(LvCudaStream stream, const LvCudaGather *args);

/* *found = 1 if any of n elements is NaN or Inf; otherwise *found is left as it is. */
typedef struct LvCudaFinite {
    int32_t *found;
    const void *in;
    LvDtype type;
    size_t n;
} LvCudaFinite;
int lv_cuda_find_not_finite(LvCudaStream stream, const LvCudaFinite *args);

/* ---- rows (norm.cu, pointwise.cu, product.cu, few*.cu, pool.cu) ---- */

/* LayerNorm: (in - mean) / sqrt(biased variance + eps) * scale + bias; bias may be NULL.
 * RMSNorm: in / sqrt(mean(in^2) + eps) * scale; bias is not read. out may be in. */
typedef struct LvCudaNorm {
    void *out; /* type [rows, cols] */
    size_t out_stride;
    const void *in; /* type [rows, cols] */
    size_t in_stride;
    LvDtype type; /* F32 or BF16 */
    size_t rows, cols;
    const float *scale; /* [cols] */
    const float *bias;  /* [cols] or NULL */
    float eps;
    int32_t overlap;
} LvCudaNorm;
int lv_cuda_layer_norm(LvCudaStream stream, const LvCudaNorm *args);
int lv_cuda_rms_norm(LvCudaStream stream, const LvCudaNorm *args);

/* What follows a product and is not part of it: out = function(in + bias) + residual. The
 * residual's rows repeat when it has fewer (position embeddings). out may be in, or the residual
 * where type, stride and rows agree. */
typedef struct LvCudaEpilogue {
    void *out; /* out_type [rows, cols] */
    size_t out_stride;
    LvDtype out_type; /* F32 or BF16 */
    const void *in;   /* in_type [rows, cols] */
    size_t in_stride;
    LvDtype in_type; /* F32 or BF16 */
    size_t rows, cols;
    const float *bias;    /* [cols] or NULL */
    const void *residual; /* residual_type [residual_rows, cols] or NULL */
    size_t residual_stride;
    LvDtype residual_type; /* F32 or BF16 */
    size_t residual_rows;  /* row r adds residual row r % residual_rows */
    LvCudaFunction function;
} LvCudaEpilogue;
int lv_cuda_epilogue(LvCudaStream stream, const LvCudaEpilogue *args);

/* out[r][i] = function(in[r][i]) * in[r][cols + i]: in holds gate then up. */
typedef struct LvCudaGated {
    void *out; /* type [rows, cols] */
    size_t out_stride;
    const void *in; /* type [rows, 2 cols] */
    size_t in_stride;
    LvDtype type; /* F32 or BF16 */
    size_t rows, cols;
    LvCudaFunction function;
} LvCudaGated;
int lv_cuda_gated(LvCudaStream stream, const LvCudaGated *args);

/* Gate, up and what they become in one kernel (gated_product.cu), for many rows of bf16:
 *     out[r][n] = function(in[r] . gate[n]) * (in[r] . up[n])
 * Neither is rounded before they are multiplied. Rows of all four are 16-byte aligned; inner and
 * cols are multiples of 8. */
typedef struct LvCudaGatedProduct {
    void *out; /* bf16 [rows, cols] */
    size_t out_stride;
    const void *in; /* bf16 [rows, inner] */
    size_t in_stride;
    const void *gate, *up; /* bf16 [cols, inner] */
    size_t weight_stride;
    size_t rows, cols, inner;
    LvCudaFunction function;
} LvCudaGatedProduct;
int lv_cuda_gated_product(LvCudaStream stream, const LvCudaGatedProduct *args);

/* Any product (product.cu): out = function(in . weight^T + bias) + addend. For what the GPU's own
 * library does not take; far slower than that. */
typedef struct LvCudaProduct {
    void *out;           /* out_type [rows, cols] */
    const void *in;      /* type [rows, inner] */
    LvCudaWeight weight; /* [cols, inner] */
    const void *bias;    /* out_type [cols] or NULL */
    const void *addend;  /* as out, same stride; may be out; or NULL */
    size_t rows, cols, inner;
    size_t out_stride, in_stride;
    LvDtype type;     /* F32 or BF16 */
    LvDtype out_type; /* the same, or F32 */
    LvCudaFunction function;
} LvCudaProduct;
int lv_cuda_product(LvCudaStream stream, const LvCudaProduct *args);

/* Rows of bf16 become fp8 (quantise.cu): out = in / scale, rounded as e4m3.h says, where the scale is
 * lv_e4m3_scale of the greatest finite element of the row, or with LV_SCALE_TENSOR of all rows. An
 * element that is not finite becomes one that is no number. cols is a multiple of 8, rows of in are
 * 16-byte aligned and those of out 8. */
typedef struct LvCudaQuantise {
    void *out; /* E4M3 [rows, cols] */
    size_t out_stride;
    const void *in; /* bf16 [rows, cols] */
    size_t in_stride;
    size_t rows, cols;
    LvScaling scaling; /* LV_SCALE_ROW or LV_SCALE_TENSOR */
    float *scales;     /* [rows], or [1] */
    float *greatest;   /* [rows], for the kernel's own use; LV_SCALE_TENSOR alone */
} LvCudaQuantise;
int lv_cuda_quantise(LvCudaStream stream, const LvCudaQuantise *args);

/* Of some of a row's scores: the first maximum, and whether one of them is NaN or Inf. */
typedef struct LvCudaBest {
    float score;
    uint32_t id; /* ~0: there were none */
    uint32_t not_finite;
} LvCudaBest;

/* A product of few rows, as decoding has them, that reads each weight once:
 *     out[r][n] = function(x[r] . weight[n] + bias[n]) + residual[r][n]
 * or, with `up` (same shape as weight; neither bias nor residual then),
 *     out[r][n] = function(x[r] . weight[n]) * (x[r] . up[n])
 * where x is in, or with norm_scale RMSNorm(in). Gate and up are not rounded before they are
 * multiplied. The norm stays float32 for up to 2 rows of bf16; for more, which go through tensor
 * cores, in * norm_scale keeps 16 binary digits and the rest of the norm is applied to the sums.
 * out may be the residual where type and stride agree, never in. Rows of in and of the weights are
 * 16-byte aligned (pointer and stride), and so is norm_scale; inner is a multiple of 16 bytes'
 * worth of elements. */
#define LV_CUDA_FEW_ROWS 16u
static inline size_t lv_cuda_few_rows(LvDtype type)
{
    return type == LV_BF16 ? LV_CUDA_FEW_ROWS : 8;
}

/* There is a kernel for weights of this type beside activations of that one. */
static inline bool lv_cuda_few_takes(LvDtype type, LvDtype weight)
{
    return weight == type;
}

typedef struct LvCudaFew {
    void *out; /* out_type [rows, cols] */
    size_t out_stride;
    LvDtype out_type; /* F32 or BF16 */
    const void *in;   /* type [rows, inner] */
    size_t in_stride;
    LvDtype type; /* F32 or BF16: of in and residual */
    size_t rows;  /* at most lv_cuda_few_rows(type) */
    size_t cols, inner;
    LvCudaWeight weight;  /* [cols, inner] */
    LvCudaWeight up;      /* [cols, inner], of the same type and stride; data NULL: none */
    const float *bias;    /* [cols] or NULL */
    const void *residual; /* [rows, cols] or NULL */
    size_t residual_stride;
    const float *norm_scale; /* [inner] or NULL */
    float norm_eps;
    LvCudaFunction function;
    LvCudaBest *best; /* [rows][lv_cuda_best_parts(cols)]; of lv_cuda_linear_few_best alone */
    int32_t overlap;
} LvCudaFew;
int lv_cuda_linear_few(LvCudaStream stream, const LvCudaFew *args);

/* The same product, x . weight[n], that is not written: a row's outputs, rounded to type as
 * lv_cuda_linear_few with that out_type would write them, are cut into parts, and of each part the
 * best is kept. No up, bias, residual or function; out and out_type are not read. */
int lv_cuda_linear_few_best(LvCudaStream stream, const LvCudaFew *args);

static inline uint32_t lv_cuda_best_parts(size_t cols)
{
    return cols < 8 * 2048 ? (uint32_t)((cols + 7) / 8) : 2048;
}

/* Bilinear interpolation of n_items maps, [in_h * in_w, cols] each, to [out_h * out_w, cols]
 * (docs/model.md 3.9): float32 positions, weights and sums with every product and sum rounded, as
 * the CPU's; rounded to type once. */
typedef struct LvCudaPool {
    void *out; /* type [n_items * out_h * out_w, cols] */
    size_t out_stride;
    const void *in; /* type [n_items * in_h * in_w, cols] */
    size_t in_stride;
    LvDtype type; /* F32 or BF16 */
    size_t n_items, cols;
    uint32_t in_h, in_w, out_h, out_w; /* none 0 */
} LvCudaPool;
int lv_cuda_pool_bilinear(LvCudaStream stream, const LvCudaPool *args);
/* The greatest of every 2 x 2; out_h = in_h / 2, out_w = in_w / 2, the last row or column of an odd
 * map counts for nothing. */
int lv_cuda_pool_max(LvCudaStream stream, const LvCudaPool *args);

/* ---- attention (attention*.cu) ---- */

#define LV_CUDA_MAX_HEAD_DIM 256u

/* Softmax attention without a mask inside each of n_items groups of n_tokens rows. Tensor cores
 * for bf16 with head_dim 32, 64, 72 or 128 and 16-byte aligned rows; any head_dim to
 * LV_CUDA_MAX_HEAD_DIM otherwise. */
typedef struct LvCudaAttentionFull {
    void *out; /* type [n_items * n_tokens, n_heads * head_dim] */
    size_t out_stride;
    const void *qkv; /* type [n_items * n_tokens, 3 * n_heads * head_dim]: queries, keys, values */
    size_t qkv_stride;
    LvDtype type; /* F32 or BF16 */
    size_t n_items, n_tokens;
    uint32_t n_heads, head_dim;
    float scale;           /* head_dim^-0.5 */
    uint32_t warp_queries; /* on tensor cores: 16, 32, or 0: what fills the device */
    int32_t wgmma;         /* by warp groups, where the device has them and the operands fit */
    int32_t overlap;
} LvCudaAttentionFull;
int lv_cuda_attention_full(LvCudaStream stream, const LvCudaAttentionFull *args);

/* One sequence's key-value cache and its rows of this batch. The cache is one block of memory in
 * the activation type:
 *     [layer][0 = keys, 1 = values][kv head][capacity][head_dim]
 * lv_cuda_kv_elements() elements, 16-byte aligned. */
typedef struct LvCudaSequence {
    void *cache;
    uint32_t capacity;  /* tokens; position + n_rows <= capacity */
    uint32_t first_row; /* of the batch */
    uint32_t n_rows;    /* may be 0: the sequence is skipped */
    uint32_t position;  /* tokens in the cache before these rows */
} LvCudaSequence;

static inline size_t lv_cuda_kv_elements(
    uint32_t n_layers, uint32_t n_kv_heads, uint32_t head_dim, uint32_t capacity)
{
    return (size_t)n_layers * 2 * n_kv_heads * capacity * head_dim;
}

/* The batch that rope, prefill and decode share. */
typedef struct LvCudaBatch {
    const LvCudaSequence *sequences; /* [n_sequences], device memory; rows in ascending order */
    uint32_t n_sequences;
    uint32_t layer;
    uint32_t n_heads, n_kv_heads, head_dim; /* n_heads a multiple of n_kv_heads; head_dim even */
    LvDtype type;                           /* F32 or BF16: of qkv, out and the caches */
} LvCudaBatch;

/* Rotates queries and keys of qkv in place (pairs m and m + head_dim / 2) by their absolute
 * positions, and stores rotated keys and values in the caches' layer. Rows of no sequence are left
 * alone. */
typedef struct LvCudaRope {
    LvCudaBatch batch;
    void *qkv; /* type [rows, (n_heads + 2 n_kv_heads) * head_dim] */
    size_t qkv_stride;
    size_t rows;
    const float *table; /* [positions][head_dim]: head_dim / 2 cosines, then as many sines */
} LvCudaRope;
int lv_cuda_rope_store(LvCudaStream stream, const LvCudaRope *args);

/* Causal attention of every row's queries over its sequence's cache: row i of a sequence sees keys
 * 0 .. position + i. Any number of rows a sequence; grid sized by max_rows. A row's result does not
 * depend on the rows beside it, except that a NaN among a sequence's values may reach its earlier
 * rows too. */
typedef struct LvCudaPrefill {
    LvCudaBatch batch;
    void *out; /* type [rows, n_heads * head_dim] */
    size_t out_stride;
    const void *qkv; /* as LvCudaRope left it; only the queries are read */
    size_t qkv_stride;
    uint32_t max_rows;     /* no sequence has more rows */
    float scale;           /* head_dim^-0.5 */
    uint32_t warp_queries; /* as above */
    int32_t wgmma;
} LvCudaPrefill;
int lv_cuda_attention_prefill(LvCudaStream stream, const LvCudaPrefill *args);

/* The same for sequences of one row each (n_rows 0 or 1), with each cache cut into n_splits spans
 * of keys_per_split keys that are joined in order. Two kernels. With rope, all that
 * lv_cuda_rope_store does is done as well, and overlap holds: everything in the caches before these
 * rows must have been there before the stream's last launch without overlap. */
typedef struct LvCudaDecode {
    LvCudaBatch batch;
    void *out; /* type [rows, n_heads * head_dim] */
    size_t out_stride;
    void *qkv; /* with rope [rows, (n_heads + 2 n_kv_heads) * head_dim] as in LvCudaRope, and
                 undefined afterwards; otherwise as LvCudaRope left it: only the queries are read */
    size_t qkv_stride;
    uint32_t n_splits;       /* n_splits * keys_per_split >= every position + 1 */
    uint32_t keys_per_split; /* a multiple of 64 */
    float *workspace;        /* lv_cuda_decode_workspace() floats, 16-byte aligned */
    float scale;             /* head_dim^-0.5 */
    const uint32_t *keys_at; /* keys_per_split in device memory, so that it can change between
                                replays of a graph; NULL: the one above */
    const float *rope;       /* LvCudaRope.table or NULL */
    size_t rows;             /* of qkv and out; read with rope alone */
    int32_t overlap;
    int32_t join_overlap; /* of the second kernel alone, which follows the first: it needs no kernel
                             of our own ahead of both */
} LvCudaDecode;
int lv_cuda_attention_decode(LvCudaStream stream, const LvCudaDecode *args);

static inline size_t lv_cuda_decode_workspace(
    uint32_t n_sequences, uint32_t n_heads, uint32_t head_dim, uint32_t n_splits)
{
    return (size_t)n_sequences * n_heads * n_splits * (head_dim + 2);
}

/* n_splits that fill a device of n_processors, whatever the caches hold: splits without keys exit
 * at once. At least 1. */
uint32_t lv_cuda_splits(uint32_t n_sequences, uint32_t n_kv_heads, uint32_t n_processors);
/* keys_per_split of caches of up to max_keys keys that are cut into no more splits than that. */
uint32_t lv_cuda_keys_per_split(
    uint32_t n_sequences, uint32_t n_kv_heads, uint32_t max_keys, uint32_t n_processors);

/* ---- decoding steps (step.cu) ---- */

#define LV_CUDA_STEP_ROWS 64u

/* What differs from step to step. */
typedef struct LvCudaStepBlock {
    uint32_t keys_per_split; /* of LvCudaDecode */
    uint32_t ids_are_tokens; /* not 0: the ids are the tokens of the step before, on the device */
    int32_t ids[LV_CUDA_STEP_ROWS];
    LvCudaSequence sequences[LV_CUDA_STEP_ROWS];
} LvCudaStepBlock;

/* Page-locked memory of the host that the device reads and writes in place, of two steps in turn:
 * step n (from 0) has element n % 2. */
typedef struct LvCudaMail {
    LvCudaStepBlock step[2];
    int32_t tokens[2][LV_CUDA_STEP_ROWS];
} LvCudaMail;

/* In device memory, all zero before the first step. */
typedef struct LvCudaStepState {
    LvCudaStepBlock block; /* of the step under way; of its rows alone */
    uint32_t n_begun;      /* steps so far, the one under way among them */
    uint32_t n_readers;
} LvCudaStepState;

/* Where a step's tokens go beside the device's own memory; mail NULL: nowhere. */
typedef struct LvCudaPost {
    LvCudaMail *mail;
    const LvCudaStepState *state;
} LvCudaPost;

/* Begins a step: out[r] = table[id[r]], and the step's block is on the device. The kernel behind it
 * must not overlap it, so that all that follow can read the block before they wait (LvCudaDecode).
 * An id outside 0 .. table_rows - 1 gives a row of NaN. The mail of the step must not be written
 * before this kernel is done. */
typedef struct LvCudaStepRows {
    void *out; /* type [rows, cols] */
    size_t out_stride;
    const void *table; /* type [table_rows, cols] */
    size_t table_stride, table_rows;
    LvDtype type;      /* F32 or BF16 */
    size_t rows, cols; /* rows at most LV_CUDA_STEP_ROWS */
    const LvCudaMail *mail;
    LvCudaStepState *state;
    const int32_t *tokens; /* [rows], of the step before */
} LvCudaStepRows;
int lv_cuda_step_rows(LvCudaStream stream, const LvCudaStepRows *args);

/* ---- tokens (sample.cu, draw.cu) ---- */

/* token[r] = index of the first maximum of row r, or -1 if the row holds NaN or Inf (or cols is
 * 0). */
typedef struct LvCudaArgmax {
    int32_t *token; /* [rows] */
    const void *in; /* type [rows, cols] */
    size_t in_stride;
    LvDtype type; /* F32 or BF16 */
    size_t rows, cols;
    LvCudaPost post;
} LvCudaArgmax;
int lv_cuda_argmax(LvCudaStream stream, const LvCudaArgmax *args);

/* token[r] = the first maximum of row r's parts, or -1 if any score was NaN or Inf (or there were
 * none): what lv_cuda_argmax gives of the whole row. */
typedef struct LvCudaBestOf {
    int32_t *token;         /* [rows] */
    const LvCudaBest *best; /* [rows][n_parts] */
    size_t rows;
    uint32_t n_parts;
    int32_t overlap;
    LvCudaPost post;
} LvCudaBestOf;
int lv_cuda_best_of(LvCudaStream stream, const LvCudaBestOf *args);

/* How one row's token is drawn; the fields of LlavaovGeneration, checked by the caller. */
typedef struct LvCudaDraw {
    float temperature; /* 0: greedy */
    float repetition_penalty;
    double top_p;         /* 1: off */
    uint32_t top_k;       /* 0: off */
    uint64_t seed, index; /* draw number `index` of the stream of `seed`: Philox4x32-10 */
    uint8_t *seen;        /* [cols] flags of ids for the penalty; the drawn id is noted; or NULL */
} LvCudaDraw;

/* Repetition penalty, temperature, top-k, top-p, softmax, draw: as engine/model/sampler.h. Of
 * scores that are equal at the border of top-p the ones with lower ids are dropped first. token[r]
 * = -1 if the row holds NaN or Inf. index of each row's LvCudaDraw is advanced when a number was
 * drawn. */
typedef struct LvCudaSample {
    int32_t *token; /* [rows] */
    float *logits;  /* [rows, cols]; overwritten with probabilities (penalised logits if greedy) */
    size_t stride;
    size_t rows, cols;
    LvCudaDraw *draws;          /* [rows] */
    void *workspace;            /* rows * LV_CUDA_SAMPLE_ROW_BYTES, 16-byte aligned */
    int32_t no_top_k, no_top_p; /* no row has it: kernels that it needs are left out */
    int32_t overlap;            /* of all but the first of its kernels, which follow each other */
    LvCudaPost post;
} LvCudaSample;
#define LV_CUDA_SAMPLE_ROW_BYTES ((size_t)16384)
int lv_cuda_sample(LvCudaStream stream, const LvCudaSample *args);

/* ---- pictures (picture.cu) ---- */

/* One axis of the 8-bit resize: LvResizeAxis with low and high joined (low + high * 2^14). Where
 * in == out the pass is skipped and the pointers are not read. */
typedef struct LvCudaAxis {
    uint32_t in, out;
    uint32_t precision;     /* 1 to 30 */
    uint32_t stride;        /* weights held for an output */
    const uint32_t *begin;  /* [out] first input of the window */
    const uint32_t *end;    /* [out] one past the last; end - begin <= stride */
    const int32_t *weights; /* [stride][out]: weight k belongs to input begin + k */
} LvCudaAxis;

typedef enum LvCudaPixels { /* as LlavaovPixelFormat */
    LV_CUDA_I420,
    LV_CUDA_NV12,
    LV_CUDA_RGB,
    LV_CUDA_BGR,
    LV_CUDA_RGBA,
    LV_CUDA_BGRA,
    LV_CUDA_RGBX,
    LV_CUDA_BGRX
} LvCudaPixels;

/* As LvPixelValues of checkpoint/preprocess.h. */
typedef struct LvCudaValues {
    double scale;
    float mean[3], std[3];
} LvCudaValues;

/* From a picture in any format to the patch embedding's operand in two kernels, with the CPU
 * path's integers: colour conversion (picture/color.h), padding, two-pass resize with 8 bits
 * between the passes, placing on a canvas that is cut into tiles, and the bytes' values.
 *
 * The picture stands at (side_left, side_top) of a field of across.in x down.in pixels; the field
 * has the colour `pad` elsewhere (the square padding; otherwise the field is the picture). The
 * field is resized to across.out x down.out and stands at (left, top) of a canvas of tile_rows x
 * tile_cols tiles of tile_size pixels; the canvas is black elsewhere. */
typedef struct LvCudaPicture {
    const uint8_t *plane[3];
    size_t row_bytes[3]; /* from one row to the next */
    LvCudaPixels pixels;
    int32_t bt709;      /* matrix: 1 = BT.709, 0 = BT.601 */
    int32_t full_range; /* 1 = 0..255, 0 = 16..235 */
    uint32_t width, height;
    uint32_t side_left, side_top;
    LvCudaAxis across, down;
    int32_t down_first; /* the vertical pass comes first (Pillow's rule, picture/resize.c) */
    uint8_t *between;   /* lv_cuda_picture_workspace() bytes */
    uint32_t left, top;
    uint32_t tile_rows, tile_cols, tile_size;
    uint8_t *rgb;  /* [tiles][tile_size][tile_size][3] or NULL */
    void *patches; /* type [tiles * grid^2, patch_cols] or NULL, grid = tile_size / patch: row =
                      tile, patch row, patch column; element = channel, row, column; the columns
                      from 3 patch^2 to patch_cols are zeros */
    size_t patch_stride;
    uint32_t patch, patch_cols;
    LvDtype type; /* F32 or BF16 */
    LvCudaValues values;
    uint8_t pad[3]; /* colour of the field around the picture */
} LvCudaPicture;
int lv_cuda_picture(LvCudaStream stream, const LvCudaPicture *args);

static inline size_t lv_cuda_picture_workspace(
    uint32_t in_width, uint32_t in_height, uint32_t out_width, uint32_t out_height, int down_first)
{
    return down_first ? (size_t)out_height * in_width * 3 : (size_t)in_height * out_width * 3;
}

/* Patches of tiles that are RGB already (prepared on the host). */
typedef struct LvCudaPatches {
    const uint8_t *rgb; /* [n_tiles][tile_size][tile_size][3] */
    size_t n_tiles;
    uint32_t tile_size, patch, patch_cols;
    void *patches; /* as above */
    size_t patch_stride;
    LvDtype type; /* F32 or BF16 */
    LvCudaValues values;
} LvCudaPatches;
int lv_cuda_patches(LvCudaStream stream, const LvCudaPatches *args);

#ifdef __cplusplus
}
#endif

#endif
