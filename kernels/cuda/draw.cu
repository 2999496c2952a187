/* SPDX-License-Identifier: Apache-2.0
 * From logits to tokens that are drawn: the sampler of engine/model/sampler.c with its random
 * stream. A row is cut among blocks, whose results lie in the workspace until the next kernel joins
 * them. Order never depends on timing: histograms count whole numbers, and sums run over each
 * thread's own ids, then over the threads, then over the blocks. */
#include "draw_border.h"
#include "launcher.h"
#include "post.h"

/* ---- penalty and temperature, and the best of them ---- */

LV_KERNEL(DRAW_THREADS) draw_process(const DrawJob job)
{
    const Part p = own_part(job);
    LvCudaBest best = lv_no_best();
    for (uint32_t i = p.begin; i < p.end; i++) {
        float x = p.scores[i];
        bool bad = lv_not_finite(x);
        if (p.d.seen && p.d.repetition_penalty != 1 && p.d.seen[i])
            x = x < 0 ? x * p.d.repetition_penalty : x / p.d.repetition_penalty;
        if (p.d.temperature > 0 && p.d.temperature != 1)
            x = x / p.d.temperature;
        bad = bad || (p.d.temperature > 0 && lv_not_finite(x));
        LvCudaBest one = lv_best_of_one(x, i);
        one.not_finite = bad;
        best = lv_better(best, one);
        p.scores[i] = x;
    }
    best = lv_best_of_block<DRAW_WARPS>(best, p.shared->candidates);
    if (threadIdx.x == 0)
        p.state->best[p.block] = best;
    if (p.block)
        return;
    LV_UNROLL
    for (int pass = 0; pass < PASSES; pass++) {
        p.state->counts[pass][threadIdx.x] = 0;
        p.state->masses[pass][threadIdx.x] = 0;
    }
    if (threadIdx.x == 0) {
        p.state->by_count[0] = Border{0, p.d.top_k};
        p.state->by_mass[0] = Border{0, 0};
    }
}

/* ---- histograms ---- */

/* Counts the scores whose key begins with the border's prefix, by the 8 bits below it. */
template <int PASS> LV_KERNEL(DRAW_THREADS) draw_count(const DrawJob job)
{
    const Part p = own_part(job);
    if (!draws(p, row_best(job, p)) || !has_top_k(p))
        return;
    const int shift = 24 - 8 * PASS;
    const uint32_t prefix = border_by_count(p, PASS).prefix;
    uint32_t *bins = p.shared->bins[threadIdx.x / LV_WARP], sum = 0;
    clear_bins(p);
    for (uint32_t i = p.begin; i < p.end; i++) {
        const uint32_t key = key_of(p.scores[i]);
        if ((uint64_t)key >> (shift + 8) == prefix)
            lv_count(&bins[key >> shift & 255], 1u);
    }
    __syncthreads();
    for (uint32_t w = 0; w < DRAW_WARPS; w++)
        sum += p.shared->bins[w][threadIdx.x];
    if (sum)
        lv_count(&p.state->counts[PASS][threadIdx.x], sum);
}

/* Adds up their masses. */
template <int PASS> LV_KERNEL(DRAW_THREADS) draw_weigh(const DrawJob job)
{
    const Part p = own_part(job);
    const LvCudaBest best = row_best(job, p);
    if (!draws(p, best) || !(p.d.top_p < 1))
        return;
    const int shift = 24 - 8 * PASS;
    const uint32_t prefix = border_by_mass(p, PASS, best.score).prefix,
                   warp = threadIdx.x / LV_WARP;
    const double weights = over_blocks(job, p.state->weights[0]);
    uint32_t *low = p.shared->bins[warp], *high = p.shared->high[warp];
    clear_bins(p);
    for (uint32_t i = p.begin; i < p.end; i++) {
        const uint32_t key = key_of(p.scores[i]), bin = key >> shift & 255;
        if ((uint64_t)key >> (shift + 8) == prefix)
            count_wide(&low[bin], &high[bin], mass_of(p.scores[i], best.score, weights));
    }
    __syncthreads();
    unsigned long long sum = 0;
    for (uint32_t w = 0; w < DRAW_WARPS; w++)
        sum += (unsigned long long)p.shared->high[w][threadIdx.x] << 32 |
               p.shared->bins[w][threadIdx.x];
    if (sum)
        lv_count(&p.state->masses[PASS][threadIdx.x], sum);
}

/* ---- what is kept ---- */

/* The k largest scores, and all that equal the last of them; the sum of what is left. */
LV_KERNEL(DRAW_THREADS) draw_keep_k(const DrawJob job)
{
    const Part p = own_part(job);
    const LvCudaBest best = row_best(job, p);
    if (!draws(p, best))
        return;
    if (has_top_k(p)) {
        const float least = float_of(border_by_count(p, PASSES).prefix);
        for (uint32_t i = p.begin; i < p.end; i++)
            if (p.scores[i] < least)
                p.scores[i] = -INFINITY;
    }
    put_weights(p, best.score, p.state->weights[0]);
}

LV_KERNEL(DRAW_THREADS) draw_border(const DrawJob job)
{
    const Part p = own_part(job);
    const LvCudaBest best = row_best(job, p);
    if (!draws(p, best) || !(p.d.top_p < 1))
        return;
    const float border = float_of(border_by_mass(p, PASSES, best.score).prefix);
    uint32_t own = 0;
    for (uint32_t i = p.begin; i < p.end; i++)
        own += p.scores[i] == border;
    own = (uint32_t)ordered_sum(p, own);
    if (threadIdx.x == 0)
        p.state->equal[p.block] = own;
}

/* How many of the `most` on the border may go as well. */
LV_INLINE uint32_t dropped_of(
    uint32_t most, unsigned long long below, unsigned long long mass, float drop)
{
    uint32_t least = 0;
    while (least < most) {
        const uint32_t middle = least + (most - least + 1) / 2;
        if (droppable(below + mass * middle, drop))
            least = middle;
        else
            most = middle - 1;
    }
    return least;
}

/* Drops the least likely whose masses add up to no more than 1 - top_p; the likeliest stays. Of
 * those on the border, the first ids as far as they may. */
LV_KERNEL(DRAW_THREADS) draw_keep_p(const DrawJob job)
{
    const Part p = own_part(job);
    const LvCudaBest best = row_best(job, p);
    if (!draws(p, best) || !(p.d.top_p < 1))
        return;
    const Border at = p.state->by_mass[PASSES];
    const float border = float_of(at.prefix);
    const double weights = over_blocks(job, p.state->weights[0]);
    uint32_t own = 0, before = 0, all = 0;
    for (uint32_t i = p.begin; i < p.end; i++)
        own += p.scores[i] == border;
    p.shared->counts[threadIdx.x] = own;
    __syncthreads();
    for (uint32_t b = 0; b < job.blocks; b++) {
        all += p.state->equal[b];
        before += b < p.block ? p.state->equal[b] : 0;
    }
    for (unsigned t = 0; t < threadIdx.x; t++)
        before += p.shared->counts[t];
    const uint32_t dropped = dropped_of(border == best.score && all ? all - 1 : all, at.below,
        mass_of(border, best.score, weights), (float)(1 - p.d.top_p));
    for (uint32_t i = p.begin; i < p.end; i++)
        if (p.scores[i] < border || (p.scores[i] == border && before++ < dropped))
            p.scores[i] = -INFINITY;
    put_weights(p, best.score, p.state->weights[1]);
}

/* ---- drawing ---- */

/* The thread's own, in the order in which draw_pick goes through them. */
LV_INLINE double own_probabilities(const Part &p)
{
    double own = 0;
    for (uint32_t i = p.begin; i < p.end; i++)
        own += p.scores[i];
    return own;
}

LV_KERNEL(DRAW_THREADS) draw_probabilities(const DrawJob job)
{
    const Part p = own_part(job);
    const LvCudaBest best = row_best(job, p);
    if (!draws(p, best))
        return;
    const double sum = over_blocks(job, p.state->weights[p.d.top_p < 1]);
    for (uint32_t i = p.begin; i < p.end; i++)
        p.scores[i] =
            p.scores[i] == -INFINITY ? 0.0f : (float)(expf(p.scores[i] - best.score) / sum);
    const double own = ordered_sum(p, own_probabilities(p));
    if (threadIdx.x == 0)
        p.state->drawn[p.block] = own;
}

/* Draw number `index` of the stream of `seed`: lv_random of engine/model/sampler.c. */
LV_INLINE double random_number(uint64_t seed, uint64_t index)
{
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, 0};
    uint32_t k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t first = (uint32_t)(b >> 32) ^ c[1] ^ k[0];
        uint32_t third = (uint32_t)(a >> 32) ^ c[3] ^ k[1];
        c[0] = first;
        c[1] = (uint32_t)b;
        c[2] = third;
        c[3] = (uint32_t)a;
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    return (double)(((uint64_t)c[1] << 32 | c[0]) >> 11) * 0x1p-53;
}

/* The id at which the probabilities' running sum passes `point`: its block, its thread, and then
 * one by one. If rounding leaves no such id, the last id that can be drawn. */
LV_INLINE uint32_t pick(const DrawJob &job, const Part &row, double point)
{
    double below = 0;
    uint32_t block = 0;
    while (block + 1 < job.blocks && below + row.state->drawn[block] <= point)
        below += row.state->drawn[block++];
    const Part p = part_of(job, row.row, block);
    p.shared->sums[threadIdx.x] = own_probabilities(p);
    __syncthreads();
    if (threadIdx.x == 0) {
        uint32_t t = 0;
        while (t + 1 < DRAW_THREADS && below + p.shared->sums[t] <= point)
            below += p.shared->sums[t++];
        uint32_t i = (block * DRAW_THREADS + t) * job.span, token = p.n;
        for (; i < p.n && token == p.n; i++) {
            below += p.scores[i];
            if (p.scores[i] > 0 && below > point)
                token = i;
        }
        for (i = p.n; token == p.n && i > 0; i--)
            if (p.scores[i - 1] > 0)
                token = i - 1;
        p.shared->token = token;
    }
    __syncthreads();
    return p.shared->token;
}

/* A block a row. */
LV_KERNEL(DRAW_THREADS) draw_pick(const DrawJob job)
{
    lv_let_next_start();
    lv_wait_previous();
    const Part p = part_of(job, blockIdx.x, 0);
    const LvCudaBest best = row_best(job, p);
    int32_t token = best.not_finite || !p.n ? -1 : (int32_t)best.id;
    if (draws(p, best))
        token = (int32_t)pick(
            job, p, over_blocks(job, p.state->drawn) * random_number(p.d.seed, p.d.index));
    if (threadIdx.x)
        return;
    if (draws(p, best))
        p.settings->index = p.d.index + 1;
    if (token >= 0 && p.d.seen)
        p.d.seen[token] = 1;
    lv_post_token(job.a.token, p.row, token, job.a.post);
}

/* The first kernel follows whatever was there; each of the others the one ahead of it. */
static int launch(
    LvCudaStream stream, const DrawJob &job, void (*kernel)(const DrawJob), bool first)
{
    return lv_launch_as(job.a.overlap && !first, kernel, (uint64_t)job.a.rows * job.blocks, 1, 1,
        DRAW_THREADS, sizeof(Shared), stream, job);
}

int lv_cuda_sample(LvCudaStream stream, const LvCudaSample *args)
{
    void (*const by_count[])(const DrawJob) = {
        draw_count<0>, draw_count<1>, draw_count<2>, draw_count<3>};
    void (*const by_mass[])(const DrawJob) = {
        draw_weigh<0>, draw_weigh<1>, draw_weigh<2>, draw_weigh<3>};
    if (args->cols > INT32_MAX || (args->rows && !args->workspace) ||
        (uintptr_t)args->workspace % 16)
        return LV_CUDA_BAD_ARGUMENT;
    /* Blocks of 16 ids a thread, as far as there are not too many. */
    const uint64_t of_block = 16 * DRAW_THREADS, n = args->cols;
    uint64_t blocks = (n + of_block - 1) / of_block;
    blocks = blocks < 1 ? 1 : blocks > MOST_BLOCKS ? MOST_BLOCKS : blocks;
    const uint64_t threads = blocks * DRAW_THREADS;
    const DrawJob job = {*args, (uint32_t)blocks, (uint32_t)((n + threads - 1) / threads)};
    int result = launch(stream, job, draw_process, true);
    for (int i = 0; i < PASSES && result == 0 && !args->no_top_k; i++)
        result = launch(stream, job, by_count[i], false);
    if (result == 0)
        result = launch(stream, job, draw_keep_k, false);
    for (int i = 0; i < PASSES && result == 0 && !args->no_top_p; i++)
        result = launch(stream, job, by_mass[i], false);
    if (result == 0 && !args->no_top_p)
        result = launch(stream, job, draw_border, false);
    if (result == 0 && !args->no_top_p)
        result = launch(stream, job, draw_keep_p, false);
    if (result == 0)
        result = launch(stream, job, draw_probabilities, false);
    return result ? result
                  : lv_launch_as(args->overlap != 0, draw_pick, args->rows, 1, 1, DRAW_THREADS,
                        sizeof(Shared), stream, job);
}
