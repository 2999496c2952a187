/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/generation_reader.h"

#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "base/limits.h"

bool lv_reader_failed(const LvGenerationReader *r)
{
    return r->fields[0].status || r->fields[1].status;
}

LvFields *lv_reader_with(LvGenerationReader *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (lv_field_present(&r->fields[i], name))
            return &r->fields[i];
    return &r->fields[0];
}

/* ---- numbers ---- */

bool lv_reader_real(LvGenerationReader *r, const char *name, double *value)
{
    LvFields *fields = lv_reader_with(r, name);
    if (lv_reader_failed(r) || !lv_field_present(fields, name))
        return false;
    lv_field_double(fields, name, -DBL_MAX, DBL_MAX, value);
    return true;
}

bool lv_reader_integer(LvGenerationReader *r, const char *name, int64_t *value)
{
    LvFields *fields = lv_reader_with(r, name);
    const json_t *field = lv_field(fields, name);
    if (lv_reader_failed(r) || !field)
        return false;
    if (json_is_integer(field))
        *value = json_integer_value(field);
    else
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "must be an integer");
    return true;
}

void lv_reader_count(LvGenerationReader *r, const char *name, uint32_t *value)
{
    int64_t number = 0;
    if (lv_reader_integer(r, name, &number))
        *value = number <= 0 ? 0 : number > INT32_MAX ? INT32_MAX : (uint32_t)number;
}

void lv_reader_flag(LvGenerationReader *r, const char *name, bool *value)
{
    LvFields *fields = lv_reader_with(r, name);
    if (!lv_reader_failed(r))
        lv_field_bool(fields, name, value);
}

/* ---- ids ---- */

static void *keep(LvGenerationReader *r, LvFields *fields, const char *name, size_t n, size_t size)
{
    LvGenerationConfig *config = r->config;
    void *block = lv_calloc(n, size);
    if (block)
        config->blocks[config->n_blocks++] = block;
    else
        lv_field_fail(fields, LLAVAOV_ERROR_MEMORY, name, "cannot be kept: out of memory");
    return block;
}

static bool room(LvGenerationReader *r, LvFields *fields, const char *name, size_t n)
{
    r->n_ids += n;
    if (r->n_ids <= LV_MAX_GENERATION_IDS)
        return true;
    lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
        "makes more than %u token ids in one file: absurd", LV_MAX_GENERATION_IDS);
    return false;
}

/* Fills ids from a list, or from the one id that `value` is; returns how many, -1 after an error.
 * negative: ids below 0 are left out. */
static ptrdiff_t read_ids(
    LvFields *fields, const char *name, const json_t *value, bool negative, int32_t *ids)
{
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        const json_int_t number = json_integer_value(id);
        if (!json_is_integer(id) || (number < 0 && !negative)) {
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
                "holds something that is no token id at %zu", i);
            return -1;
        }
        if (number >= 0 && number <= INT32_MAX)
            ids[kept++] = (int32_t)number;
    }
    return (ptrdiff_t)kept;
}

bool lv_reader_ids(LvGenerationReader *r, const char *name, LvIdsForm form, LlavaovIds *list)
{
    const bool single = form == LV_IDS_OR_ONE;
    LvFields *fields = lv_reader_with(r, name);
    const json_t *value = lv_field(fields, name);
    if (lv_reader_failed(r) || !value)
        return false;
    if (!json_is_array(value) && !(single && json_is_integer(value))) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            single ? "must be a token id or a list of them" : "must be a list of token ids");
        return false;
    }
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;
    if (!room(r, fields, name, n))
        return false;
    int32_t *block = keep(r, fields, name, n, sizeof *block);
    const ptrdiff_t kept = block ? read_ids(fields, name, value, !single, block) : -1;
    if (kept >= 0)
        *list = (LlavaovIds){block, (size_t)kept};
    return kept >= 0;
}

/* ---- phrases ---- */

static bool phrase(
    LvFields *fields, const char *name, const json_t *item, bool biased, LlavaovPhrase *p)
{
    const json_t *list = biased ? json_array_get(item, 0) : item;
    const json_t *bias = biased ? json_array_get(item, 1) : NULL;
    p->bias = -INFINITY;
    if (!json_is_array(list) || (biased && !json_is_number(bias))) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            biased ? "must be a list of pairs: token ids and a number"
                   : "must be a list of lists of token ids");
        return false;
    }
    if (biased)
        p->bias = (float)json_number_value(bias);
    return true;
}

void lv_reader_phrases(LvGenerationReader *r, const char *name, bool biased, LlavaovPhrases *result)
{
    LvFields *fields = lv_reader_with(r, name);
    const json_t *value = lv_field(fields, name);
    if (lv_reader_failed(r) || !value)
        return;
    const size_t n = json_is_array(value) ? json_array_size(value) : 0;
    if (n == 0) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "must be a list that is not empty");
        return;
    }
    LlavaovPhrase *block = keep(r, fields, name, n, sizeof *block);
    size_t total = 0;
    for (size_t i = 0; block && i < n; i++) {
        const json_t *item = json_array_get(value, i);
        if (!phrase(fields, name, item, biased, &block[i]))
            return;
        total += json_array_size(biased ? json_array_get(item, 0) : item);
    }
    if (!block || !room(r, fields, name, n + total))
        return;
    int32_t *all = keep(r, fields, name, total, sizeof *all);
    for (size_t i = 0; all && i < n; i++) {
        const json_t *item = json_array_get(value, i);
        const json_t *list = biased ? json_array_get(item, 0) : item;
        const ptrdiff_t kept = read_ids(fields, name, list, false, all);
        if (kept < 0)
            return;
        if ((size_t)kept != json_array_size(list)) {
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "holds an absurd token id");
            return;
        }
        block[i].ids = (LlavaovIds){all, (size_t)kept};
        all += kept;
    }
    if (all)
        *result = (LlavaovPhrases){block, n};
}
