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
#include "serve/prefix.h"
#include "serve/question.h"

/* What the questions of one request have in common; a request without several has one. Of the
 * engine's lock, but for what is the inference thread's. */
typedef struct LvCommon {
    atomic_uint refs; /* of questions that are not freed */
    size_t n_questions;
    LvList unfinished; /* LlavaovTicket.in_common */
    size_t n_unfinished;
    bool started;       /* frames were encoded for it, or a prompt was begun */
    bool answered;      /* not all of its questions were cancelled or late */
    bool succeeded;     /* one had an answer */
    unsigned overtaken; /* by requests of other sessions that were answered while it could go on */
    LlavaovReservation *reservation; /* or NULL; owned */
    double rows, tokens;             /* computed so far */
    LvPrefix *prefix; /* a reference, or NULL; the inference thread's while any is unfinished */
} LvCommon;

/* One question, from its prompt to its answer. */
struct LlavaovTicket {
    LlavaovEngine *engine;   /* a reference */
    LlavaovSession *session; /* NULL once on_done has run */
    unsigned refs;           /* the caller's ticket and the session's queue */
    LvLink in_session;
    LvCommon *common; /* a reference */
    LvLink in_common;
    LvCancel cancel;
    bool running;       /* the inference thread is at work on it */
    LvRemoteCall *call; /* remote.c; or NULL */
    size_t asked_node;  /* of the tree of its choices: what the call is about */
    bool done;          /* the answer is complete; on_done follows or has run */
    LvEvent text_event, done_event;

    /* Copied from LlavaovRequest. */
    LlavaovChatTemplate *chat_template; /* a reference */
    LvQuestion question;                /* with references to its frames */
    bool keeps_history;                 /* LlavaovRequest.keep_history */
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
    LvRendered rendered; /* of one that keeps its history */
    LvTensor *pieces;    /* the frames' embeddings and each clip's newline */
    LvPrompt input;
    LvPrefix *prefix;  /* a reference: where its prompt begins; NULL: it shares nothing */
    uint32_t n_shared; /* of the prefix's ids: all, but with a history */
    LvKvCache *cache;  /* a fork of the prefix's, once that is complete; NULL before */
    uint32_t capacity; /* tokens of prompt and answer */
    uint32_t spare;    /* room in the cache behind them, for ways */
    uint32_t n_cached;
    uint64_t draft_key; /* drafts.h */
    LvFrameCuts cuts;
    LvSampler sampler;
    int32_t *tokens; /* the answer's */
    uint32_t n_tokens;
    uint32_t n_said; /* without the stop token */
    LvUtf8Stream utf8;
    char *text; /* the answer's, NUL-terminated once done */
    size_t n_text, text_capacity;

    /* Text that on_text has not seen: handed over whole. */
    char *pending;
    size_t n_pending, pending_capacity;

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
    uint32_t rows; /* of prompts that were computed */
    /* The answer is complete, for better or worse: status and error tell, lv_request_finish is due.
     */
    bool finished;
    LlavaovStatus status;
    LlavaovError error;
} LvStep;

/* What it does next, in the order of a question's life. */
typedef enum LvStage {
    LV_STAGE_BEGIN,  /* ids, memory */
    LV_STAGE_PREFIX, /* a chunk of the prefix, for all that share it */
    LV_STAGE_FORK,   /* its cache, behind the prefix */
    LV_STAGE_PROMPT, /* a chunk of its own prompt */
    LV_STAGE_SHORT, /* all that is left of that, in a pass with others of its request (LV_SHORT_ROWS) */
    LV_STAGE_WAYS,  /* a pass over labels, or over listed values of a JSON answer (ways.h) */
    LV_STAGE_DECODE /* a step of decoding (decode.h), which one with choices has none of */
} LvStage;
/* Of the inference thread. */
LvStage lv_request_stage(const LlavaovTicket *request);
/* Rows of its prompt that are not computed, once it has a cache. */
size_t lv_request_rows_left(const LlavaovTicket *request);

/* The next step of questions of one request that are at the same stage, not DECODE: at BEGIN and FORK
 * any number; at SHORT, too, all with choices or none; otherwise one. Where a request has one question
 * its prefix and what is behind it are one slice if they fit one. The last rows of a prompt give the
 * first token. Lock not held; run by the inference thread alone. */
void lv_request_step(LvStep *steps, size_t n, bool bounded);

/* Drops a reference; NULL is allowed. Lock not held. */
void lv_common_drop(LvCommon *common);

/* LvEvent.deliver of a question's events. */
void lv_request_deliver_text(LlavaovSession *session, LvEvent *event);
void lv_request_deliver_done(LlavaovSession *session, LvEvent *event);

/* Frees everything but frames, which need the lock. Lock not held; nobody else has it. */
void lv_request_free(LlavaovTicket *request);

/* Completes the answer and queues on_done. Lock held; not while the inference thread is at work on
 * it. */
void lv_request_finish(LlavaovTicket *request, LlavaovStatus status, const LlavaovError *error);

/* Raises the cancel flag; finishes it at once unless the inference thread is at work on it, which
 * will then. Lock held. */
void lv_request_cancel(LlavaovTicket *request);

#endif
