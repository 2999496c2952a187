/* SPDX-License-Identifier: Apache-2.0
 * str's methods. */
#include "text/jinja/character.h"
#include "text/jinja/method.h"
#include "text/jinja/object.h"
#include "text/jinja/string_format.h"
#include "text/jinja/strings.h"
#include "text/utf8.h"

#define METHOD(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

static bool text_argument(LvJ *j, LvJValue given, const LvJString **out)
{
    *out = NULL;
    if (given.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, given);
    if (given.type != LVJ_STRING)
        return lv_jinja_wrong(j, "must be str, not %s", lv_jinja_type_name(given));
    *out = given.string;
    return true;
}

/* NULL for None and for none. */
static bool optional_text(LvJ *j, LvJValue given, const LvJString **out)
{
    *out = NULL;
    return given.type == LVJ_MISSING || given.type == LVJ_NONE || text_argument(j, given, out);
}

static bool int_argument(LvJ *j, LvJValue given, int64_t missing, int64_t *out)
{
    *out = missing;
    if (given.type == LVJ_MISSING)
        return true;
    if (given.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, given);
    if (!lv_jinja_is_int(given))
        return lv_jinja_wrong(
            j, "'%s' object cannot be interpreted as an integer", lv_jinja_type_name(given));
    *out = lv_jinja_as_int(given);
    return true;
}

static bool no_keywords(LvJ *j, const LvJArgs *args)
{
    return !args->n_keywords || lv_jinja_wrong(j, "this method takes no keyword arguments");
}

static bool strip_sides(
    LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, unsigned sides, LvJValue *out)
{
    const LvJString *chars;
    return no_keywords(j, args) && optional_text(j, given[0], &chars) &&
           lv_jinja_strip(j, v.string, chars, sides, out);
}

METHOD(strip)
{
    return strip_sides(j, v, given, args, LV_JINJA_LEFT | LV_JINJA_RIGHT, out);
}

METHOD(lstrip)
{
    return strip_sides(j, v, given, args, LV_JINJA_LEFT, out);
}

METHOD(rstrip)
{
    return strip_sides(j, v, given, args, LV_JINJA_RIGHT, out);
}

#define CASE(name, to)                                                                             \
    METHOD(name)                                                                                   \
    {                                                                                              \
        UNUSED;                                                                                    \
        return lv_jinja_change_case(j, v.string, to, out);                                         \
    }
CASE(upper, LVJ_UPPERCASE)
CASE(lower, LVJ_LOWERCASE)
CASE(capitalize, LVJ_CAPITALIZED)
CASE(title, LVJ_TITLECASE)
CASE(swapcase, LVJ_SWAPPED)

METHOD(split)
{
    UNUSED;
    const LvJString *separator;
    int64_t most;
    return optional_text(j, given[0], &separator) && int_argument(j, given[1], -1, &most) &&
           lv_jinja_split(j, v.string, separator, most, out);
}

METHOD(rsplit)
{
    UNUSED;
    const LvJString *separator;
    int64_t most;
    return optional_text(j, given[0], &separator) && int_argument(j, given[1], -1, &most) &&
           lv_jinja_rsplit(j, v.string, separator, most, out);
}

METHOD(splitlines)
{
    UNUSED;
    return lv_jinja_splitlines(j, v.string, lv_jinja_truth(given[0]), out);
}

METHOD(join)
{
    UNUSED;
    return no_keywords(j, args) && lv_jinja_join(j, v.string, given[0], false, out);
}

METHOD(replace)
{
    UNUSED;
    const LvJString *old, *with;
    int64_t count;
    return no_keywords(j, args) && text_argument(j, given[0], &old) &&
           text_argument(j, given[1], &with) && int_argument(j, given[2], -1, &count) &&
           lv_jinja_replace(j, v.string, old, with, count, out);
}

/* The bytes of string[start:end], as startswith(), find() and count() take them; *none where start
 * lies behind the end. */
static bool window(LvJ *j, const LvJString *string, LvJValue start, LvJValue end, size_t *first,
    size_t *last, bool *none)
{
    int64_t n = (int64_t)string->chars, from = 0, to = n;
    if ((start.type != LVJ_NONE && !int_argument(j, start, 0, &from)) ||
        (end.type != LVJ_NONE && !int_argument(j, end, n, &to)) ||
        !lv_jinja_work_bytes(j, string->bytes))
        return false;
    from = from < 0 && (from += n) < 0 ? 0 : from;
    to = to < 0 && (to += n) < 0 ? 0 : to > n ? n : to;
    *none = from > to;
    *first = lv_jinja_offset(string, (size_t)from);
    *last = lv_jinja_offset(string, (size_t)to);
    return true;
}

static bool affixed(LvJ *j, LvJValue v, const LvJValue *given, bool start, LvJValue *out)
{
    LvJValue one = given[0];
    LvJList single = {.items = &one, .n = 1};
    const LvJList *list = given[0].type == LVJ_TUPLE ? given[0].list : &single;
    size_t first, last;
    bool none, found = false;
    if (!window(j, v.string, given[1], given[2], &first, &last, &none))
        return false;
    for (size_t i = 0; i < list->n && !found; i++) {
        const LvJString *affix;
        if (!text_argument(j, list->items[i], &affix) || !lv_jinja_work_bytes(j, affix->bytes))
            return false;
        found = !none && affix->bytes <= last - first &&
                !memcmp(v.string->text + (start ? first : last - affix->bytes), affix->text,
                    affix->bytes);
    }
    *out = lv_jinja_bool(found);
    return true;
}

METHOD(startswith)
{
    UNUSED;
    return no_keywords(j, args) && affixed(j, v, given, true, out);
}

METHOD(endswith)
{
    UNUSED;
    return no_keywords(j, args) && affixed(j, v, given, false, out);
}

static bool search(LvJ *j, LvJValue v, const LvJValue *given, bool last_one, int64_t *out)
{
    const LvJString *needle;
    size_t first, last, found;
    bool none;
    *out = -1;
    if (!text_argument(j, given[0], &needle) ||
        !window(j, v.string, given[1], given[2], &first, &last, &none))
        return false;
    LvJString inside = {.text = v.string->text + first, .bytes = none ? 0 : last - first};
    if (none)
        return true;
    if (last_one && !lv_jinja_find_last(j, &inside, needle, inside.bytes, &found))
        return false;
    if (!last_one)
        found = lv_jinja_find(&inside, needle, 0);
    if (found != SIZE_MAX)
        *out = (int64_t)lv_jinja_count_chars(v.string->text, first + found);
    return true;
}

METHOD(find)
{
    UNUSED;
    int64_t at;
    bool done = no_keywords(j, args) && search(j, v, given, false, &at);
    *out = lv_jinja_int(done ? at : 0);
    return done;
}

METHOD(rfind)
{
    UNUSED;
    int64_t at;
    bool done = no_keywords(j, args) && search(j, v, given, true, &at);
    *out = lv_jinja_int(done ? at : 0);
    return done;
}

METHOD(index)
{
    UNUSED;
    return do_find(j, v, given, args, out) &&
           (out->integer >= 0 || lv_jinja_wrong(j, "substring not found"));
}

METHOD(rindex)
{
    UNUSED;
    return do_rfind(j, v, given, args, out) &&
           (out->integer >= 0 || lv_jinja_wrong(j, "substring not found"));
}

METHOD(count)
{
    UNUSED;
    const LvJString *needle;
    size_t first, last, n = 0;
    bool none;
    if (!no_keywords(j, args) || !text_argument(j, given[0], &needle) ||
        !window(j, v.string, given[1], given[2], &first, &last, &none))
        return false;
    LvJString inside = {.text = v.string->text + first, .bytes = none ? 0 : last - first};
    if (!needle->bytes)
        n = none ? 0 : lv_jinja_count_chars(inside.text, inside.bytes) + 1;
    for (size_t at = 0; needle->bytes && (at = lv_jinja_find(&inside, needle, at)) != SIZE_MAX;
         at += needle->bytes)
        n++;
    *out = lv_jinja_int((int64_t)n);
    return lv_jinja_work(j, n);
}

static bool without(
    LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, bool prefix, LvJValue *out)
{
    const LvJString *affix;
    if (!no_keywords(j, args) || !text_argument(j, given[0], &affix))
        return false;
    size_t n = v.string->bytes, rest = n - affix->bytes;
    bool has = affix->bytes <= n &&
               !memcmp(v.string->text + (prefix ? 0 : rest), affix->text, affix->bytes);
    *out = v;
    return !has || lv_jinja_part(j, v.string, prefix ? affix->bytes : 0, rest, out);
}

METHOD(removeprefix)
{
    return without(j, v, given, args, true, out);
}

METHOD(removesuffix)
{
    return without(j, v, given, args, false, out);
}

/* Three parts around the first or last separator. */
static bool partition(LvJ *j, LvJValue v, const LvJValue *given, bool last, LvJValue *out)
{
    const LvJString *separator;
    size_t at, n = v.string->bytes;
    if (!text_argument(j, given[0], &separator))
        return false;
    if (!separator->bytes)
        return lv_jinja_wrong(j, "empty separator");
    if (last && !lv_jinja_find_last(j, v.string, separator, n, &at))
        return false;
    if (!last)
        at = lv_jinja_find(v.string, separator, 0);
    bool none = at == SIZE_MAX;
    size_t first = none ? (last ? 0 : n) : at, second = none ? first : at + separator->bytes;
    LvJValue part[3];
    if (!lv_jinja_part(j, v.string, 0, first, &part[0]) ||
        !lv_jinja_part(j, v.string, first, second - first, &part[1]) ||
        !lv_jinja_part(j, v.string, second, n - second, &part[2]) ||
        !lv_jinja_new_list(j, LVJ_TUPLE, 3, out))
        return false;
    for (int i = 0; i < 3; i++)
        if (!lv_jinja_append(j, out->list, part[i]))
            return false;
    return true;
}

METHOD(partition)
{
    UNUSED;
    return no_keywords(j, args) && partition(j, v, given, false, out);
}

METHOD(rpartition)
{
    UNUSED;
    return no_keywords(j, args) && partition(j, v, given, true, out);
}

static bool justify(LvJ *j, LvJValue v, const LvJValue *given, int side, LvJValue *out)
{
    static const LvJString space = {.text = " ", .bytes = 1, .chars = 1};
    const LvJString *fill = &space;
    int64_t width, n = (int64_t)v.string->chars;
    if (!int_argument(j, given[0], 0, &width) ||
        (given[1].type != LVJ_MISSING && !text_argument(j, given[1], &fill)))
        return false;
    if (fill->chars != 1)
        return lv_jinja_wrong(j, "the fill character must be exactly one character long");
    int64_t room = width > n ? width - n : 0;
    int64_t left = side < 0 ? 0 : side > 0 ? room : room / 2 + (room & width & 1);
    return lv_jinja_pad(j, v.string, left, room - left, fill, out);
}

METHOD(ljust)
{
    UNUSED;
    return no_keywords(j, args) && justify(j, v, given, -1, out);
}

METHOD(rjust)
{
    UNUSED;
    return no_keywords(j, args) && justify(j, v, given, 1, out);
}

METHOD(center)
{
    UNUSED;
    return no_keywords(j, args) && justify(j, v, given, 0, out);
}

METHOD(zfill)
{
    UNUSED;
    static const LvJString zero = {.text = "0", .bytes = 1, .chars = 1};
    LvJBuild build = {.j = j};
    LvJValue rest;
    int64_t width, n = (int64_t)v.string->chars;
    if (!no_keywords(j, args) || !int_argument(j, given[0], 0, &width))
        return false;
    size_t sign = v.string->bytes && strchr("+-", v.string->text[0]) && v.string->text[0] ? 1 : 0;
    return lv_jinja_put_part(&build, v.string, 0, sign) &&
           lv_jinja_part(j, v.string, sign, v.string->bytes - sign, &rest) &&
           lv_jinja_pad(j, rest.string, width > n ? width - n : 0, 0, &zero, &rest) &&
           lv_jinja_put_string(&build, rest.string) && lv_jinja_built(&build, out);
}

/* Whether all characters have one of the flags; `empty` is what an empty string gives. */
static bool all_are(LvJ *j, LvJValue v, unsigned flags, bool empty, LvJValue *out)
{
    bool all = v.string->bytes || empty;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end && all;)
        all = lv_jinja_flags(lv_utf8_next(&p)) & flags;
    *out = lv_jinja_bool(all);
    return lv_jinja_work_bytes(j, v.string->bytes);
}

#define ALL(name, flags, empty)                                                                    \
    METHOD(name)                                                                                   \
    {                                                                                              \
        UNUSED;                                                                                    \
        return all_are(j, v, flags, empty, out);                                                   \
    }
ALL(isdigit, LV_JINJA_DIGIT, false)
ALL(isdecimal, LV_JINJA_DECIMAL, false)
ALL(isnumeric, LV_JINJA_NUMERIC, false)
ALL(isalpha, LV_JINJA_ALPHA, false)
ALL(isalnum, LV_JINJA_ALPHA | LV_JINJA_DECIMAL | LV_JINJA_DIGIT | LV_JINJA_NUMERIC, false)
ALL(isspace, LV_JINJA_SPACE, false)
ALL(isprintable, LV_JINJA_PRINTABLE, true)

static bool one_case(LvJ *j, LvJValue v, unsigned wanted, LvJValue *out)
{
    bool any = false, other = false;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end;) {
        unsigned flags = lv_jinja_flags(lv_utf8_next(&p));
        any |= (flags & wanted) != 0;
        other |= (flags & LV_JINJA_CASED & ~wanted) != 0;
    }
    *out = lv_jinja_bool(any && !other);
    return lv_jinja_work_bytes(j, v.string->bytes);
}

METHOD(islower)
{
    UNUSED;
    return one_case(j, v, LV_JINJA_LOWER, out);
}

METHOD(isupper)
{
    UNUSED;
    return one_case(j, v, LV_JINJA_UPPER, out);
}

METHOD(istitle)
{
    UNUSED;
    bool any = false, before = false, title = true;
    const unsigned char *p = (const unsigned char *)v.string->text;
    for (const unsigned char *end = p + v.string->bytes; p < end && title;) {
        unsigned flags = lv_jinja_flags(lv_utf8_next(&p));
        bool capital = flags & (LV_JINJA_UPPER | LV_JINJA_TITLE), small = flags & LV_JINJA_LOWER;
        title = !(capital && before) && !(small && !before);
        before = flags & LV_JINJA_CASED;
        any |= before;
    }
    *out = lv_jinja_bool(any && title);
    return lv_jinja_work_bytes(j, v.string->bytes);
}

METHOD(isascii)
{
    UNUSED;
    *out = lv_jinja_bool(v.string->bytes == v.string->chars);
    return true;
}

METHOD(format)
{
    UNUSED;
    return lv_jinja_string_format(j, v.string, args, out);
}

static const LvJBuiltin rows[] = {{"strip", "chars", 0, do_strip},
    {"lstrip", "chars", 0, do_lstrip}, {"rstrip", "chars", 0, do_rstrip},
    {"upper", "", 0, do_upper}, {"lower", "", 0, do_lower}, {"capitalize", "", 0, do_capitalize},
    {"title", "", 0, do_title}, {"swapcase", "", 0, do_swapcase},
    {"split", "sep maxsplit", 0, do_split}, {"rsplit", "sep maxsplit", 0, do_rsplit},
    {"splitlines", "keepends", 0, do_splitlines}, {"join", "iterable", 1, do_join},
    {"replace", "old new count", 2, do_replace},
    {"startswith", "prefix start end", 1, do_startswith},
    {"endswith", "suffix start end", 1, do_endswith}, {"find", "sub start end", 1, do_find},
    {"rfind", "sub start end", 1, do_rfind}, {"index", "sub start end", 1, do_index},
    {"rindex", "sub start end", 1, do_rindex}, {"count", "sub start end", 1, do_count},
    {"removeprefix", "prefix", 1, do_removeprefix}, {"removesuffix", "suffix", 1, do_removesuffix},
    {"partition", "sep", 1, do_partition}, {"rpartition", "sep", 1, do_rpartition},
    {"ljust", "width fillchar", 1, do_ljust}, {"rjust", "width fillchar", 1, do_rjust},
    {"center", "width fillchar", 1, do_center}, {"zfill", "width", 1, do_zfill},
    {"isdigit", "", 0, do_isdigit}, {"isdecimal", "", 0, do_isdecimal},
    {"isnumeric", "", 0, do_isnumeric}, {"isalpha", "", 0, do_isalpha},
    {"isalnum", "", 0, do_isalnum}, {"isspace", "", 0, do_isspace},
    {"isprintable", "", 0, do_isprintable}, {"islower", "", 0, do_islower},
    {"isupper", "", 0, do_isupper}, {"istitle", "", 0, do_istitle}, {"isascii", "", 0, do_isascii},
    {"format", NULL, 0, do_format}, {"casefold", NULL, 0, NULL}, {"encode", NULL, 0, NULL},
    {"expandtabs", NULL, 0, NULL}, {"format_map", NULL, 0, NULL}, {"isidentifier", NULL, 0, NULL},
    {"maketrans", NULL, 0, NULL}, {"translate", NULL, 0, NULL}};
const LvJMethodTable lv_jinja_string_methods = {rows, sizeof rows / sizeof *rows};
