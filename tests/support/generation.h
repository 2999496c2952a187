/* SPDX-License-Identifier: Apache-2.0
 * Settings of a request in one line, for tables of cases. */
#ifndef TESTS_GENERATION_H
#define TESTS_GENERATION_H

#include "llavaov.h"

#define GENERATION(tokens, heat, k, p, penalty, seed_, rules_)                                     \
    {                                                                                              \
        .size = sizeof(LlavaovGeneration), .max_new_tokens = (tokens), .temperature = (heat),      \
        .top_k = (k), .top_p = (p), .repetition_penalty = (penalty), .seed = (seed_),              \
        .rules = (rules_)                                                                          \
    }

#endif
