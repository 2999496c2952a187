/* SPDX-License-Identifier: Apache-2.0
 * What the model makes of the listed values of a JSON answer, as it grows. Of one request; not
 * thread-safe. */
#ifndef LV_JSON_VALUES_H
#define LV_JSON_VALUES_H

#include "choices/trie.h"
#include "schema/filter.h"

typedef struct LvListedValue LvListedValue;

typedef struct LvJsonValues {
    const LvTokenizer *tokenizer;
    uint32_t n_vocab;     /* the model's */
    LvListedValue **list; /* owned */
    size_t n, capacity;
    size_t n_known;       /* of the first ones all is known */
    size_t n_bytes;       /* of the document */
    LlavaovStatus status; /* MEMORY: some are lost */
    /* The result. */
    const LlavaovJsonValue **given;
} LvJsonValues;

/* Connects the two: from the filter's next token on, values are taken down. */
void lv_json_values_open(
    LvJsonValues *values, LvJsonFilter *filter, const LvTokenizer *tokenizer, uint32_t n_vocab);
void lv_json_values_close(LvJsonValues *values);

/* The trie and its next way of a value whose ways have to be run behind the tokens before the last
 * one; NULL: there is none. */
LvTrie *lv_json_values_due(LvJsonValues *values, size_t **next);
/* The ways of that value have been run, or cannot be. */
void lv_json_values_done(LvJsonValues *values, bool run);

/* Completes the results for the whole document. False: no memory. */
bool lv_json_values_finish(LvJsonValues *values, const char *document, size_t bytes);

#endif
