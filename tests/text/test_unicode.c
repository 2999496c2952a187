/* SPDX-License-Identifier: Apache-2.0
 * Every code point against the reference's classes, NFC and pieces, by CRC-32 per 4,096 code
 * points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "golden.h"
#include "text/pretokenize.h"
#include "text/unicode.h"
#include "text/utf8.h"

static uint32_t crc_table[256];

static uint32_t crc32(uint32_t crc, const void *data, size_t n)
{
    const unsigned char *p = data;
    crc = ~crc;
    while (n--)
        crc = crc_table[(crc ^ *p++) & 0xFF] ^ crc >> 8;
    return ~crc;
}

static int make_crc_table(void **state)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        crc_table[i] = c;
    }
    return 0;
}

/* The golden shape with every "{}" and "{0}" replaced by the code point. */
static size_t fill(const char *shape, uint32_t code, char *out)
{
    size_t n = 0;
    while (*shape) {
        if (*shape == '{') {
            n += lv_utf8_put(code, out + n);
            shape = strchr(shape, '}') + 1;
        } else {
            out[n++] = *shape++;
        }
    }
    return n;
}

typedef uint32_t (*Feed)(uint32_t crc, const char *text, size_t n);

static uint32_t feed_class(uint32_t crc, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char class = (unsigned char)lv_unicode_class(lv_utf8_next(&p));
    return crc32(crc, &class, 1);
}

static uint32_t feed_nfc(uint32_t crc, const char *text, size_t n)
{
    char *normal;
    size_t normal_bytes;
    assert_int_equal(lv_nfc(text, n, &normal, &normal_bytes, NULL), LLAVAOV_OK);
    crc = crc32(crc, normal ? normal : text, normal_bytes);
    lv_free(normal);
    return crc;
}

static uint32_t feed_pieces(uint32_t crc, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + n;
    while (p < end) {
        unsigned char length = (unsigned char)lv_piece_length(p, end);
        crc = crc32(crc, &length, 1);
        p += length;
    }
    return crc;
}

static void compare(const char *shape, const json_t *blocks, Feed feed)
{
    assert_int_equal(json_array_size(blocks), 0x110000 / 4096);
    for (uint32_t block = 0; block < 0x110000 / 4096; block++) {
        uint32_t crc = 0;
        for (uint32_t code = block * 4096; code < (block + 1) * 4096; code++) {
            char text[64];
            if (code < 0xD800 || code >= 0xE000)
                crc = feed(crc, text, fill(shape, code, text));
        }
        if (crc != json_integer_value(json_array_get(blocks, block)))
            fail_msg("\"%s\" differs between U+%04X and U+%04X", shape, block * 4096,
                block * 4096 + 4095);
    }
}

static void compare_shapes(const char *what, Feed feed)
{
    json_t *root = golden_load("unicode.json");
    const json_t *list = json_object_get(root, what);
    assert_true(json_array_size(list) >= 5);
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
        compare(json_string_value(json_array_get(row, 0)), json_array_get(row, 1), feed);
    json_decref(root);
}

static void classes_are_the_reference_s(void **state)
{
    json_t *root = golden_load("unicode.json");
    compare("{}", json_object_get(root, "class"), feed_class);
    json_decref(root);
}

static void nfc_is_the_reference_s(void **state)
{
    compare_shapes("nfc", feed_nfc);
}

static void pieces_are_the_reference_s(void **state)
{
    compare_shapes("pieces", feed_pieces);
}

static void normal_text_is_not_copied(void **state)
{
    char *out;
    size_t n;
    assert_int_equal(lv_nfc("plain", 5, &out, &n, NULL), LLAVAOV_OK);
    assert_null(out);
    assert_int_equal(n, 5);
    assert_int_equal(lv_nfc("", 0, &out, &n, NULL), LLAVAOV_OK);
    assert_null(out);
}

static void nfc_survives_every_failed_allocation(void **state)
{
    char text[4096];
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, i % 512 ? "\xCC\x81\xCC\xA3" : "abcd", 4);
    LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
    int64_t n = 0;
    for (; status == LLAVAOV_ERROR_MEMORY && n < 1000; n++) {
        char *out;
        size_t bytes;
        LlavaovError error = {0};
        lv_alloc_fail_after(n);
        status = lv_nfc(text, sizeof text, &out, &bytes, &error);
        lv_alloc_fail_after(-1);
        assert_int_equal(error.status, status);
        lv_free(out);
    }
    assert_int_equal(status, LLAVAOV_OK);
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_the_reference_s),
        cmocka_unit_test(nfc_is_the_reference_s),
        cmocka_unit_test(pieces_are_the_reference_s),
        cmocka_unit_test(normal_text_is_not_copied),
        cmocka_unit_test(nfc_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_crc_table, NULL);
}
