/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "text/special_names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"

static const char *const standard[] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

#define N_STANDARD (sizeof standard / sizeof *standard)

/* The object in FOLDER/name; NULL when there is no such file. */
static LlavaovStatus read_object(
    const char *folder, const char *name, json_t **object, LlavaovError *error)
{
    char path[PATH_MAX], *text = NULL;
    size_t bytes;
    *object = NULL;
    if (!lv_path_join(path, folder, name))
        return LLAVAOV_OK;
    LlavaovStatus status = lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, error);
    if (status == LLAVAOV_OK)
        status = lv_json_parse_loose(text, bytes, path, object, error);
    else if (status == LLAVAOV_ERROR_NOT_FOUND) {
        lv_error_clear(error);
        status = LLAVAOV_OK;
    }
    lv_free(text);
    return status;
}

static bool is_standard(const char *name)
{
    for (size_t i = 0; i < N_STANDARD; i++)
        if (strcmp(name, standard[i]) == 0)
            return true;
    return false;
}

/* A token is a string or an object with its content; null removes it. */
static void take(json_t *variables, const char *name, json_t *value)
{
    if (json_is_object(value))
        value = json_object_get(value, "content");
    if (json_is_string(value))
        json_object_set(variables, name, value);
    else if (json_is_null(value))
        json_object_del(variables, name);
}

/* Other members called ..._token count if they are strings. */
static void take_all(json_t *variables, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const size_t n = strlen(key);
        if (is_standard(key))
            take(variables, key, value);
        else if (n > 6 && strcmp(key + n - 6, "_token") == 0 && json_is_string(value))
            take(variables, key, value);
    }
    json_object_foreach(json_object_get(object, "extra_special_tokens"), key, value)
        take(variables, key, value);
}

LlavaovStatus lv_special_names_read(const char *folder, json_t *variables, LlavaovError *error)
{
    json_t *config, *map = NULL;
    LlavaovStatus status = read_object(folder, "tokenizer_config.json", &config, error);
    const bool listed = json_object_get(config, "added_tokens_decoder") != NULL;
    if (status == LLAVAOV_OK && !listed)
        status = read_object(folder, "special_tokens_map.json", &map, error);
    if (status == LLAVAOV_OK) {
        static const char *const defaults[] = {"unk_token", "eos_token", "pad_token"};
        for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
            json_object_set_new(variables, defaults[i], json_string("<|endoftext|>"));
        take_all(variables, config);
        take_all(variables, map);
    }
    json_decref(config);
    json_decref(map);
    return status;
}
