/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_finder.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "checkpoint/json.h"

LlavaovStatus lv_chat_no_memory(LvChatFinder *f)
{
    return lv_fail(
        f->error, LLAVAOV_ERROR_MEMORY, LV_CHAT_SUBJECT, "no memory for a chat template");
}

char *lv_chat_path(const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = lv_alloc(bytes, 1);
    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

LlavaovStatus lv_chat_found(LvChatFinder *f, char *text, size_t bytes, const char *file)
{
    f->source->text = text;
    f->source->bytes = bytes;
    f->source->file = lv_strdup(file);
    return text && f->source->file ? LLAVAOV_OK : lv_chat_no_memory(f);
}

bool lv_chat_has_suffix(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

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

static LlavaovStatus take_string(LvChatFinder *f, const json_t *value, const char *file)
{
    const size_t bytes = json_string_length(value);
    char *text = lv_alloc(bytes + 1, 1);
    if (!text)
        return lv_chat_no_memory(f);
    memcpy(text, json_string_value(value), bytes + 1);
    return lv_chat_found(f, text, bytes, file);
}

LlavaovStatus lv_chat_take_value(
    LvChatFinder *f, const json_t *value, const char *file, const char *name)
{
    const LlavaovStatus wrong = f->choice ? LLAVAOV_ERROR_ARGUMENT : LLAVAOV_ERROR_FORMAT;
    if (json_is_string(value))
        return take_string(f, value, file);
    if (json_is_object(value)) {
        const json_t *one = json_object_get(value, name);
        char names[160];
        list_names(value, names, sizeof names);
        return json_is_string(one) ? take_string(f, one, file)
                                   : lv_fail(f->error, wrong, LV_CHAT_SUBJECT,
                                         "%s: there is no chat template named \"%.64s\" among: %s",
                                         file, name, names);
    }
    for (size_t i = 0; f->choice && i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *text = json_object_get(one, "template");
        const char *called = json_string_value(json_object_get(one, "name"));
        if (called && strcmp(called, name) == 0 && json_is_string(text))
            return take_string(f, text, file);
    }
    return lv_fail(f->error, wrong, LV_CHAT_SUBJECT,
        "%s: chat_template is neither a text nor an object of texts by name", file);
}

LlavaovStatus lv_chat_take_text(LvChatFinder *f, const char *text, size_t bytes, const char *file)
{
    if (!lv_chat_has_suffix(file, ".json")) {
        char *copy = lv_alloc(bytes + 1, 1);
        if (!copy)
            return lv_chat_no_memory(f);
        memcpy(copy, text, bytes);
        copy[bytes] = '\0';
        return lv_chat_found(f, copy, bytes, file);
    }
    json_t *root;
    LlavaovStatus status = lv_json_parse(text, bytes, file, false, &root, f->error);
    if (status != LLAVAOV_OK)
        return status;
    const json_t *value = json_object_get(root, "chat_template");
    status = value ? lv_chat_take_value(f, value, file, "default")
                   : lv_fail_about(f->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
                         LV_CHAT_SUBJECT, "%s: there is no key chat_template", file);
    json_decref(root);
    return status;
}
