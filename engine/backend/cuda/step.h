/* SPDX-License-Identifier: Apache-2.0
 * One decoding step on its way through step.c (what it is of, and its tokens) and graph.c (how it
 * is enqueued). All under LvCuda's lock. */
#ifndef LV_CUDA_STEP_H
#define LV_CUDA_STEP_H

#include "backend/cuda/cuda.h"

/* Of a step whose mail has been written: chooses its way, replays its kind where that is
 * recorded, and otherwise sets all up for its operations. When it fails nothing is left. */
LlavaovStatus lv_step_open(LvCuda *cuda, LvCudaStep *step);
/* Behind the operations, which ended with this status. A recording is replayed; one that cannot be
 * is given up, and the step is to begin again (LvDecodeStep.again). */
LlavaovStatus lv_step_shut(LvCuda *cuda, LvCudaStep *step, LlavaovStatus computed);
/* Of a kind that has a graph; the rotary table reaches step->end. */
LlavaovStatus lv_step_replay(LvCuda *cuda, LvCudaStep *step);

#endif
