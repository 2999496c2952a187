/* SPDX-License-Identifier: Apache-2.0
 * Running token sequences behind what a request's cache holds, all from one place. */
#ifndef LV_WAYS_H
#define LV_WAYS_H

#include "choices/trie.h"
#include "serve/request.h"

/* One pass over the model: ways of the trie from node *next on, as many as it takes at once, behind
 * the n_cached tokens of the request's cache, of which those after them are undefined then; *next is
 * the first that is left, trie->n: none. The cache has room for trie->depth more. */
LlavaovStatus lv_ways_run(LlavaovTicket *request, LvTrie *trie, size_t *next, const LvRun *run);

LlavaovStatus lv_logits_not_finite(LlavaovError *error);

#endif
