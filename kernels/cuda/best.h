/* SPDX-License-Identifier: Apache-2.0
 * The first maximum of scores that come in any order, and whether one of them is not finite. */
#ifndef LV_CUDA_BEST_H
#define LV_CUDA_BEST_H

#include "warp.h"

LV_INLINE bool lv_not_finite(float x)
{
    return (lv_float_bits(x) & 0x7F800000u) == 0x7F800000u;
}

LV_INLINE LvCudaBest lv_no_best()
{
    LvCudaBest none = {0, ~0u, 0};
    return none;
}

LV_INLINE LvCudaBest lv_best_of_one(float score, uint32_t id)
{
    LvCudaBest one = {score, id, lv_not_finite(score)};
    return one;
}

/* Of equal scores the one with the lower id, whatever the order in which they meet. */
LV_INLINE LvCudaBest lv_better(const LvCudaBest &a, const LvCudaBest &b)
{
    bool first = a.score > b.score || (a.score == b.score && a.id < b.id);
    LvCudaBest best = b.id == ~0u || (a.id != ~0u && first) ? a : b;
    best.not_finite = a.not_finite | b.not_finite;
    return best;
}

/* With that of lane `lane ^ mask`. */
LV_INLINE LvCudaBest lv_better_of_lanes(const LvCudaBest &own, unsigned mask)
{
    LvCudaBest other = {lv_shuffle_xor(own.score, mask), lv_shuffle_xor_bits(own.id, mask),
        lv_shuffle_xor_bits(own.not_finite, mask)};
    return lv_better(own, other);
}

/* The block's best of each thread's own, for every thread. scratch: one for each of the WARPS of
 * the block, in shared memory, free for use before and after. */
template <unsigned WARPS> LV_INLINE LvCudaBest lv_best_of_block(LvCudaBest own, LvCudaBest *scratch)
{
    LV_UNROLL
    for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
        own = lv_better_of_lanes(own, mask);
    if (lv_lane() == 0)
        scratch[threadIdx.x / LV_WARP] = own;
    __syncthreads();
    own = scratch[0];
    for (unsigned w = 1; w < WARPS; w++)
        own = lv_better(own, scratch[w]);
    __syncthreads();
    return own;
}

#endif
