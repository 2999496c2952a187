/* SPDX-License-Identifier: Apache-2.0
 * The first kernel of a decoding step: a block a row. It reads the host's memory in place, so the
 * step needs no copy ahead of it. */
#include "launcher.h"
#include "warp.h"

#define THREADS 256u

/* Of the host's memory, never kept in a cache: the host writes there between two steps. */
template <typename T> LV_INLINE T from_host(const T *from)
{
    return *(const volatile T *)from;
}

/* Its row's sequence into the device's block, by the lanes of one warp. */
LV_INLINE void take_sequence(LvCudaSequence *to, const LvCudaSequence *from)
{
    const uint32_t words = sizeof *to / sizeof(uint32_t);
    if (threadIdx.x < words)
        ((uint32_t *)to)[threadIdx.x] = from_host((const uint32_t *)from + threadIdx.x);
}

/* This block has read which message is the step's. The last of all blocks to say so begins the next
 * one. */
LV_INLINE void count_step(LvCudaStepState *state, uint32_t number)
{
#ifdef __CUDACC__
    __threadfence();
#endif
    if (lv_count(&state->n_readers, 1u) != gridDim.x - 1)
        return;
    state->n_readers = 0;
    state->n_begun = number + 1;
}

/* Rows of the table, WIDTH columns at a time, bit by bit; NaN for an id that it does not have. */
template <typename T, int WIDTH> LV_KERNEL(THREADS) step_rows(const LvCudaStepRows a)
{
    int32_t *shared_id = (int32_t *)lv_shared();
    const uint32_t row = blockIdx.x, number = a.state->n_begun;
    const LvCudaStepBlock *from = &a.mail->step[number % 2];
    LvCudaStepBlock *to = &a.state->block;
    take_sequence(&to->sequences[row], &from->sequences[row]);
    if (threadIdx.x == 0) {
        *shared_id = from_host(&from->ids_are_tokens) ? a.tokens[row] : from_host(&from->ids[row]);
        to->ids[row] = *shared_id;
        if (row == 0)
            to->keys_per_split = from_host(&from->keys_per_split);
    }
    __syncthreads();
    if (threadIdx.x == 0)
        count_step(a.state, number);
    const uint64_t id = (uint64_t)(int64_t)*shared_id;
    const T *in = (const T *)a.table + id * a.table_stride;
    T *out = (T *)a.out + (size_t)row * a.out_stride;
    for (size_t col = (size_t)threadIdx.x * WIDTH; col < a.cols; col += THREADS * WIDTH) {
        LvVector<T, WIDTH> v;
        LV_UNROLL
        for (int i = 0; i < WIDTH && id >= a.table_rows; i++)
            v.at[i] = lv_narrow<T>(lv_bits_float(0x7FC00000u));
        if (id < a.table_rows)
            v = *(const LvVector<T, WIDTH> *)(in + col);
        lv_put<WIDTH>(out + col, v.at);
    }
}

template <typename T> static int launch(LvCudaStream stream, const LvCudaStepRows &a)
{
    const int width = 16 / (int)sizeof(T);
    const bool wide = a.cols % width == 0 &&
                      lv_rows_aligned(a.out, a.out_stride, sizeof(T), width) &&
                      lv_rows_aligned(a.table, a.table_stride, sizeof(T), width);
    return lv_launch(wide ? step_rows<T, 16 / (int)sizeof(T)> : step_rows<T, 1>, a.rows, 1, 1,
        THREADS, sizeof(int32_t), stream, a);
}

int lv_cuda_step_rows(LvCudaStream stream, const LvCudaStepRows *args)
{
    if (args->rows > LV_CUDA_STEP_ROWS || !args->mail || !args->state)
        return LV_CUDA_BAD_ARGUMENT;
    if (args->type == LV_F32)
        return launch<float>(stream, *args);
    return args->type == LV_BF16 ? launch<LvBf16>(stream, *args) : LV_CUDA_BAD_ARGUMENT;
}
