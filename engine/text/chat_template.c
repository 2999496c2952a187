/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_template.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/chat_source.h"
#include "text/special_names.h"

struct LlavaovChatTemplate {
    atomic_uint refs;
    LvChatSource source;
    LvJinjaTemplate *jinja;
    json_t *variables; /* what every rendering sees; never changed */
};

LlavaovStatus llavaov_chat_template_open(
    const char *model_path, const char *choice, LlavaovChatTemplate **out, LlavaovError *error)
{
    *out = NULL;
    LlavaovChatTemplate *t = lv_calloc(1, sizeof *t);
    if (!t)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a chat template");
    atomic_init(&t->refs, 1);
    t->variables = json_object();
    LlavaovStatus status =
        t->variables ? LLAVAOV_OK
                     : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a chat template");
    if (status == LLAVAOV_OK)
        status = lv_chat_source_find(model_path, choice, &t->source, error);
    if (status == LLAVAOV_OK)
        status =
            lv_jinja_compile(t->source.text, t->source.bytes, t->source.file, &t->jinja, error);
    if (status == LLAVAOV_OK)
        status = lv_special_names_read(model_path, t->variables, error);
    if (status != LLAVAOV_OK) {
        llavaov_chat_template_unref(t);
        return status;
    }
    *out = t;
    return LLAVAOV_OK;
}

LlavaovChatTemplate *llavaov_chat_template_ref(LlavaovChatTemplate *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void llavaov_chat_template_unref(LlavaovChatTemplate *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    lv_jinja_free(t->jinja);
    lv_chat_source_free(&t->source);
    json_decref(t->variables);
    lv_free(t);
}

const char *llavaov_chat_template_origin(const LlavaovChatTemplate *t)
{
    return t->source.why;
}

bool lv_chat_template_begins(const LlavaovChatTemplate *t, const LvJinjaText *text)
{
    const json_t *bos = json_object_get(t->variables, "bos_token");
    const size_t bytes = json_string_length(bos);
    return json_is_string(bos) && text->bytes >= bytes &&
           memcmp(text->text, json_string_value(bos), bytes) == 0;
}

/* ---- rendering ---- */

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
}

static LlavaovStatus render(const LlavaovChatTemplate *t, const LvConversation *c, json_t *messages,
    LvJinjaText *text, LlavaovError *error)
{
    json_t *none = json_null();
    json_t *variables = json_copy(t->variables);
    bool good = variables && json_object_set(variables, "messages", messages) == 0 &&
                json_object_set(variables, "tools", c->tools ? c->tools : none) == 0 &&
                json_object_set(variables, "documents", c->documents ? c->documents : none) == 0 &&
                json_object_set_new(variables, "add_generation_prompt", json_true()) == 0;
    LlavaovStatus status =
        good ? lv_jinja_render(t->jinja, variables, NULL, text, error) : no_memory(error);
    json_decref(variables);
    return status;
}

/* Text without the white space around it, which templates like to trim. */
static const char *trimmed(const json_t *text, size_t *bytes)
{
    const char *begin = json_string_value(text), *end = begin + json_string_length(text);
    while (begin < end && strchr(" \t\r\n\v\f", *begin))
        begin++;
    while (end > begin && strchr(" \t\r\n\v\f", end[-1]))
        end--;
    *bytes = (size_t)(end - begin);
    return begin;
}

/* Whether a message's content is a string that the prompt lacks: looks for it in what the user says
 * there, from *span on, which moves on. Blank ones lose nothing. */
static bool is_lost(const LvJinjaText *text, const json_t *content, size_t *span, size_t *offset)
{
    size_t bytes = 0;
    const char *wanted = json_is_string(content) ? trimmed(content, &bytes) : NULL;
    if (bytes == 0)
        return false;
    for (size_t i = *span, skip = *offset; i < text->n_spans; i++, skip = 0) {
        const LvJinjaSpan *s = &text->spans[i];
        if (!s->user || s->bytes - skip < bytes)
            continue;
        const char *begin = text->text + s->start;
        const char *at = memmem(begin + skip, s->bytes - skip, wanted, bytes);
        if (!at)
            continue;
        *span = i;
        *offset = (size_t)(at - begin) + bytes;
        return false;
    }
    return true;
}

static size_t count_lost(const json_t *messages, const LvJinjaText *text)
{
    size_t i, n = 0, span = 0, offset = 0;
    json_t *message;
    json_array_foreach(messages, i, message) n +=
        is_lost(text, json_object_get(message, "content"), &span, &offset);
    return n;
}

/* A copy of messages, of which strings that were lost are parts. text NULL: all strings. NULL
 * without memory. */
static json_t *mend(const json_t *messages, const LvJinjaText *text)
{
    size_t i, span = 0, offset = 0;
    json_t *message, *mended = json_copy((json_t *)messages);
    json_array_foreach(messages, i, message)
    {
        json_t *content = json_object_get(message, "content");
        if (text ? !is_lost(text, content, &span, &offset) : !json_is_string(content))
            continue;
        json_t *copy = json_copy(message);
        json_t *part = json_pack("[{s:s, s:O}]", "type", "text", "text", content);
        bool good = mended && copy && part && json_object_set(copy, "content", part) == 0 &&
                    json_array_set(mended, i, copy) == 0;
        json_decref(copy);
        json_decref(part);
        if (!good) {
            json_decref(mended);
            return NULL;
        }
    }
    return mended;
}

static bool has_strings(const json_t *messages)
{
    size_t i;
    json_t *message;
    json_array_foreach(
        messages, i, message) if (json_is_string(json_object_get(message, "content"))) return true;
    return false;
}

LlavaovStatus lv_chat_template_render(
    const LlavaovChatTemplate *t, const LvConversation *c, LvJinjaText *text, LlavaovError *error)
{
    LlavaovStatus status = render(t, c, c->messages, text, error);
    if (!has_strings(c->messages) || status == LLAVAOV_ERROR_MEMORY)
        return status;
    const bool rendered = status == LLAVAOV_OK;
    if (rendered && count_lost(c->messages, text) == 0)
        return LLAVAOV_OK;
    json_t *mended = mend(c->messages, rendered ? text : NULL);
    if (rendered)
        lv_jinja_text_free(text);
    if (!mended)
        return no_memory(error);
    /* An error of both is told as that of the messages as they were given. */
    LlavaovError second;
    LlavaovStatus again = render(t, c, mended, text, rendered ? error : &second);
    json_decref(mended);
    if (again == LLAVAOV_OK)
        lv_error_clear(error);
    return rendered || again == LLAVAOV_OK ? again : status;
}
