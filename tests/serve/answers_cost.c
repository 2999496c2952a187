/* SPDX-License-Identifier: Apache-2.0
 * What answers cost: the time of a request over that of a smaller one about the same frames, which are encoded, in
 * pairs one after the other.
 *
 *     answers-cost MODEL choices [PAIRS] [FRAMES] [LABELS]    labels over an answer of one token
 *     answers-cost MODEL questions [PAIRS] [FRAMES] [N]       N questions of yes or no over one of them
 *
 * Times are from asking to the last answer. Prints their medians, the median of the pairs' quotients, and that of the
 * quotients of processor time, which says more where the machine does other things besides (on one thread: taskset -c 0),
 * and the greatest resident memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cost.h"

#define MOST_PAIRS 1000
#define MOST_FRAMES 64
#define MOST_QUESTIONS 32
/* Eight of three tokens, and two of one, where each byte is a token. */
#define LABELS "abc|bcd|cde|def|efg|fgh|ghi|hij"
#define YES_OR_NO "y|n"

static uint8_t pixels[MOST_FRAMES][PICTURE_BYTES];

/* What is compared. */
typedef struct Asked {
    const char *labels; /* NULL: one token */
    size_t n;           /* questions */
} Asked;

typedef struct Window {
    LlavaovSession *session;
    LlavaovFrame *frames[MOST_FRAMES];
    size_t n_frames;
} Window;

typedef struct Times {
    double clock, processor; /* milliseconds */
} Times;

static Times now(void)
{
    return (Times){milliseconds(CLOCK_MONOTONIC), milliseconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static Times ask(const Window *window, const Asked *asked, Waiting *w)
{
    static char prompts[MOST_QUESTIONS][32];
    LlavaovQuestion questions[MOST_QUESTIONS];
    LlavaovGeneration generation = llavaov_generation_default();
    const LlavaovChoices choices = llavaov_choices_default(asked->labels ? asked->labels : "-");
    generation.max_new_tokens = 1;
    for (size_t i = 0; i < asked->n; i++) {
        snprintf(prompts[i], sizeof prompts[i], "Is it %zu?", i);
        questions[i] = (LlavaovQuestion){.size = sizeof *questions,
            .prompt = prompts[i],
            .generation = asked->labels ? NULL : &generation,
            .choices = asked->labels ? &choices : NULL,
            .on_done = count_answer,
            .data = w};
    }
    const LlavaovRequest request = {.size = sizeof request,
        .frames = window->frames,
        .n_frames = window->n_frames,
        .questions = questions,
        .n_questions = asked->n};
    w->n_done = w->prompt_tokens = 0;
    const Times start = now();
    stop_on_error(llavaov_session_ask(window->session, &request, NULL, &w->error), &w->error);
    wait_for(w, &w->n_done, asked->n);
    const Times end = now();
    stop_on_error(w->status, &w->error);
    return (Times){end.clock - start.clock, end.processor - start.processor};
}

static void open_window(const char *model, size_t n_frames, Waiting *w, Window *window)
{
    LlavaovEngine *engine;
    const LlavaovEngineOptions options = {.size = sizeof options, .model_path = model};
    const LlavaovSessionOptions in_session = {
        .size = sizeof in_session, .on_frame = count_frame, .data = w};
    stop_on_error(llavaov_engine_open(&options, &engine, &w->error), &w->error);
    stop_on_error(
        llavaov_session_open(engine, &in_session, &window->session, &w->error), &w->error);
    llavaov_engine_unref(engine);
    for (window->n_frames = 0; window->n_frames < n_frames; window->n_frames++) {
        uint8_t *picture = pixels[window->n_frames];
        for (size_t k = 0; k < PICTURE_BYTES; k++)
            picture[k] = (uint8_t)(k * 7 + window->n_frames);
        window->frames[window->n_frames] = push_picture(window->session, picture, w);
    }
    wait_for(w, &w->n_encoded, n_frames);
}

int main(int argc, char **argv)
{
    static double small[MOST_PAIRS], large[MOST_PAIRS], quotient[MOST_PAIRS],
        of_processor[MOST_PAIRS];
    Waiting w = WAITING_INIT;
    Window window;
    if (argc < 3 || argc > 6 || (strcmp(argv[2], "choices") && strcmp(argv[2], "questions")))
        return fprintf(
                   stderr, "answers-cost MODEL choices|questions [PAIRS] [FRAMES] [LABELS|N]\n"),
               2;
    const bool choices = !strcmp(argv[2], "choices");
    const size_t n = number(argc, argv, 3, 20, MOST_PAIRS),
                 n_frames = number(argc, argv, 4, choices ? 1 : 8, MOST_FRAMES);
    const Asked one = {choices ? NULL : YES_OR_NO, 1},
                more = {choices ? argc > 5 ? argv[5] : LABELS : YES_OR_NO,
                    choices ? 1 : number(argc, argv, 5, 16, MOST_QUESTIONS)};
    open_window(argv[1], n_frames, &w, &window);
    ask(&window, &more, &w); /* whatever is first */
    ask(&window, &one, &w);
    const size_t prompt = w.prompt_tokens;
    for (size_t i = 0; i < n; i++) {
        Times a, b;
        if (i % 2)
            b = ask(&window, &more, &w);
        a = ask(&window, &one, &w);
        if (i % 2 == 0)
            b = ask(&window, &more, &w);
        small[i] = a.clock;
        large[i] = b.clock;
        quotient[i] = b.clock / a.clock;
        of_processor[i] = b.processor / a.processor;
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf(
        "%s of %zu, %zu frames, %zu tokens, %zu pairs: one %.1f ms, all %.1f ms, quotient %.3f, of "
        "processor time %.3f; %ld MiB\n",
        choices ? more.labels : "questions", more.n, n_frames, prompt, n, median(small, n),
        median(large, n), median(quotient, n), median(of_processor, n), used.ru_maxrss / 1024);
    for (size_t i = 0; i < n_frames; i++)
        llavaov_frame_unref(window.frames[i]);
    llavaov_session_close(window.session);
    return 0;
}
