/* SPDX-License-Identifier: Apache-2.0
 * Encoder slices: prepared frames become embeddings. */
#ifndef LV_ENCODE_H
#define LV_ENCODE_H

#include "serve/scheduler.h"

/* Fills the slice with frames to encode together: those that `request` lacks, or (request NULL)
 * those that wait in the session for being encoded on arrival. They are pinned and taken off their
 * queues. Lock held. */
void lv_encode_collect(
    LlavaovEngine *engine, LvSlice *slice, LlavaovSession *session, LlavaovTicket *request);

/* Encodes them and settles each frame's fate: encoded, failed, or prepared again (a single image
 * with tiles left). Lock held, dropped meanwhile; on return the slice holds no frames. */
void lv_encode_run(LlavaovEngine *engine, LvSlice *slice);

#endif
