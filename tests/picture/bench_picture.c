/* SPDX-License-Identifier: Apache-2.0
 * Time of one picture through colour conversion and resize, one thread: the least and the median of
 * N runs, in milliseconds of processor time.
 *
 *     bench-picture [N]     N = 20 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "golden.h"
#include "picture/picture.h"

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return difference < 0 ? -1 : difference > 0;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[][2] = {{640, 480}, {1280, 720}, {1920, 1080}, {3840, 2160}};
    static const struct {
        const char *name;
        LlavaovPixelFormat format;
        LlavaovLayout layout;
        LlavaovResize resize;
    } cases[] = {
        {"I420 to video tile, torchvision", LLAVAOV_PIXEL_I420, LLAVAOV_LAYOUT_VIDEO,
            LLAVAOV_RESIZE_TORCHVISION},
        {"I420 to video tile, Pillow", LLAVAOV_PIXEL_I420, LLAVAOV_LAYOUT_VIDEO,
            LLAVAOV_RESIZE_PILLOW},
        {"NV12 to video tile, torchvision", LLAVAOV_PIXEL_NV12, LLAVAOV_LAYOUT_VIDEO,
            LLAVAOV_RESIZE_TORCHVISION},
        {"RGB to video tile, torchvision", LLAVAOV_PIXEL_RGB, LLAVAOV_LAYOUT_VIDEO,
            LLAVAOV_RESIZE_TORCHVISION},
        {"BGRx to video tile, torchvision", LLAVAOV_PIXEL_BGRX, LLAVAOV_LAYOUT_VIDEO,
            LLAVAOV_RESIZE_TORCHVISION},
        {"I420 to image tiles, torchvision", LLAVAOV_PIXEL_I420, LLAVAOV_LAYOUT_IMAGE,
            LLAVAOV_RESIZE_TORCHVISION},
        {"I420 to padded tile, torchvision", LLAVAOV_PIXEL_I420, LLAVAOV_LAYOUT_IMAGES,
            LLAVAOV_RESIZE_TORCHVISION},
    };
    int runs = argc > 1 ? atoi(argv[1]) : 20;
    if (runs < 1 || runs > 10000)
        return 2;
    uint32_t pinpoints[36][2];
    for (uint32_t i = 0; i < 36; i++) {
        pinpoints[i][0] = 384 * (1 + i / 6);
        pinpoints[i][1] = 384 * (1 + i % 6);
    }
    LvConfig config = {.vision = {.image_size = 384, .grid = 27, .n_channels = 3},
        .image = LV_PREPROCESS_RELEASED(384),
        .video = LV_PREPROCESS_RELEASED(384),
        .anyres_max = 9,
        .n_pinpoints = 36,
        .pinpoints = pinpoints};
    size_t most = (size_t)3840 * 2160 * 4;
    uint8_t *bytes = malloc(most);
    double *times = malloc((size_t)runs * sizeof *times);
    golden_samples(bytes, most, 1);
    printf("%-34s %16s %16s %16s %16s\n", "ms: least (median)", "640x480", "1280x720", "1920x1080",
        "3840x2160");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        printf("%-34s", cases[c].name);
        for (size_t s = 0; s < 4; s++) {
            uint32_t width = sizes[s][0], height = sizes[s][1];
            ptrdiff_t row = (ptrdiff_t)width * (cases[c].format <= LLAVAOV_PIXEL_NV12     ? 1
                                                   : cases[c].format <= LLAVAOV_PIXEL_BGR ? 3
                                                                                          : 4);
            bool nv12 = cases[c].format == LLAVAOV_PIXEL_NV12;
            LlavaovImage image = {.format = cases[c].format,
                .width = width,
                .height = height,
                .plane = {bytes, bytes + width * height, bytes + width * height * 5 / 4},
                .stride = {row, nv12 ? width : width / 2, width / 2}};
            for (int i = 0; i < runs; i++) {
                LvTiles tiles;
                double start = milliseconds();
                if (lv_picture_prepare(
                        &config, cases[c].layout, cases[c].resize, &image, NULL, &tiles, NULL))
                    return 1;
                times[i] = milliseconds() - start;
                lv_tiles_free(&tiles);
            }
            qsort(times, (size_t)runs, sizeof *times, compare);
            printf(" %7.2f (%6.2f)", times[0], times[runs / 2]);
            fflush(stdout);
        }
        printf("\n");
    }
    free(bytes);
    free(times);
    return 0;
}
