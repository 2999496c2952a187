/* SPDX-License-Identifier: Apache-2.0
 * One thread per engine computes for all sessions, in slices: an encoder call of up to
 * preferred_tiles tiles, the start of a request, a prefill chunk, or a decoding step of up to
 * preferred_sequences requests. After every slice policy.h says what goes next
 * (docs/scheduling.md). */
#ifndef LV_SCHEDULER_H
#define LV_SCHEDULER_H

#include "serve/request.h"

/* One slice. False: there is nothing to do. Lock held, dropped meanwhile; the inference thread. */
bool lv_scheduler_step(LlavaovEngine *engine);

/* The inference thread. */
void *lv_scheduler_main(void *engine);

#endif
