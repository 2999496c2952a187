/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

static LlavaovStatus read_all(
    int fd, const char *path, size_t size, char *text, size_t *bytes, LlavaovError *error)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, text + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lv_fail(
                error, LLAVAOV_ERROR_IO, path, "%s: cannot be read: %s", path, strerror(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    text[done] = '\0';
    *bytes = done;
    return LLAVAOV_OK;
}

LlavaovStatus lv_file_read(
    const char *path, size_t limit, char **text, size_t *bytes, LlavaovError *error)
{
    *text = NULL;
    *bytes = 0;
    /* O_NONBLOCK: opening a pipe without a writer would wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, path, "%s: no such file", path)
                   : lv_fail(error, LLAVAOV_ERROR_IO, path, "%s: cannot be opened: %s", path,
                         strerror(errno));
    struct stat info;
    LlavaovStatus status = LLAVAOV_OK;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode))
        status = lv_fail(error, LLAVAOV_ERROR_IO, path, "%s: not a regular file", path);
    else if ((uint64_t)info.st_size > limit)
        status = lv_fail(error, LLAVAOV_ERROR_FORMAT, path,
            "%s: %lld bytes are more than the %zu that such a file may have", path,
            (long long)info.st_size, limit);
    if (!status) {
        *text = lv_alloc((size_t)info.st_size + 1, 1);
        status = *text ? read_all(fd, path, (size_t)info.st_size, *text, bytes, error)
                       : lv_fail(error, LLAVAOV_ERROR_MEMORY, path,
                             "%s: out of memory while reading", path);
    }
    close(fd);
    if (status) {
        lv_free(*text);
        *text = NULL;
    }
    return status;
}

static LlavaovStatus parse(const char *text, size_t bytes, const char *file, size_t flags,
    json_t **root, LlavaovError *error)
{
    *root = NULL;
    size_t commas = 0;
    for (size_t i = 0; i < bytes; i++)
        commas += text[i] == ',';
    if (commas > LV_MAX_JSON_VALUES)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, file,
            "%s: more than %u JSON values are absurd in such a file", file, LV_MAX_JSON_VALUES);
    json_error_t cause;
    *root = json_loadb(text, bytes, flags, &cause);
    if (*root)
        return LLAVAOV_OK;
    /* Every syntax error has a code; running out of memory often has none. */
    enum json_error_code code = json_error_code(&cause);
    if (code == json_error_out_of_memory || code == json_error_unknown)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, file, "%s: out of memory while parsing", file);
    return lv_fail(error, LLAVAOV_ERROR_FORMAT, file, "%s: broken JSON at line %d, column %d: %s",
        file, cause.line, cause.column, cause.text);
}

LlavaovStatus lv_json_parse_loose(
    const char *text, size_t bytes, const char *file, json_t **root, LlavaovError *error)
{
    LlavaovStatus status = parse(text, bytes, file, JSON_DECODE_INT_AS_REAL, root, error);
    if (status == LLAVAOV_OK && !json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        status = lv_fail(error, LLAVAOV_ERROR_FORMAT, file, "%s: the JSON is not an object", file);
    }
    return status;
}

LlavaovStatus lv_json_parse_any(
    const char *text, size_t bytes, const char *file, json_t **root, LlavaovError *error)
{
    return parse(text, bytes, file, 0, root, error);
}

LlavaovStatus lv_json_parse(const char *text, size_t bytes, const char *file,
    bool refuse_duplicates, json_t **root, LlavaovError *error)
{
    LlavaovStatus status =
        parse(text, bytes, file, refuse_duplicates ? JSON_REJECT_DUPLICATES : 0, root, error);
    if (status)
        return status;
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, file, "%s: the JSON is not an object", file);
    }
    return LLAVAOV_OK;
}

void lv_field_fail(
    LvFields *fields, LlavaovStatus status, const char *name, const char *format, ...)
{
    if (fields->status)
        return;
    char subject[256], text[512];
    snprintf(subject, sizeof subject, "%s%s", fields->path, name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fields->status =
        lv_fail(fields->error, status, subject, "%s: %s %s", fields->file, subject, text);
}

const json_t *lv_field(const LvFields *fields, const char *name)
{
    const json_t *value = fields->object ? json_object_get(fields->object, name) : NULL;
    return json_is_null(value) ? NULL : value;
}

bool lv_field_present(const LvFields *fields, const char *name)
{
    return lv_field(fields, name) != NULL;
}

static const char *kind_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "a list",
        [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a real number",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

static void wrong_kind(LvFields *fields, const char *name, const json_t *value, const char *wanted)
{
    lv_field_fail(
        fields, LLAVAOV_ERROR_FORMAT, name, "is %s; it must be %s", kind_name(value), wanted);
}

static bool get_integer(
    LvFields *fields, const char *name, int64_t least, int64_t most, int64_t *result)
{
    const json_t *value = lv_field(fields, name);
    if (fields->status || !value)
        return false;
    if (!json_is_integer(value)) {
        wrong_kind(fields, name, value, "an integer");
        return false;
    }
    *result = json_integer_value(value);
    if (*result < least || *result > most) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            "is %lld; it must be between %lld and %lld", (long long)*result, (long long)least,
            (long long)most);
        return false;
    }
    return true;
}

void lv_field_uint(
    LvFields *fields, const char *name, uint32_t least, uint32_t most, uint32_t *value)
{
    int64_t number;
    if (get_integer(fields, name, least, most, &number))
        *value = (uint32_t)number;
}

void lv_field_int(LvFields *fields, const char *name, int64_t least, int64_t most, int32_t *value)
{
    int64_t number;
    if (get_integer(fields, name, least, most, &number))
        *value = (int32_t)number;
}

void lv_field_double(LvFields *fields, const char *name, double least, double most, double *value)
{
    const json_t *field = lv_field(fields, name);
    if (fields->status || !field)
        return;
    if (!json_is_number(field)) {
        wrong_kind(fields, name, field, "a number");
        return;
    }
    double number = json_number_value(field);
    if (!isfinite(number) || number < least || number > most)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "is %g; it must be between %g and %g",
            number, least, most);
    else
        *value = number;
}

void lv_field_bool(LvFields *fields, const char *name, bool *value)
{
    const json_t *field = lv_field(fields, name);
    if (fields->status || !field)
        return;
    if (json_is_boolean(field))
        *value = json_is_true(field);
    else
        wrong_kind(fields, name, field, "true or false");
}

void lv_field_text(LvFields *fields, const char *name, const char **value)
{
    const json_t *field = lv_field(fields, name);
    if (fields->status || !field)
        return;
    if (json_is_string(field))
        *value = json_string_value(field);
    else
        wrong_kind(fields, name, field, "a string");
}

void lv_field_object(LvFields *fields, const char *name, const json_t **value)
{
    const json_t *field = lv_field(fields, name);
    if (fields->status || !field)
        return;
    if (json_is_object(field))
        *value = field;
    else
        wrong_kind(fields, name, field, "an object");
}
