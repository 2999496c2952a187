/* SPDX-License-Identifier: Apache-2.0
 * What the threads of one engine share.
 *
 * Three threads serve every session of an engine:
 *   inference   executes slices of work on the backend, one at a time (scheduler.h)
 *   pictures    maps callers' frames and makes tiles of them, if the backend does not (pictures.h)
 *   events      runs callbacks, so that a slow one holds up no computation (event.h)
 *
 * One lock protects all state of the engine, its sessions, frames and requests, unless a member
 * says otherwise. It is held for list operations alone: never during a backend operation, a resize,
 * a callback or a large allocation. */
#ifndef LV_ENGINE_H
#define LV_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "model/model.h"
#include "remote/remote.h"
#include "schema/token_trie.h"
#include "serve/admission.h"
#include "serve/list.h"
#include "text/tokenizer.h"

#define LV_ENGINE_THREADS 3

/* The largest number of tiles in one encoder call. */
#define LV_MAX_SLICE_TILES 64

/* The largest number of requests in one decoding step. */
#define LV_MAX_SLICE_REQUESTS 64

/* A frame's part of an encoder call. */
typedef struct LvSlicePart {
    LlavaovFrame *frame;  /* pinned; its session may close meanwhile */
    bool arrival;         /* its session's time for frames on arrival pays, not that for requests */
    uint32_t n_tiles;     /* its next ones, all that is left unless it is a single image */
    size_t first;         /* of the call's tiles of its kind, pooled or not */
    LlavaovStatus status; /* its own failure */
} LvSlicePart;

/* What the inference thread is at. */
typedef struct LvSlice {
    LvSlicePart parts[LV_MAX_SLICE_TILES]; /* being encoded, of any sessions */
    size_t n_parts;
    uint32_t n_tiles; /* of all parts */
    /* Raised when nobody wants any of the frames, or when one of the requests of a decoding step is
     * cancelled. */
    LvCancel cancel;
    bool decoded;     /* the slice before was a decoding step (policy.c) */
    unsigned prompts; /* slices of prompts since the encoder call before (policy.c) */
} LvSlice;

struct LlavaovEngine {
    atomic_uint refs;

    /* Immutable after opening. */
    LvCheckpoint *checkpoint;
    LvTokenizer *tokenizer;
    LlavaovChatTemplate *chat_template; /* the checkpoint's own; NULL: template_error says why */
    LlavaovError template_error;
    LvBackend *backend;
    LvModel *model;
    LvRemote *remote; /* what computes instead (remote.h); NULL: the backend does */
    LlavaovResize resize;
    LlavaovEngineInfo info;
    char *path, *name;
    char told[256], detail[800]; /* of the cache of quantised weights; the whole line then */
    int32_t *stop_tokens;        /* of answers without rules of their own */
    uint32_t n_stop_tokens;

    pthread_mutex_t trie_lock; /* of: */
    LvTokenTrie *token_trie;   /* immutable once made; NULL: nothing needed it yet */

    pthread_mutex_t lock;
    pthread_cond_t work;     /* the inference thread waits */
    pthread_cond_t pictures; /* the picture thread waits */
    pthread_cond_t events;   /* the event thread waits */
    pthread_cond_t idle;     /* closing sessions wait */
    pthread_t threads[LV_ENGINE_THREADS];
    size_t n_threads;
    bool stopping;

    LvList sessions;      /* LlavaovSession.in_engine */
    LvList active;        /* those that may have work for the inference thread (in_active) */
    LvList with_events;   /* those with callbacks to run (in_events) */
    LvList with_pictures; /* those whose pictures wait, by turn (in_pictures) */
    LvList kept;          /* encoded contents with pixels (in_kept), last shown last */
    uint64_t kept_bytes;  /* theirs */
    LvSlice slice;        /* scheduler.c */
    float *logits;        /* the inference thread's, [vocab_size] (answer.c) */
    LlavaovEngineStats stats;
    uint64_t virtual_time; /* of the session that ran last (policy.c) */
    LvAdmission admission; /* windows of live streams that were taken on */
};

/* Adds a reference; the lock may be held. */
LlavaovEngine *lv_engine_keep(LlavaovEngine *engine);

#endif
