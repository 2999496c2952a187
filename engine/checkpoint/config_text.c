/* SPDX-License-Identifier: Apache-2.0
 * The Qwen2 part of a configuration. */
#include <string.h>

#include "base/limits.h"
#include "checkpoint/config_parts.h"

/* Which layers attend to the last sliding_window keys only: those named by layer_types, or those
 * from max_window_layers on; none unless use_sliding_window is set. */
static void sliding_windows(LvFields *fields, LvTextConfig *text)
{
    bool use = false;
    uint32_t first = 28, window = 4096;
    lv_field_bool(fields, "use_sliding_window", &use);
    lv_field_uint(fields, "max_window_layers", 0, UINT32_MAX, &first);
    if (use)
        lv_field_uint(fields, "sliding_window", 1, UINT32_MAX, &window);
    const json_t *types = lv_field(fields, "layer_types");
    if (fields->status)
        return;
    if (use && !json_is_null(json_object_get(fields->object, "sliding_window")))
        text->sliding_window = window;
    for (uint32_t i = first; !types && text->sliding_window && i < text->n_layers; i++)
        text->sliding[i] = true;
    if (!types)
        return;
    if (!json_is_array(types) || json_array_size(types) != text->n_layers) {
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "layer_types",
            "must be a list of num_hidden_layers = %u names", text->n_layers);
        return;
    }
    for (uint32_t i = 0; i < text->n_layers; i++) {
        const char *type = json_string_value(json_array_get(types, i));
        text->sliding[i] = type && !strcmp(type, "sliding_attention");
        if (!text->sliding[i] && (!type || strcmp(type, "full_attention")))
            lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "layer_types",
                "has \"%.64s\" at %u; qwen2 knows \"full_attention\" and \"sliding_attention\"",
                type ? type : "?", i);
        else if (text->sliding[i] && !text->sliding_window)
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "layer_types",
                "has \"sliding_attention\" at %u, but %s", i,
                use ? "sliding_window is null" : "use_sliding_window is not true");
    }
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
    };
    lv_field_uint(fields, "hidden_size", 1, LV_MAX_HIDDEN, &text->hidden_size);
    lv_field_uint(fields, "intermediate_size", 1, LV_MAX_HIDDEN, &text->intermediate_size);
    lv_field_uint(fields, "num_hidden_layers", 1, LV_MAX_LAYERS, &text->n_layers);
    lv_field_uint(fields, "num_attention_heads", 1, LV_MAX_HEADS, &text->n_heads);
    /* null, unlike an absent field, means as many as there are query heads. */
    if (fields->object && json_is_null(json_object_get(fields->object, "num_key_value_heads")))
        text->n_kv_heads = text->n_heads;
    lv_field_uint(fields, "num_key_value_heads", 1, LV_MAX_HEADS, &text->n_kv_heads);
    lv_field_uint(fields, "vocab_size", 1, LV_MAX_VOCAB, &text->vocab_size);
    lv_field_uint(fields, "max_position_embeddings", 1, LV_MAX_CONTEXT, &text->context_length);
    lv_config_activation(fields, "hidden_act", &text->activation);
    lv_field_double(fields, "rms_norm_eps", 0, 1, &text->rms_norm_eps);
    lv_field_bool(fields, "tie_word_embeddings", &text->tied_head);
    heads(fields, text);
    lv_config_rope(fields, text);
    sliding_windows(fields, text);
}
