/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/pages.h"
#include "base/status.h"

static void allocation_refuses_overflow(void **state)
{
    assert_null(lv_alloc(SIZE_MAX, 2));
    assert_null(lv_calloc(SIZE_MAX / 2, 3));
    assert_null(lv_alloc_aligned(1, SIZE_MAX));
    assert_null(lv_realloc(NULL, SIZE_MAX, SIZE_MAX));
}

static void allocation_of_nothing_is_a_block(void **state)
{
    void *block = lv_alloc(0, 16);
    assert_non_null(block);
    lv_free(block);
}

static void aligned_blocks_are_aligned(void **state)
{
    for (size_t n = 1; n < 300; n += 37) {
        void *block = lv_alloc_aligned(n, 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        lv_free(block);
    }
}

static void pages_are_zeroed_and_refuse_overflow(void **state)
{
    assert_null(lv_pages_alloc(SIZE_MAX, 2));
    assert_null(lv_pages_alloc(1, SIZE_MAX));
    lv_pages_free(NULL);
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = lv_pages_alloc(sizes[i], 3);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t k = 0; k < 3 * sizes[i]; k++)
            assert_int_equal(block[k], 0);
        memset(block, 255, 3 * sizes[i]);
        lv_pages_free(block);
    }
    lv_alloc_fail_after(0);
    assert_null(lv_pages_alloc(1, 1));
}

static void the_nth_allocation_fails_on_demand(void **state)
{
    lv_alloc_fail_after(1);
    void *first = lv_alloc(1, 1);
    assert_non_null(first);
    assert_null(lv_calloc(1, 1));
    void *third = lv_alloc(1, 1);
    assert_non_null(third);
    lv_free(first);
    lv_free(third);
}

static void failing_fills_the_error(void **state)
{
    LlavaovError error;
    assert_int_equal(
        lv_fail(&error, LLAVAOV_ERROR_FORMAT, "config.json", "%s is %d", "config.json", 7),
        LLAVAOV_ERROR_FORMAT);
    assert_int_equal(error.status, LLAVAOV_ERROR_FORMAT);
    assert_string_equal(error.subject, "config.json");
    assert_int_equal(error.about, LLAVAOV_ABOUT_FILE);
    assert_string_equal(error.message, "config.json is 7");
    lv_fail_about(&error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, NULL, "it is gone");
    assert_int_equal(error.about, LLAVAOV_ABOUT_DEVICE);
    assert_string_equal(error.subject, "");
    assert_int_equal(lv_fail(NULL, LLAVAOV_ERROR_IO, NULL, "no one listens"), LLAVAOV_ERROR_IO);
}

static void precisions_have_names(void **state)
{
    LlavaovPrecision precision;
    char sentence[128] = "";
    int n = 0;
    for (; llavaov_precision_name((LlavaovPrecision)n); n++) {
        assert_true(
            llavaov_precision_from_name(llavaov_precision_name((LlavaovPrecision)n), &precision));
        assert_int_equal(precision, n);
        const char *between = n == 0 ? "" : n == LLAVAOV_PRECISION_INT4 ? " or " : ", ";
        strcat(strcat(sentence, between), llavaov_precision_name((LlavaovPrecision)n));
    }
    assert_string_equal(sentence, LLAVAOV_PRECISION_NAMES);
    assert_int_equal(n, LLAVAOV_PRECISION_INT4 + 1);
    assert_false(llavaov_precision_from_name("F32", &precision));
    assert_false(llavaov_precision_from_name("", &precision));
}

static void long_messages_end_in_whole_characters(void **state)
{
    char text[2048];
    for (size_t offset = 0; offset < 3; offset++) {
        memset(text, 'a', offset);
        for (size_t i = offset; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe4\xbd\xa0", 4);
        LlavaovError error;
        lv_fail(&error, LLAVAOV_ERROR_FORMAT, text, "%s", text);
        assert_int_equal((strlen(error.message) - offset) % 3, 0);
        assert_int_equal((strlen(error.subject) - offset) % 3, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocation_refuses_overflow),
        cmocka_unit_test(allocation_of_nothing_is_a_block),
        cmocka_unit_test(aligned_blocks_are_aligned),
        cmocka_unit_test(pages_are_zeroed_and_refuse_overflow),
        cmocka_unit_test(the_nth_allocation_fails_on_demand),
        cmocka_unit_test(failing_fills_the_error),
        cmocka_unit_test(precisions_have_names),
        cmocka_unit_test(long_messages_end_in_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
