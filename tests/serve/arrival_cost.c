/* SPDX-License-Identifier: Apache-2.0
 * How long the first token of an answer takes after a window's last frame, with the prompt computed as
 * frames come and with all of it computed at the end, in windows one after the other.
 *
 *     arrival-cost MODEL [PAIRS] [FRAMES] [MILLISECONDS]
 *
 * Each frame comes when that before it is encoded and so many milliseconds (3,000) have passed, in which its
 * part of the prompt is computed. Prints medians: to the first token, of an encoder call and of a prefill. */
#define _GNU_SOURCE /* usleep */
#include <stdio.h>
#include <unistd.h>

#include "cost.h"

enum { MOST_PAIRS = 100, MOST_FRAMES = 32 };

static uint8_t pixels[MOST_FRAMES][PICTURE_BYTES];

static LlavaovSession *open_session(LlavaovEngine *engine, LlavaovPrefill prefill, Waiting *w)
{
    const LlavaovSessionOptions options = {
        .size = sizeof options, .on_frame = count_frame, .data = w, .prefill = prefill};
    LlavaovSession *session;
    stop_on_error(llavaov_session_open(engine, &options, &session, &w->error), &w->error);
    return session;
}

/* Milliseconds from the last frame to the first token. No picture is shown twice. */
static double take_window(LlavaovSession *session, size_t n_frames, unsigned pause_ms, Waiting *w)
{
    static uint32_t state = 1;
    LlavaovFrame *frames[MOST_FRAMES];
    w->n_encoded = w->n_done = w->prompt_tokens = 0;
    double last = 0;
    for (size_t i = 0; i < n_frames; i++) {
        for (size_t k = 0; k < PICTURE_BYTES; k++)
            pixels[i][k] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
        last = milliseconds(CLOCK_MONOTONIC);
        frames[i] = push_picture(session, pixels[i], w);
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
        .on_done = count_answer,
        .data = w};
    const LlavaovRequest request = {.size = sizeof request,
        .frames = frames,
        .n_frames = n_frames,
        .questions = &question,
        .n_questions = 1};
    stop_on_error(llavaov_session_ask(session, &request, NULL, &w->error), &w->error);
    wait_for(w, &w->n_done, 1);
    const double took = milliseconds(CLOCK_MONOTONIC) - last;
    stop_on_error(w->status, &w->error);
    for (size_t i = 0; i < n_frames; i++)
        llavaov_frame_unref(frames[i]);
    return took;
}

int main(int argc, char **argv)
{
    static double arrival[MOST_PAIRS], close[MOST_PAIRS], prefill[MOST_PAIRS];
    Waiting w = WAITING_INIT;
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
    printf(
        "%zu frames, %zu tokens of which %u came early, %zu pairs: first token %.0f ms after the "
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
