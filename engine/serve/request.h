/* SPDX-License-Identifier: Apache-2.0
 * One question: from its prompt to the answer, in steps that the scheduler interleaves with other
 * sessions' work or takes together with theirs. */
#ifndef LV_REQUEST_H
#define LV_REQUEST_H

#include "model/decoder.h"
#include "model/sampler.h"
#include "serve/choose.h"
#include "schema/filter.h"
#include "serve/frame.h"
#include "serve/json_values.h"
#include "serve/question.h"

struct LlavaovTicket {
    LlavaovEngine *engine;   /* a reference */
    LlavaovSession *session; /* NULL once on_done has run */
    unsigned refs;           /* the caller's ticket and the session's queue */
    LvLink in_session;
    LvCancel cancel;
    bool running; /* the inference thread is at work on it */
    bool started; /* ... or was: frames were encoded for it, or its prompt was begun */
    bool done;    /* the answer is complete; on_done follows or has run */
    LvEvent text_event, done_event;

    /* Copied from LlavaovRequest. */
    LlavaovChatTemplate *chat_template; /* a reference */
    LvQuestion question;                /* with references to its frames */
    size_t n_encoded;                   /* of the first frames: known to be encoded */
    LlavaovGeneration generation;       /* settled */
    LlavaovRules *rules; /* a copy of the caller's; NULL: none, or the checkpoint's */
    LlavaovIds stop;
    LvChoosing *choosing; /* NULL: the answer is free text, and the two above count; owned */
    LlavaovJsonSchema *json_schema; /* a reference, or NULL */
    LvJsonFilter *json;             /* its filter (json_answer.h) */
    LvJsonValues json_values;       /* of its listed values */
    bool ways_due;                  /* ... some have to be run before the next token */
    bool complete;                  /* the last token is there */
    void (*on_text)(void *data, const char *text, size_t bytes);
    void (*on_done)(void *data, const LlavaovAnswer *answer);
    void *data;

    /* Generation; belongs to the inference thread while running. */
    bool begun;
    LvTokens prompt_ids;
    LvTensor *pieces; /* the frames' embeddings and each clip's newline */
    LvPrompt input;
    LvKvCache *cache;
    uint32_t capacity; /* tokens of prompt and answer */
    uint32_t spare;    /* room in the cache behind them, for ways */
    uint32_t n_cached;
    LvSampler sampler;
    int32_t *tokens; /* the answer's */
    uint32_t n_tokens;
    LvUtf8Stream utf8;
    char *text; /* the answer's, NUL-terminated once done */
    size_t n_text, text_capacity;

    /* Text that on_text has not seen: handed over whole. */
    char *pending;
    size_t n_pending, pending_capacity;

    LlavaovReservation *reservation; /* or NULL; owned */
    unsigned overtaken; /* by requests of other sessions that were answered while it could go on */
    uint64_t asked_ns;
    LlavaovAnswer answer;
};

/* What a request waits for. Lock held. */
typedef enum LvRequestNeed {
    LV_REQUEST_STEP,   /* lv_request_step */
    LV_REQUEST_ENCODE, /* its first frame that is not encoded is prepared */
    LV_REQUEST_FRAMES, /* a frame is still in other hands */
    LV_REQUEST_FAILED  /* one of its frames failed: lv_request_finish with *error */
} LvRequestNeed;
LvRequestNeed lv_request_need(LlavaovTicket *request, const LlavaovError **error);

/* One request's part of a slice, which begins as {request}. */
typedef struct LvStep {
    LlavaovTicket *request;
    /* The answer is complete, for better or worse: status and error tell, lv_request_finish is due.
     */
    bool finished;
    LlavaovStatus status;
    LlavaovError error;
} LvStep;

/* Its prompt is through and its next step is one of decoding (decode.h), which a request with choices
 * has none of, and where no ways are due. Of the inference thread. */
static inline bool lv_request_decoding(const LlavaovTicket *request)
{
    return request->begun && request->n_cached >= request->input.n && !request->choosing &&
           !request->ways_due;
}

/* The start (tokenising, allocation) or a prefill chunk (chunk.h), the last of which gives the
 * first token; with choices, a pass over labels after that. Lock not held; run by the inference thread alone. */
void lv_request_step(LvStep *step, bool bounded);

/* Completes the answer and queues on_done. Lock held; not while the inference thread is at work on
 * it. */
void lv_request_finish(LlavaovTicket *request, LlavaovStatus status, const LlavaovError *error);

/* Raises the cancel flag; finishes it at once unless the inference thread is at work on it, which
 * will then. Lock held. */
void lv_request_cancel(LlavaovTicket *request);

#endif
