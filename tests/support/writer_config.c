/* SPDX-License-Identifier: Apache-2.0
 * config.json in the three styles that the layouts come with, generation_config.json, and a
 * byte-level tokenizer.json. */
#include <string.h>

#include "writer_internal.h"

static const char *dtype_name(LvWriterDtype dtype)
{
    return dtype == LV_WRITE_F16 ? "float16" : dtype == LV_WRITE_BF16 ? "bfloat16" : "float32";
}

static const char *yes(bool value)
{
    return value ? "true" : "false";
}

static void pinpoints(FILE *f, const LvWriterSpec *s)
{
    fprintf(f, "  \"image_grid_pinpoints\": [");
    for (uint32_t i = 1; i <= s->pinpoint_grid; i++)
        for (uint32_t j = 1; j <= s->pinpoint_grid; j++)
            fprintf(f, "%s[%u, %u]", i + j > 2 ? ", " : "", i * s->vision.image_size,
                j * s->vision.image_size);
    fprintf(f, "],\n");
}

static void text_fields(FILE *f, const LvWriterSpec *s, const char *indent, bool rope_parameters)
{
    fprintf(f, "%s\"hidden_size\": %u,\n", indent, s->text.hidden);
    fprintf(f, "%s\"intermediate_size\": %u,\n", indent, s->text.intermediate);
    fprintf(f, "%s\"num_hidden_layers\": %u,\n", indent, s->text.layers);
    fprintf(f, "%s\"num_attention_heads\": %u,\n", indent, s->text.heads);
    fprintf(f, "%s\"num_key_value_heads\": %u,\n", indent, s->text.kv_heads);
    if (s->text.head_dim)
        fprintf(f, "%s\"head_dim\": %u,\n", indent, s->text.head_dim);
    fprintf(f, "%s\"vocab_size\": %u,\n", indent, s->text.vocab);
    fprintf(f, "%s\"max_position_embeddings\": %u,\n", indent, s->text.context);
    fprintf(f, "%s\"hidden_act\": \"%s\",\n", indent, s->text_act);
    fprintf(f, "%s\"rms_norm_eps\": %.17g,\n", indent, s->text.rms_norm_eps);
    if (rope_parameters)
        fprintf(f, "%s\"rope_parameters\": {\"rope_theta\": %.17g, \"rope_type\": \"default\"},\n",
            indent, s->text.rope_theta);
    else
        fprintf(f, "%s\"rope_theta\": %.17g,\n", indent, s->text.rope_theta);
    fprintf(f, "%s\"use_sliding_window\": false,\n", indent);
    fprintf(f, "%s\"bos_token_id\": %d,\n", indent, s->endoftext);
    fprintf(f, "%s\"eos_token_id\": %d,\n", indent, s->im_end);
    fprintf(f, "%s\"tie_word_embeddings\": %s", indent, yes(s->tied));
}

static void nested(FILE *f, const LvWriterSpec *s)
{
    bool modern = s->names == LV_NAMES_B2;
    fprintf(f, "{\n  \"architectures\": [\"LlavaOnevisionForConditionalGeneration\"],\n");
    fprintf(f, "  \"model_type\": \"llava_onevision\",\n");
    fprintf(f, "  \"image_token_%s\": %d,\n", modern ? "id" : "index", s->image_token);
    fprintf(f, "  \"video_token_%s\": %d,\n", modern ? "id" : "index", s->video_token);
    fprintf(f, "  \"projector_hidden_act\": \"%s\",\n", s->projector_act);
    if (!s->projector_bias)
        fprintf(f, "  \"multimodal_projector_bias\": false,\n");
    fprintf(f, "  \"vision_feature_layer\": %d,\n", s->feature_layer);
    fprintf(f, "  \"vision_feature_select_strategy\": \"full\",\n");
    fprintf(f, "  \"vision_aspect_ratio\": \"anyres_max_%u\",\n", s->anyres_max);
    pinpoints(f, s);
    fprintf(f, "  \"tie_word_embeddings\": %s,\n", yes(modern && s->tied));
    fprintf(f, "  \"%s\": \"%s\",\n", modern ? "dtype" : "torch_dtype", dtype_name(s->dtype));
    fprintf(f, "  \"use_image_newline_parameter\": true,\n");
    fprintf(f, "  \"text_config\": {\n    \"model_type\": \"qwen2\",\n");
    text_fields(f, s, "    ", modern);
    fprintf(f, "\n  },\n  \"vision_config\": {\n    \"model_type\": \"siglip_vision_model\",\n");
    fprintf(f, "    \"hidden_size\": %u,\n", s->vision.hidden);
    fprintf(f, "    \"image_size\": %u,\n", s->vision.image_size);
    fprintf(f, "    \"intermediate_size\": %u,\n", s->vision.intermediate);
    fprintf(f, "    \"num_attention_heads\": %u,\n", s->vision.heads);
    fprintf(f, "    \"num_hidden_layers\": %u,\n", s->vision.layers);
    fprintf(f, "    \"patch_size\": %u,\n", s->vision.patch_size);
    fprintf(f, "    \"hidden_act\": \"%s\",\n", s->vision_act);
    fprintf(f, "    \"vision_use_head\": false\n  }\n}\n");
}

static void flat(FILE *f, const LvWriterSpec *s)
{
    fprintf(
        f, "{\n  \"architectures\": [\"LlavaQwenForCausalLM\"],\n  \"model_type\": \"llava\",\n");
    fprintf(f, "  \"mm_vision_tower\": \"google/siglip-so400m-patch14-384\",\n");
    fprintf(f, "  \"mm_hidden_size\": %u,\n", s->vision.hidden);
    fprintf(f, "  \"mm_projector_type\": \"mlp2x_gelu\",\n");
    fprintf(f, "  \"mm_patch_merge_type\": \"spatial_unpad\",\n");
    fprintf(f, "  \"image_aspect_ratio\": \"anyres_max_%u\",\n", s->anyres_max);
    fprintf(f, "  \"image_grid_pinpoints\": \"(1x1),...,(%ux%u)\",\n", s->pinpoint_grid,
        s->pinpoint_grid);
    fprintf(f, "  \"mm_spatial_pool_mode\": \"bilinear\",\n  \"mm_vision_select_layer\": -2,\n");
    fprintf(f, "  \"image_token_index\": %d,\n  \"video_token_index\": %d,\n", s->image_token,
        s->video_token);
    fprintf(f, "  \"sliding_window\": 131072,\n  \"tokenizer_model_max_length\": %u,\n",
        s->text.context);
    fprintf(f, "  \"torch_dtype\": \"%s\",\n", dtype_name(s->dtype));
    /* The released files have no vision_config: only towers other than SO400M need one. */
    if (s->vision.hidden != 1152 || s->vision.layers != 26 || s->vision.image_size != 384)
        fprintf(f,
            "  \"vision_config\": {\"hidden_size\": %u, \"image_size\": %u, \"intermediate_size\": "
            "%u,\n"
            "    \"num_attention_heads\": %u, \"num_hidden_layers\": %u, \"patch_size\": %u, "
            "\"hidden_act\": \"%s\"},\n",
            s->vision.hidden, s->vision.image_size, s->vision.intermediate, s->vision.heads,
            s->vision.layers, s->vision.patch_size, s->vision_act);
    text_fields(f, s, "  ", false);
    fprintf(f, "\n}\n");
}

static bool finish(FILE *file)
{
    bool good = !ferror(file);
    return fclose(file) == 0 && good;
}

bool lv_writer_config(const char *folder, const LvWriterSpec *spec)
{
    FILE *file = lv_writer_open(folder, "config.json");
    if (!file)
        return false;
    if (spec->names == LV_NAMES_C)
        flat(file, spec);
    else
        nested(file, spec);
    return finish(file);
}

bool lv_writer_generation_config(const char *folder, const LvWriterSpec *spec)
{
    FILE *file = lv_writer_open(folder, "generation_config.json");
    if (!file)
        return false;
    if (spec->names == LV_NAMES_C)
        fprintf(file, "{\"eos_token_id\": [%d, %d], \"pad_token_id\": %d}\n", spec->im_end,
            spec->endoftext, spec->endoftext);
    else
        fprintf(
            file, "{\"bos_token_id\": %d, \"eos_token_id\": %d}\n", spec->endoftext, spec->im_end);
    return finish(file);
}

/* Code point that stands for a byte in byte-level BPE: printable Latin-1 bytes for themselves, the
 * others from 256 on. */
static unsigned byte_character(unsigned byte)
{
    unsigned others = 0;
    for (unsigned b = 0; b < 256; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte)
            return itself ? b : 256 + others;
        others += !itself;
    }
    return 0;
}

bool lv_writer_byte_tokenizer(const char *folder, const LvWriterSpec *spec)
{
    FILE *f = lv_writer_open(folder, "tokenizer.json");
    if (!f)
        return false;
    const struct {
        const char *content;
        int32_t id;
    } added[] = {{"<|endoftext|>", spec->endoftext}, {"<|im_start|>", spec->im_start},
        {"<|im_end|>", spec->im_end}, {"<image>", spec->image_token},
        {"<video>", spec->video_token}};
    fprintf(f, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
    for (int i = 0; i < 5; i++)
        fprintf(f,
            "%s{\"id\":%d,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,\"rstrip\":"
            "false,"
            "\"normalized\":false,\"special\":true}",
            i ? "," : "", added[i].id, added[i].content);
    fprintf(f,
        "],\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\","
        "\"pretokenizers\":["
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^"
        "\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
        "\\\\p{L}+|\\\\p{N}| "
        "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":"
        "false,"
        "\"trim_offsets\":false,\"use_regex\":false}]},\"post_processor\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false},\"decoder\":{"
        "\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false},\"model\":{"
        "\"type\":\"BPE\","
        "\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":\"\",\"end_of_word_"
        "suffix\":\"\","
        "\"fuse_unk\":false,\"byte_fallback\":false,\"vocab\":{");
    int id = 0;
    for (int itself = 1; itself >= 0; itself--)
        for (unsigned byte = 0; byte < 256; byte++)
            if ((byte_character(byte) == byte) == itself)
                fprintf(f, "%s\"\\u%04x\":%d", id ? "," : "", byte_character(byte), id), id++;
    for (int i = 0; i < 5; i++)
        if (added[i].id !=
            256 + i) /* ids with a gap below them must be in the model's own vocabulary */
            fprintf(f, ",\"%s\":%d", added[i].content, added[i].id);
    fprintf(f, "},\"merges\":[]}}\n");
    return finish(f);
}
