/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/tensor_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/integers.h"
#include "checkpoint/tensor_list.h"
#include "checkpoint/tensor_names.h"
#include "checkpoint/tensor_quantised.h"

static LlavaovStatus grow(LvTensorTable *table, size_t more, const char *name, LlavaovError *error)
{
    if (table->n + more > LV_MAX_TENSORS)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name,
            "%s: the checkpoint has more than %u tensors", name, LV_MAX_TENSORS);
    LvTableEntry *entries = lv_realloc(table->entries, table->n + more, sizeof *entries);
    if (!entries)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory", name);
    table->entries = entries;
    return LLAVAOV_OK;
}

LlavaovStatus lv_table_add(
    LvTensorTable *table, const LvSafetensors *file, const char *name, LlavaovError *error)
{
    LlavaovStatus status = grow(table, file->n_tensors, name, error);
    for (size_t i = 0; !status && i < file->n_tensors; i++) {
        const LvSafetensor *tensor = &file->tensors[i];
        char canonical[LV_CANONICAL_BYTES];
        LvNameKind kind = lv_tensor_name_canonical(tensor->name, canonical);
        if (kind == LV_NAME_IGNORED)
            continue;
        if (kind == LV_NAME_UNKNOWN)
            return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, tensor->name,
                "%s: tensor %.128s is not one of a LLaVA-OneVision model", name, tensor->name);
        LvTableEntry *entry = &table->entries[table->n];
        memset(entry, 0, sizeof *entry);
        entry->canonical = lv_strdup(canonical);
        if (!entry->canonical)
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory", name);
        entry->source = tensor;
        entry->file = name;
        entry->data = (const char *)file->map + file->data_offset + tensor->begin;
        table->n++;
    }
    return status;
}

typedef struct TensorCheck {
    LvTensorTable *table;
    const char *folder;
    const LvQuantisation *quantisation;
    LlavaovError *error;
} TensorCheck;

/* The name that a missing tensor would have in this checkpoint, with the prefix of its
 * neighbours. */
static void name_on_disk(
    const LvTensorTable *table, const char *canonical, char *name, size_t bytes)
{
    size_t family = strcspn(canonical, ".") + 1;
    snprintf(name, bytes, "%s", canonical);
    if (canonical[0] == 'P' || !canonical[family - 1])
        return;
    for (size_t i = 0; i < table->n; i++) {
        const LvTableEntry *entry = &table->entries[i];
        if (strncmp(entry->canonical, canonical, family))
            continue;
        size_t prefix = strlen(entry->source->name) - strlen(entry->canonical + family);
        snprintf(name, bytes, "%.*s%s", (int)prefix, entry->source->name, canonical + family);
        return;
    }
}

static void print_shape(char text[160], uint32_t n_dims, const uint64_t *shape)
{
    int at = snprintf(text, 160, "[");
    for (uint32_t i = 0; i < n_dims && i < LV_SAFETENSORS_DIMS && at < 130; i++)
        at += snprintf(text + at, 160 - (size_t)at, "%s%" PRIu64, i ? ", " : "", shape[i]);
    snprintf(text + at, 160 - (size_t)at, "]");
}

static LlavaovStatus misshapen(
    const TensorCheck *check, const LvTableEntry *entry, const LvExpectedTensor *expected)
{
    char has[160], wants[160];
    print_shape(has, entry->source->n_dims, entry->source->shape);
    print_shape(wants, expected->n_dims, expected->shape);
    return lv_fail_about(check->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR,
        entry->source->name, "%s: tensor %.128s has shape %s; config.json asks for %s", entry->file,
        entry->source->name, has, wants);
}

/* "F32, F16 and BF16" */
static const char *print_dtypes(char text[160])
{
    int at = 0;
    const char *last = NULL;
    for (int i = 0; i < LV_N_DTYPES; i++) {
        const char *name = lv_dtype_traits((LvDtype)i)->stored_name;
        if (last && name && at < 120)
            at += snprintf(text + at, 160 - (size_t)at, "%s%s", at ? ", " : "", last);
        last = name ? name : last;
    }
    snprintf(text + at, 160 - (size_t)at, "%s%s", at ? " and " : "", last);
    return text;
}

static LlavaovStatus use(const TensorCheck *check, LvTableEntry *entry)
{
    const LvSafetensor *source = entry->source;
    LvHostTensor *tensor = &entry->tensor;
    char dtypes[160];
    if (!lv_dtype_stored_as(source->dtype, &tensor->dtype))
        return lv_fail_about(check->error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_TENSOR,
            source->name, "%s: tensor %.128s has dtype %s; %s are supported", entry->file,
            source->name, source->dtype, print_dtypes(dtypes));
    tensor->name = source->name;
    tensor->file = entry->file;
    tensor->n_dims = source->n_dims;
    memcpy(tensor->shape, source->shape, sizeof tensor->shape);
    tensor->data = entry->data;
    tensor->mapped = true;
    tensor->bytes = (size_t)(source->end - source->begin);
    check->table->bytes += tensor->bytes;
    uint64_t elements = 1; /* the file was checked: it has room for so many */
    for (uint32_t i = 0; i < source->n_dims; i++)
        elements *= source->shape[i];
    check->table->elements[tensor->dtype] += elements;
    entry->used = true;
    return LLAVAOV_OK;
}

static LlavaovStatus check_expected(void *data, const LvExpectedTensor *expected)
{
    const TensorCheck *check = data;
    LvTableEntry *entry = lv_entries_find(check->table, expected->name);
    bool four_bits = false, integers = false;
    if (!entry && expected->optional)
        return LLAVAOV_OK;
    if (!entry) {
        char name[2 * LV_CANONICAL_BYTES];
        name_on_disk(check->table, expected->name, name, sizeof name);
        return lv_fail_about(check->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, name,
            "%s: tensor %s is missing", check->folder, name);
    }
    LlavaovStatus status = lv_table_four_bits(
        check->table, entry, expected, check->quantisation, &four_bits, check->error);
    if (!status && !four_bits)
        status = lv_table_integers(
            check->table, entry, expected, check->quantisation, &integers, check->error);
    if (status || integers)
        return status;
    if (four_bits)
        return lv_table_use_four_bits(
            check->table, entry, expected, check->quantisation, check->error);
    if (entry->source->n_dims != expected->n_dims ||
        memcmp(entry->source->shape, expected->shape, expected->n_dims * sizeof *expected->shape))
        return misshapen(check, entry, expected);
    return use(check, entry);
}

/* Known names that this configuration does not use: layers of a whole tower beyond those that run,
 * the bias of a projector that runs without one, a newline vector that is never inserted. */
static bool may_be_spare(const char *canonical)
{
    return !strncmp(canonical, "V.encoder.layers.", 17) || !strcmp(canonical, "P.linear_1.bias") ||
           !strcmp(canonical, "P.linear_2.bias") || !strcmp(canonical, "NL");
}

/* The head and the embedding of a tied model are one tensor, and either name may hold it. */
static LlavaovStatus take_head_for_embedding(LvTensorTable *table, LlavaovError *error)
{
    LvTableEntry *head = NULL;
    for (size_t i = 0; i < table->n; i++) {
        LvTableEntry *entry = &table->entries[i];
        if (!strcmp(entry->canonical, "T.embed_tokens.weight"))
            return LLAVAOV_OK;
        if (!strcmp(entry->canonical, "HEAD.weight"))
            head = entry;
    }
    if (!head)
        return LLAVAOV_OK;
    char *canonical = lv_strdup("T.embed_tokens.weight");
    if (!canonical)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, head->file, "%s: out of memory", head->file);
    lv_free(head->canonical);
    head->canonical = canonical;
    return LLAVAOV_OK;
}

LlavaovStatus lv_table_check(
    LvTensorTable *table, const LvConfig *config, const char *folder, LlavaovError *error)
{
    if (config->text.tied_head) {
        LlavaovStatus status = take_head_for_embedding(table, error);
        if (status)
            return status;
    }
    lv_entries_sort(table);
    for (size_t i = 1; i < table->n; i++) {
        const LvTableEntry *a = &table->entries[i - 1], *b = &table->entries[i];
        if (!strcmp(a->canonical, b->canonical))
            return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, b->source->name,
                "%s: tensor %.128s is stored twice, also as %.128s in %s", b->file, b->source->name,
                a->source->name, a->file);
    }
    TensorCheck check = {table, folder, &config->quantisation, error};
    LlavaovStatus status = lv_tensor_list(config, check_expected, &check);
    for (size_t i = 0; !status && i < table->n; i++) {
        const LvTableEntry *entry = &table->entries[i];
        if (!entry->used && !may_be_spare(entry->canonical))
            status = lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR,
                entry->source->name, "%s: config.json has no use for tensor %.128s", entry->file,
                entry->source->name);
    }
    return status;
}

LlavaovStatus lv_table_align(LvTensorTable *table, LlavaovError *error)
{
    for (size_t i = 0; i < table->n; i++) {
        LvTableEntry *entry = &table->entries[i];
        if (!entry->used || entry->copy ||
            (uintptr_t)entry->data % lv_dtype_bytes(entry->tensor.dtype) == 0)
            continue;
        entry->copy = lv_alloc_aligned(entry->tensor.bytes, 1);
        if (!entry->copy)
            return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_TENSOR,
                entry->source->name, "%s: out of memory for tensor %.128s", entry->file,
                entry->source->name);
        entry->tensor.data = memcpy(entry->copy, entry->data, entry->tensor.bytes);
        entry->tensor.mapped = false;
    }
    return LLAVAOV_OK;
}

const LvHostTensor *lv_table_find(const LvTensorTable *table, const char *canonical)
{
    const LvTableEntry *entry = lv_entries_find(table, canonical);
    return entry && entry->used ? &entry->tensor : NULL;
}

void lv_table_free(LvTensorTable *table)
{
    for (size_t i = 0; i < table->n; i++) {
        lv_free(table->entries[i].canonical);
        lv_free(table->entries[i].copy);
        lv_free(table->entries[i].scales_copy);
    }
    lv_free(table->entries);
    memset(table, 0, sizeof *table);
}
