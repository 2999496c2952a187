/* SPDX-License-Identifier: Apache-2.0
 * Failures of a real device: memory that is taken away before an engine is opened and while it
 * answers, a launch that fails, and a device that is lost. Each is one error that names it; what
 * was answered before is answered the same afterwards, or nothing is; an engine on the CPU is not
 * touched. The bundled model. Arguments: the module (fault_module.h), the model's folder, the names
 * of the tests to run. Those that take all of the device's memory, or make it fault, are told by
 * name or not run at all, and not where anybody else uses the device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fault_module.h"
#include "reply.h"
#include "serve/engine.h"

#define WIDTH 192
#define HEIGHT 144
#define FRAMES 2
#define MOST_TOKENS 16
#define LONG_ANSWER 3000
#define MANY 400
#define MOST_HELD 65536
#define PATIENCE 300 /* seconds; then the alarm ends a program that hangs */

static const char *module, *model;
static uint8_t pixels[FRAMES][HEIGHT][WIDTH][3];

/* ---- one window ---- */

static LlavaovStatus map_picture(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {data},
        .stride = {WIDTH * 3}};
    return LLAVAOV_OK;
}

/* A ball on a plain ground, moving to the right. */
static void draw(void)
{
    const uint8_t ball[3] = {220, 30, 30}, ground[3] = {40, 60, 160};
    for (int t = 0; t < FRAMES; t++)
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++) {
                const int dx = x - 50 - 60 * t, dy = y - 70;
                memcpy(pixels[t][y][x], dx * dx + dy * dy < 900 ? ball : ground, 3);
            }
}

static Reply ask_window(LlavaovEngine *engine)
{
    LlavaovSession *session;
    LlavaovFrame *frames[FRAMES];
    LlavaovError error;
    assert_int_equal(llavaov_session_open(engine, NULL, &session, &error), LLAVAOV_OK);
    for (int i = 0; i < FRAMES; i++) {
        const LlavaovFrameSource source = {.size = sizeof source,
            .map = map_picture,
            .data = pixels[i],
            .layout = LLAVAOV_LAYOUT_VIDEO};
        assert_int_equal(
            llavaov_session_push_frame(session, &source, &frames[i], &error), LLAVAOV_OK);
    }
    Reply reply;
    reply_init(&reply);
    llavaov_ticket_unref(ask(session, &reply, frames, FRAMES, LLAVAOV_LAYOUT_VIDEO,
        "What colour is the ball?", MOST_TOKENS));
    reply_wait(&reply);
    for (int i = 0; i < FRAMES; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(session);
    return reply;
}

static LlavaovStatus open_engine(const char *device, LlavaovEngine **engine, LlavaovError *error)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = model,
        .device = device,
        .precision = LLAVAOV_PRECISION_F32,
        .threads = 1};
    *error = (LlavaovError){0};
    return llavaov_engine_open(&options, engine, error);
}

static LlavaovEngine *must_open(const char *device)
{
    LlavaovEngine *engine;
    LlavaovError error;
    if (open_engine(device, &engine, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", device, error.message);
    return engine;
}

static void same_answer(const Reply *a, const Reply *b)
{
    if (a->status != LLAVAOV_OK)
        fail_msg("%s", a->error.message);
    assert_int_equal(b->status, LLAVAOV_OK);
    assert_int_equal(a->new_tokens, b->new_tokens);
    assert_memory_equal(a->tokens, b->tokens, a->new_tokens * sizeof a->tokens[0]);
    assert_true(a->new_tokens > 2 && a->text[0]);
}

static void still_answers(LlavaovEngine *engine, const Reply *wanted)
{
    const Reply reply = ask_window(engine);
    same_answer(&reply, wanted);
}

/* ---- memory ---- */

typedef struct Held {
    void *blocks[MOST_HELD];
    size_t n;
} Held;

static Held held;

/* Takes what is free on the device but for `leave` bytes. */
static void take_memory(size_t leave)
{
    size_t available = 0, total;
    for (size_t bytes = (size_t)1 << 30; bytes >= (size_t)1 << 20; bytes /= 2)
        while (held.n < MOST_HELD && cudaMemGetInfo(&available, &total) == cudaSuccess &&
               available >= leave + bytes && cudaMalloc(&held.blocks[held.n], bytes) == cudaSuccess)
            held.n++;
    cudaGetLastError();
    assert_true(held.n > 0);
}

/* Other users of the device would be left without memory, or lose it with us. */
static bool is_shared(void)
{
    size_t available = 0, total = 0;
    const size_t own = (size_t)2 << 30; /* this process's context, and the driver's */
    return cudaMemGetInfo(&available, &total) != cudaSuccess || total - available > own;
}

static void give_memory(void)
{
    while (held.n > 0)
        cudaFree(held.blocks[--held.n]);
}

static void memory_that_is_missing_at_open(void **state)
{
    LlavaovEngine *engine;
    LlavaovError error;
    take_memory((size_t)40 << 20);
    assert_int_equal(open_engine("cuda", &engine, &error), LLAVAOV_ERROR_MEMORY);
    assert_null(engine);
    printf("%s\n", error.message);
    if (!strstr(error.message, "memory"))
        fail_msg("%s", error.message);
    give_memory();
    engine = must_open("cuda");
    LlavaovEngine *cpu = must_open("cpu");
    const Reply wanted = ask_window(cpu);
    still_answers(engine, &wanted);
    llavaov_engine_unref(engine);
    llavaov_engine_unref(cpu);
}

/* Long answers, each with a cache of its own, until the device refuses one. */
static void memory_that_runs_out_under_way(void **state)
{
    LlavaovEngine *engine = must_open("cuda"), *cpu = must_open("cpu");
    const Reply wanted = ask_window(cpu);
    still_answers(engine, &wanted);
    take_memory(0);
    const uint32_t n_stop_tokens = engine->n_stop_tokens; /* nothing is under way */
    engine->n_stop_tokens = 0;
    LlavaovSession **sessions = calloc(MANY, sizeof *sessions);
    LlavaovTicket **tickets = calloc(MANY, sizeof *tickets);
    Reply *replies = calloc(MANY, sizeof *replies);
    LlavaovError error;
    unsigned refused = 0;
    assert_true(sessions && tickets && replies);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(llavaov_session_open(engine, NULL, &sessions[i], &error), LLAVAOV_OK);
        reply_init(&replies[i]);
        tickets[i] = ask(
            sessions[i], &replies[i], NULL, 0, LLAVAOV_LAYOUT_VIDEO, "What is shown?", LONG_ANSWER);
    }
    for (int i = 0; i < MANY; i++)
        reply_wait(&replies[i]);
    for (int i = 0; i < MANY; i++) {
        if (replies[i].status == LLAVAOV_ERROR_MEMORY) {
            if (refused++ == 0)
                printf("%s\n", replies[i].error.message);
            assert_non_null(strstr(replies[i].error.message, "memory"));
        } else if (replies[i].status != LLAVAOV_OK) {
            fail_msg("%s", replies[i].error.message);
        }
        llavaov_ticket_unref(tickets[i]);
        llavaov_session_close(sessions[i]);
    }
    assert_true(refused > 0);
    engine->n_stop_tokens = n_stop_tokens;
    give_memory();
    still_answers(engine, &wanted); /* the device is whole */
    still_answers(cpu, &wanted);
    free(sessions);
    free(tickets);
    free(replies);
    llavaov_engine_unref(engine);
    llavaov_engine_unref(cpu);
}

/* ---- launches ---- */

static void arm(LvFault fault, int after)
{
    void *library = dlopen(module, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    const LvFaultArm arm_it = (LvFaultArm)dlsym(library, "lv_fault_arm");
    assert_non_null(arm_it);
    arm_it(fault, after);
    dlclose(library);
}

/* One error, the same for later questions, and no token. */
static void fails(LvFault fault, const char *text)
{
    LlavaovEngine *engine = must_open("cuda"), *cpu = must_open("cpu");
    const Reply wanted = ask_window(cpu);
    still_answers(engine, &wanted);
    arm(fault, 40);
    const Reply first = ask_window(engine);
    assert_int_equal(first.status, LLAVAOV_ERROR_DEVICE);
    printf("%s\n", first.error.message);
    assert_non_null(strstr(first.error.message, "cuda:0: "));
    assert_non_null(strstr(first.error.message, text));
    const Reply second = ask_window(engine);
    assert_int_equal(second.status, LLAVAOV_ERROR_DEVICE);
    assert_int_equal(second.new_tokens, 0);
    assert_string_equal(second.error.message, first.error.message);
    still_answers(cpu, &wanted);
    llavaov_engine_unref(engine);
    still_answers(cpu, &wanted);
    llavaov_engine_unref(cpu);
}

static void a_failing_launch(void **state)
{
    fails(LV_FAULT_LAUNCH, "(error 719)");
    LlavaovEngine *engine = must_open("cuda"), *cpu = must_open("cpu");
    const Reply wanted = ask_window(cpu);
    still_answers(engine, &wanted);
    llavaov_engine_unref(engine);
    llavaov_engine_unref(cpu);
}

/* The last: this process has no device afterwards, and is told so. */
static void a_lost_device(void **state)
{
    fails(LV_FAULT_LOST, "failed: ");
    LlavaovEngine *engine;
    LlavaovError error;
    assert_int_equal(open_engine("cuda", &engine, &error), LLAVAOV_ERROR_DEVICE);
    printf("%s\n", error.message);
}

#define MOST_NAMED 4

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[MOST_NAMED] = {
        cmocka_unit_test(a_failing_launch), cmocka_unit_test(memory_that_is_missing_at_open),
        cmocka_unit_test(memory_that_runs_out_under_way),
        cmocka_unit_test(a_lost_device), /* the last, whatever the order of the names */
    };
    struct CMUnitTest named[MOST_NAMED];
    size_t n = 0;
    for (size_t i = 0; i < MOST_NAMED; i++)
        for (int a = 3; a < argc && n < MOST_NAMED; a++)
            if (strcmp(argv[a], tests[i].name) == 0)
                named[n++] = tests[i];
    if (argc < 4 || n != (size_t)argc - 3) {
        fprintf(stderr, "usage: gpu-faults MODULE MODEL TEST...; tests, each at most once:\n");
        for (size_t i = 0; i < MOST_NAMED; i++)
            fprintf(
                stderr, "  %s%s\n", tests[i].name, i ? " (not on a device that others use)" : "");
        return 2;
    }
    module = argv[1];
    model = argv[2];
    setenv("LLAVAOV_CUDA_MODULE", module, 1);
    alarm(PATIENCE);
    draw();
    if ((n > 1 || strcmp(named[0].name, tests[0].name) != 0) && is_shared()) {
        fprintf(stderr, "gpu-faults: others use the device, or there is none; nothing was done\n");
        return 3;
    }
    return _cmocka_run_group_tests("faults", named, n, NULL, NULL);
}
