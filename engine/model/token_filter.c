/* SPDX-License-Identifier: Apache-2.0 */
#include "model/token_filter.h"

#include <math.h>
#include <stddef.h>

/* As many of the likeliest are tried one by one before the vocabulary is masked. */
#define TRIES 64

/* Looked at together, since few hold one of the greatest. */
#define BLOCK 64

static bool any_above(const float *scores, uint32_t n, float bound)
{
    uint32_t above = 0;
    for (uint32_t i = 0; i < n; i++)
        above |= scores[i] > bound;
    return above != 0;
}

/* The first `most` in the order of falling scores, equal ones by index; returns how many. */
static size_t likeliest(const float *scores, uint32_t n, uint32_t *order, size_t most)
{
    size_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        const float bound = found == most ? scores[order[found - 1]] : -INFINITY;
        if (i % BLOCK == 0 && n - i >= BLOCK && !any_above(scores + i, BLOCK, bound)) {
            i += BLOCK - 1;
            continue;
        }
        if (scores[i] == -INFINITY || (found == most && !(scores[i] > scores[order[found - 1]])))
            continue;
        size_t at = found < most ? found++ : found - 1;
        for (; at > 0 && scores[i] > scores[order[at - 1]]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return found;
}

int32_t lv_filter_first(LvTokenFilter *filter, float *scores, uint32_t n)
{
    uint32_t order[TRIES];
    const size_t tries = likeliest(scores, n, order, TRIES);
    for (size_t i = 0; i < tries; i++)
        if (filter->allows(filter, (int32_t)order[i]))
            return (int32_t)order[i];
    if (tries < TRIES)
        return -1;
    filter->mask(filter, scores, n);
    return likeliest(scores, n, order, 1) ? (int32_t)order[0] : -1;
}
