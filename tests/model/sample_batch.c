/* SPDX-License-Identifier: Apache-2.0
 * The sampler for the parity program (tests/parity/sampling.py). Reads requests from standard input
 * until it ends: a line "VOCAB TEMPERATURE TOP_K TOP_P PENALTY SEED N_SEEN N_DRAWS\n", N_SEEN ids
 * (int32), VOCAB logits (float32) and answers each with VOCAB probabilities (float32) and N_DRAWS
 * token ids (int32). Numbers are little-endian. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/sampler.h"

static int answer(
    uint32_t vocab, const LlavaovGeneration *generation, uint32_t n_seen, uint32_t n_draws)
{
    int32_t *seen = calloc(n_seen + 1, sizeof *seen);
    float *logits = calloc(vocab, sizeof *logits), *scores = calloc(vocab, sizeof *scores);
    LvSampler sampler;
    LlavaovError error;
    int failed = !seen || !logits || !scores ||
                 fread(seen, sizeof *seen, n_seen, stdin) != n_seen ||
                 fread(logits, sizeof *logits, vocab, stdin) != vocab;
    if (!failed && lv_sampler_open(&sampler, generation, vocab, &error) == LLAVAOV_OK) {
        lv_sampler_see(&sampler, seen, n_seen);
        memcpy(scores, logits, vocab * sizeof *scores);
        failed = lv_sampler_process(&sampler, scores, &error) != LLAVAOV_OK;
        fwrite(scores, sizeof *scores, vocab, stdout);
        for (uint32_t i = 0; i < n_draws && !failed; i++) {
            int32_t token;
            memcpy(scores, logits, vocab * sizeof *scores);
            /* Drawn tokens join the penalised ones; independent draws forget that. */
            memset(sampler.seen, 0, vocab);
            lv_sampler_see(&sampler, seen, n_seen);
            failed = lv_sampler_next(&sampler, scores, &token, &error) != LLAVAOV_OK;
            fwrite(&token, sizeof token, 1, stdout);
        }
        lv_sampler_close(&sampler);
    } else {
        failed = 1;
    }
    if (failed)
        fprintf(stderr, "sample-batch: the request was refused\n");
    free(seen);
    free(logits);
    free(scores);
    fflush(stdout);
    return failed;
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        LlavaovGeneration generation = llavaov_generation_default();
        uint32_t vocab, n_seen, n_draws;
        if (sscanf(line, "%" SCNu32 " %lf %" SCNu32 " %lf %lf %" SCNu64 " %" SCNu32 " %" SCNu32,
                &vocab, &generation.temperature, &generation.top_k, &generation.top_p,
                &generation.repetition_penalty, &generation.seed, &n_seen, &n_draws) != 8 ||
            vocab == 0 || vocab > 1u << 20 || n_seen > vocab || n_draws > 10000000) {
            fprintf(stderr, "sample-batch: not understood: %s", line);
            return 1;
        }
        if (answer(vocab, &generation, n_seen, n_draws))
            return 1;
    }
    return 0;
}
