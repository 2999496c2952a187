/* SPDX-License-Identifier: Apache-2.0
 * One decoding step on its way through step.c (what it is of, and its tokens) and graph.c (how it
 * is enqueued). All under LvCuda's lock. */
#ifndef LV_CUDA_STEP_H
#define LV_CUDA_STEP_H

#include "backend/cuda/cuda.h"

typedef struct LvCudaStep {
    LvCuda *cuda;
    const LvRun *run;
    const LvNextTokens *next;
    bool greedy;  /* all rows: the tokens are chosen as a part of it, to LvSteps.tokens */
    uint32_t end; /* one past its last position */

    /* Once it is enqueued: */
    bool replayed;
    LvTensor scores; /* not greedy: of all rows, padding included; to be freed unless replayed */
} LvCudaStep;

/* Enqueues a step whose LvStepBlock has been sent: records its kind first where that is possible
 * and has not happened, and replays it, or goes launch by launch. */
LlavaovStatus lv_step_enqueue(LvCudaStep *step, LvStepKind *kind);
/* Of a kind that has a graph; the rotary table reaches step->end. */
LlavaovStatus lv_step_replay(LvCudaStep *step, const LvStepKind *kind);

#endif
