/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/tensor_quantised.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "bitsandbytes.h"
#include "checkpoint/tensor_names.h"

#define MOST_STATE 4096u /* bytes of a quant_state */

/* The tensor beside `canonical`, or NULL. */
static LvTableEntry *beside(const LvTensorTable *table, const char *canonical, LvBnbPart part)
{
    char name[LV_CANONICAL_BYTES + 64];
    snprintf(name, sizeof name, "%s%s", canonical, lv_bnb_suffix(part));
    return lv_entries_find(table, name);
}

/* ---- what the configuration says ---- */

static const struct {
    const char *canonical;
    const char *names[4]; /* that transformers' versions have for it */
} families[] = {
    {"V.", {"model.vision_tower.", "model.vision_tower.vision_model.", "vision_tower.vision_model.",
               "vision_tower."}},
    {"P.", {"model.multi_modal_projector.", "multi_modal_projector."}},
    {"T.", {"model.language_model.", "language_model.model.", "language_model."}},
    {"HEAD.", {"lm_head.", "language_model.lm_head."}},
};

static bool skipped_as(const LvQuantisation *quantisation, const char *prefix, const char *rest)
{
    char module[2 * LV_CANONICAL_BYTES];
    snprintf(module, sizeof module, "%s%s", prefix, rest);
    char *weight = strstr(module, ".weight");
    if (weight)
        *weight = '\0';
    return lv_bnb_skipped(quantisation, module);
}

static bool skipped(
    const LvQuantisation *quantisation, const LvTableEntry *entry, const char *canonical)
{
    if (!quantisation->listed)
        return !strncmp(canonical, "HEAD.", 5);
    if (skipped_as(quantisation, "", entry->source->name))
        return true;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const size_t n = strlen(families[i].canonical);
        for (size_t k = 0; k < 4 && !strncmp(canonical, families[i].canonical, n); k++)
            if (families[i].names[k] &&
                skipped_as(quantisation, families[i].names[k], canonical + n))
                return true;
    }
    return false;
}

LlavaovStatus lv_table_four_bits(const LvTensorTable *table, const LvTableEntry *entry,
    const LvExpectedTensor *expected, const LvQuantisation *quantisation, bool *four_bits,
    LlavaovError *error)
{
    const char *name = entry->source->name, *why = NULL;
    const bool stored = beside(table, expected->name, LV_BNB_STATE_NF4) ||
                        beside(table, expected->name, LV_BNB_STATE_FP4),
               head = !strncmp(expected->name, "HEAD.", 5),
               wanted = quantisation->present &&
                        (quantisation->type == LV_NF4 || quantisation->type == LV_FP4);
    *four_bits = stored;
    if (stored && !wanted)
        why = "config.json has no quantization_config";
    else if (stored && !expected->linear)
        why = "it is no linear weight";
    if (why)
        return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, name,
            "%s: tensor %.128s has a quant_state, but %s", entry->file, name, why);
    /* What is listed may be quantised nevertheless: versions of transformers differ in modules' names. */
    if (stored || !wanted || !expected->linear || head ||
        skipped(quantisation, entry, expected->name))
        return LLAVAOV_OK;
    return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, name,
        "%s: tensor %.128s has no quant_state beside it and is %s; config.json's "
        "quantization_config says that it is quantised (llm_int8_skip_modules would list it)",
        entry->file, name, entry->source->dtype);
}

/* ---- one weight ---- */

typedef struct Reading {
    LvTensorTable *table;
    LvTableEntry *entry;
    const LvExpectedTensor *expected;
    LvQuantState state;
    uint64_t n; /* numbers of the weight */
    LlavaovError *error;
    LlavaovStatus status;
} Reading;

static uint64_t bytes_of(const LvTableEntry *entry)
{
    return entry->source->end - entry->source->begin;
}

/* The part of this type and number of values; on failure NULL, with r->status. */
static const void *part_of(Reading *r, LvBnbPart part, const char *dtype, uint64_t n)
{
    if (r->status)
        return NULL;
    const char *name = r->entry->source->name;
    LvTableEntry *found = beside(r->table, r->expected->name, part);
    if (!found) {
        char missing[LV_CANONICAL_BYTES + 192];
        snprintf(missing, sizeof missing, "%.160s%s", name, lv_bnb_suffix(part));
        r->status = lv_fail_about(r->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, missing,
            "%s: tensor %s is missing", r->entry->file, missing);
        return NULL;
    }
    const uint64_t size = strcmp(dtype, "U8") ? sizeof(float) : 1;
    if (strcmp(found->source->dtype, dtype) || bytes_of(found) != n * size) {
        r->status =
            lv_fail_about(r->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, found->source->name,
                "%s: tensor %.160s has %" PRIu64 " bytes of %s; %.128s of %" PRIu64 " x %" PRIu64
                " needs %" PRIu64 " values of %s",
                found->file, found->source->name, bytes_of(found), found->source->dtype, name,
                r->expected->shape[0], r->expected->shape[1], n, dtype);
        return NULL;
    }
    found->used = true;
    r->table->bytes += bytes_of(found);
    return found->data;
}

static void wrong_state(Reading *r, const LvTableEntry *state, const char *what)
{
    r->status = lv_fail_about(r->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR,
        state->source->name, "%s: tensor %.160s %s", state->file, state->source->name, what);
}

static void read_state(Reading *r, const LvQuantisation *quantisation)
{
    const LvBnbPart part = quantisation->type == LV_NF4 ? LV_BNB_STATE_NF4 : LV_BNB_STATE_FP4,
                    other = quantisation->type == LV_NF4 ? LV_BNB_STATE_FP4 : LV_BNB_STATE_NF4;
    LvTableEntry *entry = beside(r->table, r->expected->name, part),
                 *wrong = beside(r->table, r->expected->name, other);
    if (wrong || !entry) {
        wrong_state(
            r, wrong, "is of another type than quantization_config.bnb_4bit_quant_type says");
        return;
    }
    if (strcmp(entry->source->dtype, "U8") || bytes_of(entry) > MOST_STATE) {
        wrong_state(r, entry, "is no short text of JSON");
        return;
    }
    char name[320];
    snprintf(name, sizeof name, "%.100s: tensor %.160s", entry->file, entry->source->name);
    r->status = lv_quant_state_parse(entry->data, bytes_of(entry), name, &r->state, r->error);
    if (r->status && r->error) {
        r->error->about = LLAVAOV_ABOUT_TENSOR;
        snprintf(r->error->subject, sizeof r->error->subject, "%s", entry->source->name);
    } else if (r->state.type != quantisation->type)
        wrong_state(r, entry, "has a quant_type that is not the one of its name");
    else if (memcmp(r->state.shape, r->expected->shape, sizeof r->state.shape))
        wrong_state(r, entry, "has a shape that is not the one that config.json asks for");
    else if (r->state.nested != (beside(r->table, r->expected->name, LV_BNB_NESTED_ABSMAX) != NULL))
        wrong_state(r, entry,
            r->state.nested ? "has nested scales, and nested_absmax is missing"
                            : "has no nested scales, and there is a nested_absmax");
    entry->used = true;
    r->table->bytes += bytes_of(entry);
}

static void check_map(Reading *r)
{
    const char *map = part_of(r, LV_BNB_QUANT_MAP, "F32", 16);
    for (size_t i = 0; i < 16 && map; i++) {
        float value;
        memcpy(&value, map + i * sizeof value, sizeof value);
        if (!(fabsf(value - lv_dtype_traits(r->state.type)->codes[i]) <= 1e-6f)) {
            wrong_state(r, beside(r->table, r->expected->name, LV_BNB_QUANT_MAP),
                "does not hold the values of its type's codes");
            return;
        }
    }
}

static LlavaovStatus out_of_memory(Reading *r)
{
    return lv_fail_about(r->error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_TENSOR,
        r->entry->source->name, "%s: out of memory for tensor %.128s", r->entry->file,
        r->entry->source->name);
}

/* The scales that nested ones stand for. */
static void expand(Reading *r, const uint8_t *codes, float *scales, uint64_t n)
{
    const uint64_t n_nested = (n + r->state.nested_block - 1) / r->state.nested_block;
    const void *map = part_of(r, LV_BNB_NESTED_QUANT_MAP, "F32", 256),
               *nested = part_of(r, LV_BNB_NESTED_ABSMAX, "F32", n_nested);
    if (r->status)
        return;
    float aligned_map[256], *aligned = lv_alloc(n_nested, sizeof *aligned);
    if (!aligned) {
        r->status = out_of_memory(r);
        return;
    }
    memcpy(aligned_map, map, sizeof aligned_map);
    memcpy(aligned, nested, n_nested * sizeof *aligned);
    lv_bnb_expand(scales, codes, n, aligned_map, aligned, r->state.nested_block, r->state.offset);
    lv_free(aligned);
}

/* Scales of blocks of 64 in float32: as stored, or a copy of what they stand for. */
static void read_scales(Reading *r)
{
    const uint64_t blocks = (r->n + LV_BNB_BLOCK - 1) / LV_BNB_BLOCK,
                   stored = (r->n + r->state.block - 1) / r->state.block;
    const void *absmax = part_of(r, LV_BNB_ABSMAX, r->state.nested ? "U8" : "F32", stored);
    if (!absmax)
        return;
    LvHostTensor *scales = &r->entry->scales;
    scales->name = beside(r->table, r->expected->name, LV_BNB_ABSMAX)->source->name;
    scales->file = r->entry->file;
    scales->dtype = LV_F32;
    scales->n_dims = 2;
    scales->shape[0] = 1;
    scales->shape[1] = blocks;
    scales->bytes = blocks * sizeof(float);
    scales->data = absmax;
    scales->mapped = true;
    r->entry->tensor.scales = scales;
    if (!r->state.nested && r->state.block == LV_BNB_BLOCK &&
        (uintptr_t)absmax % sizeof(float) == 0)
        return;
    float *copy = lv_alloc_aligned(blocks, sizeof *copy);
    if (!copy) {
        r->status = out_of_memory(r);
        return;
    }
    r->entry->scales_copy = copy;
    scales->data = copy;
    scales->mapped = false;
    if (r->state.nested)
        expand(r, absmax, copy, stored);
    else
        memcpy(copy, absmax, stored * sizeof *copy);
    const uint64_t each = r->state.block / LV_BNB_BLOCK;
    for (uint64_t i = blocks; i-- > 0 && each > 1;)
        copy[i] = copy[i / each];
}

static void read_codes(Reading *r)
{
    LvTableEntry *entry = r->entry;
    LvHostTensor *tensor = &entry->tensor;
    const uint64_t rows = r->state.shape[0], cols = r->state.shape[1];
    if (bytes_of(entry) != (r->n + 1) / 2) {
        r->status =
            lv_fail_about(r->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, entry->source->name,
                "%s: tensor %.128s has %" PRIu64 " bytes; %" PRIu64 " x %" PRIu64
                " numbers of four bits take %" PRIu64,
                entry->file, entry->source->name, bytes_of(entry), rows, cols, (r->n + 1) / 2);
        return;
    }
    tensor->name = entry->source->name;
    tensor->file = entry->file;
    tensor->dtype = r->state.type;
    tensor->rounded_to = r->state.rounded_to;
    tensor->n_dims = 2;
    memcpy(tensor->shape, r->state.shape, sizeof r->state.shape);
    tensor->bytes = rows * lv_dtype_span(tensor->dtype, cols);
    tensor->data = entry->data;
    tensor->mapped = true;
    r->table->bytes += bytes_of(entry);
    r->table->elements[tensor->dtype] += r->n;
    entry->used = true;
    if (cols % 2 == 0)
        return;
    entry->copy = lv_alloc(tensor->bytes, 1);
    if (!entry->copy) {
        r->status = out_of_memory(r);
        return;
    }
    lv_bnb_rows(entry->copy, entry->data, rows, cols);
    tensor->data = entry->copy;
    tensor->mapped = false;
}

LlavaovStatus lv_table_use_four_bits(LvTensorTable *table, LvTableEntry *entry,
    const LvExpectedTensor *expected, const LvQuantisation *quantisation, LlavaovError *error)
{
    Reading r = {.table = table, .entry = entry, .expected = expected, .error = error};
    read_state(&r, quantisation);
    if (r.status)
        return r.status;
    r.n = r.state.shape[0] * r.state.shape[1];
    read_codes(&r);
    check_map(&r);
    read_scales(&r);
    return r.status;
}
