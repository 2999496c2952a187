/* SPDX-License-Identifier: Apache-2.0
 * The fake device does what its script says, when it says it, and names what it does not
 * understand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <math.h>
#include <time.h>
#include <cmocka.h>

#include "backend/backend.h"

static LlavaovStatus open_fake(const char *device, LvBackend **backend, LlavaovError *error)
{
    LvBackendOptions options = {.device = device, .threads = 1};
    return lv_backend_open(&options, backend, error);
}

static LlavaovStatus copy_once(
    LvBackend *b, const LvCancel *cancel, LlavaovError *error, float got[4])
{
    LvRun run = {.cancel = cancel, .error = error};
    LvTensor in = {0}, out = {0};
    const float values[4] = {1, 2, 3, 4};
    LlavaovStatus status = b->ops->tensor_alloc(b, 2, 2, &in, error);
    if (status == LLAVAOV_OK)
        status = b->ops->tensor_alloc(b, 2, 2, &out, error);
    if (status == LLAVAOV_OK)
        status = b->ops->upload(b, &run, in, values);
    if (status == LLAVAOV_OK)
        status = b->ops->copy(b, &run, out, in);
    if (status == LLAVAOV_OK)
        status = b->ops->download(b, &run, got, out);
    b->ops->tensor_free(b, &in);
    b->ops->tensor_free(b, &out);
    return status;
}

static void faults_happen_at_their_call(void **state)
{
    LvBackend *b;
    LlavaovError error = {0};
    float got[4];
    assert_int_equal(
        open_fake("fake:fail=copy@2;nan=copy@3;zero=copy@4;memory=copy@5", &b, &error), LLAVAOV_OK);
    assert_string_equal(b->info.device, "fake");
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_OK);
    assert_true(got[3] == 4);
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_ERROR_DEVICE);
    assert_string_equal(error.subject, "copy");
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_OK);
    assert_true(isnan(got[0]) && got[1] == 2);
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_OK);
    assert_true(got[0] == 0 && got[3] == 0);
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_ERROR_MEMORY);
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_OK);
    b->ops->close(b);
}

static void a_lost_device_stays_lost(void **state)
{
    LvBackend *b;
    LlavaovError error = {0};
    float got[4];
    assert_int_equal(open_fake("fake:lost-after=3", &b, &error), LLAVAOV_OK);
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_OK); /* upload, copy, download */
    for (int i = 0; i < 3; i++)
        assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_ERROR_DEVICE);
    b->ops->close(b);
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void added_time_is_spent_and_can_be_cancelled(void **state)
{
    LvBackend *b;
    LlavaovError error = {0};
    float got[4];
    assert_int_equal(open_fake("fake:copy-us=30000", &b, &error), LLAVAOV_OK);
    int64_t start = now_ms();
    assert_int_equal(copy_once(b, NULL, &error, got), LLAVAOV_OK);
    assert_true(now_ms() - start >= 29);
    b->ops->close(b);
    assert_int_equal(open_fake("fake:copy-us=3600000000", &b, &error), LLAVAOV_OK);
    LvCancel cancel = {true};
    assert_int_equal(
        copy_once(b, &cancel, &error, got), LLAVAOV_ERROR_CANCELLED); /* not after an hour */
    b->ops->close(b);
}

static void openings_fail_on_demand(void **state)
{
    LvBackend *b;
    LlavaovError error = {0};
    assert_int_equal(open_fake("fake:load-error=memory", &b, &error), LLAVAOV_ERROR_MEMORY);
    assert_int_equal(open_fake("fake:load-error=device", &b, &error), LLAVAOV_ERROR_DEVICE);
    const char *wrong[] = {"fake:load-error=x", "fake:speed=9", "fake:fail=copy", "fake:fail=fly@1",
        "fake:copy-us=-1", "fake:copy-us=1x", "fake:nan", "fake:load-error=ok", "fake:answer-ms=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(open_fake(wrong[i], &b, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, wrong[i] + 5));
        assert_null(b);
    }
    assert_int_equal(open_fake("fake", &b, &error), LLAVAOV_OK);
    b->ops->close(b);
    assert_int_equal(
        open_fake("fake:;copy-us=1;;token-ms=2;prefill-ms=3;", &b, &error), LLAVAOV_OK);
    b->ops->close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_happen_at_their_call),
        cmocka_unit_test(a_lost_device_stays_lost),
        cmocka_unit_test(added_time_is_spent_and_can_be_cancelled),
        cmocka_unit_test(openings_fail_on_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
