/* SPDX-License-Identifier: Apache-2.0
 * Many cameras on one engine, without GStreamer: sessions that push made-up 1920 x 1080 NV12
 * pictures once a second, evenly staggered, and ask after every eighth for 32 tokens. A window is
 * dropped when the session's earlier answer has not come by then. One line of JSON.
 *
 *     gpu-streams MODEL DEVICE STREAMS SECONDS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "llavaov.h"

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
    char first_error[256];
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
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
        const LlavaovRequest request = {.layout = LLAVAOV_LAYOUT_VIDEO,
            .frames = stream->frames,
            .n_frames = WINDOW,
            .prompt = "What is happening?",
            .generation = generation,
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
    const LlavaovFrameSource source = {
        .map = map_picture, .data = run->pictures + picture % PICTURES * WIDTH * HEIGHT * 3 / 2};
    LlavaovError error;
    if (llavaov_session_push_frame(stream->session, &source, LLAVAOV_LAYOUT_VIDEO,
            LLAVAOV_ENCODE_ON_ARRIVAL, NULL, &stream->frames[stream->n_frames],
            &error) != LLAVAOV_OK) {
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

static void report(Run *run, LlavaovEngine *engine, int length, double cpu, long before, long after)
{
    qsort(run->latencies, run->answers, sizeof *run->latencies, by_value);
    const size_t n = run->answers;
    LlavaovEngineStats stats;
    llavaov_engine_stats(engine, &stats);
    printf("{\"driver\": \"engine, no GStreamer\", \"device\": \"%s\", \"streams\": %zu, "
           "\"seconds\": %d, \"windows\": %zu, \"answers\": %zu, \"dropped\": %zu, \"failures\": "
           "%zu, \"p50_s\": %.3f, \"p99_s\": %.3f, \"cpu_per_stream\": %.4f, \"resident_kib\": "
           "[%ld, %ld], \"tiles_per_encoder_call\": %.2f, \"requests_per_decoding_step\": "
           "%.2f%s%s%s%s%s%s}\n",
        llavaov_engine_info(engine)->device_detail, run->n_streams, length, run->windows, n,
        run->dropped, run->failures, n ? run->latencies[n / 2] : 0.0,
        n ? run->latencies[(n * 99) / 100] : 0.0, cpu / length / (double)run->n_streams, before,
        after, ratio(stats.encoder_tiles, stats.encoder_calls),
        ratio(stats.decoder_rows, stats.decoder_steps), stats.notice ? ", \"notice\": \"" : "",
        stats.notice ? stats.notice : "", stats.notice ? "\"" : "",
        run->first_error[0] ? ", \"first_error\": \"" : "", run->first_error,
        run->first_error[0] ? "\"" : "");
}

static int stream_for(LlavaovEngine *engine, Run *run, int length)
{
    const double start = seconds() + 0.5, cpu = cpu_seconds();
    const size_t ticks = (size_t)length * run->n_streams;
    long before = 0;
    for (size_t tick = 0; tick < ticks; tick++) {
        wait_until(start + (double)tick / (double)run->n_streams);
        const size_t stream = tick % run->n_streams, round = tick / run->n_streams;
        if (stream == 0 && round == WINDOW)
            before = resident_kib(); /* every session has had its first window */
        push(&run->streams[stream], round + stream);
    }
    const long after = resident_kib();
    wait_until(seconds() + 2);
    pthread_mutex_lock(&run->lock);
    report(run, engine, length, cpu_seconds() - cpu, before, after);
    const bool good = run->dropped == 0 && run->failures == 0 && run->answers > 0;
    pthread_mutex_unlock(&run->lock);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 5 || atoi(argv[3]) < 1 || atoi(argv[4]) <= WINDOW) {
        fprintf(stderr, "usage: gpu-streams MODEL DEVICE STREAMS SECONDS\n");
        return 2;
    }
    const LlavaovEngineOptions options = {.model_path = argv[1], .device = argv[2]};
    const int length = atoi(argv[4]);
    LlavaovEngine *engine;
    LlavaovError error = {0};
    Run run = {.lock = PTHREAD_MUTEX_INITIALIZER, .n_streams = (size_t)atoi(argv[3])};
    if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
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
    const int status = stream_for(engine, &run, length);
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
