/* SPDX-License-Identifier: Apache-2.0
 * Filters that make one string of another. Like jinja2's they apply str() to other values. */
#include <stdio.h>

#include "text/jinja/character.h"
#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/percent.h"
#include "text/jinja/print.h"
#include "text/jinja/strings.h"
#include "text/utf8.h"

#define FILTER(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

bool lv_jinja_int_argument(LvJ *j, LvJValue given, const char *name, int64_t missing, int64_t *out)
{
    *out = missing;
    if (given.type == LVJ_MISSING)
        return true;
    if (given.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, given);
    if (!lv_jinja_is_int(given))
        return lv_jinja_wrong(
            j, "'%s' must be an integer, not %s", name, lv_jinja_type_name(given));
    *out = lv_jinja_as_int(given);
    return true;
}

/* An argument that must be a string. */
static bool string_argument(LvJ *j, LvJValue given, const char *name, const LvJString **out)
{
    if (given.type != LVJ_STRING)
        return lv_jinja_wrong(j, "'%s' must be a string, not %s", name, lv_jinja_type_name(given));
    *out = given.string;
    return true;
}

FILTER(string)
{
    UNUSED;
    return lv_jinja_str(j, v, out);
}

static bool cased(LvJ *j, LvJValue v, LvJCase to, LvJValue *out)
{
    return lv_jinja_str(j, v, &v) && lv_jinja_change_case(j, v.string, to, out);
}

FILTER(upper)
{
    UNUSED;
    return cased(j, v, LVJ_UPPERCASE, out);
}

FILTER(lower)
{
    UNUSED;
    return cased(j, v, LVJ_LOWERCASE, out);
}

FILTER(capitalize)
{
    UNUSED;
    return cased(j, v, LVJ_CAPITALIZED, out);
}

/* A word begins after white space or any of -({[<. */
FILTER(title)
{
    UNUSED;
    LvJBuild build = {.j = j};
    if (!lv_jinja_str(j, v, &v))
        return false;
    const LvJString *text = v.string;
    for (size_t at = 0; at < text->bytes;) {
        size_t end = at;
        bool first = true, separator = false;
        for (; end < text->bytes; first = false) {
            const unsigned char *p = (const unsigned char *)text->text + end;
            uint32_t c = lv_utf8_next(&p);
            bool parts = lv_jinja_is_space(c) || (c < 0x80 && c && strchr("-({[<", (int)c));
            if (!first && parts != separator)
                break;
            separator = parts;
            end = (size_t)((const char *)p - text->text);
        }
        LvJValue word, head, rest;
        if (!lv_jinja_part(j, text, at, end - at, &word))
            return false;
        size_t n = lv_jinja_offset(word.string, 1);
        if (!lv_jinja_part(j, word.string, 0, n, &head) ||
            !lv_jinja_part(j, word.string, n, word.string->bytes - n, &rest) ||
            !lv_jinja_change_case(j, head.string, LVJ_UPPERCASE, &head) ||
            !lv_jinja_change_case(j, rest.string, LVJ_LOWERCASE, &rest) ||
            !lv_jinja_put_string(&build, head.string) || !lv_jinja_put_string(&build, rest.string))
            return false;
        at = end;
    }
    return lv_jinja_built(&build, out);
}

FILTER(trim)
{
    UNUSED;
    const LvJString *chars = NULL;
    if (given[0].type != LVJ_MISSING && given[0].type != LVJ_NONE &&
        !string_argument(j, given[0], "chars", &chars))
        return false;
    return lv_jinja_str(j, v, &v) &&
           lv_jinja_strip(j, v.string, chars, LV_JINJA_LEFT | LV_JINJA_RIGHT, out);
}

FILTER(replace)
{
    UNUSED;
    LvJValue old, with;
    int64_t count = -1;
    if (given[2].type != LVJ_NONE && !lv_jinja_int_argument(j, given[2], "count", -1, &count))
        return false;
    return lv_jinja_str(j, v, &v) && lv_jinja_str(j, given[0], &old) &&
           lv_jinja_str(j, given[1], &with) &&
           lv_jinja_replace(j, v.string, old.string, with.string, count, out);
}

FILTER(indent)
{
    UNUSED;
    static const LvJString space = {.text = " ", .bytes = 1, .chars = 1},
                           feed = {.text = "\n", .bytes = 1, .chars = 1}, nothing = {.text = ""};
    LvJBuild build = {.j = j};
    LvJValue width, lines;
    int64_t n = 4;
    if (v.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, v);
    if (v.type != LVJ_STRING)
        return lv_jinja_wrong(j, "indent wants a string, not %s", lv_jinja_type_name(v));
    if (v.string->markup)
        return lv_jinja_cannot(j, "'indent' of a string from 'safe' or 'escape'");
    if (given[0].type == LVJ_STRING)
        width = given[0];
    else if (!lv_jinja_int_argument(j, given[0], "width", 4, &n) ||
             !lv_jinja_pad(j, &nothing, n, 0, &space, &width))
        return false;
    bool first = lv_jinja_truth(given[1]), blank = lv_jinja_truth(given[2]);
    /* The lines of the text with a line feed at its end. */
    if (!lv_jinja_put_string(&build, v.string) || !lv_jinja_put_string(&build, &feed) ||
        !lv_jinja_built(&build, &lines) || !lv_jinja_splitlines(j, lines.string, false, &lines))
        return false;
    build = (LvJBuild){.j = j};
    for (size_t i = 0; i < lines.list->n; i++) {
        const LvJString *line = lines.list->items[i].string;
        bool indented = i ? line->bytes || blank : first;
        if ((i && !lv_jinja_put_string(&build, &feed)) ||
            (indented && !lv_jinja_put_string(&build, width.string)) ||
            !lv_jinja_put_string(&build, line))
            return false;
    }
    return lv_jinja_built(&build, out);
}

FILTER(truncate)
{
    UNUSED;
    static const LvJString dots = {.text = "...", .bytes = 3, .chars = 3},
                           space = {.text = " ", .bytes = 1, .chars = 1};
    const LvJString *end = &dots;
    int64_t length, leeway = 5;
    if (!lv_jinja_int_argument(j, given[0], "length", 255, &length) ||
        (given[2].type != LVJ_MISSING && !string_argument(j, given[2], "end", &end)) ||
        (given[3].type != LVJ_NONE && !lv_jinja_int_argument(j, given[3], "leeway", 5, &leeway)))
        return false;
    size_t n;
    if (length < (int64_t)end->chars || leeway < 0)
        return lv_jinja_wrong(j, "truncate wants a length of at least its end's");
    if (!lv_jinja_length(j, v, &n))
        return false;
    *out = v;
    if ((int64_t)n <= length || (int64_t)n - length <= leeway)
        return true;
    if (v.type != LVJ_STRING)
        return lv_jinja_wrong(j, "truncate wants a string, not %s", lv_jinja_type_name(v));
    LvJBuild build = {.j = j};
    LvJValue part;
    size_t bytes = lv_jinja_offset(v.string, (size_t)length - end->chars), last;
    if (!lv_jinja_part(j, v.string, 0, bytes, &part))
        return false;
    if (!lv_jinja_truth(given[1])) {
        if (!lv_jinja_find_last(j, part.string, &space, part.string->bytes, &last))
            return false;
        bytes = last == SIZE_MAX ? bytes : last;
    }
    return lv_jinja_put_part(&build, v.string, 0, bytes) && lv_jinja_put_string(&build, end) &&
           lv_jinja_built(&build, out);
}

FILTER(center)
{
    UNUSED;
    static const LvJString space = {.text = " ", .bytes = 1, .chars = 1};
    int64_t width;
    if (!lv_jinja_int_argument(j, given[0], "width", 80, &width) || !lv_jinja_str(j, v, &v))
        return false;
    int64_t n = (int64_t)v.string->chars, room = width > n ? width - n : 0;
    int64_t left = room / 2 + (room & width & 1);
    return lv_jinja_pad(j, v.string, left, room - left, &space, out);
}

FILTER(wordcount)
{
    UNUSED;
    int64_t words = 0;
    bool inside = false;
    if (!lv_jinja_str(j, v, &v) || !lv_jinja_work_bytes(j, v.string->bytes))
        return false;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end;) {
        uint32_t c = lv_utf8_next(&p);
        bool word = c == '_' || lv_jinja_flags(c) & (LV_JINJA_ALPHA | LV_JINJA_NUMERIC |
                                                        LV_JINJA_DIGIT | LV_JINJA_DECIMAL);
        words += word && !inside;
        inside = word;
    }
    *out = lv_jinja_int(words);
    return true;
}

static const LvJBuiltin rows[] = {{"trim", "chars", 0, do_trim}, {"upper", "", 0, do_upper},
    {"lower", "", 0, do_lower}, {"capitalize", "", 0, do_capitalize}, {"title", "", 0, do_title},
    {"replace", "old new count", 2, do_replace}, {"string", "", 0, do_string},
    {"indent", "width first blank", 0, do_indent},
    {"truncate", "length killwords end leeway", 0, do_truncate}, {"center", "width", 0, do_center},
    {"wordcount", "", 0, do_wordcount}};
const LvJTable lv_jinja_text_filters = LV_JINJA_TABLE(rows);
