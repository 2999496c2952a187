/* SPDX-License-Identifier: Apache-2.0
 * The beginning of prompts, up to the end of their last picture or clip: computed once for all
 * questions of a request that share it, each of which goes on behind it on a fork of its cache; or a
 * whole conversation (history.h). */
#ifndef LV_PREFIX_H
#define LV_PREFIX_H

#include <stdatomic.h>

#include "model/decoder.h"
#include "serve/engine.h"

typedef struct LvPrefix {
    atomic_uint refs;
    LvBackend *backend;
    LvKvCache *cache;
    int32_t *ids; /* [n] */
    uint32_t n;
    uint32_t variant;  /* of the rotary embedding (rope.h): it may depend on the whole prompt */
    uint32_t n_cached; /* the inference thread's */
} LvPrefix;

/* The first n ids of a prompt of prompt_length. Whoever holds it keeps the engine. */
LlavaovStatus lv_prefix_open(const LlavaovEngine *engine, const int32_t *ids, uint32_t n,
    uint32_t prompt_length, LvPrefix **prefix, LlavaovError *error);
/* A cache that is filled with n ids; takes both, the ids in any case. NULL: no memory. */
LvPrefix *lv_prefix_adopt(
    const LlavaovEngine *engine, LvKvCache **cache, int32_t *ids, uint32_t n, uint32_t variant);
LvPrefix *lv_prefix_keep(LvPrefix *prefix);
void lv_prefix_drop(LvPrefix *prefix); /* NULL is allowed */

/* Computes the next `count` ids of a prompt that begins with it. Of the inference thread. */
LlavaovStatus lv_prefix_run(const LlavaovEngine *engine, LvPrefix *prefix, const LvPrompt *prompt,
    size_t count, const LvRun *run);

/* Another prompt about the same frames begins with it, in the same bits. */
bool lv_prefix_fits(const LvPrefix *prefix, const LlavaovEngine *engine, const int32_t *ids,
    uint32_t n, uint32_t prompt_length);

#endif
