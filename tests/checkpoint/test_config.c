/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "checkpoint/config.h"

/* The fields that the released 0.5B checkpoint has (docs/model.md 2.4), with a comment's worth of
 * pinpoints. */
static const char hub[] =
    "{\"architectures\": [\"LlavaOnevisionForConditionalGeneration\"], \"model_type\": "
    "\"llava_onevision\","
    " \"image_token_index\": 151646, \"video_token_index\": 151647, \"projector_hidden_act\": "
    "\"gelu\","
    " \"vision_feature_layer\": -1, \"vision_feature_select_strategy\": \"full\","
    " \"vision_aspect_ratio\": \"anyres_max_9\", \"image_grid_pinpoints\": [[384, 768], [768, "
    "384]],"
    " \"tie_word_embeddings\": false, \"torch_dtype\": \"float16\", "
    "\"use_image_newline_parameter\": true,"
    " \"text_config\": {\"model_type\": \"qwen2\", \"hidden_size\": 896, \"intermediate_size\": "
    "4864,"
    " \"num_hidden_layers\": 24, \"num_attention_heads\": 14, \"num_key_value_heads\": 2, "
    "\"vocab_size\": 152000,"
    " \"rope_theta\": 1000000.0, \"tie_word_embeddings\": true, \"eos_token_id\": 151645},"
    " \"vision_config\": {\"model_type\": \"siglip_vision_model\", \"hidden_size\": 1152, "
    "\"image_size\": 384,"
    " \"intermediate_size\": 4304, \"num_attention_heads\": 16, \"num_hidden_layers\": 26, "
    "\"patch_size\": 14,"
    " \"vision_use_head\": false}}";

static const char original[] =
    "{\"architectures\": [\"LlavaQwenForCausalLM\"], \"model_type\": \"llava\", \"hidden_size\": "
    "3584,"
    " \"intermediate_size\": 18944, \"num_hidden_layers\": 28, \"num_attention_heads\": 28, "
    "\"num_key_value_heads\": 4,"
    " \"vocab_size\": 152064, \"rope_theta\": 1000000.0, \"sliding_window\": 131072, "
    "\"use_sliding_window\": false,"
    " \"tie_word_embeddings\": false, \"mm_vision_tower\": \"google/siglip-so400m-patch14-384\","
    " \"mm_hidden_size\": 1152, \"mm_projector_type\": \"mlp2x_gelu\", \"mm_patch_merge_type\": "
    "\"spatial_unpad\","
    " \"image_aspect_ratio\": \"anyres_max_9\", \"image_grid_pinpoints\": \"(1x1),...,(6x6)\","
    " \"mm_spatial_pool_mode\": \"bilinear\", \"mm_newline_position\": \"one_token\", "
    "\"mm_vision_select_layer\": -2,"
    " \"image_token_index\": 151646, \"torch_dtype\": \"bfloat16\", \"eos_token_id\": [151645, "
    "151643]}";

/* A copy of base in which the first `from` is `to`; free(). */
static char *edited(const char *base, const char *from, const char *to)
{
    const char *at = strstr(base, from);
    if (!at)
        fail_msg("nothing to edit: %s", from);
    size_t bytes = strlen(base) + strlen(to) + 1;
    char *text = malloc(bytes);
    snprintf(text, bytes, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
    return text;
}

static LlavaovStatus parse(const char *text, LvConfig *config, LlavaovError *error)
{
    memset(error, 0, sizeof *error);
    return lv_config_parse(text, strlen(text), "folder/config.json", config, error);
}

static void parse_well(const char *text, LvConfig *config)
{
    LlavaovError error;
    if (parse(text, config, &error))
        fail_msg("%s", error.message);
}

static void parse_edited(const char *base, const char *from, const char *to, LvConfig *config)
{
    char *text = edited(base, from, to);
    parse_well(text, config);
    free(text);
}

static void the_released_configuration(void **state)
{
    LvConfig c;
    parse_well(hub, &c);
    assert_int_equal(c.vision.hidden_size, 1152);
    assert_int_equal(c.vision.intermediate_size, 4304);
    assert_int_equal(c.vision.n_layers, 26);
    assert_int_equal(c.vision.n_layers_run, 26);
    assert_int_equal(c.vision.n_heads, 16);
    assert_int_equal(c.vision.head_dim, 72);
    assert_int_equal(c.vision.image_size, 384);
    assert_int_equal(c.vision.patch_size, 14);
    assert_int_equal(c.vision.n_channels, 3);
    assert_int_equal(c.vision.grid, 27);
    assert_int_equal(c.vision.activation, LV_ACTIVATION_GELU_TANH);
    assert_true(c.vision.layer_norm_eps == 1e-6);
    assert_int_equal(c.text.hidden_size, 896);
    assert_int_equal(c.text.intermediate_size, 4864);
    assert_int_equal(c.text.n_layers, 24);
    assert_int_equal(c.text.n_heads, 14);
    assert_int_equal(c.text.n_kv_heads, 2);
    assert_int_equal(c.text.head_dim, 64);
    assert_int_equal(c.text.vocab_size, 152000);
    assert_int_equal(c.text.context_length, 32768);
    assert_int_equal(c.text.activation, LV_ACTIVATION_SILU);
    assert_true(c.text.rms_norm_eps == 1e-6);
    assert_true(c.text.rope.theta == 1e6);
    assert_true(c.text.tied_head);
    assert_int_equal(c.projector_activation, LV_ACTIVATION_GELU_ERF);
    assert_true(c.projector_bias);
    assert_int_equal(c.image_token, 151646);
    assert_int_equal(c.video_token, 151647);
    assert_int_equal(c.n_eos_tokens, 1);
    assert_int_equal(c.eos_tokens[0], 151645);
    assert_int_equal(c.anyres_max, 9);
    assert_int_equal(c.n_pinpoints, 2);
    assert_int_equal(c.pinpoints[0][0], 384);
    assert_int_equal(c.pinpoints[0][1], 768);
    assert_false(c.original_layout);
    lv_config_free(&c);
}

static void the_original_configuration(void **state)
{
    LvConfig c;
    parse_well(original, &c);
    assert_true(c.original_layout);
    assert_int_equal(c.vision.n_layers_run, 26);
    assert_int_equal(c.vision.head_dim, 72);
    assert_int_equal(c.text.hidden_size, 3584);
    assert_int_equal(c.text.n_kv_heads, 4);
    assert_int_equal(c.text.head_dim, 128);
    assert_false(c.text.tied_head);
    assert_int_equal(c.n_eos_tokens, 2);
    assert_int_equal(c.eos_tokens[1], 151643);
    assert_int_equal(c.n_pinpoints, 36);
    for (uint32_t i = 0; i < 36; i++) {
        assert_int_equal(c.pinpoints[i][0], 384 * (1 + i % 6)); /* width first */
        assert_int_equal(c.pinpoints[i][1], 384 * (1 + i / 6));
    }
    lv_config_free(&c);
}

static void missing_fields_take_the_references_defaults(void **state)
{
    LvConfig c;
    parse_well("{\"model_type\": \"llava_onevision\"}", &c);
    assert_int_equal(
        c.vision.hidden_size, 1152); /* the tower of the released checkpoints, with its 16 heads */
    assert_int_equal(c.vision.n_heads, 16);
    assert_int_equal(c.text.hidden_size, 4096); /* Qwen2Config() */
    assert_int_equal(c.text.intermediate_size, 22016);
    assert_int_equal(c.text.n_layers, 32);
    assert_int_equal(c.text.n_kv_heads, 32);
    assert_int_equal(c.text.vocab_size, 151936);
    assert_true(c.text.rope.theta == 10000);
    assert_false(c.text.tied_head);
    assert_int_equal(c.n_eos_tokens, 0);
    assert_int_equal(c.n_pinpoints, 36);
    assert_int_equal(c.pinpoints[35][1], 2304);
    lv_config_free(&c);
    parse_well(
        "{\"text_config\": {}, \"vision_config\": {}, \"image_grid_pinpoints\": [[224, 224]]}", &c);
    assert_int_equal(c.vision.hidden_size, 768); /* SiglipVisionConfig() */
    assert_int_equal(c.vision.image_size, 224);
    assert_int_equal(c.vision.grid, 14);
    lv_config_free(&c);
}

/* Edits that stay valid, and the number that they change. */
static void fields_are_read(void **state)
{
    LvConfig c;
#define READS(base, from, to, expression, value)                                                   \
    do {                                                                                           \
        parse_edited(base, from, to, &c);                                                          \
        if ((expression) != (value))                                                               \
            fail_msg("%s -> %s: " #expression " is %g", from, to, (double)(expression));           \
        lv_config_free(&c);                                                                        \
    } while (0)
    READS(hub, "\"rope_theta\": 1000000.0", "\"rope_theta\": 5000", c.text.rope.theta, 5000);
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"rope_parameters\": {\"rope_theta\": 7e5, \"rope_type\": \"default\"}", c.text.rope.theta,
        7e5);
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"rope_theta\": 5, \"rope_parameters\": {\"rope_theta\": 7}", c.text.rope.theta, 7);
    READS(hub, "\"rope_theta\": 1000000.0", "\"rope_theta\": 5, \"rope_parameters\": {}",
        c.text.rope.theta, 5);
    READS(hub, "\"rope_theta\": 1000000.0", "\"rope_scaling\": null", c.text.rope.theta, 10000);
    READS(hub, "\"rope_theta\": 1000000.0", "\"rope_scaling\": {\"type\": \"default\"}",
        c.text.rope.theta, 10000);
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"rope_theta\": 5, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}, "
        "\"rope_parameters\": {\"rope_theta\": 7}",
        c.text.rope.theta, 5); /* rope_parameters is not looked at */
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, "
        "\"original_max_position_embeddings\": 32768}",
        c.text.context_length, 131072u);
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 1, \"attention_factor\": 0.5}",
        c.text.rope.scale, 0.5);
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 2}", c.text.rope.positions,
        32768);
    READS(hub, "\"rope_theta\": 1000000.0",
        "\"partial_rotary_factor\": 0.5, \"rope_parameters\": {\"rope_theta\": 7}", c.text.rope.dim,
        64u); /* nothing is made of it */
    READS(
        hub, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": null", c.text.n_kv_heads, 14u);
    READS(hub, "\"hidden_size\": 896", "\"hidden_size\": 900, \"head_dim\": 48", c.text.head_dim,
        48u);
    READS(hub, "\"hidden_size\": 896", "\"hidden_size\": 896, \"head_dim\": null", c.text.head_dim,
        64u);
    READS(
        hub, "\"vocab_size\"", "\"rms_norm_eps\": 1e-5, \"vocab_size\"", c.text.rms_norm_eps, 1e-5);
    READS(hub, "\"vocab_size\"", "\"max_position_embeddings\": 4096, \"vocab_size\"",
        c.text.context_length, 4096u);
    READS(hub, "\"vocab_size\"", "\"hidden_act\": \"gelu_new\", \"vocab_size\"", c.text.activation,
        LV_ACTIVATION_GELU_TANH);
    READS(hub, "\"vocab_size\"", "\"hidden_act\": \"swish\", \"vocab_size\"", c.text.activation,
        LV_ACTIVATION_SILU);
    READS(hub, "\"vocab_size\"",
        "\"use_sliding_window\": false, \"sliding_window\": 4096, \"vocab_size\"", c.text.n_layers,
        24u);
    READS(hub, "\"vocab_size\"",
        "\"use_sliding_window\": true, \"max_window_layers\": 2, \"vocab_size\"",
        lv_text_window(&c.text, 2), 4096u);
    READS(hub, "\"vocab_size\"",
        "\"use_sliding_window\": true, \"max_window_layers\": 2, \"vocab_size\"",
        lv_text_window(&c.text, 1), 0u);
    READS(hub, "\"vocab_size\"",
        "\"use_sliding_window\": true, \"max_window_layers\": 2, \"sliding_window\": null, "
        "\"vocab_size\"",
        lv_text_window(&c.text, 2), 0u);
    READS(hub, "\"num_hidden_layers\": 24",
        "\"num_hidden_layers\": 2, \"use_sliding_window\": true, \"sliding_window\": 7, "
        "\"layer_types\": [\"sliding_attention\", \"full_attention\"]",
        lv_text_window(&c.text, 0) + 10 * lv_text_window(&c.text, 1), 7u);
    /* The window would begin above the last layer. */
    READS(hub, "\"vocab_size\"",
        "\"use_sliding_window\": true, \"sliding_window\": 4096, \"vocab_size\"", c.text.n_layers,
        24u);
    READS(hub, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false", c.text.tied_head,
        false);
    READS(hub, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true", c.text.tied_head,
        true);
    READS(hub, "\"projector_hidden_act\": \"gelu\"", "\"projector_hidden_act\": \"quick_gelu\"",
        c.projector_activation, LV_ACTIVATION_QUICK_GELU);
    READS(hub, "\"projector_hidden_act\"",
        "\"multimodal_projector_bias\": false, \"projector_hidden_act\"", c.projector_bias, false);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": -2",
        c.vision.n_layers_run, 25u);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": [-27]",
        c.vision.n_layers_run, 0u);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": 5", c.vision.n_layers_run,
        5u);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": [-3, 0, 5, -3]",
        c.vision.n_layers_run, 24u);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": [-3, 0, 5, -3]",
        lv_feature_width(&c.vision), 4u * 1152);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": [-3, 0, 5, -3]",
        c.vision.feature_layers[2], 5u);
    READS(hub, "\"full\"", "\"default\"", c.drop_first, true);
    READS(hub, "\"full\"", "null", c.drop_first, false);
    READS(hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": null",
        c.vision.n_layers_run, 26u);
    READS(hub, "\"image_token_index\": 151646", "\"image_token_index\": 6, \"image_token_id\": 5",
        c.image_token, 5);
    READS(hub, "\"video_token_index\"", "\"video_token_id\"", c.video_token, 151647);
    READS(hub, "anyres_max_9", "anyres_max_4", c.anyres_max, 4u);
    /* What Python's int(text.strip("anyres_max_")) reads; 0 where a single picture makes it fail.
     */
    READS(hub, "anyres_max_9", "9", c.anyres_max, 9u);
    READS(hub, "anyres_max_9", "max_ +1_0 \\t_rex", c.anyres_max, 10u);
    READS(hub, "anyres_max_9", "anyres_max_99999999999", c.anyres_max, UINT32_MAX);
    READS(hub, "anyres_max_9", "anyres", c.anyres_max, 0u);
    READS(hub, "anyres_max_9", "anyres_max_0", c.anyres_max, 0u);
    READS(hub, "anyres_max_9", "anyres_max_-4", c.anyres_max, 0u);
    READS(hub, "anyres_max_9", "anyres_max_9z", c.anyres_max, 0u);
    READS(hub, "anyres_max_9", "anyres_max_1__0", c.anyres_max, 0u);
    READS(hub, "anyres_max_9", "pad", c.anyres_max, 0u);
    READS(hub, "anyres_max_9", "", c.anyres_max, 0u);
    READS(hub, "[768, 384]", "[768, 385]", c.pinpoints[1][1], 385u);
    READS(hub, "[[384, 768], [768, 384]]", "[]", c.n_pinpoints, 0u);
    READS(hub, "\"image_size\": 384", "\"image_size\": 336", c.vision.grid, 24u);
    READS(hub, "\"image_size\": 384", "\"image_size\": [192, 192]", c.vision.grid, 13u);
    READS(hub, "\"image_size\": 384", "\"layer_norm_eps\": 1e-5, \"image_size\": 384",
        c.vision.layer_norm_eps, 1e-5);
    READS(hub, "\"image_size\": 384", "\"hidden_act\": \"relu\", \"image_size\": 384",
        c.vision.activation, LV_ACTIVATION_RELU);
    READS(hub, "\"eos_token_id\": 151645", "\"eos_token_id\": [7, 8, 9, 10, 11, 12, 13, 14, 15]",
        c.n_eos_tokens, 9u);
    READS(hub, "\"tie_word", "\"eos_token_id\": [1, 2], \"tie_word", c.n_eos_tokens,
        2u); /* the outer one wins */
    /* LLaVA-NeXT's pairs are [width, height]. */
    READS(original, "(6x6)", "(2x3)", c.n_pinpoints, 6u);
    READS(original, "(6x6)", "(2x3)", c.pinpoints[2][0], 1152u);
    READS(original, "(1x1),...,(6x6)", "[(384, 384), (384, 768), [768, 768]]", c.pinpoints[1][0],
        768u);
    READS(original, "(1x1),...,(6x6)", "[(384, 384), (384, 768), [768, 768]]", c.pinpoints[1][1],
        384u);
    READS(original, ", \"image_grid_pinpoints\": \"(1x1),...,(6x6)\"", "", c.n_pinpoints, 0u);
    READS(hub, "\"hidden_size\": 896", "\"hidden_size\": 64, \"hidden_size\": 896",
        c.text.hidden_size, 896u); /* the last */
    READS(original, "\"llava\"", "\"llava_qwen\"", c.original_layout, true);
    READS(original, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true",
        c.text.tied_head, true);
    READS(
        original, ", \"mm_newline_position\": \"one_token\"", "", c.video_newline, LV_NEWLINE_END);
    READS(original, "one_token", "grid", c.video_newline, LV_NEWLINE_GRID);
    READS(original, "one_token", "frame", c.video_newline, LV_NEWLINE_FRAME);
    READS(original, "one_token", "no_token", c.video_newline, LV_NEWLINE_NONE);
    READS(original, "anyres_max_9", "anyres", c.anyres_max, UINT32_MAX);
    READS(original, "anyres_max_9", "anyres_max_4z", c.anyres_max, 4u);
    READS(original, "anyres_max_9", "an anyres_max_4", c.anyres_max, UINT32_MAX);
    READS(original, "anyres_max_9", "pad", c.aspect, LV_ASPECT_PAD);
    READS(original, "anyres_max_9", "square", c.aspect, LV_ASPECT_SQUASH);
    READS(original, "mlp2x_gelu", "linear", c.projector_layers, 1u);
    READS(original, "mlp2x_gelu", "mlp0x_gelu", c.projector_layers, 1u);
    READS(original, "mlp2x_gelu", "mlp3x_res2x_gelu", c.projector_blocks, 2u);
    READS(original, "\"mm_projector_type\": \"mlp2x_gelu\",", "", c.projector_layers, 1u);
    READS(original, "\"spatial_unpad\"", "\"flat\"", c.merge, LV_MERGE_FLAT);
    READS(original, "\"mm_patch_merge_type\": \"spatial_unpad\",", "", c.video_newline,
        LV_NEWLINE_NONE);
    READS(original, "spatial_unpad", "spatial_nobase", c.no_base && c.no_newline, true);
    READS(original, "spatial_unpad", "spatial", c.merge, LV_MERGE_MAP);
    READS(original, "spatial_unpad", "spatial_unpad_maxpool2x2", c.merge, LV_MERGE_HALVED);
    READS(original, "\"rope_theta\": 1000000.0",
        "\"rope_theta\": 5000.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}",
        c.text.rope.type == LV_ROPE_DEFAULT && c.text.rope.theta == 5000, true);
    READS(original, "bilinear", "average", c.pooling, LV_POOLING_AVERAGE);
    READS(original, "bilinear", "max", c.pooling, LV_POOLING_MAX);
    READS(original, "\"mlp2x", "null, \"mm_resampler_type\": null, \"mm_projector_type\": \"mlp2x",
        c.projector_layers, 2u);
    READS(original, "google/siglip-so400m-patch14-384", "/data/my-tower", c.vision.n_layers, 26u);
    READS(original, "\"mm_hidden_size\": 1152",
        "\"mm_hidden_size\": 64, \"vision_config\": {\"hidden_size\": 64, \"num_attention_heads\": "
        "4}",
        c.vision.head_dim, 16u);
}

/* What LLaVA-NeXT's code takes for some pictures and not for others. */
static void settings_are_refused_for_what_wants_them(void **state)
{
    enum { SINGLE = 1, VIDEO = 2 };
    static const struct {
        const char *from, *to;
        int refused;
        const char *field;
    } rows[] = {
        {"\"model_type\"", "\"x\": 0, \"model_type\"", 0, ""},
        {"one_token", "two_tokens", VIDEO, "mm_newline_position"},
        {"\"one_token\"", "null", VIDEO, "mm_newline_position"},
        {"\"one_token\"", "\"grid\", \"add_faster_video\": true", VIDEO, "add_faster_video"},
        {"\"one_token\"", "\"frame\", \"add_faster_video\": true", 0, ""},
        {"\"one_token\"", "\"grid\", \"mm_patch_merge_type\": \"spatial\"", VIDEO,
            "mm_newline_position"},
        {"\"one_token\"", "\"grid\", \"mm_patch_merge_type\": \"flat\"", 0, ""},
        {"bilinear", "nearest", VIDEO, "mm_spatial_pool_mode"},
        {"\"mm_spatial_pool_mode\": \"bilinear\",", "", VIDEO, "mm_spatial_pool_mode"},
        {"anyres_max_9", "anyres_max_0", SINGLE, "image_aspect_ratio"},
        {"anyres_max_9", "highres", SINGLE, "image_aspect_ratio"},
        {"anyres_max_9", "crop_split", SINGLE, "image_aspect_ratio"},
        {"\"anyres_max_9\"", "null", SINGLE, "image_aspect_ratio"},
        {"\"image_aspect_ratio\": \"anyres_max_9\",", "", SINGLE, "image_aspect_ratio"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = edited(original, rows[i].from, rows[i].to);
        LvConfig config;
        LlavaovError error;
        if (parse(text, &config, &error))
            fail_msg("%s", error.message);
        const int found = (*config.single_refusal.reason ? SINGLE : 0) |
                          (*config.video.refusal.reason ? VIDEO : 0);
        const char *field =
            found == VIDEO ? config.video.refusal.field : config.single_refusal.field;
        if (found != rows[i].refused || strcmp(field, rows[i].field))
            fail_msg("%s: %d, not %d (%s)", rows[i].to, found, rows[i].refused, field);
        lv_config_free(&config);
        free(text);
    }
}

/* What is refused, and the field that the error must name. */
static const struct {
    const char *base, *from, *to;
    LlavaovStatus status;
    const char *field;
} refused[] = {
    {hub, "\"num_hidden_layers\": 24", "\"num_hidden_layers\": 0", LLAVAOV_ERROR_FORMAT,
        "text_config.num_hidden_layers"},
    {hub, "\"num_hidden_layers\": 24", "\"num_hidden_layers\": 2147483648", LLAVAOV_ERROR_FORMAT,
        "text_config.num_hidden_layers"},
    {hub, "\"num_hidden_layers\": 24", "\"num_hidden_layers\": -1", LLAVAOV_ERROR_FORMAT,
        "text_config.num_hidden_layers"},
    {hub, "\"num_hidden_layers\": 26", "\"num_hidden_layers\": 0", LLAVAOV_ERROR_FORMAT,
        "vision_config.num_hidden_layers"},
    {hub, "\"num_hidden_layers\": 24", "\"num_hidden_layers\": \"24\"", LLAVAOV_ERROR_FORMAT,
        "text_config.num_hidden_layers"},
    {hub, "\"hidden_size\": 896", "\"hidden_size\": 896.0", LLAVAOV_ERROR_FORMAT,
        "text_config.hidden_size"},
    {hub, "\"hidden_size\": 896", "\"hidden_size\": 900", LLAVAOV_ERROR_FORMAT,
        "text_config.hidden_size"},
    {hub, "\"hidden_size\": 896", "\"hidden_size\": 4294967296", LLAVAOV_ERROR_FORMAT,
        "text_config.hidden_size"},
    {hub, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4", LLAVAOV_ERROR_FORMAT,
        "text_config.num_attention_heads"},
    {hub, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 0", LLAVAOV_ERROR_FORMAT,
        "text_config.num_key_value_heads"},
    {hub, "\"num_attention_heads\": 14", "\"num_attention_heads\": 0", LLAVAOV_ERROR_FORMAT,
        "text_config.num_attention_heads"},
    {hub, "\"vocab_size\"", "\"head_dim\": 63, \"vocab_size\"", LLAVAOV_ERROR_FORMAT,
        "text_config.head_dim"},
    {hub, "\"vocab_size\": 152000", "\"vocab_size\": 0", LLAVAOV_ERROR_FORMAT,
        "text_config.vocab_size"},
    {hub, "\"vocab_size\": 152000", "\"vocab_size\": 151646", LLAVAOV_ERROR_FORMAT,
        "image_token_index"},
    {hub, "\"vocab_size\"", "\"hidden_act\": \"prelu\", \"vocab_size\"", LLAVAOV_ERROR_UNSUPPORTED,
        "text_config.hidden_act"},
    {hub, "\"vocab_size\"", "\"rms_norm_eps\": -1, \"vocab_size\"", LLAVAOV_ERROR_FORMAT,
        "text_config.rms_norm_eps"},
    {hub, "\"vocab_size\"", "\"max_position_embeddings\": 2147483648, \"vocab_size\"",
        LLAVAOV_ERROR_FORMAT, "text_config.max_position_embeddings"},
    {hub, "\"vocab_size\"",
        "\"use_sliding_window\": true, \"max_window_layers\": 2, \"sliding_window\": 0, "
        "\"vocab_size\"",
        LLAVAOV_ERROR_FORMAT, "text_config.sliding_window"},
    {hub, "\"num_hidden_layers\": 24",
        "\"num_hidden_layers\": 1, \"layer_types\": [\"sliding_attention\"]", LLAVAOV_ERROR_FORMAT,
        "text_config.layer_types"},
    {hub, "\"num_hidden_layers\": 24",
        "\"num_hidden_layers\": 1, \"layer_types\": [\"chunked_attention\"]",
        LLAVAOV_ERROR_UNSUPPORTED, "text_config.layer_types"},
    {hub, "\"vocab_size\"", "\"layer_types\": [\"full_attention\"], \"vocab_size\"",
        LLAVAOV_ERROR_FORMAT, "text_config.layer_types"},
    {hub, "\"vocab_size\"", "\"rope_scaling\": {\"type\": \"mrope\"}, \"vocab_size\"",
        LLAVAOV_ERROR_UNSUPPORTED, "text_config.rope_scaling.type"},
    {hub, "\"vocab_size\"", "\"rope_parameters\": {\"rope_type\": \"linear\"}, \"vocab_size\"",
        LLAVAOV_ERROR_FORMAT, "text_config.rope_parameters.factor"},
    {hub, "\"vocab_size\"",
        "\"rope_parameters\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 2], "
        "\"long_factor\": [1]}, \"vocab_size\"",
        LLAVAOV_ERROR_FORMAT, "text_config.rope_parameters.short_factor"},
    {hub, "\"vocab_size\"",
        "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2, "
        "\"partial_rotary_factor\": 0.5}, \"vocab_size\"",
        LLAVAOV_ERROR_UNSUPPORTED, "text_config.rope_scaling.partial_rotary_factor"},
    {hub, "\"vocab_size\"",
        "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}, \"vocab_size\"",
        LLAVAOV_ERROR_UNSUPPORTED, "text_config.rope_parameters"},
    {hub, "\"rope_theta\": 1000000.0", "\"rope_parameters\": {\"rope_theta\": 0}",
        LLAVAOV_ERROR_FORMAT, "text_config.rope_parameters.rope_theta"},
    {hub, "\"rope_theta\": 1000000.0", "\"rope_theta\": 0", LLAVAOV_ERROR_FORMAT,
        "text_config.rope_theta"},
    {hub, "\"rope_theta\": 1000000.0", "\"rope_theta\": \"big\"", LLAVAOV_ERROR_FORMAT,
        "text_config.rope_theta"},
    {hub, "\"qwen2\"", "\"llama\"", LLAVAOV_ERROR_UNSUPPORTED, "text_config.model_type"},
    {hub, "\"siglip_vision_model\"", "\"clip_vision_model\"", LLAVAOV_ERROR_UNSUPPORTED,
        "vision_config.model_type"},
    {hub, "\"llava_onevision\"", "\"qwen2_vl\"", LLAVAOV_ERROR_UNSUPPORTED, "model_type"},
    {hub, "\"llava_onevision\"", "\"llava\"", LLAVAOV_ERROR_UNSUPPORTED,
        "model_type"}, /* LLaVA-1.5: nested */
    {hub, "\"llava_onevision\"", "7", LLAVAOV_ERROR_FORMAT, "model_type"},
    {hub, "\"patch_size\": 14", "\"patch_size\": 385", LLAVAOV_ERROR_FORMAT,
        "vision_config.patch_size"},
    {hub, "\"patch_size\": 14", "\"patch_size\": 0", LLAVAOV_ERROR_FORMAT,
        "vision_config.patch_size"},
    {hub, "\"num_attention_heads\": 16", "\"num_attention_heads\": 17", LLAVAOV_ERROR_FORMAT,
        "vision_config.hidden_size"},
    {hub, "\"num_attention_heads\": 16", "\"num_attention_heads\": 1", LLAVAOV_ERROR_FORMAT,
        "vision_config.num_attention_heads"},
    {hub, "\"image_size\": 384", "\"num_channels\": 4, \"image_size\": 384", LLAVAOV_ERROR_FORMAT,
        "vision_config.num_channels"},
    {hub, "\"image_size\": 384", "\"image_size\": [384, 392]", LLAVAOV_ERROR_UNSUPPORTED,
        "vision_config.image_size"},
    {hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": [-1, -28]",
        LLAVAOV_ERROR_FORMAT, "vision_feature_layer"},
    {hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": [-1, -1.5]",
        LLAVAOV_ERROR_FORMAT, "vision_feature_layer"},
    {hub, "\"vision_feature_layer\": -1",
        "\"vision_feature_layer\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", LLAVAOV_ERROR_UNSUPPORTED,
        "vision_feature_layer"},
    {hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": []", LLAVAOV_ERROR_FORMAT,
        "vision_feature_layer"},
    {hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": 27", LLAVAOV_ERROR_FORMAT,
        "vision_feature_layer"},
    {hub, "\"vision_feature_layer\": -1", "\"vision_feature_layer\": -28", LLAVAOV_ERROR_FORMAT,
        "vision_feature_layer"},
    {hub, "\"full\"", "\"cls\"", LLAVAOV_ERROR_UNSUPPORTED, "vision_feature_select_strategy"},
    {hub, "\"gelu\"", "\"gelu_20\"", LLAVAOV_ERROR_UNSUPPORTED, "projector_hidden_act"},
    {hub, "\"gelu\"", "\"prelu\"", LLAVAOV_ERROR_UNSUPPORTED, "projector_hidden_act"},
    {hub, "\"gelu\"", "\"xielu\"", LLAVAOV_ERROR_UNSUPPORTED, "projector_hidden_act"},
    {hub, "\"anyres_max_9\"", "9", LLAVAOV_ERROR_FORMAT, "vision_aspect_ratio"},
    {hub, "[768, 384]", "[0, 384]", LLAVAOV_ERROR_FORMAT, "image_grid_pinpoints"},
    {hub, "[768, 384]", "[384]", LLAVAOV_ERROR_FORMAT, "image_grid_pinpoints"},
    {hub, "[768, 384]", "[38400000, 384]", LLAVAOV_ERROR_FORMAT, "image_grid_pinpoints"},
    {hub, "[[384, 768], [768, 384]]", "5", LLAVAOV_ERROR_FORMAT, "image_grid_pinpoints"},
    {hub, "[[384, 768], [768, 384]]", "\"(1x1),...,(2x3)\"", LLAVAOV_ERROR_FORMAT,
        "image_grid_pinpoints"},
    {original, "\"(1x1),...,(6x6)\"", "\"(1x1),...,(99999999999x2)\"", LLAVAOV_ERROR_FORMAT,
        "image_grid_pinpoints"},
    {original, "\"(1x1),...,(6x6)\"", "\"(2x2),...,(1x1)\"", LLAVAOV_ERROR_FORMAT,
        "image_grid_pinpoints"},
    {original, "\"(1x1),...,(6x6)\"", "\"(1x2),...,(999999999x1)\"", LLAVAOV_ERROR_FORMAT,
        "image_grid_pinpoints"},
    {original, "\"(1x1),...,(6x6)\"", "\"384, 384, 384\"", LLAVAOV_ERROR_FORMAT,
        "image_grid_pinpoints"},
    {original, "\"(1x1),...,(6x6)\"", "\"all of them\"", LLAVAOV_ERROR_FORMAT,
        "image_grid_pinpoints"},
    {hub, "\"eos_token_id\": 151645", "\"eos_token_id\": -1", LLAVAOV_ERROR_FORMAT,
        "text_config.eos_token_id"},
    {hub, "\"torch_dtype\"", "\"quantization_config\": {}, \"torch_dtype\"",
        LLAVAOV_ERROR_UNSUPPORTED, "quantization_config.load_in_4bit"},
    {hub, "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": 0", LLAVAOV_ERROR_FORMAT,
        "tie_word_embeddings"},
    {hub, "\"vision_config\": {", "\"vision_config\": 3, \"x\": {", LLAVAOV_ERROR_FORMAT,
        "vision_config"},
    {original, "patch14-384", "patch16-512", LLAVAOV_ERROR_UNSUPPORTED, "mm_vision_tower"},
    {original, "\"mm_hidden_size\": 1152", "\"mm_hidden_size\": 1024", LLAVAOV_ERROR_FORMAT,
        "mm_hidden_size"},
    {original, "mlp2x_gelu", "pooler", LLAVAOV_ERROR_UNSUPPORTED, "mm_projector_type"},
    {original, "mlp2x_gelu", "identity", LLAVAOV_ERROR_UNSUPPORTED, "mm_projector_type"},
    {original, "mlp2x_gelu", "mlpx_gelu", LLAVAOV_ERROR_UNSUPPORTED, "mm_projector_type"},
    {original, "mlp2x_gelu", "mlp2x_gelu_new", LLAVAOV_ERROR_UNSUPPORTED, "mm_projector_type"},
    {original, "mlp2x_gelu", "mlp17x_gelu", LLAVAOV_ERROR_UNSUPPORTED, "mm_projector_type"},
    {original, "mlp2x_gelu", "mlp2x_res99999999999x_gelu", LLAVAOV_ERROR_UNSUPPORTED,
        "mm_projector_type"},
    {original, "\"mlp2x_gelu\"", "null", LLAVAOV_ERROR_UNSUPPORTED, "mm_projector_type"},
    {original, "\"mm_projector_type\"",
        "\"mm_resampler_type\": \"perceiver\", \"mm_projector_type\"", LLAVAOV_ERROR_UNSUPPORTED,
        "mm_resampler_type"},
    {original, "spatial_unpad", "unpad_spatial", LLAVAOV_ERROR_UNSUPPORTED, "mm_patch_merge_type"},
    {original, "\"spatial_unpad\"", "null", LLAVAOV_ERROR_UNSUPPORTED, "mm_patch_merge_type"},
    {original, "google/siglip-so400m-patch14-384", "openai/clip-vit-large-patch14-336",
        LLAVAOV_ERROR_UNSUPPORTED, "mm_vision_tower"},
    {original, "\"num_key_value_heads\": 4", "\"num_key_value_heads\": 5", LLAVAOV_ERROR_FORMAT,
        "num_attention_heads"},
};

static void absurd_and_unsupported_values_are_refused_by_name(void **state)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *text = edited(refused[i].base, refused[i].from, refused[i].to);
        LvConfig config;
        LlavaovError error;
        LlavaovStatus status = parse(text, &config, &error);
        if (status != refused[i].status || strcmp(error.subject, refused[i].field))
            fail_msg("%s: status %s, subject \"%s\", message \"%s\"", refused[i].to,
                llavaov_status_name(status), error.subject, error.message);
        assert_int_equal(error.status, status);
        assert_non_null(strstr(error.message, "folder/config.json"));
        assert_non_null(strstr(error.message, refused[i].field));
        assert_null(config.pinpoints);
        free(text);
    }
}

static void broken_json_is_refused_by_file(void **state)
{
    static const char *const texts[] = {"", " ", "{", "[]", "7", "null", "{\"model_type\": }",
        "{\"a\": 1e999}", "{\"a\": 99999999999999999999}", "{\"a\": NaN}", "{\"a\": \"\\ud800\"}",
        "{\"a\": \"\xff\"}", "{} {}", "{\"\\u0000\": 1}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        LvConfig config;
        LlavaovError error;
        if (parse(texts[i], &config, &error) != LLAVAOV_ERROR_FORMAT)
            fail_msg("\"%s\" gives %s", texts[i], llavaov_status_name(error.status));
        assert_string_equal(error.subject, "folder/config.json");
        assert_int_equal(error.about, LLAVAOV_ABOUT_FILE);
    }
    LvConfig config;
    LlavaovError error;
    assert_int_equal(parse("{}", &config, &error), LLAVAOV_ERROR_FORMAT);
    assert_string_equal(error.subject, "model_type");
    assert_int_equal(
        parse("{\"model_type\": \"bert\"}", &config, &error), LLAVAOV_ERROR_UNSUPPORTED);
    assert_int_equal(lv_config_parse("{}", 2, "config.json", &config, NULL), LLAVAOV_ERROR_FORMAT);
}

static void every_cut_of_a_configuration_is_refused(void **state)
{
    for (size_t bytes = 0; bytes + 1 < sizeof hub - 1; bytes++) {
        LvConfig config;
        LlavaovError error = {0};
        assert_int_equal(
            lv_config_parse(hub, bytes, "config.json", &config, &error), LLAVAOV_ERROR_FORMAT);
    }
}

static void deep_nesting_is_refused(void **state)
{
    size_t bytes = 1 << 20;
    char *text = malloc(bytes);
    memset(text, '[', bytes);
    LvConfig config;
    LlavaovError error = {0};
    assert_int_equal(
        lv_config_parse(text, bytes, "config.json", &config, &error), LLAVAOV_ERROR_FORMAT);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_released_configuration),
        cmocka_unit_test(the_original_configuration),
        cmocka_unit_test(missing_fields_take_the_references_defaults),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(settings_are_refused_for_what_wants_them),
        cmocka_unit_test(absurd_and_unsupported_values_are_refused_by_name),
        cmocka_unit_test(broken_json_is_refused_by_file),
        cmocka_unit_test(every_cut_of_a_configuration_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
