/* SPDX-License-Identifier: Apache-2.0
 * What a sampler may choose from, when that is less than the vocabulary. The owner embeds the struct
 * in its own. */
#ifndef LV_TOKEN_FILTER_H
#define LV_TOKEN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct LvTokenFilter LvTokenFilter;
struct LvTokenFilter {
    /* Whether the token may come next. Asked in the order of the scores, until one may. */
    bool (*allows)(LvTokenFilter *filter, int32_t token);
    /* Sets the scores [n] of those that may not to -infinity. */
    void (*mask)(LvTokenFilter *filter, float *scores, uint32_t n);
    /* The token was chosen. */
    void (*take)(LvTokenFilter *filter, int32_t token);
    /* Set by the owner before the sampler gets the filter; then the scores [n_vocab] as the model gave
     * them are there during take. */
    bool wants_logits;
    const float *logits;
};

/* The first maximum of the masked scores [n], which are overwritten only where it is not among the
 * first few. -1: no token with a score above -infinity may come next. */
int32_t lv_filter_first(LvTokenFilter *filter, float *scores, uint32_t n);

#endif
