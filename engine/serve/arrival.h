/* SPDX-License-Identifier: Apache-2.0
 * Prefill on arrival: while a window is open and the device has nothing else to do, the beginning of
 * its prompt (the template's head, the system prompt, then frames as they are encoded) is computed
 * frame by frame, so that only the rest is left when the question comes.
 *
 * Nobody says what the next prompt will be: it is expected to begin like the session's last one, with
 * as many frames, the oldest that came after those of that one. When it does not, what was computed
 * is dropped, and the next few windows are left alone. So are sessions whose windows overlap, and
 * devices that are past their capacity. Prompts of one clip are cut at their frames in any case
 * (lv_arrival_pass), so that whether they were computed early changes no bit.
 *
 * A session's; of the inference thread, but for what says otherwise. */
#ifndef LV_ARRIVAL_H
#define LV_ARRIVAL_H

#include "serve/prefix.h"

/* How a prompt of one clip is cut: its passes end with the first frame and with each one after it. */
typedef struct LvFrameCuts {
    uint32_t first, each; /* rows; each 0: it is not cut */
} LvFrameCuts;

typedef struct LvArrival {
    LlavaovPrefill mode;
    /* What is expected, and how far it has come. */
    int32_t *ids; /* [n], owned */
    uint32_t n, n_frames;
    LvFrameCuts cuts;
    int32_t image_token, video_token;
    uint64_t after; /* serial number of the last request's last frame */
    LvPrefix *prefix;
    uint64_t serials[LV_MAX_EARLY_FRAMES]; /* of the frames in it */
    uint32_t n_grown;
    uint64_t used_ns;
    unsigned misses, skip; /* in a row; windows that are left alone */
    bool growing;          /* of the engine's lock: the slice's cancel flag is for this */
} LvArrival;

void lv_arrival_close(LvArrival *arrival);

/* Rows of the pass that begins at `done`: not beyond a cut, nor more than `most` (0: any). */
size_t lv_arrival_pass(LvFrameCuts cuts, size_t done, size_t left, size_t most);

/* The prefix of a request that begins, as far as it was computed early; NULL: it was not. The session
 * expects the next one to be like it. */
LvPrefix *lv_arrival_take(LlavaovTicket *request, LvFrameCuts cuts, uint32_t n);

/* What was computed is of no use: it is dropped, and the next windows are left alone. */
void lv_arrival_miss(LvArrival *arrival);

#endif
