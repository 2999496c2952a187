/* SPDX-License-Identifier: Apache-2.0
 * The policy of the scheduler: fair shares of computing time between sessions, and inside each.
 *
 * The session that has used the least time goes next, so that a short question need not wait for
 * the end of a long answer; a session that comes back from idling is set to the present share, so
 * it saves nothing up. No request waits while more than as many others are answered as there are
 * sessions: one that has been overtaken twice goes first. Where slices are bounded (chunk.h) that
 * ends with its prompt: its answer has a step after every short slice, and the others go on. Inside
 * a session frames that are encoded on arrival and the request at its head share the time in the
 * same way. Frames for an encoder call that would not be full let a few slices of prompts go
 * before, so that more come together.
 *
 * While windows of live streams are refused (admission.h: there is more than the engine can do),
 * requests that were started go on, and as many others are started as keep the device busy; frames
 * on arrival are encoded when there is nothing else to do, or room in large calls. A reserved window
 * that is too late ends with ERROR_LATE before its frames are encoded.
 *
 * When the next one is to decode, all sessions that are to decode go along, and when it is to
 * encode, all that are to encode; who goes first is unchanged by who comes along. A slice of any
 * other kind is followed by one of decoding: so nothing that arrives delays a decoding step by more
 * than one slice, which is short then (chunk.h). */
#ifndef LV_POLICY_H
#define LV_POLICY_H

#include "serve/request.h"

typedef enum LvSliceKind {
    LV_SLICE_NONE,    /* there is nothing to do */
    LV_SLICE_ENCODE,  /* frames of all sessions, as many as an encoder call takes (encode.h) */
    LV_SLICE_PREFILL, /* lv_request_step of requests[0] */
    LV_SLICE_DECODE   /* lv_decode_step of all requests */
} LvSliceKind;

typedef struct LvNextSlice {
    LvSliceKind kind;
    size_t n;
    bool alone;   /* nobody else has anything to do now */
    bool bounded; /* not DECODE: a decoding step waits for the end of this slice (chunk.h) */
    size_t more_sessions; /* ENCODE: that have frames to encode, but no place here */
    LlavaovSession *sessions[LV_MAX_SLICE_REQUESTS];
    /* The sessions' own, in order. ENCODE: the request lacks the frames; NULL: they are encoded on
     * arrival. */
    LlavaovTicket *requests[LV_MAX_SLICE_REQUESTS];
} LvNextSlice;

/* Requests whose frames failed are finished on the way. All: lock held, inference thread. */
void lv_policy_next(LlavaovEngine *engine, LvNextSlice *next);

/* Finishes the requests at the head of the session's line whose frames failed, and those that are
 * too late. Lock held. */
void lv_policy_give_up(LlavaovSession *session);

/* The session used so much for so many units of work, of frames on arrival or of its request. */
void lv_policy_charge(
    LlavaovSession *session, bool arrival, LvWork work, double units, uint64_t used_ns);

/* Some of the steps are finished, but their requests still on their sessions' lists: requests that
 * were not and could have gone on were overtaken. */
void lv_policy_note_answers(LlavaovEngine *engine, const LvStep *steps, size_t n);

#endif
