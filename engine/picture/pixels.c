/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/pixels.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "picture/picture.h"

bool lv_image_has_square_pixels(const LlavaovImage *image)
{
    return image->pixel_width == image->pixel_height || image->pixel_width == 0 ||
           image->pixel_height == 0;
}

/* n * up / down, rounded, at least 1. */
static uint64_t scaled(uint32_t n, uint32_t up, uint32_t down)
{
    const uint64_t result = ((uint64_t)n * up + down / 2) / down;
    return result ? result : 1;
}

void lv_image_square_size(const LlavaovImage *image, uint32_t *width, uint32_t *height)
{
    *width = image->width;
    *height = image->height;
    if (lv_image_has_square_pixels(image))
        return;
    const uint64_t wanted = scaled(image->width, image->pixel_width, image->pixel_height);
    if (wanted <= LV_MAX_PICTURE_EDGE) {
        *width = (uint32_t)wanted;
        return;
    }
    *width = LV_MAX_PICTURE_EDGE;
    *height = (uint32_t)scaled(
        image->height, LV_MAX_PICTURE_EDGE, wanted < UINT32_MAX ? (uint32_t)wanted : UINT32_MAX);
}

LlavaovStatus lv_image_square(const LlavaovImage *image, LlavaovResize resize,
    const LvCancel *cancel, LlavaovImage *square, uint8_t **pixels, LlavaovError *error)
{
    uint32_t width, height;
    lv_image_square_size(image, &width, &height);
    *pixels = lv_alloc((size_t)width * height, 3);
    if (!*pixels)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a picture of %ux%u pixels",
            width, height);
    LlavaovStatus status = lv_picture_resize(image, resize, width, height, cancel, *pixels, error);
    if (status) {
        lv_free(*pixels);
        *pixels = NULL;
        return status;
    }
    *square = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = width,
        .height = height,
        .plane = {*pixels},
        .stride = {(ptrdiff_t)width * 3}};
    return LLAVAOV_OK;
}
