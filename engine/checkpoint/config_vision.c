/* SPDX-License-Identifier: Apache-2.0
 * The vision tower's part of a configuration, and how pictures are cut into tiles. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "checkpoint/config_parts.h"

LvVisionConfig lv_config_vision_released(void)
{
    return (LvVisionConfig){
        .hidden_size = 1152,
        .intermediate_size = 4304,
        .n_layers = 26,
        .n_layers_run = 26,
        .n_heads = 16,
        .head_dim = 72,
        .image_size = 384,
        .patch_size = 14,
        .n_channels = 3,
        .grid = 27,
        .activation = LV_ACTIVATION_GELU_TANH,
        .layer_norm_eps = 1e-6,
    };
}

LvVisionConfig lv_config_vision_siglip(void)
{
    LvVisionConfig vision = lv_config_vision_released();
    vision.hidden_size = 768;
    vision.intermediate_size = 3072;
    vision.n_layers = vision.n_layers_run = 12;
    vision.n_heads = 12;
    vision.image_size = 224;
    vision.patch_size = 16;
    return vision;
}

/* An edge: one number, or the same twice. */
static void edge(LvFields *fields, const char *name, uint32_t most, uint32_t *value)
{
    const json_t *field = lv_field(fields, name);
    if (fields->status || !json_is_array(field)) {
        lv_field_uint(fields, name, 1, most, value);
        return;
    }
    json_int_t height = json_integer_value(json_array_get(field, 0)),
               width = json_integer_value(json_array_get(field, 1));
    if (json_array_size(field) != 2 || height != width || height < 1 || height > most)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "must be one number from 1 to %u, or the same one twice", most);
    else
        *value = (uint32_t)height;
}

void lv_config_vision(LvFields *fields, LvVisionConfig *vision)
{
    lv_field_uint(fields, "hidden_size", 1, LV_MAX_HIDDEN, &vision->hidden_size);
    lv_field_uint(fields, "intermediate_size", 1, LV_MAX_HIDDEN, &vision->intermediate_size);
    lv_field_uint(fields, "num_hidden_layers", 1, LV_MAX_LAYERS, &vision->n_layers);
    lv_field_uint(fields, "num_attention_heads", 1, LV_MAX_HEADS, &vision->n_heads);
    lv_field_uint(fields, "num_channels", 3, 3, &vision->n_channels);
    edge(fields, "image_size", LV_MAX_IMAGE_SIZE, &vision->image_size);
    edge(fields, "patch_size", LV_MAX_IMAGE_SIZE, &vision->patch_size);
    lv_config_activation(fields, "hidden_act", &vision->activation);
    lv_field_double(fields, "layer_norm_eps", 0, 1, &vision->layer_norm_eps);
    if (fields->status)
        return;
    vision->n_layers_run = vision->n_layers;
    vision->grid = vision->image_size / vision->patch_size;
    vision->head_dim = vision->hidden_size / vision->n_heads;
    if (vision->patch_size > vision->image_size)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "patch_size",
            "= %u is larger than image_size = %u", vision->patch_size, vision->image_size);
    if (vision->hidden_size % vision->n_heads)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "hidden_size",
            "= %u is not a multiple of num_attention_heads = %u", vision->hidden_size,
            vision->n_heads);
    if (vision->head_dim > LV_MAX_HEAD_DIM)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "num_attention_heads",
            "= %u gives heads wider than %u", vision->n_heads, LV_MAX_HEAD_DIM);
}

void lv_config_feature_layer(LvFields *fields, LvVisionConfig *vision)
{
    const char *name = "vision_feature_layer";
    const json_t *value = lv_field(fields, name);
    if (fields->status || !value)
        return;
    if (json_is_array(value) && json_array_size(value) > 1) {
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name, "lists %zu layers; one is supported",
            json_array_size(value));
        return;
    }
    if (json_is_array(value))
        value = json_array_get(value, 0);
    json_int_t layers = vision->n_layers, index = json_integer_value(value);
    if (!json_is_integer(value))
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "must be an integer or a list of one");
    else if (index < -layers - 1 || index > layers)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            "is %lld; with %lld layers it must be between %lld and %lld", (long long)index,
            (long long)layers, (long long)(-layers - 1), (long long)layers);
    else
        vision->n_layers_run = (uint32_t)(index >= 0 ? index : layers + 1 + index);
}

void lv_config_anyres(LvFields *fields, const char *name, LvConfig *config)
{
    static const char prefix[] = "anyres_max_";
    const char *text = NULL;
    lv_field_text(fields, name, &text);
    if (fields->status || !text)
        return;
    if (strncmp(text, prefix, sizeof prefix - 1)) {
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "is \"%.64s\"; only \"anyres_max_N\" is supported", text);
        return;
    }
    const char *digits = text + sizeof prefix - 1;
    size_t n = strspn(digits, "0123456789");
    unsigned long most = n && n < 6 && !digits[n] ? strtoul(digits, NULL, 10) : 0;
    if (most < 1 || most > LV_MAX_PINPOINTS)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            "is \"%.64s\"; N of \"anyres_max_N\" must be between 1 and %u", text, LV_MAX_PINPOINTS);
    else
        config->anyres_max = (uint32_t)most;
}

static const char pinpoints_name[] = "image_grid_pinpoints";

/* One more pair; false after an error. */
static bool add_pinpoint(LvFields *fields, LvConfig *config, json_int_t height, json_int_t width)
{
    uint32_t n = config->n_pinpoints;
    json_int_t tile = config->vision.image_size;
    if (n >= LV_MAX_PINPOINTS) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name, "has more than %u entries",
            LV_MAX_PINPOINTS);
        return false;
    }
    if (height < 1 || width < 1 || height > LV_MAX_PICTURE_EDGE || width > LV_MAX_PICTURE_EDGE ||
        height % tile || width % tile) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
            "[%u] is [%lld, %lld]; both must be multiples of the tile's edge %lld, from 1 tile to "
            "%u pixels",
            n, (long long)height, (long long)width, (long long)tile, LV_MAX_PICTURE_EDGE);
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
    if (first[1] > last[1]) /* empty rows, however many, are no grid */
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
                "[%zu] must be a pair [height, width]", i);
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
    else if (json_is_string(value))
        from_text(fields, config, json_string_value(value));
    else if (json_is_array(value))
        from_list(fields, config, value);
    if (!fields->status && !config->n_pinpoints)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, pinpoints_name,
            "must be a list of [height, width] pairs, at least one");
}
