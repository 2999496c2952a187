/* SPDX-License-Identifier: Apache-2.0
 * How long the first token of an answer takes after a window's last frame, with the prompt computed as
 * frames come and with all of it computed at the end, in windows one after the other.
 *
 *     arrival-cost MODEL [PAIRS] [FRAMES] [MILLISECONDS]
 *
 * Each frame comes when that before it is encoded and so many milliseconds (3,000) have passed, in which its
 * part of the prompt is computed. Prints medians: to the first token, of an encoder call and of a prefill. */
#define _GNU_SOURCE /* usleep */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "llavaov.h"

enum { MOST_PAIRS = 100, MOST_FRAMES = 32, EDGE = 384, BYTES = EDGE * EDGE * 3 };

typedef struct Waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n_encoded, n_done;
    LlavaovStatus status;
    LlavaovError error;
    double prefill_ms;
    uint32_t early_tokens, prompt_tokens;
} Waiting;

static uint8_t pixels[MOST_FRAMES][BYTES];

static void stop_on_error(LlavaovStatus status, const LlavaovError *error)
{
    if (status != LLAVAOV_OK)
        exit((fprintf(stderr, "%s\n", error->message), 1));
}

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = EDGE,
        .height = EDGE,
        .plane = {data},
        .stride = {3 * EDGE}};
    return LLAVAOV_OK;
}

static void on_frame(void *data, void *frame, LlavaovFrameStage stage)
{
    Waiting *w = data;
    pthread_mutex_lock(&w->lock);
    w->n_encoded += stage == LLAVAOV_FRAME_ENCODED;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Waiting *w = data;
    pthread_mutex_lock(&w->lock);
    w->status = answer->status;
    if (answer->status != LLAVAOV_OK)
        w->error = answer->error;
    w->prefill_ms = (double)answer->prefill_ns / 1e6;
    w->early_tokens = answer->early_tokens;
    w->prompt_tokens = answer->prompt_tokens;
    w->n_done++;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void wait_for(Waiting *w, const size_t *count, size_t n)
{
    pthread_mutex_lock(&w->lock);
    while (*count < n)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static LlavaovSession *open_session(LlavaovEngine *engine, LlavaovPrefill prefill, Waiting *w)
{
    const LlavaovSessionOptions options = {
        .size = sizeof options, .on_frame = on_frame, .data = w, .prefill = prefill};
    LlavaovSession *session;
    stop_on_error(llavaov_session_open(engine, &options, &session, &w->error), &w->error);
    return session;
}

/* Milliseconds from the last frame to the first token. No picture is shown twice. */
static double take_window(LlavaovSession *session, size_t n_frames, unsigned pause_ms, Waiting *w)
{
    static uint32_t state = 1;
    LlavaovFrame *frames[MOST_FRAMES];
    w->n_encoded = w->n_done = 0;
    double last = 0;
    for (size_t i = 0; i < n_frames; i++) {
        for (size_t k = 0; k < BYTES; k++)
            pixels[i][k] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
        const LlavaovFrameSource source = {.size = sizeof source,
            .data = pixels[i],
            .map = map,
            .layout = LLAVAOV_LAYOUT_VIDEO,
            .encode = LLAVAOV_ENCODE_ON_ARRIVAL};
        last = now_ms();
        stop_on_error(
            llavaov_session_push_frame(session, &source, &frames[i], &w->error), &w->error);
        if (i + 1 < n_frames) {
            wait_for(w, &w->n_encoded, i + 1);
            usleep(pause_ms * 1000);
        }
    }
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 1;
    const LlavaovQuestion question = {.size = sizeof question,
        .prompt = "What is happening?",
        .generation = &generation,
        .on_done = on_done,
        .data = w};
    const LlavaovRequest request = {.size = sizeof request,
        .frames = frames,
        .n_frames = n_frames,
        .questions = &question,
        .n_questions = 1};
    stop_on_error(llavaov_session_ask(session, &request, NULL, &w->error), &w->error);
    wait_for(w, &w->n_done, 1);
    const double took = now_ms() - last;
    stop_on_error(w->status, &w->error);
    for (size_t i = 0; i < n_frames; i++)
        llavaov_frame_unref(frames[i]);
    return took;
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

static size_t number(int argc, char **argv, int i, size_t otherwise, size_t most)
{
    const size_t n = argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
    if (n == 0 || n > most)
        exit((fprintf(stderr, "%s: 1 to %zu are possible\n", argv[i], most), 2));
    return n;
}

int main(int argc, char **argv)
{
    static double arrival[MOST_PAIRS], close[MOST_PAIRS], prefill[MOST_PAIRS];
    Waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    if (argc < 2 || argc > 5)
        return fprintf(stderr, "arrival-cost MODEL [PAIRS] [FRAMES] [MILLISECONDS]\n"), 2;
    const size_t n = number(argc, argv, 2, 5, MOST_PAIRS);
    const size_t n_frames = number(argc, argv, 3, 8, MOST_FRAMES);
    const unsigned pause_ms = (unsigned)number(argc, argv, 4, 3000, 60000);
    const LlavaovEngineOptions options = {.size = sizeof options, .model_path = argv[1]};
    LlavaovEngine *engine;
    stop_on_error(llavaov_engine_open(&options, &engine, &w.error), &w.error);
    LlavaovSession *early = open_session(engine, LLAVAOV_PREFILL_ARRIVAL, &w);
    LlavaovSession *late = open_session(engine, LLAVAOV_PREFILL_CLOSE, &w);
    llavaov_engine_unref(engine);
    take_window(early, n_frames, 1, &w); /* from which the next one's prompt is known */
    take_window(late, n_frames, 1, &w);
    uint32_t early_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        arrival[i] = take_window(early, n_frames, pause_ms, &w);
        early_tokens = w.early_tokens;
        close[i] = take_window(late, n_frames, pause_ms, &w);
        prefill[i] = w.prefill_ms;
    }
    LlavaovSessionStats stats = {.size = sizeof stats};
    stop_on_error(llavaov_session_stats(late, &stats), &w.error);
    const double encode = (double)stats.encode_ns / 1e6 / (double)stats.frames_encoded;
    const double whole = median(prefill, n), first = median(arrival, n);
    printf("%zu frames, %u tokens of which %u came early, %zu pairs: first token %.0f ms after the "
           "last "
           "frame, on close %.0f ms; an encoder call %.0f ms, a prefill %.0f ms: (first token - "
           "call) / "
           "prefill = %.3f\n",
        n_frames, w.prompt_tokens, early_tokens, n, first, median(close, n), encode, whole,
        (first - encode) / whole);
    llavaov_session_close(early);
    llavaov_session_close(late);
    return 0;
}
