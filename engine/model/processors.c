/* SPDX-License-Identifier: Apache-2.0 */
#include "model/processors.h"

#include <float.h>
#include <math.h>

bool lv_needs_ids(const LlavaovRules *rules)
{
    return rules && (rules->sequence_bias.n || rules->bad_words.n || rules->no_repeat_ngram_size ||
                        rules->encoder_no_repeat_ngram_size);
}

static bool is_score(const LvScoring *s, int32_t id)
{
    return id >= 0 && (uint32_t)id < s->n_vocab;
}

static void exclude(const LvScoring *s, float *scores, LlavaovIds list)
{
    for (size_t i = 0; i < list.n; i++)
        if (is_score(s, list.ids[i]))
            scores[list.ids[i]] = -INFINITY;
}

static void exclude_others(const LvScoring *s, float *scores, LlavaovIds list)
{
    for (uint32_t i = 0; i < s->n_vocab; i++)
        scores[i] = -INFINITY;
    for (size_t i = 0; i < list.n; i++)
        if (is_score(s, list.ids[i]))
            scores[list.ids[i]] = 0;
}

/* ---- phrases ---- */

static bool stands_at_the_end(const LvScoring *s, LlavaovIds prefix)
{
    if (prefix.n > s->n)
        return false;
    for (size_t i = 0; i < prefix.n; i++)
        if (s->ids[s->n - prefix.n + i] != prefix.ids[i])
            return false;
    return true;
}

/* A phrase that consists of one stop token is not forbidden. */
static bool is_stop(const LvScoring *s, LlavaovIds ids)
{
    for (size_t i = 0; i < s->stop.n; i++)
        if (ids.n == 1 && ids.ids[0] == s->stop.ids[i])
            return true;
    return false;
}

static void add_biases(
    const LvScoring *s, float *scores, const LlavaovPhrases *phrases, bool but_stop)
{
    for (size_t i = 0; i < phrases->n; i++) {
        const LlavaovIds ids = phrases->phrases[i].ids;
        if (ids.n == 0 || (but_stop && is_stop(s, ids)) || !is_score(s, ids.ids[ids.n - 1]))
            continue;
        if (stands_at_the_end(s, (LlavaovIds){ids.ids, ids.n - 1}))
            scores[ids.ids[ids.n - 1]] += phrases->phrases[i].bias;
    }
}

/* ---- repetition ---- */

static void penalise(const LvScoring *s, float *scores, float penalty, uint8_t flag)
{
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (s->seen[i] & flag)
            scores[i] = scores[i] < 0 ? scores[i] * penalty : scores[i] / penalty;
}

/* Excludes every id that would repeat an n-gram of `size` ids found among the first n. */
static void no_repeat(const LvScoring *s, float *scores, size_t size, size_t n)
{
    if (size == 0 || n < size || s->n < size - 1)
        return;
    const int32_t *prefix = s->ids + s->n - (size - 1);
    for (size_t i = 0; i + size <= n; i++) {
        size_t k = 0;
        while (k + 1 < size && s->ids[i + k] == prefix[k])
            k++;
        if (k + 1 == size && is_score(s, s->ids[i + k]))
            scores[s->ids[i + k]] = -INFINITY;
    }
}

/* ---- length ---- */

static bool too_short(const LvScoring *s)
{
    return s->n < s->rules->min_length || s->n - s->n_prompt < s->rules->min_new_tokens;
}

/* The library's finite value for excluded scores. */
static void make_finite(const LvScoring *s, float *scores)
{
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (scores[i] == -INFINITY)
            scores[i] = -FLT_MAX;
}

/* Raises the scores of stop tokens, more with every token. */
static void decay(const LvScoring *s, float *scores)
{
    const int64_t over = (int64_t)s->n - (int64_t)s->n_prompt - s->rules->decay_start;
    if (!s->rules->exponential_decay || over <= 0)
        return;
    const float factor = (float)(pow(s->rules->decay_factor, (double)over) - 1);
    for (size_t i = 0; i < s->stop.n; i++) {
        const int32_t id = s->stop.ids[i];
        bool again = false; /* each gains once */
        for (size_t k = 0; k < i; k++)
            again |= s->stop.ids[k] == id;
        if (!again && is_score(s, id) && isfinite(scores[id]))
            scores[id] += fabsf(scores[id]) * factor;
    }
}

void lv_process_scores(const LvScoring *s, float *scores)
{
    static const LlavaovRules none;
    const LlavaovRules *rules = s->rules ? s->rules : &none;
    const bool at_begin = s->n == s->n_prompt + (s->n_prompt <= 1 && rules->forced_bos.n);
    const double encoder = rules->encoder_repetition_penalty;
    if (rules->sequence_bias.n)
        add_biases(s, scores, &rules->sequence_bias, false);
    if (encoder != 0 && encoder != 1)
        penalise(s, scores, (float)(1 / encoder), LV_SEEN_IN_PROMPT);
    if (s->repetition_penalty != 1)
        penalise(s, scores, (float)s->repetition_penalty, LV_SEEN);
    if (!s->rules)
        return;
    no_repeat(s, scores, rules->no_repeat_ngram_size, s->n);
    no_repeat(s, scores, rules->encoder_no_repeat_ngram_size, s->n_prompt);
    add_biases(s, scores, &rules->bad_words, true);
    if (too_short(s))
        exclude(s, scores, s->stop);
    if (rules->forced_bos.n && s->n == 1)
        exclude_others(s, scores, rules->forced_bos);
    if (rules->forced_eos.n && s->n + 1 == s->max_length)
        exclude_others(s, scores, rules->forced_eos);
    if (rules->remove_invalid_values)
        make_finite(s, scores);
    decay(s, scores);
    exclude(s, scores, rules->suppress_tokens);
    if (at_begin)
        exclude(s, scores, rules->begin_suppress_tokens);
}
