/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "checkpoint/tensor_list.h"
#include "checkpoint/tensor_names.h"

static const struct {
    const char *name, *canonical; /* NULL: unknown; "": ignored */
} cases[] = {
    /* a */
    {"vision_tower.vision_model.embeddings.patch_embedding.weight",
        "V.embeddings.patch_embedding.weight"},
    {"vision_tower.vision_model.encoder.layers.25.mlp.fc2.bias",
        "V.encoder.layers.25.mlp.fc2.bias"},
    {"multi_modal_projector.linear_1.weight", "P.linear_1.weight"},
    {"multi_modal_projector.linear_2.bias", "P.linear_2.bias"},
    {"image_newline", "NL"},
    {"language_model.model.embed_tokens.weight", "T.embed_tokens.weight"},
    {"language_model.model.layers.3.self_attn.q_proj.bias", "T.layers.3.self_attn.q_proj.bias"},
    {"language_model.model.norm.weight", "T.norm.weight"},
    {"language_model.lm_head.weight", "HEAD.weight"},
    /* bare */
    {"vision_tower.encoder.layers.0.layer_norm1.weight", "V.encoder.layers.0.layer_norm1.weight"},
    /* b1, b2 */
    {"model.vision_tower.vision_model.embeddings.position_embedding.weight",
        "V.embeddings.position_embedding.weight"},
    {"model.vision_tower.embeddings.position_embedding.weight",
        "V.embeddings.position_embedding.weight"},
    {"model.multi_modal_projector.linear_2.weight", "P.linear_2.weight"},
    {"model.image_newline", "NL"},
    {"model.language_model.layers.0.mlp.up_proj.weight", "T.layers.0.mlp.up_proj.weight"},
    {"model.language_model.norm.weight", "T.norm.weight"},
    {"lm_head.weight", "HEAD.weight"},
    /* c */
    {"model.vision_tower.vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight",
        "V.encoder.layers.1.mlp.fc1.weight"},
    {"model.vision_tower.vision_tower.encoder.layers.1.mlp.fc1.weight",
        "V.encoder.layers.1.mlp.fc1.weight"},
    {"model.mm_projector.0.weight", "P.linear_1.weight"},
    {"model.mm_projector.2.bias", "P.linear_2.bias"},
    {"model.mm_projector.4.weight", "P.linear_3.weight"},
    {"model.mm_projector.weight", "P.linear_1.weight"},
    {"model.mm_projector.5.pre_norm.bias", "P.block_5.pre_norm.bias"},
    {"model.mm_projector.6.proj.2.weight", "P.block_6.proj.2.weight"},
    {"model.embed_tokens.weight", "T.embed_tokens.weight"},
    {"model.layers.27.post_attention_layernorm.weight",
        "T.layers.27.post_attention_layernorm.weight"},
    {"model.norm.weight", "T.norm.weight"},
    /* of no use to inference */
    {"vision_tower.vision_model.post_layernorm.weight", ""},
    {"model.vision_tower.post_layernorm.bias", ""},
    {"model.vision_tower.vision_tower.vision_model.head.probe", ""},
    {"vision_tower.vision_model.embeddings.position_ids", ""},
    {"language_model.model.layers.0.self_attn.rotary_emb.inv_freq", ""},
    {"model.vision_resampler.anything", ""},
    {"model.faster_token", ""},
    /* unknown */
    {"", NULL},
    {"weight", NULL},
    {"model.mm_projector.1.weight", NULL},
    {"model.mm_projector.", NULL},
    {"model.mm_projector.2weight", NULL},
    {"model.mm_projector.4294967298.weight", NULL},
    {"model.mm_projector.2.gate.weight", NULL},
    {"model.layersX.0", NULL},
    {"model.", NULL},
    {"model.image_newline2", NULL},
    {"transformer.h.0.attn.weight", NULL},
    {"language_model.layers.0.mlp.up_proj.weight", NULL},
    {"roberta.encoder.layer.0.attention.self.query.weight", NULL},
};

static void names_become_canonical(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char canonical[LV_CANONICAL_BYTES];
        LvNameKind kind = lv_tensor_name_canonical(cases[i].name, canonical);
        LvNameKind expected = !cases[i].canonical   ? LV_NAME_UNKNOWN
                              : *cases[i].canonical ? LV_NAME_KNOWN
                                                    : LV_NAME_IGNORED;
        if (kind != expected || (kind == LV_NAME_KNOWN && strcmp(canonical, cases[i].canonical)))
            fail_msg("%s: kind %d, \"%s\"", cases[i].name, (int)kind, canonical);
    }
}

static void overlong_names_are_unknown(void **state)
{
    char name[4096] = "model.layers.", canonical[LV_CANONICAL_BYTES];
    memset(name + strlen(name), '1', sizeof name - 1 - strlen(name));
    for (size_t length = sizeof name - 1; length > 200; length -= 97) {
        name[length] = '\0';
        assert_int_equal(lv_tensor_name_canonical(name, canonical), LV_NAME_UNKNOWN);
    }
}

static LlavaovStatus count(void *data, const LvExpectedTensor *expected)
{
    uint64_t *sums = data, elements = 1;
    for (uint32_t i = 0; i < expected->n_dims; i++)
        elements *= expected->shape[i];
    sums[expected->optional]++;
    sums[2] += expected->optional ? 0 : elements;
    return LLAVAOV_OK;
}

static LlavaovStatus stop_at_third(void *data, const LvExpectedTensor *expected)
{
    return ++*(int *)data == 3 ? LLAVAOV_ERROR_FORMAT : LLAVAOV_OK;
}

/* Counts and parameters of the released sizes (docs/model.md 2.1, 10.2), less the two tensors of
 * post_layernorm. */
static void the_list_has_the_released_sizes(void **state)
{
    static const struct {
        uint32_t hidden, intermediate, layers, heads, kv_heads, vocab;
        bool tied;
        uint64_t tensors, parameters;
    } sizes[] = {
        {896, 4864, 24, 14, 2, 152000, true, 716, 893675552},
        {3584, 18944, 28, 28, 4, 152128, false, 765, 8030807584},
        {8192, 29568, 80, 64, 8, 152128, false, 1389, 73181570592},
    };
    for (size_t i = 0; i < 3; i++) {
        LvConfig config;
        LlavaovError error = {0};
        char text[512];
        snprintf(text, sizeof text,
            "{\"model_type\": \"llava_onevision\", \"text_config\": {\"hidden_size\": %u, "
            "\"intermediate_size\": %u,"
            " \"num_hidden_layers\": %u, \"num_attention_heads\": %u, \"num_key_value_heads\": %u, "
            "\"vocab_size\": %u,"
            " \"tie_word_embeddings\": %s}}",
            sizes[i].hidden, sizes[i].intermediate, sizes[i].layers, sizes[i].heads,
            sizes[i].kv_heads, sizes[i].vocab, sizes[i].tied ? "true" : "false");
        assert_int_equal(
            lv_config_parse(text, strlen(text), "config.json", &config, &error), LLAVAOV_OK);
        uint64_t sums[3] = {0};
        assert_int_equal(lv_tensor_list(&config, count, sums), LLAVAOV_OK);
        assert_int_equal(sums[0] + 2, sizes[i].tensors);
        assert_int_equal(sums[1], sizes[i].tied);
        assert_int_equal(sums[2] + 2 * 1152, sizes[i].parameters);
        int calls = 0;
        assert_int_equal(lv_tensor_list(&config, stop_at_third, &calls), LLAVAOV_ERROR_FORMAT);
        assert_int_equal(calls, 3);
        lv_config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_canonical),
        cmocka_unit_test(overlong_names_are_unknown),
        cmocka_unit_test(the_list_has_the_released_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
