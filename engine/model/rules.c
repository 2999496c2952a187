/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rules.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

/* ---- check ---- */

/* Counts ids and checks each one; `total` exceeds its bound when there are too many. */
static bool good_ids(LlavaovIds list, size_t *total)
{
    if (list.n > LV_MAX_GENERATION_IDS || (list.n && !list.ids))
        return false;
    *total += list.n;
    for (size_t i = 0; i < list.n; i++)
        if (list.ids[i] < 0)
            return false;
    return *total <= LV_MAX_GENERATION_IDS;
}

static bool good_phrases(const LlavaovPhrases *phrases, size_t *total)
{
    if (phrases->n > LV_MAX_GENERATION_IDS || (phrases->n && !phrases->phrases))
        return false;
    *total += phrases->n;
    for (size_t i = 0; i < phrases->n; i++)
        if (!good_ids(phrases->phrases[i].ids, total) || isnan(phrases->phrases[i].bias) ||
            phrases->phrases[i].bias == INFINITY)
            return false;
    return *total <= LV_MAX_GENERATION_IDS;
}

/* The first invalid setting, or NULL. */
static const char *bad_rule(const LlavaovRules *r)
{
    size_t total = 0;
    const struct {
        const char *name;
        LlavaovIds ids;
    } lists[] = {{"stop-tokens", r->stop_tokens}, {"forced-bos", r->forced_bos},
        {"forced-eos", r->forced_eos}, {"suppress-tokens", r->suppress_tokens},
        {"begin-suppress-tokens", r->begin_suppress_tokens}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!good_ids(lists[i].ids, &total))
            return lists[i].name;
    if (!good_phrases(&r->sequence_bias, &total))
        return "sequence-bias";
    if (!good_phrases(&r->bad_words, &total))
        return "bad-words";
    const struct {
        const char *name;
        double value, most;
    } numbers[] = {{"encoder-repetition-penalty", r->encoder_repetition_penalty, 1e6},
        {"top-h", r->top_h, 1}, {"min-p", r->min_p, 1}, {"typical-p", r->typical_p, INFINITY},
        {"epsilon-cutoff", fabs(r->epsilon_cutoff), INFINITY},
        {"eta-cutoff", fabs(r->eta_cutoff), INFINITY},
        {"decay-factor", fabs(r->decay_factor), INFINITY}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!(numbers[i].value >= 0 && numbers[i].value <= numbers[i].most))
            return numbers[i].name;
    return NULL;
}

LlavaovStatus lv_generation_check(const LlavaovGeneration *g, LlavaovError *error)
{
    const uint32_t own = ~g->as_checkpoint;
    const bool has_length = g->rules && g->rules->max_length && (own & LLAVAOV_SETTING_RULES);
    if ((own & LLAVAOV_SETTING_MAX_NEW_TOKENS) &&
        ((g->max_new_tokens == 0 && !has_length) || g->max_new_tokens > LV_MAX_NEW_TOKENS))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "max-new-tokens",
            "max-new-tokens is %u, must be 1 to %u", g->max_new_tokens, LV_MAX_NEW_TOKENS);
    if ((own & LLAVAOV_SETTING_TEMPERATURE) && !(g->temperature >= 0 && g->temperature <= 1e6))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "temperature",
            "temperature is %g, must be 0 (greedy) or positive", g->temperature);
    if ((own & LLAVAOV_SETTING_TOP_P) && !(g->top_p >= 0 && g->top_p <= 1))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "top-p",
            "top-p is %g, must be 0 to 1", g->top_p);
    if ((own & LLAVAOV_SETTING_REPETITION_PENALTY) &&
        !(g->repetition_penalty > 0 && g->repetition_penalty <= 1e6))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            "repetition-penalty", "repetition-penalty is %g, must be positive",
            g->repetition_penalty);
    const char *bad = g->rules && (own & LLAVAOV_SETTING_RULES) ? bad_rule(g->rules) : NULL;
    return bad ? lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, bad,
                     "%s is out of its range", bad)
               : LLAVAOV_OK;
}

/* ---- copy ---- */

static size_t count_phrases(const LlavaovPhrases *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->phrases[i].ids.n;
    return n;
}

static LlavaovIds copy_ids(LlavaovIds list, int32_t **to)
{
    const LlavaovIds copy = {*to, list.n};
    if (list.n)
        memcpy(*to, list.ids, list.n * sizeof **to);
    *to += list.n;
    return copy;
}

static LlavaovPhrases copy_phrases(LlavaovPhrases list, LlavaovPhrase **to, int32_t **ids)
{
    const LlavaovPhrases copy = {*to, list.n};
    for (size_t i = 0; i < list.n; i++)
        *(*to)++ = (LlavaovPhrase){copy_ids(list.phrases[i].ids, ids), list.phrases[i].bias};
    return copy;
}

LlavaovRules *lv_rules_copy(const LlavaovRules *r)
{
    const size_t n_phrases = r->sequence_bias.n + r->bad_words.n;
    const size_t n_ids = r->stop_tokens.n + r->forced_bos.n + r->forced_eos.n +
                         r->suppress_tokens.n + r->begin_suppress_tokens.n +
                         count_phrases(&r->sequence_bias) + count_phrases(&r->bad_words);
    LlavaovRules *copy =
        lv_alloc(1, sizeof *copy + n_phrases * sizeof(LlavaovPhrase) + n_ids * sizeof(int32_t));
    if (!copy)
        return NULL;
    *copy = *r;
    LlavaovPhrase *phrases = (LlavaovPhrase *)(copy + 1);
    int32_t *ids = (int32_t *)(phrases + n_phrases);
    copy->sequence_bias = copy_phrases(r->sequence_bias, &phrases, &ids);
    copy->bad_words = copy_phrases(r->bad_words, &phrases, &ids);
    copy->stop_tokens = copy_ids(r->stop_tokens, &ids);
    copy->forced_bos = copy_ids(r->forced_bos, &ids);
    copy->forced_eos = copy_ids(r->forced_eos, &ids);
    copy->suppress_tokens = copy_ids(r->suppress_tokens, &ids);
    copy->begin_suppress_tokens = copy_ids(r->begin_suppress_tokens, &ids);
    return copy;
}

/* ---- who applies them ---- */

bool lv_generation_simple(const LlavaovGeneration *g)
{
    const LlavaovRules *r = g->rules;
    if (!r)
        return true;
    const bool drawn = g->temperature > 0 &&
                       (r->top_h > 0 || r->min_p > 0 || (r->typical_p > 0 && r->typical_p < 1) ||
                           r->epsilon_cutoff > 0 || r->eta_cutoff > 0);
    const bool held = r->min_length || r->min_new_tokens || r->exponential_decay;
    const bool penalty = r->encoder_repetition_penalty != 0 && r->encoder_repetition_penalty != 1;
    return !drawn && !held && !penalty && !r->renormalize_logits && !r->sequence_bias.n &&
           !r->bad_words.n && !r->no_repeat_ngram_size && !r->encoder_no_repeat_ngram_size &&
           !r->forced_bos.n && !r->forced_eos.n && !r->suppress_tokens.n &&
           !r->begin_suppress_tokens.n;
}

bool lv_generation_greedy(const LlavaovGeneration *g)
{
    return !(g->temperature > 0) && g->repetition_penalty == 1 && lv_generation_simple(g);
}
