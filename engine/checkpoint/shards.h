/* SPDX-License-Identifier: Apache-2.0
 * Which safetensors files a checkpoint folder consists of. */
#ifndef LV_SHARDS_H
#define LV_SHARDS_H

#include <stddef.h>

#include "llavaov.h"

typedef struct LvShardEntry {
    char *tensor; /* a key of weight_map */
    size_t file;  /* index into files */
} LvShardEntry;

typedef struct LvShards {
    char **files; /* names inside the folder */
    size_t n_files;
    LvShardEntry *entries; /* what the index lists; empty without an index */
    size_t n_entries;
} LvShards;

/* As the reference chooses: model.safetensors, else what model.safetensors.index.json lists, else
 * the only *.safetensors. */
LlavaovStatus lv_shards_find(const char *folder, LvShards *shards, LlavaovError *error);
/* Parses the text of an index; file names it in errors. File names must be plain names inside the
 * folder. */
LlavaovStatus lv_shards_parse(
    const char *json, size_t bytes, const char *file, LvShards *shards, LlavaovError *error);
void lv_shards_free(LvShards *shards);

#endif
