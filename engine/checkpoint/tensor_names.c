/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/tensor_names.h"

#include <stdio.h>
#include <string.h>

/* Tried in this order; the first prefix that fits decides. */
static const struct {
    const char *prefix;
    const char *canonical;
} rules[] = {
    {"model.vision_tower.vision_tower.vision_model.", "V."},
    {"model.vision_tower.vision_tower.", "V."},
    {"model.vision_tower.vision_model.", "V."},
    {"model.vision_tower.", "V."},
    {"vision_tower.vision_model.", "V."},
    {"vision_tower.", "V."},
    {"model.mm_projector.0.", "P.linear_1."},
    {"model.mm_projector.2.", "P.linear_2."},
    {"model.multi_modal_projector.", "P."},
    {"multi_modal_projector.", "P."},
    {"language_model.lm_head.", "HEAD."},
    {"lm_head.", "HEAD."},
    {"language_model.model.", "T."},
    {"model.language_model.", "T."},
    {"model.embed_tokens.", "T.embed_tokens."},
    {"model.layers.", "T.layers."},
    {"model.norm.", "T.norm."},
};

static const char *after(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) ? NULL : name + n;
}

static int ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && !strcmp(name + n - m, suffix);
}

LvNameKind lv_tensor_name_canonical(const char *name, char canonical[LV_CANONICAL_BYTES])
{
    canonical[0] = '\0';
    if (ends_with(name, ".inv_freq") || ends_with(name, ".position_ids") ||
        after(name, "model.vision_resampler.") || !strcmp(name, "model.faster_token"))
        return LV_NAME_IGNORED;
    if (!strcmp(name, "image_newline") || !strcmp(name, "model.image_newline")) {
        strcpy(canonical, "NL");
        return LV_NAME_KNOWN;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *rest = after(name, rules[i].prefix);
        if (!rest)
            continue;
        if (snprintf(canonical, LV_CANONICAL_BYTES, "%s%s", rules[i].canonical, rest) >=
            LV_CANONICAL_BYTES)
            return LV_NAME_UNKNOWN;
        if (after(canonical, "V.post_layernorm.") || after(canonical, "V.head."))
            return LV_NAME_IGNORED;
        return LV_NAME_KNOWN;
    }
    return LV_NAME_UNKNOWN;
}
