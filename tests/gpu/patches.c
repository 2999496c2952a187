/* SPDX-License-Identifier: Apache-2.0
 * A frame of 1920x1080 in NV12 on the device, to the patches of one tile of 384 pixels in bf16:
 * microseconds a frame, of frames one after the other. One line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/axis.h"
#include "backend/cuda/runtime.h"
#include "base/status.h"
#include "measure.h"

#define WIDTH 1920u
#define HEIGHT 1080u
#define TILE 384u
#define PATCH 14u
#define PATCH_COLS 592u /* 3 * PATCH^2, rounded up to 16 bytes as a weight's rows are */
#define RUNS 21
#define FRAMES 100
#define MUST_US 60.0

static void *on_device(LvRuntime *runtime, const void *from, size_t bytes)
{
    void *device, *host;
    must(lv_runtime_alloc(runtime, bytes, &device), "memory");
    if (!from)
        return device;
    must(lv_runtime_alloc_pinned(runtime, bytes, &host), "pinned memory");
    memcpy(host, from, bytes);
    must(lv_runtime_to_device(runtime, device, host, bytes), "copy");
    must(lv_runtime_synchronize(runtime), "copy");
    lv_runtime_free_pinned(runtime, host);
    return device;
}

static LvCudaPicture prepare(LvRuntime *runtime)
{
    static uint8_t planes[WIDTH * HEIGHT * 3 / 2];
    const uint32_t sizes[2] = {WIDTH, HEIGHT};
    LvAxisTables tables = {0};
    const LvAxisTable *axes[2];
    LlavaovError error;
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof planes; i++)
        planes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    if (lv_axis_tables_get(&tables, LLAVAOV_RESIZE_TORCHVISION, sizes, TILE, axes, &error) !=
        LLAVAOV_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    const uint8_t *picture = on_device(runtime, planes, sizeof planes);
    const size_t grid = TILE / PATCH;
    const LvCudaPicture args = {.plane = {picture, picture + WIDTH * HEIGHT},
        .row_bytes = {WIDTH, WIDTH},
        .pixels = LV_CUDA_NV12,
        .bt709 = 1,
        .width = WIDTH,
        .height = HEIGHT,
        .across = lv_axis_on_device(axes[0], on_device(runtime, axes[0]->data, axes[0]->bytes)),
        .down = lv_axis_on_device(axes[1], on_device(runtime, axes[1]->data, axes[1]->bytes)),
        .between =
            on_device(runtime, NULL, lv_cuda_picture_workspace(WIDTH, HEIGHT, TILE, TILE, 0)),
        .tile_rows = 1,
        .tile_cols = 1,
        .tile_size = TILE,
        .patches = on_device(runtime, NULL, grid * grid * PATCH_COLS * 2),
        .patch_stride = PATCH_COLS,
        .patch = PATCH,
        .patch_cols = PATCH_COLS,
        .type = LV_CUDA_BF16};
    lv_axis_tables_free(&tables);
    return args;
}

int main(void)
{
    LvDeviceFacts facts;
    LvRuntime *runtime = open_device(&facts);
    const LvCudaPicture args = prepare(runtime);
    double times[RUNS];
    for (int run = -1; run < RUNS; run++) {
        const double start = seconds();
        for (int i = 0; i < FRAMES; i++)
            must(lv_cuda_picture(lv_runtime_stream(runtime), &args), "launch");
        must(lv_runtime_synchronize(runtime), "kernels");
        if (run >= 0)
            times[run] = (seconds() - start) / FRAMES * 1e6;
    }
    const double us = median(times, RUNS);
    printf("{\"device\": \"%s\", \"us\": %.2f, \"must_us\": %.0f}\n", facts.name, us, MUST_US);
    lv_runtime_close(runtime); /* what is left on the device goes with the process */
    return us <= MUST_US ? 0 : 1;
}
