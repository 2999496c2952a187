/* SPDX-License-Identifier: Apache-2.0
 * The CUDA backend, executed on the CPU: the demo model sees two pictures and answers as on the
 * CPU backend; failures of the device are named and stay where they are. Arguments: the stand-in
 * module, the folder of the demo model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "requests.h"
#include "standin_test.h"

#define MOST_TOKENS 16
#define WIDTH 192
#define HEIGHT 144

/* ---- one window ---- */

static uint8_t pixels[2][HEIGHT][WIDTH][3];

/* A ball on a plain ground, moving to the right. */
static LlavaovImage draw(int time)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int dx = x - 50 - 60 * time, dy = y - 70;
            const uint8_t ball[3] = {220, 30, 30}, ground[3] = {40, 60, 160};
            memcpy(pixels[time][y][x], dx * dx + dy * dy < 900 ? ball : ground, 3);
        }
    return (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {pixels[time][0][0]},
        .stride = {WIDTH * 3}};
}

static Reply ask_window(LlavaovEngine *engine, const char *prompt)
{
    const LlavaovImage pictures[2] = {draw(0), draw(1)};
    Question question = {prompt, llavaov_generation_default(), pictures, 2};
    Reply reply;
    question.generation.max_new_tokens = MOST_TOKENS;
    ask_all(engine, &question, 1, &reply);
    return reply;
}

/* `wishes`: of the stand-in (standin.c). */
static LlavaovStatus open_engine(const char *device, LlavaovPrecision precision, const char *wishes,
    LlavaovEngine **engine, LlavaovError *error)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = demo_model,
        .device = device,
        .precision = precision,
        .threads = 1};
    setenv("LLAVAOV_STANDIN", wishes, 1);
    *error = (LlavaovError){0};
    return llavaov_engine_open(&options, engine, error);
}

static LlavaovEngine *must_open(const char *device, LlavaovPrecision precision, const char *wishes)
{
    LlavaovEngine *engine;
    LlavaovError error;
    if (open_engine(device, precision, wishes, &engine, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", device, error.message);
    return engine;
}

/* ---- answers ---- */

static void a_window_gives_the_cpus_tokens(void **state)
{
    static const char question[] = "What colour is the ball?";
    LlavaovEngine *cpu = must_open("cpu", LLAVAOV_PRECISION_AUTO, "");
    const Reply wanted = ask_window(cpu, question);
    static const LlavaovPrecision precisions[] = {LLAVAOV_PRECISION_F32, LLAVAOV_PRECISION_AUTO};
    for (size_t i = 0; i < 2; i++) {
        LlavaovEngine *cuda = must_open(i ? "auto" : "cuda", precisions[i], "");
        const LlavaovEngineInfo *info = llavaov_engine_info(cuda);
        assert_string_equal(info->device, "cuda:0");
        assert_string_equal(info->precision, i ? "bf16" : "f32");
        assert_non_null(strstr(info->device_detail, "CPU stand-in"));
        const Reply got = ask_window(cuda, question);
        same_answer(&got, &wanted);
        assert_true(got.new_tokens > 2 && got.text[0]);
        llavaov_engine_unref(cuda);
    }
    llavaov_engine_unref(cpu);
}

/* A prompt without pictures. */
static Reply ask_text(LlavaovEngine *engine, uint32_t tokens)
{
    Question question = {"How many wheels has a car?", llavaov_generation_default(), NULL, 0};
    Reply reply;
    question.generation.max_new_tokens = tokens;
    ask_all(engine, &question, 1, &reply);
    assert_int_equal(reply.status, LLAVAOV_OK);
    return reply;
}

/* Launches of one and its first token: two frames take one encoder call or two, as they happen to
 * come. */
static uint64_t launches_of_a_prompt(LlavaovEngine *engine)
{
    const uint64_t before = count().launches;
    ask_text(engine, 1);
    return count().launches - before;
}

/* What is off until a GPU has passed it. */
static void other_kernels_answer_alike(void **state)
{
    static const char question[] = "What colour is the ball?";
    static const char *const devices[] = {"cuda;attention=wgmma", "cuda;gate=fused"};
    LlavaovEngine *plain = must_open("cuda", LLAVAOV_PRECISION_BF16, "");
    const Reply wanted = ask_window(plain, question);
    const uint64_t launches = launches_of_a_prompt(plain);
    llavaov_engine_unref(plain);
    for (size_t i = 0; i < 2; i++) {
        LlavaovEngine *engine = must_open(devices[i], LLAVAOV_PRECISION_BF16, "");
        assert_non_null(
            strstr(llavaov_engine_info(engine)->device_detail, strchr(devices[i], ';') + 1));
        const Reply got = ask_window(engine, question);
        same_answer(&got, &wanted);
        assert_int_equal(launches_of_a_prompt(engine) < launches, i == 1); /* one for two */
        llavaov_engine_unref(engine);
    }
}

/* In fp8 an answer need not be bf16's, so what it was computed with is counted: a token more is no
 * product more, and a picture is many. Where there are no such products all is as in bf16. */
static void fp8_is_of_layers_and_many_rows(void **state)
{
    static const struct {
        const char *wishes, *detail;
        bool computed;
    } cases[] = {{"", "fp8, a scale a row", true}, {"ada", "fp8, one scale", true},
        {"no-fp8", "fp8, a scale a row", false}};
    LlavaovEngine *plain = must_open("cuda", LLAVAOV_PRECISION_BF16, "");
    const Reply wanted = ask_text(plain, 4);
    assert_int_equal(count().fp8, 0);
    llavaov_engine_unref(plain);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LlavaovEngine *engine = must_open("cuda", LLAVAOV_PRECISION_FP8, cases[i].wishes);
        const LlavaovEngineInfo *info = llavaov_engine_info(engine);
        assert_string_equal(info->precision, "fp8");
        assert_non_null(strstr(info->device_detail, cases[i].detail));
        const uint64_t before = count().fp8;
        ask_text(engine, 1);
        const uint64_t products = count().fp8 - before;
        const Reply got = ask_text(engine, 4);
        assert_int_equal(count().fp8 - before, 2 * products);
        assert_int_equal(products > 0, cases[i].computed);
        if (!cases[i].computed)
            same_answer(&got, &wanted);
        if (i == 0) {
            const Reply seen = ask_window(engine, "What colour is the ball?");
            assert_true(seen.status == LLAVAOV_OK && seen.new_tokens > 2);
            assert_true(count().fp8 - before > 3 * products);
        }
        llavaov_engine_unref(engine);
    }
}

/* What the GPU's own library has no algorithm for. */
static void refused_products_still_come(void **state)
{
    static const char question[] = "What colour is the ball?";
    LlavaovEngine *cpu = must_open("cpu", LLAVAOV_PRECISION_AUTO, "");
    LlavaovEngine *cuda = must_open("cuda", LLAVAOV_PRECISION_AUTO, "own-products");
    const Reply wanted = ask_window(cpu, question), got = ask_window(cuda, question);
    if (got.status != LLAVAOV_OK)
        fail_msg("%s", got.error.message);
    same_answer(&got, &wanted);
    LlavaovEngineStats stats = {.size = sizeof stats};
    llavaov_engine_stats(cuda, &stats);
    assert_string_equal(stats.notice, "slow products");
    llavaov_engine_unref(cuda);
    llavaov_engine_unref(cpu);
}

/* ---- opening ---- */

static void refused(const char *device, const char *wishes, LlavaovStatus status, const char *text)
{
    LlavaovEngine *engine;
    LlavaovError error;
    assert_int_equal(open_engine(device, LLAVAOV_PRECISION_AUTO, wishes, &engine, &error), status);
    assert_null(engine);
    assert_int_equal(error.status, status);
    if (!strstr(error.message, text))
        fail_msg("\"%s\" in \"%s\"", text, error.message);
    assert_null(strchr(error.message, '\n'));
}

static void cpu_instead(const char *wishes, const char *text)
{
    LlavaovEngine *engine = must_open("auto", LLAVAOV_PRECISION_AUTO, wishes);
    const LlavaovEngineInfo *info = llavaov_engine_info(engine);
    assert_string_equal(info->device, "cpu");
    if (!strstr(info->device_detail, text))
        fail_msg("\"%s\" in \"%s\"", text, info->device_detail);
    llavaov_engine_unref(engine);
}

static void a_device_that_cannot_serve_is_refused(void **state)
{
    refused(
        "cuda", "no-driver", LLAVAOV_ERROR_DEVICE, "device \"cuda\": there is no NVIDIA driver");
    refused(
        "cuda:0", "no-device", LLAVAOV_ERROR_DEVICE, "device \"cuda:0\": there is no NVIDIA GPU");
    refused("cuda:3", "", LLAVAOV_ERROR_DEVICE, "device \"cuda:3\": there is no GPU 3");
    refused("cuda:123456", "", LLAVAOV_ERROR_DEVICE, "there is no GPU 123456");
    refused("cuda", "old", LLAVAOV_ERROR_UNSUPPORTED, "compute capability 7.5");
    refused("cuda;attention=wgmma", "no-overlap", LLAVAOV_ERROR_UNSUPPORTED,
        "attention=wgmma is for compute capability 9.0, CPU stand-in has 8.0");
    cpu_instead("no-driver", "chosen because there is no NVIDIA driver");
    cpu_instead("no-device", "chosen because there is no NVIDIA GPU");
    cpu_instead("old", "compute capability 7.5, at least 8.0 is needed");
}

static void precisions_that_are_none_here_are_refused(void **state)
{
    static const struct {
        const char *device, *wishes, *text;
        LlavaovPrecision precision;
    } cases[] = {{"cuda", "", "or \"fp8\"", LLAVAOV_PRECISION_F16},
        {"cuda", "no-overlap",
            "device \"cuda\": precision=fp8 is for compute capability 8.9 and newer, CPU stand-in "
            "has 8.0",
            LLAVAOV_PRECISION_FP8},
        {"cpu", "", "the CPU backend computes in float32", LLAVAOV_PRECISION_FP8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LlavaovEngine *engine;
        LlavaovError error;
        assert_int_equal(
            open_engine(cases[i].device, cases[i].precision, cases[i].wishes, &engine, &error),
            LLAVAOV_ERROR_UNSUPPORTED);
        assert_string_equal(error.subject, "precision");
        assert_int_equal(error.about, LLAVAOV_ABOUT_OPTION);
        if (!strstr(error.message, cases[i].text) || strchr(error.message, '\n'))
            fail_msg("%s", error.message);
    }
}

/* The sum is known before a weight is sent, and the error says what is missing. */
static void a_small_device_is_refused_with_what_is_missing(void **state)
{
    refused("cuda", "memory=10", LLAVAOV_ERROR_MEMORY, "MiB of memory are missing");
    refused("auto", "memory=10", LLAVAOV_ERROR_MEMORY, "10.0 MiB are free");
    LlavaovEngine *engine = must_open("cuda", LLAVAOV_PRECISION_AUTO, "memory=128");
    llavaov_engine_unref(engine);
}

/* Sizes that measurements try out; without options the backend's own. */
static void the_device_string_sets_the_length_of_slices(void **state)
{
    static const struct {
        const char *device;
        uint32_t preferred_rows;
        double flops;
    } good[] = {{"cuda", 2176, 4 * 7.5e12 / 3 * 2e-3},
        {"auto;warm-ms=0", 2176, 4 * 7.5e12 / 3 * 2e-3},
        {"cuda:0;rows=640;slice-us=500", 640, 4 * 7.5e12 / 3 * 500e-6},
        {"cuda;slice-us=0;rows=4096", 4096, 0}};
    LlavaovError error = {0};
    setenv("LLAVAOV_STANDIN", "", 1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        LvBackend *backend;
        if (lv_backend_open(&(LvBackendOptions){.device = good[i].device}, &backend, &error) !=
            LLAVAOV_OK)
            fail_msg("%s", error.message);
        assert_int_equal(backend->info.preferred_rows, good[i].preferred_rows);
        assert_true(fabs(backend->info.slice_flops - good[i].flops) <= 1e-9 * good[i].flops);
        backend->ops->close(backend);
    }
}

/* ---- faults ---- */

static void still_answers(LlavaovEngine *engine, const Reply *wanted)
{
    const Reply reply = ask_window(engine, "What is shown?");
    same_answer(&reply, wanted);
}

/* Finds a fault that strikes after opening: the number of things that opening does is asked for by
 * letting ever later ones fail. */
static void every_refused_allocation_ends_in_words(void **state)
{
    unsigned opened = 0, n;
    for (n = 1; n < 2000 && opened < 4; n += opened ? 1 : 1 + n / 4) {
        char wishes[32];
        LlavaovEngine *engine;
        LlavaovError error;
        snprintf(wishes, sizeof wishes, "alloc=%u", n);
        LlavaovStatus status = open_engine("cuda", LLAVAOV_PRECISION_F32, wishes, &engine, &error);
        if (status != LLAVAOV_OK) {
            assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
            assert_non_null(strstr(error.message, "no memory for"));
            continue;
        }
        opened++;
        llavaov_engine_unref(engine);
    }
    assert_int_equal(opened, 4);
}

typedef struct Fault {
    const char *wishes, *text;
} Fault;

/* One error that names the failure; the engine answers no more, and says so at once; the one on the
 * CPU is not touched. */
static void a_failing_device_is_named_and_left_alone(void **state)
{
    LlavaovEngine *cpu = must_open("cpu", LLAVAOV_PRECISION_AUTO, "");
    const Reply wanted = ask_window(cpu, "What is shown?");
    static const Fault faults[] = {
        {"launch=%u", "failed: unspecified launch failure (error 719)"},
        {"lost=%u", "failed: the device does not answer (error 999)"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        unsigned struck = 0;
        for (unsigned n = 8; n < 4000 && struck < 3; n += n / 2) {
            char wishes[32];
            LlavaovEngine *engine;
            LlavaovError error;
            snprintf(wishes, sizeof wishes, faults[i].wishes, n);
            LlavaovStatus status =
                open_engine("cuda", LLAVAOV_PRECISION_F32, wishes, &engine, &error);
            if (status != LLAVAOV_OK) { /* it struck while the weights were sent */
                assert_int_equal(status, LLAVAOV_ERROR_DEVICE);
                assert_non_null(strstr(error.message, faults[i].text));
                continue;
            }
            const Reply first = ask_window(engine, "What is shown?");
            if (first.status == LLAVAOV_OK) { /* it would strike later still */
                same_answer(&first, &wanted);
                llavaov_engine_unref(engine);
                break;
            }
            struck++;
            assert_int_equal(first.status, LLAVAOV_ERROR_DEVICE);
            if (!strstr(first.error.message, faults[i].text))
                fail_msg("%s", first.error.message);
            assert_non_null(strstr(first.error.message, "cuda:0: "));
            const Reply second = ask_window(engine, "What is shown?");
            assert_int_equal(second.status, LLAVAOV_ERROR_DEVICE);
            assert_int_equal(second.new_tokens, 0);
            assert_string_equal(second.error.message, first.error.message);
            still_answers(cpu, &wanted);
            llavaov_engine_unref(engine);
        }
        assert_true(struck > 0);
    }
    llavaov_engine_unref(cpu);
}

/* The operation fails; the device is whole, and the next window is answered. */
static void a_launch_refused_for_its_resources_fails_alone(void **state)
{
    LlavaovEngine *cpu = must_open("cpu", LLAVAOV_PRECISION_AUTO, "");
    const Reply wanted = ask_window(cpu, "What is shown?");
    unsigned struck = 0;
    for (unsigned n = 200; n < 4000 && struck < 1; n += n / 2) {
        char wishes[32];
        LlavaovEngine *engine;
        LlavaovError error;
        snprintf(wishes, sizeof wishes, "refuse=%u", n);
        if (open_engine("cuda", LLAVAOV_PRECISION_F32, wishes, &engine, &error) != LLAVAOV_OK) {
            assert_non_null(strstr(error.message, "(error 701)"));
            continue;
        }
        const Reply first = ask_window(engine, "What is shown?");
        if (first.status != LLAVAOV_OK) {
            struck++;
            assert_int_equal(first.status, LLAVAOV_ERROR_DEVICE);
            if (!strstr(first.error.message, "cuda:0: ") ||
                !strstr(first.error.message, "too many resources requested for launch (error 701)"))
                fail_msg("%s", first.error.message);
            const Reply second = ask_window(engine, "What is shown?");
            same_answer(&second, &wanted);
        }
        llavaov_engine_unref(engine);
    }
    assert_true(struck > 0);
    llavaov_engine_unref(cpu);
}

int main(int argc, char **argv)
{
    if (!take_standin(argc, argv))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_gives_the_cpus_tokens),
        cmocka_unit_test(other_kernels_answer_alike),
        cmocka_unit_test(fp8_is_of_layers_and_many_rows),
        cmocka_unit_test(refused_products_still_come),
        cmocka_unit_test(a_device_that_cannot_serve_is_refused),
        cmocka_unit_test(precisions_that_are_none_here_are_refused),
        cmocka_unit_test(the_device_string_sets_the_length_of_slices),
        cmocka_unit_test(a_small_device_is_refused_with_what_is_missing),
        cmocka_unit_test(every_refused_allocation_ends_in_words),
        cmocka_unit_test(a_failing_device_is_named_and_left_alone),
        cmocka_unit_test(a_launch_refused_for_its_resources_fails_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
