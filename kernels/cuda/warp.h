/* SPDX-License-Identifier: Apache-2.0
 * What the lanes of a warp and the warps of a block exchange. */
#ifndef LV_CUDA_WARP_H
#define LV_CUDA_WARP_H

#include "element.h"

#ifndef __CUDACC__
struct LvShuffle {
    uint32_t value, result;
    unsigned source;
};

static inline void lv_shuffle_compute(void *const *lanes)
{
    for (unsigned i = 0; i < LV_WARP; i++) {
        LvShuffle *own = (LvShuffle *)lanes[i];
        if (own)
            own->result = lanes[own->source] ? ((const LvShuffle *)lanes[own->source])->value : ~0u;
    }
}
#endif

/* The value that lane `lane ^ mask` holds. */
LV_INLINE uint32_t lv_shuffle_xor_bits(uint32_t value, unsigned mask)
{
#ifdef __CUDACC__
    return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
#else
    LvShuffle operand = {value, 0, lv_lane() ^ mask};
    lv_shim_meet(lv_shuffle_compute, &operand);
    return operand.result;
#endif
}

LV_INLINE float lv_shuffle_xor(float value, unsigned mask)
{
    return lv_bits_float(lv_shuffle_xor_bits(lv_float_bits(value), mask));
}

/* x, which is the same in all lanes, expressed so that the compiler knows it. */
LV_INLINE bool lv_uniform(bool x)
{
#ifdef __CUDACC__
    return __any_sync(0xFFFFFFFFu, x);
#else
    return x;
#endif
}

LV_INLINE void lv_sync_warp()
{
#ifdef __CUDACC__
    __syncwarp();
#else
    lv_shim_meet(NULL, NULL);
#endif
}

LV_INLINE float lv_warp_sum(float x)
{
    LV_UNROLL
    for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
        x += lv_shuffle_xor(x, mask);
    return x;
}

/* N sums over a warp, N a power of two and at most 32, for little more than the price of one: each
 * step hands half of the values to the lane that keeps them. Lane l gets that of value
 * l / (32 / N). */
template <int N> LV_INLINE float lv_warp_sums(float *values)
{
    unsigned mask = LV_WARP / 2;
    LV_UNROLL
    for (int n = N; n > 1; n /= 2, mask /= 2) {
        const bool upper = lv_lane() & mask;
        LV_UNROLL
        for (int i = 0; i < n / 2; i++) {
            const float given = upper ? values[i] : values[i + n / 2];
            const float kept = upper ? values[i + n / 2] : values[i];
            values[i] = kept + lv_shuffle_xor(given, mask);
        }
    }
    float sum = values[0];
    for (; mask; mask /= 2)
        sum += lv_shuffle_xor(sum, mask);
    return sum;
}

/* Adds to a counter that threads share and gives what it was; whole numbers, so that no order
 * shows.
 */
template <typename T> LV_INLINE T lv_count(T *counter, T n)
{
#ifdef __CUDACC__
    return atomicAdd(counter, n);
#else
    const T before = *counter;
    *counter += n;
    return before;
#endif
}

/* N sums over a block of at most 1024 threads, given to every thread. `scratch` is shared memory,
 * N * 32 floats; a barrier must lie between its uses. */
template <int N> LV_INLINE void lv_block_sums(float *sums, float *scratch)
{
    unsigned warp = threadIdx.x / LV_WARP, n_warps = blockDim.x / LV_WARP;
    LV_UNROLL
    for (int i = 0; i < N; i++) {
        sums[i] = lv_warp_sum(sums[i]);
        if (lv_lane() == 0)
            scratch[i * 32 + warp] = sums[i];
    }
    __syncthreads();
    LV_UNROLL
    for (int i = 0; i < N; i++) {
        sums[i] = 0;
        for (unsigned w = 0; w < n_warps; w++)
            sums[i] += scratch[i * 32 + w];
    }
}

#endif
