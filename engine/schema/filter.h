/* SPDX-License-Identifier: Apache-2.0
 * The tokens that a schema allows next: those whose bytes go on with the document, and behind which
 * it can still be closed with the tokens that are left. One filter belongs to one request; not
 * thread-safe. */
#ifndef LV_JSON_FILTER_H
#define LV_JSON_FILTER_H

#include "model/token_filter.h"
#include "schema/token_trie.h"
#include "schema/walk.h"

typedef struct LvClosing LvClosing;

typedef struct LvJsonFilter {
    LvTokenFilter filter; /* what the sampler sees */
    const LvProgram *program;
    const LvTokenTrie *trie;
    LlavaovIds stop; /* may follow a complete document */
    LvWalk walk;
    uint32_t left;  /* tokens that may still be chosen */
    bool ended;     /* the document is complete and closed */
    bool stopped;   /* ... by a stop token, which is no part of it */
    bool truncated; /* LlavaovAnswer.truncated */
    bool late;      /* a likelier token than those tried since would not have closed in time */
    LvWalk *walks;  /* [trie->depth + 1] */
    /* Tokens that are allowed, but not as many plain ones as are allowed by their number alone; what
     * they scored. [trie->n_vocab] */
    int32_t *kept;
    float *scores;
    uint32_t n_kept;
    LvClosing *closing;
    /* Called before the walk takes a token; may be NULL. */
    void (*before)(void *data, const struct LvJsonFilter *filter, int32_t token);
    void *data;
} LvJsonFilter;

/* program, trie and the stop tokens' ids must outlive the filter. Error: MEMORY. */
LlavaovStatus lv_json_filter_open(LvJsonFilter *filter, const LvProgram *program,
    const LvTokenTrie *trie, LlavaovIds stop, LlavaovError *error);
void lv_json_filter_close(LvJsonFilter *filter);

/* Fewest tokens of a document; UINT32_MAX without memory. */
uint32_t lv_json_filter_least(LvJsonFilter *filter);

/* The bytes that the document goes on with whatever the model says, at most `most`; returns how
 * many. *all: they are the rest of the document. */
size_t lv_json_filter_forced(const LvJsonFilter *filter, char *bytes, size_t most, bool *all);

/* Begins a document of at most `tokens` >= lv_json_filter_least. */
void lv_json_filter_start(LvJsonFilter *filter, uint32_t tokens);

#endif
