/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "text/jinja/object.h"
#include "text/jinja/text.h"

bool lv_jinja_truth(LvJValue value)
{
    switch (value.type) {
    case LVJ_MISSING:
    case LVJ_UNDEFINED:
    case LVJ_NONE:
        return false;
    case LVJ_BOOL:
        return value.boolean;
    case LVJ_INT:
        return value.integer != 0;
    case LVJ_FLOAT:
        return value.real != 0;
    case LVJ_STRING:
        return value.string->bytes > 0;
    case LVJ_LIST:
    case LVJ_TUPLE:
        return value.list->n > 0;
    case LVJ_DICT:
        return value.dict->n > 0;
    case LVJ_RANGE:
        return value.range->n > 0;
    case LVJ_VIEW:
        return value.view->dict.dict->n > 0;
    default:
        return true;
    }
}

/* An integer against a float, without rounding. */
static int order_mixed(int64_t a, double b)
{
    if (isnan(b))
        return 2;
    if (b >= 9223372036854775808.0)
        return -1;
    if (b < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)b;
    if (a != whole)
        return a < whole ? -1 : 1;
    double rest = b - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

static int order_numbers(LvJValue a, LvJValue b)
{
    bool float_a = a.type == LVJ_FLOAT, float_b = b.type == LVJ_FLOAT;
    if (float_a && float_b)
        return a.real < b.real ? -1 : a.real > b.real ? 1 : a.real == b.real ? 0 : 2;
    if (!float_a && !float_b) {
        int64_t x = lv_jinja_as_int(a), y = lv_jinja_as_int(b);
        return x < y ? -1 : x > y;
    }
    int order =
        float_b ? order_mixed(lv_jinja_as_int(a), b.real) : order_mixed(lv_jinja_as_int(b), a.real);
    return float_b || order == 2 ? order : -order;
}

static bool equal_lists(LvJ *j, const LvJList *a, const LvJList *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++)
        if (!lv_jinja_equal(j, a->items[i], b->items[i], out))
            return false;
    return true;
}

static bool equal_dicts(LvJ *j, const LvJDict *a, const LvJDict *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; *out && i < a->n; i++) {
        LvJValue *found;
        if (!lv_jinja_dict_find(j, b, a->entries[i].key, &found))
            return false;
        if (!found)
            *out = false;
        else if (!lv_jinja_equal(j, a->entries[i].value, *found, out))
            return false;
    }
    return true;
}

static bool equal_compound(LvJ *j, LvJValue a, LvJValue b, bool *out)
{
    switch (a.type) {
    case LVJ_LIST:
    case LVJ_TUPLE:
        return equal_lists(j, a.list, b.list, out);
    case LVJ_DICT:
        return equal_dicts(j, a.dict, b.dict, out);
    case LVJ_RANGE:
        *out = a.range->n == b.range->n &&
               (!a.range->n || (a.range->start == b.range->start &&
                                   (a.range->n == 1 || a.range->step == b.range->step)));
        return true;
    case LVJ_VIEW:
        return lv_jinja_cannot(j, "comparing views of dictionaries");
    default: /* one object or two */
        *out = a.list == b.list;
        return true;
    }
}

bool lv_jinja_equal(LvJ *j, LvJValue a, LvJValue b, bool *out)
{
    if (lv_jinja_is_number(a) && lv_jinja_is_number(b)) {
        *out = order_numbers(a, b) == 0;
        return lv_jinja_work(j, 1);
    }
    if (a.type != b.type) {
        *out = false;
        return lv_jinja_work(j, 1);
    }
    if (a.type == LVJ_STRING) {
        *out = lv_jinja_same(a.string, b.string);
        return lv_jinja_work_bytes(j, *out ? a.string->bytes : 0);
    }
    if (a.type == LVJ_NONE || a.type == LVJ_UNDEFINED) {
        *out = true;
        return true;
    }
    if (!lv_jinja_enter(j))
        return false;
    bool done = equal_compound(j, a, b, out);
    lv_jinja_leave(j);
    return done;
}

static int order_strings(const LvJString *a, const LvJString *b)
{
    size_t n = a->bytes < b->bytes ? a->bytes : b->bytes;
    int order = n ? memcmp(a->text, b->text, n) : 0;
    return order < 0 ? -1 : order > 0 ? 1 : a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static bool order_lists(LvJ *j, const LvJList *a, const LvJList *b, const char *sign, int *out)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool same;
        if (!lv_jinja_equal(j, a->items[i], b->items[i], &same))
            return false;
        if (!same)
            return lv_jinja_order(j, a->items[i], b->items[i], sign, out);
    }
    *out = a->n < b->n ? -1 : a->n > b->n;
    return true;
}

bool lv_jinja_order(LvJ *j, LvJValue a, LvJValue b, const char *sign, int *out)
{
    if (a.type == LVJ_UNDEFINED || b.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, a.type == LVJ_UNDEFINED ? a : b);
    if (lv_jinja_is_number(a) && lv_jinja_is_number(b)) {
        *out = order_numbers(a, b);
        return lv_jinja_work(j, 1);
    }
    if (a.type == LVJ_STRING && b.type == LVJ_STRING) {
        *out = order_strings(a.string, b.string);
        return lv_jinja_work_bytes(j, a.string->bytes);
    }
    if (a.type == b.type && (a.type == LVJ_LIST || a.type == LVJ_TUPLE)) {
        if (!lv_jinja_enter(j))
            return false;
        bool done = order_lists(j, a.list, b.list, sign, out);
        lv_jinja_leave(j);
        return done;
    }
    return lv_jinja_wrong(j, "'%s' not supported between instances of '%s' and '%s'", sign,
        lv_jinja_type_name(a), lv_jinja_type_name(b));
}

bool lv_jinja_contains(LvJ *j, LvJValue haystack, LvJValue needle, bool *out)
{
    LvJValue *found;
    if (haystack.type == LVJ_STRING) {
        if (needle.type != LVJ_STRING)
            return lv_jinja_wrong(j, "'in <string>' requires string as left operand, not %s",
                lv_jinja_type_name(needle));
        *out = lv_jinja_find(haystack.string, needle.string, 0) != SIZE_MAX;
        return lv_jinja_work_bytes(j, haystack.string->bytes);
    }
    bool keys = haystack.type == LVJ_VIEW && haystack.view->part == LVJ_KEYS;
    if (haystack.type == LVJ_DICT || keys) {
        const LvJDict *dict = keys ? haystack.view->dict.dict : haystack.dict;
        if (!lv_jinja_dict_find(j, dict, needle, &found))
            return false;
        *out = found != NULL;
        return true;
    }
    LvJIterator *iterator;
    if (!lv_jinja_iterate(j, haystack, &iterator))
        return false;
    LvJValue item;
    bool good;
    *out = false;
    while (lv_jinja_each(j, iterator, &item, &good)) {
        if (!lv_jinja_equal(j, item, needle, out))
            return false;
        if (*out)
            return true;
    }
    return good;
}

/* ---- keys, which are found by equality ---- */

bool lv_jinja_dict_find(LvJ *j, const LvJDict *dict, LvJValue key, LvJValue **found)
{
    if (key.type == LVJ_STRING)
        return lv_jinja_dict_find_name(j, dict, key.string, found);
    *found = NULL;
    if (!lv_jinja_hashable(j, key))
        return false;
    for (size_t i = 0; i < dict->n; i++) {
        bool same;
        if (!lv_jinja_equal(j, dict->entries[i].key, key, &same))
            return false;
        if (same) {
            *found = &dict->entries[i].value;
            break;
        }
    }
    return true;
}

bool lv_jinja_dict_set(LvJ *j, LvJDict *dict, LvJValue key, LvJValue value)
{
    LvJValue *found;
    if (!lv_jinja_dict_find(j, dict, key, &found))
        return false;
    if (found)
        *found = value;
    return found || lv_jinja_dict_add(j, dict, key, value);
}
