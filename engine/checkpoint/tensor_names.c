/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/tensor_names.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "checkpoint/four_bits.h"
#include "checkpoint/integers.h"

/* Tried in this order; the first prefix that matches wins. */
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

/* Modules of LLaVA-NeXT's projector, [0-9]+ or none: linear layers at even places, residual blocks
 * at any. */
static bool projector_name(const char *rest, char canonical[LV_CANONICAL_BYTES])
{
    char *end = (char *)rest;
    const unsigned long place = isdigit((unsigned char)*rest) ? strtoul(rest, &end, 10) : 0;
    if (place > 3 * LV_MAX_PROJECTOR_LAYERS || (end != rest && *end++ != '.'))
        return false;
    if (!strcmp(end, "weight") || !strcmp(end, "bias"))
        return place % 2 == 0 &&
               snprintf(canonical, LV_CANONICAL_BYTES, "P.linear_%lu.%s", place / 2 + 1, end) > 0;
    return (after(end, "pre_norm.") || after(end, "proj.")) &&
           snprintf(canonical, LV_CANONICAL_BYTES, "P.block_%lu.%s", place, end) <
               LV_CANONICAL_BYTES;
}

static int ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && !strcmp(name + n - m, suffix);
}

static LvNameKind whole_name(const char *name, char canonical[LV_CANONICAL_BYTES])
{
    canonical[0] = '\0';
    if (ends_with(name, ".inv_freq") || ends_with(name, ".position_ids") ||
        after(name, "model.vision_resampler.") || !strcmp(name, "model.faster_token"))
        return LV_NAME_IGNORED;
    if (!strcmp(name, "image_newline") || !strcmp(name, "model.image_newline")) {
        strcpy(canonical, "NL");
        return LV_NAME_KNOWN;
    }
    if (after(name, "model.mm_projector."))
        return projector_name(after(name, "model.mm_projector."), canonical) ? LV_NAME_KNOWN
                                                                             : LV_NAME_UNKNOWN;
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

/* The parts of a quantised weight are named after it. */
LvNameKind lv_tensor_name_canonical(const char *name, char canonical[LV_CANONICAL_BYTES])
{
    const char *ending = lv_bnb_ending(name);
    ending = ending ? ending : lv_integers_ending(name);
    char weight[2 * LV_CANONICAL_BYTES];
    if (!ending)
        return whole_name(name, canonical);
    if (snprintf(weight, sizeof weight, "%.*s", (int)(ending - name), name) >= (int)sizeof weight)
        return LV_NAME_UNKNOWN;
    const LvNameKind kind = whole_name(weight, canonical);
    const size_t n = strlen(canonical);
    if (kind != LV_NAME_KNOWN)
        return kind;
    return snprintf(canonical + n, LV_CANONICAL_BYTES - n, "%s", ending) <
                   (int)(LV_CANONICAL_BYTES - n)
               ? LV_NAME_KNOWN
               : LV_NAME_UNKNOWN;
}
