/* SPDX-License-Identifier: Apache-2.0
 * The vision tower's part of a configuration. */
#include "base/limits.h"
#include "checkpoint/config_parts.h"

LvVisionConfig lv_config_vision_released(void)
{
    return (LvVisionConfig){
        .hidden_size = 1152,
        .intermediate_size = 4304,
        .n_layers = 26,
        .n_layers_run = 26,
        .feature_layers = {26},
        .n_feature_layers = 1,
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
    vision.n_layers = vision.n_layers_run = vision.feature_layers[0] = 12;
    vision.n_heads = 12;
    vision.image_size = 224;
    vision.patch_size = 16;
    return vision;
}

/* An edge: one number, or a list of two equal ones. */
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
    vision->n_layers_run = vision->feature_layers[0] = vision->n_layers;
    vision->n_feature_layers = 1;
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

static void feature_layer(LvFields *fields, const json_t *value, LvVisionConfig *vision)
{
    const char *name = "vision_feature_layer";
    const json_int_t layers = vision->n_layers, index = json_integer_value(value);
    if (!json_is_integer(value)) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "must be an integer or a list of them");
        return;
    }
    if (index < -layers - 1 || index > layers) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name,
            "is %lld; with %lld layers it must be between %lld and %lld", (long long)index,
            (long long)layers, (long long)(-layers - 1), (long long)layers);
        return;
    }
    const uint32_t layer = (uint32_t)(index >= 0 ? index : layers + 1 + index);
    vision->feature_layers[vision->n_feature_layers++] = layer;
    if (layer > vision->n_layers_run)
        vision->n_layers_run = layer;
}

void lv_config_feature_layer(LvFields *fields, LvVisionConfig *vision)
{
    const char *name = "vision_feature_layer";
    const json_t *value = lv_field(fields, name);
    if (fields->status || !value)
        return;
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;
    if (n == 0 || n > LV_MAX_FEATURE_LAYERS || n * vision->hidden_size > LV_MAX_HIDDEN) {
        lv_field_fail(fields, n ? LLAVAOV_ERROR_UNSUPPORTED : LLAVAOV_ERROR_FORMAT, name,
            "lists %zu layers; 1 to %u are supported, of at most %u channels together", n,
            LV_MAX_FEATURE_LAYERS, LV_MAX_HIDDEN);
        return;
    }
    vision->n_feature_layers = vision->n_layers_run = 0;
    for (size_t i = 0; i < n && !fields->status; i++)
        feature_layer(fields, json_is_array(value) ? json_array_get(value, i) : value, vision);
}
