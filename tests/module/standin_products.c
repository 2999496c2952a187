/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's products: plain loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "e4m3.h"
#include "standin_device.h"

static float load(const void *data, LvDtype type, size_t i)
{
    if (type == LV_E4M3)
        return lv_e4m3_to_float(((const uint8_t *)data)[i]);
    if (type == LV_F32)
        return ((const float *)data)[i];
    const uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void store(void *data, LvDtype type, size_t i, float x)
{
    if (type == LV_F32) {
        ((float *)data)[i] = x;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    ((uint16_t *)data)[i] = x != x ? 0x7FFF : (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static float gelu_tanh(float x)
{
    return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
}

static float scale(const float *scales, LvScaling scaling, size_t row)
{
    return scales[scaling == LV_SCALE_ROW ? row : 0];
}

static void multiply(const LvMatmul *m, float *weight, float *row)
{
    for (size_t n = 0; n < m->cols; n++)
        for (size_t k = 0; k < m->inner; k++)
            weight[n * m->inner + k] = load(m->weight.data, m->type, n * m->weight.stride + k);
    for (size_t r = 0; r < m->rows; r++) {
        for (size_t k = 0; k < m->inner; k++)
            row[k] = load(m->in, m->type, r * m->in_stride + k);
        for (size_t n = 0; n < m->cols; n++) {
            /* Four sums, so that the processor need not wait for each. */
            float sum[4] = {0};
            const float *w = weight + n * m->inner;
            for (size_t k = 0; k < m->inner; k++)
                sum[k % 4] += row[k] * w[k];
            float x = (sum[0] + sum[1]) + (sum[2] + sum[3]);
            if (m->type == LV_E4M3)
                x *= scale(m->in_scales, m->weight.scales.scaling, r) *
                     scale(m->weight.scales.data, m->weight.scales.scaling, n);
            if (m->bias)
                x += load(m->bias, m->out_type, n);
            if (m->tail == LV_TAIL_GELU_TANH)
                x = gelu_tanh(x);
            if (m->addend)
                x += load(m->addend, m->out_type, r * m->out_stride + n);
            store(m->out, m->out_type, r * m->out_stride + n, x);
        }
    }
}

static int run_product(const void *args)
{
    const LvMatmul *m = args;
    float *weight = malloc((m->cols * m->inner + 1) * sizeof *weight),
          *row = malloc((m->inner + 1) * sizeof *row);
    if (weight && row)
        multiply(m, weight, row);
    int code = weight && row ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
    free(weight);
    free(row);
    return code;
}

int lv_runtime_matmul(LvRuntime *runtime, const LvMatmul *m)
{
    if (m->type == LV_E4M3) {
        if (runtime->no_fp8)
            return LV_RUNTIME_REFUSED;
        if (m->weight.type != m->type || m->out_type != LV_BF16 || m->inner % 16 || m->cols % 16 ||
            (m->tail != LV_TAIL_NONE && m->addend))
            return LV_CUDA_BAD_ARGUMENT;
        standin_totals.fp8++;
        return lv_runtime_launched(runtime, standin_enqueue(run_product, m, sizeof *m));
    }
    if (m->type == LV_F16 || m->weight.type != m->type ||
        (m->out_type != m->type && m->out_type != LV_F32) || (m->tail != LV_TAIL_NONE && m->addend))
        return LV_CUDA_BAD_ARGUMENT;
    if (runtime->own_products) {
        const LvCudaProduct product = lv_matmul_product(m);
        return lv_runtime_launched(runtime, lv_cuda_product(NULL, &product));
    }
    return lv_runtime_launched(runtime, standin_enqueue(run_product, m, sizeof *m));
}

int lv_runtime_time_products(LvRuntime *runtime)
{
    return 0;
}

const char *lv_runtime_notice(LvRuntime *runtime)
{
    return runtime->own_products ? "slow products" : NULL;
}
