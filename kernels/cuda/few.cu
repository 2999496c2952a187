/* SPDX-License-Identifier: Apache-2.0
 * Products of few rows, bound by reading the weights: the choice of the kernel, and the one without
 * tensor cores, for float32 and for the fewest rows. A warp works on OUTPUTS rows of the weight,
 * and as many of its partner for a gate, for all rows of the input, 16 bytes a lane at a time, and
 * adds up across its lanes at the end. The squares that a norm of the input needs are added up
 * beside: the norm reads its scale, and nothing of the input a second time. */
#include "few.h"

#define THREADS 128u
#define WARPS (THREADS / LV_WARP)
#define OUTPUTS 2

/* Sums of one warp: of the weight's outputs, then of its partner's, by row; and of squares, or what
 * becomes of them. */
template <int ROWS, bool GATED> struct Sums {
    static const int outputs = GATED ? 2 * OUTPUTS : OUTPUTS;
    float products[outputs][ROWS];
    float factors[ROWS];
};

/* Outputs behind the last are read as the last. */
template <typename T, int N>
LV_INLINE void load_weights(float (*w)[16 / sizeof(T)], const LvCudaFew &a, size_t first, size_t k)
{
    LV_UNROLL
    for (int o = 0; o < N; o++) {
        size_t output = first + o % OUTPUTS;
        const T *rows = (const T *)(o < OUTPUTS ? a.weight : a.up);
        output = output < a.cols ? output : a.cols - 1;
        lv_load<16 / (int)sizeof(T)>(w[o], rows + output * a.weight_stride + k);
    }
}

/* The norm's scale goes to the weights, of which there are fewer. */
template <int N, int WIDTH>
LV_INLINE void scale_weights(float (*w)[WIDTH], const LvCudaFew &a, size_t k)
{
    LV_UNROLL
    for (int i = 0; i < WIDTH; i += 4) {
        float scale[4];
        lv_load<4>(scale, a.norm_scale + k + i);
        LV_UNROLL
        for (int j = 0; j < 4; j++) {
            LV_UNROLL
            for (int o = 0; o < N; o++)
                w[o][i + j] *= scale[j];
        }
    }
}

/* Outputs [first, first + OUTPUTS) for all rows; factors become 1 / sqrt(mean(x^2) + eps), or 1
 * without a norm. */
template <typename T, int ROWS, bool GATED>
LV_INLINE void multiply(const LvCudaFew &a, size_t first, Sums<ROWS, GATED> &sums)
{
    const int width = 16 / (int)sizeof(T), n = Sums<ROWS, GATED>::outputs;
    LV_UNROLL
    for (int r = 0; r < ROWS; r++) {
        sums.factors[r] = 0;
        LV_UNROLL
        for (int o = 0; o < n; o++)
            sums.products[o][r] = 0;
    }
    for (size_t k = (size_t)lv_lane() * width; k < a.inner; k += LV_WARP * width) {
        float w[n][width], x[width];
        load_weights<T, n>(w, a, first, k);
        if (a.norm_scale)
            scale_weights<n, width>(w, a, k);
        LV_UNROLL
        for (int r = 0; r < ROWS; r++) {
            if ((size_t)r >= a.rows)
                continue;
            lv_load<width>(x, (const T *)a.in + r * a.in_stride + k);
            LV_UNROLL
            for (int o = 0; o < n; o++) {
                LV_UNROLL
                for (int i = 0; i < width; i++)
                    sums.products[o][r] += x[i] * w[o][i];
            }
            if (a.norm_scale) {
                LV_UNROLL
                for (int i = 0; i < width; i++)
                    sums.factors[r] += x[i] * x[i];
            }
        }
    }
    LV_UNROLL
    for (int r = 0; r < ROWS; r++) {
        LV_UNROLL
        for (int o = 0; o < n; o++)
            sums.products[o][r] = lv_warp_sum(sums.products[o][r]);
        sums.factors[r] = lv_few_factor(a, a.norm_scale ? lv_warp_sum(sums.factors[r]) : 0.0f);
    }
}

LV_INLINE size_t first_output()
{
    return ((size_t)blockIdx.x * WARPS + threadIdx.x / LV_WARP) * OUTPUTS;
}

/* Every lane has all sums; lane o * ROWS + r goes on with those of output o of row r. */
template <int ROWS, bool GATED>
LV_INLINE void choose(const Sums<ROWS, GATED> &sums, float *own, float *partner)
{
    *own = *partner = 0;
    LV_UNROLL
    for (int o = 0; o < OUTPUTS; o++) {
        LV_UNROLL
        for (int r = 0; r < ROWS; r++)
            if (lv_lane() == (unsigned)(o * ROWS + r)) {
                *own = sums.products[o][r] * sums.factors[r];
                if (GATED)
                    *partner = sums.products[o + sums.outputs - OUTPUTS][r] * sums.factors[r];
            }
    }
}

template <typename T, typename TO, int ROWS, bool GATED>
__global__ void linear_few(const LvCudaFew a)
{
    size_t first = first_output(), row = lv_lane() % ROWS, col = first + lv_lane() / ROWS;
    if (first >= a.cols)
        return;
    Sums<ROWS, GATED> sums;
    float own, partner;
    multiply<T, ROWS, GATED>(a, first, sums);
    choose<ROWS, GATED>(sums, &own, &partner);
    if (lv_lane() < OUTPUTS * ROWS && row < a.rows && col < a.cols)
        lv_few_write<T, TO, GATED>(a, row, col, own, partner);
}

/* Nothing but the best of each block's outputs is written. */
template <typename T, int ROWS> __global__ void best_few(const LvCudaFew a)
{
    LvCudaBest own = lv_no_best(), *scratch = (LvCudaBest *)lv_shared();
    const size_t step = (size_t)gridDim.x * WARPS * OUTPUTS;
    for (size_t first = first_output(); first < a.cols; first += step) {
        size_t col = first + lv_lane() / ROWS;
        Sums<ROWS, false> sums;
        float score, none;
        multiply<T, ROWS, false>(a, first, sums);
        choose<ROWS, false>(sums, &score, &none);
        if (lv_lane() < OUTPUTS * ROWS && col < a.cols)
            own = lv_better(own, lv_few_score<T>(score, col));
    }
    LV_UNROLL
    for (unsigned mask = ROWS; mask < OUTPUTS * ROWS; mask *= 2)
        own = lv_better_of_lanes(own, mask);
    if (lv_lane() < ROWS)
        scratch[threadIdx.x / LV_WARP * ROWS + lv_lane()] = own;
    __syncthreads();
    if (threadIdx.x >= a.rows)
        return;
    for (unsigned w = 1; w < WARPS; w++)
        own = lv_better(own, scratch[w * ROWS + threadIdx.x]);
    a.best[(size_t)threadIdx.x * gridDim.x + blockIdx.x] = own;
}

template <typename T, typename TO, int ROWS>
static int launch_few(LvCudaStream stream, const LvCudaFew &a)
{
    uint64_t of_block = WARPS * OUTPUTS, blocks = (a.cols + of_block - 1) / of_block;
    return lv_launch(a.up ? linear_few<T, TO, ROWS, true> : linear_few<T, TO, ROWS, false>,
        a.rows ? blocks : 0, 1, 1, THREADS, 0, stream, a);
}

template <typename T, int ROWS> static int launch_best(LvCudaStream stream, const LvCudaFew &a)
{
    return lv_launch(best_few<T, ROWS>, a.rows ? lv_cuda_best_parts(a.cols) : 0, 1, 1, THREADS,
        WARPS * ROWS * sizeof(LvCudaBest), stream, a);
}

template <typename T> static bool aligned(const LvCudaFew &a)
{
    const int width = 16 / (int)sizeof(T);
    return a.inner % width == 0 && lv_rows_aligned(a.in, a.in_stride, sizeof(T), width) &&
           lv_rows_aligned(a.weight, a.weight_stride, sizeof(T), width) &&
           (!a.up || lv_rows_aligned(a.up, a.weight_stride, sizeof(T), width)) &&
           (!a.norm_scale || lv_rows_aligned(a.norm_scale, 0, sizeof(float), 4));
}

template <typename T, typename TO> static int few_of_types(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.rows > lv_cuda_few_rows(a.type) || !aligned<T>(a) || (a.up && (a.bias || a.residual)))
        return LV_CUDA_BAD_ARGUMENT;
    if (a.rows <= 1)
        return launch_few<T, TO, 1>(stream, a);
    if (a.rows <= 2)
        return launch_few<T, TO, 2>(stream, a);
    if (a.rows <= 4)
        return launch_few<T, TO, 4>(stream, a);
    if constexpr (sizeof(T) == 4)
        return launch_few<T, TO, 8>(stream, a);
    else
        return lv_few_tensor(stream, a);
}

int lv_cuda_linear_few(LvCudaStream stream, const LvCudaFew *args)
{
    const LvCudaFew &a = *args;
    if (a.type == LV_CUDA_F32 && a.out_type == LV_CUDA_F32)
        return few_of_types<float, float>(stream, a);
    if (a.type == LV_CUDA_BF16 && a.out_type == LV_CUDA_BF16)
        return few_of_types<LvBf16, LvBf16>(stream, a);
    if (a.type == LV_CUDA_BF16 && a.out_type == LV_CUDA_F32)
        return few_of_types<LvBf16, float>(stream, a);
    return LV_CUDA_BAD_ARGUMENT;
}

template <typename T> static int best_of_type(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.rows > lv_cuda_few_rows(a.type) || a.cols > INT32_MAX || !aligned<T>(a) || a.up ||
        a.bias || a.residual || a.function != LV_CUDA_NONE)
        return LV_CUDA_BAD_ARGUMENT;
    if (a.rows <= 1)
        return launch_best<T, 1>(stream, a);
    if (a.rows <= 2)
        return launch_best<T, 2>(stream, a);
    if (a.rows <= 4)
        return launch_best<T, 4>(stream, a);
    if constexpr (sizeof(T) == 4)
        return launch_best<T, 8>(stream, a);
    else
        return lv_few_tensor_best(stream, a);
}

int lv_cuda_linear_few_best(LvCudaStream stream, const LvCudaFew *args)
{
    if (args->type == LV_CUDA_F32)
        return best_of_type<float>(stream, *args);
    if (args->type == LV_CUDA_BF16)
        return best_of_type<LvBf16>(stream, *args);
    return LV_CUDA_BAD_ARGUMENT;
}
