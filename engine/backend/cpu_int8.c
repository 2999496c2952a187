/* SPDX-License-Identifier: Apache-2.0
 * Products with int8 weights: rows are measured, put in the order that the kernels want them in, and
 * multiplied, in chunks of rows; threads share rows, then outputs. */
#include "backend/cpu_int8.h"

/* Numbers of a chunk's rows that one thread quantises by itself sooner than the others begin. */
#define FEW_NUMBERS 32768u

typedef struct Int8Loop {
    LvCpu *cpu;
    LvInt8Args base; /* common to all units; out, residual at output 0 */
    LvTensor in;     /* the chunk's rows */
    LvInt8Row *measured, *ordered;
    char *lines;
    const LvWeight *weight; /* all parts, or: */
    LvInt8Matrix gate, up;
    const float *bias;
    size_t unit; /* outputs of one unit */
} Int8Loop;

/* Puts a row where it is in a chunk without wide ones, while it is in the cache. */
static void measure_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Int8Loop *loop = data;
    const LvInt8Kernels *kernels = loop->cpu->int8;
    for (size_t r = first; r < first + n; r++) {
        LvInt8Row *row = &loop->measured[r];
        *row = kernels->measure_row(lv_row(loop->in, r), loop->in.cols);
        row->row = r;
        if (row->kind != LV_INT8_WIDE)
            kernels->put_row(loop->lines + r * kernels->row_bytes(loop->in.cols), row,
                lv_row(loop->in, r), loop->in.cols);
    }
}

static void put_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Int8Loop *loop = data;
    const LvInt8Kernels *kernels = loop->cpu->int8;
    for (size_t i = first; i < first + n; i++) {
        const LvInt8Row *row = &loop->ordered[i];
        const size_t line = i + (i < loop->base.n_wide ? i : loop->base.n_wide);
        kernels->put_row(loop->lines + line * kernels->row_bytes(loop->in.cols), row,
            lv_row(loop->in, row->row), loop->in.cols);
    }
}

/* Wide rows first. */
static void order_rows(Int8Loop *loop)
{
    size_t n = 0;
    for (int wide = 1; wide >= 0; wide--) {
        for (size_t r = 0; r < loop->in.rows; r++)
            if ((loop->measured[r].kind == LV_INT8_WIDE) == wide)
                loop->ordered[n++] = loop->measured[r];
        if (wide)
            loop->base.n_wide = n;
    }
    loop->base.n_rows = n;
}

static void multiply(const Int8Loop *loop, const LvInt8Matrix *matrix, const LvInt8Matrix *up,
    size_t column, size_t first, size_t cols)
{
    LvInt8Args piece = loop->base;
    piece.weight = matrix;
    piece.up = up;
    piece.first = first;
    piece.cols = cols;
    piece.out += column;
    if (loop->bias)
        piece.bias = loop->bias + column;
    if (piece.residual)
        piece.residual += column;
    loop->cpu->int8->product(&piece);
}

static void output_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Int8Loop *loop = data;
    const size_t n_parts = loop->weight ? loop->weight->n_parts : 1;
    size_t column = 0;
    for (size_t i = 0; i < n_parts && n; i++) {
        const LvInt8Matrix *part = loop->weight ? &loop->weight->int8[i] : &loop->gate;
        const size_t units = lv_ceil_div(part->rows, loop->unit);
        if (first < units) {
            const size_t take = n < units - first ? n : units - first;
            const size_t begin = first * loop->unit, end = (first + take) * loop->unit;
            multiply(loop, part, loop->weight ? NULL : &loop->up, column + begin, begin,
                (end < part->rows ? end : part->rows) - begin);
            n -= take;
            first += take;
        }
        first -= units < first ? units : first;
        column += part->rows;
    }
}

static size_t count_units(const Int8Loop *loop)
{
    if (!loop->weight)
        return lv_ceil_div(loop->gate.rows, loop->unit);
    size_t units = 0;
    for (size_t i = 0; i < loop->weight->n_parts; i++)
        units += lv_ceil_div(loop->weight->int8[i].rows, loop->unit);
    return units;
}

static LlavaovStatus run_chunk(Int8Loop *loop, const LvRun *run)
{
    const size_t rows = loop->in.rows;
    const bool few = rows <= LV_FEW_ROWS;
    LlavaovStatus status = LLAVAOV_OK;
    if (rows * loop->in.cols <= FEW_NUMBERS) {
        measure_units(loop, 0, rows, 0);
        order_rows(loop);
        if (loop->base.n_wide)
            put_units(loop, 0, rows, 0);
    } else {
        status = lv_cpu_run(loop->cpu, run, rows, 16, measure_units, loop);
        if (status == LLAVAOV_OK) {
            order_rows(loop);
            if (loop->base.n_wide)
                status = lv_cpu_run(loop->cpu, run, rows, 16, put_units, loop);
        }
    }
    if (status == LLAVAOV_OK)
        status = lv_cpu_run(loop->cpu, run, count_units(loop), few ? 32 : 2, output_units, loop);
    return status;
}

/* Memory for a chunk: where its rows are measured and ordered, and its lines. */
static LlavaovStatus reserve(Int8Loop *loop, size_t rows, LlavaovError *error)
{
    const size_t lines = loop->cpu->int8->row_bytes(loop->in.cols) * rows * 2,
                 measured = lv_ceil_div(2 * rows * sizeof(LvInt8Row), 64) * 64;
    LvCpuScratch *scratch = &loop->cpu->packed;
    const LlavaovStatus status =
        lv_cpu_scratch_reserve(scratch, lv_ceil_div(measured + lines, sizeof(float)), error);
    if (status == LLAVAOV_OK) {
        loop->measured = (LvInt8Row *)scratch->data;
        loop->ordered = loop->measured + rows;
        loop->lines = (char *)scratch->data + measured;
    }
    return status;
}

static LlavaovStatus run_loop(
    Int8Loop *loop, const LvRun *run, LvTensor out, LvTensor in, const LvTensor *residual)
{
    if (out.rows == 0 || out.cols == 0)
        return lv_cancelled(run->cancel) ? lv_cancelled_status(run) : LLAVAOV_OK;
    const size_t chunk = lv_ceil_div(out.rows, lv_ceil_div(out.rows, LV_PANEL_ROWS));
    loop->in = in;
    loop->base.out_stride = out.stride;
    loop->base.residual_stride = residual ? residual->stride : 0;
    LlavaovStatus status = reserve(loop, chunk, run->error);
    loop->base.rows = loop->ordered;
    loop->base.in = loop->lines;
    for (size_t row = 0; row < out.rows && status == LLAVAOV_OK; row += chunk) {
        loop->in = lv_tensor_rows(in, row, out.rows - row < chunk ? out.rows - row : chunk);
        loop->base.out = lv_row_out(out, row);
        loop->base.residual = residual ? lv_row(*residual, row) : NULL;
        status = run_chunk(loop, run);
    }
    return status;
}

LlavaovStatus lv_cpu_int8_linear(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const float *bias, LvFunction function, const LvTensor *residual)
{
    Int8Loop loop = {.cpu = cpu, .weight = weight, .bias = bias, .unit = 2 * LV_INT8_PANEL};
    loop.base.function = function;
    return run_loop(&loop, run, out, in, residual);
}

LlavaovStatus lv_cpu_int8_gated(LvCpu *cpu, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *gate_up, LvFunction function)
{
    const LvInt8Matrix *parts = gate_up->int8;
    Int8Loop loop = {.cpu = cpu, .gate = parts[0], .unit = LV_INT8_PANEL};
    loop.up = parts[gate_up->n_parts - 1];
    if (gate_up->n_parts == 1) {
        if (out.cols % LV_INT8_PANEL) /* `up` begins inside a panel */
            return lv_shape_error(run, "linear_gated");
        const size_t panels = out.cols / LV_INT8_PANEL;
        loop.up.numbers += panels * lv_int8_panel_bytes(loop.up.cols);
        loop.up.scales += out.cols;
        loop.up.offsets += out.cols;
        loop.gate.rows = loop.up.rows = out.cols;
    }
    loop.base.function = function;
    return run_loop(&loop, run, out, in, NULL);
}
