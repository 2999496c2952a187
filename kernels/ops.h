/* SPDX-License-Identifier: Apache-2.0
 * The contract of the CPU kernels: what every implementation of every operation takes, returns and
 * guarantees.
 *
 * A kernel is single-threaded, pure and reentrant: it allocates nothing, keeps no state, and reads
 * and writes only what its arguments name. Callers (engine/backend) cut an operation into calls of
 * a few milliseconds and spread them over threads.
 *
 * Numbers are float32 unless said otherwise. Matrices are row-major; a stride is the distance
 * between rows in floats and may exceed the row's length; floats between a row's end and the next
 * row are neither read nor written. Float pointers need only float's alignment, unless a comment
 * asks for 64 bytes. Stored weights (LvMatrix) need no alignment at all. Any size may be 0. Outputs
 * overlap no input unless the comment allows it.
 *
 * Every result depends only on the values that its formula names, on whether a product is one of few
 * rows, and on the kernel set: how an operation is cut into calls by outputs, rows of
 * panels, queries or threads never changes a bit of it. NaN and Inf pass through (they are not
 * hidden), denormals are computed.
 *
 * kernels/cpu/reference.c is the plain reference; tests/kernels holds every other set against it.
 */
#ifndef LV_OPS_H
#define LV_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype.h"

/* Elementwise functions of a linear operation's epilogue, as transformers' ACT2FN has them.
 * Absolute error: at most 2 ulp of the larger of |x| and |f(x)|. Those from LEAKY_RELU on are rare:
 * every set computes them one by one with lv_function_plain. */
typedef enum LvFunction {
    LV_FUNCTION_NONE,
    LV_FUNCTION_GELU_TANH,  /* x / (1 + exp(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3): = 0.5 x (1 +
                               tanh u) */
    LV_FUNCTION_GELU_ERF,   /* 0.5 x (1 + erf(x / sqrt 2)) */
    LV_FUNCTION_SILU,       /* x / (1 + exp(-x)) */
    LV_FUNCTION_RELU,       /* x < 0 ? 0 : x */
    LV_FUNCTION_QUICK_GELU, /* x / (1 + exp(-1.702 x)) */
    LV_FUNCTION_LEAKY_RELU, /* x < 0 ? 0.01 x : x */
    LV_FUNCTION_RELU2,      /* relu(x)^2 */
    LV_FUNCTION_RELU6,      /* min(relu(x), 6) */
    LV_FUNCTION_TANH,
    LV_FUNCTION_SIGMOID,     /* 1 / (1 + exp(-x)) */
    LV_FUNCTION_MISH,        /* x tanh(ln(1 + exp(x))) */
    LV_FUNCTION_HARDSWISH,   /* x relu6(x + 3) / 6 */
    LV_FUNCTION_GELU_10,     /* GELU_ERF, kept within [-10, 10] */
    LV_FUNCTION_LAPLACE,     /* 0.5 (1 + erf((x - 0.707107) / (0.282095 sqrt 2))) */
    LV_FUNCTION_SQRTSOFTPLUS /* sqrt(ln(1 + exp(x))) */
} LvFunction;

#define LV_LAST_FUNCTION LV_FUNCTION_SQRTSOFTPLUS

/* The function of one number, in float64 inside. */
float lv_function_plain(LvFunction function, float x);

/* A weight as a file holds it, little-endian: row n has the `cols` coefficients of output n, rows
 * follow each other without gaps, each from a whole byte on. */
typedef struct LvMatrix {
    const void *data;
    const struct LvMatrix *scales, *minimums; /* of the whole stored matrix, shaped as dtype.h says;
                                                 NULL where the type has none */
    LvDtype dtype;
    LvDtype rounded_to; /* values are rounded to this float type at last; LV_F32: stay */
    size_t first;       /* row 0 is this row of the stored matrix */
    size_t rows, cols;
} LvMatrix;

/* Row `row` of the matrix. */
static inline const char *lv_matrix_row(const LvMatrix *m, size_t row)
{
    return (const char *)m->data + row * lv_dtype_span(m->dtype, m->cols);
}

/* Rows [first, first + rows) of the matrix. */
static inline LvMatrix lv_matrix_rows(const LvMatrix *m, size_t first, size_t rows)
{
    LvMatrix part = *m;
    part.data = lv_matrix_row(m, first);
    part.first += first;
    part.rows = rows;
    return part;
}

/* The value of one element of any type, rounded once, and then to rounded_to. Slow. */
float lv_matrix_element(const LvMatrix *m, size_t row, size_t k);

/* One call's share of out = function(in . weight^T + bias) + residual, or, when `up` is set, of
 * out = function(in . weight^T) * (in . up^T) with neither bias nor residual.
 * Here out, bias and residual point at the first of the call's outputs. */
typedef struct LvLinearArgs {
    float *out;
    size_t out_stride;
    /* linear_panel: what pack_rows made of `rows` rows; linear_dots: pack_dot_rows; linear_few: the
     * rows themselves. */
    const float *in;
    size_t in_stride;
    size_t rows;
    LvMatrix weight;       /* weight.cols = inner size; a zero inner size gives sums of 0 */
    const LvMatrix *up;    /* same shape as weight, or NULL */
    size_t first, cols;    /* outputs first .. first + cols - 1 of weight (and of up) */
    const float *bias;     /* cols floats, or NULL */
    const float *residual; /* may be out itself (same stride), or NULL */
    size_t residual_stride;
    LvFunction function;
    float *scratch; /* linear_panel: linear_scratch floats, linear_dots: dots_scratch; 64-byte
                       aligned */
} LvLinearArgs;

#define LV_PANEL_COLS 64u  /* most outputs of one linear_panel call; half of it when `up` is set */
#define LV_PANEL_ROWS 768u /* most rows of one linear_panel or linear_dots call */
#define LV_FEW_ROWS 32u    /* most rows of one linear_few call */
#define LV_MAX_LANES 64u   /* no set has more lanes */
#define LV_MAX_KERNEL_HEAD_DIM 512u
/* Most keys of one attention_tile; a multiple of every set's tile_rows. */
#define LV_KEY_BLOCK 768u

/* The attention state of a tile's queries over some of the keys. Without keys max = -FLT_MAX, sum =
 * 0, acc = 0; joining that with another state gives the other's bits. Unused lanes are
 * undefined. */
typedef struct LvAttentionState {
    float *max, *sum; /* [lanes], 64-byte aligned: the greatest score, sum of exp(score - max) */
    float *acc;       /* [head_dim][lanes], 64-byte aligned: sum of exp(score - max) * value */
} LvAttentionState;

/* One tile of attention: up to `lanes` queries of equal head against keys [first_key, first_key +
 * n_keys), at most one block. Keys and values lie in the set's own panels (store_keys,
 * store_values). */
typedef struct LvAttentionTile {
    const float *queries; /* pack_queries' [head_dim][lanes] */
    const void *keys;     /* panels, from key 0 on */
    const void *values;   /* panels, from key 0 on */
    LvDtype held;         /* what they hold: LV_F32 or LV_F16 */
    size_t capacity;      /* keys that the panels have room for; a multiple of tile_rows */
    size_t first_key;     /* a multiple of LV_KEY_BLOCK */
    size_t n_keys;        /* at most LV_KEY_BLOCK */
    uint32_t head_dim;    /* at most LV_MAX_KERNEL_HEAD_DIM */
    uint32_t n_lanes;     /* lanes in use; the others are computed and ignored */
    /* [lanes]: lane l sees keys 0 .. visible[l] - 1, and with a window only the last `window` of
     * those; NULL = all keys. Not decreasing in l. */
    const uint32_t *visible;
    uint32_t window;        /* 0: none; not read where visible is NULL */
    float *scores;          /* scratch: LV_KEY_BLOCK * lanes floats, 64-byte aligned */
    LvAttentionState state; /* written */
} LvAttentionTile;

typedef struct LvKernels {
    const char *name;   /* "reference", "baseline", "avx2", "avx512", "neon" */
    uint32_t tile_rows; /* rows of a register tile: packed operands come in panels of as many */
    uint32_t lanes;     /* columns of a register tile: queries of an attention tile */

    /* ---- weights ---- */
    /* dst[r][c] = the value that row r of the matrix has in column c, packed; what float32 holds
     * is exact, a scaled value is rounded as lv_matrix_element has it. */
    void (*to_float)(float *dst, const LvMatrix *matrix);
    /* What the elements' bits say is never NaN or Inf; scales and minimums are not looked at. */
    bool (*all_finite)(const LvMatrix *matrix);

    /* ---- linear ---- */
    /* Packs rows x cols into ceil(rows / tile_rows) panels of tile_rows * cols floats (64-byte
     * aligned dst) for linear_panel; rows missing from the last panel count as zeros. */
    void (*pack_rows)(float *dst, const float *src, size_t stride, size_t rows, size_t cols);
    /* Floats of scratch that linear_panel needs for so many rows and this inner size. */
    size_t (*linear_scratch)(size_t rows, size_t inner);
    /* Many rows: at most LV_PANEL_ROWS rows and LV_PANEL_COLS outputs. */
    void (*linear_panel)(const LvLinearArgs *linear);
    /* Few rows: 1 to LV_FEW_ROWS, any number of outputs; reads the weights once, in order. The bits
     * of a row do not depend on how many rows there are. */
    void (*linear_few)(const LvLinearArgs *linear);
    /* Many rows in the bits that linear_few gives each of them, for rows that must not depend on
     * company: at most LV_PANEL_ROWS, any number of outputs. Pays from some ten rows on.
     * pack_dot_rows is pack_rows for it: ceil(rows / tile_rows) panels of tile_rows *
     * lv_dot_cols(cols) floats. */
    void (*pack_dot_rows)(float *dst, const float *src, size_t stride, size_t rows, size_t cols);
    size_t (*dots_scratch)(size_t inner);
    void (*linear_dots)(const LvLinearArgs *linear);

    /* ---- attention ---- */
    /* queries[i][l] = sources[l][i] * scale for l < n_lanes; 0 for the other lanes. dst is 64-byte
     * aligned. */
    void (*pack_queries)(
        float *dst, const float *const *sources, uint32_t n_lanes, uint32_t head_dim, float scale);
    /* Numbers that panels of `capacity` keys (values) of one head have. capacity is a multiple of
     * tile_rows. */
    size_t (*key_panel_size)(size_t capacity, uint32_t head_dim);
    size_t (*value_panel_size)(size_t capacity, uint32_t head_dim);
    /* Stores n rows (stride floats apart) as keys (values) first_key .. first_key + n - 1. held: LV_F32,
     * or LV_F16: the nearest, ties to even, what is above 65504 as that. */
    void (*store_keys)(void *panels, LvDtype held, size_t capacity, size_t first_key,
        const float *src, size_t stride, size_t n, uint32_t head_dim);
    void (*store_values)(void *panels, LvDtype held, size_t capacity, size_t first_key,
        const float *src, size_t stride, size_t n, uint32_t head_dim);
    /* Keys (values) 0 .. n - 1, bit by bit, to other panels. */
    void (*copy_keys)(void *dst, size_t dst_capacity, const void *src, LvDtype held,
        size_t src_capacity, size_t n, uint32_t head_dim);
    void (*copy_values)(void *dst, size_t dst_capacity, const void *src, LvDtype held,
        size_t src_capacity, size_t n, uint32_t head_dim);
    /* Computes the state over the tile's keys only, in the same bits for equal numbers of either type. Sums begin at zero and consist of short partial
     * sums, so their error does not depend on the keys before these. */
    void (*attention_tile)(const LvAttentionTile *tile);
    /* state <- the state over the keys of both, for the same queries. Each join rounds once, so
     * many states are joined as a binary tree. */
    void (*attention_join)(const LvAttentionState *state, const LvAttentionState *other,
        uint32_t n_lanes, uint32_t head_dim);
    /* destinations[l][i] = acc[i][l] / sum[l] for l < n_lanes. */
    void (*attention_store)(float *const *destinations, const float *acc, const float *sum,
        uint32_t n_lanes, uint32_t head_dim);

    /* ---- rows ---- */
    /* Mean and biased variance of the row; (in - mean) / sqrt(variance + eps) * scale + bias. bias
     * may be NULL. out may be in. */
    void (*layer_norm)(float *out, size_t out_stride, const float *in, size_t in_stride,
        size_t rows, size_t cols, const float *scale, const float *bias, double eps);
    /* in * (1 / sqrt(mean(in^2) + eps)) * scale; out may be in. */
    void (*rms_norm)(float *out, size_t out_stride, const float *in, size_t in_stride, size_t rows,
        size_t cols, const float *scale, double eps);
    /* Rotates n_heads heads of head_dim (even) lying one after the other, in place: with h =
     * head_dim / 2 and m < h, x[m] <- x[m] c[m] - x[m + h] s[m], x[m + h] <- x[m + h] c[m] + x[m]
     * s[m]. */
    void (*rope)(
        float *heads, uint32_t n_heads, uint32_t head_dim, const float *cosine, const float *sine);
    /* out = wy0 (wx0 a + wx1 b) + wy1 (wx0 c + wx1 d), every product and sum rounded. w = {wx0,
     * wx1, wy0, wy1}. */
    void (*blend)(float *out, const float *a, const float *b, const float *c, const float *d,
        const float w[4], size_t n);
} LvKernels;

/* Columns of a row that pack_dot_rows has packed. */
static inline size_t lv_dot_cols(const LvKernels *kernels, size_t cols)
{
    const size_t unit = kernels->lanes / 2;
    return (cols + unit - 1) / unit * unit;
}

/* Instruction sets, as bits. */
enum {
    LV_CPU_AVX2 = 1,
    LV_CPU_AVX512 = 2,
    LV_CPU_AVX_VNNI = 4,
    LV_CPU_AVX512_VNNI = 8,
    LV_CPU_DOT = 16,
    LV_CPU_I8MM = 32
};

/* What this processor and operating system can run. AVX2 stands for AVX2 + FMA + F16C, AVX512 for F
 * + BW + DQ + VL; the VNNI of each is seen only with it. On 64-bit Arm DOT are the dot products of bytes
 * (SDOT), I8MM the matrix products of bytes (SMMLA), seen only with them. */
unsigned lv_cpu_flags(void);

typedef struct LvKernelSet {
    const char *name;
    unsigned flags; /* that it needs */
    const LvKernels *(*kernels)(void);
} LvKernelSet;

/* The sets of this build, best first; the name behind the last is NULL. */
const LvKernelSet *lv_kernel_sets(void);
/* The best set, no better than the one of this name (NULL: any), that needs no other flags; NULL:
 * there is none of this name. */
const LvKernels *lv_kernels_choose(const char *most, unsigned flags);
/* Plain and slow, for tests: sums in float64. */
const LvKernels *lv_kernels_reference(void);

#endif
