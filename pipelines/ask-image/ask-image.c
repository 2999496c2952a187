/* SPDX-License-Identifier: Apache-2.0
 * Asks about one picture: what a program needs of libllavaov, in C or C++.
 *
 *     cc ask-image.c $(pkg-config --cflags --libs llavaov) -o ask-image
 *     ./ask-image MODEL PICTURE.ppm "What is shown?" */
#include <llavaov.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

/* A binary PPM with 8 bits a colour; its pixels are the picture's plane[0], NULL where it is none. */
static void read_ppm(const char *path, LlavaovImage *picture)
{
    FILE *file = fopen(path, "rb");
    unsigned width = 0, height = 0;
    if (file && fscanf(file, "P6 %5u %5u 255", &width, &height) == 2 && fgetc(file) != EOF) {
        uint8_t *pixels = (uint8_t *)calloc((size_t)width * height, 3);
        if (pixels && fread(pixels, 3, (size_t)width * height, file) == (size_t)width * height)
            picture->plane[0] = pixels;
        else
            free(pixels);
    }
    if (file)
        fclose(file);
    picture->format = LLAVAOV_PIXEL_RGB;
    picture->width = width;
    picture->height = height;
    picture->stride[0] = 3 * (ptrdiff_t)width;
}

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    (void)error;
    *image = *(const LlavaovImage *)data;
    return LLAVAOV_OK;
}

static LlavaovStatus result;

static void on_done(void *data, const LlavaovAnswer *answer)
{
    result = answer->status;
    puts(result == LLAVAOV_OK ? answer->text : answer->error.message);
    sem_post((sem_t *)data);
}

int main(int argc, char **argv)
{
    static LlavaovImage picture;
    static sem_t done;
    LlavaovEngine *engine = NULL;
    LlavaovSession *session = NULL;
    LlavaovFrame *frame = NULL;
    LlavaovError error;
    if (argc == 4)
        read_ppm(argv[2], &picture);
    if (!picture.plane[0]) {
        fprintf(stderr, "usage: ask-image MODEL PICTURE.ppm QUESTION\n");
        return 2;
    }
    sem_init(&done, 0, 0);
    const LlavaovEngineOptions options = {sizeof options, argv[1]};
    LlavaovFrameSource source = {sizeof source, map};
    source.data = &picture;
    source.layout = LLAVAOV_LAYOUT_IMAGE;
    LlavaovRequest request = {sizeof request, argv[3]};
    request.layout = LLAVAOV_LAYOUT_IMAGE;
    request.frames = &frame;
    request.n_frames = 1;
    request.on_done = on_done;
    request.data = &done;
    LlavaovStatus status = llavaov_engine_open(&options, &engine, &error);
    if (status == LLAVAOV_OK)
        status = llavaov_session_open(engine, NULL, &session, &error);
    if (status == LLAVAOV_OK)
        status = llavaov_session_push_frame(session, &source, &frame, &error);
    if (status == LLAVAOV_OK)
        status = llavaov_session_ask(session, &request, NULL, &error);
    if (status == LLAVAOV_OK)
        sem_wait(&done);
    else
        fprintf(stderr, "%s\n", error.message);
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    free((void *)picture.plane[0]);
    return status == LLAVAOV_OK && result == LLAVAOV_OK ? 0 : 1;
}
