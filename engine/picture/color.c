/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/color.h"

#include "base/alloc.h"
#include "base/status.h"

/* A 16.16 factor as whole + fraction / 65536 with a signed 16-bit fraction: products then need only
 * 16 x 16 bit multiplies, which every x86-64 has four or eight at a time. */
typedef struct Factor {
    int16_t whole, fraction;
} Factor;

typedef struct YuvFactors {
    int16_t black;
    Factor luma, red_v, green_u, green_v, blue_u;
} YuvFactors;

/* Multiples of 2^-16 of the factors in the header; [matrix][range]: luma, red of v, green of u and
 * v, blue of u. */
static const int32_t yuv_factors[2][2][5] = {
    {{76309, 104597, -25675, -53279, 132201}, {65536, 91881, -22553, -46802, 116130}},
    {{76309, 117489, -13975, -34925, 138438}, {65536, 103206, -12276, -30679, 121609}},
};

static Factor split(int32_t value)
{
    int32_t whole = (value + 32768) >> 16;
    return (Factor){(int16_t)whole, (int16_t)(value - whole * 65536)};
}

static inline int16_t to_byte(int16_t value)
{
    value = value < 0 ? 0 : value;
    return value > 255 ? 255 : value;
}

#define BLOCK 64 /* chroma samples at a time; their products stay in the first-level cache */

/* What chroma adds to each pixel of a channel. (whole * 65536 + fraction) >> 16 is
 * whole + (fraction >> 16) exactly, so the two sums are kept apart; rounding is in the fractions.
 */
typedef struct Chroma {
    int32_t fraction[2 * BLOCK];
    int16_t whole[2 * BLOCK];
} Chroma;

typedef struct ChromaBlock {
    Chroma red, green, blue;
} ChromaBlock;

static void one_product(
    const int16_t *restrict samples, Factor factor, uint32_t n, Chroma *restrict chroma)
{
    for (uint32_t i = 0; i < n; i++)
        chroma->fraction[2 * i] = chroma->fraction[2 * i + 1] =
            samples[i] * factor.fraction + 32768;
    for (uint32_t i = 0; i < n; i++)
        chroma->whole[2 * i] = chroma->whole[2 * i + 1] = (int16_t)(samples[i] * factor.whole);
}

static void two_products(const int16_t *restrict us, Factor of_u, const int16_t *restrict vs,
    Factor of_v, uint32_t n, Chroma *restrict chroma)
{
    for (uint32_t i = 0; i < n; i++)
        chroma->fraction[2 * i] = chroma->fraction[2 * i + 1] =
            us[i] * of_u.fraction + vs[i] * of_v.fraction + 32768;
    for (uint32_t i = 0; i < n; i++)
        chroma->whole[2 * i] = chroma->whole[2 * i + 1] =
            (int16_t)(us[i] * of_u.whole + vs[i] * of_v.whole);
}

static void chroma_products(const YuvFactors *f, const uint8_t *u, const uint8_t *v,
    uint32_t spacing, uint32_t n, ChromaBlock *block)
{
    int16_t us[BLOCK], vs[BLOCK];
    if (spacing == 1) {
        for (uint32_t i = 0; i < n; i++) {
            us[i] = (int16_t)(u[i] - 128);
            vs[i] = (int16_t)(v[i] - 128);
        }
    } else {
        for (uint32_t i = 0; i < n; i++) {
            us[i] = (int16_t)(u[2 * i] - 128);
            vs[i] = (int16_t)(v[2 * i] - 128);
        }
    }
    one_product(vs, f->red_v, n, &block->red);
    two_products(us, f->green_u, vs, f->green_v, n, &block->green);
    one_product(us, f->blue_u, n, &block->blue);
}

static void yuv_channel(const YuvFactors *f, const uint8_t *restrict luma,
    const Chroma *restrict chroma, uint32_t n, int16_t *restrict out)
{
    Factor factor = f->luma;
    int16_t black = f->black;
    for (uint32_t i = 0; i < n; i++) {
        int16_t y = (int16_t)(luma[i] - black);
        int32_t fraction = y * factor.fraction + chroma->fraction[i];
        int16_t whole = (int16_t)(y * factor.whole + chroma->whole[i]);
        out[i] = to_byte((int16_t)(whole + (fraction >> 16)));
    }
}

static void yuv_row(
    const LlavaovImage *image, uint32_t y, int16_t *red, int16_t *green, int16_t *blue)
{
    const int32_t *values =
        yuv_factors[image->matrix == LLAVAOV_MATRIX_BT709][image->range == LLAVAOV_RANGE_FULL];
    YuvFactors f = {.black = image->range == LLAVAOV_RANGE_FULL ? 0 : 16,
        .luma = split(values[0]),
        .red_v = split(values[1]),
        .green_u = split(values[2]),
        .green_v = split(values[3]),
        .blue_u = split(values[4])};
    const uint8_t *luma = image->plane[0] + (ptrdiff_t)y * image->stride[0];
    const uint8_t *u = image->plane[1] + (ptrdiff_t)(y / 2) * image->stride[1], *v = u + 1;
    uint32_t spacing = 2;
    if (image->format == LLAVAOV_PIXEL_I420) {
        v = image->plane[2] + (ptrdiff_t)(y / 2) * image->stride[2];
        spacing = 1;
    }
    ChromaBlock block;
    for (uint32_t x = 0; x < image->width; x += 2 * BLOCK) {
        uint32_t n = image->width - x < 2 * BLOCK ? image->width - x : 2 * BLOCK;
        uint32_t chroma = x / 2 * spacing;
        chroma_products(&f, u + chroma, v + chroma, spacing, (n + 1) / 2, &block);
        yuv_channel(&f, luma + x, &block.red, n, red + x);
        yuv_channel(&f, luma + x, &block.green, n, green + x);
        yuv_channel(&f, luma + x, &block.blue, n, blue + x);
    }
}

static void packed_row(const uint8_t *restrict pixels, uint32_t width, uint32_t bytes,
    int16_t *restrict first, int16_t *restrict second, int16_t *restrict third)
{
    if (bytes == 3) {
        for (uint32_t x = 0; x < width; x++) {
            first[x] = pixels[3 * x];
            second[x] = pixels[3 * x + 1];
            third[x] = pixels[3 * x + 2];
        }
    } else {
        for (uint32_t x = 0; x < width; x++) {
            first[x] = pixels[4 * x];
            second[x] = pixels[4 * x + 1];
            third[x] = pixels[4 * x + 2];
        }
    }
}

void lv_color_row(
    const LlavaovImage *image, uint32_t y, int16_t *red, int16_t *green, int16_t *blue)
{
    const uint8_t *row = image->plane[0] + (ptrdiff_t)y * image->stride[0];
    switch (image->format) {
    case LLAVAOV_PIXEL_I420:
    case LLAVAOV_PIXEL_NV12:
        yuv_row(image, y, red, green, blue);
        break;
    case LLAVAOV_PIXEL_RGB:
        packed_row(row, image->width, 3, red, green, blue);
        break;
    case LLAVAOV_PIXEL_BGR:
        packed_row(row, image->width, 3, blue, green, red);
        break;
    case LLAVAOV_PIXEL_RGBA:
    case LLAVAOV_PIXEL_RGBX:
        packed_row(row, image->width, 4, red, green, blue);
        break;
    case LLAVAOV_PIXEL_BGRA:
    case LLAVAOV_PIXEL_BGRX:
        packed_row(row, image->width, 4, blue, green, red);
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
    for (uint32_t y = 0; y < image->height; y++) {
        lv_color_row(image, y, planes, planes + width, planes + 2 * (size_t)width);
        uint8_t *out = rgb + (size_t)y * width * 3;
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < 3; c++)
                out[3 * x + c] = (uint8_t)planes[c * (size_t)width + x];
    }
    lv_free(planes);
    return LLAVAOV_OK;
}
