/* SPDX-License-Identifier: Apache-2.0
 * The processors' files: what each says, which counts, and that the released ones say what is
 * written here. ./dev parity preprocess compares what becomes of pictures with transformers itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "checkpoint/json.h"
#include "checkpoint/preprocessor_config.h"

static void read_all(const char *processor, const char *image, const char *video, LvConfig *config)
{
    LlavaovError error = {0};
    *config = (LvConfig){.vision = {.image_size = 384, .patch_size = 14, .grid = 27}};
    lv_preprocess_default(config);
    const LvPreprocessFiles files = {
        {processor, processor ? strlen(processor) : 0, "folder/processor_config.json"},
        {image, image ? strlen(image) : 0, "folder/preprocessor_config.json"},
        {video, video ? strlen(video) : 0, "folder/video_preprocessor_config.json"}};
    if (lv_preprocess_parse(&files, config, &error))
        fail_msg("%s", error.message);
}

static void assert_released(const LvPreprocess *p)
{
    static const LvPixelValues released = LV_PIXEL_VALUES_RELEASED;
    assert_string_equal(p->refusal.reason, "");
    assert_int_equal(p->filter, LV_FILTER_BICUBIC);
    assert_true(p->resize);
    assert_int_equal(p->height, 384);
    assert_int_equal(p->width, 384);
    assert_int_equal(p->shortest_edge, 0);
    assert_int_equal(p->crop_height, 0);
    assert_int_equal(p->tile, 384);
    assert_int_equal(p->pad[0], 127);
    assert_int_equal(p->pad[2], 127);
    assert_memory_equal(&p->values, &released, sizeof released);
}

static void without_files_the_released_values_hold(void **state)
{
    LvConfig config;
    read_all(NULL, NULL, NULL, &config);
    assert_released(&config.image);
    assert_released(&config.video);
    assert_false(config.placeholders.read);
}

#define MEAN "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5], "

/* One image file; a condition on `p`, config.image. */
#define READS(json, condition)                                                                     \
    do {                                                                                           \
        LvConfig c;                                                                                \
        read_all(NULL, json, NULL, &c);                                                            \
        const LvPreprocess *p = &c.image;                                                          \
        if (!(condition))                                                                          \
            fail_msg("%s: not %s; refusal \"%s\"", json, #condition, p->refusal.reason);           \
        lv_config_free(&c);                                                                        \
    } while (0)

static void absent_keys_take_the_class_defaults_and_null_means_none(void **state)
{
    /* CLIP's mean and std, divided by 1 / 255 in float32. */
    READS("{}", p->values.mean[0] == 0.48145466f * 255 && p->values.std[2] == 0.27577711f * 255);
    READS("{}", p->pad[0] == 122 && p->pad[1] == 116 && p->pad[2] == 104 && !*p->refusal.reason);
    READS("{}", p->n_pinpoints == 36 && p->pinpoints[35][0] == 2304 && p->height == 384);
    READS("{" MEAN "\"do_resize\": null}", !p->resize && !*p->refusal.reason);
    READS(
        "{" MEAN "\"do_pad\": null, \"do_convert_rgb\": null, \"colour\": 7}", !*p->refusal.reason);
    READS("{" MEAN "\"do_rescale\": null}", p->values.scale == 1 && p->values.mean[1] == 0.5f);
    READS("{" MEAN "\"do_normalize\": null}",
        p->values.scale == (double)(float)(1 / 255.0) && p->values.std[0] == 1 && p->pad[0] == 127);
    READS("{" MEAN "\"do_normalize\": false, \"do_rescale\": false}",
        p->values.scale == 1 && p->values.mean[0] == 0 && p->values.std[0] == 1);
    READS("{\"image_grid_pinpoints\": null}", p->no_pinpoints && !*p->refusal.reason);
    READS("{" MEAN "\"image_grid_pinpoints\": [[384, 768]]}", p->n_pinpoints == 1);
    READS("{\"do_normalize\": false, \"image_mean\": null}",
        !*p->refusal.reason && p->padding == LV_PADDING_NEVER);
    READS("{\"image_mean\": 0.5}", !*p->refusal.reason && p->padding == LV_PADDING_NEVER);
    READS("{\"image_mean\": [0.5]}", !*p->refusal.reason && p->padding == LV_PADDING_SQUARES);
    READS("{\"image_mean\": [1.5, -0.1, 0]}", p->pad[0] == 126 && p->pad[1] == 231);
    READS("{\"do_resize\": false, \"size\": null, \"resample\": null}", !*p->refusal.reason);
    READS("{\"do_rescale\": false, \"rescale_factor\": null}", !*p->refusal.reason);
}

static void sizes_crops_and_filters(void **state)
{
    READS("{\"size\": 56}", p->shortest_edge == 56 && p->height == 0 && p->tile == 56);
    READS("{\"size\": [56, 57]}", p->height == 56 && p->width == 57 && p->tile == 56);
    READS("{\"size\": {\"shortest_edge\": 9, \"height\": null}}", p->shortest_edge == 9);
    READS("{\"crop_size\": 28}", p->tile == 28 && p->crop_height == 0);
    READS("{\"crop_size\": {\"height\": 28, \"width\": 30}, \"do_center_crop\": true}",
        p->crop_height == 28 && p->crop_width == 30);
    READS("{\"resample\": 0}", p->filter == LV_FILTER_NEAREST);
    READS("{\"resample\": 2}", p->filter == LV_FILTER_BILINEAR);
    READS("{\"resample\": \"lanczos\"}", p->filter == LV_FILTER_LANCZOS);
    READS("{\"image_processor_type\": \"LlavaOnevisionImageProcessorFast\"}", !*p->refusal.reason);
}

/* What pictures are refused for, and the field that is named. */
static void refused_by_name(void **state)
{
    static const struct {
        const char *json, *field;
    } rows[] = {
        {"{\"size\": null}", "size"},
        {"{\"size\": {\"height\": 5}}", "size"},
        {"{\"size\": {\"longest_edge\": 5}}", "size"},
        {"{\"size\": {\"shortest_edge\": 5, \"longest_edge\": 9}}", "size"},
        {"{\"size\": 0}", "size"},
        {"{\"size\": 999999999}", "size"},
        {"{\"size\": \"384\"}", "size"},
        {"{\"image_mean\": null}", "image_mean"},
        {"{\"image_mean\": [1, 2]}", "image_mean"},
        {"{\"image_mean\": \"x\"}", "image_mean"},
        {"{\"image_std\": null}", "image_std"},
        {"{\"image_std\": [0, 1, 1]}", "image_std"},
        {"{\"rescale_factor\": null}", "rescale_factor"},
        {"{\"rescale_factor\": 0}", "rescale_factor"},
        {"{\"resample\": null}", "resample"},
        {"{\"resample\": 6}", "resample"},
        {"{\"resample\": \"sharp\"}", "resample"},
        {"{\"do_center_crop\": true}", "crop_size"},
        {"{\"crop_size\": [1]}", "crop_size"},
        {"{\"do_resize\": \"yes\"}", "do_resize"},
        {"{\"image_grid_pinpoints\": [[1]]}", "image_grid_pinpoints"},
        {"{\"image_grid_pinpoints\": \"[[384, 384]]\"}", "image_grid_pinpoints"},
        {"{\"image_processor_type\": \"SiglipImageProcessor\"}", "image_processor_type"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LvConfig config;
        read_all(NULL, rows[i].json, "{" MEAN "\"video_processor_type\": null}", &config);
        if (strcmp(config.image.refusal.field, rows[i].field) ||
            !strstr(config.image.refusal.reason, "preprocessor_config.json: ") ||
            !strstr(config.image.refusal.reason, rows[i].field))
            fail_msg("%s: field \"%s\", \"%s\"", rows[i].json, config.image.refusal.field,
                config.image.refusal.reason);
        assert_string_equal(config.video.refusal.reason, ""); /* the other kind runs */
        lv_config_free(&config);
    }
    LvConfig config;
    read_all(NULL, NULL, "{\"video_processor_type\": \"Qwen2VLVideoProcessor\"}", &config);
    assert_string_equal(config.video.refusal.field, "video_processor_type");
    assert_string_equal(config.image.refusal.reason, "");
    read_all("{\"processor_class\": \"LlavaNextProcessor\"}", NULL, NULL, &config);
    assert_string_equal(config.image.refusal.field, "processor_class");
    assert_string_equal(config.video.refusal.field, "processor_class");
    static const char *const broken[] = {"", "[]", "{"};
    for (size_t i = 0; i < 3; i++) {
        LlavaovError error = {0};
        const LvPreprocessFiles files = {.video = {broken[i], strlen(broken[i]), "v.json"}};
        assert_int_equal(lv_preprocess_parse(&files, &config, &error), LLAVAOV_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "v.json"));
    }
}

static void which_file_counts(void **state)
{
    static const char one[] = "{\"size\": 1}", two[] = "{\"size\": 2}",
                      both[] = "{\"image_processor\": {\"size\": 3}, \"video_processor\": "
                               "{\"size\": 4}, \"num_image_tokens\": 729}",
                      nulls[] = "{\"image_processor\": null, \"video_processor\": null, "
                                "\"num_image_tokens\": null, \"vision_aspect_ratio\": null}";
    static const struct {
        const char *processor, *image, *video;
        uint32_t image_size, video_size;
    } rows[] = {{NULL, one, two, 1, 2}, {NULL, one, NULL, 1, 1}, {NULL, NULL, two, 384, 2},
        {both, one, two, 3, 4}, {both, NULL, NULL, 3, 4}, {nulls, one, two, 1, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        LvConfig config;
        read_all(rows[i].processor, rows[i].image, rows[i].video, &config);
        assert_int_equal(config.image.tile, rows[i].image_size);
        assert_int_equal(config.video.tile, rows[i].video_size);
        assert_int_equal(config.placeholders.read, rows[i].processor != NULL);
        assert_int_equal(config.placeholders.n_image_tokens, rows[i].processor == both ? 729 : 0);
        assert_int_equal(config.placeholders.anyres_max, rows[i].processor == both ? 9 : 0);
        lv_config_free(&config);
    }
}

/* What the files of llava-onevision-qwen2-0.5b-ov-hf say, as a table of ours; and those files
 * themselves, where ../shared/hub stands beside the checkout. */
static void the_released_files(void **state)
{
    static const char processor[] =
        "{\"image_token\": \"<image>\", \"num_image_tokens\": 729, \"processor_class\": "
        "\"LlavaOnevisionProcessor\", \"video_token\": \"<video>\", "
        "\"vision_feature_select_strategy\": \"full\"}";
    static const char image[] =
        "{\"do_convert_rgb\": true, \"do_normalize\": true, \"do_pad\": true, \"do_rescale\": "
        "true, \"do_resize\": true, " MEAN "\"image_processor_type\": "
        "\"LlavaOnevisionImageProcessor\", \"resample\": 3, \"rescale_factor\": "
        "0.00392156862745098, \"size\": {\"height\": 384, \"width\": 384}}";
    static const char video[] =
        "{\"crop_size\": null, \"default_to_square\": false, \"do_center_crop\": null, "
        "\"do_convert_rgb\": true, \"do_normalize\": true, \"do_pad\": true, \"do_rescale\": true, "
        "\"do_resize\": true, \"do_sample_frames\": false, \"fps\": null, " MEAN
        "\"num_frames\": null, \"resample\": 3, \"rescale_factor\": 0.00392156862745098, \"size\": "
        "{\"height\": 384, \"width\": 384}, \"size_divisor\": null, \"video_metadata\": null, "
        "\"video_processor_type\": \"LlavaOnevisionVideoProcessor\"}";
    static const char *const names[3] = {
        "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"};
    const char *ours[3] = {processor, image, video};
    const char *folder = getenv("LLAVAOV_HUB");
    char *theirs[3] = {NULL, NULL, NULL};
    LvConfig config;
    for (int stored = 0; stored < 2; stored++) {
        for (int i = 0; i < 3 && stored; i++) {
            char path[4096];
            size_t bytes;
            LlavaovError error;
            snprintf(path, sizeof path, "%s/llava-hf/llava-onevision-qwen2-0.5b-ov-hf/%s",
                folder ? folder : "", names[i]);
            if (lv_file_read(path, 1 << 20, &theirs[i], &bytes, &error)) {
                print_message("the released files are not compared: %s\n", error.message);
                return;
            }
        }
        read_all(stored ? theirs[0] : ours[0], stored ? theirs[1] : ours[1],
            stored ? theirs[2] : ours[2], &config);
        assert_released(&config.image);
        assert_released(&config.video);
        assert_int_equal(config.image.n_pinpoints, 36);
        assert_int_equal(config.image.pinpoints[1][1], 768);
        assert_int_equal(config.placeholders.n_image_tokens, 729);
        assert_int_equal(config.placeholders.anyres_max, 9);
        assert_false(config.placeholders.drop_first);
        lv_config_free(&config);
    }
    for (int i = 0; i < 3; i++)
        lv_free(theirs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_files_the_released_values_hold),
        cmocka_unit_test(absent_keys_take_the_class_defaults_and_null_means_none),
        cmocka_unit_test(sizes_crops_and_filters),
        cmocka_unit_test(refused_by_name),
        cmocka_unit_test(which_file_counts),
        cmocka_unit_test(the_released_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
