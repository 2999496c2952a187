/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strcasestr */
#include "checkpoint/config.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "checkpoint/four_bits.h"
#include "checkpoint/config_parts.h"

void lv_config_only(LvFields *fields, const char *name, const char *only)
{
    const char *text = only;
    lv_field_text(fields, name, &text);
    if (!fields->status && strcmp(text, only))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "is \"%.64s\"; only \"%s\" is supported: take a LLaVA-OneVision checkpoint, for "
            "example llava-hf/llava-onevision-qwen2-7b-ov-hf",
            text, only);
}

void lv_config_eos(LvFields *fields, LvConfig *config)
{
    const json_t *value = lv_field(fields, "eos_token_id");
    if (fields->status || !value)
        return;
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;
    int32_t *ids = lv_alloc(n, sizeof *ids);
    if (!ids || n > LV_MAX_GENERATION_IDS) {
        lv_field_fail(fields, ids ? LLAVAOV_ERROR_FORMAT : LLAVAOV_ERROR_MEMORY, "eos_token_id",
            "has %zu ids, more than there is room for", n);
        lv_free(ids);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX) {
            lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, "eos_token_id",
                "must be a token id or a list of them");
            lv_free(ids);
            return;
        }
        ids[i] = (int32_t)json_integer_value(id);
    }
    lv_free(config->eos_tokens);
    config->eos_tokens = ids;
    config->n_eos_tokens = (uint32_t)n;
}

/* The newer name wins, as in the reference. Ids are bounded because they index the embedding's
 * rows. */
static void placeholder(LvFields *fields, const char *older, const char *newer, bool bounded,
    LvConfig *config, int32_t *id)
{
    const char *name = lv_field_present(fields, newer) ? newer : older;
    lv_field_int(fields, name, 0, INT32_MAX, id);
    if (!fields->status && bounded && (uint32_t)*id >= config->text.vocab_size)
        lv_field_fail(fields, LLAVAOV_ERROR_FORMAT, name, "is %d, outside the vocabulary of %u",
            *id, config->text.vocab_size);
}

static void refuse_quantised(LvFields *fields)
{
    if (lv_field_present(fields, "quantization_config"))
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "quantization_config",
            "is present; it is read at the top level alone");
}

static LvFields part_of(LvFields *top, const char *name, const char *path)
{
    const json_t *object = NULL;
    lv_field_object(top, name, &object);
    return (LvFields){object, top->file, path, top->error, top->status};
}

static void select_strategy(LvFields *top, LvConfig *config)
{
    const char *name = "vision_feature_select_strategy", *strategy = "full";
    lv_field_text(top, name, &strategy);
    config->drop_first = !strcmp(strategy, "default");
    if (!top->status && !config->drop_first && strcmp(strategy, "full"))
        lv_field_fail(top, LLAVAOV_ERROR_UNSUPPORTED, name,
            "is \"%.64s\"; it must be \"full\" or \"default\"", strategy);
}

/* llava-hf (docs/model.md 2.4). */
static void nested(LvFields *top, LvConfig *config)
{
    LvFields text = part_of(top, "text_config", "text_config.");
    lv_config_only(&text, "model_type", "qwen2");
    refuse_quantised(&text);
    lv_config_text(&text, &config->text);
    lv_config_eos(&text, config);
    top->status = text.status;
    bool tied = false;
    lv_field_bool(top, "tie_word_embeddings", &tied);
    config->text.tied_head |= tied;

    LvFields vision = part_of(top, "vision_config", "vision_config.");
    config->vision = vision.object ? lv_config_vision_siglip() : lv_config_vision_released();
    lv_config_only(&vision, "model_type", "siglip_vision_model");
    lv_config_vision(&vision, &config->vision);
    top->status = vision.status;

    lv_config_feature_layer(top, &config->vision);
    select_strategy(top, config);
    lv_config_activation(top, "projector_hidden_act", &config->projector_activation);
    lv_field_bool(top, "multimodal_projector_bias", &config->projector_bias);
    placeholder(top, "image_token_index", "image_token_id", true, config, &config->image_token);
    placeholder(top, "video_token_index", "video_token_id", true, config, &config->video_token);
    lv_config_anyres(top, "vision_aspect_ratio", config);
    lv_config_pinpoints(top, config);
    lv_preprocess_default(config);
    lv_config_eos(top, config);
}

static void released_tower_only(LvFields *top)
{
    const char *tower = "google/siglip-so400m-patch14-384";
    lv_field_text(top, "mm_vision_tower", &tower);
    /* Users put the path of a local copy here, so only a name that clearly says another tower is
     * refused. */
    static const char *const others[] = {
        "clip", "eva", "imagebind", "mlcd", "dino", "internvit", "patch16", "-224", "-512"};
    bool other = false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        other |= strcasestr(tower, others[i]) != NULL;
    if (!top->status && other && !strstr(tower, "siglip-so400m-patch14-384"))
        lv_field_fail(top, LLAVAOV_ERROR_UNSUPPORTED, "mm_vision_tower",
            "is \"%.128s\"; only siglip-so400m-patch14-384 is known here, others need a "
            "vision_config",
            tower);
}

/* LLaVA-NeXT's model drops rope_scaling before it builds its decoder. */
static void text_without_scaling(LvFields *top, LvTextConfig *text)
{
    json_t *copy = json_copy((json_t *)top->object);
    if (!copy) {
        lv_field_fail(top, LLAVAOV_ERROR_MEMORY, "model_type", "cannot be read: out of memory");
        return;
    }
    json_object_del(copy, "rope_scaling");
    LvFields fields = *top;
    fields.object = copy;
    lv_config_text(&fields, text);
    top->status = fields.status;
    json_decref(copy);
}

/* lmms-lab (docs/model.md 2.5). mm_vision_select_layer is present as well, but the original code
 * ignores it for this tower. */
static void flat(LvFields *top, LvConfig *config)
{
    config->original_layout = true;
    text_without_scaling(top, &config->text);

    LvFields vision = part_of(top, "vision_config", "vision_config.");
    config->vision = lv_config_vision_released();
    lv_config_vision(&vision, &config->vision);
    top->status = vision.status;
    if (!vision.object)
        released_tower_only(top);
    uint32_t width = config->vision.hidden_size;
    lv_field_uint(top, "mm_hidden_size", 1, LV_MAX_HIDDEN, &width);
    if (!top->status && width != config->vision.hidden_size)
        lv_field_fail(top, LLAVAOV_ERROR_FORMAT, "mm_hidden_size",
            "is %u, but the vision tower's width is %u", width, config->vision.hidden_size);

    placeholder(top, "image_token_index", "image_token_id", false, config, &config->image_token);
    placeholder(top, "video_token_index", "video_token_id", false, config, &config->video_token);
    lv_preprocess_default(config);
    lv_config_next(top, config);
    lv_config_eos(top, config);
}

/* Which layout, by model_type; a file without one by the fields that only one layout has. */
static void choose(LvFields *top, LvConfig *config)
{
    const char *type =
        lv_field_present(top, "text_config") || lv_field_present(top, "vision_config")
            ? "llava_onevision"
        : lv_field_present(top, "mm_vision_tower") ? "llava_qwen"
                                                   : "";
    lv_field_text(top, "model_type", &type);
    if (top->status)
        return;
    bool original = !strcmp(type, "llava_qwen") ||
                    (!strcmp(type, "llava") && !lv_field_present(top, "text_config"));
    if (!strcmp(type, "llava_onevision"))
        nested(top, config);
    else if (original)
        flat(top, config);
    else if (!*type)
        lv_field_fail(top, LLAVAOV_ERROR_FORMAT, "model_type",
            "is missing: not the configuration of a LLaVA-OneVision model");
    else
        lv_field_fail(top, LLAVAOV_ERROR_UNSUPPORTED, "model_type",
            "is \"%.64s\"; only llava_onevision and the original llava_qwen are supported", type);
}

LlavaovStatus lv_config_parse(
    const char *json, size_t bytes, const char *file, LvConfig *config, LlavaovError *error)
{
    memset(config, 0, sizeof *config);
    config->projector_activation = LV_ACTIVATION_GELU_ERF;
    config->projector_bias = true;
    config->projector_layers = 2;
    config->image_token = 151646;
    config->video_token = 151647;
    config->anyres_max = 9;
    strcpy(config->aspect_ratio, "anyres_max_9");
    json_t *root;
    LlavaovStatus status = lv_json_parse(json, bytes, file, false, &root, error);
    if (status)
        return status;
    LvFields top = {root, file, "", error, LLAVAOV_OK};
    lv_bnb_config(&top, &config->quantisation);
    choose(&top, config);
    json_decref(root);
    if (top.status)
        lv_config_free(config);
    return top.status;
}

void lv_config_free(LvConfig *config)
{
    lv_free(config->image.pinpoints);
    config->image.pinpoints = NULL;
    lv_free(config->pinpoints);
    lv_bnb_config_free(&config->quantisation);
    lv_free(config->eos_tokens);
    config->eos_tokens = NULL;
    config->n_eos_tokens = 0;
    config->pinpoints = NULL;
    config->n_pinpoints = 0;
}
