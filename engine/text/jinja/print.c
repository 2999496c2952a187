/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja/character.h"
#include "text/jinja/object.h"
#include "text/utf8.h"

void lv_jinja_float_text(double value, char *text)
{
    char shortest[40];
    if (isnan(value) || isinf(value)) {
        strcpy(text, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    int digits = 1;
    do
        snprintf(shortest, sizeof shortest, "%.*e", digits - 1, value);
    while (strtod(shortest, NULL) != value && ++digits <= 17);
    int exponent = atoi(strchr(shortest, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        char *e = strchr(shortest, 'e');
        snprintf(text, 32, "%.*se%c%02d", (int)(e - shortest), shortest, exponent < 0 ? '-' : '+',
            abs(exponent));
        return;
    }
    int fraction = digits - 1 - exponent;
    snprintf(text, 32, "%.*f", fraction > 1 ? fraction : 1, value);
}

/* A string as a Python literal. */
static bool put_quoted(LvJBuild *build, const LvJString *string)
{
    bool single = memchr(string->text, '\'', string->bytes) != NULL;
    bool twice = memchr(string->text, '"', string->bytes) != NULL;
    char quote[2] = {single && !twice ? '"' : '\'', 0};
    bool user = string->bytes ? lv_jinja_mark_at(string, 0) : string->user;
    if (!lv_jinja_put(build, quote, 1, user))
        return false;
    const unsigned char *p = (const unsigned char *)string->text, *end = p + string->bytes;
    while (p < end) {
        size_t at = (size_t)((const char *)p - string->text);
        uint32_t c = lv_utf8_next(&p);
        size_t n = (size_t)((const char *)p - string->text) - at;
        char escape[12] = "";
        user = lv_jinja_mark_at(string, at);
        if (c == '\n' || c == '\r' || c == '\t')
            snprintf(escape, sizeof escape, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c == '\\' || c == (uint32_t)quote[0])
            snprintf(escape, sizeof escape, "\\%c", (char)c);
        else if (!lv_jinja_is_printable(c))
            snprintf(escape, sizeof escape,
                c < 0x100     ? "\\x%02x"
                : c < 0x10000 ? "\\u%04x"
                              : "\\U%08x",
                (unsigned)c);
        if (*escape ? !lv_jinja_put_ascii(build, escape, user)
                    : !lv_jinja_put_part(build, string, at, n))
            return false;
    }
    return lv_jinja_put(build, quote, 1, user);
}

static bool put_items(LvJBuild *build, LvJValue value)
{
    bool tuple = value.type == LVJ_TUPLE;
    if (!lv_jinja_put_ascii(build, tuple ? "(" : "[", value.user))
        return false;
    for (size_t i = 0; i < value.list->n; i++)
        if ((i && !lv_jinja_put_ascii(build, ", ", value.user)) ||
            !lv_jinja_put_repr(build, value.list->items[i]))
            return false;
    if (tuple && value.list->n == 1 && !lv_jinja_put_ascii(build, ",", value.user))
        return false;
    return lv_jinja_put_ascii(build, tuple ? ")" : "]", value.user);
}

static bool put_entries(LvJBuild *build, LvJValue value)
{
    if (!lv_jinja_put_ascii(build, "{", value.user))
        return false;
    for (size_t i = 0; i < value.dict->n; i++)
        if ((i && !lv_jinja_put_ascii(build, ", ", value.user)) ||
            !lv_jinja_put_repr(build, value.dict->entries[i].key) ||
            !lv_jinja_put_ascii(build, ": ", value.user) ||
            !lv_jinja_put_repr(build, value.dict->entries[i].value))
            return false;
    return lv_jinja_put_ascii(build, "}", value.user);
}

static bool put_view(LvJBuild *build, const LvJView *view)
{
    static const char *const names[] = {"dict_keys([", "dict_values([", "dict_items(["};
    const LvJDict *dict = view->dict.dict;
    bool user = view->dict.user;
    if (!lv_jinja_put_ascii(build, names[view->part], user))
        return false;
    for (size_t i = 0; i < dict->n; i++) {
        LvJValue item = view->part == LVJ_KEYS ? dict->entries[i].key : dict->entries[i].value;
        if ((i && !lv_jinja_put_ascii(build, ", ", user)) ||
            (view->part == LVJ_ITEMS &&
                !lv_jinja_pair(build->j, dict->entries[i].key, item, &item)))
            return false;
        if (view->part == LVJ_ITEMS)
            item.user = user;
        if (!lv_jinja_put_repr(build, item))
            return false;
    }
    return lv_jinja_put_ascii(build, "])", user);
}

static bool put_range(LvJBuild *build, const LvJRange *range)
{
    char text[96];
    int n = snprintf(
        text, sizeof text, "range(%lld, %lld", (long long)range->start, (long long)range->stop);
    if (range->step != 1)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %lld", (long long)range->step);
    return lv_jinja_put(build, text, (size_t)n, false) && lv_jinja_put(build, ")", 1, false);
}

static bool put_compound(LvJBuild *build, LvJValue value)
{
    switch (value.type) {
    case LVJ_LIST:
    case LVJ_TUPLE:
        return put_items(build, value);
    case LVJ_DICT:
        return put_entries(build, value);
    case LVJ_NAMESPACE:
        return lv_jinja_put_ascii(build, "<Namespace ", false) && put_entries(build, value) &&
               lv_jinja_put_ascii(build, ">", false);
    case LVJ_VIEW:
        return put_view(build, value.view);
    default: /* Python prints an address */
        return lv_jinja_cannot(
            build->j, "printing an object of type '%s'", lv_jinja_type_name(value));
    }
}

bool lv_jinja_put_repr(LvJBuild *build, LvJValue value)
{
    char text[32];
    switch (value.type) {
    case LVJ_UNDEFINED:
        return lv_jinja_put_ascii(build, "Undefined", false);
    case LVJ_NONE:
        return lv_jinja_put_ascii(build, "None", value.user);
    case LVJ_BOOL:
        return lv_jinja_put_ascii(build, value.boolean ? "True" : "False", value.user);
    case LVJ_INT:
        snprintf(text, sizeof text, "%lld", (long long)value.integer);
        return lv_jinja_put_ascii(build, text, value.user);
    case LVJ_FLOAT:
        lv_jinja_float_text(value.real, text);
        return lv_jinja_put_ascii(build, text, value.user);
    case LVJ_STRING:
        if (value.string->markup)
            return lv_jinja_cannot(build->j, "showing a string from 'safe' or 'escape' in quotes");
        return put_quoted(build, value.string);
    case LVJ_RANGE:
        return put_range(build, value.range);
    default:
        break;
    }
    if (!lv_jinja_enter(build->j))
        return false;
    bool done = put_compound(build, value);
    lv_jinja_leave(build->j);
    return done;
}

bool lv_jinja_put_str(LvJBuild *build, LvJValue value)
{
    if (value.type == LVJ_STRING)
        return lv_jinja_put_string(build, value.string);
    return value.type == LVJ_UNDEFINED || lv_jinja_put_repr(build, value);
}

bool lv_jinja_str(LvJ *j, LvJValue value, LvJValue *out)
{
    LvJBuild build = {.j = j};
    if (value.type == LVJ_STRING) {
        *out = value;
        return true;
    }
    return lv_jinja_put_str(&build, value) && lv_jinja_built(&build, out);
}
