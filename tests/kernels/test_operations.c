/* SPDX-License-Identifier: Apache-2.0
 * The CPU backend's operations against plain formulas in float64, at every instruction level of
 * this processor and with one to three threads. Kernels have their own test (test_kernels.c); this
 * one is about cutting, stitching and bounds. */
#include "ops.h"
#include "workbench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(
    const float *got, const double *want, size_t n, double tolerance, const char *what)
{
    double worst = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        assert_false(isnan(got[i]));
        worst = fmax(worst, fabs(got[i] - want[i]));
        size = fmax(size, fabs(want[i]));
    }
    if (worst > tolerance * (size + 1e-30))
        fail_msg("%s: error %g of %g", what, worst, size);
}

static double activate(LvActivation f, double x)
{
    switch (f) {
    case LV_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case LV_ACTIVATION_GELU_ERF:
        return 0.5 * x * (1 + erf(x * 0.7071067811865476));
    case LV_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case LV_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case LV_ACTIVATION_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    default:
        return x;
    }
}

static void linear_case(Bench *b, size_t rows, size_t inner, size_t outputs, size_t parts,
    LvDtype dtype, LvActivation f, bool with_residual, bool gated)
{
    float *in = bench_noise_rows(b, rows * inner), *w = bench_noise_rows(b, outputs * inner),
          *bias = bench_noise_rows(b, outputs);
    size_t cols = gated ? outputs / 2 : outputs;
    float *residual = bench_noise_rows(b, rows * cols), *got = bench_noise_rows(b, rows * cols);
    double *want = malloc((rows * cols + 1) * sizeof *want);
    LvWeight *lw = bench_weight(b, w, outputs, inner, parts, dtype, LV_WEIGHT_LINEAR);
    LvWeight *lb = bench_weight(b, bias, 1, outputs, 1, LV_F32, LV_WEIGHT_VECTOR);
    LvTensor ti = bench_tensor(b, rows, inner, in), to = bench_tensor(b, rows, cols, residual);
    for (size_t r = 0; r < rows; r++)
        for (size_t n = 0; n < cols; n++) {
            double sum = 0, up = 0;
            for (size_t k = 0; k < inner; k++) {
                sum += (double)in[r * inner + k] * w[n * inner + k];
                if (gated)
                    up += (double)in[r * inner + k] * w[(n + cols) * inner + k];
            }
            want[r * cols + n] =
                gated ? activate(f, sum) * up
                      : activate(f, sum + bias[n]) + (with_residual ? residual[r * cols + n] : 0);
        }
    LlavaovStatus status =
        gated ? b->ops->linear_gated(b->backend, &b->run, to, ti, lw, f)
              : b->ops->linear(b->backend, &b->run, to, ti, lw, lb, f, with_residual ? &to : NULL);
    assert_int_equal(status, LLAVAOV_OK);
    b->ops->download(b->backend, &b->run, got, to);
    check(got, want, rows * cols, 2e-6, gated ? "linear_gated" : "linear");
    b->ops->tensor_free(b->backend, &ti);
    b->ops->tensor_free(b->backend, &to);
    b->ops->weight_free(b->backend, lw);
    b->ops->weight_free(b->backend, lb);
    free(in), free(w), free(bias), free(residual), free(got), free(want);
}

static void attention_full_case(Bench *b, size_t items, size_t tokens, uint32_t heads, uint32_t dim)
{
    size_t width = (size_t)heads * dim, rows = items * tokens;
    float *qkv = bench_noise_rows(b, rows * 3 * width), *got = bench_noise_rows(b, rows * width);
    double *want = calloc(rows * width + 1, sizeof *want), *p = malloc(tokens * sizeof *p);
    for (size_t i = 0; i < rows * 3 * width; i++)
        qkv[i] *= 3;
    for (size_t row = 0; row < rows; row++)
        for (uint32_t h = 0; h < heads; h++) {
            double sum = 0;
            size_t base = row / tokens * tokens;
            for (size_t key = 0; key < tokens; key++) {
                double s = 0;
                for (uint32_t i = 0; i < dim; i++)
                    s += (double)qkv[row * 3 * width + h * dim + i] *
                         qkv[(base + key) * 3 * width + width + h * dim + i];
                sum += p[key] = exp(s / sqrt(dim));
            }
            for (size_t key = 0; key < tokens; key++)
                for (uint32_t i = 0; i < dim; i++)
                    want[row * width + h * dim + i] +=
                        p[key] / sum * qkv[(base + key) * 3 * width + 2 * width + h * dim + i];
        }
    LvTensor ti = bench_tensor(b, rows, 3 * width, qkv), to = bench_tensor(b, rows, width, NULL);
    assert_int_equal(
        b->ops->attention_full(b->backend, &b->run, to, ti, items, tokens, heads, dim), LLAVAOV_OK);
    b->ops->download(b->backend, &b->run, got, to);
    check(got, want, rows * width, 3e-6, "attention_full");
    b->ops->tensor_free(b->backend, &ti);
    b->ops->tensor_free(b->backend, &to);
    free(qkv), free(got), free(want), free(p);
}

/* The cache becomes a fork of its first n tokens. */
static void fork_cache(Bench *b, LvKvCache **cache, uint32_t n, uint32_t capacity)
{
    LvKvCache *fork;
    assert_int_equal(b->ops->kv_fork(b->backend, &b->run, *cache, n, capacity, &fork), LLAVAOV_OK);
    b->ops->kv_close(b->backend, *cache);
    *cache = fork;
}

/* Two sequences in one batch, each fed in several steps; every row is compared with the formula
 * over its history, or the last `window` rows of it. forks: each step goes on on a fork of
 * the one before. */
static void attention_causal_case(Bench *b, uint32_t heads, uint32_t kv_heads, uint32_t dim,
    uint32_t window, bool forks, const uint32_t *steps, size_t n_steps)
{
    LvTextConfig text = {.n_heads = heads,
        .n_kv_heads = kv_heads,
        .head_dim = dim,
        .rope = {.theta = 10000},
        .sliding_window = window,
        .sliding = {false, window > 0}};
    size_t width = (size_t)(heads + 2 * kv_heads) * dim, out_width = (size_t)heads * dim, total = 0;
    for (size_t i = 0; i < n_steps; i++)
        total += steps[i];
    LvKvCache *caches[2];
    double *history[2]; /* rotated */
    for (int s = 0; s < 2; s++) {
        assert_int_equal(
            b->ops->kv_open(b->backend, 2, kv_heads, dim, (uint32_t)total, &caches[s], &b->error),
            0);
        history[s] = calloc(total * width, sizeof(double));
    }
    size_t position = 0;
    for (size_t step = 0; step < n_steps; step++) {
        uint32_t n = steps[step];
        float *rows = bench_noise_rows(b, 2 * n * width),
              *got = bench_noise_rows(b, 2 * n * out_width);
        double *want = calloc(2 * n * out_width, sizeof *want),
               *p = malloc((position + n) * sizeof *p);
        LvTensor ti = bench_tensor(b, 2 * n, width, rows),
                 to = bench_tensor(b, 2 * n, out_width, NULL);
        LvSequence sequences[2];
        for (uint32_t s = 0; s < 2; s++) {
            if (forks && step)
                fork_cache(b, &caches[s], (uint32_t)position, (uint32_t)total);
            sequences[s] = (LvSequence){caches[s], s * n, n, (uint32_t)position, 0};
            for (uint32_t r = 0; r < n; r++) {
                const float *row = rows + (s * n + r) * width;
                double *h = history[s] + (position + r) * width;
                for (size_t i = 0; i < width; i++)
                    h[i] = row[i];
                for (uint32_t head = 0; head < heads + kv_heads; head++)
                    for (uint32_t m = 0; m < dim / 2; m++) {
                        float angle =
                            (float)(position + r) / powf(10000, (float)(2 * m) / (float)dim);
                        double x = h[head * dim + m], y = h[head * dim + m + dim / 2];
                        h[head * dim + m] = x * cos(angle) - y * sin(angle);
                        h[head * dim + m + dim / 2] = y * cos(angle) + x * sin(angle);
                    }
            }
            for (uint32_t r = 0; r < n; r++)
                for (uint32_t head = 0; head < heads; head++) {
                    const double *q = history[s] + (position + r) * width + head * dim;
                    size_t kv = heads * dim + head / (heads / kv_heads) * dim;
                    double sum = 0;
                    size_t seen = position + r + 1,
                           begin = window && seen > window ? seen - window : 0;
                    for (size_t key = begin; key <= position + r; key++) {
                        double score = 0;
                        for (uint32_t i = 0; i < dim; i++)
                            score += q[i] * history[s][key * width + kv + i];
                        sum += p[key] = exp(score / sqrt(dim));
                    }
                    for (size_t key = begin; key <= position + r; key++)
                        for (uint32_t i = 0; i < dim; i++)
                            want[(s * n + r) * out_width + head * dim + i] +=
                                p[key] / sum * history[s][key * width + kv + kv_heads * dim + i];
                }
        }
        LvBatch batch = {sequences, 2};
        assert_int_equal(b->ops->rope_store(b->backend, &b->run, ti, &batch, 1, &text), LLAVAOV_OK);
        assert_int_equal(
            b->ops->attention_causal(b->backend, &b->run, to, ti, &batch, 1, &text), LLAVAOV_OK);
        b->ops->download(b->backend, &b->run, got, to);
        check(got, want, 2 * n * out_width, 2e-5,
            "attention_causal"); /* the naive angle is not rounded alike */
        b->ops->tensor_free(b->backend, &ti);
        b->ops->tensor_free(b->backend, &to);
        free(rows), free(got), free(want), free(p);
        position += n;
    }
    for (int s = 0; s < 2; s++) {
        b->ops->kv_close(b->backend, caches[s]);
        free(history[s]);
    }
}

/* The last of many rows, as a step of its own, whose keys are split among threads, and as one of a
 * long piece of a prompt: the same bits. */
static void same_bits_case(Bench *b, uint32_t window, uint32_t fork)
{
    enum { HEADS = 6, KV = 2, DIM = 8, WIDTH = (HEADS + 2 * KV) * DIM, TOTAL = 2000, PIECE = 150 };
    LvTextConfig text = {.n_heads = HEADS,
        .n_kv_heads = KV,
        .head_dim = DIM,
        .rope = {.theta = 10000},
        .sliding_window = window,
        .sliding = {window > 0}};
    float *rows = bench_noise_rows(b, (size_t)TOTAL * WIDTH), got[2][HEADS * DIM];
    for (int way = 0; way < 2; way++) {
        const uint32_t n = way ? PIECE : 1, before = TOTAL - n;
        LvKvCache *cache;
        assert_int_equal(
            b->ops->kv_open(b->backend, 1, KV, DIM, TOTAL, &cache, &b->error), LLAVAOV_OK);
        LvTensor first = bench_tensor(b, before, WIDTH, rows),
                 last = bench_tensor(b, n, WIDTH, rows + (size_t)before * WIDTH),
                 out = bench_tensor(b, n, HEADS * DIM, NULL);
        LvSequence sequence = {cache, 0, before, 0, 0};
        const LvBatch batch = {&sequence, 1};
        assert_int_equal(
            b->ops->rope_store(b->backend, &b->run, first, &batch, 0, &text), LLAVAOV_OK);
        if (fork)
            fork_cache(b, &cache, fork, TOTAL);
        if (fork) {
            sequence = (LvSequence){cache, 0, before - fork, fork, 0};
            LvTensor rest = bench_tensor(b, before - fork, WIDTH, rows + (size_t)fork * WIDTH);
            assert_int_equal(
                b->ops->rope_store(b->backend, &b->run, rest, &batch, 0, &text), LLAVAOV_OK);
            b->ops->tensor_free(b->backend, &rest);
        }
        sequence = (LvSequence){cache, 0, n, before, 0};
        assert_int_equal(
            b->ops->rope_store(b->backend, &b->run, last, &batch, 0, &text), LLAVAOV_OK);
        assert_int_equal(
            b->ops->attention_causal(b->backend, &b->run, out, last, &batch, 0, &text), LLAVAOV_OK);
        b->ops->download(b->backend, &b->run, got[way], lv_tensor_rows(out, n - 1, 1));
        b->ops->tensor_free(b->backend, &first);
        b->ops->tensor_free(b->backend, &last);
        b->ops->tensor_free(b->backend, &out);
        b->ops->kv_close(b->backend, cache);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    free(rows);
}

/* Rows of several short passes, multiplied together and each pass by itself. */
static void short_passes_case(Bench *b)
{
    enum { INNER = 37, OUTPUTS = 150, ROWS = 75 };
    const size_t passes[] = {32, 1, 3, 30, 9};
    float *in = bench_noise_rows(b, ROWS * INNER), *w = bench_noise_rows(b, 2 * OUTPUTS * INNER),
          got[2][ROWS * OUTPUTS];
    LvWeight *weight = bench_weight(b, w, 2 * OUTPUTS, INNER, 2, LV_BF16, LV_WEIGHT_LINEAR);
    LvTensor ti = bench_tensor(b, ROWS, INNER, in), to = bench_tensor(b, ROWS, OUTPUTS, NULL),
             both = bench_tensor(b, ROWS, 2 * OUTPUTS, NULL);
    static float wide[2][ROWS * 2 * OUTPUTS];
    LvRun run = b->run;
    for (int together = 0; together < 2; together++) {
        run.short_passes = together;
        for (size_t i = 0, row = 0; row < ROWS; i++) {
            const size_t n = together ? ROWS : passes[i];
            const LvTensor rows = lv_tensor_rows(ti, row, n), out = lv_tensor_rows(both, row, n);
            assert_int_equal(
                b->ops->linear(b->backend, &run, out, rows, weight, NULL, LV_ACTIVATION_SILU, NULL),
                LLAVAOV_OK);
            assert_int_equal(
                b->ops->linear(b->backend, &run, out, rows, weight, NULL, LV_ACTIVATION_NONE, &out),
                LLAVAOV_OK);
            assert_int_equal(b->ops->linear_gated(b->backend, &run, lv_tensor_rows(to, row, n),
                                 rows, weight, LV_ACTIVATION_SILU),
                LLAVAOV_OK);
            row += n;
        }
        b->ops->download(b->backend, &run, got[together], to);
        b->ops->download(b->backend, &run, wide[together], both);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    assert_memory_equal(wide[0], wide[1], sizeof wide[0]);
    b->ops->tensor_free(b->backend, &ti);
    b->ops->tensor_free(b->backend, &to);
    b->ops->tensor_free(b->backend, &both);
    b->ops->weight_free(b->backend, weight);
    free(in), free(w);
}

static void rows_cases(Bench *b)
{
    enum { H = 5, W = 7, C = 19 };
    float *in = bench_noise_rows(b, 2 * H * W * C), got[2 * 3 * 4 * C];
    LvTensor ti = bench_tensor(b, 2 * H * W, C, in), to = bench_tensor(b, 2 * 3 * 4, C, NULL);
    assert_int_equal(b->ops->pool_bilinear(b->backend, &b->run, to, ti, 2, H, W, 3, 4), LLAVAOV_OK);
    b->ops->download(b->backend, &b->run, got, to);
    double want[2 * 3 * 4 * C];
    for (int i = 0; i < 2 * 3 * 4; i++) {
        double sy = fmax(0, (i / 4 % 3 + 0.5) * H / 3.0 - 0.5),
               sx = fmax(0, (i % 4 + 0.5) * W / 4.0 - 0.5);
        int y = (int)sy, x = (int)sx;
        for (int c = 0; c < C; c++) {
            const float *map = in + (size_t)(i / 12) * H * W * C + c;
            double top = map[(y * W + x) * C] * (1 - sx + x) + map[(y * W + x + 1) * C] * (sx - x);
            double low = map[((y + 1) * W + x) * C] * (1 - sx + x) +
                         map[((y + 1) * W + x + 1) * C] * (sx - x);
            want[i * C + c] = top * (1 - sy + y) + low * (sy - y);
        }
    }
    check(got, want, 2 * 3 * 4 * C, 1e-5, "pool_bilinear");

    LvTensor tm = lv_tensor_rows(to, 0, 2 * (H / 2) * (W / 2));
    assert_int_equal(b->ops->pool_max(b->backend, &b->run, tm, ti, 2, H, W), LLAVAOV_OK);
    b->ops->download(b->backend, &b->run, got, tm);
    for (size_t i = 0; i < tm.rows; i++)
        for (int c = 0; c < C; c++) {
            const size_t item = i / (H / 2 * (W / 2)), at = i % (H / 2 * (W / 2));
            const float *map = in + item * H * W * C + c;
            double best = -INFINITY;
            for (size_t k = 0; k < 4; k++) {
                const size_t y = at / (W / 2) * 2 + k / 2, x = at % (W / 2) * 2 + k % 2;
                best = fmax(best, map[(y * W + x) * C]);
            }
            want[i * C + c] = best;
        }
    check(got, want, tm.rows * C, 0, "pool_max");
    assert_int_not_equal(b->ops->pool_max(b->backend, &b->run, tm, ti, 2, H, W + 1), LLAVAOV_OK);

    const uint32_t picks[] = {3, 3, 69, 0};
    LvTensor tg = lv_tensor_rows(to, 1, 4);
    assert_int_equal(b->ops->gather_rows(b->backend, &b->run, tg, ti, picks), LLAVAOV_OK);
    b->ops->download(b->backend, &b->run, got, tg);
    for (int i = 0; i < 4; i++)
        assert_memory_equal(got + i * C, in + picks[i] * C, sizeof(float) * C);
    const uint32_t outside[] = {70};
    assert_int_not_equal(
        b->ops->gather_rows(b->backend, &b->run, lv_tensor_rows(to, 0, 1), ti, outside),
        LLAVAOV_OK);

    float *table = bench_noise_rows(b, 9 * C);
    LvWeight *wt = bench_weight(b, table, 9, C, 2, LV_BF16, LV_WEIGHT_TABLE | LV_WEIGHT_LINEAR);
    const int32_t ids[] = {8, 0, 4, 5};
    assert_int_equal(b->ops->embed_tokens(b->backend, &b->run, tg, ids, wt), LLAVAOV_OK);
    b->ops->download(b->backend, &b->run, got, tg);
    for (int i = 0; i < 4; i++)
        assert_memory_equal(got + i * C, table + ids[i] * C, sizeof(float) * C);
    b->ops->weight_free(b->backend, wt);

    float scale[C], bias[C];
    for (int i = 0; i < C; i++)
        scale[i] = bench_noise(b), bias[i] = bench_noise(b);
    LvWeight *ws = bench_weight(b, scale, C, 1, 1, LV_F32, LV_WEIGHT_VECTOR),
             *wb = bench_weight(b, bias, C, 1, 1, LV_F32, LV_WEIGHT_VECTOR);
    for (int rms = 0; rms < 2; rms++) {
        LvTensor tn = lv_tensor_rows(to, 0, 3);
        b->ops->upload(b->backend, &b->run, tn, in);
        LlavaovStatus status = rms ? b->ops->rms_norm(b->backend, &b->run, tn, tn, ws, 1e-6)
                                   : b->ops->layer_norm(b->backend, &b->run, tn, tn, ws, wb, 1e-6);
        assert_int_equal(status, LLAVAOV_OK);
        b->ops->download(b->backend, &b->run, got, tn);
        for (int r = 0; r < 3; r++) {
            double mean = 0, squares = 0;
            for (int i = 0; i < C && !rms; i++)
                mean += in[r * C + i] / (double)C;
            for (int i = 0; i < C; i++)
                squares += (in[r * C + i] - mean) * (in[r * C + i] - mean) / C;
            for (int i = 0; i < C; i++)
                want[r * C + i] =
                    (in[r * C + i] - mean) / sqrt(squares + 1e-6) * scale[i] + (rms ? 0 : bias[i]);
        }
        check(got, want, 3 * C, 1e-6, rms ? "rms_norm" : "layer_norm");
    }
    b->ops->weight_free(b->backend, ws);
    b->ops->weight_free(b->backend, wb);
    b->ops->tensor_free(b->backend, &ti);
    b->ops->tensor_free(b->backend, &to);
    free(in), free(table);
}

static void patch_case(Bench *b)
{
    enum { EDGE = 23, PATCH = 5, GRID = 4, INNER = 3 * PATCH * PATCH, H = 21 };
    LvVisionConfig vision = {
        .image_size = EDGE, .patch_size = PATCH, .grid = GRID, .n_channels = 3};
    uint8_t pixels[2][EDGE * EDGE * 3];
    for (int i = 0; i < EDGE * EDGE * 3; i++)
        for (int t = 0; t < 2; t++)
            pixels[t][i] = (uint8_t)(int)(127 + 128 * bench_noise(b));
    const LvTile tiles[] = {{.rgb = pixels[0]}, {.rgb = pixels[1]}};
    float *w = bench_noise_rows(b, H * INNER), *bias = bench_noise_rows(b, H),
          *position = bench_noise_rows(b, GRID * GRID * H);
    LvWeight *ww = bench_weight(b, w, H, INNER, 1, LV_F16, LV_WEIGHT_LINEAR),
             *wb = bench_weight(b, bias, 1, H, 1, LV_F32, LV_WEIGHT_VECTOR);
    LvWeight *wp = bench_weight(b, position, GRID * GRID, H, 1, LV_F16, LV_WEIGHT_VECTOR);
    LvTensor to = bench_tensor(b, 2 * GRID * GRID, H, NULL);
    assert_int_equal(
        b->ops->patch_embedding(b->backend, &b->run, to, tiles, 2, &vision, ww, wb, wp),
        LLAVAOV_OK);
    float got[2 * GRID * GRID * H];
    static double want[2 * GRID * GRID * H];
    b->ops->download(b->backend, &b->run, got, to);
    for (int t = 0; t < 2 * GRID * GRID; t++)
        for (int h = 0; h < H; h++) {
            int token = t % (GRID * GRID);
            double sum = bias[h] + position[token * H + h];
            for (int k = 0; k < INNER; k++) {
                int c = k / (PATCH * PATCH), y = token / GRID * PATCH + k / PATCH % PATCH,
                    x = token % GRID * PATCH + k % PATCH;
                sum += (pixels[t / (GRID * GRID)][(y * EDGE + x) * 3 + c] - 127.5) / 127.5 *
                       w[h * INNER + k];
            }
            want[t * H + h] = sum;
        }
    check(got, want, 2 * GRID * GRID * H, 2e-6, "patch_embedding");
    b->ops->tensor_free(b->backend, &to);
    b->ops->weight_free(b->backend, ww);
    b->ops->weight_free(b->backend, wb);
    b->ops->weight_free(b->backend, wp);
    free(w), free(bias), free(position);
}

static void operations_match_the_formulas(void **state)
{
    for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++)
        for (uint32_t threads = 1; threads <= 3; threads++) {
            Bench b;
            bench_open(&b, set->name, threads);
            const size_t rows[] = {0, 1, 3, 7, 8, 9, 40, 150};
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                linear_case(
                    &b, rows[i], 37, 101, 3, (LvDtype)(i % 3), (LvActivation)(i % 6), i % 2, false);
                linear_case(
                    &b, rows[i], 530, 150, 2, (LvDtype)(i % 3), LV_ACTIVATION_SILU, false, true);
                linear_case(&b, rows[i], 16, 66, 1, LV_F16, LV_ACTIVATION_GELU_TANH, false, true);
            }
            linear_case(&b, 800, 9, 35, 1, LV_BF16, LV_ACTIVATION_NONE, true, false);
            attention_full_case(&b, 2, 37, 3, 24);
            attention_full_case(&b, 1, 100, 2, 72);
            attention_full_case(&b, 1, 1, 1, 5);
            attention_full_case(&b, 1, 900, 1, 8);
            const uint32_t prefill[] = {70, 1, 1, 5, 33};
            attention_causal_case(&b, 14, 2, 16, 0, threads == 2, prefill, 5);
            attention_causal_case(&b, 14, 2, 16, 13, threads == 1, prefill, 5);
            attention_causal_case(&b, 4, 4, 6, 0, true, prefill, 5);
            const uint32_t longer[] = {766, 1, 1, 2, 1, 3};
            attention_causal_case(&b, 7, 1, 8, 0, threads == 1, longer, 6);
            const uint32_t beyond[] = {800, 1, 770, 2, 1};
            attention_causal_case(&b, 2, 1, 8, 60, threads > 1, beyond, 5);
            same_bits_case(&b, 0, 0);
            same_bits_case(&b, 900, 0);
            same_bits_case(&b, 0, 1001);
            same_bits_case(&b, 1000, 300);
            short_passes_case(&b);
            rows_cases(&b);
            patch_case(&b);
            b.ops->close(b.backend);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(operations_match_the_formulas)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bench_forget_weights();
    return failed;
}
