/* SPDX-License-Identifier: Apache-2.0
 * The settings that only LLaVA-NeXT's own code has. Absent and null fields mean what its getattr()
 * calls make of them; some make it fail, and then only the inputs that need the field are
 * refused. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "checkpoint/config_parts.h"
#include "checkpoint/refusal.h"

/* NULL unless the field is a string. */
static const char *text_of(const LvFields *fields, const char *name, const char *absent)
{
    const json_t *value = json_object_get(fields->object, name);
    return value ? json_string_value(value) : absent;
}

/* The count in text after the prefix; -1 where there is none. */
static int count_after(const char **text, const char *prefix)
{
    const size_t n = strlen(prefix);
    if (strncmp(*text, prefix, n) || !isdigit((unsigned char)(*text)[n]))
        return -1;
    char *end;
    const long value = strtol(*text + n, &end, 10);
    *text = end;
    return value > INT16_MAX ? INT16_MAX : (int)value;
}

static void projector(LvFields *fields, LvConfig *config)
{
    const char *name = "mm_projector_type", *type = text_of(fields, name, "linear");
    const char *rest = type ? type : "";
    int layers = 1, blocks = 0;
    if (strcmp(rest, "linear")) {
        layers = count_after(&rest, "mlp");
        if (!strncmp(rest, "x_res", 5))
            blocks = count_after(&rest, "x_res");
        if (layers < 0 || blocks < 0 || strcmp(rest, "x_gelu")) {
            lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
                "is \"%.64s\"; it must be \"linear\", \"mlpNx_gelu\" or \"mlpNx_resMx_gelu\"",
                type ? type : "null");
            return;
        }
    }
    if (layers > (int)LV_MAX_PROJECTOR_LAYERS || blocks > (int)LV_MAX_PROJECTOR_LAYERS)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "is \"%.64s\"; at most %u layers are supported", type, LV_MAX_PROJECTOR_LAYERS);
    config->projector_layers = layers > 0 ? (uint32_t)layers : 1;
    config->projector_blocks = (uint32_t)blocks;
}

static void resampler(LvFields *fields)
{
    const json_t *type = lv_field(fields, "mm_resampler_type");
    if (type)
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, "mm_resampler_type",
            "is \"%.64s\": resamplers are not supported (no LLaVA-OneVision checkpoint has one, "
            "and LLaVA-NeXT's code of today builds and never runs them)",
            json_is_string(type) ? json_string_value(type) : "no text");
}

static void merge(LvFields *fields, LvConfig *config)
{
    const char *name = "mm_patch_merge_type", *type = text_of(fields, name, "flat");
    if (!type || (strcmp(type, "flat") && strncmp(type, "spatial", 7))) {
        lv_field_fail(fields, LLAVAOV_ERROR_UNSUPPORTED, name,
            "is \"%.64s\"; it must be \"flat\" or begin with \"spatial\"", type ? type : "null");
        return;
    }
    config->no_newline = !strstr(type, "unpad");
    config->no_base = strstr(type, "nobase");
    config->merge = !strcmp(type, "flat")        ? LV_MERGE_FLAT
                    : strstr(type, "maxpool2x2") ? LV_MERGE_HALVED
                    : strstr(type, "unpad")      ? LV_MERGE_UNPAD
                                                 : LV_MERGE_MAP;
}

static void newline(LvFields *fields, LvConfig *config)
{
    const char *name = "mm_newline_position", *text = text_of(fields, name, "one_token");
    const bool faster = json_is_true(json_object_get(fields->object, "add_faster_video"));
    config->video_newline = LV_NEWLINE_NONE;
    if (config->merge == LV_MERGE_FLAT || (text && !strcmp(text, "no_token")))
        return;
    if (text && !strcmp(text, "one_token")) {
        config->video_newline = config->no_newline ? LV_NEWLINE_NONE : LV_NEWLINE_END;
        return;
    }
    const bool grid = text && !strcmp(text, "grid");
    if (!grid && (!text || strcmp(text, "frame")))
        lv_refuse(&config->video.refusal, fields->file, name,
            "is \"%.64s\"; a video wants \"one_token\", \"grid\", \"frame\" or \"no_token\"",
            text ? text : "null");
    else if (config->no_newline)
        lv_refuse(&config->video.refusal, fields->file, name,
            "is \"%s\", which wants the newline vector of a mm_patch_merge_type with \"unpad\", in "
            "LLaVA-NeXT's code, too",
            text);
    else if (grid && faster)
        lv_refuse(&config->video.refusal, fields->file, "add_faster_video",
            "is true, on which LLaVA-NeXT's code of today fails, too: a video runs without it");
    config->video_newline = grid ? LV_NEWLINE_GRID : LV_NEWLINE_FRAME;
}

static void pool(LvFields *fields, LvConfig *config)
{
    static const char *const names[] = {"bilinear", "average", "max"};
    const char *name = "mm_spatial_pool_mode", *text = text_of(fields, name, "missing");
    uint32_t mode = 0;
    while (mode < 3 && (!text || strcmp(text, names[mode])))
        mode++;
    config->pooling = mode < 3 ? (LvPooling)mode : LV_POOLING_BILINEAR;
    if (mode == 3)
        lv_refuse(&config->video.refusal, fields->file, name,
            "is \"%.64s\"; a video wants \"bilinear\", \"average\" or \"max\"",
            text ? text : "null");
    else if (mode && config->vision.grid < 2)
        lv_refuse(&config->video.refusal, fields->file, name,
            "is \"%s\", which leaves nothing of one patch, in LLaVA-NeXT's code, too", text);
}

static void aspect(LvFields *fields, LvConfig *config)
{
    const char *name = "image_aspect_ratio", *text = text_of(fields, name, NULL), *rest = text;
    snprintf(config->aspect_ratio, sizeof config->aspect_ratio, "%s", text ? text : "");
    config->anyres_max = UINT32_MAX;
    if (!text || !strcmp(text, "highres") || !strcmp(text, "crop_split")) {
        lv_refuse(&config->single_refusal, fields->file, name,
            "is %s: a single picture wants \"anyres\", \"anyres_max_N\", \"pad\" or \"square\", in "
            "LLaVA-NeXT's code, too (videos and several pictures do without)",
            text ? text : "missing");
        return;
    }
    if (strcmp(text, "anyres") && !strstr(text, "anyres_max")) {
        config->aspect = strcmp(text, "pad") ? LV_ASPECT_SQUASH : LV_ASPECT_PAD;
        return;
    }
    const int most = count_after(&rest, "anyres_max_");
    if (most > 0)
        config->anyres_max = (uint32_t)most;
    if (most == 0 && config->merge == LV_MERGE_UNPAD)
        lv_refuse(&config->single_refusal, fields->file, name,
            "is \"%.64s\": a single picture cannot have the features of no tile, in LLaVA-NeXT's "
            "code, either",
            text);
    lv_config_next_pinpoints(fields, config);
}

void lv_config_next(LvFields *fields, LvConfig *config)
{
    projector(fields, config);
    resampler(fields);
    merge(fields, config);
    newline(fields, config);
    pool(fields, config);
    aspect(fields, config);
    /* LLaVA-NeXT's processor multiplies by 1/255 and then normalises, in float32. */
    for (int c = 0; c < 3; c++)
        config->image.values.mean[c] = config->image.values.std[c] = 0.5f;
    config->image.values.scale = 1 / 255.0;
    config->video.values = config->image.values;
}
