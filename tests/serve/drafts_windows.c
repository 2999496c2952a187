/* SPDX-License-Identifier: Apache-2.0
 * Many windows of one stream, asked with drafts and without: the answers are the same, and how many decoding steps
 * they take.
 *
 *     drafts-windows MODEL [WINDOWS] [KIND] [MODE]
 *
 * KIND   still      every window shows the same
 *        unrelated  every window shows something else
 *        mixed      half of them show what the one before showed; questions and settings change (default)
 * MODE   both, and compare (default); with or without drafts alone, for counting instructions. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llavaov.h"

enum { EDGE = 96, MOST_QUESTIONS = 6, MOST_TOKENS = 64 };

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static uint8_t pixels[2][EDGE * EDGE * 3];

/* A ball before a wall, and where it is a moment later. */
static void paint(void)
{
    uint8_t wall[3], ball[3];
    for (int c = 0; c < 3; c++) {
        wall[c] = (uint8_t)below(256);
        ball[c] = (uint8_t)below(256);
    }
    const int x = (int)below(EDGE), y = (int)below(EDGE), radius = 6 + (int)below(20);
    const int dx = (int)below(40) - 20, dy = (int)below(40) - 20;
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < EDGE * EDGE; i++) {
            const int a = i % EDGE - x - f * dx, b = i / EDGE - y - f * dy;
            memcpy(pixels[f] + 3 * i, a * a + b * b < radius * radius ? ball : wall, 3);
        }
}

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    (void)error;
    *image = llavaov_image_packed(LLAVAOV_PIXEL_RGB, EDGE, EDGE, data);
    return LLAVAOV_OK;
}

typedef struct Answer {
    struct Window *window;
    int32_t tokens[MOST_TOKENS];
    uint32_t n, drafted, accepted;
    LlavaovFinishReason reason;
    LlavaovStatus status;
    char text[2048], streamed[2048];
    size_t n_streamed;
} Answer;

typedef struct Window {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n_done;
    Answer answers[MOST_QUESTIONS];
} Window;

static void on_text(void *data, const char *text, size_t bytes)
{
    Answer *a = data;
    if (a->n_streamed + bytes < sizeof a->streamed)
        memcpy(a->streamed + a->n_streamed, text, bytes);
    a->n_streamed += bytes;
}

static void on_done(void *data, const LlavaovAnswer *given)
{
    Answer *a = data;
    a->n = given->new_tokens;
    memcpy(a->tokens, given->tokens, a->n * sizeof *a->tokens);
    a->drafted = given->draft_tokens;
    a->accepted = given->accepted_tokens;
    a->reason = given->finish_reason;
    a->status = given->status;
    snprintf(a->text, sizeof a->text, "%s", given->text);
    pthread_mutex_lock(&a->window->lock);
    a->window->n_done++;
    pthread_cond_signal(&a->window->changed);
    pthread_mutex_unlock(&a->window->lock);
}

static void fail(const LlavaovError *error)
{
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

/* What a window is asked. */
static const LlavaovRules rules = {
    .size = sizeof rules, .min_new_tokens = 12, .no_repeat_ngram_size = 3};
static const struct {
    const char *prompt;
    uint32_t tokens;
    double temperature, penalty;
    const LlavaovRules *rules;
    bool json;
} table[] = {
    {"Describe what happens in this video.", 40, 0, 1, NULL, false},
    {"Is there a ball, and what colour does it have?", 24, 0, 1, NULL, false},
    {"Describe what happens in this video.", 40, 0, 1.2, NULL, false},
    {"What is shown?", 30, 0, 1.05, &rules, false},
    {"Describe it as JSON.", 60, 0, 1, NULL, true},
    {"Which direction?", 7, 0, 1, NULL, false},
    {"Tell a story.", 25, 1, 1, NULL, false},
    {"Is it black?", 2, 0, 1, NULL, false},
};
enum { N_TABLE = sizeof table / sizeof *table };

static LlavaovJsonSchema *schema;

static void ask(LlavaovSession *session, const size_t *which, size_t n, bool drafts, Window *w)
{
    LlavaovFrame *frames[2];
    LlavaovError error = {0};
    LlavaovGeneration generations[MOST_QUESTIONS];
    LlavaovQuestion questions[MOST_QUESTIONS];
    for (size_t f = 0; f < 2; f++) {
        const LlavaovFrameSource source = {.size = sizeof source, .map = map, .data = pixels[f]};
        if (llavaov_session_push_frame(session, &source, &frames[f], &error) != LLAVAOV_OK)
            fail(&error);
    }
    w->n_done = 0;
    for (size_t i = 0; i < n; i++) {
        w->answers[i] = (Answer){.window = w};
        generations[i] = llavaov_generation_default();
        generations[i].max_new_tokens = table[which[i]].tokens;
        generations[i].temperature = table[which[i]].temperature;
        generations[i].repetition_penalty = table[which[i]].penalty;
        generations[i].rules = table[which[i]].rules;
        generations[i].without_drafts = !drafts;
        questions[i] = (LlavaovQuestion){.size = sizeof *questions,
            .prompt = table[which[i]].prompt,
            .generation = &generations[i],
            .json_schema = table[which[i]].json ? schema : NULL,
            .on_done = on_done,
            .on_text = on_text,
            .data = &w->answers[i]};
    }
    const LlavaovRequest request = {.size = sizeof request,
        .frames = frames,
        .n_frames = 2,
        .questions = questions,
        .n_questions = n};
    if (llavaov_session_ask(session, &request, NULL, &error) != LLAVAOV_OK)
        fail(&error);
    llavaov_frame_unref(frames[0]);
    llavaov_frame_unref(frames[1]);
    pthread_mutex_lock(&w->lock);
    while (w->n_done < n)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static bool same(const Answer *a, const Answer *b)
{
    return a->n == b->n && memcmp(a->tokens, b->tokens, a->n * sizeof *a->tokens) == 0 &&
           a->reason == b->reason && a->status == b->status && !strcmp(a->text, b->text) &&
           a->n_streamed == b->n_streamed && !strcmp(a->streamed, b->streamed);
}

typedef struct Totals {
    size_t answers, different, tokens, steps, drafted, accepted;
} Totals;

static void add(Totals *t, const Answer *a)
{
    t->answers++;
    t->tokens += a->n;
    t->steps += a->n - 1 - a->accepted;
    t->drafted += a->drafted;
    t->accepted += a->accepted;
}

int main(int argc, char **argv)
{
    static Window with = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER},
                  without = {
                      .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    if (argc < 2 || argc > 5)
        return fprintf(stderr, "drafts-windows MODEL [WINDOWS] [KIND] [MODE]\n"), 2;
    const size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    const char *kind = argc > 3 ? argv[3] : "mixed", *mode = argc > 4 ? argv[4] : "both";
    const bool mixed = !strcmp(kind, "mixed"), still = !strcmp(kind, "still");
    LlavaovError error = {0};
    LlavaovEngine *engine;
    LlavaovSession *a, *b;
    const LlavaovEngineOptions options = {
        .size = sizeof options, .model_path = argv[1], .device = "cpu", .threads = 1};
    if (llavaov_json_schema_open(
            "{\"type\": \"object\", \"properties\": {\"ball\": {\"type\": \"boolean\"}, "
            "\"colour\": {\"enum\": [\"red\", \"green\", \"a dark one\"]}, "
            "\"what\": {\"type\": \"string\", \"maxLength\": 12}}, "
            "\"required\": [\"ball\", \"colour\", \"what\"], \"additionalProperties\": false}",
            &schema, &error) != LLAVAOV_OK ||
        llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK ||
        llavaov_session_open(engine, NULL, &a, &error) != LLAVAOV_OK ||
        llavaov_session_open(engine, NULL, &b, &error) != LLAVAOV_OK)
        fail(&error);
    Totals total = {0}, plain = {0};
    for (size_t i = 0; i < n; i++) {
        size_t which[MOST_QUESTIONS] = {0}, n_questions = 1;
        if (i == 0 || (!still && (!mixed || below(2))))
            paint();
        if (mixed) {
            n_questions = below(4) ? 1 : 2 + below(MOST_QUESTIONS - 1);
            for (size_t k = 0; k < n_questions; k++)
                which[k] = below(N_TABLE);
        }
        if (strcmp(mode, "without"))
            ask(a, which, n_questions, true, &with);
        if (strcmp(mode, "with"))
            ask(b, which, n_questions, false, &without);
        for (size_t k = 0; k < n_questions; k++) {
            if (strcmp(mode, "without"))
                add(&total, &with.answers[k]);
            if (strcmp(mode, "with"))
                add(&plain, &without.answers[k]);
            if (!strcmp(mode, "both") && !same(&with.answers[k], &without.answers[k])) {
                total.different++;
                printf("window %zu, \"%s\": \"%s\" and \"%s\"\n", i, table[which[k]].prompt,
                    with.answers[k].text, without.answers[k].text);
            }
        }
    }
    printf("%zu windows, %zu answers, %zu different; %zu tokens; steps %zu, without drafts %zu: "
           "%.3f; drafted %zu, right %zu\n",
        n, plain.answers ? plain.answers : total.answers, total.different,
        plain.tokens ? plain.tokens : total.tokens, total.steps, plain.steps,
        plain.steps ? (double)total.steps / (double)plain.steps : 0, total.drafted, total.accepted);
    llavaov_session_close(a);
    llavaov_session_close(b);
    llavaov_engine_unref(engine);
    llavaov_json_schema_unref(schema);
    /* Where all windows say the same, a third of the steps at most. */
    return total.different > 0 || (still && plain.steps * 35 < total.steps * 100);
}
