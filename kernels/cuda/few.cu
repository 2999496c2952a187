/* SPDX-License-Identifier: Apache-2.0
 * Products of few rows, bound by reading the weights: the choice of the kernel, and the one without
 * tensor cores, for float32 and for the fewest rows.
 *
 * A block works on a few rows of the weight, and as many of its partner for a gate, for all rows of
 * the input. Its warps take steps of 32 pieces of 16 bytes along these rows in turn, a lane a
 * piece, and join their sums in order. To keep enough loads in flight, a thread requests the pieces
 * of all outputs and of DEPTH steps at once, the first ones before the kernel ahead has written the
 * input.
 *
 * The squares needed for a norm of the input are accumulated alongside, so that the input is read
 * only once. */
#include "few_output.h"
#include "launcher.h"

template <typename T, int ROWS_, bool GATED_, int WARPS_, int DEPTH_> struct Shape {
    typedef T Type;
    static const int rows = ROWS_, warps = WARPS_, depth = DEPTH_;
    static const bool gated = GATED_;
    static const int outputs_of_block = ROWS_ > 4 ? 2 : 4;
    static const int outputs = GATED_ ? 2 * outputs_of_block : outputs_of_block;
    static const int width = 16 / (int)sizeof(T);        /* elements of a piece */
    static const int step = (int)LV_WARP * width;        /* columns of a step */
    static const int values = outputs * ROWS_;           /* sums of a warp */
    static const int results = outputs_of_block * ROWS_; /* of a block; one a thread */
    static const int part = values + ROWS_; /* what a warp leaves: sums, then squares */
    static const unsigned threads = WARPS_ * LV_WARP;
    static_assert(results <= 32, "a lane a result");
};

/* The weights of DEPTH steps. */
template <typename S> struct Weights {
    LvPiece at[S::depth][S::outputs];
};

/* The thread's first column of step d of those that begin at `start`. */
template <typename S> LV_INLINE size_t column_of(size_t start, int d)
{
    return start + (size_t)d * S::warps * S::step + (size_t)lv_lane() * S::width;
}

/* Outputs behind the last are read as the last; columns behind the last are not read. */
template <typename S>
LV_INLINE void request(Weights<S> &w, const LvCudaFew &a, size_t first, size_t start)
{
    typedef typename S::Type T;
    const size_t begin = first * a.weight.stride + start + (size_t)lv_lane() * S::width;
    const T *row = (const T *)a.weight.data + begin;
    LV_UNROLL
    for (int o = 0; o < S::outputs; o++) {
        if (o == S::outputs_of_block)
            row = (const T *)a.up.data + begin;
        LV_UNROLL
        for (int d = 0; d < S::depth; d++)
            if (column_of<S>(start, d) < a.inner)
                w.at[d][o] = lv_load_constant(row + d * S::warps * S::step);
        row += first + o % S::outputs_of_block + 1 < a.cols ? a.weight.stride : 0;
    }
}

/* What the input holds in the columns of `depth` steps, and the norm's scales of these. */
template <typename S> struct Input {
    LvPiece at[S::depth][S::rows], scale[S::depth][S::width / 4];
};

template <typename S> LV_INLINE void load_input(Input<S> &x, const LvCudaFew &a, size_t start)
{
    typedef typename S::Type T;
    LV_UNROLL
    for (int d = 0; d < S::depth; d++) {
        const size_t k = column_of<S>(start, d);
        if (k >= a.inner)
            continue;
        LV_UNROLL
        for (int r = 0; r < S::rows; r++)
            if ((size_t)r < a.rows)
                x.at[d][r] = *(const LvPiece *)((const T *)a.in + r * a.in_stride + k);
        LV_UNROLL
        for (int i = 0; i < S::width / 4; i++)
            if (a.norm_scale)
                x.scale[d][i] = *(const LvPiece *)(a.norm_scale + k + 4 * i);
    }
}

/* Adds the products of step d: sums of outputs by row. */
template <typename S>
LV_INLINE void add_step(
    float *sums, float *squares, const Weights<S> &w, const Input<S> &in, const LvCudaFew &a, int d)
{
    typedef typename S::Type T;
    float x[S::rows][S::width];
    LV_UNROLL
    for (int r = 0; r < S::rows; r++) {
        LV_UNROLL
        for (int i = 0; i < S::width; i++)
            x[r][i] = (size_t)r < a.rows ? lv_piece_at<T>(in.at[d][r], i) : 0.0f;
        if (a.norm_scale) {
            LV_UNROLL
            for (int i = 0; i < S::width; i++) {
                squares[r] += x[r][i] * x[r][i];
                x[r][i] *= lv_piece_at<float>(in.scale[d][i / 4], i % 4);
            }
        }
    }
    LV_UNROLL
    for (int o = 0; o < S::outputs; o++) {
        LV_UNROLL
        for (int i = 0; i < S::width; i++) {
            const float weight = lv_piece_at<T>(w.at[d][o], i);
            LV_UNROLL
            for (int r = 0; r < S::rows; r++)
                sums[o * S::rows + r] += x[r][i] * weight;
        }
    }
}

/* The warp's share of all columns; w holds its first weights. */
template <typename S>
LV_INLINE void multiply(
    float *sums, float *squares, Weights<S> &w, const LvCudaFew &a, size_t first)
{
    LV_UNROLL
    for (int i = 0; i < S::values; i++)
        sums[i] = 0;
    LV_UNROLL
    for (int r = 0; r < S::rows; r++)
        squares[r] = 0;
    size_t start = (size_t)(threadIdx.x / LV_WARP) * S::step;
    while (start < a.inner) {
        Input<S> x;
        load_input<S>(x, a, start);
        LV_UNROLL
        for (int d = 0; d < S::depth; d++)
            if (column_of<S>(start, d) < a.inner)
                add_step<S>(sums, squares, w, x, a, d);
        start += (size_t)S::depth * S::warps * S::step;
        if (start < a.inner)
            request<S>(w, a, first, start);
    }
}

/* From the lanes' sums to what the warp leaves in shared memory. */
template <typename S> LV_INLINE void leave(float *part, float *sums, float *squares, bool normed)
{
    const int at_once = S::values < 32 ? S::values : 32, lanes = 32 / at_once;
    LV_UNROLL
    for (int v = 0; v < S::values; v += at_once) {
        const float sum = lv_warp_sums<at_once>(sums + v);
        if (lv_lane() % lanes == 0)
            part[v + lv_lane() / lanes] = sum;
    }
    if (normed) {
        const float sum = lv_warp_sums<S::rows>(squares);
        if (lv_lane() % (32 / S::rows) == 0)
            part[S::values + lv_lane() / (32 / S::rows)] = sum;
    }
}

/* This thread's result and its partner, of output threadIdx.x / rows. */
template <typename S>
LV_INLINE void join(const float *parts, const LvCudaFew &a, float *own, float *partner)
{
    const unsigned row = threadIdx.x % S::rows;
    float squares = 0;
    *own = *partner = 0;
    LV_UNROLL
    for (int w = 0; w < S::warps; w++) {
        const float *part = parts + w * S::part;
        *own += part[threadIdx.x];
        if (S::gated)
            *partner += part[S::values - S::results + threadIdx.x];
        if (a.norm_scale)
            squares += part[S::values + row];
    }
    const float factor = lv_few_factor(a, squares);
    *own *= factor;
    *partner *= factor;
}

/* The scales of the thread's first columns, which are the last of the constants to be read. */
template <typename S> LV_INLINE void prefetch_scale(const LvCudaFew &a)
{
    LV_UNROLL
    for (int d = 0; d < S::depth; d++) {
        const size_t k = column_of<S>((size_t)(threadIdx.x / LV_WARP) * S::step, d);
        if (a.norm_scale && k < a.inner)
            lv_prefetch(a.norm_scale + k);
    }
}

template <typename S, typename TO> LV_KERNEL(S::threads) linear_few(const LvCudaFew a)
{
    typedef typename S::Type T;
    const size_t first = (size_t)blockIdx.x * S::outputs_of_block;
    const size_t row = threadIdx.x % S::rows, col = first + threadIdx.x / S::rows;
    const bool writes = threadIdx.x < S::results && row < a.rows && col < a.cols;
    float sums[S::values], squares[S::rows], *parts = (float *)lv_shared();
    LvFewAddends addends = {0, 0};
    Weights<S> w;
    lv_let_next_start();
    request<S>(w, a, first, (size_t)(threadIdx.x / LV_WARP) * S::step);
    prefetch_scale<S>(a);
    if (writes && !S::gated)
        addends.bias = lv_few_bias(a, col);
    lv_wait_previous();
    if (writes && !S::gated)
        addends.residual = lv_few_residual<T>(a, row, col);
    multiply<S>(sums, squares, w, a, first);
    leave<S>(parts + threadIdx.x / LV_WARP * S::part, sums, squares, a.norm_scale);
    __syncthreads();
    if (!writes)
        return;
    float own, partner;
    join<S>(parts, a, &own, &partner);
    lv_few_write<TO, S::gated>(a, row, col, own, partner, addends);
}

/* Nothing but the best of each block's outputs is written. The parts of one round are read while
 * those of the next are written, so that one barrier a round is enough. */
template <typename S> LV_KERNEL(S::threads) best_few(const LvCudaFew a)
{
    const size_t step = (size_t)gridDim.x * S::outputs_of_block;
    LvCudaBest own = lv_no_best();
    float *parts = (float *)lv_shared();
    Weights<S> w;
    size_t first = (size_t)blockIdx.x * S::outputs_of_block;
    unsigned round = 0;
    lv_let_next_start();
    request<S>(w, a, first, (size_t)(threadIdx.x / LV_WARP) * S::step);
    prefetch_scale<S>(a);
    lv_wait_previous();
    while (first < a.cols) {
        float sums[S::values], squares[S::rows], score, none;
        float *now = parts + round++ % 2 * (S::warps * S::part);
        const size_t col = first + threadIdx.x / S::rows;
        multiply<S>(sums, squares, w, a, first);
        first += step;
        if (first < a.cols)
            request<S>(w, a, first, (size_t)(threadIdx.x / LV_WARP) * S::step);
        leave<S>(now + threadIdx.x / LV_WARP * S::part, sums, squares, a.norm_scale);
        __syncthreads();
        if (threadIdx.x < S::results && col < a.cols) {
            join<S>(now, a, &score, &none);
            own = lv_better(own, lv_few_score<typename S::Type>(score, col));
        }
    }
    /* Results are no more than a warp's lanes. */
    if (threadIdx.x >= LV_WARP)
        return;
    LV_UNROLL
    for (unsigned mask = S::rows; mask < S::results; mask *= 2)
        own = lv_better_of_lanes(own, mask);
    if (threadIdx.x < S::rows && threadIdx.x < a.rows)
        a.best[(size_t)threadIdx.x * gridDim.x + blockIdx.x] = own;
}

template <typename S, typename TO> static int launch_few(LvCudaStream stream, const LvCudaFew &a)
{
    const uint64_t of_block = S::outputs_of_block;
    const uint64_t blocks = ((uint64_t)a.cols + of_block - 1) / of_block;
    return lv_launch_overlapped(linear_few<S, TO>, a.rows ? blocks : 0, 1, 1, S::threads,
        S::warps * S::part * sizeof(float), stream, a);
}

template <typename S> static int launch_best(LvCudaStream stream, const LvCudaFew &a)
{
    return lv_launch_overlapped(best_few<S>, a.rows ? lv_cuda_best_parts(a.cols) : 0, 1, 1,
        S::threads, 2 * S::warps * S::part * sizeof(float), stream, a);
}

/* Short rows give each of four warps one step; long ones keep eight warps busy. */
template <typename T> static bool is_short(const LvCudaFew &a)
{
    return a.inner <= 4 * (size_t)Shape<T, 1, false, 4, 1>::step;
}

static constexpr int depth_of(int rows)
{
    return rows == 1 ? 3 : rows == 2 ? 2 : 1;
}

template <typename T, typename TO, int ROWS>
static int few_of_rows(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.up.data)
        return is_short<T>(a) ? launch_few<Shape<T, ROWS, true, 4, 1>, TO>(stream, a)
                              : launch_few<Shape<T, ROWS, true, 8, 1>, TO>(stream, a);
    return is_short<T>(a) ? launch_few<Shape<T, ROWS, false, 4, 1>, TO>(stream, a)
                          : launch_few<Shape<T, ROWS, false, 8, depth_of(ROWS)>, TO>(stream, a);
}

/* The order of the sums is that of the product which is written. */
template <typename T, int ROWS> static int best_of_rows(LvCudaStream stream, const LvCudaFew &a)
{
    return is_short<T>(a) ? launch_best<Shape<T, ROWS, false, 4, 1>>(stream, a)
                          : launch_best<Shape<T, ROWS, false, 8, depth_of(ROWS)>>(stream, a);
}

template <typename T> static bool aligned(const LvCudaFew &a)
{
    const int width = 16 / (int)sizeof(T);
    return a.inner % width == 0 && lv_rows_aligned(a.in, a.in_stride, sizeof(T), width) &&
           lv_rows_aligned(a.weight.data, a.weight.stride, sizeof(T), width) &&
           (!a.up.data || lv_rows_aligned(a.up.data, a.weight.stride, sizeof(T), width)) &&
           (!a.norm_scale || lv_rows_aligned(a.norm_scale, 0, sizeof(float), 4));
}

static bool same_types(const LvCudaFew &a)
{
    return lv_cuda_few_takes(a.type, a.weight.type) &&
           (!a.up.data || (a.up.type == a.weight.type && a.up.stride == a.weight.stride));
}

template <typename T, typename TO> static int few_of_types(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.rows > lv_cuda_few_rows(a.type) || !aligned<T>(a) || (a.up.data && (a.bias || a.residual)))
        return LV_CUDA_BAD_ARGUMENT;
    if (a.rows <= 1)
        return few_of_rows<T, TO, 1>(stream, a);
    if (a.rows <= 2)
        return few_of_rows<T, TO, 2>(stream, a);
    if constexpr (sizeof(T) == 4)
        return a.rows <= 4 ? few_of_rows<T, TO, 4>(stream, a) : few_of_rows<T, TO, 8>(stream, a);
    else
        return lv_few_tensor(stream, a);
}

int lv_cuda_linear_few(LvCudaStream stream, const LvCudaFew *args)
{
    const LvCudaFew &a = *args;
    if (!same_types(a))
        return LV_CUDA_BAD_ARGUMENT;
    if (a.type == LV_F32 && a.out_type == LV_F32)
        return few_of_types<float, float>(stream, a);
    if (a.type == LV_BF16 && a.out_type == LV_BF16)
        return few_of_types<LvBf16, LvBf16>(stream, a);
    if (a.type == LV_BF16 && a.out_type == LV_F32)
        return few_of_types<LvBf16, float>(stream, a);
    return LV_CUDA_BAD_ARGUMENT;
}

template <typename T> static int best_of_type(LvCudaStream stream, const LvCudaFew &a)
{
    if (a.rows > lv_cuda_few_rows(a.type) || a.cols > INT32_MAX || !aligned<T>(a) || a.up.data ||
        a.bias || a.residual || a.function != LV_CUDA_NONE)
        return LV_CUDA_BAD_ARGUMENT;
    if (a.rows <= 1)
        return best_of_rows<T, 1>(stream, a);
    if (a.rows <= 2)
        return best_of_rows<T, 2>(stream, a);
    if constexpr (sizeof(T) == 4)
        return a.rows <= 4 ? best_of_rows<T, 4>(stream, a) : best_of_rows<T, 8>(stream, a);
    else
        return lv_few_tensor_best(stream, a);
}

int lv_cuda_linear_few_best(LvCudaStream stream, const LvCudaFew *args)
{
    if (!same_types(*args))
        return LV_CUDA_BAD_ARGUMENT;
    if (args->type == LV_F32)
        return best_of_type<float>(stream, *args);
    if (args->type == LV_BF16)
        return best_of_type<LvBf16>(stream, *args);
    return LV_CUDA_BAD_ARGUMENT;
}
