/* SPDX-License-Identifier: Apache-2.0
 * processor_config.json, preprocessor_config.json and video_preprocessor_config.json, read as
 * transformers 5.x reads them: for images processor_config.json's "image_processor", else
 * preprocessor_config.json; for videos its "video_processor", else video_preprocessor_config.json,
 * else preprocessor_config.json. An absent key takes the class's default (mean and std: CLIP's),
 * null means none (so do_resize null is false), unknown keys are ignored. do_pad concerns batches
 * and does not pad single pictures; pictures are always RGB here, so do_convert_rgb has no effect;
 * which frames are sampled (do_sample_frames, fps, num_frames) is not up to these files.
 *
 * Without any of these files the model's own configuration and the released values are used.
 *
 * What the reference fails on and what is not supported here is kept as the reason why pictures of
 * that kind are refused (LvPreprocess.refusal); text alone and the other kind still work. */
#ifndef LV_PREPROCESSOR_CONFIG_H
#define LV_PREPROCESSOR_CONFIG_H

#include "checkpoint/config.h"

/* One file. text NULL: there is none. */
typedef struct LvJsonFile {
    const char *text;
    size_t bytes;
    const char *file; /* its name, for errors */
} LvJsonFile;

typedef struct LvPreprocessFiles {
    LvJsonFile processor, image, video;
} LvPreprocessFiles;

/* Into config->image, ->video and ->placeholders, over the defaults. Errors: FORMAT (no JSON
 * object), MEMORY. */
LlavaovStatus lv_preprocess_parse(
    const LvPreprocessFiles *files, LvConfig *config, LlavaovError *error);

#endif
