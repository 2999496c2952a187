/* SPDX-License-Identifier: Apache-2.0
 * What a checkpoint's generation settings make of given logits, for tests/parity/generation.py:
 *
 *     generation-probe FOLDER [NEW_TOKENS]
 *
 * opens the checkpoint as an application does, with a length of its own where there is one, and
 * answers requests from standard input until it ends: a line "N_PROMPT N_IDS\n", N_IDS ids of
 * prompt and answer so far (int32), vocab_size logits (float32); vocab_size scores (float32), which
 * are probabilities where tokens are drawn. Numbers are little-endian. Before the first request a
 * line "VOCAB SAMPLING" describes the checkpoint. */
#include <stdio.h>
#include <stdlib.h>

#include "model/sampler.h"
#include "serve/engine.h"
#include "serve/settings.h"

static int answer(const LlavaovEngine *engine, const LlavaovGeneration *asked,
    const LlavaovGeneration *settled, uint32_t n_prompt, uint32_t n_ids, LlavaovError *error)
{
    const uint32_t vocab = engine->model->config->text.vocab_size;
    int32_t *ids = calloc(n_ids + 1, sizeof *ids);
    float *scores = calloc(vocab, sizeof *scores);
    LvSampler sampler = {0};
    uint32_t new_tokens = 0;
    int failed = !ids || !scores || fread(ids, sizeof *ids, n_ids, stdin) != n_ids ||
                 fread(scores, sizeof *scores, vocab, stdin) != vocab ||
                 lv_settings_new_tokens(settled, n_prompt, &new_tokens, error) != LLAVAOV_OK ||
                 lv_sampler_open(&sampler, settled, vocab, error) != LLAVAOV_OK;
    if (!failed) {
        sampler.stop = lv_settings_stop(engine, asked, settled);
        sampler.max_length = n_prompt + new_tokens;
        lv_sampler_see(&sampler, ids, n_prompt);
        for (uint32_t i = n_prompt; i < n_ids; i++)
            lv_sampler_note(&sampler, ids[i]);
        failed = lv_sampler_process(&sampler, scores, error) != LLAVAOV_OK;
    }
    if (!failed)
        fwrite(scores, sizeof *scores, vocab, stdout);
    fflush(stdout);
    lv_sampler_close(&sampler);
    free(ids);
    free(scores);
    return failed;
}

int main(int argc, char **argv)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = argc > 1 ? argv[1] : "",
        .device = "cpu",
        .threads = 1};
    LlavaovGeneration asked = llavaov_generation_checkpoint();
    if (argc > 2) {
        asked.max_new_tokens = (uint32_t)strtoul(argv[2], NULL, 10);
        asked.as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_MAX_NEW_TOKENS;
    }
    LlavaovGeneration settled = {.size = sizeof settled};
    LlavaovEngine *engine = NULL;
    LlavaovError error = {0};
    int failed = llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK ||
                 llavaov_engine_generation(engine, &asked, &settled, &error) != LLAVAOV_OK;
    if (!failed) {
        printf("%u %d\n", engine->model->config->text.vocab_size, settled.temperature > 0);
        fflush(stdout);
    }
    char line[64];
    while (!failed && fgets(line, sizeof line, stdin)) {
        uint32_t n_prompt, n_ids;
        failed = sscanf(line, "%u %u", &n_prompt, &n_ids) != 2 || n_prompt > n_ids ||
                 n_ids > 1u << 20 || answer(engine, &asked, &settled, n_prompt, n_ids, &error);
    }
    if (failed)
        fprintf(
            stderr, "generation-probe: %s\n", *error.message ? error.message : "not understood");
    llavaov_engine_unref(engine);
    return failed;
}
