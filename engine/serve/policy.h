/* SPDX-License-Identifier: Apache-2.0
 * Whose turn it is: fair shares of computing time between sessions, and inside each.
 *
 * The session that has used the least time goes next, so that a short question need not wait for
 * the end of a long answer; a session that comes back from idling is set to the present share, so
 * it saves nothing up. No request waits while more than as many others are answered as there are
 * sessions: one that has been overtaken twice goes first. Where slices are bounded (slice.h) that
 * ends with its prompt: its answer has a step after every short slice, and the others go on. Inside
 * a session frames that are encoded on arrival and the request at its head share the time in the
 * same way. Frames for an encoder call that would not be full let a few slices of prompts go
 * before, so that more come together.
 *
 * When frames on arrival come faster than they are encoded, so that reserved windows close before
 * (an engine that lags), frames are encoded for requests alone; requests that were started go on,
 * and as many others are started as keep the device busy: what is computed is answered. A reserved
 * window that is too late by then ends with ERROR_LATE before its frames are encoded.
 *
 * When the next one is to decode, all sessions that are to decode go along, and when it is to
 * encode, all that are to encode; who goes first is unchanged by who comes along. A slice of any
 * other kind is followed by one of decoding: so nothing that arrives delays a decoding step by more
 * than one slice, which is short then (slice.h). */
#ifndef LV_TURN_H
#define LV_TURN_H

#include "serve/request.h"

typedef enum LvTurnKind {
    LV_TURN_NONE,    /* there is nothing to do */
    LV_TURN_ENCODE,  /* frames of all sessions, as many as an encoder call takes (encode.h) */
    LV_TURN_PREFILL, /* lv_request_step of requests[0] */
    LV_TURN_DECODE   /* lv_decode_step of all requests */
} LvTurnKind;

typedef struct LvTurn {
    LvTurnKind kind;
    size_t n;
    bool alone;   /* nobody else has anything to do now */
    bool bounded; /* not DECODE: a decoding step waits for the end of this slice (slice.h) */
    size_t more_sessions; /* ENCODE: that have frames to encode, but no place here */
    LlavaovSession *sessions[LV_MAX_SLICE_REQUESTS];
    /* The sessions' own, in order. ENCODE: the request lacks the frames; NULL: they are encoded on
     * arrival. */
    LlavaovTicket *requests[LV_MAX_SLICE_REQUESTS];
} LvTurn;

/* Requests whose frames failed are finished on the way. All: lock held, inference thread. */
void lv_turn_next(LlavaovEngine *engine, LvTurn *turn);

/* The session used so much for so many units of work, of frames on arrival or of its request. */
void lv_turn_charge(
    LlavaovSession *session, bool arrival, LvWork work, double units, uint64_t used_ns);

/* Some of the steps are finished, but their requests still on their sessions' lists: requests that
 * were not and could have gone on were overtaken. */
void lv_turn_note_answers(LlavaovEngine *engine, const LvStep *steps, size_t n);

#endif
