/* SPDX-License-Identifier: Apache-2.0
 * How pictures are cut into tiles. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "checkpoint/config_parts.h"

/* Python's int() of text[0 .. n): surrounding blanks, a sign, digits with single underscores
 * between them. 0 where int() fails and for values that are not positive, on which the reference
 * fails later. */
static uint32_t positive(const char *text, size_t n)
{
    uint64_t value = 0;
    while (n && isspace((unsigned char)*text))
        text++, n--;
    while (n && isspace((unsigned char)text[n - 1]))
        n--;
    if (n && *text == '+')
        text++, n--;
    if (!n || text[n - 1] == '_')
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '_' && i && text[i - 1] != '_')
            continue;
        if (!isdigit((unsigned char)text[i]))
            return 0;
        value = value * 10 + (uint64_t)(text[i] - '0');
        value = value > UINT32_MAX ? UINT32_MAX : value;
    }
    return (uint32_t)value;
}

uint32_t lv_anyres_of(const char *text)
{
    static const char stripped[] = "anyres_max_";
    size_t n = strlen(text);
    while (n && strchr(stripped, *text))
        text++, n--;
    while (n && strchr(stripped, text[n - 1]))
        n--;
    return positive(text, n);
}

void lv_config_anyres(LvFields *fields, const char *name, LvConfig *config)
{
    const char *text = NULL;
    lv_field_text(fields, name, &text);
    if (fields->status || !text)
        return;
    config->anyres_max = lv_anyres_of(text);
    strncpy(config->aspect_ratio, text, sizeof config->aspect_ratio - 1);
}

static const char pinpoints_name[] = "image_grid_pinpoints";

/* One more pair; false after an error. */
static bool add_pinpoint(LvFields *fields, LvConfig *config, json_int_t height, json_int_t width)
{
    uint32_t n = config->n_pinpoints;
    if (n >= LV_MAX_PINPOINTS) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name, "has more than %u entries",
            LV_MAX_PINPOINTS);
        return false;
    }
    if (height < 1 || width < 1 || height > LV_MAX_PICTURE_EDGE || width > LV_MAX_PICTURE_EDGE) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
            "[%u] is [%lld, %lld]; both must be from 1 to %u pixels", n, (long long)height,
            (long long)width, LV_MAX_PICTURE_EDGE);
        return false;
    }
    if (!config->pinpoints)
        config->pinpoints = lv_alloc(LV_MAX_PINPOINTS, sizeof *config->pinpoints);
    if (!config->pinpoints) {
        lv_field_fail(
            fields, LLAVAOV_ERROR_MEMORY, pinpoints_name, "cannot be stored: out of memory");
        return false;
    }
    config->pinpoints[n][0] = (uint32_t)height;
    config->pinpoints[n][1] = (uint32_t)width;
    config->n_pinpoints++;
    return true;
}

/* All grids from (first, first) to (last, last) tiles, rows outermost. */
static void add_range(LvFields *fields, LvConfig *config, json_int_t tile,
    const json_int_t first[2], const json_int_t last[2])
{
    if (first[1] > last[1]) /* any number of empty rows is no grid */
        return;
    for (json_int_t i = first[0]; i <= last[0]; i++)
        for (json_int_t j = first[1]; j <= last[1]; j++)
            if (!add_pinpoint(fields, config, i * tile, j * tile))
                return;
}

static void from_list(LvFields *fields, LvConfig *config, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        const json_t *height = json_array_get(pair, 0), *width = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_integer(height) || !json_is_integer(width)) {
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
                "[%zu] must be a pair of integers", i);
            return;
        }
        if (!add_pinpoint(fields, config, json_integer_value(height), json_integer_value(width)))
            return;
    }
}

/* Reads the next run of digits; -1 when there is none, a value over every bound when it is too
 * long. */
static json_int_t next_number(const char **text)
{
    while (**text && !isdigit((unsigned char)**text))
        (*text)++;
    if (!**text)
        return -1;
    size_t n = strspn(*text, "0123456789");
    json_int_t number = n > 9 ? INT32_MAX : strtol(*text, NULL, 10);
    *text += n;
    return number;
}

/* "(1x1),...,(6x6)": grids of tiles from the first pair to the last. "[(384, 384), (384, 768)]":
 * the pairs themselves. */
static void from_text(LvFields *fields, LvConfig *config, const char *text)
{
    bool range = strchr(text, 'x') != NULL;
    if (text[strspn(text, range ? "()x,. 0123456789" : "()[], 0123456789")]) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
            "is \"%.64s\", which cannot be read", text);
        return;
    }
    json_int_t first[2] = {1, 1}, pair[2] = {0, 0}, height;
    for (size_t n = 0; (height = next_number(&text)) >= 0; n++) {
        pair[0] = height;
        pair[1] = next_number(&text);
        if (pair[1] < 0) {
            lv_field_fail(
                fields, LLAVAOV_ERROR_FORMAT, pinpoints_name, "has an odd count of numbers");
            return;
        }
        if (!n)
            memcpy(first, pair, sizeof first);
        if (!range && !add_pinpoint(fields, config, pair[0], pair[1]))
            return;
    }
    if (range)
        add_range(fields, config, config->vision.image_size, first, pair);
}

void lv_config_pinpoints(LvFields *fields, LvConfig *config)
{
    const json_t *value = lv_field(fields, pinpoints_name);
    if (fields->status)
        return;
    if (!value)
        add_range(fields, config, 384, (json_int_t[]){1, 1}, (json_int_t[]){6, 6});
    else if (json_is_array(value))
        from_list(fields, config, value);
    else
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
            "must be a list of [height, width] pairs, in transformers, too");
}

void lv_config_next_pinpoints(LvFields *fields, LvConfig *config)
{
    const json_t *value = lv_field(fields, pinpoints_name);
    if (fields->status || !value)
        return;
    if (json_is_string(value))
        from_text(fields, config, json_string_value(value));
    else if (json_is_array(value))
        from_list(fields, config, value);
    if (!fields->status && !config->n_pinpoints && !json_is_array(value))
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
            "must be a list of [width, height] pairs, or the same as text");
    for (uint32_t i = 0; i < config->n_pinpoints; i++) {
        const uint32_t width = config->pinpoints[i][0];
        config->pinpoints[i][0] = config->pinpoints[i][1];
        config->pinpoints[i][1] = width;
    }
}

void lv_preprocess_default(LvConfig *config)
{
    const LvPreprocess released = LV_PREPROCESS_RELEASED(config->vision.image_size);
    config->image = config->video = released;
    config->placeholders = (LvPlaceholderCount){0};
}
