/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/preprocessor_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/config_parts.h"
#include "checkpoint/json.h"

/* One processor's fields. */
typedef struct PreprocessReader {
    const json_t *object;
    const char *file;
    LvPreprocess *out;
} PreprocessReader;

static bool is_null(const PreprocessReader *r, const char *name)
{
    return json_is_null(json_object_get(r->object, name));
}

static bool flag(PreprocessReader *r, const char *name, bool absent)
{
    const json_t *value = json_object_get(r->object, name);
    if (!value)
        return absent;
    if (!json_is_boolean(value) && !json_is_null(value))
        lv_refuse(&r->out->refusal, r->file, name, "must be true, false or null");
    return json_is_true(value);
}

/* A list of three numbers, or one number for all; false if it is neither. */
static bool channels(
    PreprocessReader *r, const char *name, const double absent[3], double values[3])
{
    const json_t *value = json_object_get(r->object, name);
    const size_t n = json_array_size(value);
    memcpy(values, absent, 3 * sizeof *values);
    if (!value)
        return true;
    if (json_is_null(value))
        return false;
    if (!json_is_number(value) && n != 1 && n != 3) {
        lv_refuse(&r->out->refusal, r->file, name, "must be three numbers");
        return false;
    }
    for (size_t c = 0; c < 3; c++) {
        const json_t *number = json_is_array(value) ? json_array_get(value, n == 1 ? 0 : c) : value;
        values[c] = json_number_value(number);
        if (!json_is_number(number) || !isfinite(values[c]) || fabs(values[c]) > 1e6) {
            lv_refuse(&r->out->refusal, r->file, name, "must be three numbers");
            return false;
        }
    }
    return true;
}

static void read_values(PreprocessReader *r)
{
    static const double clip_mean[3] = {0.48145466, 0.4578275, 0.40821073},
                        clip_std[3] = {0.26862954, 0.26130258, 0.27577711};
    double mean[3], std[3], factor = 1 / 255.0;
    const bool rescale = flag(r, "do_rescale", true), normalize = flag(r, "do_normalize", true);
    const json_t *given = json_object_get(r->object, "rescale_factor");
    if (json_is_number(given))
        factor = json_number_value(given);
    if (rescale && given && (!json_is_number(given) || !isfinite(factor) || factor == 0))
        lv_refuse(&r->out->refusal, r->file, "rescale_factor",
            "must be a number other than 0 where do_rescale is true");
    const bool has_mean = channels(r, "image_mean", clip_mean, mean);
    const bool has_std = channels(r, "image_std", clip_std, std);
    if (normalize && (!has_mean || !has_std))
        lv_refuse(&r->out->refusal, r->file, has_mean ? "image_std" : "image_mean",
            "is wanted where do_normalize is true: transformers fails without it, too");
    const json_t *list = json_object_get(r->object, "image_mean");
    r->out->padding = !list || json_array_size(list) == 3 ? LV_PADDING_ALWAYS
                      : json_is_array(list)               ? LV_PADDING_SQUARES
                                                          : LV_PADDING_NEVER;
    LvPixelValues *v = &r->out->values;
    *v = (LvPixelValues){.scale = 1, .std = {1, 1, 1}};
    if (rescale && !normalize)
        v->scale = (float)factor;
    for (int c = 0; c < 3; c++) {
        r->out->pad[c] = (uint8_t)(int32_t)(mean[c] * 255); /* modulo 256, as the reference's */
        if (!normalize)
            continue;
        if (std[c] == 0)
            lv_refuse(
                &r->out->refusal, r->file, "image_std", "has a 0: all pixels become infinite");
        /* The reference folds the rescaling into them, in float32. */
        v->mean[c] = (float)mean[c] * (rescale ? (float)(1.0 / factor) : 1.0f);
        v->std[c] = (float)std[c] * (rescale ? (float)(1.0 / factor) : 1.0f);
    }
}

static void read_filter(PreprocessReader *r)
{
    static const char *const names[] = {
        "nearest-exact", "lanczos", "bilinear", "bicubic", "box", "hamming"};
    const json_t *value = json_object_get(r->object, "resample");
    if (!value)
        return;
    if (json_is_integer(value) && json_integer_value(value) >= LV_FILTER_NEAREST &&
        json_integer_value(value) <= LV_FILTER_HAMMING) {
        r->out->filter = (LvFilter)json_integer_value(value);
        return;
    }
    for (size_t i = 0; json_is_string(value) && i < sizeof names / sizeof *names; i++)
        if (!strcmp(json_string_value(value), names[i])) {
            r->out->filter = (LvFilter)i;
            return;
        }
    if (!json_is_null(value) || r->out->resize)
        lv_refuse(&r->out->refusal, r->file, "resample",
            json_is_null(value)
                ? "is null: transformers, too, wants a filter where do_resize is true"
                : "is no filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming");
}

static bool edge(const json_t *value, uint32_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > LV_MAX_PICTURE_EDGE)
        return false;
    *out = (uint32_t)json_integer_value(value);
    return true;
}

/* Both of an object's members, or of a list's. */
static bool edges(const json_t *value, uint32_t *height, uint32_t *width)
{
    return json_is_array(value)
               ? json_array_size(value) == 2 && edge(json_array_get(value, 0), height) &&
                     edge(json_array_get(value, 1), width)
               : edge(json_object_get(value, "height"), height) &&
                     edge(json_object_get(value, "width"), width);
}

static bool given(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value);
}

static void read_size(PreprocessReader *r)
{
    LvPreprocess *out = r->out;
    const json_t *size = json_object_get(r->object, "size");
    out->height = out->width = 384;
    if (!size)
        return;
    out->height = out->width = 0;
    if (json_is_null(size)) {
        if (out->resize)
            lv_refuse(&r->out->refusal, r->file, "size",
                "is null: transformers, too, wants one where do_resize is true");
        return;
    }
    if (json_is_integer(size) ? edge(size, &out->shortest_edge)
                              : edges(size, &out->height, &out->width))
        return;
    out->height = out->width = 0;
    if (json_is_object(size) && edge(json_object_get(size, "shortest_edge"), &out->shortest_edge) &&
        !given(size, "longest_edge"))
        return;
    lv_refuse(&r->out->refusal, r->file, "size",
        "must be height and width, or shortest_edge alone, from 1 to %u", LV_MAX_PICTURE_EDGE);
}

static void read_crop(PreprocessReader *r)
{
    LvPreprocess *out = r->out;
    const json_t *crop = json_object_get(r->object, "crop_size");
    const bool wanted = flag(r, "do_center_crop", false);
    uint32_t height = 0, width = 0;
    out->tile = out->height ? out->height : out->shortest_edge;
    if (crop && !json_is_null(crop)) {
        if (json_is_integer(crop) && edge(crop, &height))
            width = height;
        else if (!edges(crop, &height, &width))
            lv_refuse(&r->out->refusal, r->file, "crop_size",
                "must be height and width, from 1 to %u", LV_MAX_PICTURE_EDGE);
        out->tile = height;
    } else if (wanted) {
        lv_refuse(&r->out->refusal, r->file, "crop_size",
            "is wanted where do_center_crop is true, in transformers, too");
    }
    out->crop_height = wanted ? height : 0;
    out->crop_width = wanted ? width : 0;
}

/* The processor's own list; absent: the class's. */
static LlavaovStatus read_pinpoints(PreprocessReader *r, LvConfig *config, LlavaovError *error)
{
    LvPreprocess *out = r->out;
    if (is_null(r, "image_grid_pinpoints")) {
        out->no_pinpoints = true;
        return LLAVAOV_OK;
    }
    /* The function that reads the model's list fills a whole configuration; use a temporary one. */
    LvConfig own = {.vision.image_size = 384};
    LlavaovError reason;
    LvFields fields = {r->object, r->file, "", &reason, LLAVAOV_OK};
    lv_config_pinpoints(&fields, &own);
    if (fields.status == LLAVAOV_ERROR_MEMORY)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, "image_grid_pinpoints", "%s", reason.message);
    if (fields.status || json_is_string(json_object_get(r->object, "image_grid_pinpoints"))) {
        lv_config_free(&own);
        lv_refuse(
            &r->out->refusal, r->file, "image_grid_pinpoints", "must be a list of [height, width]");
        return LLAVAOV_OK;
    }
    lv_free(out->pinpoints);
    out->pinpoints = own.pinpoints;
    out->n_pinpoints = own.n_pinpoints;
    out->no_pinpoints = own.n_pinpoints == 0;
    return LLAVAOV_OK;
}

/* "LlavaOnevisionImageProcessor" with what versions append to it. */
static void check_type(PreprocessReader *r, const char *field, const char *wanted)
{
    const char *type = json_string_value(json_object_get(r->object, field));
    const size_t n = strlen(wanted);
    if (!type || !strcmp(type, wanted) ||
        (!strncmp(type, wanted, n) && (!strcmp(type + n, "Fast") || !strcmp(type + n, "Pil"))))
        return;
    lv_refuse(
        &r->out->refusal, r->file, field, "is \"%.64s\"; only %s is known here", type, wanted);
}

static void read_one(PreprocessReader *r)
{
    r->out->resize = flag(r, "do_resize", true);
    read_values(r);
    read_filter(r);
    read_size(r);
    read_crop(r);
}

static void read_placeholders(const json_t *processor, const char *file, LvConfig *config)
{
    LvPlaceholderCount *p = &config->placeholders;
    const char *aspect = "anyres_max_9";
    const json_t *tokens = json_object_get(processor, "num_image_tokens");
    const json_t *text = json_object_get(processor, "vision_aspect_ratio");
    const char *strategy =
        json_string_value(json_object_get(processor, "vision_feature_select_strategy"));
    p->read = true;
    if (json_is_integer(tokens) && json_integer_value(tokens) > 0 &&
        json_integer_value(tokens) <= (json_int_t)LV_MAX_IMAGE_SIZE * LV_MAX_IMAGE_SIZE)
        p->n_image_tokens = (uint32_t)json_integer_value(tokens);
    if (text)
        aspect = json_is_string(text) ? json_string_value(text) : "";
    snprintf(p->aspect_ratio, sizeof p->aspect_ratio, "%s", aspect);
    p->anyres_max = lv_anyres_of(aspect);
    p->drop_first = strategy && !strcmp(strategy, "default");
    const char *class = json_string_value(json_object_get(processor, "processor_class"));
    PreprocessReader image = {processor, file, &config->image},
                     video = {processor, file, &config->video};
    if (class && strcmp(class, "LlavaOnevisionProcessor")) {
        lv_refuse(&image.out->refusal, image.file, "processor_class",
            "is \"%.64s\"; only LlavaOnevisionProcessor is known here", class);
        lv_refuse(&video.out->refusal, video.file, "processor_class",
            "is \"%.64s\"; only LlavaOnevisionProcessor is known here", class);
    }
}

static LlavaovStatus parse_file(const LvJsonFile *file, json_t **root, LlavaovError *error)
{
    *root = NULL;
    return file->text ? lv_json_parse(file->text, file->bytes, file->file, false, root, error)
                      : LLAVAOV_OK;
}

LlavaovStatus lv_preprocess_parse(
    const LvPreprocessFiles *files, LvConfig *config, LlavaovError *error)
{
    json_t *processor = NULL, *image = NULL, *video = NULL;
    LlavaovStatus status = parse_file(&files->processor, &processor, error);
    if (!status)
        status = parse_file(&files->image, &image, error);
    if (!status)
        status = parse_file(&files->video, &video, error);
    if (!status && processor)
        read_placeholders(processor, files->processor.file, config);

    const json_t *inner = json_object_get(processor, "image_processor");
    PreprocessReader r = {json_is_object(inner) ? inner : image,
        json_is_object(inner) ? files->processor.file : files->image.file, &config->image};
    if (!status && r.object) {
        check_type(&r, "image_processor_type", "LlavaOnevisionImageProcessor");
        read_one(&r);
        status = read_pinpoints(&r, config, error);
    }
    inner = json_object_get(processor, "video_processor");
    r = (PreprocessReader){json_is_object(inner) ? inner
                           : video               ? video
                                                 : image,
        json_is_object(inner) ? files->processor.file
        : video               ? files->video.file
                              : files->image.file,
        &config->video};
    if (!status && r.object) {
        check_type(&r, "video_processor_type", "LlavaOnevisionVideoProcessor");
        read_one(&r);
    }
    json_decref(processor);
    json_decref(image);
    json_decref(video);
    return status;
}
