/* SPDX-License-Identifier: Apache-2.0
 * check-weights: a look into a checkpoint. The decoder is causal, so the logits of the first three
 * positions of the prompt
 * "<|im_start|>system\n..." depend on its first three ids alone; for the released checkpoints they
 * are known (docs/model.md 12: asserted by the script that converted them). */
#define _GNU_SOURCE /* strcasestr */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/decoder.h"
#include "model/scratch.h"
#include "model/try.h"
#include "tool.h"

#define TOLERANCE 0.1 /* the known values are float16's, of another order of summation */

static const struct {
    const char *name;
    uint32_t hidden_size;
    float logits[3][3];
} released[] = {
    {"0.5b-si", 896,
        {{-12.1953f, -14.6797f, -12.7891f}, {0.5840f, -0.8467f, 1.3799f},
            {3.6055f, 4.5430f, 9.9062f}}},
    {"0.5b-ov", 896,
        {{-12.0234f, -14.3828f, -12.7500f}, {2.3594f, 1.0000f, 3.9336f},
            {3.6582f, 4.7148f, 9.1172f}}},
    {"7b-si", 3584,
        {{1.7656f, 3.3418f, 1.4033f}, {0.0757f, 0.7427f, 3.5098f}, {6.7109f, 5.6797f, 9.3828f}}},
    {"7b-ov", 3584,
        {{1.8496f, 3.4219f, 1.3135f}, {3.0996f, 3.0117f, 3.1484f}, {4.2422f, 4.7109f, 9.9688f}}},
    {"7b-ov-chat", 3584,
        {{1.8662f, 3.4316f, 1.3174f}, {2.7109f, 2.5488f, 3.0117f}, {4.4648f, 4.9648f, 10.3359f}}},
    {"72b-si", 8192,
        {{4.1875f, 4.4883f, 2.7910f}, {1.2949f, 5.1328f, 3.1582f}, {0.9390f, 6.4531f, 8.4375f}}},
    {"72b-ov", 8192,
        {{4.2930f, 4.7305f, 2.7363f}, {1.7529f, 5.0742f, 3.9590f}, {1.3936f, 6.3438f, 9.3984f}}},
    {"72b-ov-chat", 8192,
        {{4.3086f, 4.7344f, 2.6953f}, {1.7090f, 5.1719f, 4.0234f}, {1.3057f, 6.3438f, 9.5469f}}},
};

#define N_RELEASED (sizeof released / sizeof released[0])

static LlavaovStatus first_logits(ToolModel *m, float logits[3][3], LlavaovError *error)
{
    static const int32_t ids[3] = {151644, 8948, 198}; /* <|im_start|> system \n */
    LvBackend *b = m->backend;
    const LvTextConfig *text = &m->model->config->text;
    const LvRun run = {.error = error};
    const LvPrompt prompt = {.ids = ids, .n = 3, .image_token = -1, .video_token = -1};
    LvSequence sequence = {.n_rows = 3};
    const LvBatch batch = {&sequence, 1};
    float *all = lv_alloc(3 * (size_t)text->vocab_size, sizeof *all);
    LvScratch scratch = lv_scratch(b, error);
    LvTensor hidden = lv_scratch_tensor(&scratch, 3, text->hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    if (!all)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits"));
    LV_TRY(lv_prompt_check(m->model, &prompt, error));
    LV_TRY(b->ops->kv_open(
        b, text->n_layers, text->n_kv_heads, text->head_dim, 3, &sequence.cache, error));
    LV_TRY(lv_decoder_embed(m->model, &run, hidden, &prompt, 0));
    LV_TRY(lv_decoder_run(m->model, &run, hidden, &batch, LV_LOGITS_ALL, all));
    for (int position = 0; position < 3; position++)
        for (int i = 0; i < 3; i++)
            logits[position][i] = all[position * (size_t)text->vocab_size + (size_t)i];
done:
    if (sequence.cache)
        b->ops->kv_close(b, sequence.cache);
    lv_scratch_free(&scratch);
    lv_free(all);
    return status;
}

static double distance(const float a[3][3], const float b[3][3])
{
    double most = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            most = fmax(most, fabs((double)a[i][j] - b[i][j]));
    return most;
}

/* The released checkpoint of this width that the folder's name mentions (the longest such name), or
 * else the one whose known logits are nearest; N_RELEASED when no released one has this width. */
static size_t recognise(
    const char *folder, uint32_t hidden_size, const float logits[3][3], bool *by_name)
{
    size_t named = N_RELEASED, nearest = N_RELEASED;
    for (size_t i = 0; i < N_RELEASED; i++) {
        if (released[i].hidden_size != hidden_size)
            continue;
        if (strcasestr(folder, released[i].name) &&
            (named == N_RELEASED || strlen(released[i].name) > strlen(released[named].name)))
            named = i;
        if (nearest == N_RELEASED ||
            distance(logits, released[i].logits) < distance(logits, released[nearest].logits))
            nearest = i;
    }
    *by_name = named != N_RELEASED;
    return *by_name ? named : nearest;
}

static void print_summary(const ToolModel *m)
{
    const LvConfig *c = m->model->config;
    const LvHostTensor *embed = lv_checkpoint_tensor(m->checkpoint, "T.embed_tokens.weight");
    const bool head = lv_checkpoint_tensor(m->checkpoint, "HEAD.weight") != NULL;
    printf("folder     %s\n", lv_checkpoint_folder(m->checkpoint));
    printf("weights    %.1f MB, embedding in %s, %s head\n",
        (double)lv_checkpoint_weight_bytes(m->checkpoint) / 1e6,
        embed ? lv_dtype_name(embed->dtype) : "?", head ? "own" : "tied");
    printf("vision     %u x %u pixels in %u patches, %u of %u layers, width %u, %u heads of %u, "
           "MLP %u\n",
        c->vision.image_size, c->vision.image_size, c->vision.grid * c->vision.grid,
        c->vision.n_layers_run, c->vision.n_layers, c->vision.hidden_size, c->vision.n_heads,
        c->vision.head_dim, c->vision.intermediate_size);
    printf("text       %u layers, width %u, %u heads of %u over %u kv heads, MLP %u, vocabulary "
           "%u, context %u\n",
        c->text.n_layers, c->text.hidden_size, c->text.n_heads, c->text.head_dim,
        c->text.n_kv_heads, c->text.intermediate_size, c->text.vocab_size, c->text.context_length);
    printf("tokens     image %d, video %d, %s configuration\n", c->image_token, c->video_token,
        c->original_layout ? "lmms-lab" : "llava-hf");
    printf("loaded     all tensors found, finite and of the right shape; on %s\n",
        m->backend->info.detail);
}

static LlavaovStatus report(const ToolModel *m, const float logits[3][3], LlavaovError *error)
{
    const char *folder = lv_checkpoint_folder(m->checkpoint);
    bool by_name;
    const size_t which = recognise(folder, m->model->config->text.hidden_size, logits, &by_name);
    printf(
        "known figures are of the prompt in transformers' conversion script, which is that of the "
        "template qwen_1_5, whatever template the folder has\n");
    printf("logits of vocabulary 0, 1, 2 after <|im_start|>, system, newline:\n");
    for (int i = 0; i < 3; i++)
        printf("  got      %9.4f %9.4f %9.4f\n", logits[i][0], logits[i][1], logits[i][2]);
    if (which == N_RELEASED) {
        printf("no released checkpoint has this width: nothing to compare with\n");
        return LLAVAOV_OK;
    }
    for (int i = 0; i < 3; i++)
        printf("  expected %9.4f %9.4f %9.4f\n", released[which].logits[i][0],
            released[which].logits[i][1], released[which].logits[i][2]);
    const double most = distance(logits, released[which].logits);
    const bool pass = most <= TOLERANCE;
    printf("%s: llava-onevision-qwen2-%s by its %s, largest difference %.4f (allowed %.2f)\n",
        pass ? "PASS" : "FAIL", released[which].name, by_name ? "folder's name" : "nearest logits",
        most, TOLERANCE);
    return pass ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_NUMERIC, folder, "the weights are not those of %s",
                      released[which].name);
}

LlavaovStatus tool_check_weights(const ToolOptions *options, LlavaovError *error)
{
    ToolOptions o = *options;
    if (o.n_arguments > 0)
        o.model = o.arguments[0];
    ToolModel m = {0};
    float logits[3][3];
    LlavaovStatus status;
    LV_TRY(tool_open_model(&o, &m, error));
    print_summary(&m);
    if (m.model->config->text.vocab_size <= 151644) {
        printf("a vocabulary of %u: not Qwen2's, so no known logits\n",
            m.model->config->text.vocab_size);
        goto done;
    }
    LV_TRY(first_logits(&m, logits, error));
    LV_TRY(report(&m, (const float(*)[3])logits, error));
done:
    tool_close_model(&m);
    return status;
}
