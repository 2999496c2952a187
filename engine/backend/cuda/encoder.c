/* SPDX-License-Identifier: Apache-2.0
 * The tower's layers as a graph, for calls of so few tiles that enqueuing them launch by launch, and
 * the gaps between launches, cost as much as a part of the work.
 *
 * As with decoding steps (graph.c) the first pass of a kind is enqueued directly, the second is
 * recorded, and both give the same bits. The rows and all tensors of a recorded pass lie in memory of
 * its own, so the rows are copied there and back around each replay. In a graph the norms and the
 * attention may begin before the product ahead of them is done. */
#include "backend/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

static size_t rows_bytes(const LvCuda *cuda, const LvPass *pass)
{
    return pass->rows.rows * pass->rows.cols * lv_dtype_bytes(cuda->type);
}

/* Between the caller's rows and those of the graph, which are packed. */
static int copy_rows(LvCuda *cuda, const LvPass *pass, LvTensor rows, bool back)
{
    const size_t size = lv_dtype_bytes(cuda->type), row = rows.cols * size;
    void *own = cuda->encoder.ground, *given = rows.data;
    lv_cuda_not_kernel(cuda);
    return lv_runtime_copy_rows(cuda->runtime, back ? given : own, back ? rows.stride * size : row,
        back ? own : given, back ? row : rows.stride * size, row, pass->rows.rows);
}

static int replay(LvCuda *cuda, const LvPass *pass)
{
    LvEncoder *e = &cuda->encoder;
    int code = copy_rows(cuda, pass, e->given, false);
    if (code == 0)
        code = lv_runtime_graph_launch(cuda->runtime, e->kinds[pass->n_items - 1].graph);
    return code == 0 ? copy_rows(cuda, pass, e->given, true) : code;
}

void lv_encoder_forget(LvCuda *cuda)
{
    LvEncoder *e = &cuda->encoder;
    for (size_t i = 0; i < LV_ENCODER_MOST; i++)
        lv_runtime_graph_close(cuda->runtime, e->kinds[i].graph);
    memset(e->kinds, 0, sizeof e->kinds);
    lv_memory_give(cuda->memory, e->ground);
    e->ground = NULL;
    e->ground_bytes = 0;
    e->model = NULL;
}

static void without_graphs(LvCuda *cuda, const char *what, int code)
{
    LvEncoder *e = &cuda->encoder;
    lv_encoder_forget(cuda);
    e->on = false;
    snprintf(e->why, sizeof e->why, "encoder without graphs: %s: %s (error %d)", what,
        lv_runtime_error(code), code);
    atomic_store(&e->notice, e->why);
}

/* Memory for a pass that takes so much; graphs that lie elsewhere are of no use. */
static int reserve(LvCuda *cuda, size_t bytes)
{
    LvEncoder *e = &cuda->encoder;
    if (e->ground_bytes >= bytes)
        return 0;
    for (size_t i = 0; i < LV_ENCODER_MOST; i++) {
        lv_runtime_graph_close(cuda->runtime, e->kinds[i].graph);
        e->kinds[i].graph = NULL;
    }
    lv_memory_give(cuda->memory, e->ground);
    e->ground = NULL;
    e->ground_bytes = 0;
    const int code = lv_memory_take(cuda->memory, bytes, true, &e->ground);
    e->ground_bytes = code == 0 ? bytes : 0;
    return code;
}

static void count_directly(LvCuda *cuda)
{
    cuda->encoder.way = LV_ENCODER_DIRECT;
    lv_memory_lay_begin(cuda->memory, NULL, 0);
}

static void begin_recording(LvCuda *cuda, LvPass *pass)
{
    LvEncoder *e = &cuda->encoder;
    const size_t own = lv_round_up(rows_bytes(cuda, pass), 256);
    int code = reserve(cuda, own + e->kinds[pass->n_items - 1].bytes);
    if (code == 0)
        code = lv_runtime_capture_begin(cuda->runtime);
    if (code != 0) {
        without_graphs(cuda, "recording a pass", code);
        return;
    }
    e->way = LV_ENCODER_RECORD;
    e->begun = false;
    cuda->steps.recording = true;
    cuda->steps.unrecordable = false;
    lv_memory_lay_begin(cuda->memory, (char *)e->ground + own, e->ground_bytes - own);
    pass->rows.data = e->ground;
    pass->rows.stride = pass->rows.cols;
}

LlavaovStatus lv_cuda_op_pass_begin(LvBackend *backend, const LvRun *run, LvPass *pass)
{
    LvCuda *cuda = lv_cuda(backend);
    LvEncoder *e = &cuda->encoder;
    pass->replayed = pass->again = false;
    e->way = LV_ENCODER_NONE;
    if (!e->on || pass->n_items < 1 || pass->n_items > LV_ENCODER_MOST || !pass->rows.rows)
        return LLAVAOV_OK;
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    if (e->model != pass->model)
        lv_encoder_forget(cuda);
    e->model = pass->model;
    e->given = pass->rows;
    const LvEncoderKind *kind = &e->kinds[pass->n_items - 1];
    if (kind->graph) {
        pass->replayed = true;
        return lv_cuda_end(cuda, run, "the encoder's layers", replay(cuda, pass));
    }
    if (kind->bytes)
        begin_recording(cuda, pass);
    else
        count_directly(cuda);
    if (e->way == LV_ENCODER_NONE)
        pthread_mutex_unlock(&cuda->lock);
    return LLAVAOV_OK; /* with the lock, where something is recorded or counted */
}

static LlavaovStatus end_recording(
    LvCuda *cuda, const LvRun *run, LvPass *pass, LlavaovStatus computed)
{
    LvEncoderKind *kind = &cuda->encoder.kinds[pass->n_items - 1];
    cuda->steps.recording = false;
    pass->rows = cuda->encoder.given;
    int code = lv_runtime_capture_end(cuda->runtime, computed == LLAVAOV_OK ? &kind->graph : NULL);
    if (cuda->steps.unrecordable || computed == LLAVAOV_ERROR_MEMORY)
        code = LV_CUDA_NOT_RECORDABLE;
    else if (computed != LLAVAOV_OK)
        return computed;
    if (code != 0) {
        without_graphs(cuda, "recording a pass", code);
        lv_error_clear(run->error);
        pass->again = true;
        return LLAVAOV_OK;
    }
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    return status == LLAVAOV_OK ? lv_cuda_end(cuda, run, "the encoder's layers", replay(cuda, pass))
                                : status;
}

LlavaovStatus lv_cuda_op_pass_end(
    LvBackend *backend, const LvRun *run, LvPass *pass, LlavaovStatus computed)
{
    LvCuda *cuda = lv_cuda(backend);
    LvEncoder *e = &cuda->encoder;
    const LvEncoderWay way = e->way;
    if (way == LV_ENCODER_NONE)
        return computed;
    const size_t bytes = lv_memory_lay_end(cuda->memory);
    e->way = LV_ENCODER_NONE;
    if (way == LV_ENCODER_RECORD)
        computed = end_recording(cuda, run, pass, computed);
    else if (computed == LLAVAOV_OK)
        e->kinds[pass->n_items - 1].bytes = bytes;
    pthread_mutex_unlock(&cuda->lock);
    return computed;
}
