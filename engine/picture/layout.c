/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/layout.h"

#include <math.h>

#include "base/limits.h"
#include "base/status.h"

static LlavaovStatus check_config(const LvConfig *config, LlavaovError *error)
{
    const LvVisionConfig *vision = &config->vision;
    uint32_t tile = vision->image_size;
    if (tile == 0 || tile > LV_MAX_IMAGE_SIZE || vision->grid == 0 || vision->grid > tile)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "image_size",
            "image_size %u with a grid of %u patches cannot be laid out", tile, vision->grid);
    if (config->anyres_max == 0)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "vision_aspect_ratio",
            "vision_aspect_ratio is \"%s\": a single picture wants \"anyres_max_N\", of which it "
            "reads N, as transformers does; videos and several pictures do without it",
            config->aspect_ratio);
    if (config->n_pinpoints == 0 && config->aspect == LV_ASPECT_ANYRES)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "image_grid_pinpoints",
            "the model's configuration has no image_grid_pinpoints, which a single picture wants; "
            "videos and several pictures do without them");
    return LLAVAOV_OK;
}

/* The reference fails only if this pinpoint is the one chosen. */
static LlavaovStatus check_chosen(
    const LvConfig *config, const LvAnyresPlan *plan, LlavaovError *error)
{
    const uint32_t tile = config->vision.image_size;
    const uint32_t height = plan->best_height, width = plan->best_width;
    if (config->merge == LV_MERGE_FLAT && height && width)
        return LLAVAOV_OK; /* outside the canvas is black */
    if (height == 0 || width == 0 || height % tile || width % tile ||
        height > LV_MAX_PICTURE_EDGE || width > LV_MAX_PICTURE_EDGE)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "image_grid_pinpoints",
            "this picture takes %ux%u of image_grid_pinpoints, which is not a whole number of %u "
            "pixel tiles: %s fails on it, too",
            height, width, tile, config->original_layout ? "LLaVA-NeXT's code" : "transformers");
    return LLAVAOV_OK;
}

/* The processor cuts by its own pinpoints and tile size, the model lays out by its own; they must
 * agree. */
static LlavaovStatus check_processor(const LvConfig *config, uint32_t width, uint32_t height,
    const LvAnyresPlan *plan, LlavaovError *error)
{
    const LvPreprocess *image = &config->image;
    const uint32_t size = config->vision.image_size;
    const uint32_t tile = image->tile ? image->tile : size;
    LvAnyresPlan own = *plan;
    if (image->no_pinpoints)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "image_grid_pinpoints",
            "the image processor has no image_grid_pinpoints, which a single picture wants, in "
            "transformers, too");
    if (tile != size || (image->height && (image->height != size || image->width != size)) ||
        (image->shortest_edge && image->shortest_edge != size) ||
        (image->crop_height && (image->crop_height != size || image->crop_width != size)))
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "size",
            "the image processor's size or crop_size makes other tiles than the vision tower's "
            "%ux%u, which is not supported for a single picture",
            size, size);
    if (image->pinpoints)
        lv_anyres_choose(image->pinpoints, image->n_pinpoints, width, height, &own);
    if (own.best_height != plan->best_height || own.best_width != plan->best_width)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "image_grid_pinpoints",
            "this picture takes %ux%u of the image processor's image_grid_pinpoints and %ux%u of "
            "the model's, which do not fit together, in transformers, either",
            own.best_height, own.best_width, plan->best_height, plan->best_width);
    return LLAVAOV_OK;
}

static uint32_t whole_root(uint32_t n)
{
    uint32_t root = (uint32_t)sqrt((double)n);
    return root;
}

static LlavaovStatus count_error(
    const LvConfig *config, uint64_t counted, uint64_t made, LlavaovError *error)
{
    const LvPlaceholderCount *p = &config->placeholders;
    return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "processor_config.json",
        "processor_config.json (num_image_tokens %u, vision_aspect_ratio \"%s\", "
        "vision_feature_select_strategy %s) counts %llu placeholders where the model makes %llu "
        "features: transformers fails on it, too",
        p->n_image_tokens, p->aspect_ratio, p->drop_first ? "default" : "full",
        (unsigned long long)counted, (unsigned long long)made);
}

/* The number of placeholders that the reference's processor produces. */
static LlavaovStatus check_count(const LvConfig *config, uint32_t width, uint32_t height,
    const LvAnyresPlan *plan, LlavaovError *error)
{
    const LvPlaceholderCount *p = &config->placeholders;
    if (!p->read)
        return LLAVAOV_OK;
    LvAnyresPlan own = *plan;
    const uint32_t grid = whole_root(p->n_image_tokens);
    if (p->anyres_max && grid) {
        lv_anyres_unpad(grid, width, height, true, &own);
        lv_anyres_shrink(grid, p->anyres_max, &own);
    }
    const uint64_t counted =
        p->n_image_tokens + (uint64_t)own.map_height * (own.map_width + 1) - p->drop_first;
    return p->anyres_max && grid && counted == plan->n_tokens
               ? LLAVAOV_OK
               : count_error(config, counted, plan->n_tokens, error);
}

static LlavaovStatus check_counts_of_tiles(
    const LvConfig *config, LlavaovLayout layout, LlavaovError *error)
{
    const LvPlaceholderCount *p = &config->placeholders;
    uint64_t counted = (uint64_t)p->n_image_tokens + 1 - p->drop_first;
    uint64_t made = lv_multi_image_tokens(config);
    if (layout == LLAVAOV_LAYOUT_VIDEO) {
        const uint64_t pooled = (whole_root(p->n_image_tokens) + 1) / 2;
        counted = pooled * pooled + 1;
        made = lv_video_tokens(config, 1);
    }
    return counted == made ? LLAVAOV_OK : count_error(config, counted, made, error);
}

LlavaovStatus lv_layout_check(const LvConfig *config, LlavaovLayout layout, LlavaovError *error)
{
    if (config->drop_first && layout != LLAVAOV_LAYOUT_IMAGES)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "vision_feature_select_strategy",
            "vision_feature_select_strategy is \"default\", which drops a feature of every tile: "
            "the rest fill no square, which %s wants, in transformers, too",
            layout == LLAVAOV_LAYOUT_VIDEO ? "a video" : "a single picture");
    const LvPreprocess *pre = lv_preprocess_of(config, layout);
    if (*pre->refusal.reason)
        return lv_fail(
            error, LLAVAOV_ERROR_UNSUPPORTED, pre->refusal.field, "%s", pre->refusal.reason);
    if (layout == LLAVAOV_LAYOUT_IMAGE && *config->single_refusal.reason)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, config->single_refusal.field, "%s",
            config->single_refusal.reason);
    if (config->placeholders.read && config->placeholders.n_image_tokens == 0)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "num_image_tokens",
            "processor_config.json: num_image_tokens is missing, by which transformers counts "
            "placeholders: write %u there",
            config->vision.grid * config->vision.grid);
    if (config->placeholders.read && layout != LLAVAOV_LAYOUT_IMAGE)
        return check_counts_of_tiles(config, layout, error);
    return LLAVAOV_OK;
}

/* Sets crop_*, map_* and n_tokens from the arrangement of the tiles' features. */
static LlavaovStatus lay_out(const LvConfig *config, uint32_t width, uint32_t height,
    LvAnyresPlan *plan, LlavaovError *error)
{
    const uint32_t grid = config->vision.grid;
    plan->crop_height = plan->map_height = grid * plan->grid_rows;
    plan->crop_width = plan->map_width = grid * plan->grid_cols;
    switch (config->merge) {
    case LV_MERGE_UNPAD:
        lv_anyres_unpad(grid, width, height, !config->original_layout, plan);
        lv_anyres_shrink(grid, config->anyres_max, plan);
        break;
    case LV_MERGE_HALVED:
        plan->map_height /= 2;
        plan->map_width /= 2;
        break;
    case LV_MERGE_MAP:
        break;
    case LV_MERGE_FLAT:
        plan->n_tokens = plan->n_tiles * grid * grid;
        return LLAVAOV_OK;
    }
    /* The reference fails here too: it cannot interpolate or pool to size 0. */
    if (plan->crop_height && plan->crop_width && (!plan->map_height || !plan->map_width))
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "image_grid_pinpoints",
            "a picture of %ux%u pixels leaves an empty feature map after shrinking", width, height);
    plan->n_tokens = (config->no_base ? 0 : grid * grid) +
                     plan->map_height * (plan->map_width + (config->merge == LV_MERGE_UNPAD));
    return LLAVAOV_OK;
}

LlavaovStatus lv_anyres_plan(const LvConfig *config, uint32_t width, uint32_t height,
    LvAnyresPlan *plan, LlavaovError *error)
{
    LlavaovStatus status = lv_layout_check(config, LLAVAOV_LAYOUT_IMAGE, error);
    if (!status)
        status = check_config(config, error);
    if (status)
        return status;
    if (width == 0 || height == 0 || width > LV_MAX_PICTURE_EDGE || height > LV_MAX_PICTURE_EDGE)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "a picture of %ux%u pixels is outside 1x1 to %ux%u", width, height, LV_MAX_PICTURE_EDGE,
            LV_MAX_PICTURE_EDGE);
    *plan = (LvAnyresPlan){.n_tiles = 1, .n_tokens = lv_multi_image_tokens(config)};
    if (config->aspect != LV_ASPECT_ANYRES)
        return LLAVAOV_OK;
    lv_anyres_choose(config->pinpoints, config->n_pinpoints, width, height, plan);
    status = check_chosen(config, plan, error);
    if (!status)
        status = check_processor(config, width, height, plan, error);
    if (status)
        return status;
    const uint32_t tile = config->vision.image_size;
    plan->grid_rows = (plan->best_height + tile - 1) / tile;
    plan->grid_cols = (plan->best_width + tile - 1) / tile;
    plan->n_tiles = 1 + plan->grid_rows * plan->grid_cols;
    lv_anyres_place(width, height, plan);
    status = lay_out(config, width, height, plan, error);
    return status ? status : check_count(config, width, height, plan, error);
}

void lv_anyres_rows(const LvVisionConfig *vision, const LvAnyresPlan *plan, uint32_t *rows)
{
    uint32_t grid = vision->grid;
    for (uint32_t y = plan->crop_top; y < plan->crop_top + plan->crop_height; y++) {
        uint32_t first_tile = 1 + y / grid * plan->grid_cols;
        for (uint32_t x = plan->crop_left; x < plan->crop_left + plan->crop_width; x++)
            *rows++ = ((first_tile + x / grid) * grid + y % grid) * grid + x % grid;
    }
}

uint32_t lv_pooled_grid(const LvConfig *config)
{
    const uint32_t grid = config->vision.grid;
    return grid / 2 + (config->pooling == LV_POOLING_BILINEAR ? grid % 2 : 0);
}

uint32_t lv_frame_tokens(const LvConfig *config)
{
    const uint32_t pooled = lv_pooled_grid(config);
    return pooled * pooled + (config->video_newline == LV_NEWLINE_FRAME     ? 1
                                 : config->video_newline == LV_NEWLINE_GRID ? pooled
                                                                            : 0);
}

uint64_t lv_video_tokens(const LvConfig *config, uint64_t n_frames)
{
    return lv_frame_tokens(config) * n_frames + (config->video_newline == LV_NEWLINE_END);
}

uint32_t lv_multi_image_tokens(const LvConfig *config)
{
    return config->vision.grid * config->vision.grid - config->drop_first + !config->no_newline;
}
