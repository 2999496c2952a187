/* SPDX-License-Identifier: Apache-2.0
 * A step of decoding that may add several tokens to an answer: what a draft guesses (drafts.h) runs
 * through the decoder behind the last token, and as far as the tokens that are chosen from these
 * rows are the guessed ones, the rows behind them count as well. Each row has the bits that it has
 * in a step of its own (LvBackendInfo.exact_rows), and each token is chosen as in a step of its own,
 * so that answers are the same with drafts and without. */
#ifndef LV_VERIFY_H
#define LV_VERIFY_H

#include "serve/request.h"

/* Requests of one step, at most, for which there are drafts: with more of them the weights are read
 * for several rows anyway. */
#define LV_MAX_DRAFTING 4u

/* Tokens that are guessed at once, at most. */
#define LV_MAX_DRAFT 15u

/* The tokens of a step's rows: each request's last one, and what is guessed to follow it. */
typedef struct LvGuesses {
    int32_t ids[LV_MAX_DRAFTING * (1 + LV_MAX_DRAFT)];
    uint32_t drafted[LV_MAX_DRAFTING];
    size_t n; /* rows */
} LvGuesses;

/* Whether drafts are made for the request's answer at all. */
bool lv_request_drafts(const LlavaovTicket *request);

/* False: nothing is guessed for any of them. Of the inference thread. */
bool lv_guess(const LvStep *steps, size_t n, LvGuesses *guesses);

/* As lv_answers_continue; each answer gets one token or more. */
LlavaovStatus lv_answers_verify(
    LlavaovEngine *engine, const LvRun *run, const LvGuesses *guesses, LvStep *steps, size_t n);

#endif
