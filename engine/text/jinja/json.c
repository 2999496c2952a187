/* SPDX-License-Identifier: Apache-2.0
 * json.dumps(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/jinja/object.h"
#include "text/jinja/print.h"
#include "text/jinja/sort.h"
#include "text/utf8.h"

static bool put_json_string(LvJBuild *build, const LvJString *string, bool ascii, bool user)
{
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    const unsigned char *p = (const unsigned char *)string->text, *end = p + string->bytes;
    user = string->bytes ? lv_jinja_mark_at(string, 0) : user;
    if (!lv_jinja_put(build, "\"", 1, user))
        return false;
    while (p < end) {
        size_t at = (size_t)((const char *)p - string->text);
        uint32_t c = lv_utf8_next(&p);
        char escape[16] = "";
        const char *known = c && c < 0x80 ? strchr(from, (char)c) : NULL;
        user = lv_jinja_mark_at(string, at);
        if (known)
            snprintf(escape, sizeof escape, "\\%c", to[known - from]);
        else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000))
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
        else if (ascii && c >= 0x10000)
            snprintf(escape, sizeof escape, "\\u%04x\\u%04x",
                (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
        size_t n = (size_t)((const char *)p - string->text) - at;
        if (*escape ? !lv_jinja_put_ascii(build, escape, user)
                    : !lv_jinja_put_part(build, string, at, n))
            return false;
    }
    return lv_jinja_put(build, "\"", 1, user);
}

static bool put_float(LvJBuild *build, LvJValue value)
{
    char text[32];
    if (isnan(value.real) || isinf(value.real))
        strcpy(text, isnan(value.real) ? "NaN" : value.real < 0 ? "-Infinity" : "Infinity");
    else
        lv_jinja_float_text(value.real, text);
    return lv_jinja_put_ascii(build, text, value.user);
}

static bool new_line(LvJBuild *build, const LvJJson *how, unsigned level, bool user)
{
    if (!lv_jinja_put(build, "\n", 1, user))
        return false;
    for (unsigned i = 0; i < level; i++)
        if (!lv_jinja_put(build, how->indent.string->text, how->indent.string->bytes, user))
            return false;
    return true;
}

/* Punctuation is marked like its container. */
static bool put_separator(LvJBuild *build, const LvJString *own, const char *usual, bool user)
{
    return own ? lv_jinja_put(build, own->text, own->bytes, user)
               : lv_jinja_put_ascii(build, usual, user);
}

static bool put_value(LvJBuild *build, LvJValue value, const LvJJson *how, unsigned level);

static bool put_key(LvJBuild *build, LvJValue key, const LvJJson *how)
{
    LvJBuild text = {.j = build->j};
    LvJValue string;
    switch (key.type) {
    case LVJ_STRING:
        string = key;
        break;
    case LVJ_NONE:
    case LVJ_BOOL:
    case LVJ_INT:
    case LVJ_FLOAT:
        if (!put_value(&text, key, how, 0) || !lv_jinja_built(&text, &string))
            return false;
        break;
    default:
        return lv_jinja_wrong(build->j, "keys must be str, int, float, bool or None, not %s",
            lv_jinja_type_name(key));
    }
    return put_json_string(build, string.string, how->ascii, key.user);
}

static bool put_container(LvJBuild *build, LvJValue value, const LvJJson *how, unsigned level)
{
    bool dict = value.type == LVJ_DICT, user = value.user;
    size_t n = dict ? value.dict->n : value.list->n;
    const LvJEntry *entries = dict ? value.dict->entries : NULL;
    if (dict && how->sort_keys && !lv_jinja_sorted_entries(build->j, value.dict, &entries))
        return false;
    if (!lv_jinja_put(build, dict ? "{" : "[", 1, user))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (i && !put_separator(build, how->comma, how->pretty ? "," : ", ", user))
            return false;
        if (how->pretty && !new_line(build, how, level + 1, user))
            return false;
        if (dict &&
            (!put_key(build, entries[i].key, how) || !put_separator(build, how->colon, ": ", user)))
            return false;
        if (!put_value(build, dict ? entries[i].value : value.list->items[i], how, level + 1))
            return false;
    }
    if (n && how->pretty && !new_line(build, how, level, user))
        return false;
    return lv_jinja_put(build, dict ? "}" : "]", 1, user);
}

static bool put_value(LvJBuild *build, LvJValue value, const LvJJson *how, unsigned level)
{
    switch (value.type) {
    case LVJ_NONE:
        return lv_jinja_put_ascii(build, "null", value.user);
    case LVJ_BOOL:
        return lv_jinja_put_ascii(build, value.boolean ? "true" : "false", value.user);
    case LVJ_INT:
        return lv_jinja_put_repr(build, value);
    case LVJ_FLOAT:
        return put_float(build, value);
    case LVJ_STRING:
        return put_json_string(build, value.string, how->ascii, value.user);
    case LVJ_DICT:
    case LVJ_LIST:
    case LVJ_TUPLE:
        break;
    default:
        return lv_jinja_wrong(
            build->j, "Object of type %s is not JSON serializable", lv_jinja_type_name(value));
    }
    if (!lv_jinja_enter(build->j))
        return false;
    bool done = put_container(build, value, how, level);
    lv_jinja_leave(build->j);
    return done;
}

bool lv_jinja_put_json(LvJBuild *build, LvJValue value, const LvJJson *how)
{
    return put_value(build, value, how, 0);
}
