/* SPDX-License-Identifier: Apache-2.0
 * What other sessions' work does to those that are being answered: eight requests decode together,
 * and a ninth session's prompt of as many tokens as theirs arrives, again and again, each time from
 * a session that had nothing to do before and among eight new answers (old ones have been overtaken
 * and go first); then as many frames for the encoder. Through the engine,
 * with its own scheduler.
 *
 *     gpu-arrival MODEL DEVICE [FRAMES [ARRIVALS [STEPS]]]
 *
 * By default 32 frames a prompt (0: of text alone, and no frames arrive), 12 arrivals, 40 steps
 * before each of them.
 *
 * A step is over when the backend hands its tokens to the engine: its operation for decoding steps
 * is wrapped here and looks at the clock. The delay of an arrival is the longest time from one step
 * to the next while it is served, less the median without it. Frames are encoded before their
 * prompt arrives; the first arrival of either kind, for which memory is taken, is told apart. No
 * answer ends before it is cancelled: the stop tokens are taken out of the engine. One line of
 * JSON; the judging is check.py's. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "llavaov.h"
#include "base/clock.h"
#include "serve/engine.h"

#define SESSIONS 8
#define MOST_FRAMES 32
#define MOST_ARRIVALS 64
#define MOST_STEPS 65536
#define MOST_QUIET 1000
#define WIDTH 640u
#define HEIGHT 360u
#define PATIENCE                                                                                   \
    600.0 /* seconds: nothing takes so long, on the stand-in under a sanitizer either */

typedef struct Watch {
    LvBackendOps ops; /* the backend's, one of them replaced */
    LlavaovStatus (*step_end)(LvBackend *backend, const LvRun *run, LvDecodeStep *step,
        LlavaovStatus computed, int32_t *tokens);
    struct {
        double at;
        size_t sequences;
    } steps[MOST_STEPS];
    atomic_size_t n_steps;
} Watch;

static Watch watch; /* the operation that is replaced gets no pointer of ours */

typedef struct Stream {
    LlavaovSession *session;
    LlavaovFrame *frames[MOST_FRAMES];
    size_t n_frames;
    atomic_size_t encoded; /* and failed */
    atomic_bool failed, done;
    double done_at;
    char message[256];
    LlavaovTicket *ticket;
} Stream;

typedef struct Arrival {
    double delay_ms, quiet_ms, quiet_longest_ms, took_ms;
} Arrival;

static uint8_t noise[WIDTH * HEIGHT * 2];
static size_t n_frames;        /* of every prompt */
static size_t n_quiet;         /* steps before every arrival */
static uint32_t answer_tokens; /* of the eight: more than any of them comes to */

static double seconds(void)
{
    return 1e-9 * (double)lv_now_ns();
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "gpu-arrival: %s: %s\n", what, why);
    exit(1);
}

static void pause_for(long nanoseconds)
{
    nanosleep(&(struct timespec){0, nanoseconds}, NULL);
}

static LlavaovStatus timed_step_end(LvBackend *backend, const LvRun *run, LvDecodeStep *step,
    LlavaovStatus computed, int32_t *tokens)
{
    const LlavaovStatus status = watch.step_end(backend, run, step, computed, tokens);
    const size_t n = atomic_load(&watch.n_steps);
    if (status == LLAVAOV_OK && !step->again && n < MOST_STEPS) {
        watch.steps[n].at = seconds();
        watch.steps[n].sequences = step->batch->n_sequences;
        atomic_store(&watch.n_steps, n + 1);
    }
    return status;
}

/* ---- sessions ---- */

static LlavaovStatus map_picture(void *data, LlavaovImage *image, LlavaovError *error)
{
    const uint8_t *luma = data;
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_NV12,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {luma, luma + WIDTH * HEIGHT},
        .stride = {WIDTH, WIDTH},
        .matrix = LLAVAOV_MATRIX_BT709};
    return LLAVAOV_OK;
}

static void on_frame(void *data, void *frame_data, LlavaovFrameStage stage)
{
    Stream *stream = data;
    if (stage == LLAVAOV_FRAME_PREPARED)
        return;
    if (stage == LLAVAOV_FRAME_FAILED)
        atomic_store(&stream->failed, true);
    stream->done_at = seconds();
    atomic_fetch_add(&stream->encoded, 1);
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Stream *stream = data;
    if (answer->status != LLAVAOV_OK && answer->status != LLAVAOV_ERROR_CANCELLED) {
        snprintf(stream->message, sizeof stream->message, "%.255s", answer->error.message);
        atomic_store(&stream->failed, true);
    }
    stream->done_at = seconds();
    atomic_store(&stream->done, true);
}

static void open_stream(LlavaovEngine *engine, Stream *stream)
{
    const LlavaovSessionOptions options = {
        .size = sizeof options, .on_frame = on_frame, .data = stream};
    LlavaovError error;
    if (llavaov_session_open(engine, &options, &stream->session, &error) != LLAVAOV_OK)
        die("session", error.message);
}

static void push(Stream *stream, size_t n)
{
    static size_t at; /* no two pictures are the same */
    atomic_store(&stream->encoded, 0);
    for (size_t i = 0; i < n; i++) {
        const LlavaovFrameSource source = {.size = sizeof source,
            .map = map_picture,
            .data = noise + at++ % 1024 * 97,
            .layout = LLAVAOV_LAYOUT_VIDEO};
        LlavaovError error;
        if (llavaov_session_push_frame(stream->session, &source, &stream->frames[i], &error) !=
            LLAVAOV_OK)
            die("frame", error.message);
        stream->n_frames = i + 1;
    }
}

static void wait_encoded(Stream *stream)
{
    const double start = seconds();
    while (atomic_load(&stream->encoded) < stream->n_frames) {
        if (seconds() - start > PATIENCE)
            die("frames", "not encoded");
        pause_for(100000);
    }
    if (atomic_load(&stream->failed))
        die("frames", "one failed");
}

static void ask(Stream *stream, uint32_t new_tokens)
{
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = new_tokens;
    const LlavaovRequest request = {.size = sizeof request,
        .layout = LLAVAOV_LAYOUT_VIDEO,
        .frames = stream->frames,
        .n_frames = stream->n_frames,
        .prompt = "What is happening?",
        .generation = &generation,
        .on_done = on_done,
        .data = stream};
    LlavaovError error;
    atomic_store(&stream->done, false);
    if (llavaov_session_ask(stream->session, &request, &stream->ticket, &error) != LLAVAOV_OK)
        die("question", error.message);
}

static void wait_done(Stream *stream)
{
    const double start = seconds();
    while (!atomic_load(&stream->done)) {
        if (seconds() - start > PATIENCE)
            die("answer", "none");
        pause_for(100000);
    }
    if (atomic_load(&stream->failed))
        die("answer", stream->message);
    llavaov_ticket_unref(stream->ticket);
    stream->ticket = NULL;
}

/* Until n more steps of all eight are over; the number of steps then. */
static size_t wait_steps(size_t n)
{
    const size_t from = atomic_load(&watch.n_steps);
    const double start = seconds();
    size_t now;
    while ((now = atomic_load(&watch.n_steps)) < from + n) {
        if (seconds() - start > PATIENCE)
            die("decoding", "no step");
        if (now == MOST_STEPS)
            die("decoding", "too many steps");
        pause_for(100000);
    }
    return now;
}

/* ---- arrivals ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

static double longest_gap(size_t first, size_t last)
{
    double longest = 0;
    for (size_t i = first; i <= last; i++) {
        const double gap = watch.steps[i].at - watch.steps[i - 1].at;
        if (watch.steps[i].sequences != SESSIONS || watch.steps[i - 1].sequences != SESSIONS)
            die("decoding", "not all sessions were in a step");
        longest = gap > longest ? gap : longest;
    }
    return longest;
}

typedef void Serve(Stream *stream);

static void serve_prompt(Stream *stream)
{
    ask(stream, 1);
    wait_done(stream);
}

static void serve_frames(Stream *stream)
{
    push(stream, n_frames);
    wait_encoded(stream);
}

/* All of `decoding` in one step after the other. */
static void start_decoding(Stream *decoding)
{
    for (size_t i = 0; i < SESSIONS; i++)
        ask(&decoding[i], answer_tokens);
    while (watch.steps[wait_steps(1) - 1].sequences < SESSIONS)
        ; /* the last of them is still at its prompt */
    wait_steps(2);
}

static void stop_decoding(Stream *decoding)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        llavaov_ticket_cancel(decoding[i].ticket);
        wait_done(&decoding[i]);
    }
}

static Arrival arrive(Stream *decoding, Stream *stream, Serve *serve)
{
    Arrival arrival;
    double gaps[MOST_QUIET];
    start_decoding(decoding);
    const size_t quiet = atomic_load(&watch.n_steps), before = wait_steps(n_quiet);
    const double start = seconds();
    serve(stream);
    const double end = stream->done_at;
    const size_t after = wait_steps(2);
    size_t first = before, last;
    while (first < after && watch.steps[first].at < start)
        first++;
    for (last = first; last + 1 < after && watch.steps[last].at < end;)
        last++;
    for (size_t i = 0; i < n_quiet - 1; i++)
        gaps[i] = watch.steps[quiet + i + 1].at - watch.steps[quiet + i].at;
    arrival.quiet_longest_ms = 1e3 * longest_gap(quiet + 1, quiet + n_quiet - 1);
    arrival.quiet_ms = 1e3 * median(gaps, n_quiet - 1);
    arrival.delay_ms = 1e3 * longest_gap(first, last) - arrival.quiet_ms;
    arrival.took_ms = 1e3 * (end - start);
    stop_decoding(decoding);
    return arrival;
}

/* streams: n + 1 of them. The first one apart, then the others' longest and median delay. */
static void arrivals(Stream *decoding, Stream *streams, Serve *serve, const char *name, int n)
{
    double delays[MOST_ARRIVALS], took[MOST_ARRIVALS], quiet[MOST_ARRIVALS], longest = 0;
    const Arrival first = arrive(decoding, &streams[n], serve);
    for (int i = 0; i < n; i++) {
        const Arrival a = arrive(decoding, &streams[i], serve);
        delays[i] = a.delay_ms;
        took[i] = a.took_ms;
        quiet[i] = a.quiet_ms;
        longest = a.quiet_longest_ms > longest ? a.quiet_longest_ms : longest;
    }
    const double middle = median(delays, (size_t)n);
    printf(", \"%s\": {\"delay_ms\": %.3f, \"median_delay_ms\": %.3f, \"first_delay_ms\": %.3f, "
           "\"took_ms\": %.3f, \"quiet_step_ms\": %.4f, \"quiet_longest_ms\": %.4f}",
        name, delays[n - 1], middle, first.delay_ms, median(took, (size_t)n),
        median(quiet, (size_t)n), longest);
}

static LlavaovEngine *open_engine(const char *model, const char *device)
{
    const LlavaovEngineOptions options = {
        .size = sizeof options, .model_path = model, .device = device};
    LlavaovEngine *engine;
    LlavaovError error;
    if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK)
        die("engine", error.message);
    /* Nothing has been asked for: its threads do not look at these yet. */
    LvBackend *backend = engine->backend;
    if (!backend->ops->step_end)
        die("engine", "this backend has no decoding steps of its own");
    watch.ops = *backend->ops;
    watch.step_end = backend->ops->step_end;
    watch.ops.step_end = timed_step_end;
    backend->ops = &watch.ops;
    engine->n_stop_tokens = 0;
    return engine;
}

static void make_noise(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
}

int main(int argc, char **argv)
{
    const int frames = argc > 3 ? atoi(argv[3]) : MOST_FRAMES, n = argc > 4 ? atoi(argv[4]) : 12;
    const int quiet = argc > 5 ? atoi(argv[5]) : 40;
    if (argc < 3 || frames < 0 || frames > MOST_FRAMES || n < 1 || n > MOST_ARRIVALS || quiet < 2 ||
        quiet > MOST_QUIET) {
        fprintf(stderr, "usage: gpu-arrival MODEL DEVICE [FRAMES [ARRIVALS [STEPS]]]\n");
        return 2;
    }
    n_frames = (size_t)frames;
    n_quiet = (size_t)quiet;
    make_noise();
    LlavaovEngine *engine = open_engine(argv[1], argv[2]);
    static Stream streams[SESSIONS + 2 * (MOST_ARRIVALS + 1)];
    Stream *prompts = streams + SESSIONS, *pictures = prompts + n + 1, *end = pictures + n + 1;
    uint32_t prompt = 0;
    LlavaovError error;
    LlavaovSession *session = NULL;
    if (llavaov_session_open(engine, NULL, &session, &error) != LLAVAOV_OK ||
        llavaov_session_prompt_tokens(session,
            &(LlavaovPrompt){
                .size = sizeof(LlavaovPrompt), .n_frames = n_frames, .text = "What is happening?"},
            &prompt, &error) != LLAVAOV_OK)
        die("prompt", error.message);
    llavaov_session_close(session);
    for (Stream *stream = streams; stream < end; stream++) {
        open_stream(engine, stream);
        if (stream < pictures)
            serve_frames(stream);
    }
    const uint32_t room = llavaov_engine_info(engine)->context_length - prompt;
    answer_tokens = room < 1000 ? room : 1000;
    printf("{\"device\": \"%s\", \"sessions\": %d, \"context\": %u, \"arrivals\": %d",
        llavaov_engine_info(engine)->device_detail, SESSIONS, prompt, n);
    arrivals(streams, prompts, serve_prompt, "prompt", n);
    if (n_frames > 0)
        arrivals(streams, pictures, serve_frames, "frames", n);
    printf(", \"steps\": %zu}\n", atomic_load(&watch.n_steps));
    for (Stream *stream = streams; stream < end; stream++) {
        while (stream->n_frames > 0)
            llavaov_frame_unref(stream->frames[--stream->n_frames]);
        llavaov_session_close(stream->session);
    }
    llavaov_engine_unref(engine);
    return 0;
}
