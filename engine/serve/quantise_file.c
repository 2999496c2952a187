/* SPDX-License-Identifier: Apache-2.0
 * Quantising a folder: one safetensors file. Where everything lies follows from shapes; so the header comes first
 * and each tensor's parts are written to their places. */
#include "serve/quantise.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu_packed.h"
#include "checkpoint/four_bits.h"
#include "checkpoint/integers.h"
#include "model/try.h"

#define MOST_STATE 512

enum {
    CODES = LV_BNB_N_PARTS,
    WHOLE,
    NUMBERS,
    SCALES,
    N_KINDS
}; /* beside the parts of LvBnbPart */

/* A tensor of the result. */
typedef struct Piece {
    char name[320];
    const char *dtype;
    const LvSafetensor *source;
    int kind;
    uint64_t shape[LV_SAFETENSORS_DIMS];
    uint32_t n_dims;
    uint64_t bytes, begin;
} Piece;

typedef struct Writing {
    LvQuantising *q;
    const LvSafetensors *file;
    const char *name, *path;
    FILE *out;
    uint64_t data_at; /* where the data begins in the file */
    Piece *pieces;
    size_t n;
    LlavaovError *error;
} Writing;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool becomes_four_bits(const LvQuantising *q, const char *name)
{
    return q->n_names && bsearch(&name, q->names, q->n_names, sizeof *q->names, by_text);
}

static uint64_t count(const LvSafetensor *tensor)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        n *= tensor->shape[i];
    return n;
}

/* ---- what the file will hold ---- */

static uint64_t size_of(const char *dtype)
{
    LvDtype known;
    return lv_dtype_stored_as(dtype, &known) ? lv_dtype_bytes(known) : 1;
}

static void add(Writing *w, const LvSafetensor *source, int kind, const char *suffix,
    const char *dtype, uint64_t a, uint64_t b)
{
    Piece *piece = &w->pieces[w->n++];
    snprintf(piece->name, sizeof piece->name, "%.250s%s", source->name, suffix);
    piece->dtype = dtype;
    piece->source = source;
    piece->kind = kind;
    piece->shape[0] = a;
    piece->shape[1] = b;
    piece->n_dims = b ? 2 : 1;
    piece->bytes = a * (b ? b : 1) * size_of(dtype);
}

/* The text as json.dumps writes it, numbers with as few digits as they need. */
static int state_of(
    char text[MOST_STATE], const LvSafetensor *source, const LvQuantised *q, float offset)
{
    static const char *const names[] = {
        [LV_F32] = "float32", [LV_F16] = "float16", [LV_BF16] = "bfloat16"};
    LvDtype dtype = LV_F32;
    lv_dtype_stored_as(source->dtype, &dtype);
    int n = snprintf(text, MOST_STATE,
        "{\"quant_type\": \"%s\", \"blocksize\": %u, \"dtype\": \"%s\", \"shape\": [%llu, %llu]",
        lv_dtype_name(q->type), LV_BNB_BLOCK, names[dtype], (unsigned long long)source->shape[0],
        (unsigned long long)source->shape[1]);
    if (q->nested) {
        char number[40];
        for (int digits = 1; digits <= 17; digits++) {
            snprintf(number, sizeof number, "%.*g", digits, (double)offset);
            if (strtod(number, NULL) == (double)offset)
                break;
        }
        n += snprintf(text + n, (size_t)(MOST_STATE - n),
            ", \"nested_blocksize\": %u, \"nested_dtype\": \"float32\", \"nested_offset\": %s",
            LV_BNB_NESTED, number);
    }
    return n + snprintf(text + n, (size_t)(MOST_STATE - n), "}");
}

static const char *state_suffix(const LvQuantised *q)
{
    return lv_bnb_suffix(q->type == LV_NF4 ? LV_BNB_STATE_NF4 : LV_BNB_STATE_FP4);
}

/* The state's length depends on its numbers: spaces fill it up. */
static uint64_t room_for_state(const LvSafetensor *source, const LvQuantised *q)
{
    char text[MOST_STATE];
    return (uint64_t)state_of(text, source, q, 0) + (q->nested ? 24 : 0);
}

static void add_four_bits(Writing *w, const LvSafetensor *source)
{
    const LvQuantised *q = &w->q->quantised;
    const uint64_t n = count(source), blocks = (n + LV_BNB_BLOCK - 1) / LV_BNB_BLOCK;
    add(w, source, CODES, "", "U8", (n + 1) / 2, 1);
    add(w, source, LV_BNB_ABSMAX, lv_bnb_suffix(LV_BNB_ABSMAX), q->nested ? "U8" : "F32", blocks,
        0);
    add(w, source, LV_BNB_QUANT_MAP, lv_bnb_suffix(LV_BNB_QUANT_MAP), "F32", 16, 0);
    if (q->nested) {
        add(w, source, LV_BNB_NESTED_ABSMAX, lv_bnb_suffix(LV_BNB_NESTED_ABSMAX), "F32",
            (blocks + LV_BNB_NESTED - 1) / LV_BNB_NESTED, 0);
        add(w, source, LV_BNB_NESTED_QUANT_MAP, lv_bnb_suffix(LV_BNB_NESTED_QUANT_MAP), "F32", 256,
            0);
    }
    add(w, source, LV_BNB_STATE_NF4, state_suffix(q), "U8", room_for_state(source, q), 0);
}

static void add_integers(Writing *w, const LvSafetensor *source, const LvMadeWeight *made)
{
    const uint64_t rows = source->shape[0], cols = source->shape[1];
    if (made->weight->int4) {
        add(w, source, NUMBERS, "", "U8", rows, (cols + 1) / 2);
        add(w, source, SCALES, LV_INTEGERS_SCALE, "F16", rows, lv_int4_groups(cols));
    } else {
        add(w, source, NUMBERS, "", "I8", rows, cols);
        add(w, source, SCALES, LV_INTEGERS_SCALE, "F32", rows, 0);
    }
}

/* Wide elements first, so that all of them are aligned; then by name. */
static int by_place(const void *a, const void *b)
{
    const Piece *p = a, *q = b;
    const uint64_t size = size_of(p->dtype), other = size_of(q->dtype);
    return size != other ? (size < other) - (size > other) : strcmp(p->name, q->name);
}

static void plan(Writing *w)
{
    for (size_t i = 0; i < w->file->n_tensors; i++) {
        const LvSafetensor *source = &w->file->tensors[i];
        const LvMadeWeight *made = lv_made_integers_find(&w->q->integers, source->name);
        if (made)
            add_integers(w, source, made);
        else if (becomes_four_bits(w->q, source->name))
            add_four_bits(w, source);
        if (made || becomes_four_bits(w->q, source->name))
            continue;
        add(w, source, WHOLE, "", source->dtype, 1, 0);
        Piece *piece = &w->pieces[w->n - 1];
        piece->n_dims = source->n_dims;
        memcpy(piece->shape, source->shape, sizeof piece->shape);
        piece->bytes = source->end - source->begin;
    }
    qsort(w->pieces, w->n, sizeof *w->pieces, by_place);
    uint64_t at = 0;
    for (size_t i = 0; i < w->n; at += w->pieces[i++].bytes)
        w->pieces[i].begin = at;
    w->q->total += at;
}

/* ---- writing ---- */

static LlavaovStatus cannot_write(const Writing *w)
{
    return lv_fail(w->error, LLAVAOV_ERROR_IO, w->path, "%s: %s", w->path, strerror(errno));
}

static LlavaovStatus write_header(Writing *w)
{
    LlavaovStatus status = LLAVAOV_OK;
    char *text = NULL;
    json_t *root = json_pack("{s{ss}}", "__metadata__", "format", "pt");
    for (size_t i = 0; i < w->n && root; i++) {
        const Piece *piece = &w->pieces[i];
        json_t *shape = json_array();
        for (uint32_t k = 0; k < piece->n_dims; k++)
            json_array_append_new(shape, json_integer((json_int_t)piece->shape[k]));
        json_object_set_new(root, piece->name,
            json_pack("{ss so s[II]}", "dtype", piece->dtype, "shape", shape, "data_offsets",
                (json_int_t)piece->begin, (json_int_t)(piece->begin + piece->bytes)));
        json_object_set_new(w->q->weight_map, piece->name, json_string(w->name));
    }
    if (root && json_object_size(root) == w->n + 1)
        text = json_dumps(root, JSON_COMPACT);
    if (!text)
        LV_TRY(lv_fail(w->error, LLAVAOV_ERROR_MEMORY, w->path, "%s: out of memory", w->path));
    const size_t n = strlen(text), padded = (n + 7) / 8 * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)padded >> 8 * i);
    if (fwrite(length, 1, 8, w->out) != 8 || fprintf(w->out, "%-*s", (int)padded, text) < 0)
        LV_TRY(cannot_write(w));
    w->data_at = 8 + padded;
done:
    free(text);
    json_decref(root);
    return status;
}

static LlavaovStatus put(
    Writing *w, const LvSafetensor *source, int kind, const void *data, uint64_t bytes)
{
    for (size_t i = 0; i < w->n; i++) {
        const Piece *piece = &w->pieces[i];
        if (piece->source != source || piece->kind != kind)
            continue;
        if (piece->bytes < bytes ||
            fseeko(w->out, (off_t)(w->data_at + piece->begin), SEEK_SET) != 0 ||
            fwrite(data, 1, bytes, w->out) != bytes)
            return cannot_write(w);
    }
    return LLAVAOV_OK;
}

static LlavaovStatus put_state(Writing *w, const LvSafetensor *source, float offset)
{
    char text[MOST_STATE + 1], padded[MOST_STATE + 1];
    state_of(text, source, &w->q->quantised, offset);
    const int room = (int)room_for_state(source, &w->q->quantised);
    snprintf(padded, sizeof padded, "%-*s", room, text);
    return put(w, source, LV_BNB_STATE_NF4, padded, (uint64_t)room);
}

static LlavaovStatus put_four_bits(Writing *w, const LvSafetensor *source)
{
    const LvQuantised *q = &w->q->quantised;
    const uint64_t n = count(source), blocks = (n + LV_BNB_BLOCK - 1) / LV_BNB_BLOCK,
                   nested = (blocks + LV_BNB_NESTED - 1) / LV_BNB_NESTED;
    LvMatrix matrix = {.data = (const char *)w->file->map + w->file->data_offset + source->begin,
        .rows = 1,
        .cols = n};
    LlavaovStatus status;
    float offset = 0;
    uint8_t *codes = lv_alloc((n + 1) / 2, 1), *nested_codes = lv_alloc(blocks, 1);
    float *scales = lv_alloc(blocks, sizeof *scales),
          *nested_scales = lv_alloc(nested, sizeof *nested_scales);
    if (!codes || !nested_codes || !scales || !nested_scales)
        LV_TRY(lv_fail(
            w->error, LLAVAOV_ERROR_MEMORY, source->name, "no memory for tensor %s", source->name));
    lv_dtype_stored_as(source->dtype, &matrix.dtype);
    if (!w->q->cpu->kernels->all_finite(&matrix))
        LV_TRY(lv_fail_about(w->error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, source->name,
            "%s: tensor %s holds NaN or Inf", w->name, source->name));
    lv_cpu_quantise_codes(w->q->cpu, q->type, &matrix, codes, scales);
    LV_TRY(put(w, source, CODES, codes, (n + 1) / 2));
    LV_TRY(put(w, source, LV_BNB_QUANT_MAP, lv_dtype_traits(q->type)->codes, 16 * sizeof(float)));
    if (q->nested) {
        offset = lv_bnb_mean(scales, blocks);
        lv_bnb_nest(scales, blocks, offset, nested_codes, nested_scales);
        LV_TRY(put(w, source, LV_BNB_ABSMAX, nested_codes, blocks));
        LV_TRY(put(w, source, LV_BNB_NESTED_ABSMAX, nested_scales, nested * sizeof(float)));
        LV_TRY(put(w, source, LV_BNB_NESTED_QUANT_MAP, lv_bnb_nested_map(), 256 * sizeof(float)));
    } else
        LV_TRY(put(w, source, LV_BNB_ABSMAX, scales, blocks * sizeof(float)));
    LV_TRY(put_state(w, source, offset));
done:
    lv_free(codes);
    lv_free(nested_codes);
    lv_free(scales);
    lv_free(nested_scales);
    return status;
}

/* A weight's rows, as a file holds them. */
static LlavaovStatus put_integers(Writing *w, const LvSafetensor *source, const LvMadeWeight *made)
{
    const LvWeight *weight = made->weight;
    const LvMatrix *part = &weight->parts[made->part];
    const size_t row_bytes = weight->int4 ? (part->cols + 1) / 2 : part->cols,
                 groups = lv_int4_groups(part->cols);
    uint8_t *numbers = lv_alloc(part->rows, row_bytes);
    uint16_t *scales = lv_alloc(part->rows, groups * sizeof *scales);
    LlavaovStatus status;
    if (!numbers || !scales)
        LV_TRY(lv_fail(
            w->error, LLAVAOV_ERROR_MEMORY, source->name, "no memory for tensor %s", source->name));
    for (size_t r = 0; r < part->rows; r++)
        if (weight->int4)
            lv_cpu_int4_row(
                &weight->int4[made->part], r, numbers + r * row_bytes, scales + r * groups);
        else
            lv_cpu_int8_row(&weight->int8[made->part], r, (int8_t *)numbers + r * row_bytes);
    LV_TRY(put(w, source, NUMBERS, numbers, part->rows * row_bytes));
    if (weight->int4)
        LV_TRY(put(w, source, SCALES, scales, part->rows * groups * sizeof *scales));
    else
        LV_TRY(put(w, source, SCALES, weight->int8[made->part].scales, part->rows * sizeof(float)));
done:
    lv_free(numbers);
    lv_free(scales);
    return status;
}

LlavaovStatus lv_quantise_file(LvQuantising *quantising, const LvSafetensors *file,
    const char *name, const char *path, LlavaovError *error)
{
    Writing w = {quantising, file, name, path, fopen(path, "wbx"), .error = error};
    LlavaovStatus status;
    if (!w.out)
        return cannot_write(&w);
    w.pieces = lv_calloc(file->n_tensors, N_KINDS * sizeof *w.pieces);
    if (!w.pieces)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, path, "%s: out of memory", path));
    plan(&w);
    LV_TRY(write_header(&w));
    for (size_t i = 0; i < file->n_tensors; i++) {
        const LvSafetensor *source = &file->tensors[i];
        const LvMadeWeight *made = lv_made_integers_find(&quantising->integers, source->name);
        if (made)
            LV_TRY(put_integers(&w, source, made));
        else if (becomes_four_bits(quantising, source->name))
            LV_TRY(put_four_bits(&w, source));
        else
            LV_TRY(
                put(&w, source, WHOLE, (const char *)file->map + file->data_offset + source->begin,
                    source->end - source->begin));
    }
done:
    lv_free(w.pieces);
    if (fclose(w.out) != 0 && status == LLAVAOV_OK)
        status = cannot_write(&w);
    return status;
}
