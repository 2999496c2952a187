/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/image.h"

#include "base/limits.h"
#include "base/status.h"

static uint32_t bytes_per_pixel(LlavaovPixelFormat format)
{
    switch (format) {
    case LLAVAOV_PIXEL_I420:
    case LLAVAOV_PIXEL_NV12:
        return 1;
    case LLAVAOV_PIXEL_RGB:
    case LLAVAOV_PIXEL_BGR:
        return 3;
    case LLAVAOV_PIXEL_RGBA:
    case LLAVAOV_PIXEL_BGRA:
    case LLAVAOV_PIXEL_RGBX:
    case LLAVAOV_PIXEL_BGRX:
        return 4;
    }
    return 0;
}

uint32_t lv_image_rows(const LlavaovImage *image)
{
    if (image->scan == LLAVAOV_SCAN_TOP_FIELD)
        return (image->height + 1) / 2;
    if (image->scan == LLAVAOV_SCAN_BOTTOM_FIELD)
        return image->height > 1 ? image->height / 2 : 1;
    return image->height;
}

uint32_t lv_image_planes(const LlavaovImage *image, LvPlaneSize planes[3])
{
    const uint32_t pixel = bytes_per_pixel(image->format), rows = lv_image_rows(image);
    const uint32_t half_width = (image->width + 1) / 2, half_height = (rows + 1) / 2;
    planes[0] = (LvPlaneSize){image->width * pixel, rows};
    if (image->format == LLAVAOV_PIXEL_NV12) {
        planes[1] = (LvPlaneSize){2 * half_width, half_height};
        return 2;
    }
    planes[1] = planes[2] = (LvPlaneSize){half_width, half_height};
    return pixel == 1 ? 3 : 1;
}

static LlavaovStatus check_plane(
    const LlavaovImage *image, uint32_t plane, LvPlaneSize size, LlavaovError *error)
{
    ptrdiff_t last;
    if (!image->plane[plane])
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "plane %u of a picture is missing", plane);
    if (image->stride[plane] < (ptrdiff_t)size.row_bytes ||
        __builtin_mul_overflow(image->stride[plane], (ptrdiff_t)size.rows, &last))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "stride %td of plane %u cannot hold rows of %u bytes", image->stride[plane], plane,
            size.row_bytes);
    return LLAVAOV_OK;
}

LlavaovStatus lv_image_check(const LlavaovImage *image, LlavaovError *error)
{
    if ((unsigned)image->memory > LLAVAOV_MEMORY_CUDA)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "memory %d does not exist", (int)image->memory);
    uint32_t width = image->width, height = image->height;
    if (bytes_per_pixel(image->format) == 0)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "pixel format %d is unknown", (int)image->format);
    if (width == 0 || height == 0 || width > LV_MAX_PICTURE_EDGE || height > LV_MAX_PICTURE_EDGE)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "a picture of %ux%u pixels is outside 1x1 to %ux%u", width, height, LV_MAX_PICTURE_EDGE,
            LV_MAX_PICTURE_EDGE);
    if ((unsigned)image->scan > LLAVAOV_SCAN_BOTTOM_FIELD ||
        (unsigned)image->orientation > LLAVAOV_ORIENTATION_ROTATE_270)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "scan %d or orientation %d is unknown", (int)image->scan, (int)image->orientation);
    LvPlaneSize planes[3];
    const uint32_t n = lv_image_planes(image, planes);
    LlavaovStatus status = check_plane(image, 0, planes[0], error);
    if (status == LLAVAOV_OK && n > 1 &&
        ((image->matrix != LLAVAOV_MATRIX_BT601 && image->matrix != LLAVAOV_MATRIX_BT709) ||
            (image->range != LLAVAOV_RANGE_LIMITED && image->range != LLAVAOV_RANGE_FULL)))
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "colour matrix %d or range %d is unknown", (int)image->matrix, (int)image->range);
    for (uint32_t i = 1; i < n && status == LLAVAOV_OK; i++)
        status = check_plane(image, i, planes[i], error);
    return status;
}
