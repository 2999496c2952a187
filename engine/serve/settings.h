/* SPDX-License-Identifier: Apache-2.0
 * What a request's settings come to on the engine's checkpoint. */
#ifndef LV_SETTINGS_H
#define LV_SETTINGS_H

#include "serve/engine.h"

/* New tokens where nobody names a length: what transformers' pipeline takes, for the 20 that its
 * generate() takes end in the middle of a sentence. */
#define LV_NEW_TOKENS 256

/* llavaov_engine_generation for a checkpoint with these settings of its own. */
LlavaovStatus lv_settings_settle(const LvGenerationConfig *checkpoint, uint32_t n_vocab,
    const LlavaovGeneration *asked, LlavaovGeneration *settled, LlavaovError *error);

/* Copies what a caller asked for, of its own sizes; rules are copied to *rules, their arrays are
 * not. asked NULL: llavaov_generation_default(). */
LlavaovStatus lv_settings_read(const LlavaovGeneration *asked, LlavaovGeneration *generation,
    LlavaovRules *rules, LlavaovError *error);

/* What ends an answer with these settings (which llavaov_engine_generation gave). Lives as long as
 * engine and rules. */
LlavaovIds lv_settings_stop(
    const LlavaovEngine *engine, const LlavaovGeneration *asked, const LlavaovGeneration *settled);

/* Most new tokens after a prompt of n tokens; ARGUMENT where max_length leaves none. */
LlavaovStatus lv_settings_new_tokens(
    const LlavaovGeneration *settled, size_t n, uint32_t *new_tokens, LlavaovError *error);

#endif
