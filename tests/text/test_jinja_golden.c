/* SPDX-License-Identifier: Apache-2.0
 * The template interpreter against what transformers' environment rendered (make_jinja_golden.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "golden.h"
#include "text/jinja/jinja.h"

static char *read_template(const char *name, size_t *bytes)
{
    static char text[1 << 16];
    char path[512];
    snprintf(path, sizeof path, "%s/../templates/%s", TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    return text;
}

static const char *fnv(const char *text, size_t bytes)
{
    static char hex[17];
    uint64_t value = 0xCBF29CE484222325u;
    for (size_t i = 0; i < bytes; i++)
        value = (value ^ (unsigned char)text[i]) * 0x100000001B3u;
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)value);
    return hex;
}

static void templates_render_as_jinja2_does(void **state)
{
    json_t *golden = golden_load("jinja.json"), *hashes, *hash;
    const json_t *conversations = json_object_get(golden, "conversations");
    const struct tm now = {.tm_year = 124, .tm_mon = 6, .tm_mday = 26, .tm_hour = 12};
    const LvJinjaOptions options = {.now = &now};
    const char *name;
    size_t i, rendered = 0;
    json_object_foreach(json_object_get(golden, "templates"), name, hashes)
    {
        LvJinjaTemplate *jinja;
        LlavaovError error = {0};
        size_t bytes;
        const char *source = read_template(name, &bytes);
        if (lv_jinja_compile(source, bytes, name, &jinja, &error))
            fail_msg("%s", error.message);
        json_array_foreach(hashes, i, hash)
        {
            LvJinjaText text;
            LlavaovStatus status =
                lv_jinja_render(jinja, json_array_get(conversations, i), &options, &text, &error);
            if (json_is_null(hash) != (status != LLAVAOV_OK))
                fail_msg("%s, conversation %zu: %s", name, i,
                    status ? error.message : "rendered what jinja2 refuses");
            if (!status && strcmp(fnv(text.text, text.bytes), json_string_value(hash)))
                fail_msg("%s, conversation %zu, renders otherwise: %s", name, i, text.text);
            rendered += !status;
            lv_jinja_text_free(&text);
        }
        lv_jinja_free(jinja);
    }
    assert_true(rendered > 300);
    json_decref(golden);
}

static void expressions_are_what_jinja2_makes_of_them(void **state)
{
    json_t *golden = golden_load("jinja.json"), *row;
    size_t i;
    json_array_foreach(json_object_get(golden, "expressions"), i, row)
    {
        const char *source = json_string_value(json_array_get(row, 0));
        const json_t *expected = json_array_get(row, 1);
        LvJinjaTemplate *jinja;
        LvJinjaText text = {0};
        LlavaovError error = {0};
        LlavaovStatus status = lv_jinja_compile(source, strlen(source), "row", &jinja, &error);
        if (!status)
            status =
                lv_jinja_render(jinja, json_object_get(golden, "generated"), NULL, &text, &error);
        bool same = json_is_null(expected)
                        ? status != LLAVAOV_OK
                        : !status && text.bytes == json_string_length(expected) &&
                              !memcmp(text.text, json_string_value(expected), text.bytes);
        if (!same)
            fail_msg("%s\nrenders %s", source, status ? error.message : text.text);
        lv_jinja_text_free(&text);
        lv_jinja_free(jinja);
    }
    assert_true(i == 700);
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_render_as_jinja2_does),
        cmocka_unit_test(expressions_are_what_jinja2_makes_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
