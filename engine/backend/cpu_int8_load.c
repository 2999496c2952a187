/* SPDX-License-Identifier: Apache-2.0
 * Weights become int8 as they are loaded, all threads at work on one: each makes panels. */
#include "backend/cpu_int8.h"

#include "backend/cpu_packed.h"
#include "backend/cpu_quantise.h"

typedef struct Making {
    const LvKernels *kernels;
    const LvInt8Kernels *int8;
    LvMatrix source;
    int8_t *numbers; /* of the source's panels */
    float *scales;
    int32_t *offsets;
    int32_t *columns; /* sums of magnitudes, cols of them a worker */
    float *floats;    /* one panel's rows a worker */
    int8_t *row;      /* one row a worker */
} Making;

static void make_panels(void *data, size_t first, size_t n, unsigned worker)
{
    const Making *m = data;
    const size_t cols = m->source.cols, padded = (cols + 3) / 4 * 4;
    float *floats = m->floats + worker * LV_INT8_PANEL * cols;
    for (size_t panel = first; panel < first + n; panel++) {
        const size_t row = panel * LV_INT8_PANEL, left = m->source.rows - row,
                     rows = left < LV_INT8_PANEL ? left : LV_INT8_PANEL;
        const LvMatrix piece = lv_matrix_rows(&m->source, row, rows);
        if (piece.dtype == LV_INT8) {
            lv_cpu_int8_panel(m->numbers + panel * lv_int8_panel_bytes(cols), m->scales + row,
                m->offsets + row, &piece, rows);
            continue;
        }
        m->kernels->to_float(floats, &piece);
        m->int8->put_panel(m->numbers + panel * lv_int8_panel_bytes(cols), m->scales + row,
            m->offsets + row, m->columns + worker * cols, floats, rows, cols,
            m->row + worker * padded);
    }
}

void lv_cpu_int8_free(LvWeight *weight)
{
    if (!weight->int8)
        return;
    lv_free((void *)weight->int8->numbers);
    lv_free((void *)weight->int8->scales);
    lv_free((void *)weight->int8->offsets);
    lv_free(weight->int8);
    weight->int8 = NULL;
}

/* The first part's matrix has the memory of all of them. */
static bool allocate(LvWeight *weight, size_t panels)
{
    weight->int8 = lv_calloc(weight->n_parts, sizeof *weight->int8);
    if (!weight->int8)
        return false;
    LvInt8Matrix *all = weight->int8;
    all->numbers = lv_alloc_aligned(panels, lv_int8_panel_bytes(weight->cols));
    all->scales = lv_alloc_aligned(panels, LV_INT8_PANEL * sizeof *all->scales);
    all->offsets = lv_alloc_aligned(panels, LV_INT8_PANEL * sizeof *all->offsets);
    return all->numbers && all->scales && all->offsets;
}

static void make(LvCpu *cpu, LvWeight *weight, int32_t *columns, float *floats, int8_t *row)
{
    LvInt8Matrix *all = weight->int8;
    size_t panel = 0;
    for (size_t i = 0; i < weight->n_parts; i++) {
        const LvMatrix *source = &weight->parts[i];
        const size_t panels = lv_int8_panels(source->rows), at = panel * LV_INT8_PANEL;
        Making m = {.kernels = cpu->kernels,
            .int8 = cpu->int8,
            .source = *source,
            .numbers = (int8_t *)all->numbers + panel * lv_int8_panel_bytes(source->cols),
            .scales = (float *)all->scales + at,
            .offsets = (int32_t *)all->offsets + at,
            .columns = columns,
            .floats = floats,
            .row = row};
        lv_pool_run(cpu->pool, panels, 4, make_panels, &m, NULL);
        weight->int8[i] =
            (LvInt8Matrix){m.numbers, m.scales, m.offsets, source->rows, source->cols};
        panel += panels;
    }
}

LlavaovStatus lv_cpu_int8_load(
    LvCpu *cpu, LvWeight *weight, const LvHostTensor *const *tensors, LlavaovError *error)
{
    const size_t cols = weight->cols, threads = lv_pool_threads(cpu->pool);
    size_t panels = 0;
    bool already = false;
    const LlavaovStatus status = lv_cpu_all_of(weight, tensors, LV_INT8, &already, error);
    if (status != LLAVAOV_OK)
        return status;
    for (size_t i = 0; i < weight->n_parts; i++)
        panels += lv_int8_panels(weight->parts[i].rows);
    if (cols > LV_INT8_MAX_INNER)
        return LLAVAOV_OK; /* also where it is int8 already: what those numbers stand for */
    int32_t *columns = lv_calloc(threads, cols * sizeof *columns);
    float *floats = lv_alloc_aligned(threads * LV_INT8_PANEL, cols * sizeof *floats);
    int8_t *row = lv_alloc(threads, (cols + 3) / 4 * 4);
    const bool room = columns && floats && row && allocate(weight, panels);
    if (room)
        make(cpu, weight, columns, floats, row);
    for (size_t i = cols; room && i < threads * cols; i++)
        columns[i % cols] += columns[i];
    const bool kept = room && (already || lv_int8_keeps(columns, weight->rows, cols));
    lv_free(columns);
    lv_free(floats);
    lv_free(row);
    if (!kept)
        lv_cpu_int8_free(weight);
    if (!room)
        return lv_cpu_no_memory(tensors[0], error);
    for (size_t i = 0; i < weight->n_parts && kept; i++)
        lv_cpu_release_pages(tensors[i]);
    return LLAVAOV_OK;
}
