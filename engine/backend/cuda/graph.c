/* SPDX-License-Identifier: Apache-2.0
 * Decoding steps as graphs: a few hundred small launches take longer to enqueue than to run, so a
 * step is recorded once for each size and from then on enqueued as one.
 *
 * A graph repeats its launches with the arguments that they were recorded with. What differs from
 * step to step therefore lies in one block of device memory (LvCudaStepState), which the first kernel
 * of every step fills from the host's; tensors lie where they lay when the graph was recorded, in memory that all graphs
 * share, since nothing in it outlives a step.
 *
 * The first step of a kind is enqueued launch by launch, so that the libraries have chosen their
 * kernels and the size of its tensors is known; the second is recorded. Both ways launch the same
 * kernels on the same shapes: they give the same bits. */
#define _GNU_SOURCE /* secure_getenv */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda.h"
#include "backend/cuda/step.h"

/* Compute capability from which on kernels can overlap. */
#define OVERLAP_MAJOR 9u

/* ---- opening ---- */

static void without_graphs(LvCuda *cuda, const char *what, int code)
{
    LvSteps *steps = &cuda->steps;
    steps->graphs = false;
    snprintf(steps->why, sizeof steps->why, "decoding steps without graphs: %s: %s (error %d)",
        what, lv_runtime_error(code), code);
    atomic_store(&steps->notice, steps->why);
    lv_steps_forget(cuda);
}

/* Whether kernels can overlap on this device, in this build. */
static int ask_kernels(LvCuda *cuda)
{
    return lv_cuda_waits(lv_runtime_stream(cuda->runtime), cuda->steps.tokens);
}

/* What ask_kernels found out. */
static bool kernels_wait(LvCuda *cuda)
{
    LvSteps *steps = &cuda->steps;
    int32_t *answer = steps->mail->tokens[0];
    *answer = 0;
    return lv_runtime_to_host(cuda->runtime, answer, steps->tokens, sizeof *answer) == 0 &&
           lv_runtime_synchronize(cuda->runtime) == 0 && *answer == 1;
}

/* Kernels that overlap are tried once; where they are refused none is asked to. */
static void try_overlap(LvCuda *cuda)
{
    cuda->steps.overlap = cuda->steps.overlap && cuda->facts.major >= OVERLAP_MAJOR &&
                          ask_kernels(cuda) == 0 && kernels_wait(cuda);
}

/* One copy, and two kernels that overlap where a step's may, recorded and replayed: whether graphs
 * work at all. */
static int try_recording(LvCuda *cuda, const char **what)
{
    LvGraph *graph = NULL;
    *what = "recording";
    int code = lv_runtime_capture_begin(cuda->runtime);
    if (code == 0) {
        code = lv_runtime_zero(cuda->runtime, cuda->steps.tokens, sizeof *cuda->steps.tokens);
        if (code == 0 && cuda->steps.overlap)
            code = ask_kernels(cuda);
        const int end = lv_runtime_capture_end(cuda->runtime, code == 0 ? &graph : NULL);
        code = code == 0 ? end : code;
    }
    if (code == 0) {
        *what = "launching a graph";
        code = lv_runtime_graph_launch(cuda->runtime, graph);
    }
    if (code == 0)
        code = lv_runtime_synchronize(cuda->runtime);
    if (code == 0 && cuda->steps.overlap && !kernels_wait(cuda))
        cuda->steps.overlap = false;
    lv_runtime_graph_close(cuda->runtime, graph);
    return code;
}

static void try_graph(LvCuda *cuda)
{
    const char *what;
    int code = try_recording(cuda, &what);
    if (code != 0 && cuda->steps.overlap) { /* perhaps without */
        cuda->steps.overlap = false;
        code = try_recording(cuda, &what);
    }
    if (code != 0)
        without_graphs(cuda, what, code);
}

int lv_steps_open(LvCuda *cuda)
{
    LvSteps *steps = &cuda->steps;
    void *state = NULL, *tokens = NULL, *mail = NULL;
    int code = lv_memory_take(cuda->memory, sizeof *steps->state, true, &state);
    steps->state = state;
    if (code == 0)
        code = lv_runtime_zero(cuda->runtime, state, sizeof *steps->state);
    if (code == 0)
        code = lv_memory_take(cuda->memory, LV_STEP_MOST * sizeof *steps->tokens, true, &tokens);
    steps->tokens = tokens;
    if (code == 0)
        code = lv_runtime_alloc_pinned(cuda->runtime, sizeof *steps->mail, &mail);
    steps->mail = mail;
    for (int i = 0; i < 2 && code == 0; i++)
        code = lv_runtime_event_open(cuda->runtime, &steps->arrived[i]);
    if (code != 0)
        return code;
    try_overlap(cuda);
    if (steps->graphs)
        try_graph(cuda);
    else
        snprintf(steps->why, sizeof steps->why, "decoding steps without graphs: graphs=off");
    return 0;
}

static void close_graphs(LvCuda *cuda)
{
    for (size_t i = 0; i < LV_STEP_SIZES; i++)
        for (size_t greedy = 0; greedy < 2; greedy++) {
            LvStepKind *kind = &cuda->steps.kinds[i][greedy];
            lv_runtime_graph_close(cuda->runtime, kind->graph);
            kind->graph = NULL;
        }
}

void lv_steps_forget(LvCuda *cuda)
{
    close_graphs(cuda);
    cuda->steps.flight.n = 0;
}

void lv_steps_forget_model(LvCuda *cuda)
{
    lv_steps_forget(cuda);
    cuda->steps.model = NULL;
}

const char *lv_cuda_op_notice(LvBackend *backend)
{
    LvCuda *cuda = lv_cuda(backend);
    const char *notice = atomic_load(&cuda->steps.notice);
    notice = notice ? notice : atomic_load(&cuda->encoder.notice);
    return notice ? notice : lv_runtime_notice(cuda->runtime);
}

void lv_steps_close(LvCuda *cuda)
{
    LvSteps *steps = &cuda->steps;
    lv_steps_forget(cuda);
    for (int i = 0; i < 2; i++)
        if (steps->arrived[i])
            lv_runtime_event_close(cuda->runtime, steps->arrived[i]);
    lv_runtime_free_pinned(cuda->runtime, steps->mail);
    lv_memory_give(cuda->memory, steps->ground);
    lv_memory_give(cuda->memory, steps->tokens);
    lv_memory_give(cuda->memory, steps->state);
    memset(steps, 0, sizeof *steps);
}

/* ---- one step, three ways ---- */

/* Memory for the tensors of a step that takes so much; graphs that lie elsewhere are of no use. */
static int reserve_ground(LvCuda *cuda, size_t bytes)
{
    LvSteps *steps = &cuda->steps;
    if (steps->ground_bytes >= bytes)
        return 0;
    close_graphs(cuda);
    lv_memory_give(cuda->memory, steps->ground);
    steps->ground = NULL;
    steps->ground_bytes = 0;
    int code = lv_memory_take(cuda->memory, bytes, true, &steps->ground);
    steps->ground_bytes = code == 0 ? bytes : 0;
    return code;
}

/* What the operations are called with. */
static LlavaovStatus enter(LvCuda *cuda, LvCudaStep *step)
{
    LvSteps *steps = &cuda->steps;
    LvDecodeStep *asked = step->asked;
    LlavaovStatus status = LLAVAOV_OK;
    lv_cuda_not_kernel(cuda);
    if (!asked->greedy)
        status = lv_cuda_tensor_alloc(
            &cuda->base, steps->n_rows, asked->n_vocab, &step->scores, step->run->error);
    asked->scores = step->scores;
    asked->rows = (LvBatch){steps->sequences, steps->n_rows};
    asked->row_ids = steps->ids;
    steps->active = status == LLAVAOV_OK;
    return status;
}

static LlavaovStatus begin_directly(LvCuda *cuda, LvCudaStep *step)
{
    step->way = LV_STEP_DIRECT;
    lv_memory_lay_begin(cuda->memory, NULL, 0);
    LlavaovStatus status = enter(cuda, step);
    if (status != LLAVAOV_OK)
        lv_memory_lay_end(cuda->memory);
    return status;
}

static LlavaovStatus end_directly(LvCuda *cuda, LvCudaStep *step, LlavaovStatus computed)
{
    const size_t bytes = lv_memory_lay_end(cuda->memory);
    if (computed == LLAVAOV_OK)
        step->kind->bytes = bytes;
    return computed;
}

static LlavaovStatus end_recording(LvCuda *cuda, LvCudaStep *step, LlavaovStatus computed)
{
    LvSteps *steps = &cuda->steps;
    LvStepKind *kind = step->kind;
    lv_memory_lay_end(cuda->memory);
    steps->recording = false;
    int code = lv_runtime_capture_end(cuda->runtime, computed == LLAVAOV_OK ? &kind->graph : NULL);
    kind->scores = step->scores; /* laid, not taken */
    if (steps->unrecordable || computed == LLAVAOV_ERROR_MEMORY)
        code = LV_CUDA_NOT_RECORDABLE;
    else if (computed != LLAVAOV_OK)
        return computed;
    if (code == 0)
        return lv_step_replay(cuda, step);
    lv_runtime_graph_close(cuda->runtime, kind->graph);
    kind->graph = NULL;
    without_graphs(cuda, "recording a step", code);
    lv_error_clear(step->run->error);
    step->asked->again = true;
    return LLAVAOV_OK;
}

static LlavaovStatus begin_recording(LvCuda *cuda, LvCudaStep *step)
{
    LvSteps *steps = &cuda->steps;
    int code = reserve_ground(cuda, step->kind->bytes);
    if (code == 0)
        code = lv_runtime_capture_begin(cuda->runtime);
    if (code != 0) {
        without_graphs(cuda, "recording a step", code);
        return begin_directly(cuda, step);
    }
    step->way = LV_STEP_RECORD;
    steps->recording = true;
    steps->unrecordable = false;
    lv_memory_lay_begin(cuda->memory, steps->ground, steps->ground_bytes);
    LlavaovStatus status = enter(cuda, step);
    if (status == LLAVAOV_OK)
        return status;
    status = end_recording(cuda, step, status); /* no room there: without a graph */
    step->asked->again = false;
    return status == LLAVAOV_OK ? begin_directly(cuda, step) : status;
}

LlavaovStatus lv_step_replay(LvCuda *cuda, LvCudaStep *step)
{
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    step->scores = step->kind->scores;
    if (status != LLAVAOV_OK)
        return status;
    const int code = lv_runtime_graph_launch(cuda->runtime, step->kind->graph);
    if (code == 0)
        lv_cuda_step_begun(cuda);
    return lv_cuda_end(cuda, step->run, "a decoding step", code);
}

LlavaovStatus lv_step_open(LvCuda *cuda, LvCudaStep *step)
{
    /* Graphs know one rotary table. */
    const bool graphs = cuda->steps.graphs && cuda->rope_positions >= step->end;
    if (graphs && step->kind->graph) {
        step->way = LV_STEP_REPLAY;
        return lv_step_replay(cuda, step);
    }
    return graphs && step->kind->bytes ? begin_recording(cuda, step) : begin_directly(cuda, step);
}

LlavaovStatus lv_step_shut(LvCuda *cuda, LvCudaStep *step, LlavaovStatus computed)
{
    cuda->steps.active = false;
    return step->way == LV_STEP_RECORD ? end_recording(cuda, step, computed)
                                       : end_directly(cuda, step, computed);
}
