/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/choose.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/structs.h"
#include "choices/trie.h"
#include "model/decoder.h"
#include "model/try.h"
#include "serve/answer.h"
#include "serve/ways.h"

struct LvChoosing {
    LvLabels labels;
    LvTrie trie;
    double temperature, min_mass;
    bool hint;
    size_t next; /* node: all ways before it are done */

    /* The result, as written. */
    const char **given;
    double *logprobs, *probabilities;
    char *wanted;
    LlavaovChosen chosen;
};

static LlavaovStatus bad(LlavaovError *error, const char *option, double value, const char *what)
{
    return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option, "%s=%g: %s",
        option, value, what);
}

static LlavaovStatus read(const LlavaovChoices *asked, LlavaovChoices *c, LlavaovError *error)
{
    LlavaovStatus status = lv_struct_read(c, sizeof *c, asked, "LlavaovChoices", error);
    if (status != LLAVAOV_OK)
        return status;
    if (c->variants & ~(uint32_t)LLAVAOV_VARIANT_ALL)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            "choices-variants", "choices-variants: %#x is no set of variants", c->variants);
    if (!(c->temperature > 0) || !isfinite(c->temperature))
        return bad(error, "choices-temperature", c->temperature, "a number above 0 is wanted");
    if (!(c->min_mass >= 0 && c->min_mass <= 1))
        return bad(error, "choices-min-mass", c->min_mass, "a number from 0 to 1 is wanted");
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_choices_check(
    const LlavaovEngine *engine, const LlavaovChoices *asked, LlavaovError *error)
{
    LvChoosing *choosing = NULL;
    if (engine) {
        LlavaovStatus status = lv_choosing_open(engine, asked, &choosing, error);
        lv_choosing_free(choosing);
        return status;
    }
    LlavaovChoices c;
    LvLabels labels;
    LlavaovStatus status = read(asked, &c, error);
    if (status == LLAVAOV_OK)
        status = lv_labels_parse(c.labels, &labels, error);
    if (status == LLAVAOV_OK)
        lv_labels_free(&labels);
    return status;
}

LlavaovStatus lv_choosing_open(const LlavaovEngine *engine, const LlavaovChoices *asked,
    LvChoosing **choosing, LlavaovError *error)
{
    LlavaovChoices read_choices;
    LvSpellings spellings = {0};
    LvChoosing *c = NULL;
    LlavaovStatus status;
    *choosing = NULL;
    LV_TRY(read(asked, &read_choices, error));
    c = lv_calloc(1, sizeof *c);
    if (!c)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for choices"));
    c->temperature = read_choices.temperature;
    c->min_mass = read_choices.min_mass;
    c->hint = read_choices.hint;
    c->next = 1;
    LV_TRY(lv_labels_parse(read_choices.labels, &c->labels, error));
    c->given = lv_alloc(c->labels.n, sizeof *c->given);
    c->logprobs = lv_alloc(c->labels.n, sizeof *c->logprobs);
    c->probabilities = lv_alloc(c->labels.n, sizeof *c->probabilities);
    if (!c->given || !c->logprobs || !c->probabilities)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for choices"));
    LV_TRY(lv_spellings_make(&c->labels, read_choices.variants, engine->tokenizer,
        engine->model->config->text.vocab_size, &spellings, error));
    LV_TRY(lv_trie_make(&spellings, &c->trie, error));
    *choosing = c;
    c = NULL;
done:
    lv_spellings_free(&spellings);
    lv_choosing_free(c);
    return status;
}

void lv_choosing_free(LvChoosing *c)
{
    if (!c)
        return;
    lv_labels_free(&c->labels);
    lv_trie_free(&c->trie);
    lv_free(c->given);
    lv_free(c->logprobs);
    lv_free(c->probabilities);
    lv_free(c->wanted);
    lv_free(c);
}

LlavaovStatus lv_choosing_hint(
    const LvChoosing *c, const char *prompt, char **hinted, LlavaovError *error)
{
    *hinted = NULL;
    if (!c->hint)
        return LLAVAOV_OK;
    if (!prompt)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "choices-hint",
            "choices-hint is added to a prompt, and there is none: write it into the messages");
    *hinted = lv_labels_hint(&c->labels, prompt);
    return *hinted ? LLAVAOV_OK
                   : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
}

uint32_t lv_choosing_depth(const LvChoosing *c)
{
    return c->trie.depth;
}

/* ---- the result ---- */

/* From the logarithms of all P(label), sorted as the labels are. */
static void judge(LvChoosing *c, const double *logprobs)
{
    const size_t n = c->labels.n;
    double share[LV_MAX_CHOICES];
    size_t best = 0;
    for (size_t i = 0; i < n; i++)
        best = logprobs[i] > logprobs[best] ? i : best;
    c->chosen.label_mass = lv_trie_shares(logprobs, n, c->temperature, share);
    for (size_t i = 0; i < n; i++) {
        const size_t k = c->labels.written[i];
        c->given[i] = c->labels.labels[k];
        c->logprobs[i] = logprobs[k];
        c->probabilities[i] = share[k];
        if (k == best)
            c->chosen.winner = i;
    }
    c->chosen.labels = c->given;
    c->chosen.logprobs = c->logprobs;
    c->chosen.probabilities = c->probabilities;
    c->chosen.n = n;
    c->chosen.confidence = c->probabilities[c->chosen.winner];
    c->chosen.valid = c->chosen.label_mass >= c->min_mass;
}

LvTrie *lv_choosing_trie(LvChoosing *c)
{
    return &c->trie;
}

LlavaovStatus lv_choose_conclude(LlavaovTicket *r, LlavaovError *error)
{
    LvChoosing *c = r->choosing;
    double logprobs[LV_MAX_CHOICES];
    int32_t tokens[LV_MAX_SPELLING_TOKENS];
    size_t n, bytes;
    lv_trie_logprobs(&c->trie, c->labels.n, logprobs);
    judge(c, logprobs);
    c->chosen.argmax_is_label = lv_trie_likeliest(&c->trie, tokens, &n);
    n -= n > 0 && tokens[n - 1] < 0;
    LlavaovStatus status =
        lv_tokenizer_decode(r->engine->tokenizer, tokens, n, false, &c->wanted, &bytes, error);
    if (status != LLAVAOV_OK)
        return status;
    c->chosen.wanted = c->wanted;
    r->answer.chosen = &c->chosen;
    r->answer.finish_reason = LLAVAOV_FINISH_STOP;
    const char *text = c->given[c->chosen.winner];
    status = lv_answer_add_text(r, text, strlen(text), false, error);
    return status == LLAVAOV_OK ? lv_answer_add_text(r, NULL, 0, true, error) : status;
}

/* ---- passes over the model ---- */

/* Goes on to the next way; without one the answer is complete. */
static LlavaovStatus advance(LvStep *step, LlavaovError *error)
{
    LvChoosing *c = step->request->choosing;
    c->next = lv_trie_next_way(&c->trie, c->next);
    if (c->next < c->trie.n)
        return LLAVAOV_OK;
    step->finished = true;
    return lv_choose_conclude(step->request, error);
}

/* A failure is this step's alone. */
static void take_first(LvStep *step, const float *logits, size_t n_vocab)
{
    LlavaovTicket *r = step->request;
    if (lv_trie_take(&r->choosing->trie, 0, logits, n_vocab)) {
        r->answer.first_token_ns = lv_now_ns() - r->asked_ns;
        step->status = advance(step, &step->error);
    } else
        step->status = lv_logits_not_finite(&step->error);
    step->finished |= step->status != LLAVAOV_OK;
}

LlavaovStatus lv_choose_first(
    LvStep *steps, const LvRun *run, LvTensor hidden, const LvBatch *batch)
{
    const LvModel *model = steps[0].request->engine->model;
    const size_t n_vocab = model->config->text.vocab_size;
    LlavaovStatus status;
    float *logits = lv_alloc(batch->n_sequences * n_vocab, sizeof *logits);
    if (!logits)
        LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits"));
    LV_TRY(lv_decoder_run(model, run, hidden, batch, LV_LOGITS_LAST, logits));
    for (size_t i = 0; i < batch->n_sequences; i++) {
        steps[i].request->n_cached += batch->sequences[i].n_rows;
        take_first(&steps[i], logits + i * n_vocab, n_vocab);
    }
done:
    lv_free(logits);
    return status;
}

LlavaovStatus lv_choose_next(LvStep *step, const LvRun *run)
{
    LvChoosing *c = step->request->choosing;
    LlavaovStatus status = lv_ways_run(step->request, &c->trie, &c->next, run);
    return status == LLAVAOV_OK ? advance(step, run->error) : status;
}
