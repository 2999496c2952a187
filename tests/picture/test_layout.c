/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "picture/layout.h"

/* The released checkpoints' configuration; columns x rows pinpoints of `tile` pixels. */
static LvConfig make_config(uint32_t tile, uint32_t grid, uint32_t edge)
{
    LvConfig config = {.vision = {.image_size = tile, .grid = grid, .n_channels = 3}};
    config.anyres_max = 9;
    config.n_pinpoints = edge * edge;
    config.pinpoints = malloc(config.n_pinpoints * sizeof *config.pinpoints);
    for (uint32_t i = 0; i < config.n_pinpoints; i++) {
        config.pinpoints[i][0] = tile * (1 + i / edge);
        config.pinpoints[i][1] = tile * (1 + i % edge);
    }
    return config;
}

/* docs/model.md 3.7 */
static const struct Row {
    uint32_t height, width, best_height, best_width, resized_height, resized_width, tiles;
    uint32_t crop_height, crop_width, map_height, map_width, tokens;
} table[] = {
    {384, 384, 384, 384, 384, 384, 2, 27, 27, 27, 27, 1485},
    {64, 64, 384, 384, 384, 384, 2, 27, 27, 27, 27, 1485},
    {100, 100, 384, 384, 384, 384, 2, 27, 27, 27, 27, 1485},
    {336, 336, 384, 384, 384, 384, 2, 27, 27, 27, 27, 1485},
    {512, 512, 768, 768, 768, 768, 5, 54, 54, 54, 54, 3699},
    {768, 768, 768, 768, 768, 768, 5, 54, 54, 54, 54, 3699},
    {480, 640, 768, 768, 576, 768, 5, 40, 54, 40, 54, 2929},
    {640, 480, 768, 768, 768, 576, 5, 54, 40, 54, 40, 2943},
    {600, 800, 768, 1152, 768, 1024, 7, 54, 73, 54, 73, 4725},
    {768, 1024, 768, 1152, 768, 1024, 7, 54, 73, 54, 73, 4725},
    {800, 600, 1152, 768, 1024, 768, 7, 73, 54, 73, 54, 4744},
    {1024, 768, 1152, 768, 1024, 768, 7, 73, 54, 73, 54, 4744},
    {1024, 576, 1152, 768, 1152, 648, 7, 81, 46, 81, 46, 4536},
    {899, 1024, 1152, 1152, 1012, 1152, 10, 71, 81, 71, 81, 6551},
    {720, 1280, 768, 1536, 768, 1366, 9, 54, 96, 54, 96, 5967},
    {1280, 720, 1536, 768, 1366, 768, 9, 96, 54, 96, 54, 6009},
    {1000, 1000, 1152, 1152, 1152, 1152, 10, 81, 81, 81, 81, 7371},
    {1152, 1152, 1152, 1152, 1152, 1152, 10, 81, 81, 81, 81, 7371},
    {1080, 1920, 1152, 1920, 1080, 1920, 16, 75, 135, 60, 108, 7269},
    {2160, 3840, 1536, 2304, 1296, 2304, 25, 92, 162, 61, 107, 7317},
    {3840, 2160, 2304, 1536, 2304, 1296, 25, 162, 92, 107, 61, 7363},
    {3000, 4000, 1920, 2304, 1728, 2304, 31, 121, 162, 70, 93, 7309},
    {1600, 1600, 1920, 1920, 1920, 1920, 26, 135, 135, 80, 80, 7209},
    {1920, 1920, 1920, 1920, 1920, 1920, 26, 135, 135, 80, 80, 7209},
    {2304, 2304, 2304, 2304, 2304, 2304, 37, 162, 162, 81, 81, 7371},
    {1354, 1128, 1536, 1152, 1383, 1152, 13, 98, 81, 98, 81, 8765},
    {200, 1500, 384, 1536, 205, 1536, 5, 15, 108, 15, 108, 2364},
    {50, 2000, 384, 2304, 58, 2304, 7, 5, 162, 5, 162, 1544},
    {10, 180, 384, 384, 22, 384, 2, 1, 27, 1, 27, 757},
    {799, 2538, 768, 2304, 726, 2304, 13, 52, 162, 45, 142, 7164},
};

static void every_row_of_the_table(void **state)
{
    LvConfig config = make_config(384, 27, 6);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct Row *row = &table[i];
        LvAnyresPlan plan;
        LlavaovError error;
        assert_int_equal(
            lv_anyres_plan(&config, row->width, row->height, &plan, &error), LLAVAOV_OK);
        assert_int_equal(plan.best_height, row->best_height);
        assert_int_equal(plan.best_width, row->best_width);
        assert_int_equal(plan.resized_height, row->resized_height);
        assert_int_equal(plan.resized_width, row->resized_width);
        assert_int_equal(plan.n_tiles, row->tiles);
        assert_int_equal(plan.crop_height, row->crop_height);
        assert_int_equal(plan.crop_width, row->crop_width);
        assert_int_equal(plan.map_height, row->map_height);
        assert_int_equal(plan.map_width, row->map_width);
        assert_int_equal(plan.n_tokens, row->tokens);
    }
    free(config.pinpoints);
}

/* Sizes where truncating without the rounding to seven places, or flooring the quotient, gives
 * another count. */
static void rounding_follows_the_reference(void **state)
{
    static const uint32_t sizes[][3] = {{1375, 1500, 7274}, {1914, 638, 7074}, {799, 2538, 7164}};
    LvConfig config = make_config(384, 27, 6);
    for (size_t i = 0; i < 3; i++) {
        LvAnyresPlan plan;
        assert_int_equal(
            lv_anyres_plan(&config, sizes[i][1], sizes[i][0], &plan, NULL), LLAVAOV_OK);
        assert_int_equal(plan.n_tokens, sizes[i][2]);
    }
    free(config.pinpoints);
}

static void plans_of_every_shape_are_consistent(void **state)
{
    static const uint32_t edges[] = {
        1, 2, 3, 7, 20, 383, 384, 385, 1080, 2303, 8192, 16383, LV_MAX_PICTURE_EDGE};
    static const uint32_t models[][3] = {{384, 27, 6}, {192, 12, 4}, {28, 2, 3}, {16, 1, 2}};
    for (size_t m = 0; m < 4; m++) {
        LvConfig config = make_config(models[m][0], models[m][1], models[m][2]);
        uint32_t grid = config.vision.grid;
        for (size_t i = 0; i < 13; i++)
            for (size_t j = 0; j < 13; j++) {
                LvAnyresPlan p;
                assert_int_equal(lv_anyres_plan(&config, edges[i], edges[j], &p, NULL), LLAVAOV_OK);
                assert_true(p.resized_height >= 1 && p.pad_top + p.resized_height <= p.best_height);
                assert_true(p.resized_width >= 1 && p.pad_left + p.resized_width <= p.best_width);
                assert_int_equal(p.grid_rows * p.grid_cols + 1, p.n_tiles);
                assert_int_equal(2 * p.crop_top + p.crop_height, grid * p.grid_rows);
                assert_int_equal(2 * p.crop_left + p.crop_width, grid * p.grid_cols);
                assert_true(p.map_height <= p.crop_height && p.map_width <= p.crop_width);
                assert_int_equal(p.n_tokens, grid * grid + p.map_height * (p.map_width + 1));
            }
        free(config.pinpoints);
    }
}

/* The map is the grid of tiles, each a grid of tokens, seen through the crop. */
static void row_map_walks_tiles_in_picture_order(void **state)
{
    LvConfig config = make_config(384, 27, 6);
    LvAnyresPlan plan;
    assert_int_equal(lv_anyres_plan(&config, 800, 600, &plan, NULL), LLAVAOV_OK);
    assert_int_equal(plan.crop_left, 4); /* 81 columns, 73 kept */
    uint32_t *rows = malloc(plan.crop_height * plan.crop_width * sizeof *rows);
    lv_anyres_rows(&config.vision, &plan, rows);
    assert_int_equal(rows[0], 729 * 1 + 4);
    assert_int_equal(rows[22], 729 * 1 + 26);
    assert_int_equal(rows[23], 729 * 2);
    assert_int_equal(rows[72], 729 * 3 + 22);
    assert_int_equal(rows[73], 729 * 1 + 27 + 4);
    assert_int_equal(rows[27 * 73], 729 * 4 + 4);
    assert_int_equal(rows[54 * 73 - 1], 729 * 6 + 26 * 27 + 22);
    free(rows);
    free(config.pinpoints);
}

static void counts_of_video_and_of_several_images(void **state)
{
    LvConfig config = {.vision.grid = 27};
    assert_int_equal(lv_pooled_grid(&config), 14);
    assert_int_equal(lv_video_tokens(&config, 8), 1569);
    assert_int_equal(lv_video_tokens(&config, 32), 6273);
    assert_int_equal(lv_multi_image_tokens(&config), 730);
    config.drop_first = true; /* a feature of every tile */
    assert_int_equal(lv_multi_image_tokens(&config), 729);
    assert_int_equal(lv_layout_check(&config, LLAVAOV_LAYOUT_IMAGES, NULL), LLAVAOV_OK);
    assert_int_equal(
        lv_layout_check(&config, LLAVAOV_LAYOUT_VIDEO, NULL), LLAVAOV_ERROR_UNSUPPORTED);
    assert_int_equal(
        lv_layout_check(&config, LLAVAOV_LAYOUT_IMAGE, NULL), LLAVAOV_ERROR_UNSUPPORTED);
    config.drop_first = false;
    static const uint32_t tokens[] = {8 * 196 + 1, 8 * 196, 8 * 197, 8 * 14 * 15};
    for (int newline = LV_NEWLINE_END; newline <= LV_NEWLINE_GRID; newline++) {
        config.video_newline = (LvNewline)newline;
        assert_int_equal(lv_video_tokens(&config, 8), tokens[newline]);
    }
    config.video_newline = LV_NEWLINE_END;
    config.vision.grid = 12;
    assert_int_equal(lv_pooled_grid(&config), 6);
    assert_int_equal(lv_video_tokens(&config, 1), 37);
}

/* What LLaVA-NeXT's settings make of the counts; the features are compared with its own code by
 * tests/parity/llava_next.py. */
static void counts_of_other_layouts(void **state)
{
    static const struct {
        LvAspect aspect;
        LvPatchMerge merge;
        bool no_base, no_newline;
        uint32_t tiles, tokens;
    } rows[] = {
        {LV_ASPECT_ANYRES, LV_MERGE_UNPAD, false, false, 7, 729 + 54 * (73 + 1)},
        {LV_ASPECT_ANYRES, LV_MERGE_UNPAD, true, false, 7, 54 * (73 + 1)},
        {LV_ASPECT_ANYRES, LV_MERGE_MAP, false, true, 7, 7 * 729},
        {LV_ASPECT_ANYRES, LV_MERGE_MAP, true, true, 7, 6 * 729},
        {LV_ASPECT_ANYRES, LV_MERGE_HALVED, false, false, 7, 729 + 27 * 40},
        {LV_ASPECT_ANYRES, LV_MERGE_FLAT, true, true, 7, 7 * 729},
        {LV_ASPECT_PAD, LV_MERGE_UNPAD, false, false, 1, 730},
        {LV_ASPECT_SQUASH, LV_MERGE_FLAT, true, true, 1, 729},
    };
    LvConfig config = make_config(384, 27, 6);
    config.original_layout = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LvAnyresPlan plan;
        config.aspect = rows[i].aspect;
        config.merge = rows[i].merge;
        config.no_base = rows[i].no_base;
        config.no_newline = rows[i].no_newline;
        assert_int_equal(lv_anyres_plan(&config, 800, 600, &plan, NULL), LLAVAOV_OK);
        assert_int_equal(plan.n_tiles, rows[i].tiles);
        assert_int_equal(plan.n_tokens, rows[i].tokens);
    }
    config.pooling = LV_POOLING_AVERAGE;
    assert_int_equal(lv_frame_tokens(&config), 169);
    snprintf(config.single_refusal.reason, sizeof config.single_refusal.reason, "no");
    assert_int_equal(
        lv_layout_check(&config, LLAVAOV_LAYOUT_IMAGE, NULL), LLAVAOV_ERROR_UNSUPPORTED);
    assert_int_equal(lv_layout_check(&config, LLAVAOV_LAYOUT_IMAGES, NULL), LLAVAOV_OK);
    free(config.pinpoints);
}

static void absurd_input_is_refused(void **state)
{
    LvConfig config = make_config(384, 27, 1);
    LvAnyresPlan plan;
    LlavaovError error;
    assert_int_equal(lv_anyres_plan(&config, 0, 1, &plan, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(
        lv_anyres_plan(&config, 1, LV_MAX_PICTURE_EDGE + 1, &plan, &error), LLAVAOV_ERROR_ARGUMENT);
    config.pinpoints[0][0] = 400;
    assert_int_equal(lv_anyres_plan(&config, 8, 8, &plan, &error), LLAVAOV_ERROR_UNSUPPORTED);
    assert_string_equal(error.subject, "image_grid_pinpoints");
    config.pinpoints[0][0] = 0;
    assert_int_equal(lv_anyres_plan(&config, 8, 8, &plan, &error), LLAVAOV_ERROR_UNSUPPORTED);
    config.pinpoints[0][0] = 384;
    config.anyres_max = 0;
    assert_int_equal(lv_anyres_plan(&config, 8, 8, &plan, &error), LLAVAOV_ERROR_UNSUPPORTED);
    config.anyres_max = 9;
    config.n_pinpoints = 0;
    assert_int_equal(lv_anyres_plan(&config, 8, 8, &plan, &error), LLAVAOV_ERROR_UNSUPPORTED);
    config.n_pinpoints = 1;
    config.vision.grid = 0;
    assert_int_equal(lv_anyres_plan(&config, 8, 8, &plan, &error), LLAVAOV_ERROR_ARGUMENT);
    free(config.pinpoints);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table),
        cmocka_unit_test(rounding_follows_the_reference),
        cmocka_unit_test(plans_of_every_shape_are_consistent),
        cmocka_unit_test(row_map_walks_tiles_in_picture_order),
        cmocka_unit_test(counts_of_video_and_of_several_images),
        cmocka_unit_test(counts_of_other_layouts),
        cmocka_unit_test(absurd_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
