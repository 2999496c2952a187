/* SPDX-License-Identifier: Apache-2.0
 * The patch embedding: patches of pictures and of tiles, then the product. */
#include "backend/cuda/cuda.h"

#include <string.h>

/* Tiles of the host, `n` at most as many as the staging memory takes. */
static int send_tiles(LvCuda *cuda, const LvTile *tiles, LvCudaPatches args)
{
    const size_t tile_bytes = (size_t)args.tile_size * args.tile_size * 3;
    void *host, *device;
    int code = lv_staging_take(cuda, args.n_tiles * tile_bytes, &host, &device);
    for (size_t i = 0; i < args.n_tiles && code == 0; i++)
        memcpy((char *)host + i * tile_bytes, tiles[i].rgb, tile_bytes);
    if (code == 0)
        code = lv_runtime_to_device(cuda->runtime, device, host, args.n_tiles * tile_bytes);
    if (code != 0)
        return code;
    args.rgb = device;
    return lv_cuda_launched(cuda, lv_cuda_patches(lv_runtime_stream(cuda->runtime), &args));
}

/* patches [n_tiles * grid^2, inner]: pictures one by one, tiles that stand together in one go. */
static int make_patches(LvCuda *cuda, const LvTile *tiles, size_t n_tiles,
    const LvVisionConfig *vision, size_t inner, void *patches)
{
    const size_t most = LV_STAGING_HALF / ((size_t)vision->image_size * vision->image_size * 3);
    const size_t tokens = (size_t)vision->grid * vision->grid;
    int code = 0;
    for (size_t first = 0, n; first < n_tiles && code == 0; first += n) {
        LvCudaPatches args = {.tile_size = vision->image_size,
            .patch = vision->patch_size,
            .patch_cols = (uint32_t)inner,
            .patches = (char *)patches + first * tokens * inner * lv_dtype_bytes(cuda->type),
            .patch_stride = inner,
            .type = cuda->type,
            .values = lv_cuda_values(tiles[first].values)};
        n = 1;
        if (!tiles[first].rgb) {
            code = lv_picture_patches(cuda, tiles[first].picture, &args);
            continue;
        }
        while (first + n < n_tiles && n < most && tiles[first + n].rgb &&
               tiles[first + n].values == tiles[first].values)
            n++;
        args.n_tiles = n;
        code = send_tiles(cuda, tiles + first, args);
    }
    return code;
}

/* The sum stays float32 until bias and position are added. */
static int embed_patches(LvCuda *cuda, LvTensor out, const LvTile *tiles, size_t n_tiles,
    const LvVisionConfig *vision, const LvWeight *weight, const LvWeight *bias,
    const LvWeight *position)
{
    /* The patches' padding is zeros, and so is that of a weight that holds floats. */
    const size_t inner = lv_traits_float(lv_dtype_traits(weight->matrix.type))
                             ? weight->matrix.stride
                             : weight->cols;
    void *patches = NULL, *sums = NULL;
    int code = lv_cuda_scratch(cuda, out.rows * inner * lv_dtype_bytes(cuda->type), &patches);
    if (code == 0)
        code = lv_cuda_scratch(cuda, out.rows * out.stride * sizeof(float), &sums);
    if (code == 0)
        code = make_patches(cuda, tiles, n_tiles, vision, inner, patches);
    if (code == 0) {
        const LvMatmul matmul = {.out = sums,
            .in = patches,
            .weight = weight->matrix,
            .rows = out.rows,
            .cols = weight->rows,
            .inner = inner,
            .out_stride = out.stride,
            .in_stride = inner,
            .type = cuda->type,
            .out_type = LV_F32};
        code = lv_cuda_multiply(cuda, &matmul);
    }
    if (code == 0) {
        const LvCudaEpilogue args = {.out = out.data,
            .out_stride = out.stride,
            .out_type = cuda->type,
            .in = sums,
            .in_stride = out.stride,
            .in_type = LV_F32,
            .rows = out.rows,
            .cols = out.cols,
            .bias = bias ? bias->vector : NULL,
            .residual = position->vector,
            .residual_stride = out.cols,
            .residual_type = LV_F32,
            .residual_rows = (size_t)vision->grid * vision->grid};
        code = lv_cuda_launched(cuda, lv_cuda_epilogue(lv_runtime_stream(cuda->runtime), &args));
    }
    lv_cuda_scratch_free(cuda, sums);
    lv_cuda_scratch_free(cuda, patches);
    return code;
}

LlavaovStatus lv_cuda_op_patch_embedding(LvBackend *backend, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight,
    const LvWeight *bias, const LvWeight *position)
{
    LvCuda *cuda = lv_cuda(backend);
    const size_t tokens = (size_t)vision->grid * vision->grid;
    if (vision->n_channels != 3 || (size_t)vision->grid * vision->patch_size > vision->image_size ||
        out.rows != n_tiles * tokens || out.cols != weight->rows || !weight->matrix.data ||
        weight->cols != (size_t)3 * vision->patch_size * vision->patch_size || !position->vector ||
        position->rows * position->cols != tokens * out.cols ||
        (bias && (!bias->vector || bias->rows * bias->cols != out.cols)))
        return lv_cuda_shape_error(run, "patch_embedding");
    for (size_t i = 0; i < n_tiles; i++)
        if (!tiles[i].rgb &&
            (!tiles[i].picture || lv_picture_tile_size(tiles[i].picture) != vision->image_size))
            return lv_cuda_shape_error(run, "patch_embedding");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    int code =
        out.rows ? embed_patches(cuda, out, tiles, n_tiles, vision, weight, bias, position) : 0;
    return lv_cuda_end(cuda, run, "patch_embedding", code);
}
