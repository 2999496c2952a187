/* SPDX-License-Identifier: Apache-2.0
 * str's methods. */
#include "text/jinja/method.h"
#include "text/jinja/object.h"
#include "text/jinja/string_format.h"
#include "text/jinja/strings.h"

#define METHOD(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

/* NULL for None and for a missing argument. */
static bool optional_text(LvJ *j, LvJValue given, const LvJString **out)
{
    *out = NULL;
    return given.type == LVJ_MISSING || given.type == LVJ_NONE ||
           lv_jinja_text_argument(j, given, out);
}

static bool strip_sides(
    LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, unsigned sides, LvJValue *out)
{
    const LvJString *chars;
    return lv_jinja_no_keywords(j, args) && optional_text(j, given[0], &chars) &&
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
    return optional_text(j, given[0], &separator) &&
           lv_jinja_index_argument(j, given[1], -1, &most) &&
           lv_jinja_split(j, v.string, separator, most, out);
}

METHOD(rsplit)
{
    UNUSED;
    const LvJString *separator;
    int64_t most;
    return optional_text(j, given[0], &separator) &&
           lv_jinja_index_argument(j, given[1], -1, &most) &&
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
    return lv_jinja_no_keywords(j, args) && lv_jinja_join(j, v.string, given[0], false, out);
}

METHOD(replace)
{
    UNUSED;
    const LvJString *old, *with;
    int64_t count;
    return lv_jinja_no_keywords(j, args) && lv_jinja_text_argument(j, given[0], &old) &&
           lv_jinja_text_argument(j, given[1], &with) &&
           lv_jinja_index_argument(j, given[2], -1, &count) &&
           lv_jinja_replace(j, v.string, old, with, count, out);
}

static bool without(
    LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, bool prefix, LvJValue *out)
{
    const LvJString *affix;
    if (!lv_jinja_no_keywords(j, args) || !lv_jinja_text_argument(j, given[0], &affix))
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
    if (!lv_jinja_text_argument(j, given[0], &separator))
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
    return lv_jinja_no_keywords(j, args) && partition(j, v, given, false, out);
}

METHOD(rpartition)
{
    UNUSED;
    return lv_jinja_no_keywords(j, args) && partition(j, v, given, true, out);
}

static bool justify(LvJ *j, LvJValue v, const LvJValue *given, int side, LvJValue *out)
{
    static const LvJString space = {.text = " ", .bytes = 1, .chars = 1};
    const LvJString *fill = &space;
    int64_t width, n = (int64_t)v.string->chars;
    if (!lv_jinja_index_argument(j, given[0], 0, &width) ||
        (given[1].type != LVJ_MISSING && !lv_jinja_text_argument(j, given[1], &fill)))
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
    return lv_jinja_no_keywords(j, args) && justify(j, v, given, -1, out);
}

METHOD(rjust)
{
    UNUSED;
    return lv_jinja_no_keywords(j, args) && justify(j, v, given, 1, out);
}

METHOD(center)
{
    UNUSED;
    return lv_jinja_no_keywords(j, args) && justify(j, v, given, 0, out);
}

METHOD(zfill)
{
    UNUSED;
    static const LvJString zero = {.text = "0", .bytes = 1, .chars = 1};
    LvJBuild build = {.j = j};
    LvJValue rest;
    int64_t width, n = (int64_t)v.string->chars;
    if (!lv_jinja_no_keywords(j, args) || !lv_jinja_index_argument(j, given[0], 0, &width))
        return false;
    size_t sign = v.string->bytes && strchr("+-", v.string->text[0]) && v.string->text[0] ? 1 : 0;
    return lv_jinja_put_part(&build, v.string, 0, sign) &&
           lv_jinja_part(j, v.string, sign, v.string->bytes - sign, &rest) &&
           lv_jinja_pad(j, rest.string, width > n ? width - n : 0, 0, &zero, &rest) &&
           lv_jinja_put_string(&build, rest.string) && lv_jinja_built(&build, out);
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

    {"removeprefix", "prefix", 1, do_removeprefix}, {"removesuffix", "suffix", 1, do_removesuffix},
    {"partition", "sep", 1, do_partition}, {"rpartition", "sep", 1, do_rpartition},
    {"ljust", "width fillchar", 1, do_ljust}, {"rjust", "width fillchar", 1, do_rjust},
    {"center", "width fillchar", 1, do_center}, {"zfill", "width", 1, do_zfill},
    {"format", NULL, 0, do_format}, {"casefold", NULL, 0, NULL}, {"encode", NULL, 0, NULL},
    {"expandtabs", NULL, 0, NULL}, {"format_map", NULL, 0, NULL}, {"maketrans", NULL, 0, NULL},
    {"translate", NULL, 0, NULL}};
const LvJMethodTable lv_jinja_string_methods = {rows, sizeof rows / sizeof *rows};
