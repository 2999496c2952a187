/* SPDX-License-Identifier: Apache-2.0
 * One thread per engine computes for all sessions, in slices: an encoder call of up to
 * preferred_tiles tiles, the start of a request, a prefill chunk, or a decoding step. After every
 * slice the session that has used the least computing time goes next, so that a short question need
 * not wait for the end of a long answer; a session that comes back from idling is set to the
 * present share, so it saves nothing up. No request waits while more than as many others are
 * answered as there are sessions: one that has been overtaken twice goes first. Inside a session
 * frames that are encoded on arrival and the request at its head share the time in the same way.
 *
 * docs/architecture.md says how batches over sessions, several prompts on one prefix and several
 * devices fit in. */
#ifndef LV_SCHEDULER_H
#define LV_SCHEDULER_H

#include "serve/request.h"

/* The inference thread. */
void *lv_scheduler_main(void *engine);

/* To be called when a frame's cancel flag was raised. Lock held. */
void lv_scheduler_notice_cancel(LlavaovEngine *engine);

#endif
