/* SPDX-License-Identifier: Apache-2.0
 * resize and layout. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/try.h"
#include "picture/picture.h"
#include "tool.h"

LlavaovStatus tool_resize(const ToolOptions *o, LlavaovError *error)
{
    const LvConfig any = {0};
    ToolPictures pictures = {0};
    uint8_t *rgb = NULL;
    LlavaovStatus status;
    if (o->to_width == 0 || o->n_arguments != 1)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "to",
            "one file and --to WxH are wanted"));
    LV_TRY(tool_read_pictures(o, &pictures, error));
    rgb = lv_alloc((size_t)o->to_width * o->to_height, 3);
    if (!rgb)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a picture"));
    LV_TRY(lv_picture_resize(&pictures.images[0], lv_resize_of(&any, o->resize), o->to_width,
        o->to_height, NULL, rgb, error));
    const LvNpy out = {.type = LV_NPY_U8,
        .n_dims = 3,
        .shape = {o->to_height, o->to_width, 3},
        .count = (uint64_t)o->to_height * o->to_width * 3,
        .data = rgb};
    LV_TRY(lv_npy_write(o->out, &out, error));
done:
    lv_free(rgb);
    tool_free_pictures(&pictures);
    return status;
}

static json_t *json_plan(const LvAnyresPlan *p)
{
    return json_pack("{s:[ii] s:[ii] s:[ii] s:[ii] s:i s:[ii] s:[ii] s:[ii] s:i}", "best",
        (int)p->best_height, (int)p->best_width, "grid", (int)p->grid_rows, (int)p->grid_cols,
        "resized", (int)p->resized_height, (int)p->resized_width, "pad", (int)p->pad_top,
        (int)p->pad_left, "tiles", (int)p->n_tiles, "crop_at", (int)p->crop_top, (int)p->crop_left,
        "crop", (int)p->crop_height, (int)p->crop_width, "map", (int)p->map_height,
        (int)p->map_width, "tokens", (int)p->n_tokens);
}

/* All tiles of all pictures: uint8 [n, S, S, 3]. */
static LlavaovStatus write_tiles(
    const ToolOptions *o, const LvConfig *config, const ToolPictures *pictures, LlavaovError *error)
{
    const size_t edge = config->vision.image_size, bytes = edge * edge * 3;
    uint8_t *all = NULL;
    size_t n = 0;
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < pictures->n; i++) {
        LvTiles tiles = {0};
        LV_TRY(lv_image_check(&pictures->images[i], error));
        LV_TRY(lv_picture_prepare(config, tool_layout_for(o, pictures->n),
            lv_resize_of(config, o->resize), &pictures->images[i], NULL, &tiles, error));
        uint8_t *grown = lv_realloc(all, n + tiles.n, bytes);
        if (grown) {
            all = grown;
            memcpy(all + n * bytes, tiles.rgb, tiles.n * bytes);
            n += tiles.n;
        }
        lv_tiles_free(&tiles);
        if (!grown)
            LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for tiles"));
    }
    const LvNpy out = {.type = LV_NPY_U8,
        .n_dims = 4,
        .shape = {n, edge, edge, 3},
        .count = n * bytes,
        .data = all};
    LV_TRY(lv_npy_write(o->out, &out, error));
done:
    lv_free(all);
    return status;
}

LlavaovStatus tool_layout(const ToolOptions *o, LlavaovError *error)
{
    LvCheckpoint *checkpoint = NULL;
    ToolPictures pictures = {0};
    LlavaovStatus status;
    if (!o->model)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model",
            "a checkpoint folder is wanted: -m DIR"));
    LV_TRY(lv_checkpoint_open(o->model, &checkpoint, error));
    const LvConfig *config = lv_checkpoint_config(checkpoint);
    if (o->n_arguments > 0 && o->out) {
        LV_TRY(tool_read_pictures(o, &pictures, error));
        LV_TRY(write_tiles(o, config, &pictures, error));
        goto done;
    }
    LV_TRY(lv_layout_check(config, o->layout, error));
    const uint32_t n = o->n_frames ? o->n_frames : 1;
    if (o->layout == LLAVAOV_LAYOUT_IMAGE ||
        (o->width && tool_layout_for(o, n) == LLAVAOV_LAYOUT_IMAGE)) {
        LvAnyresPlan plan;
        LV_TRY(lv_anyres_plan(config, o->width, o->height, &plan, error));
        LV_TRY(tool_print_json(o, json_plan(&plan), error));
    } else if (o->layout == LLAVAOV_LAYOUT_VIDEO) {
        LV_TRY(tool_print_json(o,
            json_pack(
                "{s:i s:I}", "frames", (int)n, "tokens", (json_int_t)lv_video_tokens(config, n)),
            error));
    } else {
        LV_TRY(tool_print_json(o,
            json_pack("{s:i s:I}", "images", (int)n, "tokens",
                (json_int_t)n * lv_multi_image_tokens(config)),
            error));
    }
done:
    tool_free_pictures(&pictures);
    if (checkpoint)
        lv_checkpoint_close(checkpoint);
    return status;
}
