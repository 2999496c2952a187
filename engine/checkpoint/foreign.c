/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/integers.h"
#include "checkpoint/foreign.h"

#include <stdbool.h>
#include <string.h>

#define TAKE                                                                                       \
    "take a LLaVA-OneVision checkpoint, for example llava-hf/llava-onevision-qwen2-7b-ov-hf"

/* Other models that are published under similar names or that people are likely to try. */
static const struct {
    const char *name; /* of model_type or of an architecture */
    const char *what;
} relatives[] = {
    {"llavaonevision1_5", "LLaVA-OneVision-1.5"},
    {"llava_onevision1_5", "LLaVA-OneVision-1.5"},
    {"LLaVAOneVision1_5_ForConditionalGeneration", "LLaVA-OneVision-1.5"},
    {"LlavaOnevision1_5ForConditionalGeneration", "LLaVA-OneVision-1.5"},
    {"llava_onevision2", "LLaVA-OneVision-2"},
    {"LlavaOnevision2ForConditionalGeneration", "LLaVA-OneVision-2"},
    {"LLaVAOneVision2_ForConditionalGeneration", "LLaVA-OneVision-2"},
    {"LlavaOneVisionForConditionalGeneration",
        "NeMo's export of LLaVA-OneVision (its name has a capital V)"},
    {"llava_next", "LLaVA-NeXT (1.6)"},
    {"llava_next_video", "LLaVA-NeXT-Video"},
    {"LlavaForConditionalGeneration", "LLaVA 1.5"},
    {"LlavaLlamaForCausalLM", "LLaVA 1.5"},
    {"llava_llama", "LLaVA 1.5"},
    {"llava_mistral", "LLaVA-NeXT with Mistral"},
    {"LlavaMistralForCausalLM", "LLaVA-NeXT with Mistral"},
    {"LlavaQwenMoeForCausalLM", "LLaVA-NeXT with a mixture of experts"},
    {"video_llava", "Video-LLaVA"},
    {"vipllava", "ViP-LLaVA"},
    {"qwen2_vl", "Qwen2-VL"},
    {"qwen2_5_vl", "Qwen2.5-VL"},
    {"qwen3_vl", "Qwen3-VL"},
    {"qwen3_vl_moe", "Qwen3-VL"},
    {"qwen2", "Qwen2, a language model that sees no pictures"},
    {"qwen3", "Qwen3, a language model that sees no pictures"},
    {"llama", "Llama, a language model that sees no pictures"},
    {"mistral", "Mistral, a language model that sees no pictures"},
    {"siglip", "SigLIP, a vision tower without a language model"},
    {"siglip_vision_model", "SigLIP, a vision tower without a language model"},
    {"clip", "CLIP, a vision tower without a language model"},
    {"internvl", "InternVL"},
    {"internvl_chat", "InternVL"},
    {"paligemma", "PaliGemma"},
    {"gemma3", "Gemma 3"},
    {"mllama", "Llama 3.2 Vision"},
    {"idefics3", "Idefics3"},
    {"smolvlm", "SmolVLM"},
    {"minicpmv", "MiniCPM-V"},
    {"phi3_v", "Phi-3-Vision"},
    {"pixtral", "Pixtral"},
    {"mistral3", "Mistral Small 3"},
    {"blip-2", "BLIP-2"},
    {"instructblip", "InstructBLIP"},
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *relative(const char *name)
{
    for (size_t i = 0; i < sizeof relatives / sizeof *relatives; i++)
        if (!strcmp(relatives[i].name, name))
            return relatives[i].what;
    return NULL;
}

static bool among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

/* The original code's own layout, which has no text_config. */
static bool flat_layout(const json_t *root, const char *type)
{
    return !strcmp(type, "llava_qwen") ||
           (!strcmp(type, "llava") && !json_is_object(json_object_get(root, "text_config")));
}

/* LLaVA-NeXT's five picture sizes in tiles of 384. */
static bool five_sizes(const json_t *pinpoints)
{
    static const int sizes[][2] = {{384, 768}, {768, 384}, {768, 768}, {1152, 384}, {384, 1152}};
    size_t found = 0;
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++) {
            const json_t *pair = json_array_get(pinpoints, k);
            found += json_integer_value(json_array_get(pair, 0)) == sizes[i][0] &&
                     json_integer_value(json_array_get(pair, 1)) == sizes[i][1];
        }
    return json_array_size(pinpoints) == 5 && found == 5;
}

/* llava-next-interleave also says llava_qwen; it is recognised by those sizes and by having as many
 * key heads as query heads. */
static bool interleave(const json_t *root)
{
    const json_t *heads = json_object_get(root, "num_attention_heads"),
                 *keys = json_object_get(root, "num_key_value_heads");
    const char *path = text_of(root, "_name_or_path");
    return (path && strstr(path, "llava-next-interleave")) ||
           (five_sizes(json_object_get(root, "image_grid_pinpoints")) && json_is_integer(heads) &&
               json_equal(heads, keys));
}

/* The one field that says what the model is; false when it is one of ours. */
static bool check_names(const json_t *root, const char *file, LvReasons *reasons)
{
    static const char *const nested[] = {"LlavaOnevisionForConditionalGeneration",
        "LlavaOnevisionModel"},
                             *const flat[] = {"LlavaQwenForCausalLM", "LlavaQwenModel"};
    const char *type = text_of(root, "model_type");
    if (!type) /* left to the configuration's parser */
        type = "";
    const char *what = relative(type);
    const bool is_flat = flat_layout(root, type), is_nested = !strcmp(type, "llava_onevision");
    if (!what && !strcmp(type, "llava") && !is_flat)
        what = "LLaVA 1.5";
    if (*type && !is_flat && !is_nested) {
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, "model_type",
            what
                ? "%s: model_type is \"%.64s\": this is %s, another model, which is not "
                  "supported; " TAKE
                : "%s: model_type is \"%.64s\"%s; only llava_onevision and the original llava_qwen "
                  "are supported: " TAKE,
            file, type, what ? what : "");
        return false;
    }
    const char *architecture =
        json_string_value(json_array_get(json_object_get(root, "architectures"), 0));
    what = architecture ? relative(architecture) : NULL;
    if (architecture && !among(architecture, is_flat ? flat : nested, 2) && (*type || what)) {
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, "architectures",
            what ? "%s: architectures has \"%.64s\": this is %s, another model, which is not "
                   "supported; " TAKE "%s"
                 : "%s: architectures has \"%.64s\"%s, which is not known here; if the weights are "
                   "those of a LLaVA-OneVision model, write %s there",
            file, architecture, what ? what : "",
            what      ? ""
            : is_flat ? flat[0]
                      : nested[0]);
        return false;
    }
    if (!json_object_get(root, "model_type") && !json_object_get(root, "text_config") &&
        !json_object_get(root, "vision_config") && !json_object_get(root, "mm_vision_tower")) {
        lv_reason(reasons, LLAVAOV_ERROR_FORMAT, "model_type",
            "%s: model_type is missing: this is not the configuration of a LLaVA-OneVision "
            "model; " TAKE,
            file);
        return false;
    }
    if (is_flat && interleave(root)) {
        lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, "model_type",
            "%s: this is llava-next-interleave, another model under the same names, which is not "
            "supported; " TAKE,
            file);
        return false;
    }
    return true;
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static void check_quantised(
    const json_t *object, const char *file, const char *path, LvReasons *reasons)
{
    static const struct {
        const char *method, *name;
    } methods[] = {{"gptq", "GPTQ"}, {"awq", "AWQ"}, {"compressed-tensors", "compressed-tensors"},
        {"bitsandbytes", "bitsandbytes in 8 bits"}, {"fp8", "FP8"}, {"fbgemm_fp8", "FP8"},
        {"finegrained_fp8", "FP8"}, {"modelopt", "ModelOpt"}};
    const json_t *field = json_object_get(object, "quantization_config");
    const char *key = "quantization_config";
    if (!field || json_is_null(field)) {
        field = json_object_get(object, "quantization");
        key = "quantization"; /* MLX's */
    }
    if (!field || json_is_null(field))
        return;
    const char *method = text_of(field, "quant_method");
    /* four_bits.h reads these. */
    if (!*path && !strcmp(key, "quantization_config") && is_true(field, "load_in_4bit") &&
        (!method || !strcmp(method, "bitsandbytes")))
        return;
    if (!*path && !strcmp(key, "quantization_config") && method &&
        !strcmp(method, LV_INTEGERS_METHOD)) /* integers.h */
        return;
    if (!method)
        method = is_true(field, "load_in_4bit") || is_true(field, "load_in_8bit")
                     ? "bitsandbytes"
                     : text_of(field, "mode");
    if (!method)
        method = strcmp(key, "quantization") ? "a method that is not named" : "MLX";
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(methods[i].method, method))
            method = methods[i].name;
    lv_reason(reasons, LLAVAOV_ERROR_UNSUPPORTED, key,
        "%s: %s%s is present: the weights are quantised with %.64s, which is not supported; take "
        "the checkpoint that they were made from, in F16, BF16 or F32; of quantised ones only "
        "bitsandbytes' four bits are read",
        file, path, key, method);
}

void lv_foreign_config(const json_t *root, const char *file, LvReasons *reasons)
{
    check_names(root, file, reasons);
    check_quantised(root, file, "", reasons);
    check_quantised(json_object_get(root, "text_config"), file, "text_config.", reasons);
}
