/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <math.h>

#include "base/limits.h"
#include "checkpoint/config.h"
#include "checkpoint/foreign.h"
#include "checkpoint/four_bits.h"
#include "checkpoint/json.h"

/* What every other part of the engine relies on. */
static void check(const LvConfig *config)
{
    const LvVisionConfig *v = &config->vision;
    const LvTextConfig *t = &config->text;
    FUZZ_CHECK(v->n_layers >= 1 && v->n_layers <= LV_MAX_LAYERS && v->n_layers_run <= v->n_layers);
    FUZZ_CHECK(v->n_heads >= 1 && v->head_dim * v->n_heads == v->hidden_size);
    FUZZ_CHECK(v->grid >= 1 && v->grid == v->image_size / v->patch_size &&
               v->image_size <= LV_MAX_IMAGE_SIZE);
    FUZZ_CHECK(
        v->n_channels == 3 && v->intermediate_size >= 1 && v->intermediate_size <= LV_MAX_HIDDEN);
    FUZZ_CHECK(t->n_layers >= 1 && t->n_layers <= LV_MAX_LAYERS);
    FUZZ_CHECK(t->n_kv_heads >= 1 && t->n_heads % t->n_kv_heads == 0);
    FUZZ_CHECK(t->head_dim >= 2 && t->head_dim % 2 == 0 && t->head_dim <= LV_MAX_HEAD_DIM);
    FUZZ_CHECK(
        t->hidden_size >= 1 && t->hidden_size <= LV_MAX_HIDDEN && t->vocab_size <= LV_MAX_VOCAB);
    FUZZ_CHECK(isfinite(t->rope.theta) && isfinite(t->rope.scale) && t->rope.dim <= t->head_dim);
    FUZZ_CHECK(isfinite(t->rms_norm_eps) && isfinite(v->layer_norm_eps));
    FUZZ_CHECK(config->n_eos_tokens <= LV_MAX_GENERATION_IDS);
    FUZZ_CHECK(!config->quantisation.present || config->quantisation.type == LV_NF4 ||
               config->quantisation.type == LV_FP4 || config->quantisation.type == LV_INT8 ||
               config->quantisation.type == LV_INT4);
    (void)lv_bnb_skipped(&config->quantisation, "model.vision_tower.encoder.layers.0.mlp.fc1");
    FUZZ_CHECK(config->n_pinpoints <= LV_MAX_PINPOINTS);
    FUZZ_CHECK(v->n_feature_layers >= 1 && v->n_feature_layers <= LV_MAX_FEATURE_LAYERS &&
               lv_feature_width(v) <= LV_MAX_HIDDEN);
    for (uint32_t i = 0; i < v->n_feature_layers; i++)
        FUZZ_CHECK(v->feature_layers[i] <= v->n_layers_run);
    for (uint32_t i = 0; i < config->n_pinpoints; i++)
        for (int k = 0; k < 2; k++) {
            uint32_t edge = config->pinpoints[i][k];
            FUZZ_CHECK(edge >= 1 && edge <= LV_MAX_PICTURE_EDGE);
        }
}

/* Whose it is, whatever its fields hold. */
static void recognise(const char *text, size_t bytes)
{
    json_t *root;
    LlavaovError error = {0};
    LvReasons reasons = {0};
    if (lv_json_parse(text, bytes, "config.json", false, &root, &error))
        return;
    lv_foreign_config(root, "config.json", &reasons);
    for (size_t i = 0; i < reasons.n; i++)
        FUZZ_CHECK(*reasons.reason[i].message && reasons.reason[i].status);
    lv_reasons_free(&reasons);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvConfig config;
    LlavaovError error = {0};
    LlavaovStatus status =
        lv_config_parse((const char *)data, size, "config.json", &config, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (!status)
        check(&config);
    lv_config_free(&config);
    recognise((const char *)data, size);
    return 0;
}
