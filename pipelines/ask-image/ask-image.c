/* SPDX-License-Identifier: Apache-2.0
 * Asks about one picture: what a program needs of libllavaov, in C or C++.
 *
 *     cc ask-image.c $(pkg-config --cflags --libs llavaov) -o ask-image
 *     ./ask-image MODEL PICTURE.ppm "What is shown?" */
#include <llavaov.h>
#include <stdio.h>
#include <stdlib.h>

/* The pixels of a binary PPM with 8 bits a colour, to be freed; NULL where it is none. */
static uint8_t *read_ppm(const char *path, unsigned *width, unsigned *height)
{
    FILE *file = fopen(path, "rb");
    uint8_t *pixels = NULL;
    if (file && fscanf(file, "P6 %5u %5u 255", width, height) == 2 && fgetc(file) != EOF) {
        const size_t bytes = (size_t)*width * *height * 3;
        pixels = (uint8_t *)malloc(bytes + 1);
        if (pixels && fread(pixels, 1, bytes, file) != bytes) {
            free(pixels);
            pixels = NULL;
        }
    }
    if (file)
        fclose(file);
    return pixels;
}

int main(int argc, char **argv)
{
    unsigned width = 0, height = 0;
    uint8_t *pixels = argc == 4 ? read_ppm(argv[2], &width, &height) : NULL;
    if (!pixels) {
        fprintf(stderr, "usage: ask-image MODEL PICTURE.ppm QUESTION\n");
        return 2;
    }
    const LlavaovEngineOptions options = {sizeof options, argv[1]};
    LlavaovRequest request = {sizeof request, argv[3]};
    request.layout = LLAVAOV_LAYOUT_IMAGE;
    const LlavaovImage picture = llavaov_image_packed(LLAVAOV_PIXEL_RGB, width, height, pixels);

    LlavaovEngine *engine = NULL;
    LlavaovError error;
    char *answer = NULL;
    LlavaovStatus status = llavaov_engine_open(&options, &engine, &error);
    if (status == LLAVAOV_OK)
        status = llavaov_engine_ask(engine, &request, &picture, 1, &answer, &error);
    if (status == LLAVAOV_OK)
        puts(answer);
    else
        fprintf(stderr, "%s\n", error.message);
    free(answer);
    llavaov_engine_unref(engine);
    free(pixels);
    return status == LLAVAOV_OK ? 0 : 1;
}
