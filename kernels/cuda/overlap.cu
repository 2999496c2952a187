/* SPDX-License-Identifier: Apache-2.0
 * Whether kernels can begin before the one ahead of them is done. */
#include "launcher.h"

struct Answer {
    int32_t *waits;
    int32_t value;
    int32_t overlap;
};

LV_KERNEL(LV_WARP) answer(const Answer a)
{
    lv_let_next_start();
    lv_wait_previous();
    if (threadIdx.x == 0)
        *a.waits = a.value && lv_waits();
}

int lv_cuda_waits(LvCudaStream stream, int32_t *waits)
{
    const Answer no = {waits, 0, 0}, yes = {waits, 1, 1};
    int result = lv_launch_overlapped(answer, 1, 1, 1, LV_WARP, 0, stream, no);
    return result ? result : lv_launch_overlapped(answer, 1, 1, 1, LV_WARP, 0, stream, yes);
}
