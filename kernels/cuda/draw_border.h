/* SPDX-License-Identifier: Apache-2.0
 * The borders of top-k and top-p: histograms over 8 bits of a score's key at a time narrow them
 * down. */
#ifndef LV_CUDA_DRAW_BORDER_H
#define LV_CUDA_DRAW_BORDER_H

#include "draw_row.h"

/* Whole numbers in the order of the floats. */
LV_INLINE uint32_t key_of(float x)
{
    uint32_t bits = lv_float_bits(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

LV_INLINE float float_of(uint32_t key)
{
    return lv_bits_float(key & 0x80000000u ? key & 0x7FFFFFFFu : ~key);
}

/* Probabilities as multiples of 2^-60: exact for all that matter, and their sum has no order. */
LV_INLINE unsigned long long mass_of(float score, float largest, double sum)
{
    float probability = (float)(expf(score - largest) / sum);
    return (unsigned long long)((double)probability * 0x1p60);
}

LV_INLINE bool droppable(unsigned long long mass, float drop)
{
    return (float)((double)mass * 0x1p-60) <= drop;
}

/* The sum over bins 0 .. own, or with `down` over bins own .. 255. */
LV_INLINE unsigned long long scan_bins(const Part &p, unsigned long long own, bool down)
{
    unsigned long long *scan = p.shared->scan;
    const uint32_t at = down ? BINS - 1 - threadIdx.x : threadIdx.x;
    scan[at] = own;
    __syncthreads();
    for (uint32_t step = 1; step < BINS; step *= 2) {
        const unsigned long long other = at >= step ? scan[at - step] : 0;
        __syncthreads();
        scan[at] += other;
        __syncthreads();
    }
    own = scan[at];
    __syncthreads();
    return own;
}

/* Of the kernel that makes pass `pass`: the border as the pass before leaves it. Every block finds
 * it, the first one writes it down. */
LV_INLINE Border border_by_count(const Part &p, int pass)
{
    if (pass == 0)
        return p.state->by_count[0];
    const Border last = p.state->by_count[pass - 1];
    const unsigned long long own = p.state->counts[pass - 1][threadIdx.x];
    const unsigned long long with = scan_bins(p, own, true), without = with - own;
    if (with >= last.below && without < last.below) {
        p.shared->border = Border{last.prefix << 8 | threadIdx.x, last.below - without};
        if (p.block == 0)
            p.state->by_count[pass] = p.shared->border;
    }
    __syncthreads();
    return p.shared->border;
}

LV_INLINE Border border_by_mass(const Part &p, int pass, float largest)
{
    if (pass == 0)
        return p.state->by_mass[0];
    const int shift = 24 - 8 * (pass - 1);
    const float drop = (float)(1 - p.d.top_p);
    const Border last = p.state->by_mass[pass - 1];
    const unsigned long long own = p.state->masses[pass - 1][threadIdx.x];
    const unsigned long long with = scan_bins(p, own, false), without = with - own;
    /* The largest score's bin is the last that can be chosen. */
    const uint32_t top = key_of(largest), bin = threadIdx.x;
    const uint32_t most = (uint64_t)top >> (shift + 8) == last.prefix ? top >> shift & 255 : 255;
    if (bin <= most && (bin == most || !droppable(last.below + with, drop)) &&
        (bin == 0 || droppable(last.below + without, drop))) {
        p.shared->border = Border{last.prefix << 8 | bin, last.below + without};
        if (p.block == 0)
            p.state->by_mass[pass] = p.shared->border;
    }
    __syncthreads();
    return p.shared->border;
}

/* Adds to a number of 64 bits in two words; only additions of 32 bits are quick in shared memory.
 */
LV_INLINE void count_wide(uint32_t *low, uint32_t *high, unsigned long long n)
{
    const uint32_t before = lv_count(low, (uint32_t)n);
    const uint32_t carry = before + (uint32_t)n < before;
    if ((uint32_t)(n >> 32) + carry)
        lv_count(high, (uint32_t)(n >> 32) + carry);
}

LV_INLINE void clear_bins(const Part &p)
{
    LV_UNROLL
    for (uint32_t w = 0; w < DRAW_WARPS; w++)
        p.shared->bins[w][threadIdx.x] = p.shared->high[w][threadIdx.x] = 0;
    __syncthreads();
}

#endif
