/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "tool.h"

static LlavaovStatus add_images(ToolPictures *p, uint8_t *rgb, uint64_t n, uint64_t width,
    uint64_t height, const char *path, LlavaovError *error)
{
    if (width == 0 || height == 0 || width > LV_MAX_PICTURE_EDGE || height > LV_MAX_PICTURE_EDGE)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, path, "%s: pictures of %llu x %llu", path,
            (unsigned long long)width, (unsigned long long)height);
    if (n > LV_MAX_FRAMES_PER_REQUEST - p->n)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, path, "%s: more than %u pictures", path,
            LV_MAX_FRAMES_PER_REQUEST);
    LlavaovImage *grown = lv_realloc(p->images, p->n + n, sizeof *grown);
    if (!grown)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, path, "no memory for pictures");
    p->images = grown;
    for (uint64_t i = 0; i < n; i++)
        p->images[p->n++] = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
            .width = (uint32_t)width,
            .height = (uint32_t)height,
            .plane = {rgb + i * width * height * 3},
            .stride = {(ptrdiff_t)width * 3}};
    return LLAVAOV_OK;
}

static LlavaovStatus read_one(
    const ToolOptions *o, const char *path, ToolPictures *p, LlavaovError *error)
{
    size_t length = strlen(path);
    void **block = &p->blocks[p->n_blocks];
    LlavaovStatus status;
    if (length > 4 && strcmp(path + length - 4, ".npy") == 0) {
        LvNpy array;
        status = lv_npy_read(path, &array, error);
        if (status != LLAVAOV_OK)
            return status;
        *block = array.data;
        p->n_blocks++;
        const uint64_t *shape = array.shape + (array.n_dims == 4);
        if (array.type != LV_NPY_U8 || array.n_dims < 3 || array.n_dims > 4 || shape[2] != 3)
            return lv_fail(error, LLAVAOV_ERROR_FORMAT, path,
                "%s: uint8 of shape [H, W, 3] or [T, H, W, 3] is wanted", path);
        return add_images(
            p, array.data, array.n_dims == 4 ? array.shape[0] : 1, shape[1], shape[0], path, error);
    }
    if (o->width == 0)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "size",
            "%s: raw pictures need --size", path);
    size_t n;
    status = lv_read_file(path, LV_NPY_MAX_BYTES, block, &n, error);
    if (status != LLAVAOV_OK)
        return status;
    p->n_blocks++;
    const uint64_t each = (uint64_t)o->width * o->height * 3;
    if (n == 0 || n % each != 0)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, path,
            "%s holds %zu bytes, no multiple of a %u x %u picture's %llu", path, n, o->width,
            o->height, (unsigned long long)each);
    return add_images(p, *block, n / each, o->width, o->height, path, error);
}

LlavaovStatus tool_read_pictures(const ToolOptions *o, ToolPictures *p, LlavaovError *error)
{
    memset(p, 0, sizeof *p);
    p->blocks = lv_calloc(o->n_arguments, sizeof *p->blocks);
    if (!p->blocks)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for pictures");
    for (size_t i = 0; i < o->n_arguments; i++) {
        LlavaovStatus status = read_one(o, o->arguments[i], p, error);
        if (status != LLAVAOV_OK) {
            tool_free_pictures(p);
            return status;
        }
    }
    return LLAVAOV_OK;
}

void tool_free_pictures(ToolPictures *p)
{
    for (size_t i = 0; i < p->n_blocks; i++)
        lv_free(p->blocks[i]);
    lv_free(p->blocks);
    lv_free(p->images);
    memset(p, 0, sizeof *p);
}
