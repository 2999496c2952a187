/* SPDX-License-Identifier: Apache-2.0
 * Decoding steps: what a step is of, its tokens, and the step after it.
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
static void made_by(LvCuda *cuda, const LvNextTokens *next)
{
    LvSteps *steps = &cuda->steps;
    const LvKvCache *cache = next->batch->sequences[0].cache;
    if (steps->maker.compute == next->compute && steps->maker.model == next->model &&
        steps->maker.n_vocab == next->n_vocab && same_shape(&steps->shape, cache))
        return;
    lv_steps_forget(cuda);
    memset(steps->kinds, 0, sizeof steps->kinds);
    steps->maker = *next;
    steps->shape = *cache;
}

/* ---- what differs from step to step ---- */

/* A graph checks nothing: this is what its operations checked, of all that may have changed. */
static bool takes(const LvNextTokens *next)
{
    const LvSequence *sequences = next->batch->sequences;
    if (next->batch->n_sequences > LV_STEP_MOST || !next->n_vocab)
        return false;
    for (size_t i = 0; i < next->batch->n_sequences; i++) {
        const LvSequence *s = &sequences[i];
        if (s->n_rows != 1 || s->first_row != i || s->position >= s->cache->capacity ||
            !same_shape(s->cache, sequences[0].cache) || next->ids[i] < 0 ||
            (size_t)next->ids[i] >= next->n_vocab)
            return false;
    }
    return true;
}

static bool any_penalty(const LvNextTokens *next)
{
    for (size_t i = 0; i < next->batch->n_sequences; i++)
        if (lv_cuda_has_penalty(&next->draws[i]))
            return true;
    return false;
}

/* Fills the step up to its size and sends what it reads; `ahead`: of the step after it, but for its
 * ids. */
static int prepare(LvCudaStep *step, bool ahead)
{
    LvCuda *cuda = step->cuda;
    LvSteps *steps = &cuda->steps;
    const LvSequence *sequences = step->next->batch->sequences;
    const size_t n = step->next->batch->n_sequences;
    void *host, *device;
    int code = lv_staging_take(cuda, sizeof *steps->block, &host, &device);
    if (code != 0)
        return code;
    LvStepBlock *block = host;
    memset(block, 0, sizeof *block);
    memset(steps->ids, 0, sizeof steps->ids);
    step->end = 1;
    for (size_t i = 0; i < steps->rows; i++) {
        LvSequence s = {sequences[0].cache, (uint32_t)i, 0, 0, 0};
        if (i < n) {
            s = sequences[i];
            s.position += ahead;
            steps->ids[i] = block->ids[i] = step->next->ids[i];
            block->sequences[i].cache = s.cache->data;
            block->sequences[i].capacity = s.cache->capacity;
        }
        steps->sequences[i] = s;
        block->sequences[i].first_row = s.first_row;
        block->sequences[i].n_rows = s.n_rows;
        block->sequences[i].position = s.position;
        step->end = s.position + s.n_rows > step->end ? s.position + s.n_rows : step->end;
    }
    const uint32_t rows = (uint32_t)steps->rows, heads = sequences[0].cache->n_kv_heads;
    steps->n_splits = lv_cuda_splits(rows, heads, cuda->facts.n_processors);
    block->keys_per_split =
        lv_cuda_keys_per_split(rows, heads, step->end, cuda->facts.n_processors);
    return lv_runtime_to_device(cuda->runtime, steps->block, block, sizeof *block);
}

/* ---- tokens ---- */

static int32_t *fetched(const LvSteps *steps, unsigned slot)
{
    return steps->fetched + slot * LV_STEP_MOST;
}

/* Behind the step under way: draws its tokens unless they are a part of it, and sends them.
 * `ahead`: of the step after the one that was asked for. */
static LlavaovStatus send_tokens(LvCudaStep *step, bool ahead, unsigned slot)
{
    LvCuda *cuda = step->cuda;
    LvSteps *steps = &cuda->steps;
    const size_t n = step->next->batch->n_sequences;
    LvDraw draws[LV_STEP_MOST];
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    if (status != LLAVAOV_OK)
        return status;
    int code = 0;
    for (size_t i = 0; i < n; i++) {
        draws[i] = step->next->draws[i];
        draws[i].index += ahead && draws[i].generation->temperature > 0;
    }
    if (!step->greedy)
        code =
            lv_cuda_enqueue_sample(cuda, steps->tokens, lv_tensor_rows(step->scores, 0, n), draws);
    if (code == 0)
        code = lv_runtime_to_host(
            cuda->runtime, fetched(steps, slot), steps->tokens, n * sizeof *steps->tokens);
    if (code == 0)
        code = lv_runtime_event_record(cuda->runtime, steps->arrived[slot]);
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
static bool in_flight(const LvFlight *flight, const LvCudaStep *step, size_t *rows)
{
    const LvNextTokens *next = step->next;
    if (flight->n != next->batch->n_sequences || flight->greedy != step->greedy)
        return false;
    for (size_t i = 0; i < next->batch->n_sequences; i++) {
        const LvSequence *s = &next->batch->sequences[i];
        size_t row = 0;
        while (row < flight->n && flight->serials[row] != s->cache->serial)
            row++;
        if (row == flight->n || flight->positions[row] != s->position ||
            flight->ids[row] != next->ids[i] ||
            (!flight->greedy && !same_draw(flight, row, &next->draws[i])))
            return false;
        rows[i] = row;
    }
    return true;
}

/* Enqueues the step after the one whose tokens lie on the device, row i of sequence i; `slot` is
 * where its own go. Its ids are filled in when they are known. */
static LlavaovStatus work_ahead(LvCudaStep *step, const LvStepKind *kind, unsigned slot)
{
    LvCuda *cuda = step->cuda;
    LvSteps *steps = &cuda->steps;
    const LvBatch *batch = step->next->batch;
    const size_t n = batch->n_sequences, bytes = n * sizeof *steps->tokens;
    uint32_t end = 1;
    for (size_t i = 0; i < n; i++) {
        const LvSequence *s = &batch->sequences[i];
        if (s->position + 1 >= s->cache->capacity)
            return LLAVAOV_OK;
        end = s->position + 2 > end ? s->position + 2 : end;
    }
    if (!steps->graphs || !kind->graph || cuda->rope_positions < end || any_penalty(step->next))
        return LLAVAOV_OK;
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    if (status != LLAVAOV_OK)
        return status;
    int code = prepare(step, true);
    if (code == 0)
        code = lv_runtime_copy_rows(
            cuda->runtime, steps->block->ids, bytes, steps->tokens, bytes, bytes, 1);
    status = lv_cuda_end(cuda, step->run, "a decoding step", code);
    if (status == LLAVAOV_OK)
        status = lv_step_replay(step, kind);
    if (status == LLAVAOV_OK)
        status = send_tokens(step, true, slot);
    if (status != LLAVAOV_OK)
        return status;
    steps->flight.n = n;
    steps->flight.greedy = step->greedy;
    steps->flight.slot = slot;
    for (size_t i = 0; i < n; i++) {
        const LvDraw *draw = &step->next->draws[i];
        steps->flight.generation[i] = *draw->generation;
        steps->flight.indices[i] = draw->index + (draw->generation->temperature > 0);
        steps->flight.serials[i] = batch->sequences[i].cache->serial;
        steps->flight.positions[i] = batch->sequences[i].position + 1;
    }
    return LLAVAOV_OK;
}

/* ---- the operation ---- */

/* Of a step that is on its way: tokens[i] is row rows[i]. */
static LlavaovStatus collect(
    LvCudaStep *step, const LvStepKind *kind, unsigned slot, const size_t *rows, int32_t *tokens)
{
    LvCuda *cuda = step->cuda;
    LvSteps *steps = &cuda->steps;
    const size_t n = step->next->batch->n_sequences;
    LlavaovStatus status = LLAVAOV_OK;
    bool in_place = step->next->ahead;
    for (size_t i = 0; i < n; i++)
        in_place = in_place && rows[i] == i;
    if (in_place)
        status = work_ahead(step, kind, slot ^ 1);
    if (status == LLAVAOV_ERROR_MEMORY) { /* nobody has asked for that one */
        lv_error_clear(step->run->error);
        status = LLAVAOV_OK;
    }
    if (status == LLAVAOV_OK)
        status = lv_cuda_begin(cuda, step->run);
    if (status == LLAVAOV_OK)
        status = lv_cuda_end(
            cuda, step->run, "sample", lv_runtime_event_wait(cuda->runtime, steps->arrived[slot]));
    if (status != LLAVAOV_OK) {
        steps->flight.n = 0;
        return status;
    }
    for (size_t i = 0; i < n; i++)
        tokens[i] = fetched(steps, slot)[rows[i]];
    memcpy(steps->flight.ids, tokens, n * sizeof *tokens);
    return LLAVAOV_OK;
}

static LlavaovStatus begin_step(LvCudaStep *step, LvStepKind *kind)
{
    LvCuda *cuda = step->cuda;
    LlavaovStatus status = lv_cuda_begin(cuda, step->run);
    if (status == LLAVAOV_OK)
        status = lv_cuda_end(cuda, step->run, "a decoding step", prepare(step, false));
    if (status != LLAVAOV_OK)
        return status;
    cuda->steps.active = true;
    lv_cuda_not_kernel(cuda);
    status = lv_step_enqueue(step, kind);
    cuda->steps.active = false;
    return status;
}

static LlavaovStatus take_step(LvCudaStep *step, int32_t *tokens)
{
    LvSteps *steps = &step->cuda->steps;
    const size_t n = step->next->batch->n_sequences;
    size_t rows[LV_STEP_MOST], size = 0;
    while ((size_t)1 << size < n)
        size++;
    LvStepKind *kind = &steps->kinds[size][step->greedy];
    const bool waited_for = in_flight(&steps->flight, step, rows);
    const unsigned slot = waited_for ? steps->flight.slot : steps->flight.slot ^ 1;
    LlavaovStatus status = LLAVAOV_OK;
    steps->rows = (size_t)1 << size;
    steps->flight.n = 0;
    steps->flight.slot = slot;
    if (!waited_for) {
        for (size_t i = 0; i < n; i++)
            rows[i] = i;
        status = begin_step(step, kind);
    }
    /* From here on the step is on its way and is not given up. */
    const LvTensor scores = step->scores;
    const bool owned = !waited_for && !step->replayed;
    const LvRun *const run = step->run;
    const LvRun uncancelled = {.stream = run->stream, .error = run->error};
    step->run = &uncancelled;
    if (status == LLAVAOV_OK && !waited_for)
        status = send_tokens(step, false, slot);
    if (status == LLAVAOV_OK)
        status = collect(step, kind, slot, rows, tokens);
    step->run = run;
    if (owned)
        lv_cuda_tensor_free(&step->cuda->base, &(LvTensor){.data = scores.data});
    return status;
}

LlavaovStatus lv_cuda_op_next_tokens(
    LvBackend *backend, const LvRun *run, const LvNextTokens *next, int32_t *tokens)
{
    LvCuda *cuda = lv_cuda(backend);
    if (!takes(next))
        return lv_cuda_shape_error(run, "next_tokens");
    LlavaovStatus status = next->batch->n_sequences ? lv_cuda_begin(cuda, run) : LLAVAOV_OK;
    if (status != LLAVAOV_OK || next->batch->n_sequences == 0)
        return status;
    LvCudaStep step = {.cuda = cuda,
        .run = run,
        .next = next,
        .greedy = lv_cuda_all_greedy(next->draws, next->batch->n_sequences)};
    made_by(cuda, next);
    status = take_step(&step, tokens);
    pthread_mutex_unlock(&cuda->lock);
    return status;
}
