/* SPDX-License-Identifier: Apache-2.0
 * Paths that people give instead of a checkpoint folder. */
#ifndef LV_RECOGNISE_PATH_H
#define LV_RECOGNISE_PATH_H

#include <stdbool.h>

#include "checkpoint/reasons.h"

/* A checkpoint that messages name as an example. */
#define LV_EXAMPLE "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"

/* Whether path is a folder; otherwise adds the reason. */
bool lv_recognise_path(const char *path, LvReasons *reasons);

/* Adds the reason that folder is the Hub's cache, or (repository is "") the folder of one
 * repository in it, with the path of a snapshot, which is what to give. */
void lv_recognise_cache(const char *folder, const char *repository, LvReasons *reasons);

#endif
