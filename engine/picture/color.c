/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/color.h"

#include "base/alloc.h"
#include "base/status.h"
#include "ops.h"
#include "picture/image.h"

/* Multiples of 2^-16 of the factors in the header; [matrix][range]: luma, red of v, green of u and
 * v, blue of u. */
static const int32_t yuv_factors[2][2][5] = {
    {{76309, 104597, -25675, -53279, 132201}, {65536, 91881, -22553, -46802, 116130}},
    {{76309, 117489, -13975, -34925, 138438}, {65536, 103206, -12276, -30679, 121609}},
};

static uint32_t chroma_row(const LlavaovImage *image, uint32_t y)
{
    if (image->scan != LLAVAOV_SCAN_TOP_FIRST && image->scan != LLAVAOV_SCAN_BOTTOM_FIRST)
        return y / 2;
    const uint32_t rows = (image->height + 1) / 2, row = y / 4 * 2 + y % 2;
    return row < rows ? row : row < 2 ? 0 : row - 2;
}

static void yuv_row(const LvPlaneKernels *kernels, const LlavaovImage *image, uint32_t y,
    int16_t *red, int16_t *green, int16_t *blue)
{
    bool full = image->range == LLAVAOV_RANGE_FULL, planar = image->format == LLAVAOV_PIXEL_I420;
    const int32_t *factors = yuv_factors[image->matrix == LLAVAOV_MATRIX_BT709][full];
    const ptrdiff_t half = chroma_row(image, y);
    const uint8_t *u = image->plane[1] + half * image->stride[1];
    const uint8_t *v = planar ? image->plane[2] + half * image->stride[2] : u + 1;
    kernels->yuv_row(&(LvYuvRow){.y = image->plane[0] + (ptrdiff_t)y * image->stride[0],
        .u = u,
        .v = v,
        .spacing = planar ? 1 : 2,
        .n = image->width,
        .black = full ? 0 : 16,
        .luma = factors[0],
        .red_v = factors[1],
        .green_u = factors[2],
        .green_v = factors[3],
        .blue_u = factors[4],
        .red = red,
        .green = green,
        .blue = blue});
}

void lv_color_row(const LvPlaneKernels *kernels, const LlavaovImage *image, uint32_t y,
    int16_t *red, int16_t *green, int16_t *blue)
{
    const uint8_t *row = image->plane[0] + (ptrdiff_t)y * image->stride[0];
    int16_t *const forward[3] = {red, green, blue}, *const backward[3] = {blue, green, red};
    switch (image->format) {
    case LLAVAOV_PIXEL_I420:
    case LLAVAOV_PIXEL_NV12:
        yuv_row(kernels, image, y, red, green, blue);
        break;
    case LLAVAOV_PIXEL_RGB:
        kernels->unpack(row, 3, image->width, forward);
        break;
    case LLAVAOV_PIXEL_BGR:
        kernels->unpack(row, 3, image->width, backward);
        break;
    case LLAVAOV_PIXEL_RGBA:
    case LLAVAOV_PIXEL_RGBX:
        kernels->unpack(row, 4, image->width, forward);
        break;
    case LLAVAOV_PIXEL_BGRA:
    case LLAVAOV_PIXEL_BGRX:
        kernels->unpack(row, 4, image->width, backward);
        break;
    }
}

LlavaovStatus lv_color_to_rgb(const LlavaovImage *image, uint8_t *rgb, LlavaovError *error)
{
    uint32_t width = image->width;
    int16_t *planes = lv_alloc((size_t)width * 3, sizeof *planes);
    if (!planes)
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a row of %u pixels", width);
    const LvPlaneKernels *kernels = lv_plane_kernels_choose(lv_cpu_flags());
    for (uint32_t y = 0; y < lv_image_rows(image); y++) {
        lv_color_row(kernels, image, y, planes, planes + width, planes + 2 * (size_t)width);
        uint8_t *out = rgb + (size_t)y * width * 3;
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < 3; c++)
                out[3 * x + c] = (uint8_t)planes[c * (size_t)width + x];
    }
    lv_free(planes);
    return LLAVAOV_OK;
}
