/* SPDX-License-Identifier: Apache-2.0
 * Many cameras on one engine, without GStreamer: sessions that push made-up 1920 x 1080 NV12
 * pictures once a second, evenly staggered, and ask after every eighth for 32 tokens. They join
 * over the first JOIN seconds, of 8: with 8 windows end evenly over time, as of cameras that know
 * nothing of each other; with 1 all of them end within the same second. A window is dropped when
 * the session's earlier answer has not come by then. Every answer has all its tokens: the stop
 * tokens are taken out of the engine. Memory is looked at when every session has had two windows,
 * and at the end. For the last answers it waits PATIENCE seconds at most, 2 without it. One line of
 * JSON; the judging is check.py's.
 *
 *     gpu-streams MODEL DEVICE STREAMS SECONDS JOIN [PATIENCE] */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "llavaov.h"
#include "base/clock.h"
#include "serve/engine.h"

#define WIDTH 1920
#define HEIGHT 1080
#define PICTURES 8
#define WINDOW 8
#define NEW_TOKENS 32

typedef struct Run Run;

typedef struct Stream {
    Run *run;
    LlavaovSession *session;
    LlavaovFrame *frames[WINDOW];
    int n_frames;
    bool waiting;
    double asked;
} Stream;

struct Run {
    pthread_mutex_t lock;
    Stream *streams;
    size_t n_streams;
    uint8_t *pictures; /* PICTURES pictures */
    double *latencies;
    size_t windows, answers, failures, dropped, capacity;
    uint64_t tokens; /* of all answers */
    char first_error[256];
};

static double seconds(void)
{
    return 1e-9 * (double)lv_now_ns();
}

static void wait_until(double when)
{
    const struct timespec t = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
        ;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * 4;
}

/* What all programs together use of the first device, as its driver's library says; -1 where it
 * does not. */
static double device_mib(void)
{
    static struct {
        bool tried;
        void *device;
        int (*memory)(void *device, uint64_t memory[3]); /* total, free, used */
    } nvml;
    if (!nvml.tried) {
        nvml.tried = true;
        void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
        int (*init)(void) = library ? (int (*)(void))dlsym(library, "nvmlInit_v2") : NULL;
        int (*handle)(unsigned, void **) =
            library ? (int (*)(unsigned, void **))dlsym(library, "nvmlDeviceGetHandleByIndex_v2")
                    : NULL;
        if (init && handle && init() == 0 && handle(0, &nvml.device) == 0)
            nvml.memory = (int (*)(void *, uint64_t *))dlsym(library, "nvmlDeviceGetMemoryInfo");
    }
    uint64_t memory[3];
    return nvml.memory && nvml.memory(nvml.device, memory) == 0 ? (double)memory[2] / (1 << 20)
                                                                : -1;
}

typedef struct Memory {
    double resident_mib, device_mib;
} Memory;

static Memory memory_now(void)
{
    return (Memory){(double)resident_kib() / 1024, device_mib()};
}

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

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Stream *stream = data;
    Run *run = stream->run;
    pthread_mutex_lock(&run->lock);
    stream->waiting = false;
    if (answer->status == LLAVAOV_OK && run->answers < run->capacity) {
        run->latencies[run->answers++] = seconds() - stream->asked;
        run->tokens += answer->new_tokens;
    } else if (answer->status != LLAVAOV_OK && run->failures++ == 0) {
        snprintf(run->first_error, sizeof run->first_error, "%.255s", answer->error.message);
    }
    pthread_mutex_unlock(&run->lock);
}

static void ask(Stream *stream)
{
    Run *run = stream->run;
    pthread_mutex_lock(&run->lock);
    const bool late = stream->waiting;
    run->windows++;
    run->dropped += late;
    stream->waiting = true;
    stream->asked = late ? stream->asked : seconds();
    pthread_mutex_unlock(&run->lock);
    if (!late) {
        LlavaovGeneration generation = llavaov_generation_default();
        generation.max_new_tokens = NEW_TOKENS;
        const LlavaovRequest request = {.size = sizeof request,
            .layout = LLAVAOV_LAYOUT_VIDEO,
            .frames = stream->frames,
            .n_frames = WINDOW,
            .prompt = "What is happening?",
            .generation = &generation,
            .on_done = on_done,
            .data = stream};
        LlavaovError error;
        if (llavaov_session_ask(stream->session, &request, NULL, &error) != LLAVAOV_OK) {
            pthread_mutex_lock(&run->lock);
            run->failures++;
            stream->waiting = false;
            pthread_mutex_unlock(&run->lock);
        }
    }
    while (stream->n_frames > 0)
        llavaov_frame_unref(stream->frames[--stream->n_frames]);
}

static void push(Stream *stream, size_t picture)
{
    Run *run = stream->run;
    const LlavaovFrameSource source = {.size = sizeof source,
        .map = map_picture,
        .data = run->pictures + picture % PICTURES * WIDTH * HEIGHT * 3 / 2,
        .layout = LLAVAOV_LAYOUT_VIDEO};
    LlavaovError error;
    if (llavaov_session_push_frame(
            stream->session, &source, &stream->frames[stream->n_frames], &error) != LLAVAOV_OK) {
        pthread_mutex_lock(&run->lock);
        run->failures++;
        pthread_mutex_unlock(&run->lock);
        return;
    }
    if (++stream->n_frames == WINDOW)
        ask(stream);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static void report(
    Run *run, LlavaovEngine *engine, int length, double cpu, Memory before, Memory after)
{
    qsort(run->latencies, run->answers, sizeof *run->latencies, by_value);
    const size_t n = run->answers, lost = run->windows - n - run->failures;
    LlavaovEngineStats stats = {.size = sizeof stats};
    llavaov_engine_stats(engine, &stats);
    printf("{\"driver\": \"engine, no GStreamer\", \"device\": \"%s\", \"streams\": %zu, "
           "\"seconds\": %d, \"windows\": %zu, \"answers\": %zu, \"dropped\": %zu, "
           "\"failures\": %zu, \"tokens_per_answer\": %.2f, \"p50_s\": %.4f, \"cpu_per_stream\": "
           "%.4f, \"resident_mib\": %.1f, \"resident_grows_mib\": %.2f, "
           "\"tiles_per_encoder_call\": %.2f, \"requests_per_decoding_step\": %.2f",
        llavaov_engine_info(engine)->device_detail, run->n_streams, length, run->windows, n, lost,
        run->failures, ratio(run->tokens, n), n ? run->latencies[n / 2] : 0.0,
        cpu / length / (double)run->n_streams, after.resident_mib,
        after.resident_mib - before.resident_mib, ratio(stats.encoder_tiles, stats.encoder_calls),
        ratio(stats.decoder_rows, stats.decoder_steps));
    if (n)
        printf(", \"p99_s\": %.4f, \"longest_s\": %.4f", run->latencies[(n * 99) / 100],
            run->latencies[n - 1]);
    if (after.device_mib >= 0)
        printf(", \"device_mib\": %.0f, \"device_grows_mib\": %.0f", after.device_mib,
            after.device_mib - before.device_mib);
    if (stats.notice)
        printf(", \"notice\": \"%s\"", stats.notice);
    for (char *at = run->first_error; *at; at++)
        *at = *at == '"' || *at == '\\' ? '\'' : *at;
    if (run->first_error[0])
        printf(", \"first_error\": \"%s\"", run->first_error);
    printf("}\n");
}

static bool all_answered(Run *run)
{
    pthread_mutex_lock(&run->lock);
    const bool all = run->windows == run->answers && run->answers > 0;
    pthread_mutex_unlock(&run->lock);
    return all;
}

static int stream_for(LlavaovEngine *engine, Run *run, int length, size_t join, int patience)
{
    const double start = seconds() + 0.5, cpu = cpu_seconds();
    const size_t ticks = (size_t)length * run->n_streams;
    const size_t settled = length > 4 * WINDOW ? 3 * WINDOW : WINDOW; /* rounds */
    Memory before = memory_now();
    for (size_t tick = 0; tick < ticks; tick++) {
        wait_until(start + (double)tick / (double)run->n_streams);
        const size_t stream = tick % run->n_streams, round = tick / run->n_streams;
        if (stream == 0 && round == settled)
            before = memory_now();
        if (round >= stream % join) /* it has joined */
            push(&run->streams[stream], round + stream);
    }
    const Memory after = memory_now();
    for (const double until = seconds() + patience; seconds() < until && !all_answered(run);)
        wait_until(seconds() + 0.02);
    pthread_mutex_lock(&run->lock);
    report(run, engine, length, cpu_seconds() - cpu, before, after);
    pthread_mutex_unlock(&run->lock);
    return all_answered(run) ? 0 : 1;
}

int main(int argc, char **argv)
{
    const int patience = argc == 7 ? atoi(argv[6]) : 2;
    if ((argc != 6 && argc != 7) || atoi(argv[3]) < 1 || atoi(argv[4]) <= WINDOW ||
        atoi(argv[5]) < 1 || atoi(argv[5]) > WINDOW || patience < 1) {
        fprintf(stderr, "usage: gpu-streams MODEL DEVICE STREAMS SECONDS JOIN [PATIENCE]\n");
        return 2;
    }
    const LlavaovEngineOptions options = {
        .size = sizeof options, .model_path = argv[1], .device = argv[2]};
    const int length = atoi(argv[4]);
    LlavaovEngine *engine;
    LlavaovError error = {0};
    Run run = {.lock = PTHREAD_MUTEX_INITIALIZER, .n_streams = (size_t)atoi(argv[3])};
    if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    engine->n_stop_tokens = 0; /* nothing has been asked for: no thread looks at these yet */
    run.capacity = run.n_streams * (size_t)length;
    run.streams = calloc(run.n_streams, sizeof *run.streams);
    run.latencies = calloc(run.capacity, sizeof *run.latencies);
    run.pictures = malloc((size_t)PICTURES * WIDTH * HEIGHT * 3 / 2);
    if (!run.streams || !run.latencies || !run.pictures)
        return 1;
    for (size_t i = 0; i < (size_t)PICTURES * WIDTH * HEIGHT * 3 / 2; i++)
        run.pictures[i] = (uint8_t)((i * 2654435761u >> 20) + i / WIDTH);
    for (size_t i = 0; i < run.n_streams; i++) {
        run.streams[i].run = &run;
        if (llavaov_session_open(engine, NULL, &run.streams[i].session, &error) != LLAVAOV_OK) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
    }
    const int status = stream_for(engine, &run, length, (size_t)atoi(argv[5]), patience);
    for (size_t i = 0; i < run.n_streams; i++) {
        while (run.streams[i].n_frames > 0)
            llavaov_frame_unref(run.streams[i].frames[--run.streams[i].n_frames]);
        llavaov_session_close(run.streams[i].session);
    }
    llavaov_engine_unref(engine);
    free(run.streams);
    free(run.latencies);
    free(run.pictures);
    return status;
}
