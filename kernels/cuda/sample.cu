/* SPDX-License-Identifier: Apache-2.0
 * From logits to tokens, a block a row: greedy, and the sampler of engine/model/sampler.c with its
 * random stream. Order never depends on timing: histograms count whole numbers, and sums run over
 * each thread's own span of ids, then over the threads. */
#include "best.h"

#define THREADS 512u

/* The block's best of each thread's own; `scratch` holds 32 of them, free for use. */
LV_INLINE LvCudaBest block_best(LvCudaBest own, LvCudaBest *scratch)
{
    LV_UNROLL
    for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
        own = lv_better_of_lanes(own, mask);
    if (lv_lane() == 0)
        scratch[threadIdx.x / LV_WARP] = own;
    __syncthreads();
    own = scratch[0];
    for (unsigned w = 1; w < THREADS / LV_WARP; w++)
        own = lv_better(own, scratch[w]);
    __syncthreads();
    return own;
}

LV_INLINE int32_t token_of(const LvCudaBest &best)
{
    return best.not_finite ? -1 : (int32_t)best.id; /* none: -1 as well */
}

/* Whether any thread says so. */
LV_INLINE bool any_in_block(bool own, uint32_t *counter)
{
    if (threadIdx.x == 0)
        *counter = 0;
    __syncthreads();
    if (own)
        lv_count(counter, 1u);
    __syncthreads();
    bool any = *counter != 0;
    __syncthreads();
    return any;
}

template <typename T> LV_KERNEL(THREADS) argmax(const LvCudaArgmax a)
{
    const T *in = (const T *)a.in + (size_t)blockIdx.x * a.in_stride;
    LvCudaBest own = lv_no_best();
    size_t whole = (uintptr_t)in % (4 * sizeof(T)) ? 0 : a.cols / 4 * 4;
    for (size_t i = (size_t)threadIdx.x * 4; i < whole; i += THREADS * 4) {
        float x[4];
        lv_load<4>(x, in + i);
        LV_UNROLL
        for (int k = 0; k < 4; k++)
            own = lv_better(own, lv_best_of_one(x[k], (uint32_t)i + k));
    }
    for (size_t i = whole + threadIdx.x; i < a.cols; i += THREADS)
        own = lv_better(own, lv_best_of_one(lv_widen(in[i]), (uint32_t)i));
    own = block_best(own, (LvCudaBest *)lv_shared());
    if (threadIdx.x == 0)
        a.token[blockIdx.x] = token_of(own);
}

int lv_cuda_argmax(LvCudaStream stream, const LvCudaArgmax *args)
{
    const size_t shared = 32 * sizeof(LvCudaBest);
    if (args->cols > INT32_MAX)
        return LV_CUDA_BAD_ARGUMENT;
    if (args->type == LV_CUDA_F32)
        return lv_launch(argmax<float>, args->rows, 1, 1, THREADS, shared, stream, *args);
    if (args->type == LV_CUDA_BF16)
        return lv_launch(argmax<LvBf16>, args->rows, 1, 1, THREADS, shared, stream, *args);
    return LV_CUDA_BAD_ARGUMENT;
}

LV_KERNEL(THREADS) best_of(const LvCudaBestOf a)
{
    const LvCudaBest *parts = a.best + (size_t)blockIdx.x * a.n_parts;
    LvCudaBest own = lv_no_best();
    lv_let_next_start();
    lv_wait_previous();
    LV_UNROLL_4
    for (uint32_t i = threadIdx.x; i < a.n_parts; i += THREADS)
        own = lv_better(own, parts[i]);
    own = block_best(own, (LvCudaBest *)lv_shared());
    if (threadIdx.x == 0)
        a.token[blockIdx.x] = token_of(own);
}

int lv_cuda_best_of(LvCudaStream stream, const LvCudaBestOf *args)
{
    return lv_launch_overlapped(
        best_of, args->rows, 1, 1, THREADS, 32 * sizeof(LvCudaBest), stream, *args);
}

/* ---- sampling ---- */

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

struct Shared {
    double sums[THREADS];
    unsigned long long bins[256];
    LvCudaBest candidates[32];
    uint32_t counts[THREADS];
    uint32_t counter, prefix;
    unsigned long long below;
};

/* One row's logits; thread t owns ids [begin, end) wherever order matters. */
struct Row {
    float *scores;
    uint32_t n, begin, end;
    Shared *shared;
};

/* Probabilities as multiples of 2^-60: exact for all that matter, and their sum has no order. */
LV_INLINE unsigned long long mass_of(float score, float largest, double sum)
{
    float probability = (float)(expf(score - largest) / sum);
    return (unsigned long long)((double)probability * 0x1p60);
}

/* Sum over ids of what each thread gives for its own. */
LV_INLINE double ordered_sum(const Row &row, double own)
{
    row.shared->sums[threadIdx.x] = own;
    __syncthreads();
    double sum = 0;
    for (unsigned t = 0; t < THREADS; t++)
        sum += row.shared->sums[t];
    __syncthreads();
    return sum;
}

LV_INLINE double sum_of_weights(const Row &row, float largest)
{
    double own = 0;
    for (uint32_t i = row.begin; i < row.end; i++)
        own += row.scores[i] == -INFINITY ? 0.0f : expf(row.scores[i] - largest);
    return ordered_sum(row, own);
}

/* Fills the bins with counts (weighted = false) or masses of the scores whose key begins with
 * `prefix`, by the 8 bits below it. */
LV_INLINE void fill_bins(
    const Row &row, uint32_t prefix, int shift, bool weighted, float largest, double sum)
{
    Shared *s = row.shared;
    for (uint32_t i = threadIdx.x; i < 256; i += THREADS)
        s->bins[i] = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < row.n; i += THREADS) {
        uint32_t key = key_of(row.scores[i]);
        if ((uint64_t)key >> (shift + 8) == prefix)
            lv_count(&s->bins[key >> shift & 255],
                weighted ? mass_of(row.scores[i], largest, sum) : 1ull);
    }
    __syncthreads();
}

/* The k-th largest score, 1 <= k <= n. */
LV_INLINE float kth_largest(const Row &row, uint32_t k)
{
    Shared *s = row.shared;
    uint32_t prefix = 0;
    if (threadIdx.x == 0)
        s->below = k;
    for (int shift = 24; shift >= 0; shift -= 8) {
        fill_bins(row, prefix, shift, false, 0, 0);
        if (threadIdx.x == 0) {
            uint32_t bin = 255;
            while (s->bins[bin] < s->below)
                s->below -= s->bins[bin--];
            s->prefix = prefix << 8 | bin;
        }
        __syncthreads();
        prefix = s->prefix;
    }
    __syncthreads();
    return float_of(prefix);
}

LV_INLINE void keep_top_k(const Row &row, uint32_t k)
{
    if (k == 0 || k >= row.n)
        return;
    float least = kth_largest(row, k);
    for (uint32_t i = threadIdx.x; i < row.n; i += THREADS)
        if (row.scores[i] < least)
            row.scores[i] = -INFINITY;
    __syncthreads();
}

LV_INLINE bool droppable(unsigned long long mass, float drop)
{
    return (float)((double)mass * 0x1p-60) <= drop;
}

/* Drops the least likely whose masses add up to no more than `drop`; the likeliest stays. */
LV_INLINE void keep_top_p(const Row &row, float largest, float drop)
{
    Shared *s = row.shared;
    double sum = sum_of_weights(row, largest);
    uint32_t prefix = 0;
    if (threadIdx.x == 0)
        s->below = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        fill_bins(row, prefix, shift, true, largest, sum);
        if (threadIdx.x == 0) {
            /* The largest score's bin is the last that can be chosen. */
            uint32_t top = key_of(largest), bin = 0;
            uint32_t last = (uint64_t)top >> (shift + 8) == prefix ? top >> shift & 255 : 255;
            while (bin < last && droppable(s->below + s->bins[bin], drop))
                s->below += s->bins[bin++];
            s->prefix = prefix << 8 | bin;
        }
        __syncthreads();
        prefix = s->prefix;
    }
    /* Everything below the border goes; of those on it, the first ids as far as they may. */
    float border = float_of(prefix);
    uint32_t own = 0, before = 0, all = 0, dropped = 0;
    for (uint32_t i = row.begin; i < row.end; i++)
        own += row.scores[i] == border;
    s->counts[threadIdx.x] = own;
    __syncthreads();
    for (unsigned t = 0; t < THREADS; t++) {
        before += t < threadIdx.x ? s->counts[t] : 0;
        all += s->counts[t];
    }
    unsigned long long below = s->below, mass = mass_of(border, largest, sum);
    uint32_t most = border == largest && all ? all - 1 : all;
    while (dropped < most && droppable(below + mass * (dropped + 1), drop))
        dropped++;
    for (uint32_t i = row.begin; i < row.end; i++)
        if (row.scores[i] < border || (row.scores[i] == border && before++ < dropped))
            row.scores[i] = -INFINITY;
    __syncthreads();
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

/* The id at which the probabilities' running sum passes a random share of the whole. */
LV_INLINE int32_t draw(const Row &row, double random)
{
    Shared *s = row.shared;
    double own = 0;
    for (uint32_t i = row.begin; i < row.end; i++)
        own += row.scores[i];
    double point = ordered_sum(row, own) * random, below = 0;
    s->sums[threadIdx.x] = own;
    __syncthreads();
    if (threadIdx.x == 0) {
        uint32_t span = (row.n + THREADS - 1) / THREADS, t = 0, token = 0;
        while (t + 1 < THREADS && below + s->sums[t] <= point)
            below += s->sums[t++];
        /* Rounding may leave the last spans empty-handed: then the last id that can be drawn. */
        for (uint32_t i = t * span; i < row.n; i++) {
            if (row.scores[i] <= 0)
                continue;
            token = i;
            below += row.scores[i];
            if (below > point)
                break;
        }
        if (row.scores[token] <= 0)
            for (uint32_t i = 0; i < row.n; i++)
                token = row.scores[i] > 0 ? i : token;
        s->counter = token;
    }
    __syncthreads();
    return (int32_t)s->counter;
}

LV_KERNEL(THREADS) sample(const LvCudaSample a)
{
    Shared *s = (Shared *)lv_shared();
    LvCudaDraw *settings = &a.draws[blockIdx.x];
    LvCudaDraw d = *settings;
    uint32_t n = (uint32_t)a.cols, span = (n + THREADS - 1) / THREADS;
    uint32_t begin = threadIdx.x * span, end = begin + span;
    Row row = {
        a.logits + (size_t)blockIdx.x * a.stride, n, begin < n ? begin : n, end < n ? end : n, s};
    bool bad = n == 0;
    for (uint32_t i = threadIdx.x; i < n; i += THREADS) {
        float x = row.scores[i];
        bad = bad || lv_not_finite(x);
        if (d.seen && d.repetition_penalty != 1 && d.seen[i])
            x = x < 0 ? x * d.repetition_penalty : x / d.repetition_penalty;
        if (d.temperature > 0 && d.temperature != 1)
            x = x / d.temperature;
        bad = bad || (d.temperature > 0 && lv_not_finite(x));
        row.scores[i] = x;
    }
    int32_t token = -1;
    if (!any_in_block(bad, &s->counter)) {
        LvCudaBest best = lv_no_best();
        for (uint32_t i = threadIdx.x; i < n; i += THREADS)
            best = lv_better(best, lv_best_of_one(row.scores[i], i));
        best = block_best(best, s->candidates);
        token = (int32_t)best.id;
        if (d.temperature > 0) {
            keep_top_k(row, d.top_k);
            if (d.top_p < 1)
                keep_top_p(row, best.score, (float)(1 - d.top_p));
            double sum = sum_of_weights(row, best.score);
            for (uint32_t i = row.begin; i < row.end; i++)
                row.scores[i] = row.scores[i] == -INFINITY
                                    ? 0.0f
                                    : (float)(expf(row.scores[i] - best.score) / sum);
            token = draw(row, random_number(d.seed, d.index));
            if (threadIdx.x == 0)
                settings->index = d.index + 1;
        }
        if (threadIdx.x == 0 && d.seen)
            d.seen[token] = 1;
    }
    if (threadIdx.x == 0)
        a.token[blockIdx.x] = token;
}

int lv_cuda_sample(LvCudaStream stream, const LvCudaSample *args)
{
    if (args->cols > INT32_MAX)
        return LV_CUDA_BAD_ARGUMENT;
    return lv_launch(sample, args->rows, 1, 1, THREADS, sizeof(Shared), stream, *args);
}
