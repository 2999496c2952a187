/* SPDX-License-Identifier: Apache-2.0
 * The products of a decoding step on the device, in the shapes of the 0.5B model, bf16, as the
 * backend fuses them: microseconds and bytes of weights a second for 1 to LV_CUDA_FEW_ROWS rows.
 * Each runs over as many weights in turn as the largest of them take, so that no cache holds them.
 * The bound is what the memory gives: copy_read_and_write_tbytes of gpu-ceilings. One line of JSON.
 */
#include <stdio.h>

#include "backend/cuda/runtime.h"
#include "measure.h"

#define HIDDEN ((size_t)896)
#define QKV ((size_t)1152)
#define INNER ((size_t)4864)
#define VOCAB ((size_t)151936)
#define LAYERS 24
#define RUNS 21

static void *memory(LvRuntime *runtime, size_t bytes)
{
    void *device;
    must(lv_runtime_alloc(runtime, bytes, &device), "memory");
    return device;
}

typedef struct Product {
    const char *name;
    size_t cols, inner; /* cols: of the result */
    bool normed, gated, residual, greedy;
    int layers;
} Product;

static const Product products[] = {
    {"norm_qkv", QKV, HIDDEN, true, false, false, false, LAYERS},
    {"output_residual", HIDDEN, HIDDEN, false, false, true, false, LAYERS},
    {"norm_gate_up", INNER, HIDDEN, true, true, false, false, LAYERS},
    {"down_residual", HIDDEN, INNER, false, false, true, false, LAYERS},
    {"norm_head_greedy", VOCAB, HIDDEN, true, false, false, true, 1},
};
#define N_PRODUCTS (sizeof products / sizeof *products)

typedef struct Buffers {
    char *weights;
    size_t weights_bytes;
    void *in, *out;
    float *scale, *bias;
    LvCudaBest *best;
    int32_t *tokens;
} Buffers;

static size_t weight_bytes(const Product *p)
{
    return (p->gated ? 2 : 1) * p->cols * p->inner * 2;
}

typedef struct Run {
    LvRuntime *runtime;
    const Buffers *b;
    const Product *p;
    size_t rows, next; /* next: of the weights */
    int launches;
} Run;

/* Enqueues the product of every layer. */
static void enqueue(void *data)
{
    Run *run = data;
    const Buffers *b = run->b;
    const Product *p = run->p;
    const size_t rows = run->rows, n_weights = b->weights_bytes / weight_bytes(p);
    LvCudaStream stream = lv_runtime_stream(run->runtime);
    run->launches = p->layers * (p->greedy ? 2 : 1);
    for (int layer = 0; layer < p->layers; layer++) {
        const char *weight = b->weights + run->next++ % n_weights * weight_bytes(p);
        const LvCudaFew args = {.out = b->out,
            .out_stride = p->cols,
            .out_type = LV_BF16,
            .in = b->in,
            .in_stride = p->inner,
            .type = LV_BF16,
            .rows = rows,
            .cols = p->cols,
            .inner = p->inner,
            .weight = {.data = weight, .stride = p->inner, .type = LV_BF16},
            .up = {.data = p->gated ? weight + weight_bytes(p) / 2 : NULL,
                .stride = p->inner,
                .type = LV_BF16},
            .bias = p->gated || p->residual || p->greedy ? NULL : b->bias,
            .residual = p->residual ? b->out : NULL,
            .residual_stride = p->cols,
            .norm_scale = p->normed ? b->scale : NULL,
            .norm_eps = 1e-6f,
            .function = p->gated ? LV_CUDA_SILU : LV_CUDA_NONE,
            .best = b->best};
        if (!p->greedy) {
            must(lv_cuda_linear_few(stream, &args), "launch");
            continue;
        }
        must(lv_cuda_linear_few_best(stream, &args), "launch");
        const LvCudaBestOf all = {
            b->tokens, b->best, rows, lv_cuda_best_parts(p->cols), 0, {NULL, NULL}};
        must(lv_cuda_best_of(stream, &all), "launch");
    }
}

int main(void)
{
    LvDeviceFacts facts;
    LvRuntime *runtime = open_device(&facts);
    size_t most = 0;
    for (size_t i = 0; i < N_PRODUCTS; i++) {
        const size_t bytes = (size_t)products[i].layers * weight_bytes(&products[i]);
        most = bytes > most ? bytes : most;
    }
    const Buffers b = {.weights = random_memory(runtime, most, 1),
        .weights_bytes = most,
        .in = random_memory(runtime, LV_CUDA_FEW_ROWS * INNER * 2, 2),
        .out = memory(runtime, LV_CUDA_FEW_ROWS * VOCAB * 2),
        .scale = random_memory(runtime, INNER * sizeof(float), 3),
        .bias = random_memory(runtime, QKV * sizeof(float), 4),
        .best = memory(runtime, LV_CUDA_FEW_ROWS * lv_cuda_best_parts(VOCAB) * sizeof(LvCudaBest)),
        .tokens = memory(runtime, LV_CUDA_FEW_ROWS * sizeof(int32_t))};
    printf("{\"device\": \"%s\"", facts.name);
    for (size_t rows = 1; rows <= LV_CUDA_FEW_ROWS; rows *= 2) {
        double step = 0;
        int launches = 0;
        for (size_t i = 0; i < N_PRODUCTS; i++) {
            const Product *p = &products[i];
            double times[RUNS];
            Run work = {.runtime = runtime, .b = &b, .p = p, .rows = rows};
            for (int run = -1; run < RUNS; run++) {
                /* Residuals are added to what lies there: never from one run to the next. */
                must(lv_runtime_zero(runtime, b.out, rows * p->cols * 2), "zeros");
                must(lv_runtime_synchronize(runtime), "kernels");
                const double taken = device_seconds(runtime, enqueue, &work);
                if (run >= 0)
                    times[run] = taken;
            }
            launches += work.launches;
            const double all = median(times, RUNS), one = all / p->layers;
            step += all;
            printf(", \"%s_%zu\": {\"us\": %.2f, \"gbs\": %.0f}", p->name, rows, one * 1e6,
                (double)weight_bytes(p) / one * 1e-9);
        }
        printf(", \"step_%zu\": {\"us\": %.1f, \"launches\": %d}", rows, step * 1e6, launches);
    }
    printf("}\n");
    lv_runtime_close(runtime); /* what is left on the device goes with the process */
    return 0;
}
