/* SPDX-License-Identifier: Apache-2.0 */
#include "cost.h"

#include <stdio.h>
#include <stdlib.h>

void stop_on_error(LlavaovStatus status, const LlavaovError *error)
{
    if (status != LLAVAOV_OK)
        exit((fprintf(stderr, "%s\n", error->message), 1));
}

void count_frame(void *data, void *frame, LlavaovFrameStage stage)
{
    Waiting *w = data;
    pthread_mutex_lock(&w->lock);
    w->n_encoded += stage == LLAVAOV_FRAME_ENCODED;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void count_answer(void *data, const LlavaovAnswer *answer)
{
    Waiting *w = data;
    pthread_mutex_lock(&w->lock);
    if (answer->status != LLAVAOV_OK) {
        w->status = answer->status;
        w->error = answer->error;
    }
    w->prompt_tokens += answer->prompt_tokens;
    w->prefill_ms = (double)answer->prefill_ns / 1e6;
    w->early_tokens = answer->early_tokens;
    w->n_done++;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

void wait_for(Waiting *w, const size_t *count, size_t n)
{
    pthread_mutex_lock(&w->lock);
    while (*count < n)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = llavaov_image_packed(LLAVAOV_PIXEL_RGB, PICTURE_EDGE, PICTURE_EDGE, data);
    return LLAVAOV_OK;
}

LlavaovFrame *push_picture(LlavaovSession *session, uint8_t *picture, Waiting *w)
{
    const LlavaovFrameSource source = {.size = sizeof source,
        .data = picture,
        .map = map,
        .layout = LLAVAOV_LAYOUT_VIDEO,
        .encode = LLAVAOV_ENCODE_ON_ARRIVAL};
    LlavaovFrame *frame;
    stop_on_error(llavaov_session_push_frame(session, &source, &frame, &w->error), &w->error);
    return frame;
}

double milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

size_t number(int argc, char **argv, int i, size_t otherwise, size_t most)
{
    const size_t n = argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
    if (n == 0 || n > most)
        exit((fprintf(stderr, "%s: 1 to %zu are possible\n", argv[i], most), 2));
    return n;
}
