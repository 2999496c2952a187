/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/input.h"

#include <string.h>

#include "text/jinja/object.h"
#include "text/jinja/text.h"

static const char *const user_variables[] = {"messages", "tools", "documents", NULL};
static const char *const plain_names[] = {"system", "user", "assistant", "tool", "tools",
    "developer", "function", "observation", "ipython", "environment", "context", "model", "human",
    "text", "image", "image_url", "video", "video_url", "audio", "audio_url", "input_audio",
    "document", "tool_response", "tool_call", NULL};

typedef struct InputReader {
    LvJ *j;
    const char *const *plain;
    bool user; /* of the current value */
} InputReader;

static bool listed(const char *const *names, const char *text, size_t bytes)
{
    for (; *names; names++)
        if (strlen(*names) == bytes && !memcmp(*names, text, bytes))
            return true;
    return false;
}

static bool convert(InputReader *input, const json_t *json, bool named, LvJValue *out);

static bool convert_object(InputReader *input, json_t *json, LvJValue *out)
{
    if (!lv_jinja_new_dict(input->j, LVJ_DICT, out))
        return false;
    const char *text;
    json_t *member;
    json_object_foreach(json, text, member)
    {
        LvJValue key, value;
        size_t bytes = strlen(text);
        bool named = !strcmp(text, "role") || !strcmp(text, "type");
        if (!lv_jinja_string(input->j, text, bytes, input->user, &key) ||
            !convert(input, member, named, &value) ||
            !lv_jinja_dict_add(input->j, out->dict, key, value))
            return false;
    }
    return true;
}

static bool convert_array(InputReader *input, const json_t *json, LvJValue *out)
{
    size_t n = json_array_size(json);
    if (!lv_jinja_new_list(input->j, LVJ_LIST, n, out))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!convert(input, json_array_get(json, i), false, &out->list->items[i]))
            return false;
    out->list->n = n;
    return true;
}

/* named: this is the value of a member "role" or "type". */
static bool convert(InputReader *input, const json_t *json, bool named, LvJValue *out)
{
    LvJ *j = input->j;
    bool user = input->user, done = true;
    if (!lv_jinja_enter(j))
        return false;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        done = convert_object(input, (json_t *)json, out);
        break;
    case JSON_ARRAY:
        done = convert_array(input, json, out);
        break;
    case JSON_STRING:
        if (named && listed(input->plain, json_string_value(json), json_string_length(json)))
            user = false;
        done = lv_jinja_string(j, json_string_value(json), json_string_length(json), user, out);
        break;
    case JSON_INTEGER:
        *out = lv_jinja_int(json_integer_value(json));
        break;
    case JSON_REAL:
        *out = lv_jinja_float(json_real_value(json));
        break;
    case JSON_NULL:
        *out = lv_jinja_none();
        break;
    default:
        *out = lv_jinja_bool(json_is_true(json));
    }
    if (done)
        out->user = user;
    lv_jinja_leave(j);
    return done;
}

bool lv_jinja_input(LvJ *j, const json_t *variables, const LvJinjaOptions *options, LvJScope *scope)
{
    const char *const *users =
        options && options->user_variables ? options->user_variables : user_variables;
    InputReader input = {
        .j = j, .plain = options && options->plain_names ? options->plain_names : plain_names};
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)variables, name, member)
    {
        LvJValue key, value;
        input.user = listed(users, name, strlen(name));
        if (!lv_jinja_string(j, name, strlen(name), false, &key) ||
            !convert(&input, member, false, &value) ||
            !lv_jinja_assign(j, scope, key.string, value))
            return false;
    }
    return true;
}
