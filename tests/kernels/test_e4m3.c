/* SPDX-License-Identifier: Apache-2.0
 * Numbers of eight bits against torch.float8_e4m3fn (make_e4m3.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "e4m3.h"
#include "e4m3_golden.h"

static float number(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void codes_are_torchs_numbers(void **state)
{
    for (unsigned code = 0; code < 256; code++) {
        const float got = lv_e4m3_to_float((uint8_t)code), wanted = number(golden_numbers[code]);
        if (isnan(wanted))
            assert_true(isnan(got));
        else
            assert_memory_equal(&got, &wanted, sizeof got);
        assert_int_equal(lv_e4m3_from_float(got), code);
    }
}

/* Between the least of a code and the least of the next there are only numbers that become it: both
 * ends of each, some between them, and with the other sign. */
static void numbers_become_torchs_codes(void **state)
{
    for (unsigned code = 0; code <= 0x7E; code++) {
        const uint32_t first = golden_least[code],
                       end = code < 0x7E ? golden_least[code + 1] : 0x7F800001;
        assert_true(first < end);
        for (unsigned i = 0; i <= 64; i++) {
            const uint32_t bits = first + (uint32_t)((uint64_t)(end - 1 - first) * i / 64);
            assert_int_equal(lv_e4m3_from_float(number(bits)), code);
            assert_int_equal(lv_e4m3_from_float(-number(bits)), code | 0x80);
        }
    }
}

static void special_numbers(void **state)
{
    static const struct {
        float x;
        uint8_t code;
    } cases[] = {{0.0f, 0}, {-0.0f, 0x80}, {448, 0x7E}, {449, 0x7E}, {464, 0x7E}, {1e30f, 0x7E},
        {INFINITY, 0x7E}, {-INFINITY, 0xFE}, {0x1p-9f, 1}, {0x1p-10f, 0}, {0x1.8p-10f, 1},
        {0x1.8p-9f, 2}, {0x1.4p-8f, 2}, {0x1p-149f, 0}, {0x1p-6f, 8}, {0x1.ep-7f, 8}, {1, 0x38},
        {1.0625f, 0x38}, {1.1875f, 0x3A}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(lv_e4m3_from_float(cases[i].x), cases[i].code);
    assert_int_equal(lv_e4m3_from_float(NAN) & 0x7F, LV_E4M3_NAN);
    assert_int_equal(lv_e4m3_from_float(-NAN) & 0x7F, LV_E4M3_NAN);
}

/* The greatest fits, and a scale's inverse is a number. */
static void scales(void **state)
{
    static const float greatest[] = {
        0, 0x1p-149f, 0x1p-100f, 0x1p-90f, 1e-20f, 0.3f, 1, 448, 5e4f, 0x1.fep127f};
    for (size_t i = 0; i < sizeof greatest / sizeof *greatest; i++) {
        const float scale = lv_e4m3_scale(greatest[i]), inverse = 1.0f / scale;
        assert_true(isfinite(scale) && scale > 0 && isfinite(inverse));
        assert_true(greatest[i] * inverse < 449);
        if (greatest[i] >= 0x1p-90f)
            assert_int_equal(lv_e4m3_from_float(greatest[i] * inverse), 0x7E);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_torchs_numbers),
        cmocka_unit_test(numbers_become_torchs_codes),
        cmocka_unit_test(special_numbers),
        cmocka_unit_test(scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
