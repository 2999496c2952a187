/* SPDX-License-Identifier: Apache-2.0
 * A request with choices: the prompt's last row gives the probabilities of the labels' first tokens,
 * and what labels have beyond those is run behind the prompt, many labels in one pass. */
#ifndef LV_CHOOSE_H
#define LV_CHOOSE_H

#include "serve/engine.h"

struct LvStep;

typedef struct LvChoosing LvChoosing;

/* Reads what a caller asked for. Errors: those of llavaov_choices_check, MEMORY. */
LlavaovStatus lv_choosing_open(const LlavaovEngine *engine, const LlavaovChoices *asked,
    LvChoosing **choosing, LlavaovError *error);
/* NULL is allowed. */
void lv_choosing_free(LvChoosing *choosing);
/* The prompt with the hint, a new text (lv_free); *hinted NULL: none was asked for. */
LlavaovStatus lv_choosing_hint(
    const LvChoosing *choosing, const char *prompt, char **hinted, LlavaovError *error);
/* Tokens that the cache has to hold behind the prompt. */
uint32_t lv_choosing_depth(const LvChoosing *choosing);

/* The tree of its tokens. */
struct LvTrie *lv_choosing_trie(LvChoosing *choosing);
/* All inner nodes of the tree are known: the request's answer. */
LlavaovStatus lv_choose_conclude(LlavaovTicket *request, LlavaovError *error);

/* The last rows of prompts, as lv_answers_extend: a step is finished where no label has a second
 * token that counts. */
LlavaovStatus lv_choose_first(
    struct LvStep *steps, const LvRun *run, LvTensor hidden, const LvBatch *batch);
/* After that: one pass over some of the labels' other tokens. */
LlavaovStatus lv_choose_next(struct LvStep *step, const LvRun *run);

#endif
