/* SPDX-License-Identifier: Apache-2.0
 * Decoding steps: what a step is of, its tokens, and the step after it. The lock is held from
 * step_begin to step_end.
 *
 * Sizes are powers of two: a step is filled up with rows of padding, which belong to no cache. The
 * grid of attention is that of the longest context, and blocks without keys leave at once. So there
 * are few kinds of steps, and each can be a graph (graph.c).
 *
 * Where the caller expects to go on with the same sequences, the step after this one is enqueued
 * behind it, with the tokens that are still on the device, before the host waits for these: the
 * device need not wait for the host in turn. Which number of its random stream each draw takes is
 * known before the draw; a repetition penalty is not, since it depends on the token, so steps with
 * one are not computed ahead. When the next call asks for what was computed ahead it is there;
 * sequences that have ended, or tokens that the host rejected, make it a wasted step, whose
 * cache rows are written again or lie behind the end. */
#include "backend/cuda/step.h"

#include <string.h>

/* ---- whose graphs they are ---- */

static bool same_shape(const LvKvCache *a, const LvKvCache *b)
{
    return a->n_layers == b->n_layers && a->n_kv_heads == b->n_kv_heads &&
           a->head_dim == b->head_dim;
}

/* Graphs, and what was computed ahead, of another model are forgotten. */
static void made_by(LvCuda *cuda, const LvDecodeStep *asked)
{
    LvSteps *steps = &cuda->steps;
    const LvKvCache *cache = asked->batch->sequences[0].cache;
    if (steps->model == asked->model && steps->n_vocab == asked->n_vocab &&
        same_shape(&steps->shape, cache))
        return;
    lv_steps_forget(cuda);
    memset(steps->kinds, 0, sizeof steps->kinds);
    steps->model = asked->model;
    steps->n_vocab = asked->n_vocab;
    steps->shape = *cache;
}

/* ---- what differs from step to step ---- */

/* A graph checks nothing: this is what its operations checked, of all that may have changed. */
static bool takes(const LvDecodeStep *asked)
{
    const LvSequence *sequences = asked->batch->sequences;
    if (asked->batch->n_sequences > LV_STEP_MOST || !asked->n_vocab)
        return false;
    for (size_t i = 0; i < asked->batch->n_sequences; i++) {
        const LvSequence *s = &sequences[i];
        if (s->n_rows != 1 || s->first_row != i || s->position >= s->cache->capacity ||
            !same_shape(s->cache, sequences[0].cache) || asked->ids[i] < 0 ||
            (size_t)asked->ids[i] >= asked->n_vocab)
            return false;
    }
    return true;
}

static bool any_penalty(const LvDecodeStep *asked)
{
    for (size_t i = 0; i < asked->batch->n_sequences; i++)
        if (lv_cuda_has_penalty(&asked->draws[i]))
            return true;
    return false;
}

/* The mail of the next step, once the device no longer reads what it was last used for. That is long
 * done, unless that step was in vain. */
static int take_mail(LvCuda *cuda, unsigned *slot)
{
    LvSteps *steps = &cuda->steps;
    *slot = steps->n_begun % 2;
    const LvMailUse use = steps->use[*slot];
    int code = use == LV_MAIL_AWAITED  ? lv_runtime_event_wait(cuda->runtime, steps->arrived[*slot])
               : use == LV_MAIL_IN_USE ? lv_runtime_synchronize(cuda->runtime)
                                       : 0;
    steps->use[*slot] = code == 0 ? LV_MAIL_FREE : use;
    return code;
}

/* Fills the step up to its size and writes what its first kernel reads; `ahead`: of the step after
 * it, whose ids are this one's tokens. */
static int prepare(LvCuda *cuda, LvCudaStep *step, bool ahead, unsigned *slot)
{
    LvSteps *steps = &cuda->steps;
    const LvSequence *sequences = step->asked->batch->sequences;
    const size_t n = step->asked->batch->n_sequences;
    int code = take_mail(cuda, slot);
    if (code != 0)
        return code;
    LvCudaStepBlock *block = &steps->mail->step[*slot];
    memset(block, 0, sizeof *block);
    block->ids_are_tokens = ahead;
    memset(steps->ids, 0, sizeof steps->ids);
    step->end = 1;
    for (size_t i = 0; i < steps->n_rows; i++) {
        LvSequence s = {sequences[0].cache, (uint32_t)i, 0, 0, 0};
        if (i < n) {
            s = sequences[i];
            s.position += ahead;
            steps->ids[i] = block->ids[i] = step->asked->ids[i];
            block->sequences[i].cache = s.cache->data;
            block->sequences[i].capacity = s.cache->capacity;
        }
        steps->sequences[i] = s;
        block->sequences[i].first_row = s.first_row;
        block->sequences[i].n_rows = s.n_rows;
        block->sequences[i].position = s.position;
        step->end = s.position + s.n_rows > step->end ? s.position + s.n_rows : step->end;
    }
    const uint32_t rows = (uint32_t)steps->n_rows, heads = sequences[0].cache->n_kv_heads;
    steps->n_splits = lv_cuda_splits(rows, heads, cuda->facts.n_processors);
    block->keys_per_split =
        lv_cuda_keys_per_split(rows, heads, step->end, cuda->facts.n_processors);
    return 0;
}

/* ---- tokens ---- */

/* Behind the step under way: draws its tokens unless they are a part of it, and marks where they
 * are in the mail. `ahead`: of the step after the one that was asked for. */
static LlavaovStatus send_tokens(LvCuda *cuda, LvCudaStep *step, bool ahead, unsigned slot)
{
    LvSteps *steps = &cuda->steps;
    const size_t n = step->asked->batch->n_sequences;
    LvDraw draws[LV_STEP_MOST];
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    if (status != LLAVAOV_OK)
        return status;
    int code = 0;
    for (size_t i = 0; i < n; i++) {
        draws[i] = step->asked->draws[i];
        draws[i].index += ahead && draws[i].generation->temperature > 0;
    }
    if (!step->asked->greedy)
        code = lv_cuda_enqueue_sample(cuda, steps->tokens, lv_tensor_rows(step->scores, 0, n),
            draws, lv_cuda_post(cuda, true));
    if (code == 0)
        code = lv_runtime_event_record(cuda->runtime, steps->arrived[slot]);
    if (code == 0)
        steps->use[slot] = LV_MAIL_AWAITED;
    return lv_cuda_end(cuda, step->run, "sample", code);
}

/* ---- the step ahead ---- */

/* The flight's row was drawn as this draw wants it. */
static bool same_draw(const LvFlight *flight, size_t row, const LvDraw *draw)
{
    const LlavaovGeneration *a = &flight->generation[row], *b = draw->generation;
    if (lv_cuda_has_penalty(draw) || a->temperature != b->temperature)
        return false;
    return !(b->temperature > 0) || (a->top_k == b->top_k && a->top_p == b->top_p &&
                                        a->seed == b->seed && flight->indices[row] == draw->index);
}

/* The call's sequences, and no others, were computed ahead, sequence i as row rows[i]. A step of
 * more of them would have another shape, which rounds differently. */
static bool in_flight(const LvFlight *flight, const LvDecodeStep *asked, size_t *rows)
{
    if (flight->n != asked->batch->n_sequences || flight->greedy != asked->greedy)
        return false;
    for (size_t i = 0; i < asked->batch->n_sequences; i++) {
        const LvSequence *s = &asked->batch->sequences[i];
        size_t row = 0;
        while (row < flight->n && flight->serials[row] != s->cache->serial)
            row++;
        if (row == flight->n || flight->positions[row] != s->position ||
            flight->ids[row] != asked->ids[i] ||
            (!flight->greedy && !same_draw(flight, row, &asked->draws[i])))
            return false;
        rows[i] = row;
    }
    return true;
}

/* Enqueues the step after the one whose tokens lie on the device, row i of sequence i. Its ids are
 * filled in when they are known. */
static LlavaovStatus work_ahead(LvCuda *cuda, LvCudaStep *step)
{
    LvSteps *steps = &cuda->steps;
    const LvBatch *batch = step->asked->batch;
    const size_t n = batch->n_sequences;
    uint32_t end = 1;
    unsigned slot;
    for (size_t i = 0; i < n; i++) {
        const LvSequence *s = &batch->sequences[i];
        if (s->position + 1 >= s->cache->capacity)
            return LLAVAOV_OK;
        end = s->position + 2 > end ? s->position + 2 : end;
    }
    if (!steps->graphs || !step->kind->graph || cuda->rope_positions < end ||
        any_penalty(step->asked))
        return LLAVAOV_OK;
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    if (status != LLAVAOV_OK)
        return status;
    status = lv_cuda_end(cuda, step->run, "a decoding step", prepare(cuda, step, true, &slot));
    if (status == LLAVAOV_OK)
        status = lv_step_replay(cuda, step);
    if (status == LLAVAOV_OK)
        status = send_tokens(cuda, step, true, slot);
    if (status != LLAVAOV_OK)
        return status;
    steps->flight.n = n;
    steps->flight.greedy = step->asked->greedy;
    steps->flight.slot = slot;
    for (size_t i = 0; i < n; i++) {
        const LvDraw *draw = &step->asked->draws[i];
        steps->flight.generation[i] = *draw->generation;
        steps->flight.indices[i] = draw->index + (draw->generation->temperature > 0);
        steps->flight.serials[i] = batch->sequences[i].cache->serial;
        steps->flight.positions[i] = batch->sequences[i].position + 1;
    }
    return LLAVAOV_OK;
}

/* ---- beginning ---- */

static LlavaovStatus begin_step(LvCuda *cuda, LvCudaStep *step)
{
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    if (status == LLAVAOV_OK)
        status = lv_cuda_end(
            cuda, step->run, "a decoding step", prepare(cuda, step, false, &step->slot));
    return status == LLAVAOV_OK ? lv_step_open(cuda, step) : status;
}

LlavaovStatus lv_cuda_op_step_begin(LvBackend *backend, const LvRun *run, LvDecodeStep *asked)
{
    LvCuda *cuda = lv_cuda(backend);
    LvSteps *steps = &cuda->steps;
    const size_t n = asked->batch->n_sequences;
    size_t size = 0;
    asked->again = false;
    asked->replayed = n == 0;
    if (!takes(asked))
        return lv_cuda_shape_error(run, "step_begin");
    LlavaovStatus status = n ? lv_cuda_begin(cuda, run) : LLAVAOV_OK;
    if (status != LLAVAOV_OK || n == 0)
        return status;
    made_by(cuda, asked);
    asked->greedy = lv_cuda_all_greedy(asked->draws, n);
    while ((size_t)1 << size < n)
        size++;
    LvCudaStep *step = &steps->now;
    *step = (LvCudaStep){.asked = asked, .run = run, .kind = &steps->kinds[size][asked->greedy]};
    steps->n_rows = (size_t)1 << size;
    if (in_flight(&steps->flight, asked, step->order)) {
        step->way = LV_STEP_AHEAD;
        step->slot = steps->flight.slot;
    } else {
        for (size_t i = 0; i < n; i++)
            step->order[i] = i;
    }
    steps->flight.n = 0;
    if (step->way != LV_STEP_AHEAD)
        status = begin_step(cuda, step);
    asked->replayed = step->way == LV_STEP_AHEAD || step->way == LV_STEP_REPLAY;
    if (status != LLAVAOV_OK)
        pthread_mutex_unlock(&cuda->lock);
    return status;
}

/* ---- ending ---- */

/* Of a step that is on its way: the one after it is sent behind it, then its tokens are waited for.
 */
static LlavaovStatus collect(LvCuda *cuda, LvCudaStep *step, int32_t *tokens)
{
    LvSteps *steps = &cuda->steps;
    const size_t n = step->asked->batch->n_sequences;
    LlavaovStatus status = LLAVAOV_OK;
    bool in_place = step->asked->ahead;
    for (size_t i = 0; i < n; i++)
        in_place = in_place && step->order[i] == i;
    if (in_place)
        status = work_ahead(cuda, step);
    if (status == LLAVAOV_ERROR_MEMORY) { /* nobody has asked for that one */
        lv_error_clear(step->run->error);
        status = LLAVAOV_OK;
    }
    if (status == LLAVAOV_OK)
        status = lv_cuda_begin(cuda, step->run);
    if (status == LLAVAOV_OK)
        status = lv_cuda_end(cuda, step->run, "sample",
            lv_runtime_event_wait(cuda->runtime, steps->arrived[step->slot]));
    if (status != LLAVAOV_OK) {
        steps->flight.n = 0;
        return status;
    }
    steps->use[step->slot] = LV_MAIL_FREE;
    for (size_t i = 0; i < n; i++)
        tokens[i] = steps->mail->tokens[step->slot][step->order[i]];
    memcpy(steps->flight.ids, tokens, n * sizeof *tokens);
    return LLAVAOV_OK;
}

LlavaovStatus lv_cuda_op_step_end(LvBackend *backend, const LvRun *run, LvDecodeStep *asked,
    LlavaovStatus computed, int32_t *tokens)
{
    LvCuda *cuda = lv_cuda(backend);
    LvCudaStep *step = &cuda->steps.now;
    /* Once it is on its way the step is not given up. */
    const LvRun uncancelled = {.error = run->error};
    LlavaovStatus status = computed;
    if (asked->batch->n_sequences == 0)
        return computed;
    step->run = run;
    if (step->way == LV_STEP_RECORD || step->way == LV_STEP_DIRECT)
        status = lv_step_shut(cuda, step, computed);
    const LvTensor scores = step->scores;
    step->run = &uncancelled;
    if (status == LLAVAOV_OK && !asked->again && step->way != LV_STEP_AHEAD)
        status = send_tokens(cuda, step, false, step->slot);
    if (status == LLAVAOV_OK && !asked->again)
        status = collect(cuda, step, tokens);
    if (step->way == LV_STEP_DIRECT)
        lv_cuda_tensor_free(&cuda->base, &(LvTensor){.data = scores.data});
    step->way = LV_STEP_NONE;
    step->run = NULL;
    pthread_mutex_unlock(&cuda->lock);
    return status;
}
