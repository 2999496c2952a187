/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/cuda/axis.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "picture/resize_weights.h"

static LlavaovStatus fill(LvAxisTable *table, LlavaovError *error)
{
    if (table->in == table->out)
        return LLAVAOV_OK; /* nothing is read */
    LvResizeAxis axis;
    LlavaovStatus status =
        lv_resize_axis_init(&axis, table->variant, table->filter, table->in, table->out, error);
    if (status != LLAVAOV_OK)
        return status;
    const size_t out = table->out, taps = axis.max_taps;
    table->precision = axis.precision;
    table->stride = axis.max_taps;
    table->bytes = out * (2 + taps) * sizeof *table->data;
    table->data = lv_calloc(out, (2 + taps) * sizeof *table->data);
    for (size_t i = 0; i < out && table->data; i++) {
        int32_t *weights = table->data + 2 * out + i;
        const size_t from = i * axis.stride + axis.begin[i] - axis.first[i];
        table->data[i] = (int32_t)axis.begin[i];
        table->data[out + i] = (int32_t)axis.end[i];
        for (size_t k = 0; k < axis.end[i] - axis.begin[i]; k++)
            weights[k * out] =
                axis.low[from + k] + (axis.high ? axis.high[from + k] * (1 << LV_WEIGHT_SPLIT) : 0);
    }
    lv_resize_axis_free(&axis);
    return table->data ? LLAVAOV_OK
                       : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL,
                             "no memory for the weights of a resize from %u to %u pixels",
                             table->in, table->out);
}

static bool same(const LvAxisTable *a, const LvAxisTable *b)
{
    return a->out == b->out && a->in == b->in && a->variant == b->variant && a->filter == b->filter;
}

/* The wanted one comes to the front; where it is missing the last one makes room. */
static LlavaovStatus bring_forward(LvAxisTables *tables, LvAxisTable wanted, LlavaovError *error)
{
    LvAxisTable *at = tables->at;
    size_t i = 0;
    while (i < LV_AXIS_TABLES - 1 && !same(&at[i], &wanted))
        i++;
    LvAxisTable found = at[i];
    if (!same(&found, &wanted)) {
        LlavaovStatus status = fill(&wanted, error);
        if (status != LLAVAOV_OK)
            return status;
        lv_free(found.data);
        found = wanted;
    }
    memmove(at + 1, at, i * sizeof *at);
    at[0] = found;
    return LLAVAOV_OK;
}

LlavaovStatus lv_axis_tables_get(LvAxisTables *tables, LlavaovResize variant, LvFilter filter,
    const uint32_t in[2], uint32_t out, const LvAxisTable *found[2], LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (int i = 1; i >= 0 && status == LLAVAOV_OK; i--)
        status = bring_forward(tables,
            (LvAxisTable){.variant = variant, .filter = filter, .in = in[i], .out = out}, error);
    found[0] = &tables->at[0];
    found[1] = &tables->at[in[0] != in[1]];
    return status;
}

void lv_axis_tables_free(LvAxisTables *tables)
{
    for (size_t i = 0; i < LV_AXIS_TABLES; i++)
        lv_free(tables->at[i].data);
    *tables = (LvAxisTables){0};
}

LvCudaAxis lv_axis_on_device(const LvAxisTable *table, const void *data)
{
    const uint32_t *begin = data;
    return (LvCudaAxis){.in = table->in,
        .out = table->out,
        .precision = table->precision,
        .stride = table->stride,
        .begin = begin,
        .end = begin + table->out,
        .weights = (const int32_t *)(begin + 2 * (size_t)table->out)};
}
