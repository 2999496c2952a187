/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json's post_processor: the tokens that a TemplateProcessing puts around a text. */
#include <string.h>

#include "text/tokenizer_reader.h"

#define FIELD "post_processor"
#define MAX_AROUND 64u /* tokens on one side */

/* The ids of one piece of a template, a special token, onto a list. */
static LlavaovStatus put_special(
    LvTokenizerReader *r, const json_t *post, const json_t *piece, LvTokens *list)
{
    const char *name = json_string_value(json_object_get(piece, "id"));
    const json_t *ids = json_object_get(
        json_object_get(json_object_get(post, "special_tokens"), name ? name : ""), "ids");
    if (!json_is_array(ids))
        return BROKEN(r, FIELD, "has no ids for \"%.64s\"", name ? name : "");
    size_t i;
    json_t *value;
    json_array_foreach(ids, i, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) >= (json_int_t)r->tokenizer->n_tokens)
            return BROKEN(r, FIELD, "has an id for \"%.64s\" that is no token's", name);
        if (list->n == MAX_AROUND)
            return UNSUPPORTED(r, FIELD, "adds more than %u tokens", MAX_AROUND);
        LlavaovStatus status = lv_tokens_append(list, (int32_t)json_integer_value(value), r->error);
        if (status != LLAVAOV_OK)
            return status;
    }
    return LLAVAOV_OK;
}

static LlavaovStatus take_template(LvTokenizerReader *r, const json_t *post)
{
    LvTokenizer *t = r->tokenizer;
    size_t i;
    json_t *value;
    bool seen = false;
    if (t->before.n || t->after.n)
        return UNSUPPORTED(r, FIELD, "has another TemplateProcessing behind one that adds tokens");
    json_array_foreach(json_object_get(post, "single"), i, value)
    {
        const json_t *text = json_object_get(value, "Sequence"),
                     *special = json_object_get(value, "SpecialToken");
        const char *which = json_string_value(json_object_get(text, "id"));
        LlavaovStatus status = LLAVAOV_OK;
        if (special)
            status = put_special(r, post, special, seen ? &t->after : &t->before);
        else if (which && !strcmp(which, "A") && !seen)
            seen = true;
        else
            status = UNSUPPORTED(r, FIELD, "is a TemplateProcessing whose single is not one A");
        if (status != LLAVAOV_OK)
            return status;
    }
    return seen ? LLAVAOV_OK
                : UNSUPPORTED(r, FIELD, "is a TemplateProcessing whose single is not one A");
}

static LlavaovStatus take_one(LvTokenizerReader *r, const json_t *post)
{
    const char *type = json_string_value(json_object_get(post, "type"));
    if (type && !strcmp(type, "ByteLevel")) /* offsets only */
        return LLAVAOV_OK;
    if (type && !strcmp(type, "TemplateProcessing"))
        return take_template(r, post);
    return UNSUPPORTED(r, FIELD,
        "is %.64s; only ByteLevel, TemplateProcessing, a Sequence of them and null are known",
        type ? type : "without a type");
}

LlavaovStatus lv_reader_take_post_processor(LvTokenizerReader *r)
{
    const json_t *post = json_object_get(r->root, FIELD);
    const char *type = json_string_value(json_object_get(post, "type"));
    if (lv_reader_absent(post))
        return LLAVAOV_OK;
    if (!type || strcmp(type, "Sequence"))
        return take_one(r, post);
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(post, "processors"), i, step)
    {
        LlavaovStatus status = take_one(r, step);
        if (status != LLAVAOV_OK)
            return status;
    }
    return LLAVAOV_OK;
}

/* ---- use ---- */

static LlavaovStatus append_all(LvTokens *tokens, const LvTokens *more, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < more->n && status == LLAVAOV_OK; i++)
        status = lv_tokens_append(tokens, more->ids[i], error);
    return status;
}

LlavaovStatus lv_tokenizer_begin(
    const LvTokenizer *tokenizer, LvTokens *tokens, LlavaovError *error)
{
    return append_all(tokens, &tokenizer->before, error);
}

LlavaovStatus lv_tokenizer_end(const LvTokenizer *tokenizer, LvTokens *tokens, LlavaovError *error)
{
    return append_all(tokens, &tokenizer->after, error);
}
