/* SPDX-License-Identifier: Apache-2.0
 * Requests with choices: probabilities against the plain forward pass over each spelling, and that
 * neither the order of labels nor how they are run changes a bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "choices/trie.h"
#include "harness.h"
#include "model/decoder.h"

#define MOST LV_MAX_CHOICES

/* What came of a request, in memory of its own. */
typedef struct Choice {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, chosen, argmax_is_label, valid;
    LlavaovStatus status;
    LlavaovError error;
    char text[256], wanted[256], streamed[256], labels[MOST][64];
    double logprobs[MOST], probabilities[MOST], confidence, label_mass;
    size_t n, winner;
    uint32_t new_tokens;
    int32_t prompt[4096];
    size_t n_prompt;
} Choice;

static void on_text(void *data, const char *text, size_t bytes)
{
    strncat(((Choice *)data)->streamed, text, bytes);
}

static void on_done(void *data, const LlavaovAnswer *a)
{
    Choice *c = data;
    pthread_mutex_lock(&c->lock);
    c->status = a->status;
    c->error = a->error;
    c->new_tokens = a->new_tokens;
    c->n_prompt = a->prompt_tokens;
    assert_true(c->n_prompt <= sizeof c->prompt / sizeof *c->prompt);
    if (a->prompt_ids)
        memcpy(c->prompt, a->prompt_ids, c->n_prompt * sizeof *c->prompt);
    snprintf(c->text, sizeof c->text, "%s", a->text);
    c->chosen = a->chosen;
    if (a->chosen) {
        c->n = a->chosen->n;
        c->winner = a->chosen->winner;
        c->confidence = a->chosen->confidence;
        c->label_mass = a->chosen->label_mass;
        c->argmax_is_label = a->chosen->argmax_is_label;
        c->valid = a->chosen->valid;
        snprintf(c->wanted, sizeof c->wanted, "%s", a->chosen->wanted);
        for (size_t i = 0; i < c->n; i++) {
            snprintf(c->labels[i], sizeof c->labels[i], "%s", a->chosen->labels[i]);
            c->logprobs[i] = a->chosen->logprobs[i];
            c->probabilities[i] = a->chosen->probabilities[i];
        }
    }
    c->done = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static LlavaovStatus send(
    LlavaovSession *session, Choice *c, LlavaovRequest request, LlavaovTicket **ticket)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    request.size = sizeof request;
    request.on_done = on_done;
    request.on_text = on_text;
    request.data = c;
    return llavaov_session_ask(session, &request, ticket, &c->error);
}

static void await(Choice *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->done)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void choose_after(Harness *h, const char *prompt, const LlavaovChoices *choices, Choice *c)
{
    LlavaovSession *session = open_session(h);
    const LlavaovRequest request = {.prompt = prompt, .choices = choices};
    if (send(session, c, request, NULL) != LLAVAOV_OK)
        fail_msg("%s", c->error.message);
    await(c);
    llavaov_session_close(session);
    if (c->status != LLAVAOV_OK)
        fail_msg("%s", c->error.message);
    assert_true(c->chosen);
}

static void choose(Harness *h, const LlavaovChoices *choices, Choice *c)
{
    choose_after(h, "What is it?", choices, c);
}

/* ln P(the tokens of `text` follow the prompt), by one plain pass over all of it. The generated
 * tokenizer's ids of ASCII follow GPT-2's order: '!' is 0. */
static double plain(Harness *h, const Choice *c, const char *text)
{
    const LvModel *model = h->engine->model;
    LvBackend *b = h->engine->backend;
    const LvTextConfig *t = &model->config->text;
    const size_t n = strlen(text), total = c->n_prompt + n;
    int32_t *ids = malloc(total * sizeof *ids);
    float *logits = malloc(total * t->vocab_size * sizeof *logits);
    memcpy(ids, c->prompt, c->n_prompt * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[c->n_prompt + i] = text[i] == ' ' ? 220 : text[i] - '!';
    LvKvCache *cache;
    LlavaovError error;
    const LvRun run = {.error = &error};
    assert_int_equal(b->ops->kv_open(b, t->n_layers, t->n_kv_heads, t->head_dim, (uint32_t)total,
                         &cache, &error),
        LLAVAOV_OK);
    const LvSequence sequence = {cache, 0, (uint32_t)total, 0, 0};
    const LvBatch batch = {&sequence, 1};
    const LvPrompt prompt = {ids, total, -1, -1, {0}};
    LvTensor hidden;
    assert_int_equal(b->ops->tensor_alloc(b, total, t->hidden_size, &hidden, &error), LLAVAOV_OK);
    assert_int_equal(lv_decoder_embed(model, &run, hidden, &prompt, 0), LLAVAOV_OK);
    assert_int_equal(
        lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_ALL, logits), LLAVAOV_OK);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float *row = logits + (c->n_prompt + i - 1) * t->vocab_size;
        double all = 0;
        for (size_t v = 0; v < t->vocab_size; v++)
            all += exp(row[v]);
        sum += row[ids[c->n_prompt + i]] - log(all);
    }
    b->ops->tensor_free(b, &hidden);
    b->ops->kv_close(b, cache);
    free(logits);
    free(ids);
    return sum;
}

/* A label's spellings, and the ones within them that are other labels': what is expected of it. */
static double expected(Harness *h, const Choice *c, const char *spellings, const char *others)
{
    double sum = 0;
    char copy[256], *rest;
    snprintf(copy, sizeof copy, "%s", spellings);
    for (char *s = strtok_r(copy, "|", &rest); s; s = strtok_r(NULL, "|", &rest))
        sum += exp(plain(h, c, s));
    snprintf(copy, sizeof copy, "%s", others);
    for (char *s = strtok_r(copy, "|", &rest); s; s = strtok_r(NULL, "|", &rest))
        sum -= exp(plain(h, c, s));
    return log(sum);
}

#define MOST_OF_CASE 4
static const struct {
    const char *labels;
    uint32_t variants;
    struct {
        const char *spellings, *others;
    } label[MOST_OF_CASE];
} cases[] = {
    {"y|n", 0, {{"y", ""}, {"n", ""}}},
    {" y |n ", LLAVAOV_VARIANT_CASE, {{"y|Y", ""}, {"n|N", ""}}},
    {"yes|no", LLAVAOV_VARIANT_ALL, {{"yes|Yes| yes| Yes", ""}, {"no|No| no| No", ""}}},
    {"no|no one|y", 0, {{"no", "no one"}, {"no one", ""}, {"y", ""}}},
    {"no one|no", LLAVAOV_VARIANT_CASE, {{"no one|No one", ""}, {"no|No", "no one|No one"}}},
    /* A spelling that another label has is that one's. */
    {"no|No", LLAVAOV_VARIANT_CASE, {{"no", ""}, {"No", ""}}},
    {"a|ab|abc|abd", 0, {{"a", "ab"}, {"ab", "abc|abd"}, {"abc", ""}, {"abd", ""}}},
    {"10|1|100|0", LLAVAOV_VARIANT_CASE, {{"10", "100"}, {"1", "10"}, {"100", ""}, {"0", ""}}},
    {"abcdef|abcdeg|xbcdef", 0, {{"abcdef", ""}, {"abcdeg", ""}, {"xbcdef", ""}}},
};

static void probabilities_are_those_of_plain_passes(void **state)
{
    Harness *h = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LlavaovChoices choices = llavaov_choices_default(cases[i].labels);
        choices.variants = cases[i].variants;
        Choice c;
        choose(h, &choices, &c);
        double mass = 0, sum = 0, best = -INFINITY;
        for (size_t k = 0; k < c.n; k++) {
            const double wanted =
                expected(h, &c, cases[i].label[k].spellings, cases[i].label[k].others);
            if (!(fabs(wanted - c.logprobs[k]) < 1e-4))
                fail_msg("%s: %s has %.9f, not %.9f", cases[i].labels, c.labels[k], c.logprobs[k],
                    wanted);
            mass += exp(c.logprobs[k]);
            sum += c.probabilities[k];
            best = fmax(best, c.probabilities[k]);
        }
        for (size_t k = 0; k < c.n; k++)
            assert_true(fabs(exp(c.logprobs[k]) / mass - c.probabilities[k]) < 1e-12);
        assert_true(fabs(sum - 1) < 1e-12 && fabs(mass - c.label_mass) < 1e-12);
        assert_true(c.confidence == best && c.confidence == c.probabilities[c.winner]);
        assert_string_equal(c.text, c.labels[c.winner]);
        assert_string_equal(c.streamed, c.text);
        assert_int_equal(c.new_tokens, 0);
    }
}

/* Labels of every length, and beginnings of each other, in so many orders. */
static size_t many_labels(char labels[MOST][64])
{
    size_t n = 0;
    for (; n < MOST; n++) {
        size_t bytes = 0;
        for (size_t k = n; bytes < 1 + n % 15; k = k * 7 + 3)
            labels[n][bytes++] = "abcd01 x"[k % 8];
        while (labels[n][0] == ' ' || labels[n][bytes - 1] == ' ')
            labels[n][labels[n][0] == ' ' ? 0 : bytes - 1] = 'e';
        bytes += (size_t)snprintf(labels[n] + bytes, 3, "%zu", n % 2 ? n : 0);
        labels[n][bytes < 16 ? bytes : 16] = '\0';
    }
    return n;
}

static char *join(char labels[MOST][64], const size_t *order, size_t n)
{
    static char text[MOST * 64];
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(text, i ? "|" : "");
        strcat(text, labels[order[i]]);
    }
    return text;
}

static void assert_same(const Choice *a, const Choice *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        size_t k = 0;
        while (strcmp(a->labels[i], b->labels[k]) != 0)
            assert_true(++k < b->n);
        assert_memory_equal(&a->logprobs[i], &b->logprobs[k], sizeof(double));
        assert_memory_equal(&a->probabilities[i], &b->probabilities[k], sizeof(double));
    }
    assert_memory_equal(&a->label_mass, &b->label_mass, sizeof(double));
    assert_memory_equal(&a->confidence, &b->confidence, sizeof(double));
    assert_string_equal(a->text, b->text);
    assert_string_equal(a->wanted, b->wanted);
}

static void no_order_changes_a_bit(void **state)
{
    Harness *h = *state;
    static char labels[MOST][64];
    size_t order[MOST];
    static Choice first, again;
    const size_t n = many_labels(labels);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    uint64_t random = 1;
    for (int round = 0; round < 4; round++) {
        LlavaovChoices choices = llavaov_choices_default(join(labels, order, n));
        choices.variants = LLAVAOV_VARIANT_ALL;
        choices.hint = 1;
        choose(h, &choices, round ? &again : &first);
        if (round)
            assert_same(&first, &again);
        for (size_t i = n; i > 1; i--) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const size_t k = (size_t)(random >> 33) % i, other = order[k];
            order[k] = order[i - 1];
            order[i - 1] = other;
        }
    }
}

/* One label after the other, as on a device whose sequences need caches of their own. */
static void labels_apart_and_together_are_the_same(void **state)
{
    Harness *h = *state;
    static char labels[MOST][64];
    size_t order[MOST];
    static Choice together, apart;
    const size_t n = many_labels(labels);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    const LlavaovChoices choices = llavaov_choices_default(join(labels, order, n));
    choose(h, &choices, &together);
    h->engine->backend->info.shared_caches = false;
    choose(h, &choices, &apart);
    h->engine->backend->info.shared_caches = true;
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(&together.logprobs[i], &apart.logprobs[i], sizeof(double));
}

/* Labels of one token take no pass of their own, others share theirs. */
static void passes_are_few(void **state)
{
    Harness *h = *state;
    static const struct {
        const char *labels;
        const char *order; /* P: the prompt; letters as the harness has them */
    } rows[] = {
        {"y|n|m", "P"},
        {"ya|nb", "PD"},
        {"abc|xyz|ab", "PP"},
        {"abcdefgh|bbcdefgh|cbcdefgh|dbcdefgh", "PP"},
        {"abcdefgh|bbcdefgh|cbcdefgh|dbcdefgh|ebcdefgh", "PPP"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LlavaovChoices choices = llavaov_choices_default(rows[i].labels);
        Choice c;
        choices.variants = 0;
        h->n_order = 0;
        choose(h, &choices, &c);
        h->order[h->n_order] = '\0';
        assert_string_equal(h->order, rows[i].order);
    }
}

static void bad_choices_are_refused_by_name(void **state)
{
    Harness *h = *state;
    static char many[3 * MOST + 8];
    many[0] = '\0';
    for (size_t i = 0; i <= MOST; i++)
        snprintf(many + strlen(many), 4, "%s%02zu", i ? "|" : "", i);
    const struct {
        LlavaovChoices choices;
        const char *subject, *message;
        bool engine; /* only an engine can tell */
    } bad[] = {
        {{.labels = NULL}, "choices", "no label", false},
        {{.labels = ""}, "choices", "no label", false},
        {{.labels = "yes"}, "choices", "one label", false},
        {{.labels = "yes|"}, "choices", "label 2 is empty", false},
        {{.labels = "| \t|no"}, "choices", "label 1 is empty", false},
        {{.labels = "yes| \xE3\x80\x80|no"}, "choices", "label 2 is empty", false},
        {{.labels = "yes|no|  yes "}, "choices", "there twice: \"yes\"", false},
        {{.labels = "yes|n\xFF"}, "choices", "UTF-8", false},
        {{.labels = many}, "choices", "more than 64", false},
        {{.labels = "y|n", .variants = 4}, "choices-variants", "set of variants", false},
        {{.labels = "y|n", .temperature = -1}, "choices-temperature", "above 0", false},
        {{.labels = "y|n", .temperature = NAN}, "choices-temperature", "above 0", false},
        {{.labels = "y|n", .temperature = INFINITY}, "choices-temperature", "above 0", false},
        {{.labels = "y|n", .min_mass = 1.5}, "choices-min-mass", "0 to 1", false},
        {{.labels = "y|n", .min_mass = NAN}, "choices-min-mass", "0 to 1", false},
        {{.labels = "n|a label of seventeen"}, "choices", "20 tokens", true},
        {{.labels = "e\xCC\x81|\xC3\xA9"}, "choices", "one to the tokenizer", true},
    };
    LlavaovSession *session = open_session(h);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        LlavaovChoices choices = bad[i].choices;
        LlavaovError error = {0};
        Choice c;
        choices.size = sizeof choices;
        choices.temperature = choices.temperature == 0 ? 1 : choices.temperature;
        assert_int_equal(llavaov_choices_check(NULL, &choices, &error),
            bad[i].engine ? LLAVAOV_OK : LLAVAOV_ERROR_ARGUMENT);
        assert_int_equal(
            llavaov_choices_check(h->engine, &choices, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(error.subject, bad[i].subject);
        if (!strstr(error.message, bad[i].message))
            fail_msg("%s, not: %s", error.message, bad[i].message);
        const LlavaovRequest request = {.prompt = "?", .choices = &choices};
        assert_int_equal(send(session, &c, request, NULL), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(c.error.message, error.message);
    }
    Choice c;
    const LlavaovChoices good = llavaov_choices_default("yes|no");
    const LlavaovGeneration generation = llavaov_generation_default();
    const LlavaovRequest both = {.prompt = "?", .choices = &good, .generation = &generation};
    assert_int_equal(send(session, &c, both, NULL), LLAVAOV_ERROR_ARGUMENT);
    assert_string_equal(c.error.subject, "choices");
    LlavaovChoices hint = good;
    hint.hint = 1;
    const LlavaovRequest messages = {
        .messages = "[{\"role\": \"user\", \"content\": \"?\"}]", .choices = &hint};
    assert_int_equal(send(session, &c, messages, NULL), LLAVAOV_ERROR_ARGUMENT);
    assert_string_equal(c.error.subject, "choices-hint");
    llavaov_session_close(session);
}

static void temperature_and_mass_judge_and_change_no_probability(void **state)
{
    Harness *h = *state;
    LlavaovChoices choices = llavaov_choices_default("abc|xyz|no");
    Choice plainly, cold, strict;
    choices.min_mass = 0;
    choose(h, &choices, &plainly);
    assert_true(plainly.valid);
    choices.temperature = 0.5;
    choose(h, &choices, &cold);
    double sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += plainly.probabilities[i] * plainly.probabilities[i];
    for (size_t i = 0; i < 3; i++) {
        assert_true(cold.logprobs[i] == plainly.logprobs[i]);
        assert_true(fabs(cold.probabilities[i] -
                         plainly.probabilities[i] * plainly.probabilities[i] / sum) < 1e-12);
    }
    choices.min_mass = 1;
    choose(h, &choices, &strict);
    assert_false(strict.valid);
    assert_string_equal(strict.text, cold.text);
}

/* Of a model with six tokens that likes `favourite` best after everything but 5, and then 4. */
static void what_the_model_wants_is_told(void **state)
{
    static LvLabelSpelling list[] = {
        {0, true, 1, {1}}, {1, true, 3, {1, 2, 3}}, {2, true, 2, {5, 1}}};
    const LvSpellings spellings = {list, 3};
    static const struct {
        int32_t favourite;
        bool label;
        size_t n;
        int32_t wanted[3];
    } rows[] = {
        {0, false, 1, {0}},    /* none begins so */
        {1, true, 2, {1, 1}},  /* the first label, and not the second */
        {2, false, 1, {2}},    /* a token of a label, but not here */
        {5, false, 2, {5, 4}}, /* the third begins so, and goes on in another way */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LvTrie trie;
        LlavaovError error;
        assert_int_equal(lv_trie_make(&spellings, &trie, &error), LLAVAOV_OK);
        for (size_t node = 0; node < trie.n; node++) {
            float logits[6] = {0};
            logits[trie.nodes[node].token == 5 ? 4 : rows[i].favourite] = 2;
            if (lv_trie_inner(&trie, node))
                assert_true(lv_trie_take(&trie, node, logits, 6));
        }
        int32_t wanted[LV_MAX_SPELLING_TOKENS];
        size_t n;
        assert_int_equal(lv_trie_likeliest(&trie, wanted, &n), rows[i].label);
        assert_int_equal(n, rows[i].n);
        assert_memory_equal(wanted, rows[i].wanted, n * sizeof *wanted);
        lv_trie_free(&trie);
    }
}

/* Where a model is sure to one part in 10^300 that a longer label follows, the shorter one's share is
 * still exact. */
static void shares_are_exact_where_they_are_tiny(void **state)
{
    static LvLabelSpelling list[] = {{0, true, 1, {1}}, {1, true, 2, {1, 2}}};
    const LvSpellings spellings = {list, 2};
    const float first[4] = {0, 5, 0, 0}, second[4] = {-700, -710, 0, -720};
    double logprobs[2];
    LvTrie trie;
    LlavaovError error;
    assert_int_equal(lv_trie_make(&spellings, &trie, &error), LLAVAOV_OK);
    assert_true(lv_trie_take(&trie, 0, first, 4) && lv_trie_take(&trie, 1, second, 4));
    lv_trie_logprobs(&trie, 2, logprobs);
    const double begins = 5 - log(exp(5) + 3);
    assert_true(fabs(logprobs[1] - begins) < 1e-12);
    assert_true(fabs(logprobs[0] - (begins - 700 + log(1 + exp(-10) + exp(-20)))) < 1e-9);
    const float bad[4] = {0, NAN, 0, 0};
    assert_false(lv_trie_take(&trie, 0, bad, 4));
    lv_trie_free(&trie);
}

/* While the prompt or the labels are run, and by a device that fails. */
static void choosing_ends_early(void **state)
{
    Harness *h = *state;
    const LlavaovChoices choices = llavaov_choices_default("abc|xyz");
    const LlavaovRequest request = {.prompt = "?", .choices = &choices};
    LlavaovSession *session = open_session(h);
    for (unsigned skip = 0; skip < 2; skip++) {
        Choice c;
        LlavaovTicket *ticket;
        harness_arm(h, OPERATION_PREFILL, FAULT_SPIN, skip);
        assert_int_equal(send(session, &c, request, &ticket), LLAVAOV_OK);
        harness_wait_reached(h);
        llavaov_ticket_cancel(ticket);
        await(&c);
        assert_int_equal(c.status, LLAVAOV_ERROR_CANCELLED);
        assert_false(c.chosen);
        llavaov_ticket_unref(ticket);

        harness_arm(h, OPERATION_PREFILL, FAULT_FAIL, skip);
        assert_int_equal(send(session, &c, request, NULL), LLAVAOV_OK);
        await(&c);
        assert_int_equal(c.status, LLAVAOV_ERROR_DEVICE);

        h->nan_row = -1;
        h->nan_logits = skip == 0;
        assert_int_equal(send(session, &c, request, NULL), LLAVAOV_OK);
        await(&c);
        assert_int_equal(c.status, skip == 0 ? LLAVAOV_ERROR_NUMERIC : LLAVAOV_OK);
        h->nan_logits = false;
    }
    llavaov_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_are_those_of_plain_passes),
        cmocka_unit_test(no_order_changes_a_bit),
        cmocka_unit_test(labels_apart_and_together_are_the_same),
        cmocka_unit_test(passes_are_few),
        cmocka_unit_test(bad_choices_are_refused_by_name),
        cmocka_unit_test(temperature_and_mass_judge_and_change_no_probability),
        cmocka_unit_test(what_the_model_wants_is_told),
        cmocka_unit_test(shares_are_exact_where_they_are_tiny),
        cmocka_unit_test(choosing_ends_early),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
