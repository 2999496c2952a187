/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "checkpoint/shards.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

static LlavaovStatus no_memory(const char *file, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, file, "%s: out of memory", file);
}

static LlavaovStatus add_file(
    LvShards *shards, const char *name, const char *index, size_t *at, LlavaovError *error)
{
    for (*at = shards->n_files; *at > 0; --*at)
        if (!strcmp(shards->files[*at - 1], name)) {
            --*at;
            return LLAVAOV_OK;
        }
    if (shards->n_files >= LV_MAX_SHARDS)
        return lv_fail(
            error, LLAVAOV_ERROR_FORMAT, index, "%s: more than %u files", index, LV_MAX_SHARDS);
    if (!shards->files)
        shards->files = lv_calloc(LV_MAX_SHARDS, sizeof *shards->files);
    char *copy = shards->files ? lv_strdup(name) : NULL;
    if (!copy)
        return no_memory(index, error);
    *at = shards->n_files;
    shards->files[shards->n_files++] = copy;
    return LLAVAOV_OK;
}

/* A plain file name: an untrusted index must not reach outside its folder. */
static bool plain(const char *name)
{
    return *name && strlen(name) <= NAME_MAX && !strchr(name, '/') && !strchr(name, '\\') &&
           strcmp(name, ".") && strcmp(name, "..");
}

static LlavaovStatus read_map(json_t *map, const char *file, LvShards *shards, LlavaovError *error)
{
    size_t n = json_object_size(map);
    if (n > LV_MAX_TENSORS)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, "weight_map",
            "%s: weight_map has %zu tensors; at most %u are supported", file, n, LV_MAX_TENSORS);
    if (!n)
        return lv_fail(
            error, LLAVAOV_ERROR_FORMAT, "weight_map", "%s: weight_map is missing or empty", file);
    shards->entries = lv_calloc(n, sizeof *shards->entries);
    if (!shards->entries)
        return no_memory(file, error);
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name || !plain(name))
            return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, tensor,
                "%s: weight_map has \"%.64s\" for %.128s; it must be the name of a file in the "
                "folder",
                file, name ? name : "(no text)", tensor);
        LvShardEntry *entry = &shards->entries[shards->n_entries];
        LlavaovStatus status = add_file(shards, name, file, &entry->file, error);
        if (status)
            return status;
        entry->tensor = lv_strdup(tensor);
        if (!entry->tensor)
            return no_memory(file, error);
        shards->n_entries++;
    }
    return LLAVAOV_OK;
}

LlavaovStatus lv_shards_parse(
    const char *json, size_t bytes, const char *file, LvShards *shards, LlavaovError *error)
{
    memset(shards, 0, sizeof *shards);
    json_t *root;
    LlavaovStatus status = lv_json_parse(json, bytes, file, true, &root, error);
    if (status)
        return status;
    LvFields fields = {root, file, "", error, LLAVAOV_OK};
    const json_t *map = NULL;
    lv_field_object(&fields, "weight_map", &map);
    status = fields.status ? fields.status : read_map((json_t *)map, file, shards, error);
    json_decref(root);
    if (status)
        lv_shards_free(shards);
    return status;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && !strcmp(name + n - m, suffix);
}

static LlavaovStatus only_file(const char *folder, LvShards *shards, LlavaovError *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return lv_fail(
            error, LLAVAOV_ERROR_IO, folder, "%s: cannot be listed: %s", folder, strerror(errno));
    LlavaovStatus status = LLAVAOV_OK;
    size_t count = 0, at, pickled = 0;
    for (struct dirent *entry; !status && (entry = readdir(directory));) {
        pickled += ends_with(entry->d_name, ".bin") || ends_with(entry->d_name, ".pth");
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, ".safetensors"))
            continue;
        if (!count++)
            status = add_file(shards, entry->d_name, folder, &at, error);
    }
    closedir(directory);
    if (status)
        return status;
    if (!count)
        return lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, single_name,
            "%s: no *.safetensors file in this folder%s", folder,
            pickled ? " (pickled weights are not supported: convert them to safetensors)" : "");
    if (count > 1)
        return lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, index_name,
            "%s: %zu *.safetensors files, but neither model.safetensors nor %s", folder, count,
            index_name);
    return LLAVAOV_OK;
}

LlavaovStatus lv_shards_find(const char *folder, LvShards *shards, LlavaovError *error)
{
    memset(shards, 0, sizeof *shards);
    char path[PATH_MAX];
    LlavaovStatus status;
    size_t at;
    if (lv_path_exists(path, folder, single_name))
        status = add_file(shards, single_name, folder, &at, error);
    else if (lv_path_exists(path, folder, index_name)) {
        char *text;
        size_t bytes;
        status = lv_file_read(path, LV_MAX_SAFETENSORS_HEADER, &text, &bytes, error);
        if (!status)
            status = lv_shards_parse(text, bytes, index_name, shards, error);
        lv_free(text);
    } else
        status = only_file(folder, shards, error);
    if (status)
        lv_shards_free(shards);
    return status;
}

void lv_shards_free(LvShards *shards)
{
    for (size_t i = 0; i < shards->n_files; i++)
        lv_free(shards->files[i]);
    for (size_t i = 0; i < shards->n_entries; i++)
        lv_free(shards->entries[i].tensor);
    lv_free(shards->files);
    lv_free(shards->entries);
    memset(shards, 0, sizeof *shards);
}
