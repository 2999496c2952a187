/* SPDX-License-Identifier: Apache-2.0
 * The settings of a request: checking them, copying their arrays, and whether the backend can apply
 * them. */
#ifndef LV_RULES_H
#define LV_RULES_H

#include "llavaov.h"

/* Values out of range are an ARGUMENT error that names the option. Settings taken from the
 * checkpoint are not checked. */
LlavaovStatus lv_generation_check(const LlavaovGeneration *generation, LlavaovError *error);

/* One block with all arrays, lv_free; NULL without memory. The rules must have passed the check. */
LlavaovRules *lv_rules_copy(const LlavaovRules *rules);

/* Only repetition penalty, temperature, top-k and top-p are in use, which is all that
 * LvBackendOps.sample supports. */
bool lv_generation_simple(const LlavaovGeneration *generation);
/* The token is simply the first maximum of the logits. */
bool lv_generation_greedy(const LlavaovGeneration *generation);

#endif
