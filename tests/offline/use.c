/* SPDX-License-Identifier: Apache-2.0
 * jansson and cmocka as they are built where the system has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

static void numbers_and_text_survive(void **state)
{
    const char *text = "{\"a\": [1, -2.5, true, null], \"b\": \"\\u00e9\"}";
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    const json_t *list = json_object_get(root, "a");
    assert_int_equal(json_array_size(list), 4);
    assert_int_equal(json_integer_value(json_array_get(list, 0)), 1);
    assert_true(json_real_value(json_array_get(list, 1)) == -2.5);
    assert_string_equal(json_string_value(json_object_get(root, "b")), "\xc3\xa9");
    json_decref(root);
}

static void depth_is_bounded(void **state)
{
    char text[5000];
    memset(text, '[', sizeof text);
    assert_null(json_loadb(text, sizeof text, 0, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_text_survive),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
