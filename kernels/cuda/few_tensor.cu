/* SPDX-License-Identifier: Apache-2.0
 * Products of up to 16 rows of bf16 on tensor cores, bound by reading the weights. A block works on
 * OUTPUTS outputs; its warps take steps of 32 columns in turn and join their sums in order. Both
 * operands come straight from memory, 16 bytes a lane: lane (g, t) has columns 8t .. 8t + 7 of a
 * step, of rows g and g + 8 of the input and of output g. The fragments want columns 2t and 2t + 8
 * there, but a sum does not mind which of its terms is called which, as long as both operands
 * agree.
 *
 * A norm's scale goes to the input, rounded to bf16 as the norm by itself rounds its result; its
 * factor goes to the sums. */
#include "few.h"
#include "fragment.h"

#define WARPS 8
#define THREADS (WARPS * 32u)
#define ROWS 16
#define OUTPUTS 8
#define STEP 32
#define RESULTS (ROWS * OUTPUTS)

/* What one warp adds to the results of its block. WEIGHTS: 2 with a gate. */
template <int WEIGHTS> struct Part {
    float products[WEIGHTS][RESULTS];
    float squares[ROWS];
};

/* Columns k .. k + 7 of rows g and g + 8, scaled; their squares are added up as they were. */
LV_INLINE void scale_input(uint32_t (*x)[4], float *squares, const float *norm_scale)
{
    float scale[8];
    lv_load<4>(scale, norm_scale);
    lv_load<4>(scale + 4, norm_scale + 4);
    LV_UNROLL
    for (int half = 0; half < 2; half++) {
        LV_UNROLL
        for (int i = 0; i < 4; i++) {
            float low = lv_bits_float(x[half][i] << 16);
            float high = lv_bits_float(x[half][i] & 0xFFFF0000u);
            squares[half] += low * low;
            squares[half] += high * high;
            x[half][i] = lv_pack_bf16(low * scale[2 * i], high * scale[2 * i + 1]);
        }
    }
}

/* Outputs [first, first + OUTPUTS), those behind the last read as the last. */
template <int WEIGHTS>
LV_INLINE void multiply(const LvCudaFew &a, size_t first, Part<WEIGHTS> *parts)
{
    const int depth = 4 / WEIGHTS; /* steps whose weights are asked for at once */
    unsigned warp = threadIdx.x / LV_WARP, g = lv_lane() / 4, t = lv_lane() % 4;
    float sums[WEIGHTS][4] = {}, squares[2] = {};
    const size_t output = (first + g < a.cols ? first + g : a.cols - 1) * a.weight_stride;
    const LvBf16 *in = (const LvBf16 *)a.in + g * a.in_stride;
    for (size_t start = (size_t)warp * STEP; start < a.inner; start += WARPS * STEP * depth) {
        uint32_t w[depth][WEIGHTS][4];
        LV_UNROLL
        for (int d = 0; d < depth; d++) {
            size_t k = start + d * WARPS * STEP + t * 8;
            LV_UNROLL
            for (int n = 0; n < WEIGHTS; n++)
                lv_load_pairs(
                    w[d][n], (const LvBf16 *)(n ? a.up : a.weight) + output + k, k < a.inner);
        }
        LV_UNROLL
        for (int d = 0; d < depth; d++) {
            if (start + d * WARPS * STEP >= a.inner)
                break;
            size_t k = start + d * WARPS * STEP + t * 8;
            uint32_t x[2][4];
            lv_load_pairs(x[0], in + k, k < a.inner && g < a.rows);
            lv_load_pairs(x[1], in + 8 * a.in_stride + k, k < a.inner && g + 8 < a.rows);
            if (a.norm_scale && k < a.inner)
                scale_input(x, squares, a.norm_scale + k);
            LV_UNROLL
            for (int i = 0; i < 4; i += 2) {
                uint32_t rows[4] = {x[0][i], x[1][i], x[0][i + 1], x[1][i + 1]};
                LV_UNROLL
                for (int n = 0; n < WEIGHTS; n++)
                    lv_multiply_add(sums[n], rows, w[d][n] + i);
            }
        }
    }
    LV_UNROLL
    for (int half = 0; half < 2; half++) {
        unsigned row = g + 8 * half;
        LV_UNROLL
        for (int n = 0; n < WEIGHTS; n++) {
            parts[warp].products[n][row * OUTPUTS + 2 * t] = sums[n][2 * half];
            parts[warp].products[n][row * OUTPUTS + 2 * t + 1] = sums[n][2 * half + 1];
        }
        squares[half] += lv_shuffle_xor(squares[half], 1);
        squares[half] += lv_shuffle_xor(squares[half], 2);
        if (t == 0)
            parts[warp].squares[row] = squares[half];
    }
}

/* This thread's result, of row threadIdx.x / OUTPUTS. */
template <int WEIGHTS>
LV_INLINE void join(const LvCudaFew &a, const Part<WEIGHTS> *parts, float *sums)
{
    float squares = 0;
    LV_UNROLL
    for (int n = 0; n < WEIGHTS; n++)
        sums[n] = 0;
    for (int w = 0; w < WARPS; w++) {
        LV_UNROLL
        for (int n = 0; n < WEIGHTS; n++)
            sums[n] += parts[w].products[n][threadIdx.x];
        squares += parts[w].squares[threadIdx.x / OUTPUTS];
    }
    float factor = lv_few_factor(a, squares);
    LV_UNROLL
    for (int n = 0; n < WEIGHTS; n++)
        sums[n] *= factor;
}

template <typename TO, int WEIGHTS> __global__ void linear_few_tensor(const LvCudaFew a)
{
    Part<WEIGHTS> *parts = (Part<WEIGHTS> *)lv_shared();
    size_t first = (size_t)blockIdx.x * OUTPUTS, col = first + threadIdx.x % OUTPUTS;
    multiply<WEIGHTS>(a, first, parts);
    __syncthreads();
    if (threadIdx.x / OUTPUTS >= a.rows || col >= a.cols)
        return;
    float sums[WEIGHTS];
    join<WEIGHTS>(a, parts, sums);
    lv_few_write<LvBf16, TO, WEIGHTS == 2>(
        a, threadIdx.x / OUTPUTS, col, sums[0], sums[WEIGHTS - 1]);
}

__global__ void best_few_tensor(const LvCudaFew a)
{
    Part<1> *parts = (Part<1> *)lv_shared();
    LvCudaBest own = lv_no_best();
    const unsigned row = threadIdx.x / OUTPUTS;
    for (size_t first = (size_t)blockIdx.x * OUTPUTS; first < a.cols;
         first += (size_t)gridDim.x * OUTPUTS) {
        size_t col = first + threadIdx.x % OUTPUTS;
        multiply<1>(a, first, parts);
        __syncthreads();
        if (row < a.rows && col < a.cols) {
            float score;
            join<1>(a, parts, &score);
            own = lv_better(own, lv_few_score<LvBf16>(score, col));
        }
        __syncthreads();
    }
    LV_UNROLL
    for (unsigned mask = 1; mask < OUTPUTS; mask *= 2)
        own = lv_better_of_lanes(own, mask);
    if (row < a.rows && threadIdx.x % OUTPUTS == 0)
        a.best[(size_t)row * gridDim.x + blockIdx.x] = own;
}

template <int WEIGHTS>
static int launch(LvCudaStream stream, const LvCudaFew &a, void (*kernel)(const LvCudaFew))
{
    const size_t shared = WARPS * sizeof(Part<WEIGHTS>);
    return lv_launch(
        kernel, ((uint64_t)a.cols + OUTPUTS - 1) / OUTPUTS, 1, 1, THREADS, shared, stream, a);
}

int lv_few_tensor(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.up)
        return launch<2>(stream, a,
            a.out_type == LV_CUDA_F32 ? linear_few_tensor<float, 2> : linear_few_tensor<LvBf16, 2>);
    return launch<1>(stream, a,
        a.out_type == LV_CUDA_F32 ? linear_few_tensor<float, 1> : linear_few_tensor<LvBf16, 1>);
}

int lv_few_tensor_best(LvCudaStream stream, const LvCudaFew &a)
{
    return lv_launch(best_few_tensor, lv_cuda_best_parts(a.cols), 1, 1, THREADS,
        WARPS * sizeof(Part<1>), stream, a);
}
