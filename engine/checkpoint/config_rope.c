/* SPDX-License-Identifier: Apache-2.0
 * The rotary embedding's part of a configuration: rope_theta with rope_scaling (transformers before
 * 5) or rope_parameters (since). Both forms are read as the newest transformers reads them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "checkpoint/config_parts.h"

#define MOST 1e9 /* keeps arithmetic on factors and bounds in range */

static const struct {
    const char *name;
    LvRopeType type;
} known[] = {
    {"default", LV_ROPE_DEFAULT},
    {"linear", LV_ROPE_LINEAR},
    {"dynamic", LV_ROPE_DYNAMIC},
    {"yarn", LV_ROPE_YARN},
    {"longrope", LV_ROPE_LONGROPE},
    {"llama3", LV_ROPE_LLAMA3},
    {"proportional", LV_ROPE_PROPORTIONAL},
};

/* A number for which the library has no default. */
static void needed(LvFields *fields, const char *name, double least, double *value)
{
    if (!fields->status && !lv_field_present(fields, name))
        lv_field_fail(
            fields, LLAVAOV_ERROR_FORMAT, name, "is missing, and this rope type needs it");
    lv_field_double(fields, name, least, MOST, value);
}

/* A number whose 0 means the default, as in "value or default". */
static void or_default(LvFields *fields, const char *name, double *value)
{
    double number = 0;
    lv_field_double(fields, name, -MOST, MOST, &number);
    if (number != 0)
        *value = number;
}

/* Here the library does not treat null as absent, and fails on it. */
static void not_null(LvFields *fields, const char *name)
{
    if (!fields->status && json_is_null(json_object_get(fields->object, name)))
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "is null; leave it out for its default");
}

static void type_of(LvFields *fields, LvRope *rope)
{
    const char *name = "default";
    not_null(fields, json_object_get(fields->object, "rope_type") ? "rope_type" : "type");
    not_null(fields, "rope_theta");
    lv_field_text(fields, "type", &name);
    lv_field_text(fields, "rope_type", &name);
    if (fields->status)
        return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) {
            rope->type = known[i].type;
            return;
        }
    lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED,
        lv_field_present(fields, "rope_type") ? "rope_type" : "type",
        "is \"%.64s\"; known are default, linear, dynamic, yarn, longrope, llama3 and proportional",
        name);
}

/* `short_factor` or `long_factor`: a number for each pair of a head, or one for all. */
static void pair_factors(LvFields *fields, const char *name, uint32_t pairs, float *values)
{
    const json_t *list = lv_field(fields, name);
    if (fields->status)
        return;
    const size_t n = json_array_size(list);
    if (n != pairs && n != 1) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            "must be a list of %u numbers, one for each pair of a head's dimensions", pairs);
        return;
    }
    for (uint32_t i = 0; i < pairs; i++) {
        const json_t *number = json_array_get(list, n == 1 ? 0 : i);
        values[i] = (float)json_number_value(number);
        if (!json_is_number(number) || !(fabs(json_number_value(number)) <= MOST) || !values[i]) {
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
                "must hold numbers other than 0, at most %g; item %u is none", MOST, i);
            return;
        }
    }
}

static double mscale_of(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static void yarn(LvFields *fields, LvRope *rope)
{
    double mscale = 0, all = 0;
    /* null, unlike an absent field, means that the factor follows from the lengths. */
    if (fields->object && json_is_null(json_object_get(fields->object, "factor")))
        rope->factor = rope->positions / rope->original;
    else
        needed(fields, "factor", 1 / MOST, &rope->factor);
    rope->beta_fast = 32;
    rope->beta_slow = 1;
    rope->truncate = true;
    or_default(fields, "beta_fast", &rope->beta_fast);
    or_default(fields, "beta_slow", &rope->beta_slow);
    lv_field_bool(fields, "truncate", &rope->truncate);
    lv_field_double(fields, "mscale", -MOST, MOST, &mscale);
    lv_field_double(fields, "mscale_all_dim", -MOST, MOST, &all);
    if (fields->status)
        return;
    if (rope->beta_fast <= 0 || rope->beta_slow <= 0)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT,
            rope->beta_fast <= 0 ? "beta_fast" : "beta_slow", "must be greater than 0");
    else if (rope->theta == 1)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "rope_theta",
            "is 1, which gives yarn no range of frequencies");
    rope->scale = mscale && all ? mscale_of(rope->factor, mscale) / mscale_of(rope->factor, all)
                                : mscale_of(rope->factor, 1);
    lv_field_double(fields, "attention_factor", -MOST, MOST, &rope->scale);
    if (!fields->status && !isfinite(rope->scale))
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "mscale_all_dim", "makes the scale infinite");
}

static void longrope(LvFields *fields, LvRope *rope, uint32_t head_dim)
{
    rope->factor = rope->positions / rope->original;
    lv_field_double(fields, "factor", 1 / MOST, MOST, &rope->factor);
    pair_factors(fields, "short_factor", head_dim / 2, rope->short_factor);
    pair_factors(fields, "long_factor", head_dim / 2, rope->long_factor);
    const bool given = lv_field_present(fields, "attention_factor");
    rope->scale = 1;
    lv_field_double(fields, "attention_factor", -MOST, MOST, &rope->scale);
    if (fields->status || given || rope->factor <= 1)
        return;
    if (rope->original <= 1)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "original_max_position_embeddings",
            "is %g; longrope needs more than 1", rope->original);
    else
        rope->scale = sqrt(1 + log(rope->factor) / log(rope->original));
}

static void llama3(LvFields *fields, LvRope *rope)
{
    needed(fields, "factor", 1 / MOST, &rope->factor);
    needed(fields, "low_freq_factor", 1 / MOST, &rope->low_frequency);
    needed(fields, "high_freq_factor", 1 / MOST, &rope->high_frequency);
}

/* The fraction of a head that rotates. Qwen2's decoder rotates whole heads: it ignores the fraction
 * for the default type, and for others the library fails on unequal widths, except that longrope's
 * factors broadcast over a single frequency. */
static void rotated_part(LvFields *fields, LvRope *rope, uint32_t head_dim)
{
    const double part = rope->part * head_dim;
    rope->dim = head_dim;
    if (rope->type != LV_ROPE_DEFAULT)
        not_null(fields, "partial_rotary_factor");
    if (fields->status || rope->type == LV_ROPE_DEFAULT || rope->type == LV_ROPE_PROPORTIONAL)
        return;
    rope->dim = (uint32_t)part;
    if (rope->type == LV_ROPE_LONGROPE && (rope->dim + 1) / 2 == 1)
        return;
    if ((rope->dim + 1) / 2 * 2 != head_dim ||
        (rope->type == LV_ROPE_YARN && rope->dim != head_dim))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "partial_rotary_factor",
            "rotates %u of a head's %u dimensions; qwen2 rotates whole heads", rope->dim, head_dim);
    else if (rope->type == LV_ROPE_DYNAMIC && rope->dim == 2)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "rope_type",
            "is \"dynamic\", which heads of 2 dimensions cannot have");
}

static void scaling(LvFields *fields, const LvFields *outer, LvTextConfig *text)
{
    LvRope *rope = &text->rope;
    type_of(fields, rope);
    lv_field_double(fields, "rope_theta", 1, 1e15, &rope->theta);
    lv_field_double(fields, "partial_rotary_factor", 0, 1, &rope->part);
    rotated_part(fields, rope, text->head_dim);
    if (fields->status)
        return;
    if (rope->type == LV_ROPE_YARN || rope->type == LV_ROPE_LONGROPE ||
        rope->type == LV_ROPE_LLAMA3) {
        LvFields top = *outer;
        lv_field_double(fields, "original_max_position_embeddings", 1, MOST, &rope->original);
        lv_field_double(&top, "original_max_position_embeddings", 1, MOST, &rope->original);
        fields->status = fields->status ? fields->status : top.status;
    }
    switch (rope->type) {
    case LV_ROPE_DEFAULT:
        break;
    case LV_ROPE_LINEAR:
    case LV_ROPE_DYNAMIC:
        needed(fields, "factor", 1 / MOST, &rope->factor);
        break;
    case LV_ROPE_YARN:
        yarn(fields, rope);
        break;
    case LV_ROPE_LONGROPE:
        longrope(fields, rope, text->head_dim);
        break;
    case LV_ROPE_LLAMA3:
        llama3(fields, rope);
        break;
    case LV_ROPE_PROPORTIONAL:
        not_null(fields, "factor");
        lv_field_double(fields, "factor", 1 / MOST, MOST, &rope->factor);
        break;
    }
}

/* The number of tokens the rotation is made for: a factor extends the given length, and dynamic
 * adapts to any. */
static uint32_t context_of(const LvRope *rope)
{
    double length = rope->positions;
    if (rope->type == LV_ROPE_LINEAR)
        length = fmax(length, floor(rope->factor * rope->positions));
    else if (rope->type == LV_ROPE_YARN)
        length = fmax(length, floor(rope->factor * rope->original));
    else if (rope->type == LV_ROPE_DYNAMIC)
        length = LV_MAX_CONTEXT;
    return length < LV_MAX_CONTEXT ? (uint32_t)length : LV_MAX_CONTEXT;
}

void lv_config_rope(LvFields *fields, LvTextConfig *text)
{
    LvRope *rope = &text->rope;
    *rope = (LvRope){.theta = 10000,
        .part = 1,
        .dim = text->head_dim,
        .factor = 1,
        .positions = text->context_length,
        .original = text->context_length,
        .scale = 1};
    lv_field_double(fields, "rope_theta", 1, 1e15, &rope->theta);
    lv_field_double(fields, "partial_rotary_factor", 0, 1, &rope->part);
    /* The older name takes precedence where it is not empty. */
    const char *name = "rope_scaling";
    const json_t *object = NULL;
    lv_field_object(fields, name, &object);
    if (!json_object_size(object)) {
        name = "rope_parameters";
        object = NULL;
        lv_field_object(fields, name, &object);
    }
    if (fields->status || !object)
        return;
    char path[64];
    snprintf(path, sizeof path, "%s%s.", fields->path, name);
    LvFields inner = {object, fields->file, path, fields->error, LLAVAOV_OK};
    if (lv_field_present(&inner, "full_attention") || lv_field_present(&inner, "sliding_attention"))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "holds one rotation for each kind of layer, which qwen2 does not have");
    else
        scaling(&inner, fields, text);
    fields->status = fields->status ? fields->status : inner.status;
    if (!fields->status)
        text->context_length = context_of(rope);
}
