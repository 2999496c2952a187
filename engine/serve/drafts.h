/* SPDX-License-Identifier: Apache-2.0
 * What a session's earlier answers say about how the one under way goes on. A draft is a guess that
 * costs rows of a decoding step and is worth steps where it is right; it never decides on a token
 * (verify.h).
 *
 * Of each question its latest answers are kept. The draft is what stood in them behind the longest
 * piece that the answer under way ends with; its beginning counts as a piece, too.
 *
 * Rows are spent on credit: each question begins with one row, a step earns a few hundredths of a
 * row, a row that was right earns one, and one that was wrong costs one. So drafts grow from one row
 * to the most in a few steps where answers repeat, and where they do not, rows computed in vain stay
 * below a fixed share of the steps and what drafts have won. All of it is counted, nothing timed.
 *
 * A store belongs to a session, and to the inference thread. */
#ifndef LV_DRAFTS_H
#define LV_DRAFTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

typedef struct LvDraftQuestion LvDraftQuestion;

typedef struct LvDrafts {
    LvDraftQuestion *questions[LV_MAX_DRAFT_QUESTIONS]; /* the one asked last first */
    size_t n;
} LvDrafts;

void lv_drafts_close(LvDrafts *drafts);

/* Names the question of a prompt, whatever its number of frames: placeholders are left out. Two that
 * share a name would only draft badly. */
uint64_t lv_drafts_key(const int32_t *prompt, size_t n, int32_t image_token, int32_t video_token);

/* Makes room for the question, if there is none and memory for it. */
void lv_drafts_begin(LvDrafts *drafts, uint64_t key);

/* Rows that the question has credit for. */
size_t lv_drafts_credit(const LvDrafts *drafts, uint64_t key);

/* What may follow the n >= 1 tokens of the answer: at most `most` tokens, as many as there is credit
 * for; returns how many. */
size_t lv_drafts_propose(const LvDrafts *drafts, uint64_t key, const int32_t *answer, size_t n,
    size_t most, int32_t *draft);

/* A step of the question's answer drafted so many tokens, of which the first ones were right; 0 and
 * 0: it had none. */
void lv_drafts_judge(LvDrafts *drafts, uint64_t key, size_t drafted, size_t accepted);

/* The question was answered. Without memory nothing is kept. */
void lv_drafts_keep(LvDrafts *drafts, uint64_t key, const int32_t *answer, size_t n);

#endif
