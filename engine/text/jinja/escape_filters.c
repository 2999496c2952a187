/* SPDX-License-Identifier: Apache-2.0
 * Filters that format and escape: format, HTML, URLs. */
#include <stdio.h>

#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/percent.h"
#include "text/jinja/print.h"

#define FILTER(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

/* "..." % arguments. */
FILTER(format)
{
    UNUSED;
    LvJValue values;
    if (!lv_jinja_str(j, v, &v))
        return false;
    if (args->n && args->n_keywords)
        return lv_jinja_wrong(j, "format takes positional or keyword arguments, not both");
    if (args->n_keywords) {
        if (!lv_jinja_new_dict(j, LVJ_DICT, &values))
            return false;
        for (size_t i = 0; i < args->n_keywords; i++) {
            LvJValue key = {.type = LVJ_STRING, .string = args->keywords[i].name};
            if (!lv_jinja_dict_set(j, values.dict, key, args->keywords[i].value))
                return false;
        }
    } else {
        if (!lv_jinja_new_list(j, LVJ_TUPLE, args->n, &values))
            return false;
        for (size_t i = 0; i < args->n; i++)
            if (!lv_jinja_append(j, values.list, args->values[i]))
                return false;
    }
    return lv_jinja_percent(j, v, values, out);
}

/* The string, marked as escaped. */
static bool markup(LvJ *j, LvJValue v, LvJValue *out)
{
    LvJString *string = lv_jinja_alloc(j, 1, sizeof *string);
    if (!string)
        return false;
    *string = *v.string;
    string->markup = true;
    *out = (LvJValue){.type = LVJ_STRING, .string = string};
    return true;
}

FILTER(safe)
{
    UNUSED;
    return lv_jinja_str(j, v, &v) && markup(j, v, out);
}

FILTER(escape)
{
    UNUSED;
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    LvJBuild build = {.j = j};
    if (v.type == LVJ_STRING && v.string->markup) {
        *out = v;
        return true;
    }
    if (!lv_jinja_str(j, v, &v))
        return false;
    const LvJString *text = v.string;
    for (size_t at = 0; at < text->bytes; at++) {
        const char *known = text->text[at] ? strchr(from, text->text[at]) : NULL;
        if (known ? !lv_jinja_put_ascii(&build, to[known - from], lv_jinja_mark_at(text, at))
                  : !lv_jinja_put_part(&build, text, at, 1))
            return false;
    }
    return lv_jinja_built(&build, &v) && markup(j, v, out);
}

FILTER(urlencode)
{
    UNUSED;
    LvJBuild build = {.j = j};
    if (v.type >= LVJ_LIST && v.type <= LVJ_ITERATOR)
        return lv_jinja_cannot(j, "'urlencode' of anything but a string");
    if (!lv_jinja_str(j, v, &v))
        return false;
    for (size_t at = 0; at < v.string->bytes; at++) {
        unsigned char c = (unsigned char)v.string->text[at];
        char escape[4];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                     (c && strchr("_.-~/", c));
        snprintf(escape, sizeof escape, "%%%02X", c);
        if (!(plain && c < 0x80
                    ? lv_jinja_put_part(&build, v.string, at, 1)
                    : lv_jinja_put_ascii(&build, escape, lv_jinja_mark_at(v.string, at))))
            return false;
    }
    return lv_jinja_built(&build, out);
}

static const LvJBuiltin rows[] = {{"format", NULL, 0, do_format}, {"safe", "", 0, do_safe},
    {"escape", "", 0, do_escape}, {"e", "", 0, do_escape}, {"urlencode", "", 0, do_urlencode}};
const LvJTable lv_jinja_escape_filters = LV_JINJA_TABLE(rows);
