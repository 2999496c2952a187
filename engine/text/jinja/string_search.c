/* SPDX-License-Identifier: Apache-2.0
 * str's methods that look for a string in another. */
#include "text/jinja/method.h"
#include "text/jinja/object.h"
#include "text/jinja/strings.h"

#define METHOD(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

bool lv_jinja_text_argument(LvJ *j, LvJValue given, const LvJString **out)
{
    *out = NULL;
    if (given.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, given);
    if (given.type != LVJ_STRING)
        return lv_jinja_wrong(j, "must be str, not %s", lv_jinja_type_name(given));
    *out = given.string;
    return true;
}

bool lv_jinja_index_argument(LvJ *j, LvJValue given, int64_t missing, int64_t *out)
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

bool lv_jinja_no_keywords(LvJ *j, const LvJArgs *args)
{
    return !args->n_keywords || lv_jinja_wrong(j, "this method takes no keyword arguments");
}

/* The bytes of string[start:end], as startswith(), find() and count() take them; *none where start
 * is past the end. */
static bool window(LvJ *j, const LvJString *string, LvJValue start, LvJValue end, size_t *first,
    size_t *last, bool *none)
{
    int64_t n = (int64_t)string->chars, from = 0, to = n;
    if ((start.type != LVJ_NONE && !lv_jinja_index_argument(j, start, 0, &from)) ||
        (end.type != LVJ_NONE && !lv_jinja_index_argument(j, end, n, &to)) ||
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
        if (!lv_jinja_text_argument(j, list->items[i], &affix) ||
            !lv_jinja_work_bytes(j, affix->bytes))
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
    return lv_jinja_no_keywords(j, args) && affixed(j, v, given, true, out);
}

METHOD(endswith)
{
    UNUSED;
    return lv_jinja_no_keywords(j, args) && affixed(j, v, given, false, out);
}

static bool search(LvJ *j, LvJValue v, const LvJValue *given, bool last_one, int64_t *out)
{
    const LvJString *needle;
    size_t first, last, found;
    bool none;
    *out = -1;
    if (!lv_jinja_text_argument(j, given[0], &needle) ||
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
    bool done = lv_jinja_no_keywords(j, args) && search(j, v, given, false, &at);
    *out = lv_jinja_int(done ? at : 0);
    return done;
}

METHOD(rfind)
{
    UNUSED;
    int64_t at;
    bool done = lv_jinja_no_keywords(j, args) && search(j, v, given, true, &at);
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
    if (!lv_jinja_no_keywords(j, args) || !lv_jinja_text_argument(j, given[0], &needle) ||
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

static const LvJBuiltin rows[] = {{"startswith", "prefix start end", 1, do_startswith},
    {"endswith", "suffix start end", 1, do_endswith}, {"find", "sub start end", 1, do_find},
    {"rfind", "sub start end", 1, do_rfind}, {"index", "sub start end", 1, do_index},
    {"rindex", "sub start end", 1, do_rindex}, {"count", "sub start end", 1, do_count}};
const LvJMethodTable lv_jinja_string_searches = {rows, sizeof rows / sizeof *rows};
