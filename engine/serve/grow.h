/* SPDX-License-Identifier: Apache-2.0
 * The slices of prefill on arrival (arrival.h): a frame of a prompt that is expected, when there is nothing
 * else to do. */
#ifndef LV_GROW_H
#define LV_GROW_H

#include "serve/engine.h"

/* Computes a frame of some session's next prompt; false: there is none that may be. Lock held,
 * dropped meanwhile; the inference thread. */
bool lv_grow_step(LlavaovEngine *engine);

#endif
