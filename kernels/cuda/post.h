/* SPDX-License-Identifier: Apache-2.0
 * A step's tokens on their way to the host. */
#ifndef LV_CUDA_POST_H
#define LV_CUDA_POST_H

#include "device.h"

/* Of one row, by one thread of a kernel that comes after the step's first. */
LV_INLINE void lv_post_token(int32_t *tokens, size_t row, int32_t token, const LvCudaPost &post)
{
    tokens[row] = token;
    if (post.mail)
        *(volatile int32_t *)&post.mail->tokens[(post.state->n_begun - 1) % 2][row] = token;
}

#endif
