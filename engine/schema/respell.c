/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/respell.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "schema/spelling.h"
#include "schema/walk.h"

static LlavaovStatus refuse(LlavaovError *error, const char *why)
{
    return lv_fail(error, LLAVAOV_ERROR_REMOTE, NULL, "the server's answer %s", why);
}

static LlavaovStatus add(LvProgram *out, const char *text, LlavaovError *error)
{
    return lv_program_add_text(out, text, strlen(text))
               ? LLAVAOV_OK
               : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON document");
}

static LlavaovStatus spell(
    LvProgram *out, const json_t *value, unsigned depth, LlavaovError *error);

static LlavaovStatus spell_object(
    LvProgram *out, const json_t *value, unsigned depth, LlavaovError *error)
{
    const char *before = "{", *key;
    json_t *member;
    LlavaovStatus status = LLAVAOV_OK;
    json_object_foreach((json_t *)value, key, member)
    {
        if (status == LLAVAOV_OK)
            status = add(out, before, error);
        if (status == LLAVAOV_OK && lv_spell_string(out, key) != LV_SPELLED)
            status = refuse(error, "has a field's name that no document has");
        if (status == LLAVAOV_OK)
            status = add(out, ": ", error);
        if (status == LLAVAOV_OK)
            status = spell(out, member, depth + 1, error);
        before = ", ";
    }
    if (status == LLAVAOV_OK && *before == '{')
        status = add(out, before, error);
    return status == LLAVAOV_OK ? add(out, "}", error) : status;
}

static LlavaovStatus spell_list(
    LvProgram *out, const json_t *value, unsigned depth, LlavaovError *error)
{
    const char *before = "";
    json_t *element;
    size_t i;
    LlavaovStatus status = add(out, "[", error);
    json_array_foreach(value, i, element)
    {
        if (status == LLAVAOV_OK)
            status = add(out, before, error);
        if (status == LLAVAOV_OK)
            status = spell(out, element, depth + 1, error);
        before = ", ";
    }
    return status == LLAVAOV_OK ? add(out, "]", error) : status;
}

static LlavaovStatus spell(LvProgram *out, const json_t *value, unsigned depth, LlavaovError *error)
{
    if (depth > LV_MAX_SCHEMA_DEPTH)
        return refuse(error, "is nested deeper than any schema");
    if (json_is_object(value))
        return spell_object(out, value, depth, error);
    if (json_is_array(value))
        return spell_list(out, value, depth, error);
    const LvSpelled spelled = lv_spell_literal(out, value);
    if (spelled == LV_SPELLED_NO_MEMORY)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON document");
    return spelled == LV_SPELLED ? LLAVAOV_OK
                                 : refuse(error, "has a value that no document here has");
}

static bool fits(const LvProgram *program, const char *text, size_t n)
{
    LvWalk walk = lv_walk_start(program);
    for (size_t i = 0; i < n; i++)
        if (!lv_walk_step(program, &walk, (unsigned char)text[i]))
            return false;
    return lv_walk_closing(program, &walk) == 0;
}

LlavaovStatus lv_json_respell(
    const LvProgram *program, const char *text, size_t bytes, char **document, LlavaovError *error)
{
    json_error_t cause;
    LvProgram out = {0};
    *document = NULL;
    if (bytes > LV_MAX_CONFIG_BYTES)
        return refuse(error, "is longer than any document");
    json_t *root = json_loadb(text, bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &cause);
    if (!root)
        return refuse(error, "is no whole JSON document (max-new-tokens may be too few)");
    LlavaovStatus status = spell(&out, root, 0, error);
    json_decref(root);
    if (status == LLAVAOV_OK && !fits(program, out.text, out.n_text))
        status = refuse(error, "is JSON, but not what json-schema describes");
    if (status == LLAVAOV_OK && !(*document = lv_calloc(out.n_text + 1, 1)))
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON document");
    if (status == LLAVAOV_OK)
        memcpy(*document, out.text, out.n_text);
    lv_program_free(&out);
    return status;
}
