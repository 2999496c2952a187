/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/generation_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/generation_fields.h"
#include "checkpoint/generation_reader.h"

#define MOST 1e6 /* of a temperature or a penalty; more makes no sense */

/* exponential_decay_length_penalty: [tokens, factor] */
static void read_decay(LvGenerationReader *r, LlavaovRules *rules)
{
    static const char name[] = "exponential_decay_length_penalty";
    LvFields *fields = lv_reader_with(r, name);
    const json_t *value = lv_field(fields, name);
    if (lv_reader_failed(r) || !value)
        return;
    const json_t *start = json_array_get(value, 0), *factor = json_array_get(value, 1);
    if (!json_is_integer(start) || !json_is_number(factor) ||
        llabs(json_integer_value(start)) > INT32_MAX) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            "must be a list of a number of tokens and a factor");
        return;
    }
    rules->exponential_decay = true;
    rules->decay_start = json_integer_value(start);
    rules->decay_factor = json_number_value(factor);
}

static void read_lengths(LvGenerationReader *r)
{
    static const char name[] = "max_new_tokens";
    LvGenerationConfig *c = r->config;
    int64_t number = 1;
    if (lv_reader_integer(r, name, &number)) {
        if (number <= 0)
            lv_field_fail(lv_reader_with(r, name), LLAVAOV_ERROR_FORMAT, name,
                "is %lld; it must be greater than 0", (long long)number);
        else
            c->max_new_tokens = number > LV_MAX_NEW_TOKENS ? LV_MAX_NEW_TOKENS : (uint32_t)number;
    }
    lv_reader_count(r, "max_length", &c->rules.max_length);
    lv_reader_count(r, "min_length", &c->rules.min_length);
    /* Even 0 overrides min_length. */
    if (lv_field_present(lv_reader_with(r, "min_new_tokens"), "min_new_tokens"))
        c->rules.min_length = 0;
    lv_reader_count(r, "min_new_tokens", &c->rules.min_new_tokens);
}

/* A number that the library refuses only when it is used. */
static void fault(
    LvGenerationConfig *c, const char *name, double value, uint32_t setting, bool sampling)
{
    c->faults[c->n_faults++] = (LvGenerationFault){name, value, setting, sampling};
}

/* One that is 0 in the rules while it is off or not given. */
typedef struct Fraction {
    const char *name;
    double *value;
    double least, most; /* values outside fail, `least` itself too where the interval is `open` */
    bool open;
    double off; /* switched off from this value on */
} Fraction;

static void read_fraction(LvGenerationReader *r, const Fraction *f)
{
    double value = 0;
    if (!lv_reader_real(r, f->name, &value) || value >= f->off)
        return;
    if (value < f->least || value > f->most || (f->open && value == f->least))
        fault(r->config, f->name, value, LLAVAOV_SETTING_RULES, true);
    else
        *f->value = value;
}

static void read_sampling(LvGenerationReader *r)
{
    LvGenerationConfig *c = r->config;
    LlavaovRules *rules = &c->rules;
    lv_reader_flag(r, "do_sample", &c->do_sample);
    if (lv_reader_real(r, "temperature", &c->temperature) &&
        !(c->temperature > 0 && c->temperature <= MOST))
        fault(c, "temperature", c->temperature, LLAVAOV_SETTING_TEMPERATURE, true);
    if (lv_reader_integer(r, "top_k", &c->top_k) && c->top_k < 0)
        fault(c, "top_k", (double)c->top_k, LLAVAOV_SETTING_TOP_K, true);
    if (lv_reader_real(r, "top_p", &c->top_p) && c->top_p < 0)
        fault(c, "top_p", c->top_p, LLAVAOV_SETTING_TOP_P, true);
    const Fraction fractions[] = {
        {"top_h", &rules->top_h, 0, 1, true, INFINITY},
        {"min_p", &rules->min_p, 0, 1, false, INFINITY},
        {"typical_p", &rules->typical_p, 0, 1, true, 1},
    };
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++)
        read_fraction(r, &fractions[i]);
    /* Outside (0, 1) these two are off. */
    lv_reader_real(r, "epsilon_cutoff", &rules->epsilon_cutoff);
    lv_reader_real(r, "eta_cutoff", &rules->eta_cutoff);
    lv_reader_flag(r, "renormalize_logits", &rules->renormalize_logits);
}

static void read_penalties(LvGenerationReader *r)
{
    LvGenerationConfig *c = r->config;
    LlavaovRules *rules = &c->rules;
    if (lv_reader_real(r, "repetition_penalty", &c->repetition_penalty) &&
        !(c->repetition_penalty > 0 && c->repetition_penalty <= MOST))
        fault(c, "repetition_penalty", c->repetition_penalty, LLAVAOV_SETTING_REPETITION_PENALTY,
            false);
    static const char encoder[] = "encoder_repetition_penalty";
    if (lv_reader_real(r, encoder, &rules->encoder_repetition_penalty) &&
        !(rules->encoder_repetition_penalty > 0 && rules->encoder_repetition_penalty <= MOST))
        fault(c, encoder, rules->encoder_repetition_penalty, LLAVAOV_SETTING_RULES, false);
    lv_reader_count(r, "no_repeat_ngram_size", &rules->no_repeat_ngram_size);
    lv_reader_count(r, "encoder_no_repeat_ngram_size", &rules->encoder_no_repeat_ngram_size);
    lv_reader_flag(r, "remove_invalid_values", &rules->remove_invalid_values);
    read_decay(r, rules);
}

static void read_ids(LvGenerationReader *r)
{
    static const char forced[] = "forced_eos_token_id";
    LlavaovRules *rules = &r->config->rules;
    lv_reader_ids(r, "eos_token_id", LV_IDS_OR_ONE, &rules->stop_tokens);
    lv_reader_phrases(r, "sequence_bias", true, &rules->sequence_bias);
    lv_reader_phrases(r, "bad_words_ids", false, &rules->bad_words);
    lv_reader_ids(r, "forced_bos_token_id", LV_IDS_OR_ONE, &rules->forced_bos);
    if (lv_reader_ids(r, forced, LV_IDS_OR_ONE, &rules->forced_eos) && rules->forced_eos.n == 0)
        lv_field_fail(lv_reader_with(r, forced), LLAVAOV_ERROR_FORMAT, forced, "is an empty list");
    lv_reader_ids(r, "suppress_tokens", LV_IDS_LIST, &rules->suppress_tokens);
    lv_reader_ids(r, "begin_suppress_tokens", LV_IDS_LIST, &rules->begin_suppress_tokens);
}

void lv_generation_config_init(LvGenerationConfig *config)
{
    memset(config, 0, sizeof *config);
    config->temperature = 1;
    config->top_k = 50;
    config->top_p = 1;
    config->repetition_penalty = 1;
    config->rules.size = sizeof config->rules;
}

/* Old config.json files contain every default, these lengths included. */
static void forget_default_length(LvGenerationConfig *config)
{
    if (config->rules.max_length == 20)
        config->rules.max_length = 0;
}

static LlavaovStatus parse(const char *json, size_t bytes, const char *file, bool model,
    LvGenerationConfig *config, LlavaovError *error)
{
    lv_generation_config_init(config);
    json_t *root;
    LlavaovStatus status = lv_json_parse(json, bytes, file, false, &root, error);
    if (status)
        return status;
    LvGenerationReader r = {.config = config, .n = 1};
    r.fields[0] = r.fields[1] = (LvFields){root, file, "", error, LLAVAOV_OK};
    if (model && json_is_object(json_object_get(root, "text_config"))) {
        r.fields[1].object = json_object_get(root, "text_config");
        r.fields[1].path = "text_config.";
        r.n = 2;
    }
    config->file = lv_strdup(file);
    if (!config->file)
        lv_field_fail(&r.fields[0], LLAVAOV_ERROR_MEMORY, "", "cannot be kept: out of memory");
    read_lengths(&r);
    read_sampling(&r);
    read_penalties(&r);
    read_ids(&r);
    if (!lv_reader_failed(&r) && !lv_generation_notice(r.fields, r.n, !model,
                                     config->rules.stop_tokens.n == 0, &config->notice))
        lv_field_fail(&r.fields[0], LLAVAOV_ERROR_MEMORY, "", "cannot be kept: out of memory");
    status = r.fields[0].status ? r.fields[0].status : r.fields[1].status;
    json_decref(root);
    if (model)
        forget_default_length(config);
    if (status)
        lv_generation_config_free(config);
    return status;
}

LlavaovStatus lv_generation_config_parse(const char *json, size_t bytes, const char *file,
    LvGenerationConfig *config, LlavaovError *error)
{
    return parse(json, bytes, file, false, config, error);
}

LlavaovStatus lv_generation_config_parse_model(const char *json, size_t bytes, const char *file,
    LvGenerationConfig *config, LlavaovError *error)
{
    return parse(json, bytes, file, true, config, error);
}

/* The greatest id that the library would use as an index into the scores, where it fails. */
static bool beyond(const LlavaovRules *rules, uint32_t n_vocab, const char **name)
{
    const struct {
        const char *name;
        const LlavaovPhrases *phrases;
    } lists[] = {{"sequence_bias", &rules->sequence_bias}, {"bad_words_ids", &rules->bad_words}};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < lists[i].phrases->n; k++) {
            const LlavaovIds ids = lists[i].phrases->phrases[k].ids;
            for (size_t j = 0; j < ids.n; j++)
                if ((uint32_t)ids.ids[j] >= n_vocab) {
                    *name = lists[i].name;
                    return true;
                }
        }
    for (size_t i = 0; i < rules->forced_eos.n; i++)
        if ((uint32_t)rules->forced_eos.ids[i] >= n_vocab) {
            *name = "forced_eos_token_id";
            return true;
        }
    return false;
}

static bool holds(const LlavaovIds *list, int32_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->ids[i] == id)
            return true;
    return false;
}

static bool all_suppressed(const LlavaovRules *rules)
{
    for (size_t i = 0; i < rules->forced_eos.n; i++)
        if (!holds(&rules->suppress_tokens, rules->forced_eos.ids[i]))
            return false;
    return rules->forced_eos.n > 0 && rules->suppress_tokens.n > 0;
}

LlavaovStatus lv_generation_config_check(const LvGenerationConfig *c, bool sampling, uint32_t taken,
    uint32_t n_vocab, LlavaovError *error)
{
    for (size_t i = 0; i < c->n_faults; i++) {
        const LvGenerationFault *f = &c->faults[i];
        if ((taken & f->setting) && (sampling || !f->sampling))
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, f->name,
                "%s: %s is %g, with which generate() fails too: mend the file, give a value of "
                "your "
                "own, or leave the file's settings out (greedy)",
                c->file, f->name, f->value);
    }
    const char *name;
    if (!(taken & LLAVAOV_SETTING_RULES))
        return LLAVAOV_OK;
    if (beyond(&c->rules, n_vocab, &name))
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: %s holds an id outside the vocabulary of %u", c->file, name, n_vocab);
    if (all_suppressed(&c->rules))
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, "forced_eos_token_id",
            "%s: every id of forced_eos_token_id is in suppress_tokens too", c->file);
    return LLAVAOV_OK;
}

void lv_generation_config_free(LvGenerationConfig *config)
{
    for (size_t i = 0; i < config->n_blocks; i++)
        lv_free(config->blocks[i]);
    lv_free(config->file);
    lv_free(config->notice);
    lv_generation_config_init(config);
}
