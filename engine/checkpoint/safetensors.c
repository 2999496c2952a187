/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"

/* Every dtype that the format has: a file may hold buffers that the model does not use. */
static const struct {
    const char *name;
    unsigned bits;
} dtypes[] = {
    {"F32", 32},
    {"F16", 16},
    {"BF16", 16},
    {"F64", 64},
    {"I64", 64},
    {"I32", 32},
    {"I16", 16},
    {"I8", 8},
    {"U64", 64},
    {"U32", 32},
    {"U16", 16},
    {"U8", 8},
    {"BOOL", 8},
    {"C64", 64},
    {"F8_E4M3", 8},
    {"F8_E5M2", 8},
    {"F8_E8M0", 8},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"F4", 4},
};

typedef struct Header {
    const char *file;
    LvSafetensors *result;
    LlavaovError *error;
} Header;

static LlavaovStatus broken(const Header *header, const char *tensor, const char *what)
{
    return lv_fail_about(header->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, tensor,
        "%s: tensor %.128s %s", header->file, tensor, what);
}

static LlavaovStatus read_dtype(
    const Header *header, const json_t *value, LvSafetensor *tensor, unsigned *bits)
{
    const char *name = json_string_value(json_object_get(value, "dtype"));
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(name, dtypes[i].name)) {
            tensor->dtype = dtypes[i].name;
            *bits = dtypes[i].bits;
            return LLAVAOV_OK;
        }
    if (!name)
        return broken(header, tensor->name, "has no dtype");
    return lv_fail_about(header->error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_TENSOR,
        tensor->name, "%s: tensor %.128s has unknown dtype \"%.32s\"", header->file, tensor->name,
        name);
}

/* Elements of the shape; fails on overflow. */
static LlavaovStatus read_shape(
    const Header *header, const json_t *value, LvSafetensor *tensor, uint64_t *elements)
{
    const json_t *shape = json_object_get(value, "shape");
    if (!json_is_array(shape))
        return broken(header, tensor->name, "has no shape");
    if (json_array_size(shape) > LV_SAFETENSORS_DIMS)
        return broken(header, tensor->name, "has too many dimensions");
    tensor->n_dims = (uint32_t)json_array_size(shape);
    *elements = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return broken(
                header, tensor->name, "has a size in its shape that is not a whole number");
        tensor->shape[i] = (uint64_t)json_integer_value(size);
        if (__builtin_mul_overflow(*elements, tensor->shape[i], elements))
            return broken(header, tensor->name, "has a shape whose product overflows");
    }
    return LLAVAOV_OK;
}

static LlavaovStatus read_offsets(const Header *header, const json_t *value, LvSafetensor *tensor)
{
    const json_t *offsets = json_object_get(value, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return broken(header, tensor->name, "has no valid data_offsets");
    tensor->begin = (uint64_t)json_integer_value(begin);
    tensor->end = (uint64_t)json_integer_value(end);
    return LLAVAOV_OK;
}

static LlavaovStatus read_tensor(
    const Header *header, const char *name, const json_t *value, LvSafetensor *tensor)
{
    tensor->name = lv_strdup(name);
    if (!tensor->name)
        return lv_fail(
            header->error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory", header->file);
    header->result->n_tensors++;
    if (!json_is_object(value))
        return broken(header, name, "is not described by an object");
    unsigned bits = 0;
    uint64_t elements = 0, total;
    LlavaovStatus status = read_dtype(header, value, tensor, &bits);
    if (!status)
        status = read_shape(header, value, tensor, &elements);
    if (!status)
        status = read_offsets(header, value, tensor);
    if (status)
        return status;
    if (__builtin_mul_overflow(elements, (uint64_t)bits, &total))
        return broken(header, name, "has a shape whose product overflows");
    if (total % 8 || total / 8 != tensor->end - tensor->begin)
        return lv_fail_about(header->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, name,
            "%s: tensor %.128s has %" PRIu64 " bytes by its data_offsets, but %" PRIu64
            " by its shape and dtype",
            header->file, name, tensor->end - tensor->begin, total / 8);
    return LLAVAOV_OK;
}

static int by_offset(const void *a, const void *b)
{
    const LvSafetensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end != y->end ? (x->end < y->end ? -1 : 1) : 0;
}

static LlavaovStatus check_data(const Header *header)
{
    const LvSafetensors *file = header->result;
    uint64_t at = 0;
    for (size_t i = 0; i < file->n_tensors; i++) {
        const LvSafetensor *tensor = &file->tensors[i];
        if (tensor->begin < at)
            return lv_fail_about(header->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR,
                tensor->name, "%s: tensor %.128s overlaps %.128s", header->file, tensor->name,
                tensor[-1].name);
        if (tensor->begin > at)
            return broken(header, tensor->name, "leaves a gap before its data");
        if (tensor->end > file->data_bytes)
            return lv_fail_about(header->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR,
                tensor->name,
                "%s: the file is cut short: tensor %.128s ends at byte %" PRIu64
                " of data, which has %" PRIu64 "; fetch it again",
                header->file, tensor->name, tensor->end, file->data_bytes);
        at = tensor->end;
    }
    if (at != file->data_bytes)
        return lv_fail(header->error, LLAVAOV_ERROR_FORMAT, header->file,
            "%s: %" PRIu64 " bytes behind the last tensor belong to none", header->file,
            file->data_bytes - at);
    return LLAVAOV_OK;
}

static LlavaovStatus read_tensors(const Header *header, json_t *root)
{
    LvSafetensors *file = header->result;
    size_t n = json_object_size(root);
    if (n > LV_MAX_TENSORS)
        return lv_fail(header->error, LLAVAOV_ERROR_FORMAT, header->file,
            "%s: %zu tensors are more than the %u supported", header->file, n, LV_MAX_TENSORS);
    file->tensors = lv_calloc(n, sizeof *file->tensors);
    if (!file->tensors)
        return lv_fail(
            header->error, LLAVAOV_ERROR_MEMORY, header->file, "%s: out of memory", header->file);
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (!strcmp(name, "__metadata__"))
            continue;
        LlavaovStatus status = read_tensor(header, name, value, &file->tensors[file->n_tensors]);
        if (status)
            return status;
    }
    qsort(file->tensors, file->n_tensors, sizeof *file->tensors, by_offset);
    return check_data(header);
}

LlavaovStatus lv_safetensors_parse(const char *json, size_t bytes, uint64_t data_bytes,
    const char *name, LvSafetensors *file, LlavaovError *error)
{
    memset(file, 0, sizeof *file);
    file->data_bytes = data_bytes;
    json_t *root;
    LlavaovStatus status = lv_json_parse(json, bytes, name, true, &root, error);
    if (status)
        return status;
    Header header = {name, file, error};
    status = read_tensors(&header, root);
    json_decref(root);
    if (status)
        lv_safetensors_close(file);
    return status;
}

static bool read_fully(int fd, void *to, size_t bytes, off_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pread(fd, (char *)to + done, bytes - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* The header is read rather than mapped, so that a file that shrinks meanwhile makes this fail
 * instead of raising SIGBUS. */
static LlavaovStatus open_header(int fd, const char *name, LvSafetensors *file, LlavaovError *error)
{
    struct stat info;
    unsigned char raw[8];
    if (fstat(fd, &info) || !S_ISREG(info.st_mode))
        return lv_fail(error, LLAVAOV_ERROR_IO, name, "%s: not a regular file", name);
    uint64_t size = (uint64_t)info.st_size, length = 0;
    if (size < sizeof raw)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: %" PRIu64 " bytes are too few for a safetensors file; fetch it again", name, size);
    if (!read_fully(fd, raw, sizeof raw, 0))
        return lv_fail(error, LLAVAOV_ERROR_IO, name, "%s: cannot be read", name);
    for (int i = 7; i >= 0; i--)
        length = length << 8 | raw[i];
    if (length > LV_MAX_SAFETENSORS_HEADER)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: a header of %" PRIu64
            " bytes is absurd (at most %u): no safetensors file, or a broken one; fetch it again",
            name, length, LV_MAX_SAFETENSORS_HEADER);
    if (length > size - sizeof raw)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: the file is cut short: its header has %" PRIu64 " bytes, the file %" PRIu64
            "; fetch it again",
            name, length, size);
    char *json = lv_alloc(length, 1);
    if (!json)
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory while reading the header", name);
    LlavaovStatus status =
        read_fully(fd, json, length, sizeof raw)
            ? lv_safetensors_parse(json, length, size - sizeof raw - length, name, file, error)
            : lv_fail(error, LLAVAOV_ERROR_IO, name, "%s: the header cannot be read", name);
    lv_free(json);
    file->data_offset = sizeof raw + length;
    file->map_bytes = (size_t)size;
    return status;
}

LlavaovStatus lv_safetensors_open(
    const char *path, const char *name, LvSafetensors *file, LlavaovError *error)
{
    memset(file, 0, sizeof *file);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, name, "%s: no such file", path)
                   : lv_fail(error, LLAVAOV_ERROR_IO, name, "%s: cannot be opened: %s", path,
                         strerror(errno));
    LlavaovStatus status = open_header(fd, name, file, error);
    if (!status) {
        void *map = mmap(NULL, file->map_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            status = lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: cannot be mapped: %s", name,
                strerror(errno));
        else
            file->map = map;
    }
    close(fd);
    if (status)
        lv_safetensors_close(file);
    return status;
}

void lv_safetensors_close(LvSafetensors *file)
{
    for (size_t i = 0; i < file->n_tensors; i++)
        lv_free(file->tensors[i].name);
    lv_free(file->tensors);
    if (file->map)
        munmap(file->map, file->map_bytes);
    memset(file, 0, sizeof *file);
}
