/* SPDX-License-Identifier: Apache-2.0
 * A frame of 1920x1080 in NV12 on the device, to the patches of one tile of 384 pixels in bf16:
 * microseconds a frame on the device, of frames one after the other, each of them another picture
 * (more than a cache holds). One line of JSON. */
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
#define FRAMES 96
#define PICTURES 48 /* 149 MB of planes */
#define PICTURE_BYTES ((size_t)WIDTH * HEIGHT * 3 / 2)

typedef struct Work {
    LvRuntime *runtime;
    LvCudaPicture args[PICTURES];
} Work;

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
    const uint32_t sizes[2] = {WIDTH, HEIGHT};
    LvAxisTables tables = {0};
    const LvAxisTable *axes[2];
    LlavaovError error;
    if (lv_axis_tables_get(&tables, LLAVAOV_RESIZE_TORCHVISION, LV_FILTER_BICUBIC, sizes, TILE,
            axes, &error) != LLAVAOV_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    const LvCudaPicture args = {.values = LV_PIXEL_VALUES_RELEASED,
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
        .patch_stride = PATCH_COLS,
        .patch = PATCH,
        .patch_cols = PATCH_COLS,
        .type = LV_BF16};
    lv_axis_tables_free(&tables);
    return args;
}

static void enqueue(void *data)
{
    const Work *work = data;
    for (int i = 0; i < FRAMES; i++)
        must(
            lv_cuda_picture(lv_runtime_stream(work->runtime), &work->args[i % PICTURES]), "launch");
}

int main(void)
{
    LvDeviceFacts facts;
    LvRuntime *runtime = open_device(&facts);
    static Work work;
    const LvCudaPicture args = prepare(runtime);
    /* Noise: the time does not depend on the pixels. */
    const uint8_t *planes = random_memory(runtime, PICTURES * PICTURE_BYTES, 1);
    const size_t patches = (size_t)(TILE / PATCH) * (TILE / PATCH) * PATCH_COLS * 2;
    char *out = on_device(runtime, NULL, PICTURES * patches);
    double times[RUNS];
    work.runtime = runtime;
    for (size_t i = 0; i < PICTURES; i++) {
        work.args[i] = args;
        work.args[i].plane[0] = planes + i * PICTURE_BYTES;
        work.args[i].plane[1] = work.args[i].plane[0] + WIDTH * HEIGHT;
        work.args[i].patches = out + i * patches;
    }
    for (int run = -2; run < RUNS; run++) {
        const double taken = device_seconds(runtime, enqueue, &work) / FRAMES * 1e6;
        if (run >= 0)
            times[run] = taken;
    }
    printf("{\"device\": \"%s\", \"us\": %.2f, \"slowest_us\": %.2f}\n", facts.name,
        median(times, RUNS), times[RUNS - 1]);
    lv_runtime_close(runtime); /* what is left on the device goes with the process */
    return 0;
}
