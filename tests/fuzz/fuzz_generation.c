/* SPDX-License-Identifier: Apache-2.0
 * A generation_config.json, and what its settings do to scores. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "model/sampler.h"
#include "serve/settings.h"

#define VOCAB 32

static void check_ids(LlavaovIds list)
{
    FUZZ_CHECK(list.n <= LV_MAX_GENERATION_IDS);
    for (size_t i = 0; i < list.n; i++)
        FUZZ_CHECK(list.ids[i] >= 0);
}

static void check_phrases(LlavaovPhrases list)
{
    FUZZ_CHECK(list.n <= LV_MAX_GENERATION_IDS);
    for (size_t i = 0; i < list.n; i++) {
        FUZZ_CHECK(!isnan(list.phrases[i].bias));
        check_ids(list.phrases[i].ids);
    }
}

/* An answer of a few tokens: every one is an id, or the settings leave none. */
static void generate(const LlavaovGeneration *settled)
{
    static const int32_t prompt[] = {3, 7, 3, 9, 400, 7};
    LvSampler sampler;
    LlavaovError error = {0};
    uint32_t new_tokens;
    if (lv_settings_new_tokens(settled, 6, &new_tokens, &error) ||
        lv_sampler_open(&sampler, settled, VOCAB, &error))
        return;
    FUZZ_CHECK(new_tokens > 0);
    sampler.max_length = 6 + (new_tokens < 4 ? new_tokens : 4);
    lv_sampler_see(&sampler, prompt, 6);
    for (uint32_t step = 0; step < 4; step++) {
        float scores[VOCAB];
        int32_t token = -1;
        for (uint32_t i = 0; i < VOCAB; i++)
            scores[i] = (float)((i * 7 + step * 5) % VOCAB) * 0.25f - 3;
        LlavaovStatus status = lv_sampler_next(&sampler, scores, &token, &error);
        FUZZ_CHECK(status == LLAVAOV_OK || status == LLAVAOV_ERROR_NUMERIC);
        FUZZ_CHECK(status != LLAVAOV_OK || (token >= 0 && token < VOCAB));
        if (status != LLAVAOV_OK)
            break;
    }
    lv_sampler_close(&sampler);
}

static void use(const LvGenerationConfig *config)
{
    const LlavaovRules *r = &config->rules;
    check_ids(r->stop_tokens);
    check_ids(r->suppress_tokens);
    check_ids(r->begin_suppress_tokens);
    check_ids(r->forced_bos);
    check_ids(r->forced_eos);
    check_phrases(r->sequence_bias);
    check_phrases(r->bad_words);
    FUZZ_CHECK(config->max_new_tokens <= LV_MAX_NEW_TOKENS);
    FUZZ_CHECK(!config->notice || (strlen(config->notice) < 4096 && !strchr(config->notice, '\n')));
    LlavaovGeneration asked = llavaov_generation_checkpoint(), settled;
    LlavaovError error = {0};
    LlavaovStatus status = lv_settings_settle(config, VOCAB, &asked, &settled, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (status)
        return;
    generate(&settled);
    LlavaovRules *copy = lv_rules_copy(settled.rules);
    if (copy)
        generate(&(LlavaovGeneration){.max_new_tokens = 3,
            .temperature = 0.8,
            .top_p = 0.9,
            .repetition_penalty = 1.1,
            .rules = copy});
    lv_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int model = 0; model < 2; model++) {
        LvGenerationConfig config;
        LlavaovError error = {0};
        LlavaovStatus status = model ? lv_generation_config_parse_model(
                                           (const char *)data, size, "config.json", &config, &error)
                                     : lv_generation_config_parse((const char *)data, size,
                                           "generation_config.json", &config, &error);
        FUZZ_CHECK(status == error.status && (!status || *error.message));
        if (!status)
            use(&config);
        lv_generation_config_free(&config);
    }
    return 0;
}
