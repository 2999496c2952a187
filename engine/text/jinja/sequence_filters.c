/* SPDX-License-Identifier: Apache-2.0
 * Filters over the items of anything. */
#include <string.h>

#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/operate.h"
#include "text/jinja/print.h"
#include "text/jinja/strings.h"
#include "text/utf8.h"

#define FILTER(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

/* A generator over a list. */
static bool once(LvJ *j, LvJValue list, LvJValue *out)
{
    LvJIterator *iterator;
    if (!lv_jinja_iterate(j, list, &iterator))
        return false;
    *out = (LvJValue){.type = LVJ_ITERATOR, .user = list.user, .iterator = iterator};
    return true;
}

FILTER(length)
{
    UNUSED;
    size_t n;
    if (!lv_jinja_length(j, v, &n))
        return false;
    *out = lv_jinja_int((int64_t)n);
    return true;
}

FILTER(list)
{
    UNUSED;
    return lv_jinja_to_list(j, LVJ_LIST, v, out);
}

FILTER(first)
{
    UNUSED;
    LvJIterator *iterator;
    bool done;
    if (!lv_jinja_iterate(j, v, &iterator) || !lv_jinja_next(j, iterator, out, &done))
        return false;
    return !done || lv_jinja_undefined(j, out, "No first item, sequence was empty.");
}

FILTER(last)
{
    UNUSED;
    LvJValue items;
    if (v.type == LVJ_ITERATOR)
        return lv_jinja_wrong(j, "'generator' object is not reversible");
    if (v.type == LVJ_STRING) {
        size_t chars = v.string->chars;
        size_t at = lv_jinja_offset(v.string, chars ? chars - 1 : 0);
        return chars ? lv_jinja_part(j, v.string, at, v.string->bytes - at, out)
                     : lv_jinja_undefined(j, out, "No last item, sequence was empty.");
    }
    if (v.type == LVJ_LIST || v.type == LVJ_TUPLE)
        items = v;
    else if (!lv_jinja_to_list(j, LVJ_LIST, v, &items))
        return false;
    if (!items.list->n)
        return lv_jinja_undefined(j, out, "No last item, sequence was empty.");
    *out = items.list->items[items.list->n - 1];
    return true;
}

FILTER(reverse)
{
    UNUSED;
    LvJValue items;
    bool generator = v.type == LVJ_ITERATOR;
    if (v.type == LVJ_STRING)
        return lv_jinja_slice(j, v, lv_jinja_none(), lv_jinja_none(), lv_jinja_int(-1), out);
    if (v.type == LVJ_NONE || lv_jinja_is_number(v))
        return lv_jinja_wrong(j, "argument must be iterable");
    if (!lv_jinja_to_list(j, LVJ_LIST, v, &items))
        return false;
    for (size_t i = 0; i < items.list->n / 2; i++) {
        LvJValue item = items.list->items[i];
        items.list->items[i] = items.list->items[items.list->n - 1 - i];
        items.list->items[items.list->n - 1 - i] = item;
    }
    *out = items;
    return generator || once(j, items, out);
}

/* As in jinja2, the operand is examined when the first pair is requested. */
static bool next_pair(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    if (!iterator->started) {
        LvJValue source = iterator->source;
        LvJView *view = lv_jinja_alloc(j, 1, sizeof *view);
        if (!view)
            return false;
        if (source.type != LVJ_DICT && source.type != LVJ_UNDEFINED)
            return lv_jinja_wrong(j, "can only get item pairs from a mapping");
        *view = (LvJView){.dict = source, .part = LVJ_ITEMS};
        if (source.type == LVJ_DICT)
            source = (LvJValue){.type = LVJ_VIEW, .user = source.user, .view = view};
        if (!lv_jinja_iterate(j, source, &iterator->inner))
            return false;
        iterator->started = true;
    }
    return lv_jinja_next(j, iterator->inner, out, done);
}

FILTER(items)
{
    UNUSED;
    LvJIterator *iterator = lv_jinja_alloc(j, 1, sizeof *iterator);
    if (!iterator)
        return false;
    *iterator = (LvJIterator){.next = next_pair, .source = v};
    *out = (LvJValue){.type = LVJ_ITERATOR, .user = v.user, .iterator = iterator};
    return true;
}

FILTER(join)
{
    UNUSED;
    static const LvJString nothing = {.text = ""};
    LvJValue separator = {.type = LVJ_STRING, .string = &nothing}, items = v;
    if (given[0].type != LVJ_MISSING && !lv_jinja_str(j, given[0], &separator))
        return false;
    if (given[1].type != LVJ_MISSING && given[1].type != LVJ_NONE) {
        LvJIterator *iterator;
        LvJValue item;
        bool good;
        if (!lv_jinja_iterate(j, v, &iterator) || !lv_jinja_new_list(j, LVJ_LIST, 0, &items))
            return false;
        while (lv_jinja_each(j, iterator, &item, &good))
            if (!lv_jinja_path(j, item, given[1], (LvJValue){0}, &item) ||
                !lv_jinja_append(j, items.list, item))
                return false;
        if (!good)
            return false;
    }
    return lv_jinja_join(j, separator.string, items, true, out);
}

/* Lists of `count` items, the last filled up. */
FILTER(eager_batch)
{
    UNUSED;
    int64_t count;
    LvJValue all, rows, row;
    if (!lv_jinja_int_argument(j, given[0], "linecount", 1, &count) ||
        !lv_jinja_to_list(j, LVJ_LIST, v, &all) || !lv_jinja_new_list(j, LVJ_LIST, 0, &rows) ||
        !lv_jinja_new_list(j, LVJ_LIST, 0, &row))
        return false;
    for (size_t i = 0; i < all.list->n; i++) {
        if ((int64_t)row.list->n == count &&
            (!lv_jinja_append(j, rows.list, row) || !lv_jinja_new_list(j, LVJ_LIST, 0, &row)))
            return false;
        if (!lv_jinja_append(j, row.list, all.list->items[i]))
            return false;
    }
    bool fill = given[1].type != LVJ_MISSING && given[1].type != LVJ_NONE;
    while (fill && row.list->n && (int64_t)row.list->n < count)
        if (!lv_jinja_work(j, 1) || !lv_jinja_append(j, row.list, given[1]))
            return false;
    *out = rows;
    return !row.list->n || lv_jinja_append(j, rows.list, row);
}

FILTER(batch)
{
    static const LvJBuiltin eager = {"batch", "linecount fill_with", 1, do_eager_batch};
    UNUSED;
    return lv_jinja_defer(j, &eager, v, args, out);
}

/* `slices` lists of nearly one length. */
FILTER(eager_slice)
{
    UNUSED;
    int64_t slices;
    LvJValue all, rows;
    if (!lv_jinja_int_argument(j, given[0], "slices", 1, &slices) ||
        !lv_jinja_to_list(j, LVJ_LIST, v, &all) || !lv_jinja_new_list(j, LVJ_LIST, 0, &rows))
        return false;
    if (!slices)
        return lv_jinja_wrong(j, "integer division or modulo by zero");
    bool fill = given[1].type != LVJ_MISSING && given[1].type != LVJ_NONE;
    int64_t n = (int64_t)all.list->n, each = slices > 0 ? n / slices : 0,
            extra = slices > 0 ? n % slices : 0, at = 0;
    for (int64_t i = 0; i < slices; i++) {
        LvJValue row;
        if (!lv_jinja_work(j, 1) || !lv_jinja_new_list(j, LVJ_LIST, 0, &row))
            return false;
        for (int64_t end = at + each + (i < extra); at < end; at++)
            if (!lv_jinja_append(j, row.list, all.list->items[at]))
                return false;
        if ((fill && i >= extra && !lv_jinja_append(j, row.list, given[1])) ||
            !lv_jinja_append(j, rows.list, row))
            return false;
    }
    *out = rows;
    return true;
}

FILTER(slice)
{
    static const LvJBuiltin eager = {"slice", "slices fill_with", 1, do_eager_slice};
    UNUSED;
    return lv_jinja_defer(j, &eager, v, args, out);
}

FILTER(sum)
{
    UNUSED;
    LvJIterator *iterator;
    LvJValue total = given[1].type == LVJ_MISSING ? lv_jinja_int(0) : given[1];
    if (total.type == LVJ_STRING)
        return lv_jinja_wrong(j, "sum() can't sum strings [use ''.join(seq) instead]");
    LvJValue item;
    bool good;
    if (!lv_jinja_iterate(j, v, &iterator))
        return false;
    while (lv_jinja_each(j, iterator, &item, &good))
        if (!lv_jinja_path(j, item, given[0], (LvJValue){0}, &item) ||
            !lv_jinja_binary(j, LVJ_ADD, total, item, &total))
            return false;
    *out = total;
    return good;
}

static const LvJBuiltin rows[] = {{"length", "", 0, do_length}, {"count", "", 0, do_length},
    {"list", "", 0, do_list}, {"first", "", 0, do_first}, {"last", "", 0, do_last},
    {"reverse", "", 0, do_reverse}, {"items", "", 0, do_items}, {"join", "d attribute", 0, do_join},
    {"batch", "linecount fill_with", 1, do_batch}, {"slice", "slices fill_with", 1, do_slice},
    {"sum", "attribute start", 0, do_sum}};
const LvJTable lv_jinja_sequence_filters = LV_JINJA_TABLE(rows);
