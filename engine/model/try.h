/* SPDX-License-Identifier: Apache-2.0
 * Keeps chains of operations readable: the first failure ends the chain. */
#ifndef LV_TRY_H
#define LV_TRY_H

/* Evaluates a LlavaovStatus; when it is a failure, sets `status` and goes to `done`. */
#define LV_TRY(expression)                                                                         \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != LLAVAOV_OK)                                                                  \
            goto done;                                                                             \
    } while (0)

#endif
