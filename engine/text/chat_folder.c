/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"

#define NAMED_FOLDER "additional_chat_templates"

/* *value, owned by root, is NULL when the key is absent or null; root is NULL when there is no
 * file. */
static LlavaovStatus read_key(
    LvChatFinder *f, const char *file, json_t **root, const json_t **value, bool *present)
{
    char *text;
    size_t bytes;
    *root = NULL;
    *value = NULL;
    *present = false;
    LlavaovStatus status = lv_file_read(file, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status == LLAVAOV_ERROR_NOT_FOUND) {
        lv_error_clear(f->error);
        return LLAVAOV_OK;
    }
    if (status != LLAVAOV_OK)
        return status;
    status = lv_json_parse(text, bytes, file, false, root, f->error);
    lv_free(text);
    if (status != LLAVAOV_OK)
        return status;
    *value = json_object_get(*root, "chat_template");
    *present = *value != NULL;
    if (json_is_null(*value))
        *value = NULL;
    return LLAVAOV_OK;
}

/* Lists the names of additional_chat_templates/NAME.jinja for an error message; returns how many
 * there are. */
static size_t count_named(const char *folder, char *out, size_t room)
{
    size_t n = 0, written = 0;
    char *path = lv_chat_path(folder, NAMED_FOLDER);
    DIR *directory = path ? opendir(path) : NULL;
    lv_free(path);
    out[0] = '\0';
    for (struct dirent *entry; directory && (entry = readdir(directory)) && n < 1000;) {
        if (!lv_chat_has_suffix(entry->d_name, ".jinja"))
            continue;
        int added = snprintf(out + written, room - written, "%s%.*s", n++ ? ", " : "",
            (int)strlen(entry->d_name) - 6, entry->d_name);
        if (added > 0 && (size_t)added < room - written)
            written += (size_t)added;
        out[written] = '\0';
    }
    if (directory)
        closedir(directory);
    return n;
}

/* Reads FOLDER/name; source->text stays NULL if there is no such file. */
static LlavaovStatus take_file(LvChatFinder *f, const char *name)
{
    char *path = lv_chat_path(f->folder, name), *text = NULL;
    size_t bytes = 0;
    if (!path)
        return lv_chat_no_memory(f);
    LlavaovStatus status = lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status == LLAVAOV_OK) {
        status = lv_chat_found(f, text, bytes, path);
    } else if (status == LLAVAOV_ERROR_NOT_FOUND) {
        lv_error_clear(f->error);
        status = LLAVAOV_OK;
    }
    lv_free(path);
    return status;
}

static LlavaovStatus take_named(LvChatFinder *f, const char *name)
{
    char file[320];
    if (strchr(name, '/') ||
        (size_t)snprintf(file, sizeof file, NAMED_FOLDER "/%s.jinja", name) >= sizeof file)
        return LLAVAOV_OK;
    return take_file(f, file);
}

/* From FOLDER/file's key. *present: the file has the key, even if it is null. */
static LlavaovStatus take_key(LvChatFinder *f, const char *file, const char *name, bool *present)
{
    char *path = lv_chat_path(f->folder, file);
    if (!path)
        return lv_chat_no_memory(f);
    json_t *root;
    const json_t *value;
    LlavaovStatus status = read_key(f, path, &root, &value, present);
    const bool legacy = strcmp(file, "chat_template.json") == 0;
    if (status == LLAVAOV_OK && legacy && root && !*present)
        status = lv_fail(f->error, LLAVAOV_ERROR_FORMAT, LV_CHAT_SUBJECT,
            "%s: there is no key chat_template", path);
    if (status == LLAVAOV_OK && value)
        status = lv_chat_take_value(f, value, path, name);
    json_decref(root);
    lv_free(path);
    return status;
}

LlavaovStatus lv_chat_take_own(LvChatFinder *f, const char *name)
{
    const bool is_default = strcmp(name, "default") == 0;
    char names[160];
    bool present;
    LlavaovStatus status = take_key(f, "processor_config.json", name, &present);
    if (status != LLAVAOV_OK || f->source->text)
        return status;
    status = take_key(f, "chat_template.json", name, &present);
    const size_t n_named = count_named(f->folder, names, sizeof names);
    if (status == LLAVAOV_OK && present && n_named > 0)
        return lv_fail(f->error, LLAVAOV_ERROR_FORMAT, LV_CHAT_SUBJECT,
            "%s holds chat_template.json and " NAMED_FOLDER
            "/: transformers takes either, not both",
            f->folder);
    if (status != LLAVAOV_OK || present)
        return status;
    if (is_default)
        status = take_file(f, "chat_template.jinja");
    if (status == LLAVAOV_OK && !f->source->text)
        status = take_named(f, name);
    if (status == LLAVAOV_OK && !f->source->text && is_default && n_named > 0)
        return lv_fail(f->error, LLAVAOV_ERROR_UNSUPPORTED, LV_CHAT_SUBJECT,
            "%s has several chat templates and none of them is the default: set chat-template to "
            "one of %s",
            f->folder, names);
    return status;
}
