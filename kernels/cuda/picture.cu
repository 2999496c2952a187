/* SPDX-License-Identifier: Apache-2.0
 * From pixels to the patch embedding's operand with the CPU path's integers (engine/picture,
 * kernels/cpu/planes.c): one kernel for colour and the first pass of the resize, one for the second
 * pass, the cutting into tiles and the normalising. Between them lie 8-bit RGB rows. */
#define LV_OWN_SPLIT /* planes and weights are read through the first cache */
#include "element.h"
#include "launcher.h"

#define THREADS 128u

struct PictureJob {
    LvCudaPicture a;
    int32_t black, luma, red_v, green_u, green_v, blue_u;
};

struct Pixel {
    uint8_t at[3];
};

LV_INLINE uint8_t to_byte(int32_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

LV_INLINE Pixel yuv_pixel(const PictureJob &job, uint32_t x, uint32_t y)
{
    const LvCudaPicture &a = job.a;
    bool planar = a.pixels == LV_CUDA_I420;
    const uint8_t *us = a.plane[1] + (size_t)(y / 2) * a.row_bytes[1];
    const uint8_t *vs = planar ? a.plane[2] + (size_t)(y / 2) * a.row_bytes[2] : us + 1;
    uint32_t at = planar ? x / 2 : x / 2 * 2;
    int32_t luma = job.luma * (a.plane[0][y * a.row_bytes[0] + x] - job.black) + (1 << 15);
    int32_t u = us[at] - 128, v = vs[at] - 128;
    Pixel p;
    p.at[0] = to_byte((luma + job.red_v * v) >> 16);
    p.at[1] = to_byte((luma + job.green_u * u + job.green_v * v) >> 16);
    p.at[2] = to_byte((luma + job.blue_u * u) >> 16);
    return p;
}

/* Pixel (x, y) of the field. */
LV_INLINE Pixel field_pixel(const PictureJob &job, uint32_t x, uint32_t y)
{
    const LvCudaPicture &a = job.a;
    Pixel p = {{a.pad[0], a.pad[1], a.pad[2]}};
    x -= a.side_left; /* left of the picture this wraps to a huge number */
    y -= a.side_top;
    if (x >= a.width || y >= a.height)
        return p;
    if (a.pixels == LV_CUDA_I420 || a.pixels == LV_CUDA_NV12)
        return yuv_pixel(job, x, y);
    bool three = a.pixels == LV_CUDA_RGB || a.pixels == LV_CUDA_BGR;
    bool backward = a.pixels == LV_CUDA_BGR || a.pixels == LV_CUDA_BGRA || a.pixels == LV_CUDA_BGRX;
    const uint8_t *from = a.plane[0] + y * a.row_bytes[0] + (size_t)x * (three ? 3 : 4);
    p.at[0] = from[backward ? 2 : 0];
    p.at[1] = from[1];
    p.at[2] = from[backward ? 0 : 2];
    return p;
}

/* Pixels of a line: in shared memory, a word each, so that neighbours that each read every few
 * words meet no bank twice; or `step` bytes apart in device memory. */
struct Words {
    const uint32_t *at;
};

struct Bytes {
    const uint8_t *at;
    size_t step;
};

LV_INLINE Pixel pixel_of(const Words &line, uint32_t i)
{
    uint32_t word = line.at[i];
    Pixel p = {{(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16)}};
    return p;
}

LV_INLINE Pixel pixel_of(const Bytes &line, uint32_t i)
{
    const uint8_t *at = line.at + i * line.step;
    Pixel p = {{at[0], at[1], at[2]}};
    return p;
}

/* Output `at` of a pass over a line. */
template <typename L> LV_INLINE Pixel filtered(const LvCudaAxis &axis, uint32_t at, const L &line)
{
    if (axis.in == axis.out)
        return pixel_of(line, at);
    uint32_t begin = axis.begin[at], taps = axis.end[at] - begin;
    const int32_t *weights = axis.weights + at;
    int32_t sums[3] = {0, 0, 0};
    for (uint32_t k = 0; k < taps; k++) {
        Pixel p = pixel_of(line, begin + k);
        int32_t weight = weights[(size_t)k * axis.out];
        LV_UNROLL
        for (int c = 0; c < 3; c++)
            sums[c] += weight * p.at[c];
    }
    Pixel p;
    LV_UNROLL
    for (int c = 0; c < 3; c++)
        p.at[c] = to_byte((sums[c] + (1 << (axis.precision - 1))) >> axis.precision);
    return p;
}

/* The horizontal pass: a block a row of the field, which stands in shared memory as RGB.
 * between [down.in][across.out][3]. */
LV_KERNEL(THREADS) first_across(const PictureJob job)
{
    const LvCudaPicture &a = job.a;
    uint32_t *words = (uint32_t *)lv_shared(), y = blockIdx.x;
    for (uint32_t x = threadIdx.x; x < a.across.in; x += THREADS) {
        Pixel p = field_pixel(job, x, y);
        words[x] = p.at[0] | (uint32_t)p.at[1] << 8 | (uint32_t)p.at[2] << 16;
    }
    __syncthreads();
    const Words line = {words};
    for (uint32_t x = threadIdx.x; x < a.across.out; x += THREADS) {
        Pixel p = filtered(a.across, x, line);
        uint8_t *out = a.between + ((size_t)y * a.across.out + x) * 3;
        LV_UNROLL
        for (int c = 0; c < 3; c++)
            out[c] = p.at[c];
    }
}

/* The vertical pass where it comes first: a block a piece of an output row.
 * between [down.out][across.in][3]. */
LV_KERNEL(THREADS) first_down(const PictureJob job)
{
    const LvCudaPicture &a = job.a;
    uint32_t x = blockIdx.x * THREADS + threadIdx.x, y = blockIdx.y;
    if (x >= a.across.in)
        return;
    uint32_t begin = a.down.begin[y], taps = a.down.end[y] - begin;
    const int32_t *weights = a.down.weights + y;
    int32_t sums[3] = {0, 0, 0};
    for (uint32_t k = 0; k < taps; k++) {
        Pixel p = field_pixel(job, x, begin + k);
        LV_UNROLL
        for (int c = 0; c < 3; c++)
            sums[c] += weights[(size_t)k * a.down.out] * p.at[c];
    }
    uint8_t *out = a.between + ((size_t)y * a.across.in + x) * 3;
    LV_UNROLL
    for (int c = 0; c < 3; c++)
        out[c] = to_byte((sums[c] + (1 << (a.down.precision - 1))) >> a.down.precision);
}

/* ---- patches ---- */

struct PatchGrid {
    void *patches;
    size_t stride;
    uint32_t tile_size, patch, cols;
    LvCudaValues values;
};

/* Pixel (x, y) of tile `tile` to its place in the operand. */
template <typename T>
LV_INLINE void write_patch(const PatchGrid &g, size_t tile, uint32_t x, uint32_t y, const Pixel &p)
{
    uint32_t grid = g.tile_size / g.patch, area = g.patch * g.patch;
    if (x >= grid * g.patch || y >= grid * g.patch)
        return;
    T *row = (T *)g.patches + ((tile * grid + y / g.patch) * grid + x / g.patch) * g.stride;
    uint32_t at = y % g.patch * g.patch + x % g.patch;
    LV_UNROLL
    for (uint32_t c = 0; c < 3; c++) {
        float value = g.values.scale == 1 ? (float)p.at[c] : (float)(p.at[c] * g.values.scale);
        row[c * area + at] = lv_narrow<T>((value - g.values.mean[c]) / g.values.std[c]);
    }
    for (uint32_t c = 3 * area + at; c < g.cols; c += area)
        row[c] = lv_narrow<T>(0.0f);
}

/* The second pass: a block a piece of a row of the canvas. */
template <typename T> LV_KERNEL(THREADS) second_pass(const PictureJob job)
{
    const LvCudaPicture &a = job.a;
    uint32_t x = blockIdx.x * THREADS + threadIdx.x, y = blockIdx.y;
    if (x >= a.tile_cols * a.tile_size)
        return;
    uint32_t inner_x = x - a.left, inner_y = y - a.top; /* huge outside on the left and above */
    Pixel p = {{0, 0, 0}};
    if (inner_x < a.across.out && inner_y < a.down.out) {
        size_t width = (size_t)(a.down_first ? a.across.in : a.across.out) * 3;
        const Bytes row = {a.between + inner_y * width, 3};
        const Bytes column = {a.between + (size_t)inner_x * 3, width};
        p = a.down_first ? filtered(a.across, inner_x, row) : filtered(a.down, inner_y, column);
    }
    size_t tile = (size_t)(y / a.tile_size) * a.tile_cols + x / a.tile_size;
    x %= a.tile_size;
    y %= a.tile_size;
    if (a.rgb) {
        uint8_t *out = a.rgb + ((tile * a.tile_size + y) * a.tile_size + x) * 3;
        LV_UNROLL
        for (int c = 0; c < 3; c++)
            out[c] = p.at[c];
    }
    if (a.patches) {
        PatchGrid g = {a.patches, a.patch_stride, a.tile_size, a.patch, a.patch_cols, a.values};
        write_patch<T>(g, tile, x, y, p);
    }
}

static bool patches_run(uint32_t tile_size, uint32_t patch, uint32_t cols, LvDtype type)
{
    return patch && patch <= tile_size && (uint64_t)cols >= 3 * (uint64_t)patch * patch &&
           (type == LV_F32 || type == LV_BF16);
}

int lv_cuda_picture(LvCudaStream stream, const LvCudaPicture *args)
{
    /* Multiples of 2^-16 of engine/picture/color.h's factors; [matrix][range]. */
    static const int32_t factors[2][2][5] = {
        {{76309, 104597, -25675, -53279, 132201}, {65536, 91881, -22553, -46802, 116130}},
        {{76309, 117489, -13975, -34925, 138438}, {65536, 103206, -12276, -30679, 121609}},
    };
    const LvCudaPicture &a = *args;
    const uint32_t most = 16384; /* a row of four times as many bytes is shared memory */
    bool resized_down = a.down.in != a.down.out;
    if (a.across.in > most || a.across.out > most || a.down.in > most || a.down.out > most ||
        (uint64_t)a.side_left + a.width > a.across.in ||
        (uint64_t)a.side_top + a.height > a.down.in || !a.tile_size ||
        (uint64_t)a.left + a.across.out > (uint64_t)a.tile_cols * a.tile_size ||
        (uint64_t)a.top + a.down.out > (uint64_t)a.tile_rows * a.tile_size ||
        (a.down_first && !resized_down) ||
        (a.patches && !patches_run(a.tile_size, a.patch, a.patch_cols, a.type)))
        return LV_CUDA_BAD_ARGUMENT;
    const int32_t *f = factors[a.bt709 != 0][a.full_range != 0];
    PictureJob job = {a, a.full_range ? 0 : 16, f[0], f[1], f[2], f[3], f[4]};
    int result;
    if (a.down_first)
        result = lv_launch(first_down, (a.across.in + THREADS - 1) / THREADS, a.down.out, 1,
            THREADS, 0, stream, job);
    else
        result = lv_launch(first_across, a.down.in, 1, 1, THREADS,
            (size_t)a.across.in * sizeof(uint32_t), stream, job);
    if (result)
        return result;
    uint64_t width = (uint64_t)a.tile_cols * a.tile_size;
    return lv_launch(a.type == LV_F32 ? second_pass<float> : second_pass<LvBf16>,
        (width + THREADS - 1) / THREADS, (uint64_t)a.tile_rows * a.tile_size, 1, THREADS, 0, stream,
        job);
}

/* A block a piece of a row of a tile. */
template <typename T> LV_KERNEL(THREADS) cut_patches(const LvCudaPatches a)
{
    uint32_t pieces = (a.tile_size + THREADS - 1) / THREADS;
    uint32_t x = blockIdx.x % pieces * THREADS + threadIdx.x;
    uint32_t y = blockIdx.x / pieces % a.tile_size;
    size_t tile = blockIdx.x / pieces / a.tile_size;
    if (x >= a.tile_size)
        return;
    const uint8_t *from = a.rgb + ((tile * a.tile_size + y) * a.tile_size + x) * 3;
    Pixel p = {{from[0], from[1], from[2]}};
    PatchGrid g = {a.patches, a.patch_stride, a.tile_size, a.patch, a.patch_cols, a.values};
    write_patch<T>(g, tile, x, y, p);
}

int lv_cuda_patches(LvCudaStream stream, const LvCudaPatches *args)
{
    const LvCudaPatches &a = *args;
    if (!patches_run(a.tile_size, a.patch, a.patch_cols, a.type))
        return LV_CUDA_BAD_ARGUMENT;
    uint64_t blocks = (uint64_t)a.n_tiles * a.tile_size * ((a.tile_size + THREADS - 1) / THREADS);
    if (a.type == LV_F32)
        return lv_launch(cut_patches<float>, blocks, 1, 1, THREADS, 0, stream, a);
    return lv_launch(cut_patches<LvBf16>, blocks, 1, 1, THREADS, 0, stream, a);
}
