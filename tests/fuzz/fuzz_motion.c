/* SPDX-License-Identifier: Apache-2.0
 * A motion mask, and pictures behind it: up to a NUL byte the input is the mask, behind that the
 * pixels of small pictures, of a size and at times that its bytes choose. A mask that is refused
 * changes nothing; levels stay between 0 and 1. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "llavaov.h"

static void look_at(LlavaovMotion *motion, const uint8_t *data, size_t size)
{
    uint64_t time = 0;
    for (size_t i = 0; i + 64 <= size; i += 64) {
        const uint32_t width = 1 + data[i] % 8, height = 1 + data[i + 1] % 7;
        LlavaovImage image = llavaov_image_packed(LLAVAOV_PIXEL_BGRX, width, height, NULL);
        LlavaovMotionSeen seen = {.size = sizeof seen};
        uint8_t *pixels = malloc((size_t)width * height * 4);
        FUZZ_CHECK(pixels);
        for (size_t k = 0; k < (size_t)width * height * 4; k++)
            pixels[k] = data[i + k % 64];
        image.plane[0] = pixels;
        time += (uint64_t)data[i + 2] << (data[i + 3] % 64);
        FUZZ_CHECK(llavaov_motion_look(motion, &image, time, data[i + 4] / 255.0, &seen, NULL) ==
                   LLAVAOV_OK);
        FUZZ_CHECK(seen.level >= 0 && seen.level <= 1 && seen.since <= time);
        FUZZ_CHECK(!(seen.moving && seen.scene_change));
        free(pixels);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 0, size);
    const size_t n = end ? (size_t)(end - data) : size;
    LlavaovMotion *motion = llavaov_motion_new();
    char *mask = malloc(n + 1);
    LlavaovError error = {0};
    FUZZ_CHECK(motion && mask);
    memcpy(mask, data, n);
    mask[n] = '\0';
    const LlavaovStatus status = llavaov_motion_set_mask(motion, mask, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    look_at(motion, data + n, size - n);
    free(mask);
    llavaov_motion_free(motion);
    return 0;
}
