/* SPDX-License-Identifier: Apache-2.0
 * A flag that one thread raises and long operations poll (at least every 20 ms of work). */
#ifndef LV_CANCEL_H
#define LV_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

typedef struct LvCancel {
    atomic_bool requested;
} LvCancel;

static inline void lv_cancel_request(LvCancel *cancel)
{
    atomic_store_explicit(&cancel->requested, true, memory_order_relaxed);
}

/* cancel may be NULL: never cancelled. */
static inline bool lv_cancelled(const LvCancel *cancel)
{
    return cancel && atomic_load_explicit(&((LvCancel *)cancel)->requested, memory_order_relaxed);
}

#endif
