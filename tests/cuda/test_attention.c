/* SPDX-License-Identifier: Apache-2.0
 * Rotary embedding and the three attentions of the CUDA kernels against float64 on the same rounded
 * inputs. Keys that no query may see, cache rows behind the sequence and gaps are NaN. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"

static const LvDtype types[] = {LV_F32, LV_BF16};

/* What the queries and keys of a case look like. */
typedef enum Look {
    LOOK_NOISE,
    LOOK_OUTLIERS,
    LOOK_FIRST, /* every query's weight falls on its first key */
    LOOK_LAST,  /* on the last one it sees */
    LOOK_DIAGONAL,
    N_LOOKS
} Look;

/* result [d] = softmax(q . keys) . values over n keys; each is a row of `d` values at a column. */
static void wanted_row(double *result, const Matrix *q, size_t q_row, size_t q_col, const Matrix *k,
    size_t k_row, size_t k_col, const Matrix *v, size_t v_row, size_t v_col, size_t n, uint32_t d,
    double scale)
{
    double *weights = malloc((n + 1) * sizeof *weights), best = -INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++) {
        weights[j] = 0;
        for (uint32_t c = 0; c < d; c++)
            weights[j] += matrix_at(q, q_row, q_col + c) * matrix_at(k, k_row + j, k_col + c);
        weights[j] *= scale;
        best = fmax(best, weights[j]);
    }
    for (size_t j = 0; j < n; j++)
        sum += weights[j] = exp(weights[j] - best);
    for (uint32_t c = 0; c < d; c++) {
        result[c] = 0;
        for (size_t j = 0; j < n; j++)
            result[c] += weights[j] / sum * matrix_at(v, v_row + j, v_col + c);
    }
    free(weights);
}

/* A direction of its own for key j of n: signs after j's bits, so that other keys agree little. */
static double direction(size_t j, uint32_t c)
{
    uint32_t x = (uint32_t)j * 2654435761u + c * 40503u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return x & 1 ? 1 : -1;
}

/* Makes query `row` agree with key `key` alone. */
static void point_at(Matrix *m, size_t row, size_t col, uint32_t d, size_t key, double length)
{
    for (uint32_t c = 0; c < d; c++)
        matrix_set(m, row, col + c, direction(key, c) * length);
}

/* Both sizes of tiles, and the one that is chosen. */
static uint32_t warp_queries(int number)
{
    return (uint32_t)number % 3 * 16;
}

/* By warp groups, where the shape is one of theirs. */
static int32_t wgmma(int number)
{
    return number % 4 == 1 || number % 4 == 2;
}

/* ---- full ---- */

static void full_case(
    LvDtype type, size_t items, size_t n, uint32_t heads, uint32_t d, size_t gap, Look look)
{
    int number = next_case();
    size_t width = (size_t)heads * d, rows = items * n;
    Kind kind = look == LOOK_OUTLIERS ? KIND_OUTLIERS : KIND_NOISE;
    Matrix qkv = matrix_new(type, rows, 3 * width, 3 * width + gap, gap % 8, KIND_NOISE);
    Matrix out = matrix_new(type, rows, width, width + gap, 0, KIND_EMPTY);
    double *wanted = calloc(rows * width + 1, sizeof *wanted);
    if (kind == KIND_OUTLIERS && rows)
        for (int i = 0; i < 4; i++)
            matrix_set(&qkv, random_bits() % rows, random_bits() % (3 * width), 30 * noise());
    if (look >= LOOK_FIRST)
        for (size_t r = 0; r < rows; r++)
            for (uint32_t h = 0; h < heads; h++) {
                size_t i = r % n, key = look == LOOK_FIRST ? 0 : look == LOOK_LAST ? n - 1 : i;
                point_at(&qkv, r, h * d, d, key, 8);
                point_at(&qkv, r, width + h * d, d, i, 8);
            }
    double scale = pow(d, -0.5);
    for (size_t r = 0; r < rows; r++)
        for (uint32_t h = 0; h < heads; h++)
            wanted_row(wanted + r * width + h * d, &qkv, r, h * d, &qkv, r / n * n, width + h * d,
                &qkv, r / n * n, 2 * width + h * d, n, d, (float)scale);
    const bool overlaps = number % 3 == 1 && device_overlaps();
    Matrix from = overlaps ? matrix_sent(&qkv) : matrix_copy(&qkv);
    LvCudaAttentionFull args = {out.data, out.stride, from.data, from.stride, type, items, n, heads,
        d, (float)scale, warp_queries(number), wgmma(number), overlaps};
    assert_int_equal(lv_cuda_attention_full(device_stream(), &args), 0);
    check_matrix(&out, wanted, "attention_full", number);
    check_guards(&from);
    matrix_free(&from);
    free(wanted);
    matrix_free(&qkv);
    matrix_free(&out);
}

static void full(void **state)
{
    static const struct {
        size_t items, n;
        uint32_t heads, d;
        size_t gap;
    } shapes[] = {{0, 5, 1, 64, 0}, {1, 0, 1, 64, 0}, {1, 1, 1, 72, 0}, {2, 1, 2, 64, 0},
        {1, 7, 1, 72, 8}, {1, 16, 2, 32, 0}, {1, 17, 1, 64, 8}, {2, 33, 1, 72, 0},
        {1, 63, 1, 32, 0}, {1, 64, 1, 72, 0}, {1, 65, 2, 72, 16}, {1, 66, 1, 128, 0},
        {2, 97, 1, 64, 0}, {1, 130, 1, 72, 0}, {1, 37, 1, 80, 0}, {1, 20, 2, 5, 3},
        {1, 35, 1, 64, 1}, {1, 9, 1, 200, 0}, {1, 127, 1, 72, 0}, {1, 128, 1, 64, 0},
        {1, 193, 1, 72, 8}, {3, 32, 1, 64, 0}, {1, 145, 2, 64, 0}, {2, 1, 1, 72, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t t = 0; t < 2; t++)
            for (Look look = 0; look < N_LOOKS; look++)
                if (look < 2 || i % 2 == 0 || shapes[i].d == 72)
                    full_case(types[t], shapes[i].items, shapes[i].n, shapes[i].heads, shapes[i].d,
                        shapes[i].gap, look);
    for (int i = 0; i < 3; i++)
        full_case(LV_BF16, 1, 729, 1, 72, 0, LOOK_NOISE); /* a frame of the real tower */
    check_cases(60);
}

/* ---- causal ---- */

#define MAX_SEQUENCES 4
#define LAYERS 2u

typedef struct Shape {
    uint32_t heads, kv_heads, d, gap;
    uint32_t n_sequences;
    struct {
        uint32_t rows, position, spare; /* capacity = position + rows + spare */
    } sequences[MAX_SEQUENCES];
} Shape;

/* Everything about a batch, with float64 copies of nothing: the wanted values come from the same
 * rounded numbers. */
typedef struct Batch {
    const Shape *shape;
    LvCudaBatch args;
    LvCudaSequence *sequences;    /* device */
    Matrix caches[MAX_SEQUENCES]; /* [LAYERS * 2 * kv_heads * capacity, d] */
    Matrix qkv, out;
    size_t rows;
} Batch;

static size_t cache_row(const Batch *b, uint32_t s, uint32_t value, uint32_t head)
{
    return ((size_t)(b->args.layer * 2 + value) * b->shape->kv_heads + head) *
           b->sequences[s].capacity;
}

static Batch batch_new(const Shape *shape, LvDtype type, bool filled, Look look, int number)
{
    Batch b = {.shape = shape};
    uint32_t d = shape->d, unused = number % 3 == 1;
    b.rows = unused;
    b.sequences = device_alloc(MAX_SEQUENCES * sizeof *b.sequences);
    b.args = (LvCudaBatch){b.sequences, shape->n_sequences, (uint32_t)number % LAYERS, shape->heads,
        shape->kv_heads, d, type};
    for (uint32_t s = 0; s < shape->n_sequences; s++) {
        uint32_t n = shape->sequences[s].rows, position = shape->sequences[s].position;
        uint32_t capacity = position + n + shape->sequences[s].spare;
        size_t rows = (size_t)LAYERS * 2 * shape->kv_heads * capacity;
        b.caches[s] = matrix_new(type, rows, d, d, 0, KIND_EMPTY);
        b.sequences[s] =
            (LvCudaSequence){b.caches[s].data, capacity, (uint32_t)b.rows, n, position};
        for (uint32_t value = 0; value < 2; value++)
            for (uint32_t head = 0; head < shape->kv_heads; head++)
                for (uint32_t i = 0; i < position + (filled ? n : 0); i++) {
                    size_t row = cache_row(&b, s, value, head) + i;
                    for (uint32_t c = 0; c < d; c++)
                        matrix_set(&b.caches[s], row, c, noise());
                    if (look >= LOOK_FIRST && !value)
                        point_at(&b.caches[s], row, 0, d, i, 8);
                    if (look == LOOK_OUTLIERS && random_bits() >> 27 == 0)
                        matrix_set(&b.caches[s], row, random_bits() % d, 30 * noise());
                }
        b.rows += n;
    }
    size_t width = (size_t)(shape->heads + 2 * shape->kv_heads) * d;
    b.qkv = matrix_new(type, b.rows, width, width + shape->gap, 0, KIND_NOISE);
    b.out = matrix_new(type, b.rows, (size_t)shape->heads * d,
        (size_t)shape->heads * d + shape->gap, 0, KIND_EMPTY);
    for (uint32_t s = 0; s < shape->n_sequences && look >= LOOK_FIRST; s++)
        for (uint32_t i = 0; i < b.sequences[s].n_rows; i++)
            for (uint32_t h = 0; h < shape->heads; h++) {
                uint32_t own = b.sequences[s].position + i;
                size_t key = look == LOOK_FIRST ? 0 : look == LOOK_LAST ? own : (own + 1) / 2;
                point_at(&b.qkv, b.sequences[s].first_row + i, (size_t)h * d, d, key, 8);
            }
    return b;
}

static void batch_free(Batch *b)
{
    for (uint32_t s = 0; s < b->shape->n_sequences; s++)
        matrix_free(&b->caches[s]);
    matrix_free(&b->qkv);
    matrix_free(&b->out);
    device_free(b->sequences);
}

/* Checks the rows of the sequences, and that no other row was written. */
static void check_batch(const Batch *b, const char *what, int number)
{
    const Shape *shape = b->shape;
    size_t width = (size_t)shape->heads * shape->d;
    double *wanted = malloc((b->rows * width + 1) * sizeof *wanted);
    for (size_t i = 0; i < b->rows * width; i++)
        wanted[i] = NAN;
    for (uint32_t s = 0; s < shape->n_sequences; s++)
        for (uint32_t i = 0; i < b->sequences[s].n_rows; i++)
            for (uint32_t h = 0; h < shape->heads; h++) {
                uint32_t head = h / (shape->heads / shape->kv_heads);
                size_t row = b->sequences[s].first_row + i;
                wanted_row(wanted + row * width + (size_t)h * shape->d, &b->qkv, row,
                    (size_t)h * shape->d, &b->caches[s], cache_row(b, s, 0, head), 0, &b->caches[s],
                    cache_row(b, s, 1, head), 0, b->sequences[s].position + i + 1, shape->d,
                    (float)pow(shape->d, -0.5));
            }
    check_matrix(&b->out, wanted, what, number);
    free(wanted);
}

static const Shape prefill_shapes[] = {
    {2, 1, 64, 0, 1, {{1, 0, 0}}},
    {1, 1, 64, 0, 0, {{0}}},
    {4, 2, 32, 8, 2, {{5, 0, 3}, {0, 4, 1}}},
    {2, 2, 64, 0, 3, {{17, 0, 0}, {1, 63, 2}, {16, 16, 5}}},
    {7, 1, 64, 0, 1, {{33, 31, 1}}},
    {2, 1, 128, 8, 2, {{65, 0, 0}, {3, 61, 0}}},
    {1, 1, 32, 0, 1, {{130, 0, 7}}},
    {2, 1, 64, 16, 1, {{64, 64, 0}}},
    {3, 1, 6, 1, 2, {{9, 2, 2}, {4, 0, 0}}},
    {2, 1, 96, 0, 1, {{20, 13, 0}}},
    {1, 1, 256, 0, 1, {{3, 2, 1}}},
    {1, 1, 64, 0, 1, {{65, 62, 3}}},
    {1, 1, 128, 0, 1, {{70, 3, 1}}},
    {2, 2, 128, 0, 1, {{161, 37, 0}}},
    {2, 1, 64, 0, 2, {{193, 5, 0}, {2, 190, 4}}},
    {1, 1, 64, 8, 1, {{129, 128, 0}}},
    {1, 1, 64, 0, 2, {{389, 2, 0}, {60, 9, 1}}},
    {1, 1, 128, 0, 1, {{257, 1, 0}}},
};

static void prefill(void **state)
{
    for (size_t i = 0; i < sizeof prefill_shapes / sizeof *prefill_shapes; i++)
        for (size_t t = 0; t < 2; t++)
            for (Look look = 0; look < N_LOOKS; look++) {
                int number = next_case();
                Batch b = batch_new(&prefill_shapes[i], types[t], true, look, number);
                uint32_t most = 0;
                for (uint32_t s = 0; s < b.shape->n_sequences; s++)
                    most = b.sequences[s].n_rows > most ? b.sequences[s].n_rows : most;
                LvCudaPrefill args = {b.args, b.out.data, b.out.stride, b.qkv.data, b.qkv.stride,
                    most + (uint32_t)number % 2 * 20, (float)pow(b.shape->d, -0.5),
                    warp_queries(number), wgmma(number)};
                assert_int_equal(lv_cuda_attention_prefill(device_stream(), &args), 0);
                check_batch(&b, "attention_prefill", number);
                batch_free(&b);
            }
    check_cases(60);
}

/* A row's bytes are the same whichever rows are attended together with it, in however large tiles
 * of queries: an answer does not depend on how its prefill was cut. */
static void cut(void **state)
{
    static const Shape shapes[] = {
        {2, 1, 64, 0, 1, {{290, 21, 0}}},
        {4, 2, 128, 0, 1, {{150, 21, 0}}},
        {2, 2, 32, 0, 1, {{90, 3, 0}}},
    };
    static const uint32_t pieces[] = {1, 16, 50, 64, 100};
    for (size_t i = 0; i < 2 * (sizeof shapes / sizeof *shapes); i++) {
        const int way = i % 2; /* by warp groups, too */
        const Shape *shape = &shapes[i / 2];
        Batch b = batch_new(shape, LV_BF16, true, LOOK_OUTLIERS, next_case());
        const uint32_t rows = b.sequences->n_rows, position = b.sequences->position;
        const uint32_t first = b.sequences->first_row;
        const float scale = (float)pow(shape->d, -0.5);
        LvCudaPrefill args = {
            b.args, b.out.data, b.out.stride, b.qkv.data, b.qkv.stride, rows, scale, 32, way};
        assert_int_equal(lv_cuda_attention_prefill(device_stream(), &args), 0);
        assert_int_equal(device_wait(), 0);
        Matrix whole = matrix_copy(&b.out);
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            memset(b.out.base, 0xFF, b.out.bytes);
            for (uint32_t done = 0; done < rows; done += pieces[p]) {
                args.warp_queries = done % 32 ? 16 : 0;
                b.sequences->position = position + done;
                b.sequences->first_row = first + done;
                b.sequences->n_rows = rows - done < pieces[p] ? rows - done : pieces[p];
                args.max_rows = b.sequences->n_rows;
                assert_int_equal(lv_cuda_attention_prefill(device_stream(), &args), 0);
                assert_int_equal(device_wait(), 0);
            }
            assert_memory_equal(b.out.base, whole.base, whole.bytes);
        }
        matrix_free(&whole);
        batch_free(&b);
    }
}

static const Shape decode_shapes[] = {
    {2, 1, 64, 0, 1, {{1, 0, 0}}},
    {1, 1, 64, 0, 0, {{0}}},
    {14, 2, 64, 8, 2, {{1, 63, 1}, {1, 64, 0}}},
    {4, 2, 32, 0, 4, {{1, 5, 0}, {0, 9, 3}, {1, 130, 0}, {1, 0, 40}}},
    {4, 2, 32, 0, 4, {{1, 5, 0}, {1, 130, 0}, {0, 9, 3}, {0, 0, 5}}},
    {7, 1, 128, 0, 1, {{1, 100, 0}}},
    {20, 1, 64, 0, 1, {{1, 40, 2}}},
    {1, 1, 64, 0, 2, {{1, 127, 0}, {1, 128, 0}}},
    {8, 8, 32, 8, 1, {{1, 70, 2}}},
    {3, 1, 6, 1, 2, {{1, 2, 2}, {1, 300, 0}}},
    {17, 1, 40, 0, 1, {{1, 90, 0}}},
    {2, 1, 256, 0, 1, {{1, 66, 1}}},
    {7, 1, 64, 0, 1, {{1, 260, 9}}},
    {7, 1, 64, 0, 1, {{1, 3000, 0}}},
};

/* The cosines and sines of all positions of a batch. */
static Matrix rope_table(const Batch *b)
{
    uint32_t d = b->shape->d, half = d / 2, positions = 0;
    for (uint32_t s = 0; s < b->shape->n_sequences; s++)
        if (b->sequences[s].capacity > positions)
            positions = b->sequences[s].capacity;
    Matrix table = matrix_new(LV_F32, positions, d, d, 0, KIND_EMPTY);
    for (uint32_t p = 0; p < positions; p++)
        for (uint32_t m = 0; m < half; m++) {
            double angle = p * pow(10000, -2.0 * m / d);
            matrix_set(&table, p, m, cos(angle));
            matrix_set(&table, p, half + m, sin(angle));
        }
    return table;
}

/* Another batch with the same values. */
static Batch batch_copy(const Batch *b)
{
    Batch copy = *b;
    copy.sequences = device_alloc(MAX_SEQUENCES * sizeof *copy.sequences);
    copy.args.sequences = copy.sequences;
    for (uint32_t s = 0; s < b->shape->n_sequences; s++) {
        copy.caches[s] = matrix_copy(&b->caches[s]);
        copy.sequences[s] = b->sequences[s];
        copy.sequences[s].cache = copy.caches[s].data;
    }
    copy.qkv = matrix_copy(&b->qkv);
    copy.out = matrix_copy(&b->out);
    return copy;
}

static void compare_caches(const Batch *b, const Batch *wanted, int number)
{
    for (uint32_t s = 0; s < b->shape->n_sequences; s++) {
        const Matrix *cache = &wanted->caches[s];
        double *values = malloc((cache->rows * cache->cols + 1) * sizeof *values);
        for (size_t r = 0; r < cache->rows; r++)
            for (size_t c = 0; c < cache->cols; c++)
                values[r * cache->cols + c] = matrix_at(cache, r, c);
        check_matrix(&b->caches[s], values, "attention_decode's cache", number);
        free(values);
    }
}

/* rotates: the kernel rotates and stores as well, and the product that is ahead of it is not done
 * when it begins. */
static void decode_case(const Shape *shape, LvDtype type, Look look, bool rotates)
{
    int number = next_case();
    Batch b = batch_new(shape, type, !rotates, look, number), wanted = batch_copy(&b);
    Matrix table = rope_table(&b);
    uint32_t most = 0, keys = number % 2 ? 64 : 128;
    for (uint32_t s = 0; s < b.shape->n_sequences; s++)
        most = b.sequences[s].position + 1 > most ? b.sequences[s].position + 1 : most;
    uint32_t n_splits = (most + keys - 1) / keys + (uint32_t)number % 3;
    size_t floats =
        lv_cuda_decode_workspace(b.shape->n_sequences, b.shape->heads, shape->d, n_splits);
    Matrix workspace = vector_new(floats, KIND_EMPTY), qkv = b.qkv;
    uint32_t *keys_at = device_alloc(sizeof *keys_at);
    *keys_at = keys;
    if (rotates) {
        LvCudaRope rope = {wanted.args, wanted.qkv.data, qkv.stride, b.rows, table.data};
        assert_int_equal(lv_cuda_rope_store(device_stream(), &rope), 0);
        assert_int_equal(device_wait(), 0);
        qkv = matrix_sent(&b.qkv);
    }
    LvCudaDecode args = {.batch = b.args,
        .out = b.out.data,
        .out_stride = b.out.stride,
        .qkv = qkv.data,
        .qkv_stride = qkv.stride,
        .n_splits = n_splits,
        .keys_per_split = keys,
        .workspace = workspace.data,
        .scale = (float)pow(shape->d, -0.5),
        .rope = rotates ? table.data : NULL,
        .rows = b.rows,
        .overlap = number % 4 && device_overlaps(),
        .join_overlap = number % 4 == 0 && device_overlaps()};
    if (number % 3 == 2) { /* as a graph has it: what was recorded is out of date */
        args.keys_at = keys_at;
        args.keys_per_split = keys == 64 ? 192 : 64;
    }
    assert_int_equal(lv_cuda_attention_decode(device_stream(), &args), 0);
    matrix_free(&wanted.out);
    wanted.out = b.out;
    check_batch(&wanted, "attention_decode", number);
    compare_caches(&b, &wanted, number);
    check_guards(&workspace);
    if (rotates)
        matrix_free(&qkv);
    wanted.out = (Matrix){0};
    matrix_free(&workspace);
    matrix_free(&table);
    batch_free(&b);
    batch_free(&wanted);
    device_free(keys_at);
}

static void decode(void **state)
{
    for (size_t i = 0; i < sizeof decode_shapes / sizeof *decode_shapes; i++)
        for (size_t t = 0; t < 2; t++)
            for (Look look = 0; look < N_LOOKS; look++)
                decode_case(&decode_shapes[i], types[t], look, false);
    check_cases(60);
}

static void decode_rotating(void **state)
{
    for (size_t i = 0; i < sizeof decode_shapes / sizeof *decode_shapes; i++)
        for (size_t t = 0; t < 2; t++)
            for (int n = 0; n < 3; n++)
                decode_case(&decode_shapes[i], types[t], n == 2 ? LOOK_OUTLIERS : LOOK_NOISE, true);
    check_cases(60);
}

/* ---- rotary embedding ---- */

static void rope_case(const Shape *shape, LvDtype type, Look look)
{
    int number = next_case();
    Batch b = batch_new(shape, type, false, look, number);
    uint32_t d = shape->d, half = d / 2;
    Matrix table = rope_table(&b);
    size_t width = b.qkv.cols, rotated = (size_t)(shape->heads + shape->kv_heads) * d;
    double *wanted = malloc((b.rows * width + 1) * sizeof *wanted);
    double *stored[MAX_SEQUENCES];
    for (size_t r = 0; r < b.rows; r++)
        for (size_t c = 0; c < width; c++)
            wanted[r * width + c] = matrix_at(&b.qkv, r, c);
    for (uint32_t s = 0; s < shape->n_sequences; s++) {
        const Matrix *cache = &b.caches[s];
        stored[s] = malloc((cache->rows * d + 1) * sizeof **stored);
        for (size_t r = 0; r < cache->rows; r++)
            for (uint32_t c = 0; c < d; c++)
                stored[s][r * d + c] = matrix_at(cache, r, c);
        for (uint32_t i = 0; i < b.sequences[s].n_rows; i++) {
            size_t row = b.sequences[s].first_row + i, p = b.sequences[s].position + i;
            for (size_t c = 0; c < rotated; c++) {
                size_t m = c % d % half;
                double x = matrix_at(&b.qkv, row, c);
                double y = matrix_at(&b.qkv, row, c % d < half ? c + half : c - half);
                wanted[row * width + c] = x * matrix_at(&table, p, m) +
                                          (c % d < half ? -y : y) * matrix_at(&table, p, half + m);
            }
            for (uint32_t h = 0; h < shape->kv_heads; h++)
                for (uint32_t c = 0; c < d; c++) {
                    const double *key = wanted + row * width + (size_t)(shape->heads + h) * d;
                    stored[s][(cache_row(&b, s, 0, h) + p) * d + c] = key[c];
                    stored[s][(cache_row(&b, s, 1, h) + p) * d + c] =
                        key[(size_t)shape->kv_heads * d + c];
                }
        }
    }
    LvCudaRope args = {b.args, b.qkv.data, b.qkv.stride, b.rows, table.data};
    assert_int_equal(lv_cuda_rope_store(device_stream(), &args), 0);
    check_matrix(&b.qkv, wanted, "rope", number);
    for (uint32_t s = 0; s < shape->n_sequences; s++) {
        check_matrix(&b.caches[s], stored[s], "rope's cache", number);
        free(stored[s]);
    }
    free(wanted);
    matrix_free(&table);
    batch_free(&b);
}

static void rope(void **state)
{
    for (size_t i = 0; i < sizeof prefill_shapes / sizeof *prefill_shapes; i++)
        for (size_t t = 0; t < 2; t++)
            for (Look look = 0; look < 3; look++)
                rope_case(&prefill_shapes[i], types[t], look);
    for (size_t i = 0; i < sizeof decode_shapes / sizeof *decode_shapes; i++)
        rope_case(&decode_shapes[i], types[i % 2], LOOK_NOISE);
    check_cases(60);
}

static void refused(void **state)
{
    LvCudaAttentionFull full_args = {.type = LV_F32, .n_items = 1, .n_tokens = 1, .n_heads = 1};
    assert_int_equal(lv_cuda_attention_full(device_stream(), &full_args), LV_CUDA_BAD_ARGUMENT);
    full_args.head_dim = LV_CUDA_MAX_HEAD_DIM + 1;
    assert_int_equal(lv_cuda_attention_full(device_stream(), &full_args), LV_CUDA_BAD_ARGUMENT);
    LvCudaBatch batch = {.n_heads = 3, .n_kv_heads = 2, .head_dim = 64, .type = LV_BF16};
    LvCudaPrefill prefill_args = {.batch = batch};
    LvCudaDecode decode_args = {.batch = batch, .keys_per_split = 64};
    LvCudaRope rope_args = {.batch = batch};
    assert_int_equal(
        lv_cuda_attention_prefill(device_stream(), &prefill_args), LV_CUDA_BAD_ARGUMENT);
    assert_int_equal(lv_cuda_attention_decode(device_stream(), &decode_args), LV_CUDA_BAD_ARGUMENT);
    assert_int_equal(lv_cuda_rope_store(device_stream(), &rope_args), LV_CUDA_BAD_ARGUMENT);
    decode_args.batch.n_kv_heads = 1;
    decode_args.keys_per_split = 32;
    assert_int_equal(lv_cuda_attention_decode(device_stream(), &decode_args), LV_CUDA_BAD_ARGUMENT);
}

/* The advice covers every key, in whole tiles. */
static void splits(void **state)
{
    for (uint32_t sequences = 0; sequences < 70; sequences += 7)
        for (uint32_t keys = 0; keys < 9000; keys += 431) {
            uint32_t n = lv_cuda_keys_per_split(sequences, 2, keys, 132);
            assert_true(n >= 64 && n % 64 == 0);
        }
    assert_int_equal(lv_cuda_keys_per_split(1, 2, 6303, 132), 64);
    assert_int_equal(lv_cuda_keys_per_split(64, 2, 6303, 132), 2112);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full),
        cmocka_unit_test(prefill),
        cmocka_unit_test(cut),
        cmocka_unit_test(decode),
        cmocka_unit_test(decode_rotating),
        cmocka_unit_test(rope),
        cmocka_unit_test(refused),
        cmocka_unit_test(splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
