/* SPDX-License-Identifier: Apache-2.0
 * Pooling of feature maps: a block an output row, float32 as the CPU backend has it. */
#include "arithmetic.h"
#include "element.h"
#include "launcher.h"

#define THREADS 128u

struct Source {
    uint32_t first, second;
    float of_first, of_second;
};

LV_INLINE Source source_of(uint32_t at, uint32_t in, uint32_t out)
{
    float scale = (float)in / (float)out;
    float position = lv_add(lv_mul(scale, (float)at + 0.5f), -0.5f);
    if (position < 0)
        position = 0;
    Source s;
    s.first = (uint32_t)position;
    if (s.first > in - 1)
        s.first = in - 1;
    s.second = s.first + (s.first < in - 1);
    s.of_second = position - (float)s.first;
    s.of_first = 1.0f - s.of_second;
    return s;
}

template <typename T, int WIDTH> LV_KERNEL(THREADS) pool_bilinear(const LvCudaPool a)
{
    size_t pixels = (size_t)a.out_h * a.out_w, item = blockIdx.x / pixels;
    uint32_t at = (uint32_t)(blockIdx.x % pixels);
    Source x = source_of(at % a.out_w, a.in_w, a.out_w);
    Source y = source_of(at / a.out_w, a.in_h, a.out_h);
    const T *map = (const T *)a.in + item * a.in_h * a.in_w * a.in_stride;
    const T *top = map + (size_t)y.first * a.in_w * a.in_stride;
    const T *bottom = map + (size_t)y.second * a.in_w * a.in_stride;
    T *out = (T *)a.out + (size_t)blockIdx.x * a.out_stride;
    for (size_t c = (size_t)threadIdx.x * WIDTH; c < a.cols; c += THREADS * WIDTH) {
        float p[WIDTH], q[WIDTH], r[WIDTH], s[WIDTH];
        lv_load<WIDTH>(p, top + x.first * a.in_stride + c);
        lv_load<WIDTH>(q, top + x.second * a.in_stride + c);
        lv_load<WIDTH>(r, bottom + x.first * a.in_stride + c);
        lv_load<WIDTH>(s, bottom + x.second * a.in_stride + c);
        LV_UNROLL
        for (int i = 0; i < WIDTH; i++) {
            float upper = lv_add(lv_mul(x.of_first, p[i]), lv_mul(x.of_second, q[i]));
            float lower = lv_add(lv_mul(x.of_first, r[i]), lv_mul(x.of_second, s[i]));
            p[i] = lv_add(lv_mul(y.of_first, upper), lv_mul(y.of_second, lower));
        }
        lv_store<WIDTH>(out + c, p);
    }
}

template <typename T, int WIDTH> LV_KERNEL(THREADS) pool_max(const LvCudaPool a)
{
    size_t pixels = (size_t)a.out_h * a.out_w, item = blockIdx.x / pixels;
    size_t y = blockIdx.x % pixels / a.out_w, x = blockIdx.x % pixels % a.out_w;
    const T *top = (const T *)a.in + ((item * a.in_h + 2 * y) * a.in_w + 2 * x) * a.in_stride;
    const T *bottom = top + (size_t)a.in_w * a.in_stride;
    T *out = (T *)a.out + (size_t)blockIdx.x * a.out_stride;
    for (size_t c = (size_t)threadIdx.x * WIDTH; c < a.cols; c += THREADS * WIDTH) {
        float p[WIDTH], q[WIDTH], r[WIDTH], s[WIDTH];
        lv_load<WIDTH>(p, top + c);
        lv_load<WIDTH>(q, top + a.in_stride + c);
        lv_load<WIDTH>(r, bottom + c);
        lv_load<WIDTH>(s, bottom + a.in_stride + c);
        LV_UNROLL
        for (int i = 0; i < WIDTH; i++) {
            float upper = p[i] > q[i] ? p[i] : q[i], lower = r[i] > s[i] ? r[i] : s[i];
            p[i] = upper > lower ? upper : lower;
        }
        lv_store<WIDTH>(out + c, p);
    }
}

/* Four columns a thread where the rows allow it. */
template <typename T>
static int launch(LvCudaStream stream, const LvCudaPool &a, void (*wide)(const LvCudaPool),
    void (*narrow)(const LvCudaPool))
{
    uint64_t rows = a.cols ? (uint64_t)a.n_items * a.out_h * a.out_w : 0;
    bool aligned = a.cols % 4 == 0 && lv_rows_aligned(a.out, a.out_stride, sizeof(T), 4) &&
                   lv_rows_aligned(a.in, a.in_stride, sizeof(T), 4);
    return lv_launch(aligned ? wide : narrow, rows, 1, 1, THREADS, 0, stream, a);
}

int lv_cuda_pool_bilinear(LvCudaStream stream, const LvCudaPool *args)
{
    if (!args->in_h || !args->in_w || !args->out_h || !args->out_w)
        return LV_CUDA_BAD_ARGUMENT;
    if (args->type == LV_F32)
        return launch<float>(stream, *args, pool_bilinear<float, 4>, pool_bilinear<float, 1>);
    if (args->type == LV_BF16)
        return launch<LvBf16>(stream, *args, pool_bilinear<LvBf16, 4>, pool_bilinear<LvBf16, 1>);
    return LV_CUDA_BAD_ARGUMENT;
}

int lv_cuda_pool_max(LvCudaStream stream, const LvCudaPool *args)
{
    if (args->in_h < 2 || args->in_w < 2 || args->out_h != args->in_h / 2 ||
        args->out_w != args->in_w / 2)
        return LV_CUDA_BAD_ARGUMENT;
    if (args->type == LV_F32)
        return launch<float>(stream, *args, pool_max<float, 4>, pool_max<float, 1>);
    if (args->type == LV_BF16)
        return launch<LvBf16>(stream, *args, pool_max<LvBf16, 4>, pool_max<LvBf16, 1>);
    return LV_CUDA_BAD_ARGUMENT;
}
