/* SPDX-License-Identifier: Apache-2.0
 * From logits to tokens, greedy, one block per row; draw.cu has sampling. */
#include "best.h"
#include "launcher.h"
#include "post.h"

#define THREADS 512u

LV_INLINE int32_t token_of(const LvCudaBest &best)
{
    return best.not_finite ? -1 : (int32_t)best.id; /* none: -1 as well */
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
    own = lv_best_of_block<THREADS / LV_WARP>(own, (LvCudaBest *)lv_shared());
    if (threadIdx.x == 0)
        lv_post_token(a.token, blockIdx.x, token_of(own), a.post);
}

int lv_cuda_argmax(LvCudaStream stream, const LvCudaArgmax *args)
{
    const size_t shared = 32 * sizeof(LvCudaBest);
    if (args->cols > INT32_MAX)
        return LV_CUDA_BAD_ARGUMENT;
    if (args->type == LV_F32)
        return lv_launch(argmax<float>, args->rows, 1, 1, THREADS, shared, stream, *args);
    if (args->type == LV_BF16)
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
    own = lv_best_of_block<THREADS / LV_WARP>(own, (LvCudaBest *)lv_shared());
    if (threadIdx.x == 0)
        lv_post_token(a.token, blockIdx.x, token_of(own), a.post);
}

int lv_cuda_best_of(LvCudaStream stream, const LvCudaBestOf *args)
{
    return lv_launch_overlapped(
        best_of, args->rows, 1, 1, THREADS, 32 * sizeof(LvCudaBest), stream, *args);
}
