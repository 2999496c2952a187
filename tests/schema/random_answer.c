/* SPDX-License-Identifier: Apache-2.0 */
#include "random_answer.h"

#include <string.h>

#include "model/sampler.h"

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Most of a vocabulary are letters: without help a string would hardly ever end. */
static const char *const favourites[] = {"", "\"", "\"\\", "0123456789", "-.0", ",]}", " ", "n"};

static void draw_scores(
    const LvTokenTrie *trie, uint64_t *state, const char *favourite, float *scores)
{
    for (uint32_t i = 0; i < trie->n_vocab; i++) {
        const unsigned char *bytes = trie->bytes + trie->token_from[i];
        const bool any = trie->token_from[i] < trie->token_from[i + 1];
        scores[i] = (float)(int32_t)(uint32_t)next(state) * 0x1p-28f;
        if (any && *favourite && bytes[0] && strchr(favourite, bytes[0]))
            scores[i] += (float)(next(state) % 16);
    }
}

void random_answer(
    LvJsonFilter *filter, uint32_t limit, uint64_t seed, float *scores, RandomAnswer *answer)
{
    const LvTokenTrie *trie = filter->trie;
    uint64_t state = seed;
    LvSampler sampler;
    LlavaovGeneration generation = llavaov_generation_default();
    if (next(&state) % 2) {
        generation.temperature = 0.25 * (double)(1 + next(&state) % 8);
        generation.top_k = (uint32_t)(next(&state) % 3 * 20);
        generation.top_p = next(&state) % 4 ? 1 : 0.9;
        generation.seed = seed;
    }
    const char *favourite = favourites[next(&state) % 8];
    size_t n = 0;
    memset(answer, 0, sizeof *answer);
    answer->failed = lv_sampler_open(&sampler, &generation, trie->n_vocab, NULL) ||
                     lv_sampler_filter(&sampler, &filter->filter, NULL);
    lv_json_filter_start(filter, limit);
    while (!answer->failed && !filter->ended) {
        int32_t token;
        draw_scores(trie, &state, favourite, scores);
        answer->failed = answer->tokens == limit ||
                         lv_sampler_next(&sampler, scores, &token, NULL) != LLAVAOV_OK;
        if (answer->failed)
            break;
        answer->tokens++;
        const uint32_t from = trie->token_from[token], end = trie->token_from[token + 1];
        if (filter->stopped)
            break;
        answer->failed = n + (end - from) >= sizeof answer->text;
        if (!answer->failed)
            memcpy(answer->text + n, trie->bytes + from, end - from);
        n += end - from;
    }
    answer->truncated = filter->truncated;
    lv_sampler_close(&sampler);
}
