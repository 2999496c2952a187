/* SPDX-License-Identifier: Apache-2.0
 * Weights become int4 as they are loaded, all threads at work on one: each makes panels. */
#include "backend/cpu_int4.h"

#include "backend/cpu_packed.h"
#include "backend/cpu_quantise.h"

typedef struct Int4Making {
    const LvKernels *kernels;
    const LvInt4Kernels *int4;
    LvMatrix source;
    uint8_t *numbers; /* of the source's panels */
    uint16_t *scales;
    float *floats; /* one panel's rows a worker */
    atomic_bool too_great;
} Int4Making;

static void make_panels(void *data, size_t first, size_t n, unsigned worker)
{
    Int4Making *m = data;
    const size_t cols = m->source.cols;
    float *floats = m->floats + worker * LV_INT4_PANEL * cols;
    for (size_t panel = first; panel < first + n; panel++) {
        const size_t row = panel * LV_INT4_PANEL, left = m->source.rows - row,
                     rows = left < LV_INT4_PANEL ? left : LV_INT4_PANEL;
        const LvMatrix piece = lv_matrix_rows(&m->source, row, rows);
        if (piece.dtype == LV_INT4) {
            lv_cpu_int4_panel(m->numbers + panel * lv_int4_panel_bytes(cols),
                m->scales + panel * lv_int4_panel_scales(cols), &piece, rows);
            continue;
        }
        m->kernels->to_float(floats, &piece);
        if (!m->int4->put_panel(m->numbers + panel * lv_int4_panel_bytes(cols),
                m->scales + panel * lv_int4_panel_scales(cols), floats, rows, cols))
            atomic_store(&m->too_great, true);
    }
}

void lv_cpu_int4_free(LvWeight *weight)
{
    if (!weight->int4)
        return;
    lv_free((void *)weight->int4->numbers);
    lv_free((void *)weight->int4->scales);
    lv_free(weight->int4);
    weight->int4 = NULL;
}

/* The first part's matrix has the memory of all of them. */
static bool allocate(LvWeight *weight, size_t panels)
{
    weight->int4 = lv_calloc(weight->n_parts, sizeof *weight->int4);
    if (!weight->int4)
        return false;
    LvInt4Matrix *all = weight->int4;
    all->numbers = lv_alloc_aligned(panels, lv_int4_panel_bytes(weight->cols));
    all->scales =
        lv_alloc_aligned(panels, lv_int4_panel_scales(weight->cols) * sizeof *all->scales);
    return all->numbers && all->scales;
}

/* false: a number is too great. */
static bool make(LvCpu *cpu, LvWeight *weight, float *floats)
{
    LvInt4Matrix *all = weight->int4;
    const size_t cols = weight->cols;
    size_t panel = 0;
    bool good = true;
    for (size_t i = 0; i < weight->n_parts && good; i++) {
        Int4Making m = {.kernels = cpu->kernels,
            .int4 = cpu->int4,
            .source = weight->parts[i],
            .numbers = (uint8_t *)all->numbers + panel * lv_int4_panel_bytes(cols),
            .scales = (uint16_t *)all->scales + panel * lv_int4_panel_scales(cols),
            .floats = floats};
        const size_t panels = lv_int4_panels(m.source.rows);
        lv_pool_run(cpu->pool, panels, 4, make_panels, &m, NULL);
        weight->int4[i] = (LvInt4Matrix){m.numbers, m.scales, m.source.rows, cols};
        good = !atomic_load(&m.too_great);
        panel += panels;
    }
    return good;
}

LlavaovStatus lv_cpu_int4_load(
    LvCpu *cpu, LvWeight *weight, const LvHostTensor *const *tensors, LlavaovError *error)
{
    size_t panels = 0;
    bool already = false;
    if (weight->parts[0].dtype == LV_INT8) /* four bits could not hold it */
        return LLAVAOV_OK;
    LlavaovStatus status = lv_cpu_all_of(weight, tensors, LV_INT4, &already, error);
    if (status != LLAVAOV_OK)
        return status;
    for (size_t i = 0; i < weight->n_parts; i++)
        panels += lv_int4_panels(weight->parts[i].rows);
    float *floats =
        lv_alloc_aligned(lv_pool_threads(cpu->pool) * LV_INT4_PANEL, weight->cols * sizeof *floats);
    if (!floats || !allocate(weight, panels))
        status = lv_cpu_no_memory(tensors[0], error);
    const bool made = status == LLAVAOV_OK && make(cpu, weight, floats);
    lv_free(floats);
    if (!made)
        lv_cpu_int4_free(weight);
    for (size_t i = 0; i < weight->n_parts && made; i++)
        lv_cpu_release_pages(tensors[i]);
    return status;
}
