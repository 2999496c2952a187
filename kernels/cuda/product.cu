/* SPDX-License-Identifier: Apache-2.0
 * Products of any size and alignment, for those that the GPU's own library does not take: a block a
 * TILE x TILE piece of the result, operands as float32 in shared memory, 4 x 4 results a thread.
 * Written for correctness, not speed. */
#include "arithmetic.h"
#include "element.h"
#include "launcher.h"

#define TILE 64u
#define DEPTH 16u
#define SIDE (TILE / 4)
#define THREADS (SIDE * SIDE)
#define STRIDE (TILE + 1) /* of a column of operands */

/* Rows [first, first + TILE) of an operand [rows, inner] from column k on, transposed: to[column *
 * STRIDE + row]. Zeros outside. */
template <typename T>
LV_INLINE void load_operand(
    float *to, const T *from, size_t stride, size_t first, size_t rows, size_t k, size_t inner)
{
    for (uint32_t i = threadIdx.x; i < TILE * DEPTH; i += THREADS) {
        uint32_t row = i / DEPTH, col = i % DEPTH;
        bool inside = first + row < rows && k + col < inner;
        to[col * STRIDE + row] = inside ? lv_widen(from[(first + row) * stride + k + col]) : 0.0f;
    }
}

template <typename T, typename TO> LV_KERNEL_MANY_REGISTERS(THREADS) product(const LvCudaProduct a)
{
    float *in = (float *)lv_shared(), *weight = in + DEPTH * STRIDE;
    const size_t across = (a.cols + TILE - 1) / TILE;
    const size_t row = blockIdx.x / across * TILE, col = blockIdx.x % across * TILE;
    const uint32_t y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
    float sums[4][4] = {};
    for (size_t k = 0; k < a.inner; k += DEPTH) {
        load_operand(in, (const T *)a.in, a.in_stride, row, a.rows, k, a.inner);
        load_operand(weight, (const T *)a.weight.data, a.weight.stride, col, a.cols, k, a.inner);
        __syncthreads();
        for (uint32_t d = 0; d < DEPTH; d++) {
            float p[4], q[4];
            LV_UNROLL
            for (uint32_t i = 0; i < 4; i++) {
                p[i] = in[d * STRIDE + y + i * SIDE];
                q[i] = weight[d * STRIDE + x + i * SIDE];
            }
            LV_UNROLL
            for (int i = 0; i < 4; i++) {
                LV_UNROLL
                for (int j = 0; j < 4; j++)
                    sums[i][j] += p[i] * q[j];
            }
        }
        __syncthreads();
    }
    LV_UNROLL
    for (uint32_t i = 0; i < 4; i++) {
        LV_UNROLL
        for (uint32_t j = 0; j < 4; j++) {
            const size_t r = row + y + i * SIDE, c = col + x + j * SIDE;
            if (r >= a.rows || c >= a.cols)
                continue;
            float sum = sums[i][j];
            if (a.bias)
                sum += lv_widen(((const TO *)a.bias)[c]);
            sum = lv_apply(a.function, sum);
            if (a.addend)
                sum += lv_widen(((const TO *)a.addend)[r * a.out_stride + c]);
            ((TO *)a.out)[r * a.out_stride + c] = lv_narrow<TO>(sum);
        }
    }
}

int lv_cuda_product(LvCudaStream stream, const LvCudaProduct *args)
{
    const LvCudaProduct &a = *args;
    const uint64_t down = ((uint64_t)a.rows + TILE - 1) / TILE;
    const uint64_t across = ((uint64_t)a.cols + TILE - 1) / TILE;
    const size_t shared = 2 * DEPTH * STRIDE * sizeof(float);
    if (down > INT32_MAX || across > INT32_MAX || a.weight.type != a.type)
        return LV_CUDA_BAD_ARGUMENT;
    const uint64_t blocks = down * across;
    if (a.type == LV_F32 && a.out_type == LV_F32)
        return lv_launch(product<float, float>, blocks, 1, 1, THREADS, shared, stream, a);
    if (a.type == LV_BF16 && a.out_type == LV_BF16)
        return lv_launch(product<LvBf16, LvBf16>, blocks, 1, 1, THREADS, shared, stream, a);
    if (a.type == LV_BF16 && a.out_type == LV_F32)
        return lv_launch(product<LvBf16, float>, blocks, 1, 1, THREADS, shared, stream, a);
    return LV_CUDA_BAD_ARGUMENT;
}
