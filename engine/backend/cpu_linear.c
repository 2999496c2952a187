/* SPDX-License-Identifier: Apache-2.0
 * Linear operations: how they are split among threads.
 *
 * Few rows (decoding): the weights are streamed once for all rows, and threads share the outputs.
 * Many rows: the input is packed once; then each unit packs the weights of some outputs to float32
 * in its thread's scratch and multiplies all rows by them. Many rows of short passes, whose bits are
 * those of few, are multiplied in the same way by another kernel. */
#include "backend/cpu_int4.h"
#include "backend/cpu_int8.h"

#include <string.h>

_Static_assert(LV_SHORT_ROWS == LV_FEW_ROWS, "a short pass takes the kernel of few rows");

typedef enum Kernel { FEW, PANEL, DOTS } Kernel;

typedef struct Loop {
    LvCpu *cpu;
    LvLinearArgs base;      /* common to all units; out, residual at output 0 */
    const LvWeight *weight; /* all parts */
    const LvMatrix *gate, *up;
    const float *bias;
    size_t unit; /* outputs of one unit */
    Kernel kernel;
    size_t packed_cols; /* of a row */
    /* rows are packed from: */
    LvTensor in;
    const uint8_t *tile;
    const LvVisionConfig *vision;
    size_t first_row;
} Loop;

static void run_outputs(const Loop *loop, LvMatrix matrix, const LvMatrix *up, size_t column,
    size_t first, size_t cols, unsigned worker)
{
    LvLinearArgs piece = loop->base;
    piece.weight = matrix;
    piece.up = up;
    piece.first = first;
    piece.cols = cols;
    piece.out += column;
    if (loop->bias)
        piece.bias = loop->bias + column;
    if (piece.residual)
        piece.residual += column;
    const LvKernels *kernels = loop->cpu->kernels;
    if (loop->kernel != FEW)
        piece.scratch = loop->cpu->workers[worker].data;
    if (loop->kernel == FEW)
        kernels->linear_few(&piece);
    else if (loop->kernel == DOTS)
        kernels->linear_dots(&piece);
    else
        kernels->linear_panel(&piece);
}

static void output_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Loop *loop = data;
    if (loop->gate) {
        size_t begin = first * loop->unit, end = (first + n) * loop->unit;
        end = end < loop->gate->rows ? end : loop->gate->rows;
        run_outputs(loop, *loop->gate, loop->up, begin, begin, end - begin, worker);
        return;
    }
    size_t column = 0;
    for (size_t i = 0; i < loop->weight->n_parts && n; i++) {
        const LvMatrix *part = &loop->weight->parts[i];
        size_t units = lv_ceil_div(part->rows, loop->unit);
        if (first < units) {
            size_t take = n < units - first ? n : units - first;
            size_t begin = first * loop->unit, end = (first + take) * loop->unit;
            end = end < part->rows ? end : part->rows;
            run_outputs(loop, *part, NULL, column + begin, begin, end - begin, worker);
            n -= take;
            first += take;
        }
        first -= units < first ? units : first;
        column += part->rows;
    }
}

static size_t count_units(const Loop *loop)
{
    if (loop->gate)
        return lv_ceil_div(loop->gate->rows, loop->unit);
    size_t units = 0;
    for (size_t i = 0; i < loop->weight->n_parts; i++)
        units += lv_ceil_div(loop->weight->parts[i].rows, loop->unit);
    return units;
}

static void pack_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Loop *loop = data;
    const LvKernels *kernels = loop->cpu->kernels;
    size_t row = first * kernels->tile_rows, rows = n * kernels->tile_rows;
    rows = rows < loop->base.rows - row ? rows : loop->base.rows - row;
    (loop->kernel == DOTS ? kernels->pack_dot_rows : kernels->pack_rows)(
        loop->cpu->packed.data + row * loop->packed_cols, lv_row(loop->in, loop->first_row + row),
        loop->in.stride, rows, loop->in.cols);
}

/* Rows of patches, made from pixels: element order channel, row, column. */
static void patch_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Loop *loop = data;
    const LvKernels *kernels = loop->cpu->kernels;
    const LvVisionConfig *v = loop->vision;
    size_t inner = loop->in.cols, patch = v->patch_size, edge = v->image_size;
    float *rows = loop->cpu->workers[worker].data;
    for (size_t unit = first; unit < first + n; unit++) {
        size_t row = unit * kernels->tile_rows, count = loop->base.rows - row;
        count = count < kernels->tile_rows ? count : kernels->tile_rows;
        for (size_t r = 0; r < count; r++) {
            size_t token = loop->first_row + row + r;
            const uint8_t *corner =
                loop->tile + (token / v->grid * patch * edge + token % v->grid * patch) * 3;
            float *dst = rows + r * inner;
            for (size_t c = 0; c < 3; c++)
                for (size_t y = 0; y < patch; y++)
                    for (size_t x = 0; x < patch; x++)
                        *dst++ = loop->cpu->pixel_value[c][corner[(y * edge + x) * 3 + c]];
        }
        kernels->pack_rows(loop->cpu->packed.data + row * inner, rows, inner, count, inner);
    }
}

/* Rows of one chunk: all rows in the fewest chunks of at most LV_PANEL_ROWS, even, of whole tiles.
 */
static size_t chunk_rows(const LvKernels *kernels, size_t rows)
{
    size_t chunks = lv_ceil_div(rows, LV_PANEL_ROWS);
    return lv_ceil_div(lv_ceil_div(rows, chunks), kernels->tile_rows) * kernels->tile_rows;
}

/* Multiplies all rows of the loop's input; out, residual and in start at row 0. */
static LlavaovStatus run_many(
    Loop *loop, const LvRun *run, LvTensor out, const LvTensor *residual, LvPoolTask pack)
{
    LvCpu *cpu = loop->cpu;
    const LvKernels *kernels = cpu->kernels;
    const bool dots = loop->kernel == DOTS;
    size_t inner = loop->in.cols, chunk = chunk_rows(kernels, out.rows);
    size_t scratch = dots ? kernels->dots_scratch(inner) : kernels->linear_scratch(chunk, inner),
           rows_scratch = kernels->tile_rows * inner;
    loop->packed_cols = dots ? lv_dot_cols(kernels, inner) : inner;
    LlavaovStatus status =
        lv_cpu_scratch_reserve(&cpu->packed, chunk * loop->packed_cols, run->error);
    if (status == LLAVAOV_OK)
        status = lv_cpu_workers_reserve(
            cpu, scratch > rows_scratch ? scratch : rows_scratch, run->error);
    loop->base.in = cpu->packed.data;
    loop->unit = loop->gate ? kernels->lanes / 2 : kernels->lanes;
    size_t most = (loop->gate ? LV_PANEL_COLS / 2 : LV_PANEL_COLS) / loop->unit;
    for (size_t row = 0; row < out.rows && status == LLAVAOV_OK; row += chunk) {
        loop->first_row = row;
        loop->base.rows = out.rows - row < chunk ? out.rows - row : chunk;
        loop->base.out = lv_row_out(out, row);
        loop->base.residual = residual ? lv_row(*residual, row) : NULL;
        status =
            lv_cpu_run(cpu, run, lv_ceil_div(loop->base.rows, kernels->tile_rows), 8, pack, loop);
        if (status == LLAVAOV_OK)
            status = lv_cpu_run(cpu, run, count_units(loop), most, output_units, loop);
    }
    return status;
}

static LlavaovStatus run_few(Loop *loop, const LvRun *run, LvTensor out, const LvTensor *residual)
{
    loop->unit = loop->gate ? 8 : 16;
    loop->base.in_stride = loop->in.stride;
    loop->base.rows = out.rows;
    loop->base.in = lv_row(loop->in, 0);
    loop->base.out = lv_row_out(out, 0);
    loop->base.residual = residual ? lv_row(*residual, 0) : NULL;
    return lv_cpu_run(loop->cpu, run, count_units(loop), 32, output_units, loop);
}

static LlavaovStatus run_loop(Loop *loop, const LvRun *run, LvTensor out, const LvTensor *residual)
{
    if (out.rows == 0 || out.cols == 0)
        return lv_cancelled(run->cancel) ? lv_cancelled_status(run) : LLAVAOV_OK;
    loop->base.out_stride = out.stride;
    loop->base.residual_stride = residual ? residual->stride : 0;
    if (out.rows <= LV_FEW_ROWS)
        return run_few(loop, run, out, residual);
    loop->kernel = run->short_passes ? DOTS : PANEL;
    return run_many(loop, run, out, residual, pack_units);
}

LlavaovStatus lv_cpu_linear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const LvWeight *bias, LvActivation activation, const LvTensor *residual)
{
    if (in.rows != out.rows || in.cols != weight->cols || out.cols != weight->rows ||
        (bias && (!bias->vector || bias->rows * bias->cols != out.cols)) ||
        (residual && (residual->rows != out.rows || residual->cols != out.cols)))
        return lv_shape_error(run, "linear");
    if (weight->int8)
        return lv_cpu_int8_linear(lv_cpu(backend), run, out, in, weight, bias ? bias->vector : NULL,
            lv_function_of(activation), residual);
    if (weight->int4)
        return lv_cpu_int4_linear(lv_cpu(backend), run, out, in, weight, bias ? bias->vector : NULL,
            lv_function_of(activation), residual);
    Loop loop = {
        .cpu = lv_cpu(backend), .weight = weight, .bias = bias ? bias->vector : NULL, .in = in};
    loop.base.function = lv_function_of(activation);
    return run_loop(&loop, run, out, residual);
}

LlavaovStatus lv_cpu_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *gate_up, LvActivation activation)
{
    LvMatrix gate = gate_up->parts[0], up = gate_up->parts[gate_up->n_parts - 1];
    if (gate_up->n_parts == 1) {
        gate = lv_matrix_rows(&gate_up->parts[0], 0, gate_up->rows / 2);
        up = lv_matrix_rows(&gate_up->parts[0], gate_up->rows / 2, gate_up->rows / 2);
    }
    if (gate_up->n_parts > 2 || gate_up->rows != 2 * out.cols || gate.rows != out.cols ||
        in.rows != out.rows || in.cols != gate_up->cols)
        return lv_shape_error(run, "linear_gated");
    if (gate_up->int8)
        return lv_cpu_int8_gated(
            lv_cpu(backend), run, out, in, gate_up, lv_function_of(activation));
    if (gate_up->int4)
        return lv_cpu_int4_gated(
            lv_cpu(backend), run, out, in, gate_up, lv_function_of(activation));
    Loop loop = {.cpu = lv_cpu(backend), .gate = &gate, .up = &up, .in = in};
    loop.base.function = lv_function_of(activation);
    return run_loop(&loop, run, out, NULL);
}

/* `values` in a table. */
static void tabulate(LvCpu *cpu, const LvPixelValues *values)
{
    static const LvPixelValues released = LV_PIXEL_VALUES_RELEASED;
    values = values ? values : &released;
    if (memcmp(values, &cpu->pixel_values, sizeof *values) == 0)
        return;
    cpu->pixel_values = *values;
    for (int c = 0; c < 3; c++)
        for (int p = 0; p < 256; p++)
            cpu->pixel_value[c][p] =
                ((float)(p * values->scale) - values->mean[c]) / values->std[c];
}

LlavaovStatus lv_cpu_patch_embedding(LvBackend *backend, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight,
    const LvWeight *bias, const LvWeight *position)
{
    LvCpu *cpu = lv_cpu(backend);
    size_t tokens = (size_t)vision->grid * vision->grid,
           inner = (size_t)3 * vision->patch_size * vision->patch_size;
    if (vision->n_channels != 3 || (size_t)vision->grid * vision->patch_size > vision->image_size ||
        out.rows != n_tiles * tokens || out.cols != weight->rows || weight->cols != inner ||
        !position->vector || position->rows * position->cols != tokens * out.cols ||
        (bias && (!bias->vector || bias->rows * bias->cols != out.cols)))
        return lv_shape_error(run, "patch_embedding");
    LvTensor positions = {position->vector, LV_F32, tokens, out.cols, out.cols};
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < n_tiles; i++)
        if (!tiles[i].rgb)
            return lv_shape_error(run, "patch_embedding");
    for (size_t i = 0; i < n_tiles && status == LLAVAOV_OK && tokens; i++) {
        Loop loop = {.cpu = cpu,
            .kernel = PANEL,
            .weight = weight,
            .bias = bias ? bias->vector : NULL,
            .in = {NULL, LV_F32, tokens, inner, inner},
            .tile = tiles[i].rgb,
            .vision = vision};
        LvTensor rows = lv_tensor_rows(out, i * tokens, tokens);
        tabulate(cpu, tiles[i].values);
        loop.base.out_stride = out.stride;
        loop.base.residual_stride = out.cols;
        status = run_many(&loop, run, rows, &positions, patch_units);
    }
    return status;
}
