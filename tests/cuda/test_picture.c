/* SPDX-License-Identifier: Apache-2.0
 * The picture kernels against the CPU path (engine/picture): identical bytes for every format,
 * matrix, range and layout over many sizes, and patches that are exactly those bytes normalised. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"
#include "ops.h"
#include "picture/picture.h"
#include "picture/resize_weights.h"

/* The CPU path's weights, joined and in device memory. */
static LvCudaAxis axis_new(LlavaovResize variant, uint32_t in, uint32_t out)
{
    LvResizeAxis axis;
    LlavaovError error;
    assert_int_equal(
        lv_resize_axis_init(&axis, variant, LV_FILTER_BICUBIC, in, out, &error), LLAVAOV_OK);
    uint32_t taps = axis.max_taps;
    uint32_t *begin = device_alloc(out * sizeof *begin), *end = device_alloc(out * sizeof *end);
    int32_t *weights = device_alloc((size_t)out * taps * sizeof *weights);
    memset(weights, 0x55, (size_t)out * taps * sizeof *weights);
    for (uint32_t i = 0; i < out; i++) {
        begin[i] = axis.begin[i];
        end[i] = axis.end[i];
        size_t from = (size_t)i * axis.stride + axis.begin[i] - axis.first[i];
        for (uint32_t k = 0; k < end[i] - begin[i]; k++)
            weights[(size_t)k * out + i] =
                axis.low[from + k] + (axis.high ? axis.high[from + k] * (1 << LV_WEIGHT_SPLIT) : 0);
    }
    LvCudaAxis result = {in, out, axis.precision, taps, begin, end, weights};
    lv_resize_axis_free(&axis);
    return result;
}

static void axis_free(LvCudaAxis *axis)
{
    device_free((void *)axis->begin);
    device_free((void *)axis->end);
    device_free((void *)axis->weights);
}

/* A picture of noise with gaps between its rows. */
static LlavaovImage image_new(
    LlavaovPixelFormat format, uint32_t width, uint32_t height, int number)
{
    bool yuv = format == LLAVAOV_PIXEL_I420 || format == LLAVAOV_PIXEL_NV12;
    uint32_t bytes = yuv ? 1 : format <= LLAVAOV_PIXEL_BGR ? 3 : 4;
    LlavaovImage image = {.format = format,
        .width = width,
        .height = height,
        .matrix = number & 1 ? LLAVAOV_MATRIX_BT709 : LLAVAOV_MATRIX_BT601,
        .range = number & 2 ? LLAVAOV_RANGE_FULL : LLAVAOV_RANGE_LIMITED};
    uint32_t planes = !yuv ? 1 : format == LLAVAOV_PIXEL_NV12 ? 2 : 3;
    for (uint32_t p = 0; p < planes; p++) {
        size_t row = p == 0 ? (size_t)width * bytes : (width + 1) / 2 * (planes == 2 ? 2 : 1);
        size_t rows = p == 0 ? height : (height + 1) / 2;
        image.stride[p] = (ptrdiff_t)(row + (size_t)number % 5);
        uint8_t *data = device_alloc(rows * (size_t)image.stride[p]);
        for (size_t i = 0; i < rows * (size_t)image.stride[p]; i++) {
            uint8_t x = (uint8_t)(random_bits() >> 24);
            data[i] = number % 4 == 3 ? (x & 1 ? 255 : 0) : x; /* harsh edges: values to cut */
        }
        image.plane[p] = data;
    }
    return image;
}

static void image_free(LlavaovImage *image)
{
    for (int p = 0; p < 3; p++)
        device_free((void *)image->plane[p]);
}

static bool runs_down_first(
    LlavaovResize variant, uint32_t iw, uint32_t ih, uint32_t ow, uint32_t oh)
{
    int64_t shorter = (int64_t)ih - oh, narrower = (int64_t)iw - ow;
    return variant == LLAVAOV_RESIZE_PILLOW && iw != ow && shorter > 0 && shorter > 2 * narrower;
}

/* The released ones, and those of a file that says CLIP's or nothing. */
static const LvCudaValues values_of[] = {{1, {127.5f, 127.5f, 127.5f}, {127.5f, 127.5f, 127.5f}},
    {1 / 255.0, {0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}},
    {1, {0, 0, 0}, {1, 1, 1}}};

/* Patches are the bytes' values; the columns behind them zeros, what lies between untouched. */
static void check_patches(
    const Matrix *m, const uint8_t *rgb, size_t n_tiles, uint32_t size, uint32_t patch, int number)
{
    const LvCudaValues *v = &values_of[number % 3];
    uint32_t grid = size / patch, area = patch * patch;
    Matrix rounded = matrix_copy(m);
    for (size_t row = 0; row < m->rows; row++)
        for (uint32_t i = 0; i < m->cols; i++) {
            size_t tile = row / (grid * grid), x = row % grid * patch + i % patch;
            size_t y = row / grid % grid * patch + i % area / patch;
            float value = 0;
            if (i < 3 * area)
                value = ((float)(rgb[((tile * size + y) * size + x) * 3 + i / area] * v->scale) -
                            v->mean[i / area]) /
                        v->std[i / area];
            matrix_set(&rounded, row, i, value);
            if (!(matrix_at(&rounded, row, i) == matrix_at(m, row, i)))
                fail_msg("case %d: patch %zu, element %u is %g, not %g", number, row, i,
                    matrix_at(m, row, i), matrix_at(&rounded, row, i));
        }
    check_guards(m);
    matrix_free(&rounded);
}

typedef struct Place {
    uint32_t out_width, out_height, left, top, tile_rows, tile_cols, side_left, side_top;
    uint32_t field_width, field_height;
} Place;

/* Runs the kernels for a place of the layout and compares with the CPU path's bytes. */
static void check_place(const LlavaovImage *image, LlavaovResize variant, const Place *p,
    uint32_t size, uint32_t patch, const uint8_t *wanted, int number)
{
    LvCudaAxis across = axis_new(variant, p->field_width, p->out_width);
    LvCudaAxis down = axis_new(variant, p->field_height, p->out_height);
    size_t n_tiles = (size_t)p->tile_rows * p->tile_cols, bytes = n_tiles * size * size * 3;
    uint32_t grid = size / patch, cols = 3 * patch * patch + (uint32_t)number % 3 * 4;
    LvDtype type = number % 2 ? LV_BF16 : LV_F32;
    bool down_first =
        runs_down_first(variant, p->field_width, p->field_height, p->out_width, p->out_height);
    size_t space = lv_cuda_picture_workspace(
        p->field_width, p->field_height, p->out_width, p->out_height, down_first);
    uint8_t *rgb = device_alloc(bytes + 64), *between = device_alloc(space + 64);
    memset(rgb, 0xA5, bytes + 64);
    memset(between, 0xA5, space + 64);
    Matrix patches =
        matrix_new(type, n_tiles * grid * grid, cols, cols + (size_t)number % 4, 0, KIND_EMPTY);
    LvCudaPicture args = {.pixels = (LvCudaPixels)image->format,
        .bt709 = image->matrix == LLAVAOV_MATRIX_BT709,
        .full_range = image->range == LLAVAOV_RANGE_FULL,
        .width = image->width,
        .height = image->height,
        .side_left = p->side_left,
        .side_top = p->side_top,
        .across = across,
        .down = down,
        .down_first = down_first,
        .between = between,
        .left = p->left,
        .top = p->top,
        .tile_rows = p->tile_rows,
        .tile_cols = p->tile_cols,
        .tile_size = size,
        .rgb = number % 5 == 4 ? NULL : rgb,
        .patches = number % 7 == 6 ? NULL : patches.data,
        .patch_stride = patches.stride,
        .patch = patch,
        .patch_cols = cols,
        .type = type,
        .values = values_of[number % 3],
        .pad = {127, 116, 0}};
    for (int i = 0; i < 3; i++) {
        args.plane[i] = image->plane[i];
        args.row_bytes[i] = (size_t)image->stride[i];
    }
    assert_int_equal(lv_cuda_picture(device_stream(), &args), 0);
    assert_int_equal(device_wait(), 0);
    if (args.rgb)
        assert_memory_equal(rgb, wanted, bytes);
    for (size_t i = 0; i < 64; i++)
        assert_true(rgb[bytes + i] == 0xA5 && between[space + i] == 0xA5);
    if (args.patches)
        check_patches(&patches, wanted, n_tiles, size, patch, number);
    else
        check_guards(&patches);
    device_free(rgb);
    device_free(between);
    axis_free(&across);
    axis_free(&down);
    matrix_free(&patches);
}

static const uint32_t sizes[][2] = {{1, 1}, {7, 3}, {28, 28}, {28, 61}, {40, 28}, {31, 90},
    {97, 33}, {64, 48}, {129, 17}, {5, 140}};

static void picture_case(
    LlavaovPixelFormat format, LlavaovLayout layout, LlavaovResize variant, const uint32_t *wh)
{
    int number = next_case();
    uint32_t pinpoints[][2] = {{28, 28}, {28, 56}, {56, 28}, {56, 56}};
    const uint32_t size = 28, patch = number % 3 ? 14 : 5;
    LvConfig config = {.vision = {.image_size = size, .patch_size = 14, .n_channels = 3, .grid = 2},
        .image = LV_PREPROCESS_RELEASED(size),
        .video = LV_PREPROCESS_RELEASED(size),
        .anyres_max = 9,
        .n_pinpoints = 4,
        .pinpoints = pinpoints};
    config.image.pad[1] = 116;
    config.image.pad[2] = 0;
    LlavaovImage image = image_new(format, wh[0], wh[1], number);
    LvTiles tiles;
    LlavaovError error;
    LlavaovStatus status =
        lv_picture_prepare(&config, layout, variant, &image, NULL, &tiles, &error);
    assert_int_equal(status, LLAVAOV_OK);
    Place base = {.out_width = size,
        .out_height = size,
        .tile_rows = 1,
        .tile_cols = 1,
        .field_width = wh[0],
        .field_height = wh[1]};
    if (layout == LLAVAOV_LAYOUT_IMAGES) {
        base.field_width = base.field_height = wh[0] > wh[1] ? wh[0] : wh[1];
        base.side_left = (base.field_width - wh[0]) / 2;
        base.side_top = (base.field_height - wh[1]) / 2;
    }
    check_place(&image, variant, &base, size, patch, tiles.rgb, number);
    if (layout == LLAVAOV_LAYOUT_IMAGE) {
        const LvAnyresPlan *plan = &tiles.plan;
        Place grid = {plan->resized_width, plan->resized_height, plan->pad_left, plan->pad_top,
            plan->grid_rows, plan->grid_cols, 0, 0, wh[0], wh[1]};
        check_place(
            &image, variant, &grid, size, patch, tiles.rgb + (size_t)size * size * 3, number + 1);
    }
    lv_tiles_free(&tiles);
    image_free(&image);
}

static void picture(void **state)
{
    const size_t n_sizes = sizeof sizes / sizeof *sizes;
    for (unsigned format = LLAVAOV_PIXEL_I420; format <= LLAVAOV_PIXEL_BGRX; format++)
        for (size_t i = 0; i < n_sizes; i++)
            for (unsigned k = 0; k < 2; k++) {
                unsigned mix = format + (unsigned)i + k;
                LlavaovLayout layout = mix % 3 == 0   ? LLAVAOV_LAYOUT_VIDEO
                                       : mix % 3 == 1 ? LLAVAOV_LAYOUT_IMAGE
                                                      : LLAVAOV_LAYOUT_IMAGES;
                picture_case((LlavaovPixelFormat)format, layout,
                    k ? LLAVAOV_RESIZE_PILLOW : LLAVAOV_RESIZE_TORCHVISION, sizes[i]);
            }
    check_cases(100);
}

/* Tiles that the host prepared. */
static void patches(void **state)
{
    static const uint32_t shapes[][3] = {{0, 28, 14}, {1, 28, 14}, {3, 28, 14}, {2, 30, 14},
        {1, 16, 16}, {2, 9, 4}, {1, 5, 1}, {1, 150, 50}, {2, 129, 64}, {1, 33, 32}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (unsigned k = 0; k < 6; k++) {
            int number = next_case();
            uint32_t n = shapes[i][0], size = shapes[i][1], patch = shapes[i][2];
            uint32_t cols = 3 * patch * patch + k % 3 * 4, grid = size / patch;
            uint8_t *rgb = device_alloc((size_t)n * size * size * 3 + 1);
            for (size_t b = 0; b < (size_t)n * size * size * 3; b++)
                rgb[b] = (uint8_t)(random_bits() >> 24);
            Matrix out = matrix_new(
                k & 1 ? LV_BF16 : LV_F32, (size_t)n * grid * grid, cols, cols + k, 0, KIND_EMPTY);
            LvCudaPatches args = {
                rgb, n, size, patch, cols, out.data, out.stride, out.type, values_of[number % 3]};
            assert_int_equal(lv_cuda_patches(device_stream(), &args), 0);
            assert_int_equal(device_wait(), 0);
            check_patches(&out, rgb, n, size, patch, number);
            matrix_free(&out);
            device_free(rgb);
        }
    check_cases(60);
}

static void refused(void **state)
{
    LvCudaPicture good = {.across = {.in = 2, .out = 2},
        .down = {.in = 2, .out = 2},
        .width = 2,
        .height = 2,
        .tile_rows = 1,
        .tile_cols = 1,
        .tile_size = 2};
    LvCudaPicture bad = good;
    bad.across.in = 16385;
    assert_int_equal(lv_cuda_picture(device_stream(), &bad), LV_CUDA_BAD_ARGUMENT);
    bad = good;
    bad.side_left = 1;
    assert_int_equal(lv_cuda_picture(device_stream(), &bad), LV_CUDA_BAD_ARGUMENT);
    bad = good;
    bad.top = 1;
    assert_int_equal(lv_cuda_picture(device_stream(), &bad), LV_CUDA_BAD_ARGUMENT);
    bad = good;
    bad.patches = &bad;
    bad.patch = 2;
    bad.patch_cols = 11;
    assert_int_equal(lv_cuda_picture(device_stream(), &bad), LV_CUDA_BAD_ARGUMENT);
    LvCudaPatches cut = {.patch = 0};
    assert_int_equal(lv_cuda_patches(device_stream(), &cut), LV_CUDA_BAD_ARGUMENT);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture),
        cmocka_unit_test(patches),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
