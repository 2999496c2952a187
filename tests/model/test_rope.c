/* SPDX-License-Identifier: Apache-2.0
 * The rotary embedding against numbers of transformers (tests/golden/make_rope.py): the first
 * argument is its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "backend/rope.h"

static const char *file;

/* Reads the configuration of a case, as config.json would hold it. */
static LvConfig config_of(const json_t *test)
{
    LvConfig config;
    LlavaovError error;
    char *text = json_dumps(json_object_get(test, "config"), 0);
    if (lv_config_parse(text, strlen(text), "config.json", &config, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", text, error.message);
    free(text);
    return config;
}

static void check_row(
    const LvTextConfig *text, size_t index, uint32_t end, uint32_t position, const json_t *wanted)
{
    float row[LV_MAX_HEAD_DIM];
    lv_rope_rows(row, &text->rope, text->head_dim, lv_rope_variant(&text->rope, end), position, 1);
    assert_int_equal(json_array_size(wanted), text->head_dim);
    for (uint32_t i = 0; i < text->head_dim; i++) {
        double want = json_real_value(json_array_get(wanted, i)), error = fabs(row[i] - want);
        /* the last bit of a frequency and that of an angle */
        if (!(error <= 5e-7 + 2.5e-7 * position))
            fail_msg("case %zu, pass of %u, position %u, [%u]: %.9g, not %.9g", index, end,
                position, i, row[i], want);
    }
}

static void rows_are_those_of_transformers(void **state)
{
    json_t *tests = json_load_file(file, 0, NULL);
    assert_true(json_array_size(tests) > 8);
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i), *passes = json_object_get(test, "passes");
        LvConfig config = config_of(test);
        for (size_t k = 0; k < json_array_size(passes); k++) {
            const json_t *pass = json_array_get(passes, k), *rows = json_object_get(pass, "rows");
            const uint32_t end = (uint32_t)json_integer_value(json_object_get(pass, "end"));
            check_row(&config.text, i, end, end / 3, json_array_get(rows, 0));
            check_row(&config.text, i, end, end - 1, json_array_get(rows, 1));
        }
        lv_config_free(&config);
    }
    json_decref(tests);
}

static void only_lengths_beyond_a_bound_have_variants(void **state)
{
    const LvRope dynamic = {.type = LV_ROPE_DYNAMIC, .positions = 100, .original = 50},
                 longrope = {.type = LV_ROPE_LONGROPE, .positions = 100, .original = 50},
                 yarn = {.type = LV_ROPE_YARN, .positions = 100, .original = 50};
    assert_int_equal(lv_rope_variant(&dynamic, 100), 0);
    assert_int_equal(lv_rope_variant(&dynamic, 101), 101);
    assert_int_equal(lv_rope_variant(&longrope, 50), 0);
    assert_int_equal(lv_rope_variant(&longrope, 51), lv_rope_variant(&longrope, 1000));
    assert_int_equal(lv_rope_variant(&yarn, 1000), 0);
    assert_true(lv_rope_is_fixed(&yarn) && !lv_rope_is_fixed(&dynamic));
}

int main(int argc, char **argv)
{
    file = argc > 1 ? argv[1] : "tests/golden/rope.json";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_transformers),
        cmocka_unit_test(only_lengths_beyond_a_bound_have_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
