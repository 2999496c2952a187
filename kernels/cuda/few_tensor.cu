/* SPDX-License-Identifier: Apache-2.0
 * Products of up to 16 rows of bf16 on tensor cores, bound by reading the weights. A block works on
 * OUTPUTS outputs; its warps take steps of 32 columns in turn and join their sums in order. Both
 * operands come straight from memory, 16 bytes a lane: lane (g, t) has columns 8t .. 8t + 7 of a
 * step, of rows g and g + 8 of the input and of output g. The fragments expect columns 2t and 2t +
 * 8 there, but the order of a sum's terms does not matter as long as both operands agree. The
 * weights of the first steps are requested before the kernel ahead has written the input.
 *
 * A norm's scale is applied to the input, whose digits beyond bf16 are multiplied as a second bf16;
 * together they keep 16 digits. The norm's factor is applied to the sums. */
#include "few_output.h"
#include "fragment.h"
#include "launcher.h"

#define ROWS 16
#define OUTPUTS 8
#define STEP 32
#define RESULTS (ROWS * OUTPUTS)

/* What one warp adds to the results of its block. WEIGHTS: 2 with a gate. */
template <int WEIGHTS> struct TensorPart {
    float products[WEIGHTS][RESULTS];
    float squares[ROWS];
};

template <int WEIGHTS_, int WARPS_, int DEPTH_ = 4 / WEIGHTS_> struct TensorShape {
    static const int weights = WEIGHTS_, warps = WARPS_;
    static const int depth = DEPTH_; /* steps whose weights are asked for at once */
    static const unsigned threads = WARPS_ * LV_WARP;
    static const size_t shared = WARPS_ * sizeof(TensorPart<WEIGHTS_>);
};

/* The weights of `depth` steps: columns 8t .. 8t + 7 of output g of each. */
template <typename S> struct TensorWeights {
    LvPiece at[S::depth][S::weights];
};

template <typename S> LV_INLINE size_t first_step()
{
    return (size_t)(threadIdx.x / LV_WARP) * STEP;
}

template <typename S> LV_INLINE size_t column_of(size_t start, int d)
{
    return start + (size_t)d * S::warps * STEP + lv_lane() % 4 * 8;
}

/* Outputs [first, first + OUTPUTS), those behind the last read as the last; columns behind the last
 * are zeros. */
template <typename S>
LV_INLINE void request(TensorWeights<S> &w, const LvCudaFew &a, size_t first, size_t start)
{
    const size_t g = lv_lane() / 4;
    const size_t output = (first + g < a.cols ? first + g : a.cols - 1) * a.weight.stride;
    LV_UNROLL
    for (int d = 0; d < S::depth; d++) {
        const size_t k = column_of<S>(start, d);
        LV_UNROLL
        for (int n = 0; n < S::weights; n++) {
            const LvBf16 *from = (const LvBf16 *)(n ? a.up.data : a.weight.data) + output + k;
            w.at[d][n] = k < a.inner ? lv_load_constant(from) : LvPiece{};
        }
    }
}

/* Eight columns of a row, scaled: their first digits take their place, the next ones go to `rest`.
 * The squares are of what was there. */
LV_INLINE void scale_row(uint32_t *x, uint32_t *rest, float *squares, const float *scale)
{
    LV_UNROLL
    for (int i = 0; i < 4; i++) {
        const float low = lv_bits_float(x[i] << 16);
        const float high = lv_bits_float(x[i] & 0xFFFF0000u);
        *squares += low * low;
        *squares += high * high;
        const float first = low * scale[2 * i], second = high * scale[2 * i + 1];
        x[i] = lv_pack_bf16(first, second);
        rest[i] = lv_pack_bf16(
            first - lv_bits_float(x[i] << 16), second - lv_bits_float(x[i] & 0xFFFF0000u));
    }
}

/* sums += x . weights of one step; x[1], rows g + 8, is zeros where there are none. */
template <typename S>
LV_INLINE void multiply_step(float (*sums)[4], const uint32_t (*x)[4], const LvPiece *w)
{
    LV_UNROLL
    for (int i = 0; i < 4; i += 2) {
        const uint32_t rows[4] = {x[0][i], x[1][i], x[0][i + 1], x[1][i + 1]};
        LV_UNROLL
        for (int n = 0; n < S::weights; n++)
            lv_multiply_add(sums[n], rows, w[n].word + i);
    }
}

/* What the input holds in the columns of `depth` steps, rows g and g + 8, and the norm's scales of
 * these; zeros behind the last row and column. */
template <typename S> struct TensorInput {
    uint32_t at[S::depth][2][4];
    float scale[S::depth][8];
};

template <typename S> LV_INLINE void load_input(TensorInput<S> &x, const LvCudaFew &a, size_t start)
{
    const unsigned g = lv_lane() / 4;
    LV_UNROLL
    for (int d = 0; d < S::depth; d++) {
        const size_t k = column_of<S>(start, d);
        const LvBf16 *in = (const LvBf16 *)a.in + g * a.in_stride + k;
        const bool inside = k < a.inner;
        lv_load_pairs(x.at[d][0], in, inside && g < a.rows);
        lv_load_pairs(x.at[d][1], in + 8 * a.in_stride, inside && g + 8 < a.rows);
        if (a.norm_scale && inside) {
            lv_load<4>(x.scale[d], a.norm_scale + k);
            lv_load<4>(x.scale[d] + 4, a.norm_scale + k + 4);
        } else {
            LV_UNROLL
            for (int i = 0; i < 8; i++)
                x.scale[d][i] = 0;
        }
    }
}

template <typename S>
LV_INLINE void add_step(float (*sums)[4], float *squares, const TensorWeights<S> &w,
    TensorInput<S> &x, const LvCudaFew &a, int d)
{
    if (a.norm_scale) {
        uint32_t rest[2][4] = {};
        scale_row(x.at[d][0], rest[0], &squares[0], x.scale[d]);
        if (a.rows > 8)
            scale_row(x.at[d][1], rest[1], &squares[1], x.scale[d]);
        multiply_step<S>(sums, rest, w.at[d]);
    }
    multiply_step<S>(sums, x.at[d], w.at[d]);
}

/* The warp's share of all columns; w holds its first weights. */
template <typename S>
LV_INLINE void multiply(
    TensorPart<S::weights> *parts, TensorWeights<S> &w, const LvCudaFew &a, size_t first)
{
    const unsigned g = lv_lane() / 4, t = lv_lane() % 4;
    TensorPart<S::weights> &part = parts[threadIdx.x / LV_WARP];
    float sums[S::weights][4] = {}, squares[2] = {};
    size_t start = first_step<S>();
    while (start < a.inner) {
        TensorInput<S> x;
        load_input<S>(x, a, start);
        LV_UNROLL
        for (int d = 0; d < S::depth; d++)
            add_step<S>(sums, squares, w, x, a, d);
        start += (size_t)S::depth * S::warps * STEP;
        if (start < a.inner)
            request<S>(w, a, first, start);
    }
    LV_UNROLL
    for (int half = 0; half < 2; half++) {
        const unsigned row = g + 8 * half;
        LV_UNROLL
        for (int n = 0; n < S::weights; n++) {
            part.products[n][row * OUTPUTS + 2 * t] = sums[n][2 * half];
            part.products[n][row * OUTPUTS + 2 * t + 1] = sums[n][2 * half + 1];
        }
        squares[half] += lv_shuffle_xor(squares[half], 1);
        squares[half] += lv_shuffle_xor(squares[half], 2);
        if (t == 0)
            part.squares[row] = squares[half];
    }
}

/* This thread's result, of row threadIdx.x / OUTPUTS. */
template <typename S>
LV_INLINE void join(const LvCudaFew &a, const TensorPart<S::weights> *parts, float *sums)
{
    float squares = 0;
    LV_UNROLL
    for (int n = 0; n < S::weights; n++)
        sums[n] = 0;
    LV_UNROLL
    for (int w = 0; w < S::warps; w++) {
        LV_UNROLL
        for (int n = 0; n < S::weights; n++)
            sums[n] += parts[w].products[n][threadIdx.x];
        squares += parts[w].squares[threadIdx.x / OUTPUTS];
    }
    float factor = lv_few_factor(a, squares);
    LV_UNROLL
    for (int n = 0; n < S::weights; n++)
        sums[n] *= factor;
}

/* The scales of the thread's first columns. */
template <typename S> LV_INLINE void prefetch_scale(const LvCudaFew &a)
{
    LV_UNROLL
    for (int d = 0; d < S::depth; d++) {
        const size_t k = column_of<S>(first_step<S>(), d);
        if (a.norm_scale && k < a.inner)
            lv_prefetch(a.norm_scale + k);
    }
}

template <typename S, typename TO> LV_KERNEL(S::threads) linear_few_tensor(const LvCudaFew a)
{
    TensorPart<S::weights> *parts = (TensorPart<S::weights> *)lv_shared();
    float *bias = (float *)(parts + S::warps); /* each thread's own */
    /* With 16 warps there is no register left for what is added later; it is in the cache by
     * then. */
    const bool early = S::warps <= 8;
    const size_t first = (size_t)blockIdx.x * OUTPUTS, col = first + threadIdx.x % OUTPUTS;
    const size_t row = threadIdx.x / OUTPUTS;
    const bool writes = row < a.rows && col < a.cols, gated = S::weights == 2;
    LvFewAddends addends = {0, 0};
    TensorWeights<S> w;
    lv_let_next_start();
    request<S>(w, a, first, first_step<S>());
    prefetch_scale<S>(a);
    if (writes && !gated)
        bias[threadIdx.x] = lv_few_bias(a, col);
    lv_wait_previous();
    if (writes && !gated && early)
        addends.residual = lv_few_residual<LvBf16>(a, row, col);
    else if (writes && !gated && a.residual)
        lv_prefetch((const LvBf16 *)a.residual + row * a.residual_stride + col);
    multiply<S>(parts, w, a, first);
    __syncthreads();
    const unsigned thread = lv_thread_again();
    const size_t to_row = thread / OUTPUTS,
                 to_col = (size_t)blockIdx.x * OUTPUTS + thread % OUTPUTS;
    if (to_row >= a.rows || to_col >= a.cols)
        return;
    if (!gated)
        addends.bias = bias[thread];
    if (!gated && !early)
        addends.residual = lv_few_residual<LvBf16>(a, to_row, to_col);
    float sums[S::weights];
    join<S>(a, parts, sums);
    lv_few_write<TO, gated>(a, to_row, to_col, sums[0], sums[S::weights - 1], addends);
}

/* The parts of one round are read while those of the next are written. */
template <typename S> LV_KERNEL_MANY_REGISTERS(S::threads) best_few_tensor(const LvCudaFew a)
{
    TensorPart<1> *parts = (TensorPart<1> *)lv_shared();
    unsigned round = 0;
    /* Each thread's own, in shared memory: no registers are left for it between the rounds. */
    LvCudaBest *kept = (LvCudaBest *)(parts + 2 * S::warps);
    const unsigned row = threadIdx.x / OUTPUTS;
    if (threadIdx.x < RESULTS)
        kept[threadIdx.x] = lv_no_best();
    size_t first = (size_t)blockIdx.x * OUTPUTS;
    TensorWeights<S> w;
    lv_let_next_start();
    request<S>(w, a, first, first_step<S>());
    prefetch_scale<S>(a);
    lv_wait_previous();
    while (first < a.cols) {
        const size_t col = first + threadIdx.x % OUTPUTS;
        TensorPart<1> *now = parts + round++ % 2 * S::warps;
        multiply<S>(now, w, a, first);
        first += (size_t)gridDim.x * OUTPUTS;
        if (first < a.cols)
            request<S>(w, a, first, first_step<S>());
        __syncthreads();
        if (row < a.rows && col < a.cols) {
            float score;
            join<S>(a, now, &score);
            kept[threadIdx.x] = lv_better(kept[threadIdx.x], lv_few_score<LvBf16>(score, col));
        }
    }
    LvCudaBest own = threadIdx.x < RESULTS ? kept[threadIdx.x] : lv_no_best();
    LV_UNROLL
    for (unsigned mask = 1; mask < OUTPUTS; mask *= 2)
        own = lv_better_of_lanes(own, mask);
    if (row < a.rows && threadIdx.x % OUTPUTS == 0)
        a.best[(size_t)row * gridDim.x + blockIdx.x] = own;
}

template <typename S, typename TO> static int launch(LvCudaStream stream, const LvCudaFew &a)
{
    return lv_launch_overlapped(linear_few_tensor<S, TO>,
        ((uint64_t)a.cols + OUTPUTS - 1) / OUTPUTS, 1, 1, S::threads,
        S::shared + RESULTS * sizeof(float), stream, a);
}

/* Long rows are cut among more warps: there are fewer blocks than would fill the device. */
static bool is_short(const LvCudaFew &a)
{
    return a.inner <= 2048;
}

template <int WEIGHTS, typename TO> static int launch_of(LvCudaStream stream, const LvCudaFew &a)
{
    return is_short(a) ? launch<TensorShape<WEIGHTS, 8>, TO>(stream, a)
                       : launch<TensorShape<WEIGHTS, 16>, TO>(stream, a);
}

int lv_few_tensor(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.up.data)
        return a.out_type == LV_F32 ? launch_of<2, float>(stream, a)
                                    : launch_of<2, LvBf16>(stream, a);
    return a.out_type == LV_F32 ? launch_of<1, float>(stream, a) : launch_of<1, LvBf16>(stream, a);
}

template <typename S> static int launch_best(LvCudaStream stream, const LvCudaFew &a)
{
    return lv_launch_overlapped(best_few_tensor<S>, lv_cuda_best_parts(a.cols), 1, 1, S::threads,
        2 * S::shared + RESULTS * sizeof(LvCudaBest), stream, a);
}

/* The order of the sums is that of the product which is written; sixteen warps that also keep their
 * best have registers for half as many steps at once. */
int lv_few_tensor_best(LvCudaStream stream, const LvCudaFew &a)
{
    return is_short(a) ? launch_best<TensorShape<1, 8>>(stream, a)
                       : launch_best<TensorShape<1, 16, 2>>(stream, a);
}
