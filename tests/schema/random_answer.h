/* SPDX-License-Identifier: Apache-2.0
 * An answer by a model that knows nothing: every score is random, and some kinds of tokens are
 * favoured for a whole answer. */
#ifndef RANDOM_ANSWER_H
#define RANDOM_ANSWER_H

#include "schema/filter.h"

typedef struct RandomAnswer {
    char text[16384];
    uint32_t tokens;
    bool truncated;
    bool failed; /* no token could be chosen, or it did not end in time */
} RandomAnswer;

/* At most `limit` tokens, greedily or drawn as the seed has it. scores: trie->n_vocab of scratch. */
void random_answer(
    LvJsonFilter *filter, uint32_t limit, uint64_t seed, float *scores, RandomAnswer *answer);

#endif
