/* SPDX-License-Identifier: Apache-2.0
 * The processors' files: processor_config.json, preprocessor_config.json and
 * video_preprocessor_config.json, each ended by a 0 byte; an empty one is no file. A picture then
 * goes through what they say. */
#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "checkpoint/preprocessor_config.h"
#include "picture/picture.h"

static LvJsonFile next_file(const uint8_t **data, size_t *size, const char *name)
{
    const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
    const size_t bytes = end ? (size_t)(end - *data) : *size;
    const LvJsonFile file = {bytes ? (const char *)*data : NULL, bytes, name};
    *data += end ? bytes + 1 : bytes;
    *size -= end ? bytes + 1 : bytes;
    return file;
}

static void check(const LvPreprocess *p)
{
    const LvRefusal *refusal = &p->refusal;
    FUZZ_CHECK(memchr(refusal->reason, 0, sizeof refusal->reason) &&
               memchr(refusal->field, 0, sizeof refusal->field));
    FUZZ_CHECK(!*refusal->reason == !*refusal->field);
    if (*refusal->reason)
        return;
    FUZZ_CHECK(p->filter <= LV_FILTER_HAMMING && p->height <= LV_MAX_PICTURE_EDGE &&
               p->width <= LV_MAX_PICTURE_EDGE && p->shortest_edge <= LV_MAX_PICTURE_EDGE);
    FUZZ_CHECK(!p->resize || p->shortest_edge || (p->height && p->width));
    FUZZ_CHECK(isfinite(p->values.scale) && p->n_pinpoints <= LV_MAX_PINPOINTS);
}

static void prepare(const LvConfig *config)
{
    static const uint8_t rgb[9 * 5 * 3];
    for (int layout = LLAVAOV_LAYOUT_VIDEO; layout <= LLAVAOV_LAYOUT_IMAGES; layout++) {
        /* A picture of one pixel may be asked to become one of 16384^2. */
        const LvPreprocess *p = lv_preprocess_of(config, (LlavaovLayout)layout);
        if ((uint64_t)p->width * p->height > 1 << 16 || p->shortest_edge > 64)
            continue;
        const LlavaovImage image = {
            .format = LLAVAOV_PIXEL_RGB, .width = 9, .height = 5, .plane = {rgb}, .stride = {27}};
        LvTiles tiles;
        LlavaovError error = {0};
        LlavaovStatus status = lv_picture_prepare(config, (LlavaovLayout)layout,
            LLAVAOV_RESIZE_TORCHVISION, &image, NULL, &tiles, &error);
        FUZZ_CHECK(status == error.status && (!status || *error.message));
        lv_tiles_free(&tiles);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t pinpoints[][2] = {{28, 28}, {28, 56}, {56, 28}};
    LvConfig config = {.vision = {.image_size = 28, .patch_size = 14, .grid = 2, .n_channels = 3},
        .anyres_max = 9,
        .n_pinpoints = 3,
        .pinpoints = pinpoints};
    LlavaovError error = {0};
    lv_preprocess_default(&config);
    const LvPreprocessFiles files = {next_file(&data, &size, "processor_config.json"),
        next_file(&data, &size, "preprocessor_config.json"),
        next_file(&data, &size, "video_preprocessor_config.json")};
    LlavaovStatus status = lv_preprocess_parse(&files, &config, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (!status) {
        check(&config.image);
        check(&config.video);
        prepare(&config);
    }
    config.pinpoints = NULL;
    lv_config_free(&config);
    return 0;
}
