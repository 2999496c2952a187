/* SPDX-License-Identifier: Apache-2.0
 * What the programs share that time answers: pictures that are pushed, waiting for what comes of them, medians. Mistakes end
 * the program. */
#ifndef COST_H
#define COST_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "llavaov.h"

enum { PICTURE_EDGE = 384, PICTURE_BYTES = PICTURE_EDGE * PICTURE_EDGE * 3 };

/* What has come. Set to zero what is to be counted anew. */
typedef struct Waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n_encoded, n_done; /* frames, answers */
    size_t prompt_tokens;     /* of all answers */
    double prefill_ms;        /* of the latest answer */
    uint32_t early_tokens;    /* of the latest answer */
    LlavaovStatus status;     /* of an answer that failed */
    LlavaovError error;
} Waiting;

#define WAITING_INIT                                                                               \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

void stop_on_error(LlavaovStatus status, const LlavaovError *error);

/* LlavaovSessionOptions.on_frame and LlavaovQuestion.on_done; data is a Waiting. */
void count_frame(void *data, void *frame, LlavaovFrameStage stage);
void count_answer(void *data, const LlavaovAnswer *answer);
/* Until n of them have come; `count` is of w. */
void wait_for(Waiting *w, const size_t *count, size_t n);

/* PICTURE_BYTES bytes of RGB, which are read later; encoded as soon as possible. */
LlavaovFrame *push_picture(LlavaovSession *session, uint8_t *picture, Waiting *w);

double milliseconds(clockid_t clock);
/* Sorts the values. */
double median(double *values, size_t n);
/* argv[i], from 1 to most; `otherwise` where there is none. */
size_t number(int argc, char **argv, int i, size_t otherwise, size_t most);

#endif
