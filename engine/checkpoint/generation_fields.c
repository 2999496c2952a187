/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/generation_fields.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* When a known field that has no effect here would have changed an answer. */
typedef enum Matters {
    NEVER,        /* read elsewhere, or without effect on tokens */
    ALWAYS,       /* whatever its value */
    IF_TRUE,      /* where it is not false */
    IF_NOT_ONE,   /* a number whose 1 is off */
    WITH_BEAMS,   /* only read by beam search */
    IF_QUANTIZED, /* names a cache, and one that rounds */
    CONTRASTIVE   /* where it is positive while nothing is drawn and top_k is not 1 */
} Matters;

static const struct {
    const char *name;
    Matters matters;
} known[] = {
    /* read by generation_config.c */
    {"max_new_tokens", NEVER},
    {"max_length", NEVER},
    {"min_length", NEVER},
    {"min_new_tokens", NEVER},
    {"do_sample", NEVER},
    {"temperature", NEVER},
    {"top_k", NEVER},
    {"top_p", NEVER},
    {"top_h", NEVER},
    {"min_p", NEVER},
    {"typical_p", NEVER},
    {"epsilon_cutoff", NEVER},
    {"eta_cutoff", NEVER},
    {"repetition_penalty", NEVER},
    {"encoder_repetition_penalty", NEVER},
    {"no_repeat_ngram_size", NEVER},
    {"encoder_no_repeat_ngram_size", NEVER},
    {"sequence_bias", NEVER},
    {"bad_words_ids", NEVER},
    {"forced_bos_token_id", NEVER},
    {"forced_eos_token_id", NEVER},
    {"remove_invalid_values", NEVER},
    {"exponential_decay_length_penalty", NEVER},
    {"suppress_tokens", NEVER},
    {"begin_suppress_tokens", NEVER},
    {"renormalize_logits", NEVER},
    {"eos_token_id", NEVER},
    /* without effect on the tokens of one answer of a decoder */
    {"bos_token_id", NEVER},
    {"pad_token_id", NEVER},
    {"decoder_start_token_id", NEVER},
    {"use_cache", NEVER},
    {"cache_config", NEVER},
    {"max_cache_len", NEVER},
    {"return_legacy_cache", NEVER},
    {"prefill_chunk_size", NEVER},
    {"low_memory", NEVER},
    {"compile_config", NEVER},
    {"disable_compile", NEVER},
    {"continuous_batching_config", NEVER},
    {"output_attentions", NEVER},
    {"output_hidden_states", NEVER},
    {"output_scores", NEVER},
    {"output_logits", NEVER},
    {"return_dict_in_generate", NEVER},
    {"num_assistant_tokens", NEVER},
    {"num_assistant_tokens_schedule", NEVER},
    {"assistant_confidence_threshold", NEVER},
    {"assistant_lookbehind", NEVER},
    {"target_lookbehind", NEVER},
    {"assistant_ensemble_weight", NEVER},
    {"speculation_type", NEVER},
    {"max_matching_ngram_size", NEVER},
    {"transformers_version", NEVER},
    {"_from_model_config", NEVER},
    {"_commit_hash", NEVER},
    {"_original_object_hash", NEVER},
    /* not implemented */
    {"num_beams", IF_NOT_ONE},
    {"num_return_sequences", IF_NOT_ONE},
    {"guidance_scale", IF_NOT_ONE},
    {"num_beam_groups", WITH_BEAMS},
    {"diversity_penalty", WITH_BEAMS},
    {"early_stopping", WITH_BEAMS},
    {"length_penalty", WITH_BEAMS},
    {"constraints", ALWAYS},
    {"force_words_ids", ALWAYS},
    {"penalty_alpha", CONTRASTIVE},
    {"dola_layers", ALWAYS},
    {"prompt_lookup_num_tokens", ALWAYS},
    {"assistant_early_exit", ALWAYS},
    {"is_assistant", IF_TRUE},
    {"use_mtp", IF_TRUE},
    {"token_healing", IF_TRUE},
    {"watermarking_config", ALWAYS},
    {"stop_strings", ALWAYS},
    {"max_time", ALWAYS},
    {"cache_implementation", IF_QUANTIZED},
};

/* The value that counts: NULL where no object has one. */
static const json_t *value_of(const LvFields *objects, size_t n, const char *name)
{
    const json_t *value = NULL;
    for (size_t i = 0; i < n && !value; i++)
        value = lv_field(&objects[i], name);
    return value;
}

static bool is_number(const json_t *value, double number)
{
    return json_is_number(value) && json_number_value(value) == number;
}

static bool contrastive(const LvFields *objects, size_t n, const json_t *alpha)
{
    const json_t *top_k = value_of(objects, n, "top_k");
    return !json_is_true(value_of(objects, n, "do_sample")) &&
           !(json_is_number(alpha) && json_number_value(alpha) <= 0) &&
           !(json_is_integer(top_k) && json_integer_value(top_k) <= 1);
}

static bool matters(const LvFields *objects, size_t n, Matters how, const json_t *value)
{
    const json_t *beams = value_of(objects, n, "num_beams");
    switch (how) {
    case NEVER:
        return false;
    case ALWAYS:
        return true;
    case IF_TRUE:
        return !json_is_false(value);
    case IF_NOT_ONE:
        return !is_number(value, 1);
    case WITH_BEAMS:
        return beams && !is_number(beams, 1);
    case IF_QUANTIZED:
        return json_is_string(value) && !strcmp(json_string_value(value), "quantized");
    case CONTRASTIVE:
        return contrastive(objects, n, value);
    }
    return true;
}

static bool find(const char *name, Matters *how)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) {
            *how = known[i].matters;
            return true;
        }
    return false;
}

/* ---- the line ---- */

#define MOST_NAMED 40
#define MOST_NAME 64

typedef struct Line {
    char text[256 + MOST_NAMED * (MOST_NAME + 2)];
    size_t n, named, more;
} Line;

/* Text from the file: on one line, without control characters. */
static void name_field(Line *line, const char *name)
{
    if (line->named++ == MOST_NAMED)
        line->more = 1;
    else if (line->named > MOST_NAMED)
        line->more++;
    if (line->more)
        return;
    if (line->named > 1)
        line->n += (size_t)sprintf(line->text + line->n, ", ");
    size_t i = 0;
    for (; name[i] && i < MOST_NAME; i++)
        line->text[line->n++] = name[i] < ' ' || name[i] > '~' ? '?' : name[i];
    line->text[line->n] = '\0';
}

static void name_strangers(Line *line, const LvFields *object)
{
    const char *name;
    json_t *value;
    Matters how;
    json_object_foreach((json_t *)object->object, name,
        value) if (!json_is_null(value) && !find(name, &how)) name_field(line, name);
}

bool lv_generation_notice(
    const LvFields *objects, size_t n, bool strangers, bool endless, char **notice)
{
    Line line = {.n = 0};
    line.n = (size_t)sprintf(
        line.text, "these generation settings of the checkpoint have no effect here: ");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const json_t *value = value_of(objects, n, known[i].name);
        if (value && matters(objects, n, known[i].matters, value))
            name_field(&line, known[i].name);
    }
    if (strangers)
        name_strangers(&line, &objects[0]);
    *notice = NULL;
    if (line.named == 0 && !endless)
        return true;
    if (line.more)
        line.n += (size_t)sprintf(line.text + line.n, " and %zu more", line.more);
    if (endless)
        sprintf(line.named ? line.text + line.n : line.text, "%s",
            line.named ? "; and no eos_token_id: answers end at their length alone"
                       : "the checkpoint's generation settings name no eos_token_id: answers end "
                         "at their length alone");
    *notice = lv_strdup(line.text);
    return *notice;
}
