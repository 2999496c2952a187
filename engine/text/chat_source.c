/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/config.h"
#include "checkpoint/json.h"

#define NAMED_FOLDER "additional_chat_templates"
#define SUBJECT "chat-template"

typedef struct Finder {
    const char *folder, *choice;
    LvChatSource *source;
    LlavaovError *error;
} Finder;

static LlavaovStatus no_memory(Finder *f)
{
    return lv_fail(f->error, LLAVAOV_ERROR_MEMORY, SUBJECT, "no memory for a chat template");
}

static char *join(const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = lv_alloc(bytes, 1);
    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

/* Takes text; file is copied. */
static LlavaovStatus found(Finder *f, char *text, size_t bytes, const char *file)
{
    f->source->text = text;
    f->source->bytes = bytes;
    f->source->file = lv_strdup(file);
    return text && f->source->file ? LLAVAOV_OK : no_memory(f);
}

/* ---- values of the key chat_template ---- */

/* The names in an object of templates, for an error message. */
static void list_names(const json_t *named, char *out, size_t room)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    out[0] = '\0';
    json_object_foreach((json_t *)named, key, value)
    {
        int added = snprintf(out + n, room - n, "%s%.40s", n ? ", " : "", key);
        if (added < 0 || (size_t)added >= room - n)
            break;
        n += (size_t)added;
    }
}

static LlavaovStatus take_string(Finder *f, const json_t *value, const char *file)
{
    const size_t bytes = json_string_length(value);
    char *text = lv_alloc(bytes + 1, 1);
    if (!text)
        return no_memory(f);
    memcpy(text, json_string_value(value), bytes + 1);
    return found(f, text, bytes, file);
}

/* A string, or an object of strings by name. A file that the user chose may also hold a list of
 * {"name", "template"}, as tokenizers do; transformers opens no processor with one. */
static LlavaovStatus take_value(Finder *f, const json_t *value, const char *file, const char *name)
{
    const LlavaovStatus wrong = f->choice ? LLAVAOV_ERROR_ARGUMENT : LLAVAOV_ERROR_FORMAT;
    if (json_is_string(value))
        return take_string(f, value, file);
    if (json_is_object(value)) {
        const json_t *one = json_object_get(value, name);
        char names[160];
        list_names(value, names, sizeof names);
        return json_is_string(one) ? take_string(f, one, file)
                                   : lv_fail(f->error, wrong, SUBJECT,
                                         "%s: there is no chat template named \"%.64s\" among: %s",
                                         file, name, names);
    }
    for (size_t i = 0; f->choice && i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *text = json_object_get(one, "template");
        const char *called = json_string_value(json_object_get(one, "name"));
        if (called && strcmp(called, name) == 0 && json_is_string(text))
            return take_string(f, text, file);
    }
    return lv_fail(f->error, wrong, SUBJECT,
        "%s: chat_template is neither a text nor an object of texts by name", file);
}

/* *value, owned by root, is NULL when the key is absent or null; root is NULL when there is no
 * file. */
static LlavaovStatus read_key(
    Finder *f, const char *file, json_t **root, const json_t **value, bool *present)
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

/* ---- the folder's own ---- */

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

/* Lists the names of additional_chat_templates/NAME.jinja for an error message; returns how many
 * there are. */
static size_t count_named(const char *folder, char *out, size_t room)
{
    size_t n = 0, written = 0;
    char *path = join(folder, NAMED_FOLDER);
    DIR *directory = path ? opendir(path) : NULL;
    lv_free(path);
    out[0] = '\0';
    for (struct dirent *entry; directory && (entry = readdir(directory)) && n < 1000;) {
        if (!has_suffix(entry->d_name, ".jinja"))
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
static LlavaovStatus take_file(Finder *f, const char *name)
{
    char *path = join(f->folder, name), *text = NULL;
    size_t bytes = 0;
    if (!path)
        return no_memory(f);
    LlavaovStatus status = lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status == LLAVAOV_OK) {
        status = found(f, text, bytes, path);
    } else if (status == LLAVAOV_ERROR_NOT_FOUND) {
        lv_error_clear(f->error);
        status = LLAVAOV_OK;
    }
    lv_free(path);
    return status;
}

static LlavaovStatus take_named(Finder *f, const char *name)
{
    char file[320];
    if (strchr(name, '/') ||
        (size_t)snprintf(file, sizeof file, NAMED_FOLDER "/%s.jinja", name) >= sizeof file)
        return LLAVAOV_OK;
    return take_file(f, file);
}

/* From FOLDER/file's key. *present: the file has the key, even if it is null. */
static LlavaovStatus take_key(Finder *f, const char *file, const char *name, bool *present)
{
    char *path = join(f->folder, file);
    if (!path)
        return no_memory(f);
    json_t *root;
    const json_t *value;
    LlavaovStatus status = read_key(f, path, &root, &value, present);
    const bool legacy = strcmp(file, "chat_template.json") == 0;
    if (status == LLAVAOV_OK && legacy && root && !*present)
        status = lv_fail(
            f->error, LLAVAOV_ERROR_FORMAT, SUBJECT, "%s: there is no key chat_template", path);
    if (status == LLAVAOV_OK && value)
        status = take_value(f, value, path, name);
    json_decref(root);
    lv_free(path);
    return status;
}

/* The folder's template of this name; the only template of a folder is called "default".
 * source->text stays NULL where there is none. */
static LlavaovStatus take_own(Finder *f, const char *name)
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
        return lv_fail(f->error, LLAVAOV_ERROR_FORMAT, SUBJECT,
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
        return lv_fail(f->error, LLAVAOV_ERROR_UNSUPPORTED, SUBJECT,
            "%s has several chat templates and none of them is the default: set chat-template to "
            "one of %s",
            f->folder, names);
    return status;
}

static LlavaovStatus take_builtin(Finder *f, const char *name)
{
    const char *text = lv_chat_builtin(name);
    char file[32];
    snprintf(file, sizeof file, "(%s)", name);
    return found(f, lv_strdup(text), strlen(text), file);
}

static LlavaovStatus is_original_layout(Finder *f, bool *original)
{
    char *path = join(f->folder, "config.json"), *text = NULL;
    size_t bytes;
    if (!path)
        return no_memory(f);
    LvConfig config;
    LlavaovStatus status = lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status == LLAVAOV_OK) {
        status = lv_config_parse(text, bytes, path, &config, f->error);
        lv_free(text);
    }
    if (status == LLAVAOV_OK) {
        *original = config.original_layout;
        lv_config_free(&config);
    }
    lv_free(path);
    return status;
}

static LlavaovStatus find_default(Finder *f)
{
    LvChatSource *source = f->source;
    LlavaovStatus status = take_own(f, "default");
    if (status != LLAVAOV_OK)
        return status;
    if (source->text) {
        const char *slash = strrchr(source->file, '/');
        snprintf(source->why, sizeof source->why, "%.120s, the checkpoint's own",
            slash ? slash + 1 : source->file);
        return LLAVAOV_OK;
    }
    bool original = false;
    status = is_original_layout(f, &original);
    if (status != LLAVAOV_OK)
        return status;
    if (!original)
        return lv_fail(f->error, LLAVAOV_ERROR_UNSUPPORTED, SUBJECT,
            "%s holds no chat template (processor_config.json, chat_template.json or "
            "chat_template.jinja): set chat-template to a file, or to hub, conversion or qwen_1_5",
            f->folder);
    snprintf(source->why, sizeof source->why,
        "qwen_1_5, since the checkpoint is in the lmms-lab layout and holds none");
    return take_builtin(f, "qwen_1_5");
}

/* ---- the user's choice ---- */

/* Reports an error as one about the user's choice. */
static LlavaovStatus blame_choice(Finder *f, LlavaovStatus status)
{
    if (!f->error || status == LLAVAOV_ERROR_MEMORY)
        return status;
    char cause[sizeof f->error->message];
    snprintf(cause, sizeof cause, "%s", f->error->message);
    return lv_fail_about(f->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, SUBJECT,
        SUBJECT "=\"%.160s\": %.560s", f->choice, cause);
}

static LlavaovStatus take_text(Finder *f, const char *text, size_t bytes, const char *file)
{
    if (!has_suffix(file, ".json")) {
        char *copy = lv_alloc(bytes + 1, 1);
        if (!copy)
            return no_memory(f);
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
        return found(f, copy, bytes, file);
    }
    json_t *root;
    LlavaovStatus status = lv_json_parse(text, bytes, file, false, &root, f->error);
    if (status != LLAVAOV_OK)
        return status;
    const json_t *value = json_object_get(root, "chat_template");
    status = value ? take_value(f, value, file, "default")
                   : lv_fail_about(f->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, SUBJECT,
                         "%s: there is no key chat_template", file);
    json_decref(root);
    return status;
}

LlavaovStatus lv_chat_source_parse(
    const char *text, size_t bytes, const char *file, LvChatSource *source, LlavaovError *error)
{
    *source = (LvChatSource){0};
    Finder f = {NULL, file, source, error};
    LlavaovStatus status = take_text(&f, text, bytes, file);
    if (status != LLAVAOV_OK)
        lv_chat_source_free(source);
    return status;
}

static LlavaovStatus take_chosen_file(Finder *f)
{
    char *text;
    size_t bytes;
    LlavaovStatus status = lv_file_read(f->choice, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status != LLAVAOV_OK)
        return status;
    status = take_text(f, text, bytes, f->choice);
    lv_free(text);
    return status;
}

static LlavaovStatus find_chosen(Finder *f)
{
    LvChatSource *source = f->source;
    if (!*f->choice)
        return lv_fail_about(f->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, SUBJECT,
            SUBJECT "=\"\": a file, or hub, conversion or qwen_1_5");
    if (lv_chat_builtin(f->choice)) {
        snprintf(source->why, sizeof source->why, "%s, as chosen", f->choice);
        return take_builtin(f, f->choice);
    }
    LlavaovStatus status = take_chosen_file(f);
    if (status == LLAVAOV_OK) {
        snprintf(source->why, sizeof source->why, "%.200s, as chosen", f->choice);
        return LLAVAOV_OK;
    }
    LlavaovError ignored;
    Finder own = *f;
    own.error = &ignored;
    if (!strchr(f->choice, '/') && take_own(&own, f->choice) == LLAVAOV_OK && source->text) {
        lv_error_clear(f->error);
        snprintf(source->why, sizeof source->why, "the checkpoint's %.120s, as chosen", f->choice);
        return LLAVAOV_OK;
    }
    return blame_choice(f, status);
}

LlavaovStatus lv_chat_source_find(
    const char *folder, const char *choice, LvChatSource *source, LlavaovError *error)
{
    *source = (LvChatSource){0};
    LlavaovError own; /* blame_choice reads it */
    lv_error_clear(&own);
    Finder f = {folder, choice, source, &own};
    LlavaovStatus status = choice ? find_chosen(&f) : find_default(&f);
    if (status != LLAVAOV_OK) {
        lv_chat_source_free(source);
        if (error)
            *error = own;
    }
    return status;
}

void lv_chat_source_free(LvChatSource *source)
{
    lv_free(source->text);
    lv_free(source->file);
    *source = (LvChatSource){0};
}
