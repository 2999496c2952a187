/* SPDX-License-Identifier: Apache-2.0
 * The CPU backend as a whole: which devices there are, weights it refuses, threads, cancelling. Its
 * operations have their own test (test_operations.c). */
#include "workbench.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void bad_weights_are_named(void **state)
{
    Bench b;
    bench_open(&b, NULL, 2);
    const uint16_t f16_inf[] = {0, 0x7C00, 0}, bf16_nan[] = {0, 0, 0xFFC1};
    const float f32_nan[] = {NAN, 0, 0};
    const void *data[] = {f32_nan, f16_inf, bf16_nan};
    for (int i = 0; i < 3; i++) {
        LvHostTensor part = {.name = "layer.weight",
            .file = "model.safetensors",
            .dtype = (LvDtype)i,
            .n_dims = 1,
            .shape = {3},
            .data = data[i],
            .bytes = 3 * lv_dtype_bytes((LvDtype)i)};
        const LvHostTensor *parts[] = {&part};
        LvWeight *w;
        assert_int_equal(b.ops->weight_load(b.backend, parts, 1, LV_WEIGHT_VECTOR, &w, &b.error),
            LLAVAOV_ERROR_NUMERIC);
        assert_string_equal(b.error.subject, "layer.weight");
        assert_int_equal(b.error.about, LLAVAOV_ABOUT_TENSOR);
        assert_null(w);
    }
    b.ops->close(b.backend);
}

static void devices_are_named_clearly(void **state)
{
    const struct {
        const char *device, *mask;
        LlavaovPrecision precision;
        LlavaovStatus status;
    } cases[] = {
        {"auto", NULL, LLAVAOV_PRECISION_AUTO, LLAVAOV_OK},
        {NULL, "auto", LLAVAOV_PRECISION_F32, LLAVAOV_OK},
        {"cuda", NULL, LLAVAOV_PRECISION_AUTO, LLAVAOV_ERROR_UNSUPPORTED},
        {"cuda:3", NULL, LLAVAOV_PRECISION_AUTO, LLAVAOV_ERROR_UNSUPPORTED},
        {"cuda:x", NULL, LLAVAOV_PRECISION_AUTO, LLAVAOV_ERROR_ARGUMENT},
        {"tpu", NULL, LLAVAOV_PRECISION_AUTO, LLAVAOV_ERROR_ARGUMENT},
        {"fake:", NULL, LLAVAOV_PRECISION_AUTO, LLAVAOV_ERROR_ARGUMENT},
        {"cpu", "sse9", LLAVAOV_PRECISION_AUTO, LLAVAOV_ERROR_ARGUMENT},
        {"cpu", NULL, LLAVAOV_PRECISION_BF16, LLAVAOV_ERROR_UNSUPPORTED},
        {"auto", NULL, LLAVAOV_PRECISION_NF4, LLAVAOV_OK},
        {"auto", NULL, LLAVAOV_PRECISION_FP4_DQ, LLAVAOV_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LvBackendOptions options = {.device = cases[i].device,
            .cpu_mask = cases[i].mask,
            .precision = cases[i].precision,
            .threads = 1};
        LvBackend *backend;
        LlavaovError error = {0};
        assert_int_equal(lv_backend_open(&options, &backend, &error), cases[i].status);
        assert_int_equal(backend != NULL, cases[i].status == LLAVAOV_OK);
        if (backend) {
            assert_string_equal(backend->info.device, "cpu");
            assert_non_null(strstr(backend->info.detail, "chosen because there is no CUDA module"));
            backend->ops->close(backend);
        } else
            assert_true(error.message[0] != '\0');
    }
}

enum { UNSET = LV_DEVICE_UNSET };

/* What is understood of a device string, and which part of it is not. */
static void device_strings_are_read(void **state)
{
    static const struct {
        const char *text;
        LvDevice device;
    } good[] = {
        {NULL, {LV_DEVICE_AUTO, .rows = UNSET, .slice_us = UNSET, .warm_ms = UNSET}},
        {"", {LV_DEVICE_AUTO, .rows = UNSET, .slice_us = UNSET, .warm_ms = UNSET}},
        {"cpu", {LV_DEVICE_CPU, .rows = UNSET, .slice_us = UNSET, .warm_ms = UNSET}},
        {"cuda:12", {LV_DEVICE_CUDA, 12, .rows = UNSET, .slice_us = UNSET, .warm_ms = UNSET}},
        {"auto;graphs=off", {LV_DEVICE_AUTO, .no_graphs = true, .rows = UNSET, .slice_us = UNSET,
                                .warm_ms = UNSET}},
        {"cuda;plans=timed;graphs=on;plans=first;overlap=off;plans=timed;gate=fused;attention="
         "wgmma;encoder=graph",
            {LV_DEVICE_CUDA, .no_overlap = true, .timed_plans = true, .wgmma = true,
                .fused_gate = true, .encoder_graph = true, .rows = UNSET, .slice_us = UNSET,
                .warm_ms = UNSET}},
        {"cuda:1;overlap=off;graphs=on;rows=65536;slice-us=0;warm-ms=60000",
            {LV_DEVICE_CUDA, 1, .no_overlap = true, .rows = 65536, .warm_ms = 60000}},
    };
    static const struct {
        const char *text, *part;
    } bad[] = {{"tpu", "tpu"}, {"fake", "fake"}, {"fake:", "fake:"},
        {"fake:copy-us=1", "fake:copy-us=1"}, {"cuda:", "cuda:"}, {"cuda:x", "cuda:x"},
        {"cuda:99999999999", "cuda:99999999999"}, {"cuda:-1", "cuda:-1"}, {"Cuda", "Cuda"},
        {"cpu;graphs=off", "graphs=off"}, {"cuda;", ""}, {"cuda;;rows=1", ""},
        {"cuda;graphs", "graphs"}, {"cuda;graphs=no", "graphs=no"}, {"cuda;plans=on", "plans=on"},
        {"cuda;encoder=on", "encoder=on"}, {"cuda;rows=0", "rows=0"}, {"cuda;rows=-1", "rows=-1"},
        {"cuda;rows=12x", "rows=12x"}, {"cuda;rows= 5", "rows= 5"},
        {"cuda;rows=65537", "rows=65537"},
        {"cuda;rows=99999999999999999999", "rows=99999999999999999999"},
        {"cuda;slice-us=1000001", "slice-us=1000001"}, {"cuda;warm-ms=", "warm-ms="},
        {"cuda;colour=red", "colour=red"}, {"cuda ;rows=1", "cuda "}};
    LvDevice device;
    LlavaovError error;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const LvDevice *want = &good[i].device;
        if (lv_device_parse(good[i].text, &device, &error) != LLAVAOV_OK)
            fail_msg("%s", error.message);
        assert_true(device.kind == want->kind && device.number == want->number &&
                    device.no_graphs == want->no_graphs && device.no_overlap == want->no_overlap &&
                    device.timed_plans == want->timed_plans && device.wgmma == want->wgmma &&
                    device.fused_gate == want->fused_gate);
        assert_true(device.rows == want->rows && device.slice_us == want->slice_us &&
                    device.warm_ms == want->warm_ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char part[64];
        assert_int_equal(llavaov_device_check(bad[i].text, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(error.subject, "device");
        snprintf(part, sizeof part, ": \"%s\" is not understood", bad[i].part);
        assert_non_null(strstr(error.message, part));
    }
}

/* How work is shared out must not change a bit of it. */
static void results_do_not_depend_on_threads(void **state)
{
    enum { ROWS = 130, K = 300, N = 200, HEADS = 3, DIM = 24 };
    float *got[3];
    for (uint32_t threads = 1; threads <= 3; threads++) {
        Bench b;
        bench_open(&b, NULL, threads);
        float *in = bench_noise_rows(&b, ROWS * K), *w = bench_noise_rows(&b, N * K),
              *qkv = bench_noise_rows(&b, ROWS * 3 * HEADS * DIM);
        LvWeight *lw = bench_weight(&b, w, N, K, 2, LV_BF16, LV_WEIGHT_LINEAR);
        LvTensor ti = bench_tensor(&b, ROWS, K, in), to = bench_tensor(&b, ROWS, N, NULL);
        LvTensor tq = bench_tensor(&b, ROWS, 3 * HEADS * DIM, qkv),
                 ta = bench_tensor(&b, ROWS, HEADS * DIM, NULL);
        float *out = got[threads - 1] = calloc(ROWS * (2 * N + HEADS * DIM), sizeof *out);
        b.ops->linear(b.backend, &b.run, to, ti, lw, NULL, LV_ACTIVATION_GELU_TANH, NULL);
        b.ops->download(b.backend, &b.run, out, to);
        b.ops->linear(b.backend, &b.run, lv_tensor_rows(to, 0, 20), lv_tensor_rows(ti, 0, 20), lw,
            NULL, LV_ACTIVATION_NONE, NULL);
        b.ops->download(b.backend, &b.run, out + ROWS * N, to);
        b.ops->attention_full(b.backend, &b.run, ta, tq, 1, ROWS, HEADS, DIM);
        b.ops->download(b.backend, &b.run, out + 2 * ROWS * N, ta);
        b.ops->tensor_free(b.backend, &ti);
        b.ops->tensor_free(b.backend, &to);
        b.ops->tensor_free(b.backend, &tq);
        b.ops->tensor_free(b.backend, &ta);
        b.ops->weight_free(b.backend, lw);
        b.ops->close(b.backend);
        free(in), free(w), free(qkv);
    }
    for (int i = 1; i < 3; i++)
        assert_memory_equal(got[0], got[i], ROWS * (2 * N + HEADS * DIM) * sizeof(float));
    free(got[0]), free(got[1]), free(got[2]);
}

static void *raise_soon(void *data)
{
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    lv_cancel_request(data);
    return NULL;
}

/* An operation of many seconds ends when the flag goes up in the middle of it. */
static void a_flag_raised_meanwhile_stops_an_operation(void **state)
{
    for (uint32_t threads = 1; threads <= 2; threads++) {
        Bench b;
        bench_open(&b, "baseline", threads);
        LvCancel cancel = {false};
        b.run.cancel = &cancel;
        LvTensor t = bench_tensor(&b, 40000, 96, NULL), o = bench_tensor(&b, 40000, 32, NULL);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, raise_soon, &cancel), 0);
        assert_int_equal(b.ops->attention_full(b.backend, &b.run, o, t, 1, 40000, 1, 32),
            LLAVAOV_ERROR_CANCELLED);
        pthread_join(thread, NULL);
        b.ops->tensor_free(b.backend, &t);
        b.ops->tensor_free(b.backend, &o);
        b.ops->close(b.backend);
    }
}

static void a_raised_flag_stops_operations(void **state)
{
    Bench b;
    bench_open(&b, NULL, 2);
    LvCancel cancel = {true};
    LvTensor t = bench_tensor(&b, 100, 96, NULL), o = bench_tensor(&b, 100, 32, NULL);
    b.run.cancel = &cancel;
    assert_int_equal(
        b.ops->attention_full(b.backend, &b.run, o, t, 1, 100, 2, 16), LLAVAOV_ERROR_CANCELLED);
    assert_int_equal(b.error.status, LLAVAOV_ERROR_CANCELLED);
    b.ops->tensor_free(b.backend, &t);
    b.ops->tensor_free(b.backend, &o);
    b.ops->close(b.backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_weights_are_named),
        cmocka_unit_test(devices_are_named_clearly),
        cmocka_unit_test(device_strings_are_read),
        cmocka_unit_test(results_do_not_depend_on_threads),
        cmocka_unit_test(a_raised_flag_stops_operations),
        cmocka_unit_test(a_flag_raised_meanwhile_stops_an_operation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bench_forget_weights();
    return failed;
}
