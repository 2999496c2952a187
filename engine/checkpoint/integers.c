/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/integers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "checkpoint/tensor_names.h"

void lv_integers_config(LvFields *fields, LvQuantisation *quantisation)
{
    uint32_t bits = 0;
    lv_field_uint(fields, "bits", 0, UINT32_MAX, &bits);
    if (!fields->status && bits != 4 && bits != 8)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "bits", "is %u; it must be 8 or 4", bits);
    quantisation->type = bits == 4 ? LV_INT4 : LV_INT8;
    quantisation->present = !fields->status;
}

const char *lv_integers_ending(const char *name)
{
    static const char ending[] = ".weight" LV_INTEGERS_SCALE;
    const size_t n = strlen(name), m = sizeof ending - 1;
    return n > m && !strcmp(name + n - m, ending) ? name + n - strlen(LV_INTEGERS_SCALE) : NULL;
}

static uint64_t bytes_of(const LvTableEntry *entry)
{
    return entry->source->end - entry->source->begin;
}

static LlavaovStatus misfit(const LvTableEntry *entry, const char *what, LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, entry->source->name,
        "%s: tensor %.128s %s", entry->file, entry->source->name, what);
}

/* That the tensor is of this type in the file and has room for so much, no more and no less. */
static LlavaovStatus check_size(
    const LvTableEntry *entry, const char *dtype, uint64_t bytes, LlavaovError *error)
{
    char what[160];
    snprintf(what, sizeof what, "has %" PRIu64 " bytes of %s; %" PRIu64 " of %s are wanted",
        bytes_of(entry), entry->source->dtype, bytes, dtype);
    return strcmp(entry->source->dtype, dtype) || bytes_of(entry) != bytes
               ? misfit(entry, what, error)
               : LLAVAOV_OK;
}

/* Where the mapping has it, or a copy. */
static bool take(LvHostTensor *tensor, const LvTableEntry *entry, void **copy)
{
    tensor->name = entry->source->name;
    tensor->file = entry->file;
    tensor->n_dims = 2;
    tensor->bytes = bytes_of(entry);
    tensor->data = entry->data;
    tensor->mapped = (uintptr_t)entry->data % sizeof(float) == 0;
    if (tensor->mapped)
        return true;
    *copy = lv_alloc_aligned(tensor->bytes, 1);
    tensor->data = *copy;
    if (*copy)
        memcpy(*copy, entry->data, tensor->bytes);
    return *copy != NULL;
}

LlavaovStatus lv_table_integers(LvTensorTable *table, LvTableEntry *entry,
    const LvExpectedTensor *expected, const LvQuantisation *quantisation, bool *integers,
    LlavaovError *error)
{
    char name[LV_CANONICAL_BYTES + 16];
    snprintf(name, sizeof name, "%s" LV_INTEGERS_SCALE, expected->name);
    LvTableEntry *scales = lv_entries_find(table, name);
    *integers = scales != NULL;
    if (!scales)
        return LLAVAOV_OK;
    const bool own = quantisation->present &&
                     (quantisation->type == LV_INT8 || quantisation->type == LV_INT4),
               four = !strcmp(entry->source->dtype, "U8");
    if (!own)
        return misfit(
            scales, "is there, but config.json has no quantization_config of this kind", error);
    if (!expected->linear || !strncmp(expected->name, "HEAD.", 5))
        return misfit(scales, "belongs to no linear weight that is quantised", error);
    if (four && (quantisation->type == LV_INT8 || strncmp(expected->name, "T.layers.", 9)))
        return misfit(entry,
            "has four bits; by config.json's quantization_config it has eight or none", error);
    const LvDtype type = four ? LV_INT4 : LV_INT8;
    const LvDtypeTraits *traits = lv_dtype_traits(type);
    const uint64_t rows = expected->shape[0], cols = expected->shape[1];
    const LvExtent extent = lv_scales_extent(traits->scaling, traits->block, rows, cols);
    LlavaovStatus status =
        check_size(entry, four ? "U8" : "I8", rows * lv_dtype_span(type, cols), error);
    if (status == LLAVAOV_OK)
        status = check_size(scales, lv_dtype_traits(traits->scale_dtype)->stored_name,
            extent.row * extent.col * lv_dtype_bytes(traits->scale_dtype), error);
    if (status != LLAVAOV_OK)
        return status;
    if (!take(&entry->tensor, entry, &entry->copy) ||
        !take(&entry->scales, scales, &entry->scales_copy))
        return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_TENSOR, entry->source->name,
            "%s: out of memory for tensor %.128s", entry->file, entry->source->name);
    entry->tensor.dtype = type;
    entry->tensor.shape[0] = rows;
    entry->tensor.shape[1] = cols;
    entry->tensor.scales = &entry->scales;
    entry->scales.dtype = traits->scale_dtype;
    entry->scales.shape[0] = extent.row;
    entry->scales.shape[1] = extent.col;
    table->bytes += bytes_of(entry) + bytes_of(scales);
    table->elements[type] += rows * cols;
    entry->used = scales->used = true;
    return LLAVAOV_OK;
}
