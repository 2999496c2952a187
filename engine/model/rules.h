/* SPDX-License-Identifier: Apache-2.0
 * The settings of a request: whether they can be used, a copy of their arrays, who can apply them.
 */
#ifndef LV_RULES_H
#define LV_RULES_H

#include "llavaov.h"

/* Values out of range are an ARGUMENT error that names the option. Settings that are as the
 * checkpoint says are passed over. */
LlavaovStatus lv_generation_check(const LlavaovGeneration *generation, LlavaovError *error);

/* One block with all arrays, lv_free; NULL without memory. The rules have passed the check. */
LlavaovRules *lv_rules_copy(const LlavaovRules *rules);

/* Nothing but penalty, temperature, top-k and top-p changes scores: what LvBackendOps.sample
 * knows. */
bool lv_generation_simple(const LlavaovGeneration *generation);
/* The first maximum of the logits as they are. */
bool lv_generation_greedy(const LlavaovGeneration *generation);

#endif
