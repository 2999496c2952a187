/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "checkpoint/safetensors.h"
#include "folder.h"

static Folder folder;

static int set_up(void **state)
{
    folder_make(&folder);
    return 0;
}

static int tear_down(void **state)
{
    folder_remove(&folder);
    return 0;
}

/* Writes x.safetensors: the header with its length, or `length` if that is not 0, then data_bytes
 * of data. */
static void put(const char *header, uint64_t length, size_t data_bytes)
{
    size_t bytes = strlen(header);
    char *file = calloc(1, 8 + bytes + data_bytes);
    length = length ? length : bytes;
    for (int i = 0; i < 8; i++)
        file[i] = (char)(length >> 8 * i);
    memcpy(file + 8, header, bytes);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + bytes + i] = (char)i;
    folder_put(&folder, "x.safetensors", file, 8 + bytes + data_bytes);
    free(file);
}

static LlavaovStatus open_x(LvSafetensors *file, LlavaovError *error)
{
    char path[256];
    snprintf(path, sizeof path, "%s/x.safetensors", folder.path);
    memset(error, 0, sizeof *error);
    return lv_safetensors_open(path, "x.safetensors", file, error);
}

#define TENSOR(name, dtype, shape, begin, end)                                                     \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin        \
    "," #end "]}"

static void a_file_is_read_and_mapped(void **state)
{
    /* Names out of data order, a scalar, an empty tensor, a dtype of no use here, metadata, spaces
     * behind. */
    put("{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("b", "F16", "2,3", 20, 32) "," TENSOR(
            "a", "F32", "5", 0, 20) "," TENSOR("s", "BF16", "", 32, 34) "," TENSOR("e", "F32",
            "0,7", 34, 34) "," TENSOR("i", "I64", "1", 34, 42) "}   ",
        0, 42);
    LvSafetensors file;
    LlavaovError error;
    if (open_x(&file, &error))
        fail_msg("%s", error.message);
    assert_int_equal(file.n_tensors, 5);
    assert_string_equal(file.tensors[0].name, "a");
    assert_string_equal(file.tensors[1].name, "b");
    assert_string_equal(file.tensors[1].dtype, "F16");
    assert_int_equal(file.tensors[1].n_dims, 2);
    assert_int_equal(file.tensors[1].shape[1], 3);
    assert_string_equal(file.tensors[2].name, "s");
    assert_int_equal(file.tensors[2].n_dims, 0);
    const char *data = (const char *)file.map + file.data_offset;
    for (int i = 0; i < 42; i++)
        assert_int_equal(data[i], i);
    lv_safetensors_close(&file);
}

static void a_file_without_tensors_is_valid(void **state)
{
    LvSafetensors file;
    LlavaovError error;
    put("{}", 0, 0);
    assert_int_equal(open_x(&file, &error), LLAVAOV_OK);
    assert_int_equal(file.n_tensors, 0);
    lv_safetensors_close(&file);
}

/* Headers that are refused, for how many bytes of data, and what the error's subject and message
 * must hold. */
static const struct {
    const char *header;
    size_t data_bytes;
    LlavaovStatus status;
    const char *subject, *message;
} broken[] = {
    {"", 0, LLAVAOV_ERROR_FORMAT, "x.safetensors", "JSON"},
    {"[]", 0, LLAVAOV_ERROR_FORMAT, "x.safetensors", "object"},
    {"{\"a\":1}", 0, LLAVAOV_ERROR_FORMAT, "a", "object"},
    {"{\"a\":{}}", 0, LLAVAOV_ERROR_FORMAT, "a", "dtype"},
    {"{\"a\":{\"dtype\":7}}", 0, LLAVAOV_ERROR_FORMAT, "a", "dtype"},
    {"{" TENSOR("a", "Q4_K", "2", 0, 8) "}", 8, LLAVAOV_ERROR_UNSUPPORTED, "a", "Q4_K"},
    {"{" TENSOR("a", "f32", "2", 0, 8) "}", 8, LLAVAOV_ERROR_UNSUPPORTED, "a", "f32"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, LLAVAOV_ERROR_FORMAT, "a", "shape"},
    {"{" TENSOR("a", "F32", "-1", 0, 8) "}", 8, LLAVAOV_ERROR_FORMAT, "a", "shape"},
    {"{" TENSOR("a", "F32", "2.0", 0, 8) "}", 8, LLAVAOV_ERROR_FORMAT, "a", "shape"},
    {"{" TENSOR("a", "F32", "1,1,1,1,1,1,1,1,2", 0, 8) "}", 8, LLAVAOV_ERROR_FORMAT, "a",
        "dimensions"},
    {"{" TENSOR("a", "F32", "4294967296,4294967296", 0, 8) "}", 8, LLAVAOV_ERROR_FORMAT, "a",
        "overflow"},
    {"{" TENSOR("a", "F32", "9223372036854775807", 0, 8) "}", 8, LLAVAOV_ERROR_FORMAT, "a",
        "overflow"},
    {"{" TENSOR("a", "F32", "99999999999999999999", 0, 8) "}", 8, LLAVAOV_ERROR_FORMAT,
        "x.safetensors", "JSON"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, LLAVAOV_ERROR_FORMAT, "a", "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, LLAVAOV_ERROR_FORMAT, "a",
        "data_offsets"},
    {"{" TENSOR("a", "F32", "2", 8, 0) "}", 8, LLAVAOV_ERROR_FORMAT, "a", "data_offsets"},
    {"{" TENSOR("a", "F32", "2", -8, 0) "}", 8, LLAVAOV_ERROR_FORMAT, "a", "data_offsets"},
    {"{" TENSOR("a", "F32", "2", 0, 12) "}", 12, LLAVAOV_ERROR_FORMAT, "a", "shape and dtype"},
    {"{" TENSOR("a", "F32", "2", 0, 4) "}", 4, LLAVAOV_ERROR_FORMAT, "a", "shape and dtype"},
    {"{" TENSOR("a", "F32", "2", 0, 9223372036854775807) "}", 8, LLAVAOV_ERROR_FORMAT, "a",
        "shape and dtype"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "}", 7, LLAVAOV_ERROR_FORMAT, "a", "cut short"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "}", 0, LLAVAOV_ERROR_FORMAT, "a", "cut short"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "}", 9, LLAVAOV_ERROR_FORMAT, "x.safetensors",
        "behind the last"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 4, 12) "}", 12,
        LLAVAOV_ERROR_FORMAT, "b", "overlaps a"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 0, 8) "}", 8,
        LLAVAOV_ERROR_FORMAT, "", "overlaps"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 12, 20) "}", 20,
        LLAVAOV_ERROR_FORMAT, "b", "gap"},
    {"{" TENSOR("a", "F32", "2", 4, 12) "}", 12, LLAVAOV_ERROR_FORMAT, "a", "gap"},
    {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("a", "F32", "2", 8, 16) "}", 16,
        LLAVAOV_ERROR_FORMAT, "x.safetensors", "duplicate"},
};

static void broken_headers_are_refused_by_tensor(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        LvSafetensors file;
        LlavaovError error;
        put(broken[i].header, 0, broken[i].data_bytes);
        LlavaovStatus status = open_x(&file, &error);
        if (status != broken[i].status ||
            (*broken[i].subject && strcmp(error.subject, broken[i].subject)) ||
            !strstr(error.message, broken[i].message) || !strstr(error.message, "x.safetensors"))
            fail_msg("%s: status %s, subject \"%s\", message \"%s\"", broken[i].header,
                llavaov_status_name(status), error.subject, error.message);
        assert_null(file.map);
        assert_null(file.tensors);
    }
}

static void absurd_header_lengths_are_refused(void **state)
{
    static const uint64_t lengths[] = {
        (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7, INT64_MAX, (uint64_t)1 << 32, 17 << 20, 3};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        LvSafetensors file;
        LlavaovError error;
        put("{}", lengths[i], 0);
        assert_int_equal(open_x(&file, &error), LLAVAOV_ERROR_FORMAT);
        assert_string_equal(error.subject, "x.safetensors");
        assert_non_null(strstr(error.message, "header"));
    }
}

/* Costs its bytes, not a tree of them. */
static void headers_with_too_many_values_are_refused(void **state)
{
    size_t bytes = 8 << 20;
    char *header = malloc(bytes + 1);
    assert_non_null(header);
    header[0] = '[';
    for (size_t i = 1; i < bytes; i++)
        header[i] = i % 2 ? '0' : ',';
    header[bytes] = '\0';
    put(header, 0, 0);
    free(header);
    LvSafetensors file;
    LlavaovError error;
    assert_int_equal(open_x(&file, &error), LLAVAOV_ERROR_FORMAT);
    assert_string_equal(error.subject, "x.safetensors");
    assert_non_null(strstr(error.message, "values"));
}

static void what_is_no_file_is_refused(void **state)
{
    LvSafetensors file;
    LlavaovError error;
    char path[256];
    snprintf(path, sizeof path, "%s/x.safetensors", folder.path);
    remove(path);
    assert_int_equal(open_x(&file, &error), LLAVAOV_ERROR_NOT_FOUND);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    assert_int_equal(open_x(&file, &error), LLAVAOV_ERROR_IO);
    remove(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(open_x(&file, &error), LLAVAOV_ERROR_IO);
    remove(path);
    for (size_t bytes = 0; bytes < 8; bytes++) {
        folder_put(&folder, "x.safetensors", "\2\0\0\0\0\0\0", bytes);
        assert_int_equal(open_x(&file, &error), LLAVAOV_ERROR_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_and_mapped),
        cmocka_unit_test(a_file_without_tensors_is_valid),
        cmocka_unit_test(broken_headers_are_refused_by_tensor),
        cmocka_unit_test(absurd_header_lengths_are_refused),
        cmocka_unit_test(headers_with_too_many_values_are_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
