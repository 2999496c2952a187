/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "text/chat_template.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/chat_source.h"
#include "text/special_names.h"
#include "text/utf8.h"

struct LlavaovChatTemplate {
    atomic_uint refs;
    LvChatSource source;
    LvJinjaTemplate *jinja;
    json_t *variables; /* variables of every rendering; immutable */
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

/* ---- strings that a template does not print ---- */

/* One character per message, from a private-use plane, as a marker. */
static size_t mark_of(size_t message, char mark[5])
{
    const size_t n = lv_utf8_put(0xF0000 + (uint32_t)message, mark);
    mark[n] = '\0';
    return n;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\v\f")] == '\0';
}

/* A copy of messages with another content in one of them. Takes content; false without memory. */
static bool replace_content(json_t *messages, size_t i, json_t *content)
{
    json_t *copy = json_copy(json_array_get(messages, i));
    bool good = copy && content && json_object_set(copy, "content", content) == 0 &&
                json_array_set(messages, i, copy) == 0;
    json_decref(copy);
    json_decref(content);
    return good;
}

/* Whether the message's content is a non-empty string. */
static const char *string_of(const json_t *message)
{
    const char *text = json_string_value(json_object_get(message, "content"));
    return text && !is_blank(text) ? text : NULL;
}

/* A copy of messages in which every string is enclosed in its marker; NULL without memory. */
static json_t *mark_strings(const json_t *messages)
{
    json_t *message, *marked = json_copy((json_t *)messages);
    bool good = marked != NULL;
    size_t i;
    json_array_foreach(messages, i, message)
    {
        const char *text = string_of(message);
        char mark[5];
        if (good && text && mark_of(i, mark))
            good = replace_content(marked, i, json_sprintf("%s%s%s", mark, text, mark));
    }
    if (good)
        return marked;
    json_decref(marked);
    return NULL;
}

/* A copy of messages in which strings whose marker is missing from `text` (NULL: all strings) are
 * lists of one part. *n counts them. NULL without memory. */
static json_t *mend(const json_t *messages, const LvJinjaText *text, size_t *n)
{
    json_t *message, *mended = json_copy((json_t *)messages);
    bool good = mended != NULL;
    size_t i;
    *n = 0;
    json_array_foreach(messages, i, message)
    {
        char mark[5];
        const size_t bytes = mark_of(i, mark);
        json_t *content = json_object_get(message, "content");
        const bool lost = text ? string_of(message) && !memmem(text->text, text->bytes, mark, bytes)
                               : json_is_string(content);
        if (!good || !lost)
            continue;
        good =
            replace_content(mended, i, json_pack("[{s:s, s:O}]", "type", "text", "text", content));
        ++*n;
    }
    if (good)
        return mended;
    json_decref(mended);
    return NULL;
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
    LlavaovError second;
    LvJinjaText marked = {0};
    if (rendered) {
        json_t *messages = mark_strings(c->messages);
        LlavaovStatus again =
            messages ? render(t, c, messages, &marked, &second) : LLAVAOV_ERROR_MEMORY;
        json_decref(messages);
        if (again != LLAVAOV_OK)
            return LLAVAOV_OK; /* what is lost cannot be determined */
    }
    size_t n;
    json_t *mended = mend(c->messages, rendered ? &marked : NULL, &n);
    lv_jinja_text_free(&marked);
    if (rendered && mended && n == 0) {
        json_decref(mended);
        return LLAVAOV_OK;
    }
    if (rendered)
        lv_jinja_text_free(text);
    if (!mended)
        return no_memory(error);
    /* If both fail, the error for the messages as given is reported. */
    LlavaovStatus again = render(t, c, mended, text, rendered ? error : &second);
    json_decref(mended);
    if (again == LLAVAOV_OK)
        lv_error_clear(error);
    return rendered || again == LLAVAOV_OK ? again : status;
}
