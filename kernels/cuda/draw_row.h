/* SPDX-License-Identifier: Apache-2.0
 * A row of logits that a token is drawn from: how it is cut among blocks, and what lies in the
 * workspace between the kernels. */
#ifndef LV_CUDA_DRAW_ROW_H
#define LV_CUDA_DRAW_ROW_H

#include "best.h"

#define DRAW_THREADS 256u
#define DRAW_WARPS (DRAW_THREADS / LV_WARP)
#define BINS 256u       /* a thread each */
#define MOST_BLOCKS 64u /* of a row */
#define PASSES 4        /* of 8 bits over a key */

/* The border that histograms narrow down. */
struct Border {
    uint32_t prefix;          /* of the keys on it */
    unsigned long long below; /* top-k: of the k scores those still to be found; top-p: the mass
                                 that is dropped */
};

/* A row's state between the kernels. */
struct RowState {
    LvCudaBest best[MOST_BLOCKS];
    double weights[2][MOST_BLOCKS]; /* sums of what top-k left, of what top-p left */
    double drawn[MOST_BLOCKS];      /* sums of probabilities */
    unsigned long long masses[PASSES][BINS];
    uint32_t counts[PASSES][BINS];
    Border by_count[PASSES + 1], by_mass[PASSES + 1];
    uint32_t equal[MOST_BLOCKS]; /* scores on the border of top-p */
};
static_assert(sizeof(RowState) <= LV_CUDA_SAMPLE_ROW_BYTES, "fits");

struct DrawJob {
    LvCudaSample a;
    uint32_t blocks; /* of a row */
    uint32_t span;   /* ids of a thread */
};

struct Shared {
    double sums[DRAW_THREADS];
    unsigned long long scan[BINS];
    LvCudaBest candidates[32];
    uint32_t counts[DRAW_THREADS];
    uint32_t bins[DRAW_WARPS][BINS], high[DRAW_WARPS][BINS];
    Border border;
    uint32_t token;
};

/* A block's part of its row; thread t owns ids [begin, end). */
struct Part {
    RowState *state;
    LvCudaDraw *settings;
    LvCudaDraw d;
    float *scores;
    uint32_t row, block, n, begin, end;
    Shared *shared;
};

LV_INLINE Part part_of(const DrawJob &job, uint32_t row, uint32_t block)
{
    Part p;
    const uint64_t first = ((uint64_t)block * DRAW_THREADS + threadIdx.x) * job.span;
    p.row = row;
    p.block = block;
    p.n = (uint32_t)job.a.cols;
    p.begin = first < p.n ? (uint32_t)first : p.n;
    p.end = first + job.span < p.n ? (uint32_t)(first + job.span) : p.n;
    p.state = (RowState *)((char *)job.a.workspace + (size_t)row * LV_CUDA_SAMPLE_ROW_BYTES);
    p.settings = &job.a.draws[row];
    p.d = *p.settings;
    p.scores = job.a.logits + (size_t)row * job.a.stride;
    p.shared = (Shared *)lv_shared();
    return p;
}

LV_INLINE Part own_part(const DrawJob &job)
{
    lv_let_next_start();
    lv_wait_previous();
    return part_of(job, blockIdx.x / job.blocks, blockIdx.x % job.blocks);
}

/* Of the row, from all of its blocks. */
LV_INLINE LvCudaBest row_best(const DrawJob &job, const Part &p)
{
    return lv_best_of_block<DRAW_WARPS>(
        threadIdx.x < job.blocks ? p.state->best[threadIdx.x] : lv_no_best(), p.shared->candidates);
}

/* A token is drawn: the row is not greedy, and all its scores are finite. */
LV_INLINE bool draws(const Part &p, const LvCudaBest &best)
{
    return p.d.temperature > 0 && p.n && !best.not_finite;
}

LV_INLINE bool has_top_k(const Part &p)
{
    return p.d.top_k != 0 && p.d.top_k < p.n;
}

/* Over the block, of what each thread gives; in order. Every thread gets it. */
LV_INLINE double ordered_sum(const Part &p, double own)
{
    p.shared->sums[threadIdx.x] = own;
    __syncthreads();
    double sum = 0;
    for (unsigned t = 0; t < DRAW_THREADS; t++)
        sum += p.shared->sums[t];
    __syncthreads();
    return sum;
}

LV_INLINE double over_blocks(const DrawJob &job, const double *sums)
{
    double sum = 0;
    for (uint32_t b = 0; b < job.blocks; b++)
        sum += sums[b];
    return sum;
}

LV_INLINE void put_weights(const Part &p, float largest, double *sums)
{
    double own = 0;
    for (uint32_t i = p.begin; i < p.end; i++)
        own += p.scores[i] == -INFINITY ? 0.0f : expf(p.scores[i] - largest);
    own = ordered_sum(p, own);
    if (threadIdx.x == 0)
        sums[p.block] = own;
}

#endif
