/* SPDX-License-Identifier: Apache-2.0
 * The Qwen2 part of a configuration. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "checkpoint/config_parts.h"

/* path: room for the inner fields' prefix. */
static LvFields inner_fields(
    const LvFields *fields, const json_t *object, const char *name, char path[64])
{
    snprintf(path, 64, "%s%s.", fields->path, name);
    return (LvFields){object, fields->file, path, fields->error, LLAVAOV_OK};
}

static void refuse_scaling(LvFields *fields, const char *name)
{
    const json_t *object = NULL;
    lv_field_object(fields, name, &object);
    if (fields->status || !object)
        return;
    char path[64];
    LvFields inner = inner_fields(fields, object, name, path);
    const char *type = "default";
    lv_field_text(&inner, "type", &type);
    lv_field_text(&inner, "rope_type", &type);
    double partial = 1;
    lv_field_double(&inner, "partial_rotary_factor", 0, 1, &partial);
    fields->status = inner.status;
    if (strcmp(type, "default"))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "asks for rope type \"%.64s\"; only \"default\" is supported", type);
    if (partial != 1)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "asks for partial rotation, which is not supported");
}

static void rope(LvFields *fields, LvTextConfig *text)
{
    lv_field_double(fields, "rope_theta", 1, 1e15, &text->rope_theta);
    refuse_scaling(fields, "rope_scaling");
    refuse_scaling(fields, "rope_parameters");
    const json_t *object = NULL;
    lv_field_object(fields, "rope_parameters", &object);
    if (fields->status || !object)
        return;
    char path[64];
    LvFields inner = inner_fields(fields, object, "rope_parameters", path);
    lv_field_double(&inner, "rope_theta", 1, 1e15, &text->rope_theta);
    fields->status = inner.status;
}

/* Layers from max_window_layers on use the window, if it is on at all. */
static void refuse_sliding_window(LvFields *fields, const LvTextConfig *text)
{
    bool use = false;
    uint32_t first = 28;
    lv_field_bool(fields, "use_sliding_window", &use);
    lv_field_uint(fields, "max_window_layers", 0, UINT32_MAX, &first);
    const json_t *types = lv_field(fields, "layer_types");
    if (fields->status)
        return;
    if (types) {
        if (!json_is_array(types) || json_array_size(types) != text->n_layers) {
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "layer_types",
                "must be a list of num_hidden_layers = %u names", text->n_layers);
            return;
        }
        for (size_t i = 0; i < json_array_size(types); i++) {
            const char *type = json_string_value(json_array_get(types, i));
            if (!type || strcmp(type, "full_attention"))
                lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "layer_types",
                    "has \"%.64s\" at %zu; only \"full_attention\" is supported", type ? type : "?",
                    i);
        }
        return;
    }
    bool window = !json_is_null(json_object_get(fields->object, "sliding_window"));
    if (use && window && first < text->n_layers)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "use_sliding_window",
            "is true; only full attention is supported");
}

static void heads(LvFields *fields, LvTextConfig *text)
{
    bool explicit_head_dim = lv_field_present(fields, "head_dim");
    lv_field_uint(fields, "head_dim", 2, LV_MAX_HEAD_DIM, &text->head_dim);
    if (fields->status)
        return;
    if (!explicit_head_dim && text->hidden_size % text->n_heads) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "hidden_size",
            "= %u is not a multiple of num_attention_heads = %u, and there is no head_dim",
            text->hidden_size, text->n_heads);
        return;
    }
    if (!explicit_head_dim)
        text->head_dim = text->hidden_size / text->n_heads;
    if (text->n_heads % text->n_kv_heads)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "num_attention_heads",
            "= %u is not a multiple of num_key_value_heads = %u", text->n_heads, text->n_kv_heads);
    if (text->head_dim % 2 || text->head_dim > LV_MAX_HEAD_DIM ||
        text->head_dim * text->n_heads > LV_MAX_HIDDEN)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT,
            explicit_head_dim ? "head_dim" : "num_attention_heads",
            "gives heads of width %u; it must be even, at most %u, and %u heads at most %u "
            "together",
            text->head_dim, LV_MAX_HEAD_DIM, text->n_heads, LV_MAX_HIDDEN);
}

void lv_config_text(LvFields *fields, LvTextConfig *text)
{
    *text = (LvTextConfig){
        .hidden_size = 4096,
        .intermediate_size = 22016,
        .n_layers = 32,
        .n_heads = 32,
        .n_kv_heads = 32,
        .vocab_size = 151936,
        .context_length = 32768,
        .activation = LV_ACTIVATION_SILU,
        .rms_norm_eps = 1e-6,
        .rope_theta = 10000,
    };
    lv_field_uint(fields, "hidden_size", 1, LV_MAX_HIDDEN, &text->hidden_size);
    lv_field_uint(fields, "intermediate_size", 1, LV_MAX_HIDDEN, &text->intermediate_size);
    lv_field_uint(fields, "num_hidden_layers", 1, LV_MAX_LAYERS, &text->n_layers);
    lv_field_uint(fields, "num_attention_heads", 1, LV_MAX_HEADS, &text->n_heads);
    /* null, unlike absent, means as many as query heads. */
    if (fields->object && json_is_null(json_object_get(fields->object, "num_key_value_heads")))
        text->n_kv_heads = text->n_heads;
    lv_field_uint(fields, "num_key_value_heads", 1, LV_MAX_HEADS, &text->n_kv_heads);
    lv_field_uint(fields, "vocab_size", 1, LV_MAX_VOCAB, &text->vocab_size);
    lv_field_uint(fields, "max_position_embeddings", 1, LV_MAX_CONTEXT, &text->context_length);
    lv_config_activation(fields, "hidden_act", &text->activation);
    lv_field_double(fields, "rms_norm_eps", 0, 1, &text->rms_norm_eps);
    lv_field_bool(fields, "tie_word_embeddings", &text->tied_head);
    heads(fields, text);
    rope(fields, text);
    refuse_sliding_window(fields, text);
}
