/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/luma_map.h"

#include <string.h>

#include "base/status.h"
#include "picture/image.h"

/* Where column or row i of the map begins among `n` pixels; each cell has at least one. */
static uint32_t edge(uint32_t i, uint32_t n)
{
    return (uint32_t)((uint64_t)i * n / LV_LUMA_MAP);
}

static uint32_t end_of(uint32_t begin, uint32_t end)
{
    return end > begin ? end : begin + 1;
}

/* Sum of the brightness of pixels [begin, end) of a row. RGB: the weights of BT.601 in 1/256. */
static uint32_t sum_row(LlavaovPixelFormat format, const uint8_t *row, uint32_t begin, uint32_t end)
{
    const bool blue_first =
        format == LLAVAOV_PIXEL_BGR || format == LLAVAOV_PIXEL_BGRA || format == LLAVAOV_PIXEL_BGRX;
    uint32_t sum = 0, red = 0, green = 0, blue = 0;
    if (format == LLAVAOV_PIXEL_I420 || format == LLAVAOV_PIXEL_NV12) {
        for (uint32_t x = begin; x < end; x++)
            sum += row[x];
        return sum;
    }
    const size_t step = format == LLAVAOV_PIXEL_RGB || format == LLAVAOV_PIXEL_BGR ? 3 : 4;
    for (const uint8_t *p = row + begin * step; p < row + end * step; p += step) {
        red += p[blue_first ? 2 : 0];
        green += p[1];
        blue += p[blue_first ? 0 : 2];
    }
    return (77 * (uint64_t)red + 150 * (uint64_t)green + 29 * (uint64_t)blue) >> 8;
}

LlavaovStatus lv_luma_map(const LlavaovImage *image, LvLumaMap *map, LlavaovError *error)
{
    const LlavaovStatus status = lv_image_check(image, error);
    if (status != LLAVAOV_OK)
        return status;
    if (image->memory != LLAVAOV_MEMORY_HOST)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "a picture whose motion is looked at must lie in the host's memory");
    const uint32_t rows = lv_image_rows(image);
    for (uint32_t i = 0; i < LV_LUMA_MAP; i++) {
        const uint32_t top = edge(i, rows), bottom = end_of(top, edge(i + 1, rows));
        float *cells = map->cell + i * LV_LUMA_MAP;
        uint64_t sums[LV_LUMA_MAP] = {0};
        uint32_t n_rows = 0;
        /* Even rows alone where there is one: the same field throughout. */
        uint32_t first = top + (top & 1) < bottom ? top + (top & 1) : top;
        for (uint32_t y = first; y < bottom; y += 2, n_rows++) {
            const uint8_t *row = image->plane[0] + (ptrdiff_t)y * image->stride[0];
            for (uint32_t k = 0; k < LV_LUMA_MAP; k++) {
                const uint32_t left = edge(k, image->width);
                sums[k] +=
                    sum_row(image->format, row, left, end_of(left, edge(k + 1, image->width)));
            }
        }
        for (uint32_t k = 0; k < LV_LUMA_MAP; k++) {
            const uint32_t left = edge(k, image->width);
            const uint32_t n = end_of(left, edge(k + 1, image->width)) - left;
            cells[k] = (float)sums[k] / (float)(n * n_rows);
        }
    }
    return LLAVAOV_OK;
}
