/* SPDX-License-Identifier: Apache-2.0 */
#include "text/conversation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "text/utf8.h"

typedef struct ConversationReader {
    const char *file;
    LvConversation *conversation;
    size_t capacity; /* of media */
    LlavaovError *error;
} ConversationReader;

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a conversation");
}

/* "FILE: messages[2].content[0] <text>". part < 0: of the whole message. */
static LlavaovStatus bad(ConversationReader *r, LlavaovStatus status, size_t message, long part,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

static LlavaovStatus bad(
    ConversationReader *r, LlavaovStatus status, size_t message, long part, const char *format, ...)
{
    char where[96], text[384];
    if (part < 0)
        snprintf(where, sizeof where, "messages[%zu]", message);
    else
        snprintf(where, sizeof where, "messages[%zu].content[%ld]", message, part);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return lv_fail_about(
        r->error, status, LLAVAOV_ABOUT_PROMPT, where, "%s: %s %s", r->file, where, text);
}

static LlavaovStatus add_medium(ConversationReader *r, bool video, const char *source)
{
    LvConversation *c = r->conversation;
    if (c->n_media == LV_MAX_VISUALS_PER_REQUEST)
        return lv_fail_about(r->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "%s: more than %u pictures and clips", r->file, LV_MAX_VISUALS_PER_REQUEST);
    if (c->n_media == r->capacity) {
        const size_t capacity = 2 * r->capacity + 8;
        LvMedium *grown = lv_realloc(c->media, capacity, sizeof *grown);
        if (!grown)
            return no_memory(r->error);
        c->media = grown;
        r->capacity = capacity;
    }
    c->media[c->n_media++] = (LvMedium){video, source};
    return LLAVAOV_OK;
}

/* {"type": "image_url", "image_url": {"url": "..."}} becomes {"type": "image", "url": "..."}. */
static LlavaovStatus rename_url(ConversationReader *r, json_t *list, size_t at, json_t **part)
{
    json_t *value = json_object_get(*part, "image_url");
    if (json_is_object(value))
        value = json_object_get(value, "url");
    json_t *renamed = json_pack("{s:s, s:O?}", "type", "image", "url", value);
    if (!renamed || json_array_set_new(list, at, renamed) != 0)
        return no_memory(r->error);
    *part = renamed;
    return LLAVAOV_OK;
}

static LlavaovStatus take_part(ConversationReader *r, json_t *list, size_t message, size_t at)
{
    static const char *const places[] = {"image", "video", "url", "path"};
    json_t *part = json_array_get(list, at);
    const char *type = json_string_value(json_object_get(part, "type"));
    if (!type)
        return bad(r, LLAVAOV_ERROR_FORMAT, message, (long)at, "has no \"type\"");
    if (strcmp(type, "text") == 0)
        return json_is_string(json_object_get(part, "text"))
                   ? LLAVAOV_OK
                   : bad(r, LLAVAOV_ERROR_FORMAT, message, (long)at, "has no \"text\"");
    const bool video = strcmp(type, "video") == 0;
    if (strcmp(type, "image_url") == 0) {
        LlavaovStatus status = rename_url(r, list, at, &part);
        if (status != LLAVAOV_OK)
            return status;
    } else if (!video && strcmp(type, "image") != 0) {
        return bad(r, LLAVAOV_ERROR_UNSUPPORTED, message, (long)at,
            "is of type \"%.64s\"; text, image, image_url and video are known", type);
    }
    const char *source = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const json_t *value = json_object_get(part, places[i]);
        if (!value || json_is_null(value) || (i < 2 && i != video))
            continue;
        if (!json_is_string(value))
            return bad(r, LLAVAOV_ERROR_UNSUPPORTED, message, (long)at,
                "has a \"%s\" that is no string: one file is wanted", places[i]);
        if (source)
            return bad(r, LLAVAOV_ERROR_FORMAT, message, (long)at, "names its file more than once");
        source = json_string_value(value);
    }
    return add_medium(r, video, source);
}

/* As in transformers 5.x, a message's reasoning is available to templates under both names. */
static LlavaovStatus name_reasoning(ConversationReader *r, json_t *message)
{
    json_t *reasoning = json_object_get(message, "reasoning_content");
    json_t *thinking = json_object_get(message, "thinking");
    if (!reasoning)
        reasoning = thinking ? thinking : json_object_get(message, "reasoning");
    if (!reasoning)
        return LLAVAOV_OK;
    bool good = thinking || json_object_set(message, "thinking", reasoning) == 0;
    good = good && json_object_set(message, "reasoning_content", reasoning) == 0;
    return good ? LLAVAOV_OK : no_memory(r->error);
}

static LlavaovStatus take_message(ConversationReader *r, size_t index)
{
    json_t *message = json_array_get(r->conversation->messages, index), *value;
    if (!json_is_object(message))
        return bad(r, LLAVAOV_ERROR_FORMAT, index, -1, "is not an object");
    const char *key;
    void *next;
    json_object_foreach_safe(message, next, key, value)
    {
        if (json_is_null(value))
            json_object_del(message, key);
    }
    if (!json_is_string(json_object_get(message, "role")))
        return bad(r, LLAVAOV_ERROR_FORMAT, index, -1, "has no \"role\"");
    json_t *content = json_object_get(message, "content");
    if (content && !json_is_string(content) && !json_is_array(content))
        return bad(r, LLAVAOV_ERROR_FORMAT, index, -1,
            "has \"content\" that is neither a string nor a list of parts");
    LlavaovStatus status = name_reasoning(r, message);
    for (size_t i = 0; i < json_array_size(content) && status == LLAVAOV_OK; i++)
        status = take_part(r, content, index, i);
    return status;
}

/* The list itself, or an object around it. Takes root. */
static LlavaovStatus take_root(ConversationReader *r, json_t *root)
{
    LvConversation *c = r->conversation;
    LlavaovStatus status = LLAVAOV_OK;
    if (json_is_array(root)) {
        c->messages = json_incref(root);
    } else {
        const char *key;
        json_t *value;
        json_object_foreach(root, key, value)
        {
            json_t **place = strcmp(key, "messages") == 0    ? &c->messages
                             : strcmp(key, "tools") == 0     ? &c->tools
                             : strcmp(key, "documents") == 0 ? &c->documents
                                                             : NULL;
            if (!place)
                status = lv_fail_about(r->error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_PROMPT,
                    key, "%s: \"%.64s\" is not known; messages, tools and documents are", r->file,
                    key);
            else if (!json_is_null(value))
                *place = json_incref(value);
            if (status != LLAVAOV_OK)
                break;
        }
    }
    json_decref(root);
    if (status != LLAVAOV_OK)
        return status;
    if (!json_is_array(c->messages) || json_array_size(c->messages) == 0)
        return lv_fail_about(r->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_PROMPT, "messages",
            "%s: a list of messages is wanted, with at least one", r->file);
    if (json_array_size(c->messages) > LV_MAX_MESSAGES)
        return lv_fail_about(r->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "%s: more than %u messages", r->file, LV_MAX_MESSAGES);
    for (size_t i = 0; i < json_array_size(c->messages) && status == LLAVAOV_OK; i++)
        status = take_message(r, i);
    return status;
}

LlavaovStatus lv_conversation_parse(const char *json, size_t bytes, const char *file,
    LvConversation *conversation, LlavaovError *error)
{
    ConversationReader r = {.file = file, .conversation = conversation, .error = error};
    *conversation = (LvConversation){0};
    if (bytes > LV_MAX_MESSAGES_BYTES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "%s: a conversation is longer than %u bytes", file, LV_MAX_MESSAGES_BYTES);
    json_t *root;
    LlavaovStatus status = lv_json_parse_any(json, bytes, file, &root, error);
    if (status == LLAVAOV_OK)
        status = take_root(&r, root);
    if (status != LLAVAOV_OK)
        lv_conversation_free(conversation);
    return status;
}

static bool append(json_t *list, json_t *value)
{
    return value && json_array_append_new(list, value) == 0;
}

static json_t *text_part(const char *text)
{
    return json_pack("{s:s, s:s}", "type", "text", "text", text);
}

/* Takes content. */
static json_t *message(const char *role, json_t *content)
{
    return json_pack("{s:s, s:o}", "role", role, "content", content);
}

static LlavaovStatus check_text(const char *text, const char *what, LlavaovError *error)
{
    const size_t bytes = strlen(text), valid = lv_utf8_valid_prefix(text, bytes);
    if (bytes > LV_MAX_PROMPT_BYTES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, what,
            "the %s of %zu bytes is longer than %u", what, bytes, LV_MAX_PROMPT_BYTES);
    if (valid < bytes)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, what,
            "the %s is not UTF-8 at byte %zu", what, valid);
    return LLAVAOV_OK;
}

/* The user's turn. */
static LlavaovStatus add_turn(
    ConversationReader *r, const char *prompt, size_t n_images, size_t n_videos)
{
    json_t *parts = json_array();
    LlavaovStatus status = LLAVAOV_OK;
    bool good = parts != NULL;
    for (size_t i = 0; good && i < n_images + n_videos; i++) {
        good = append(parts, json_pack("{s:s}", "type", i < n_images ? "image" : "video"));
        if (good && (status = add_medium(r, i >= n_images, NULL)) != LLAVAOV_OK)
            break;
    }
    good = good && append(parts, text_part(prompt)) &&
           append(r->conversation->messages, message("user", json_incref(parts)));
    json_decref(parts);
    return status == LLAVAOV_OK && !good ? no_memory(r->error) : status;
}

LlavaovStatus lv_conversation_ask(const char *system_prompt, const char *prompt, size_t n_images,
    size_t n_videos, LvConversation *conversation, LlavaovError *error)
{
    *conversation = (LvConversation){0};
    LlavaovStatus status = check_text(prompt, "prompt", error);
    if (status == LLAVAOV_OK && system_prompt)
        status = check_text(system_prompt, "system prompt", error);
    if (status != LLAVAOV_OK)
        return status;
    ConversationReader r = {.file = "messages", .conversation = conversation, .error = error};
    json_t *list = conversation->messages = json_array();
    bool good = list != NULL;
    if (good && system_prompt)
        good = append(list, message("system", json_pack("[o]", text_part(system_prompt))));
    status = good ? add_turn(&r, prompt, n_images, n_videos) : no_memory(error);
    if (status != LLAVAOV_OK)
        lv_conversation_free(conversation);
    return status;
}

static bool copy_json(json_t *from, json_t **to)
{
    *to = from ? json_deep_copy(from) : NULL;
    return *to || !from;
}

LlavaovStatus lv_conversation_continue(const LvConversation *before, const char *prompt,
    size_t n_images, size_t n_videos, LvConversation *conversation, LlavaovError *error)
{
    *conversation = (LvConversation){0};
    LlavaovStatus status = check_text(prompt, "prompt", error);
    if (status != LLAVAOV_OK)
        return status;
    if (json_array_size(before->messages) >= LV_MAX_MESSAGES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "history",
            "the conversation is longer than %u messages", LV_MAX_MESSAGES);
    ConversationReader r = {.file = "messages", .conversation = conversation, .error = error};
    if (!copy_json(before->messages, &conversation->messages) ||
        !copy_json(before->tools, &conversation->tools) ||
        !copy_json(before->documents, &conversation->documents))
        status = no_memory(error);
    for (size_t i = 0; i < before->n_media && status == LLAVAOV_OK; i++)
        status = add_medium(&r, before->media[i].video, NULL);
    if (status == LLAVAOV_OK)
        status = add_turn(&r, prompt, n_images, n_videos);
    if (status != LLAVAOV_OK)
        lv_conversation_free(conversation);
    return status;
}

LlavaovStatus lv_conversation_answer(
    LvConversation *conversation, const char *text, size_t bytes, LlavaovError *error)
{
    json_t *part = json_pack("{s:s, s:o}", "type", "text", "text", json_stringn(text, bytes));
    return append(conversation->messages, message("assistant", json_pack("[o]", part)))
               ? LLAVAOV_OK
               : no_memory(error);
}

void lv_conversation_free(LvConversation *conversation)
{
    json_decref(conversation->messages);
    json_decref(conversation->tools);
    json_decref(conversation->documents);
    lv_free(conversation->media);
    *conversation = (LvConversation){0};
}
