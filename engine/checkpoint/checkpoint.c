/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "checkpoint/checkpoint.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "checkpoint/preprocessor_config.h"
#include "checkpoint/recognise.h"
#include "checkpoint/shards.h"
#include "checkpoint/tensor_table.h"

struct LvCheckpoint {
    char *folder;
    LvConfig config;
    LvGenerationConfig generation;
    LvShards shards;
    LvSafetensors *files; /* as shards.files */
    LvTensorTable table;
};

/* The first reason why the path is not a checkpoint folder, if there is one. */
static LlavaovStatus check_folder(const char *folder, LlavaovError *error)
{
    LvReasons reasons = {0};
    lv_recognise(folder, &reasons);
    LlavaovStatus status = lv_reasons_first(&reasons, error);
    lv_reasons_free(&reasons);
    return status;
}

static LlavaovStatus join(
    const char *folder, const char *name, char path[PATH_MAX], LlavaovError *error)
{
    if (!lv_path_join(path, folder, name))
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, folder, "%s: the path is too long", folder);
    return LLAVAOV_OK;
}

/* *text: lv_free. Errors give the file's full path, since several checkpoints may be open. */
static LlavaovStatus read_text(const LvCheckpoint *checkpoint, const char *name,
    char path[PATH_MAX], char **text, size_t *bytes, LlavaovError *error)
{
    LlavaovStatus status = join(checkpoint->folder, name, path, error);
    return status ? status : lv_file_read(path, LV_MAX_CONFIG_BYTES, text, bytes, error);
}

static LlavaovStatus read_generation(
    LvCheckpoint *checkpoint, const char *model, size_t model_bytes, LlavaovError *error)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    LvGenerationConfig *generation = &checkpoint->generation;
    LlavaovStatus status =
        read_text(checkpoint, "generation_config.json", path, &text, &bytes, error);
    if (status == LLAVAOV_ERROR_NOT_FOUND) {
        lv_error_clear(error);
        status = join(checkpoint->folder, "config.json", path, error);
        return status
                   ? status
                   : lv_generation_config_parse_model(model, model_bytes, path, generation, error);
    }
    if (status)
        return status;
    status = lv_generation_config_parse(text, bytes, path, generation, error);
    lv_free(text);
    return status;
}

/* Any of the three files may be missing. LLaVA-NeXT's own code reads none of them. */
static LlavaovStatus read_preprocessing(LvCheckpoint *checkpoint, LlavaovError *error)
{
    static const char *const names[3] = {
        "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"};
    char paths[3][PATH_MAX], *texts[3] = {NULL, NULL, NULL};
    LvJsonFile files[3] = {0};
    LlavaovStatus status = LLAVAOV_OK;
    if (checkpoint->config.original_layout)
        return LLAVAOV_OK;
    for (int i = 0; i < 3 && !status; i++) {
        size_t bytes = 0;
        status = read_text(checkpoint, names[i], paths[i], &texts[i], &bytes, error);
        files[i] = (LvJsonFile){status ? NULL : texts[i], bytes, paths[i]};
        if (status == LLAVAOV_ERROR_NOT_FOUND) {
            lv_error_clear(error);
            texts[i] = NULL;
            status = LLAVAOV_OK;
        }
    }
    if (!status)
        status = lv_preprocess_parse(
            &(LvPreprocessFiles){files[0], files[1], files[2]}, &checkpoint->config, error);
    for (int i = 0; i < 3; i++)
        lv_free(texts[i]);
    return status;
}

static LlavaovStatus read_configs(LvCheckpoint *checkpoint, LlavaovError *error)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    LlavaovStatus status = read_text(checkpoint, "config.json", path, &text, &bytes, error);
    if (status)
        return status;
    status = lv_config_parse(text, bytes, path, &checkpoint->config, error);
    if (!status)
        status = read_generation(checkpoint, text, bytes, error);
    if (!status)
        status = read_preprocessing(checkpoint, error);
    lv_free(text);
    return status;
}

static LlavaovStatus open_files(LvCheckpoint *checkpoint, LlavaovError *error)
{
    LvShards *shards = &checkpoint->shards;
    LlavaovStatus status = lv_shards_find(checkpoint->folder, shards, error);
    if (status)
        return status;
    checkpoint->files = lv_calloc(shards->n_files, sizeof *checkpoint->files);
    if (!checkpoint->files)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, checkpoint->folder, "%s: out of memory",
            checkpoint->folder);
    for (size_t i = 0; !status && i < shards->n_files; i++) {
        char path[PATH_MAX];
        status = join(checkpoint->folder, shards->files[i], path, error);
        if (!status)
            status = lv_safetensors_open(path, shards->files[i], &checkpoint->files[i], error);
        if (!status)
            status =
                lv_table_add(&checkpoint->table, &checkpoint->files[i], shards->files[i], error);
    }
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every tensor listed in the index must be in the file it is listed for. */
static LlavaovStatus check_index(const LvCheckpoint *checkpoint, LlavaovError *error)
{
    const LvShards *shards = &checkpoint->shards;
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t f = 0; !status && shards->n_entries && f < shards->n_files; f++) {
        const LvSafetensors *file = &checkpoint->files[f];
        const char **names = lv_alloc(file->n_tensors, sizeof *names);
        if (!names)
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, shards->files[f], "%s: out of memory",
                shards->files[f]);
        for (size_t i = 0; i < file->n_tensors; i++)
            names[i] = file->tensors[i].name;
        qsort(names, file->n_tensors, sizeof *names, by_text);
        for (size_t i = 0; !status && i < shards->n_entries; i++) {
            const LvShardEntry *entry = &shards->entries[i];
            const char *key = entry->tensor;
            if (entry->file == f && !bsearch(&key, names, file->n_tensors, sizeof *names, by_text))
                status =
                    lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, entry->tensor,
                        "%s: tensor %.128s is missing, which model.safetensors.index.json promises "
                        "there",
                        shards->files[f], entry->tensor);
        }
        lv_free(names);
    }
    return status;
}

static LlavaovStatus read_all(LvCheckpoint *checkpoint, LlavaovError *error)
{
    LlavaovStatus status = check_folder(checkpoint->folder, error);
    if (!status)
        status = read_configs(checkpoint, error);
    if (!status)
        status = open_files(checkpoint, error);
    if (!status)
        status = check_index(checkpoint, error);
    if (!status)
        status = lv_table_check(&checkpoint->table, &checkpoint->config, checkpoint->folder, error);
    if (!status)
        status = lv_table_align(&checkpoint->table, error);
    return status;
}

static LlavaovStatus open_with(const char *folder,
    LlavaovStatus (*read)(LvCheckpoint *checkpoint, LlavaovError *error), LvCheckpoint **result,
    LlavaovError *error)
{
    *result = NULL;
    LvCheckpoint *checkpoint = lv_calloc(1, sizeof *checkpoint);
    if (checkpoint)
        checkpoint->folder = lv_strdup(folder);
    LlavaovStatus status =
        checkpoint && checkpoint->folder
            ? read(checkpoint, error)
            : lv_fail(error, LLAVAOV_ERROR_MEMORY, folder, "%s: out of memory", folder);
    if (status)
        lv_checkpoint_close(checkpoint);
    else
        *result = checkpoint;
    return status;
}

LlavaovStatus lv_checkpoint_open(const char *folder, LvCheckpoint **result, LlavaovError *error)
{
    return open_with(folder, read_all, result, error);
}

LlavaovStatus lv_checkpoint_open_configs(
    const char *folder, LvCheckpoint **result, LlavaovError *error)
{
    return open_with(folder, read_configs, result, error);
}

void lv_checkpoint_close(LvCheckpoint *checkpoint)
{
    if (!checkpoint)
        return;
    lv_table_free(&checkpoint->table);
    for (size_t i = 0; checkpoint->files && i < checkpoint->shards.n_files; i++)
        lv_safetensors_close(&checkpoint->files[i]);
    lv_free(checkpoint->files);
    lv_shards_free(&checkpoint->shards);
    lv_config_free(&checkpoint->config);
    lv_generation_config_free(&checkpoint->generation);
    lv_free(checkpoint->folder);
    lv_free(checkpoint);
}

const LvConfig *lv_checkpoint_config(const LvCheckpoint *checkpoint)
{
    return &checkpoint->config;
}

const LvGenerationConfig *lv_checkpoint_generation(const LvCheckpoint *checkpoint)
{
    return &checkpoint->generation;
}

const char *lv_checkpoint_folder(const LvCheckpoint *checkpoint)
{
    return checkpoint->folder;
}

const LvHostTensor *lv_checkpoint_tensor(const LvCheckpoint *checkpoint, const char *canonical_name)
{
    return lv_table_find(&checkpoint->table, canonical_name);
}

uint64_t lv_checkpoint_weight_bytes(const LvCheckpoint *checkpoint)
{
    return checkpoint->table.bytes;
}

const uint64_t *lv_checkpoint_weight_elements(const LvCheckpoint *checkpoint)
{
    return checkpoint->table.elements;
}
