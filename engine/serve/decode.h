/* SPDX-License-Identifier: Apache-2.0
 * One token more for several requests, of any sessions, in one pass over the weights. */
#ifndef LV_DECODE_H
#define LV_DECODE_H

#include "serve/request.h"

/* A decoding step of n >= 1 requests that all are in that state. Each gets the token that it would
 * get alone, or several where earlier answers gave drafts of them (verify.h), as far as the backend's rows do not depend on their number (LvBackendInfo), and its
 * share of the time. alone: there is no other work, so the device may go ahead with the next step.
 *
 * What fails for one request (numbers that are not finite, memory for its text) ends that one; a
 * failing operation of the backend ends all with its error. When the slice's cancel flag is raised
 * the pass is given up and none has advanced: it is repeated for whom is left. Lock not held; run
 * by the inference thread. */
void lv_decode_step(LlavaovEngine *engine, LvStep *steps, size_t n, bool alone);

#endif
