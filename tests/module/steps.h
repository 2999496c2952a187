/* SPDX-License-Identifier: Apache-2.0
 * A model on the stand-in whose decoding steps can be watched and disturbed. */
#ifndef STEPS_H
#define STEPS_H

#include "backend/cuda/cuda.h"
#include "model/next_token.h"
#include "standin_test.h"

/* A cache has room for SPARE tokens behind its first position. */
enum { MEMBERS = 6, VOCAB = 320, SPARE = 40 };

/* In whatever computes a step: the next one is cancelled, waits for the device, reads from it. */
typedef enum Mischief { NO_MISCHIEF, CANCEL, WAIT, DOWNLOAD } Mischief;

/* One sequence; its cache holds any numbers before its first position, and NaN behind. */
typedef struct Member {
    LvKvCache *cache;
    LvSampler sampler;
    uint32_t position;
    int32_t token;
} Member;

/* Zeroed by open_model. */
typedef struct Watch {
    LvBackend *b;
    const LvBackendOps *real;
    LvBackendOps ops;
    LvCheckpoint *checkpoint;
    LvModel *model;
    LvTensor scores;   /* of the step that ran last, unless it was greedy */
    unsigned computed; /* steps that were enqueued or recorded, not replayed */
    Mischief mischief;
    bool ahead;
    LvCancel cancel;
    Member members[MEMBERS];
} Watch;
extern Watch watch;

extern const LlavaovGeneration greedy;

/* Group setup: the model, in random_model. */
int write_step_model(void **state);

/* options: of the device, such as ";graphs=off"; wishes: of the stand-in (standin.c). */
void open_model(LlavaovPrecision precision, const char *options, const char *wishes);
/* With all members; nothing is left on the device. */
void close_model(void);

LvKvCache *new_cache(uint32_t position, uint32_t seed);
size_t cache_bytes(const LvKvCache *cache);
void open_member(size_t i, uint32_t position, const LlavaovGeneration *generation);
/* Greedy ones: 0, 1, 2, from position 20 on. */
void open_three(void);

void must(LlavaovStatus status, const LlavaovError *error);

/* One step of the members with these numbers. Where it is done their rows' scores and tokens are
 * put behind each other; `scores` may be NULL. */
LlavaovStatus step(const size_t *who, size_t n, float *scores, LlavaovError *error);
void must_step(const size_t *who, size_t n, float *scores);

/* Six steps of three members: of each step one member's token. */
enum { FEW = 6 };
void few_steps(int32_t tokens[FEW]);

#endif
