/* SPDX-License-Identifier: Apache-2.0
 * Answers that are JSON: the schema's filter of a request, from its question to the closed document.
 */
#ifndef LV_JSON_ANSWER_H
#define LV_JSON_ANSWER_H

#include "serve/request.h"

/* Prepares what the request needs to answer to `schema` (NULL: nothing). Lock not held; any thread.
 * Errors: ARGUMENT, when its max_new_tokens is less than the shortest document takes; UNSUPPORTED,
 * MEMORY. */
LlavaovStatus lv_json_answer_open(
    LlavaovTicket *request, LlavaovEngine *engine, LlavaovJsonSchema *schema, LlavaovError *error);
void lv_json_answer_close(LlavaovTicket *request);

/* Begins the answer of at most `tokens`, which the sampler then chooses. */
LlavaovStatus lv_json_answer_start(LlavaovTicket *request, uint32_t tokens, LlavaovError *error);

/* Tokens that the cache should hold beyond the answer's, of at most `room`. */
uint32_t lv_json_answer_spare(const LlavaovTicket *request, uint32_t room);

/* After each token. *finished: the text is complete; the answer's json, truncated and json_values are
 * filled then, unless ways are due: then it is not finished yet. */
LlavaovStatus lv_json_answer_extend(LlavaovTicket *request, bool *finished, LlavaovError *error);

/* Runs ways that are due, and finishes what waited for them. */
LlavaovStatus lv_json_answer_ways(LvStep *step, const LvRun *run);

/* Tokens that spell what the schema makes the answer go on with, at most `most`; returns how many. A
 * guess: the same bytes may be other tokens. */
size_t lv_json_answer_forced(const LlavaovTicket *r, size_t most, int32_t *ids);

#endif
