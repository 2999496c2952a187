/* SPDX-License-Identifier: Apache-2.0
 * Products with int4 weights: rows become int8 in groups, in blocks of LV_INT4_ROWS, and are
 * multiplied, in chunks of rows; threads share rows, then outputs. */
#include "backend/cpu_int4.h"

/* Numbers of a chunk's rows that one thread quantises by itself sooner than the others begin. */
#define FEW_NUMBERS 32768u

typedef struct Int4Loop {
    LvCpu *cpu;
    LvInt4Args base;   /* common to all units; out, residual at output 0 and the chunk's row 0 */
    LvTensor in;       /* the chunk's rows */
    LvInt4Unit *units; /* of its blocks of rows, one after another */
    const LvWeight *weight; /* all parts, or: */
    LvInt4Matrix gate, up;
    const float *bias;
} Int4Loop;

static size_t block_rows(const Int4Loop *loop, size_t first)
{
    return loop->in.rows - first < LV_INT4_ROWS ? loop->in.rows - first : LV_INT4_ROWS;
}

static void put_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const Int4Loop *loop = data;
    for (size_t row = first; row < first + n; row++) {
        const size_t block = row / LV_INT4_ROWS * LV_INT4_ROWS;
        loop->cpu->int4->put_row(
            loop->units + block * lv_int4_groups(loop->in.cols) + (row - block),
            block_rows(loop, block), lv_row(loop->in, row), loop->in.cols);
    }
}

static void multiply(const Int4Loop *loop, const LvInt4Matrix *matrix, const LvInt4Matrix *up,
    size_t column, size_t first, size_t cols)
{
    LvInt4Args piece = loop->base;
    piece.weight = matrix;
    piece.up = up;
    piece.first = first;
    piece.cols = cols;
    if (loop->bias)
        piece.bias = loop->bias + column;
    for (size_t row = 0; row < loop->in.rows; row += LV_INT4_ROWS) {
        piece.rows = block_rows(loop, row);
        piece.in = loop->units + row * lv_int4_groups(loop->in.cols);
        piece.out = loop->base.out + row * piece.out_stride + column;
        if (piece.residual)
            piece.residual = loop->base.residual + row * piece.residual_stride + column;
        loop->cpu->int4->product(&piece);
    }
}

static void output_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Int4Loop *loop = data;
    const size_t n_parts = loop->weight ? loop->weight->n_parts : 1;
    size_t column = 0;
    for (size_t i = 0; i < n_parts && n; i++) {
        const LvInt4Matrix *part = loop->weight ? &loop->weight->int4[i] : &loop->gate;
        const size_t units = lv_int4_panels(part->rows);
        if (first < units) {
            const size_t take = n < units - first ? n : units - first;
            const size_t begin = first * LV_INT4_PANEL, end = (first + take) * LV_INT4_PANEL;
            multiply(loop, part, loop->weight ? NULL : &loop->up, column + begin, begin,
                (end < part->rows ? end : part->rows) - begin);
            n -= take;
            first += take;
        }
        first -= units < first ? units : first;
        column += part->rows;
    }
}

static size_t count_units(const Int4Loop *loop)
{
    if (!loop->weight)
        return lv_int4_panels(loop->gate.rows);
    size_t units = 0;
    for (size_t i = 0; i < loop->weight->n_parts; i++)
        units += lv_int4_panels(loop->weight->int4[i].rows);
    return units;
}

static LlavaovStatus run_chunk(Int4Loop *loop, const LvRun *run)
{
    const size_t rows = loop->in.rows;
    LlavaovStatus status = LLAVAOV_OK;
    if (rows * loop->in.cols <= FEW_NUMBERS)
        put_rows(loop, 0, rows, 0);
    else
        status = lv_cpu_run(loop->cpu, run, rows, 16, put_rows, loop);
    if (status == LLAVAOV_OK)
        status = lv_cpu_run(
            loop->cpu, run, count_units(loop), rows <= LV_FEW_ROWS ? 32 : 4, output_units, loop);
    return status;
}

static LlavaovStatus run_loop(
    Int4Loop *loop, const LvRun *run, LvTensor out, LvTensor in, const LvTensor *residual)
{
    if (out.rows == 0 || out.cols == 0)
        return lv_cancelled(run->cancel) ? lv_cancelled_status(run) : LLAVAOV_OK;
    const size_t chunk = lv_ceil_div(out.rows, lv_ceil_div(out.rows, LV_PANEL_ROWS));
    loop->base.out_stride = out.stride;
    loop->base.residual_stride = residual ? residual->stride : 0;
    LlavaovStatus status = lv_cpu_scratch_reserve(&loop->cpu->packed,
        chunk * lv_int4_groups(in.cols) * (sizeof *loop->units / sizeof(float)), run->error);
    loop->units = (LvInt4Unit *)(void *)loop->cpu->packed.data;
    for (size_t row = 0; row < out.rows && status == LLAVAOV_OK; row += chunk) {
        loop->in = lv_tensor_rows(in, row, out.rows - row < chunk ? out.rows - row : chunk);
        loop->base.out = lv_row_out(out, row);
        loop->base.residual = residual ? lv_row(*residual, row) : NULL;
        status = run_chunk(loop, run);
    }
    return status;
}

LlavaovStatus lv_cpu_int4_linear(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const float *bias, LvFunction function, const LvTensor *residual)
{
    Int4Loop loop = {.cpu = cpu, .weight = weight, .bias = bias};
    loop.base.function = function;
    return run_loop(&loop, run, out, in, residual);
}

LlavaovStatus lv_cpu_int4_gated(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *gate_up, LvFunction function)
{
    const LvInt4Matrix *parts = gate_up->int4;
    Int4Loop loop = {.cpu = cpu, .gate = parts[0], .up = parts[gate_up->n_parts - 1]};
    if (gate_up->n_parts == 1) {
        if (out.cols % LV_INT4_PANEL) /* `up` begins inside a panel */
            return lv_shape_error(run, "linear_gated");
        const size_t panels = out.cols / LV_INT4_PANEL;
        loop.up.numbers += panels * lv_int4_panel_bytes(loop.up.cols);
        loop.up.scales += panels * lv_int4_panel_scales(loop.up.cols);
        loop.gate.rows = loop.up.rows = out.cols;
    }
    loop.base.function = function;
    return run_loop(&loop, run, out, in, NULL);
}
