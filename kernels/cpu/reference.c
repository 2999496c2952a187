/* SPDX-License-Identifier: Apache-2.0
 * The plain reference of every operation of ops.h: sums in float64, libm's functions, no
 * cleverness. Slow on purpose. */
#include "ops.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "e4m3.h"
#include "float16.h"

#define TILE_ROWS 4u
#define LANES 8u

static float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    uint32_t bits;
    if (exponent == 31)
        bits = sign | 0x7F800000 | fraction << 13;
    else if (exponent)
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    else {
        float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- element k of a row ---- */

static float f32_at(const char *row, size_t k)
{
    float value;
    memcpy(&value, row + k * sizeof value, sizeof value);
    return value;
}

static uint16_t half_at(const char *row, size_t k)
{
    uint16_t half;
    memcpy(&half, row + k * sizeof half, sizeof half);
    return half;
}

static float bf16_to_f32(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To the nearest, ties to even. */
static uint16_t f32_to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const float magnitude = fabsf(value);
    if (isnan(value))
        return sign | 0x7E00;
    if (magnitude >= 65520)
        return sign | 0x7C00;
    if (magnitude < 0x1p-14f) /* a whole number of 2^-24 */
        return sign | (uint16_t)nearbyintf(magnitude * 0x1p24f);
    bits &= 0x7FFFFFFF;
    bits += 0xFFF + (bits >> 13 & 1) - (112u << 23);
    return sign | (uint16_t)(bits >> 13);
}

static uint16_t f32_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? 0x7FC0 : (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static float rounded(LvDtype dtype, float value)
{
    switch (lv_dtype_traits(dtype)->coding) {
    case LV_FLOAT16:
        return f16_to_f32(f32_to_f16(value));
    case LV_BFLOAT16:
        return bf16_to_f32(f32_to_bf16(value));
    default:
        return value;
    }
}

/* At most 8 bits, which may go on into the next byte. */
static uint32_t bits_at(const char *row, unsigned bits, size_t k)
{
    const unsigned char *byte = (const unsigned char *)row + k * bits / 8;
    const unsigned low = (unsigned)(k * bits % 8);
    const uint32_t both = byte[0] | (low + bits > 8 ? (uint32_t)byte[1] << 8 : 0);
    return both >> low & ((1u << bits) - 1);
}

/* What the bits say, before scale and minimum. */
static float coded_at(const LvMatrix *m, size_t row, size_t k)
{
    const LvDtypeTraits *traits = lv_dtype_traits(m->dtype);
    const char *data = lv_matrix_row(m, row);
    switch (traits->coding) {
    case LV_FLOAT32:
        return f32_at(data, k);
    case LV_FLOAT16:
        return f16_to_f32(half_at(data, k));
    case LV_BFLOAT16:
        return bf16_to_f32(half_at(data, k));
    case LV_SIGNED: {
        const int32_t bits = (int32_t)bits_at(data, traits->bits, k);
        return (float)(bits >> (traits->bits - 1) ? bits - (1 << traits->bits) : bits);
    }
    case LV_UNSIGNED:
        return (float)bits_at(data, traits->bits, k);
    case LV_CODE:
        return traits->codes[bits_at(data, traits->bits, k)];
    case LV_CODE_HIGH: { /* the other end of the same byte */
        const size_t n = 8u / traits->bits;
        return traits->codes[bits_at(data, traits->bits, k / n * n + (n - 1 - k % n))];
    }
    case LV_FLOAT8:
        return lv_e4m3_to_float((uint8_t)bits_at(data, traits->bits, k));
    }
    return NAN;
}

static float scale_at(
    const LvMatrix *scales, LvScaling scaling, const LvMatrix *m, size_t row, size_t k)
{
    const LvExtent place =
        lv_scale_place(scaling, lv_dtype_traits(m->dtype)->block, m->cols, m->first + row, k);
    return lv_matrix_element(scales, place.row, place.col);
}

float lv_matrix_element(const LvMatrix *m, size_t row, size_t k)
{
    const LvDtypeTraits *traits = lv_dtype_traits(m->dtype);
    const float value = coded_at(m, row, k);
    if (traits->scaling == LV_UNSCALED && traits->minimums == LV_UNSCALED)
        return value;
    const float scale =
        traits->scaling == LV_UNSCALED ? 1 : scale_at(m->scales, traits->scaling, m, row, k);
    return rounded(m->rounded_to,
        traits->minimums == LV_UNSCALED
            ? value * scale
            : fmaf(value, scale, scale_at(m->minimums, traits->minimums, m, row, k)));
}

static void to_float(float *dst, const LvMatrix *m)
{
    for (size_t r = 0; r < m->rows; r++)
        for (size_t k = 0; k < m->cols; k++)
            *dst++ = lv_matrix_element(m, r, k);
}

static bool all_finite(const LvMatrix *m)
{
    for (size_t r = 0; r < m->rows; r++)
        for (size_t k = 0; k < m->cols; k++)
            if (!isfinite(coded_at(m, r, k)))
                return false;
    return true;
}

static double softplus(double x)
{
    return x > 40 ? x : log1p(exp(x));
}

static double apply(LvFunction function, double x)
{
    switch (function) {
    case LV_FUNCTION_NONE:
        break;
    case LV_FUNCTION_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case LV_FUNCTION_GELU_ERF:
        return 0.5 * x * erfc(-x * 0.70710678118654752440);
    case LV_FUNCTION_SILU:
        return x / (1.0 + exp(-x));
    case LV_FUNCTION_RELU:
        return x < 0 ? 0 : x;
    case LV_FUNCTION_QUICK_GELU:
        return x / (1.0 + exp(-1.702 * x));
    case LV_FUNCTION_LEAKY_RELU:
        return x < 0 ? 0.01 * x : x;
    case LV_FUNCTION_RELU2:
        return x < 0 ? 0 : x * x;
    case LV_FUNCTION_RELU6:
        return x < 0 ? 0 : x > 6 ? 6 : x;
    case LV_FUNCTION_TANH:
        return tanh(x);
    case LV_FUNCTION_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case LV_FUNCTION_MISH:
        return x * tanh(softplus(x));
    case LV_FUNCTION_HARDSWISH:
        return x * apply(LV_FUNCTION_RELU6, x + 3.0) / 6.0;
    case LV_FUNCTION_GELU_10:
        x = apply(LV_FUNCTION_GELU_ERF, x);
        return x > 10 ? 10 : x < -10 ? -10 : x;
    case LV_FUNCTION_LAPLACE:
        return 0.5 * erfc((0.707107 - x) / (0.282095 * 1.4142135623730950488));
    case LV_FUNCTION_SQRTSOFTPLUS:
        return sqrt(softplus(x));
    }
    return x;
}

float lv_function_plain(LvFunction function, float x)
{
    return (float)apply(function, x);
}

/* ---- linear: packed rows are rows ---- */

static void pack_rows(float *dst, const float *src, size_t stride, size_t rows, size_t cols)
{
    for (size_t r = 0; r < (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS; r++)
        for (size_t k = 0; k < cols; k++)
            dst[r * cols + k] = r < rows ? src[r * stride + k] : 0;
}

static void pack_dot_rows(float *dst, const float *src, size_t stride, size_t rows, size_t cols)
{
    const size_t packed = (cols + LANES / 2 - 1) / (LANES / 2) * (LANES / 2);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < packed; k++)
            dst[r * packed + k] = k < cols ? src[r * stride + k] : 0;
}

static size_t linear_scratch(size_t rows, size_t inner)
{
    return 0;
}

static size_t dots_scratch(size_t inner)
{
    return 0;
}

static double dot(const float *in, const LvMatrix *weight, size_t n)
{
    double sum = 0;
    for (size_t k = 0; k < weight->cols; k++)
        sum += (double)in[k] * lv_matrix_element(weight, n, k);
    return sum;
}

static void linear_rows(const LvLinearArgs *l, size_t in_stride)
{
    for (size_t r = 0; r < l->rows; r++)
        for (size_t n = 0; n < l->cols; n++) {
            const float *in = l->in + r * in_stride;
            double sum = dot(in, &l->weight, l->first + n);
            if (l->bias)
                sum += l->bias[n];
            sum = apply(l->function, sum);
            if (l->up)
                sum *= dot(in, l->up, l->first + n);
            if (l->residual)
                sum += l->residual[r * l->residual_stride + n];
            l->out[r * l->out_stride + n] = (float)sum;
        }
}

static void linear_panel(const LvLinearArgs *l)
{
    linear_rows(l, l->weight.cols);
}

static void linear_few(const LvLinearArgs *l)
{
    linear_rows(l, l->in_stride);
}

static void linear_dots(const LvLinearArgs *l)
{
    linear_rows(l, (l->weight.cols + LANES / 2 - 1) / (LANES / 2) * (LANES / 2));
}

/* ---- attention: panels are rows ---- */

static void pack_queries(
    float *dst, const float *const *sources, uint32_t n_lanes, uint32_t head_dim, float scale)
{
    for (uint32_t i = 0; i < head_dim; i++)
        for (uint32_t lane = 0; lane < LANES; lane++)
            dst[i * LANES + lane] = lane < n_lanes ? sources[lane][i] * scale : 0;
}

static size_t panel_size(size_t capacity, uint32_t head_dim)
{
    return capacity * head_dim;
}

static void store_rows(void *panels, LvDtype held, size_t capacity, size_t first_key,
    const float *src, size_t stride, size_t n, uint32_t head_dim)
{
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < head_dim; c++) {
            const size_t at = (first_key + i) * head_dim + c;
            if (held == LV_F16)
                ((uint16_t *)panels)[at] = lv_float16_near(src[i * stride + c]);
            else
                ((float *)panels)[at] = src[i * stride + c];
        }
}

static void copy_rows(void *dst, size_t dst_capacity, const void *src, LvDtype held,
    size_t src_capacity, size_t n, uint32_t head_dim)
{
    memcpy(dst, src, n * head_dim * lv_dtype_bytes(held));
}

static double held_number(const LvAttentionTile *t, const void *panels, size_t at)
{
    return t->held == LV_F16 ? (double)f16_to_f32(((const uint16_t *)panels)[at])
                             : (double)((const float *)panels)[at];
}

static double score_of(const LvAttentionTile *t, size_t key, uint32_t lane)
{
    double score = 0;
    for (uint32_t i = 0; i < t->head_dim; i++)
        score +=
            (double)t->queries[i * LANES + lane] * held_number(t, t->keys, key * t->head_dim + i);
    return score;
}

static void attention_tile(const LvAttentionTile *t)
{
    for (uint32_t lane = 0; lane < t->n_lanes; lane++) {
        size_t begin = t->first_key, end = begin + t->n_keys;
        if (t->visible && t->visible[lane] < end)
            end = t->visible[lane];
        if (t->visible && t->window && t->visible[lane] > begin + t->window)
            begin = t->visible[lane] - t->window;
        double best = -FLT_MAX, sum = 0, acc[LV_MAX_KERNEL_HEAD_DIM] = {0};
        for (size_t key = begin; key < end; key++)
            best = fmax(best, score_of(t, key, lane));
        best = (float)best; /* the state belongs to the rounded maximum */
        for (size_t key = begin; key < end; key++) {
            double p = exp(score_of(t, key, lane) - best);
            sum += p;
            for (uint32_t i = 0; i < t->head_dim; i++)
                acc[i] += p * held_number(t, t->values, key * t->head_dim + i);
        }
        t->state.max[lane] = (float)best;
        t->state.sum[lane] = (float)sum;
        for (uint32_t i = 0; i < t->head_dim; i++)
            t->state.acc[i * LANES + lane] = (float)acc[i];
    }
}

static void attention_join(const LvAttentionState *state, const LvAttentionState *other,
    uint32_t n_lanes, uint32_t head_dim)
{
    for (uint32_t lane = 0; lane < n_lanes; lane++) {
        double a = state->max[lane], b = other->max[lane], best = fmax(a, b);
        double mine = exp(a - best), theirs = exp(b - best);
        state->max[lane] = (float)best;
        state->sum[lane] = (float)(state->sum[lane] * mine + other->sum[lane] * theirs);
        for (uint32_t i = 0; i < head_dim; i++) {
            float *acc = state->acc + i * LANES + lane;
            *acc = (float)(*acc * mine + other->acc[i * LANES + lane] * theirs);
        }
    }
}

static void attention_store(float *const *destinations, const float *acc, const float *sum,
    uint32_t n_lanes, uint32_t head_dim)
{
    for (uint32_t lane = 0; lane < n_lanes; lane++)
        for (uint32_t i = 0; i < head_dim; i++)
            destinations[lane][i] = acc[i * LANES + lane] / sum[lane];
}

/* ---- rows ---- */

static void layer_norm(float *out, size_t out_stride, const float *in, size_t in_stride,
    size_t rows, size_t cols, const float *scale, const float *bias, double eps)
{
    for (size_t r = 0; r < rows; r++) {
        const float *x = in + r * in_stride;
        double sum = 0, squares = 0;
        for (size_t i = 0; i < cols; i++)
            sum += x[i];
        double mean = sum / (double)cols;
        for (size_t i = 0; i < cols; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double factor = 1 / sqrt(squares / (double)cols + eps);
        for (size_t i = 0; i < cols; i++)
            out[r * out_stride + i] =
                (float)((x[i] - mean) * factor * scale[i] + (bias ? bias[i] : 0));
    }
}

static void rms_norm(float *out, size_t out_stride, const float *in, size_t in_stride, size_t rows,
    size_t cols, const float *scale, double eps)
{
    for (size_t r = 0; r < rows; r++) {
        const float *x = in + r * in_stride;
        double squares = 0;
        for (size_t i = 0; i < cols; i++)
            squares += (double)x[i] * x[i];
        double factor = 1 / sqrt(squares / (double)cols + eps);
        for (size_t i = 0; i < cols; i++)
            out[r * out_stride + i] = (float)(x[i] * factor * scale[i]);
    }
}

static void rope(
    float *heads, uint32_t n_heads, uint32_t head_dim, const float *cosine, const float *sine)
{
    uint32_t half = head_dim / 2;
    for (uint32_t head = 0; head < n_heads; head++, heads += head_dim)
        for (uint32_t m = 0; m < half; m++) {
            double a = heads[m], b = heads[m + half];
            heads[m] = (float)(a * cosine[m] - b * sine[m]);
            heads[m + half] = (float)(b * cosine[m] + a * sine[m]);
        }
}

static void blend(float *out, const float *a, const float *b, const float *c, const float *d,
    const float w[4], size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = w[2] * (w[0] * a[i] + w[1] * b[i]) + w[3] * (w[0] * c[i] + w[1] * d[i]);
}

const LvKernels *lv_kernels_reference(void)
{
    static const LvKernels kernels = {
        .name = "reference",
        .tile_rows = TILE_ROWS,
        .lanes = LANES,
        .to_float = to_float,
        .all_finite = all_finite,
        .pack_rows = pack_rows,
        .linear_scratch = linear_scratch,
        .linear_panel = linear_panel,
        .linear_few = linear_few,
        .pack_dot_rows = pack_dot_rows,
        .dots_scratch = dots_scratch,
        .linear_dots = linear_dots,
        .pack_queries = pack_queries,
        .key_panel_size = panel_size,
        .value_panel_size = panel_size,
        .store_keys = store_rows,
        .store_values = store_rows,
        .copy_keys = copy_rows,
        .copy_values = copy_rows,
        .attention_tile = attention_tile,
        .attention_join = attention_join,
        .attention_store = attention_store,
        .layer_norm = layer_norm,
        .rms_norm = rms_norm,
        .rope = rope,
        .blend = blend,
    };
    return &kernels;
}
