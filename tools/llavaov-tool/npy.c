/* SPDX-License-Identifier: Apache-2.0 */
#include "npy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/status.h"

static const struct {
    const char *descr;
    LvNpyType type;
    size_t bytes;
} types[] = {
    {"|u1", LV_NPY_U8, 1},
    {"<i4", LV_NPY_I32, 4},
    {"<i8", LV_NPY_I64, 8},
    {"<f4", LV_NPY_F32, 4},
};

#define N_TYPES (sizeof types / sizeof types[0])

size_t lv_npy_item_bytes(LvNpyType type)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == type)
            return types[i].bytes;
    return 1;
}

/* The text after 'key': in the header's Python dictionary, or NULL. */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    at++;
    return at + strspn(at, " ");
}

static bool parse_shape(const char *text, LvNpy *array)
{
    if (!text || *text++ != '(')
        return false;
    array->n_dims = 0;
    array->count = 1;
    for (;;) {
        text += strspn(text, " ,");
        if (*text == ')')
            return true;
        if (*text < '0' || *text > '9' || array->n_dims == LV_NPY_DIMS)
            return false;
        uint64_t size = 0;
        for (; *text >= '0' && *text <= '9'; text++)
            if (__builtin_mul_overflow(size, UINT64_C(10), &size) ||
                __builtin_add_overflow(size, (uint64_t)(*text - '0'), &size))
                return false;
        array->shape[array->n_dims++] = size;
        if (__builtin_mul_overflow(array->count, size, &array->count))
            return false;
    }
}

LlavaovStatus lv_npy_parse(const void *bytes, size_t n, const char *name, LvNpy *array,
    const void **data, LlavaovError *error)
{
    const unsigned char *b = bytes;
    memset(array, 0, sizeof *array);
    if (n < 10 || memcmp(b, "\x93NUMPY", 6) != 0 || b[6] < 1 || b[6] > 3)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s is not a .npy file", name);
    size_t start = b[6] == 1 ? 10 : 12;
    size_t length = b[8] | (size_t)b[9] << 8;
    if (start == 12 && n >= 12)
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    char header[4096];
    if (n < start || length > n - start || length >= sizeof header)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: the header is cut short or absurdly long", name);
    memcpy(header, b + start, length);
    header[length] = '\0';

    const char *descr = value_of(header, "'descr'");
    const char *order = value_of(header, "'fortran_order'");
    size_t type = 0;
    for (; type < N_TYPES; type++)
        if (descr && *descr == '\'' && strncmp(descr + 1, types[type].descr, 3) == 0 &&
            descr[4] == '\'')
            break;
    if (type == N_TYPES)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, name,
            "%s: uint8, int32, int64 or float32 is wanted", name);
    if (!order || strncmp(order, "False", 5) != 0)
        return lv_fail(
            error, LLAVAOV_ERROR_UNSUPPORTED, name, "%s: rows must be stored in C order", name);
    if (!parse_shape(value_of(header, "'shape'"), array))
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: the shape cannot be read", name);
    uint64_t wanted;
    if (__builtin_mul_overflow(array->count, types[type].bytes, &wanted) ||
        wanted > n - start - length)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: the data are cut short", name);
    array->type = types[type].type;
    *data = b + start + length;
    return LLAVAOV_OK;
}

LlavaovStatus lv_read_file(
    const char *path, uint64_t most, void **bytes, size_t *n, LlavaovError *error)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return lv_fail(error, errno == ENOENT ? LLAVAOV_ERROR_NOT_FOUND : LLAVAOV_ERROR_IO, path,
            "%s: %s", path, strerror(errno));
    struct stat facts;
    LlavaovStatus status = LLAVAOV_OK;
    void *block = NULL;
    if (fstat(fileno(file), &facts) != 0 || !S_ISREG(facts.st_mode))
        status = lv_fail(error, LLAVAOV_ERROR_IO, path, "%s is not a regular file", path);
    else if ((uint64_t)facts.st_size > most)
        status = lv_fail(error, LLAVAOV_ERROR_FORMAT, path, "%s is larger than %llu bytes", path,
            (unsigned long long)most);
    else if (!(block = lv_alloc((size_t)facts.st_size, 1)))
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, path, "no memory for %s", path);
    else if (fread(block, 1, (size_t)facts.st_size, file) != (size_t)facts.st_size)
        status = lv_fail(error, LLAVAOV_ERROR_IO, path, "%s cannot be read", path);
    fclose(file);
    if (status != LLAVAOV_OK) {
        lv_free(block);
        return status;
    }
    *bytes = block;
    *n = (size_t)facts.st_size;
    return LLAVAOV_OK;
}

LlavaovStatus lv_npy_read(const char *path, LvNpy *array, LlavaovError *error)
{
    void *bytes;
    size_t n;
    memset(array, 0, sizeof *array);
    LlavaovStatus status = lv_read_file(path, LV_NPY_MAX_BYTES, &bytes, &n, error);
    if (status != LLAVAOV_OK)
        return status;
    const void *data;
    status = lv_npy_parse(bytes, n, path, array, &data, error);
    if (status == LLAVAOV_OK) {
        memmove(bytes, data, array->count * lv_npy_item_bytes(array->type));
        array->data = bytes;
    } else {
        lv_free(bytes);
    }
    return status;
}

void lv_npy_free(LvNpy *array)
{
    lv_free(array->data);
    memset(array, 0, sizeof *array);
}

LlavaovStatus lv_npy_write(const char *path, const LvNpy *array, LlavaovError *error)
{
    const bool standard = !path || strcmp(path, "-") == 0;
    const char *descr = types[0].descr;
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == array->type)
            descr = types[i].descr;
    char header[512];
    int n = snprintf(
        header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (uint32_t i = 0; i < array->n_dims; i++)
        n += snprintf(
            header + n, sizeof header - (size_t)n, "%llu,", (unsigned long long)array->shape[i]);
    n += snprintf(header + n, sizeof header - (size_t)n, "), }");
    /* Magic, version and length take 10 bytes; the data begin at a multiple of 64. */
    while ((10 + n + 1) % 64 != 0)
        header[n++] = ' ';
    header[n++] = '\n';
    const unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)n, (unsigned char)(n >> 8)};

    FILE *file = standard ? stdout : fopen(path, "wb");
    if (!file)
        return lv_fail(error, LLAVAOV_ERROR_IO, path, "%s: %s", path, strerror(errno));
    const size_t bytes = array->count * lv_npy_item_bytes(array->type);
    bool good = fwrite(start, 1, sizeof start, file) == sizeof start &&
                fwrite(header, 1, (size_t)n, file) == (size_t)n &&
                fwrite(array->data, 1, bytes, file) == bytes;
    good &= (standard ? fflush(file) : fclose(file)) == 0;
    return good ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_IO, path, "%s cannot be written",
                      standard ? "standard output" : path);
}
