/* SPDX-License-Identifier: Apache-2.0
 * What choices cost: the time of an answer with labels over that of an answer of one token, about one frame that
 * is encoded, in pairs one after the other.
 *
 *     choices-cost MODEL [PAIRS] [LABELS]
 *
 * Prints the medians of prefill and what follows it, and the median of the pairs' quotients. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llavaov.h"

#define MOST_PAIRS 1000
/* Eight of three tokens where each byte is one. */
#define LABELS "abc|bcd|cde|def|efg|fgh|ghi|hij"

typedef struct Waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool encoded, done;
    double milliseconds;
    LlavaovStatus status;
    LlavaovError error;
} Waiting;

static uint8_t pixels[384 * 384 * 3];

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = 384,
        .height = 384,
        .plane = {pixels},
        .stride = {3 * 384}};
    return LLAVAOV_OK;
}

static void on_frame(void *data, void *frame, LlavaovFrameStage stage)
{
    Waiting *w = data;
    pthread_mutex_lock(&w->lock);
    w->encoded = w->encoded || stage == LLAVAOV_FRAME_ENCODED;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Waiting *w = data;
    pthread_mutex_lock(&w->lock);
    w->status = answer->status;
    w->error = answer->error;
    w->milliseconds = (double)(answer->prefill_ns + answer->decode_ns) / 1e6;
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static double ask(LlavaovSession *session, LlavaovFrame *frame, const char *labels, Waiting *w)
{
    LlavaovGeneration generation = llavaov_generation_default();
    const LlavaovChoices choices = llavaov_choices_default(labels);
    LlavaovRequest request = {.size = sizeof request,
        .prompt = "Is it moving?",
        .frames = &frame,
        .n_frames = 1,
        .on_done = on_done,
        .data = w};
    generation.max_new_tokens = 1;
    if (labels)
        request.choices = &choices;
    else
        request.generation = &generation;
    w->done = false;
    if (llavaov_session_ask(session, &request, NULL, &w->error) != LLAVAOV_OK)
        exit((fprintf(stderr, "%s\n", w->error.message), 1));
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (w->status != LLAVAOV_OK)
        exit((fprintf(stderr, "%s\n", w->error.message), 1));
    return w->milliseconds;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    static double one[MOST_PAIRS], choosing[MOST_PAIRS], quotient[MOST_PAIRS];
    Waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    if (argc < 2 || argc > 4)
        return fprintf(stderr, "choices-cost MODEL [PAIRS] [LABELS]\n"), 2;
    const size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 20;
    const char *labels = argc > 3 ? argv[3] : LABELS;
    if (n == 0 || n > MOST_PAIRS)
        return fprintf(stderr, "1 to %d pairs are possible\n", MOST_PAIRS), 2;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    LlavaovEngine *engine;
    LlavaovSession *session;
    LlavaovFrame *frame;
    const LlavaovEngineOptions options = {.size = sizeof options, .model_path = argv[1]};
    const LlavaovSessionOptions in_session = {
        .size = sizeof in_session, .on_frame = on_frame, .data = &w};
    const LlavaovFrameSource source = {
        .size = sizeof source, .map = map, .encode = LLAVAOV_ENCODE_ON_ARRIVAL};
    if (llavaov_engine_open(&options, &engine, &w.error) != LLAVAOV_OK ||
        llavaov_session_open(engine, &in_session, &session, &w.error) != LLAVAOV_OK ||
        llavaov_session_push_frame(session, &source, &frame, &w.error) != LLAVAOV_OK)
        return fprintf(stderr, "%s\n", w.error.message), 1;
    pthread_mutex_lock(&w.lock);
    while (!w.encoded)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    ask(session, frame, labels, &w); /* whatever is first */
    for (size_t i = 0; i < n; i++) {
        if (i % 2)
            choosing[i] = ask(session, frame, labels, &w);
        one[i] = ask(session, frame, NULL, &w);
        if (i % 2 == 0)
            choosing[i] = ask(session, frame, labels, &w);
        quotient[i] = choosing[i] / one[i];
    }
    printf("%s: %zu pairs, one token %.1f ms, choices %.1f ms, quotient %.3f\n", labels, n,
        median(one, n), median(choosing, n), median(quotient, n));
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    return 0;
}
