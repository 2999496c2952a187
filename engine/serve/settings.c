/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/settings.h"

#include "base/status.h"
#include "base/structs.h"
#include "model/rules.h"

/* Members that are as the checkpoint says take its values; those that are out of range count
 * nowhere. */
static void take(const LvGenerationConfig *checkpoint, uint32_t set, LlavaovGeneration *g)
{
    if (set & LLAVAOV_SETTING_MAX_NEW_TOKENS)
        g->max_new_tokens = checkpoint->max_new_tokens;
    if (set & LLAVAOV_SETTING_TEMPERATURE)
        g->temperature = checkpoint->do_sample ? checkpoint->temperature : 0;
    if (set & LLAVAOV_SETTING_TOP_K)
        g->top_k = checkpoint->top_k < 0            ? 0
                   : checkpoint->top_k > UINT32_MAX ? UINT32_MAX
                                                    : (uint32_t)checkpoint->top_k;
    if (set & LLAVAOV_SETTING_TOP_P)
        g->top_p = checkpoint->top_p < 0 ? 0 : checkpoint->top_p > 1 ? 1 : checkpoint->top_p;
    if (set & LLAVAOV_SETTING_REPETITION_PENALTY)
        g->repetition_penalty = checkpoint->repetition_penalty;
    if (set & LLAVAOV_SETTING_RULES)
        g->rules = &checkpoint->rules;
    if (g->max_new_tokens == 0 && !(g->rules && g->rules->max_length))
        g->max_new_tokens = LV_NEW_TOKENS;
}

LlavaovStatus lv_settings_settle(const LvGenerationConfig *checkpoint, uint32_t n_vocab,
    const LlavaovGeneration *asked, LlavaovGeneration *settled, LlavaovError *error)
{
    const uint32_t set = asked->as_checkpoint & LLAVAOV_SETTING_ALL;
    *settled = *asked;
    LlavaovStatus status = lv_generation_check(asked, error);
    if (status != LLAVAOV_OK || !set)
        return status;
    const bool own = !(set & LLAVAOV_SETTING_TEMPERATURE);
    const bool sampling = own ? asked->temperature > 0 : checkpoint->do_sample;
    status = lv_generation_config_check(checkpoint, sampling, set, n_vocab, error);
    if (status != LLAVAOV_OK)
        return status;
    settled->as_checkpoint = 0;
    take(checkpoint, set, settled);
    return lv_generation_check(settled, error);
}

LlavaovStatus lv_settings_read(const LlavaovGeneration *asked, LlavaovGeneration *generation,
    LlavaovRules *rules, LlavaovError *error)
{
    *generation = llavaov_generation_default();
    if (!asked)
        return LLAVAOV_OK;
    LlavaovStatus status =
        lv_struct_read(generation, sizeof *generation, asked, "LlavaovGeneration", error);
    if (status != LLAVAOV_OK || !generation->rules)
        return status;
    status = lv_struct_read(rules, sizeof *rules, generation->rules, "LlavaovRules", error);
    generation->rules = rules;
    return status;
}

LlavaovStatus llavaov_engine_generation(const LlavaovEngine *engine, const LlavaovGeneration *asked,
    LlavaovGeneration *settled, LlavaovError *error)
{
    LlavaovGeneration read, result;
    LlavaovRules rules;
    LlavaovStatus status = lv_settings_read(asked, &read, &rules, error);
    if (status != LLAVAOV_OK)
        return status;
    status = lv_settings_settle(lv_checkpoint_generation(engine->checkpoint),
        engine->model->config->text.vocab_size, &read, &result, error);
    if (status != LLAVAOV_OK)
        return status;
    if (result.rules == &rules)
        result.rules = asked->rules;
    return lv_struct_write(settled, &result, sizeof result, "LlavaovGeneration", error);
}

LlavaovIds lv_settings_stop(
    const LlavaovEngine *engine, const LlavaovGeneration *asked, const LlavaovGeneration *settled)
{
    const bool as_checkpoint = asked->as_checkpoint & LLAVAOV_SETTING_RULES;
    return settled->rules && (as_checkpoint || settled->rules->stop_tokens.n)
               ? settled->rules->stop_tokens
               : (LlavaovIds){engine->stop_tokens, engine->n_stop_tokens};
}

LlavaovStatus lv_settings_new_tokens(
    const LlavaovGeneration *settled, size_t n, uint32_t *new_tokens, LlavaovError *error)
{
    *new_tokens = settled->max_new_tokens;
    if (*new_tokens)
        return LLAVAOV_OK;
    const uint32_t length = settled->rules->max_length;
    if (n >= length)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "max_length",
            "the prompt with its frames takes %zu tokens, and max_length leaves %u for prompt and "
            "answer together: set max-new-tokens",
            n, length);
    *new_tokens = (uint32_t)(length - n);
    return LLAVAOV_OK;
}
