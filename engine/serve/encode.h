/* SPDX-License-Identifier: Apache-2.0
 * Encoder slices: prepared frames of any sessions become embeddings, in one call.
 *
 * A call takes up to lv_chunk_most_tiles() tiles, few of them while somebody waits to decode (chunk.h):
 * first what waits in the session whose turn it is, then
 * one frame of each other session in turn, those first that have used the least time. A session's
 * frames keep their order. Each session pays for its tiles.
 *
 * A call is not given up for a frame that is cancelled: it goes on for the others, and that frame's
 * result is discarded at its end. Nobody waits for that: the frame fails at once, and its session
 * may close meanwhile. A call whose frames are all cancelled is stopped. */
#ifndef LV_ENCODE_H
#define LV_ENCODE_H

#include "serve/policy.h"

/* An encoder call, which the policy chose. Settles each frame's fate: encoded, failed, or prepared again (a
 * single image with tiles left). Memory that one frame does not get fails that frame; whatever else
 * fails fails all of the call. Lock held, dropped meanwhile; inference thread. */
void lv_encode_run(LlavaovEngine *engine, const LvNextSlice *next);

#endif
