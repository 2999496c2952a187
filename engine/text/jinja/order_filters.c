/* SPDX-License-Identifier: Apache-2.0
 * Filters that compare items: sort, unique, min, max, groupby, dictsort. */
#include <string.h>

#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/sort.h"
#include "text/jinja/strings.h"

#define FILTER(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

/* An item's sort key: the value at its path, in lower case unless case_sensitive. */
static bool key_of(
    LvJ *j, LvJValue item, LvJValue path, LvJValue missing, bool case_sensitive, LvJValue *out)
{
    if (!lv_jinja_path(j, item, path, missing, out))
        return false;
    return case_sensitive || out->type != LVJ_STRING ||
           lv_jinja_change_case(j, out->string, LVJ_LOWERCASE, out);
}

/* A list of keys: the path may contain several, separated by commas. */
static bool keys_of(LvJ *j, LvJValue item, LvJValue path, bool case_sensitive, LvJValue *out)
{
    static const LvJString comma = {.text = ",", .bytes = 1, .chars = 1};
    LvJValue paths, key;
    if (path.type != LVJ_STRING)
        return lv_jinja_new_list(j, LVJ_LIST, 1, out) &&
               key_of(j, item, path, (LvJValue){0}, case_sensitive, &key) &&
               lv_jinja_append(j, out->list, key);
    if (!lv_jinja_split(j, path.string, &comma, -1, &paths) ||
        !lv_jinja_new_list(j, LVJ_LIST, paths.list->n, out))
        return false;
    for (size_t i = 0; i < paths.list->n; i++)
        if (!key_of(j, item, paths.list->items[i], (LvJValue){0}, case_sensitive, &key) ||
            !lv_jinja_append(j, out->list, key))
            return false;
    return true;
}

static bool values_of(LvJ *j, const LvJSortItem *items, size_t n, LvJValue *out)
{
    if (!lv_jinja_new_list(j, LVJ_LIST, n, out))
        return false;
    for (size_t i = 0; i < n; i++)
        out->list->items[i] = items[i].value;
    out->list->n = n;
    return true;
}

FILTER(sort)
{
    UNUSED;
    LvJValue all;
    if (!lv_jinja_to_list(j, LVJ_LIST, v, &all))
        return false;
    size_t n = all.list->n;
    LvJSortItem *items = lv_jinja_alloc(j, n, sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < n; i++) {
        items[i].value = all.list->items[i];
        if (!keys_of(j, items[i].value, given[2], lv_jinja_truth(given[1]), &items[i].key))
            return false;
    }
    return lv_jinja_sort(j, items, n, lv_jinja_truth(given[0])) && values_of(j, items, n, out);
}

FILTER(eager_unique)
{
    UNUSED;
    LvJValue all, seen, kept;
    if (!lv_jinja_to_list(j, LVJ_LIST, v, &all) || !lv_jinja_new_dict(j, LVJ_DICT, &seen) ||
        !lv_jinja_new_list(j, LVJ_LIST, 0, &kept))
        return false;
    for (size_t i = 0; i < all.list->n; i++) {
        LvJValue key, *found, item = all.list->items[i];
        if (!key_of(j, item, given[1], (LvJValue){0}, lv_jinja_truth(given[0]), &key) ||
            !lv_jinja_dict_find(j, seen.dict, key, &found))
            return false;
        if (!found &&
            (!lv_jinja_dict_set(j, seen.dict, key, item) || !lv_jinja_append(j, kept.list, item)))
            return false;
    }
    *out = kept;
    return true;
}

FILTER(unique)
{
    static const LvJBuiltin eager = {"unique", "case_sensitive attribute", 0, do_eager_unique};
    UNUSED;
    return lv_jinja_defer(j, &eager, v, args, out);
}

static bool extreme(LvJ *j, LvJValue v, const LvJValue *given, bool most, LvJValue *out)
{
    LvJValue all, best = {0};
    if (!lv_jinja_to_list(j, LVJ_LIST, v, &all))
        return false;
    if (!all.list->n)
        return lv_jinja_undefined(j, out, "No aggregated item, sequence was empty.");
    for (size_t i = 0; i < all.list->n; i++) {
        LvJValue key;
        int order = 1;
        if (!key_of(
                j, all.list->items[i], given[1], (LvJValue){0}, lv_jinja_truth(given[0]), &key) ||
            (i && !lv_jinja_order(j, key, best, most ? ">" : "<", &order)))
            return false;
        if (i && (order == 2 || (most ? order <= 0 : order >= 0)))
            continue;
        best = key;
        *out = all.list->items[i];
    }
    return true;
}

FILTER(min)
{
    UNUSED;
    return extreme(j, v, given, false, out);
}

FILTER(max)
{
    UNUSED;
    return extreme(j, v, given, true, out);
}

/* The group that begins with items[first]; *next is where the following one begins. */
static bool group(
    LvJ *j, const LvJSortItem *items, size_t n, size_t first, LvJValue *members, size_t *next)
{
    if (!lv_jinja_new_list(j, LVJ_LIST, 0, members))
        return false;
    for (*next = first; *next < n; ++*next) {
        bool same;
        if (!lv_jinja_equal(j, items[*next].key, items[first].key, &same))
            return false;
        if (!same)
            break;
        if (!lv_jinja_append(j, members->list, items[*next].value))
            return false;
    }
    *next += *next == first; /* NaN is not even itself */
    return true;
}

FILTER(groupby)
{
    UNUSED;
    LvJValue all;
    bool case_sensitive = lv_jinja_truth(given[2]);
    if (!lv_jinja_to_list(j, LVJ_LIST, v, &all))
        return false;
    size_t n = all.list->n, next;
    LvJSortItem *items = lv_jinja_alloc(j, n, sizeof *items);
    if (!items || !lv_jinja_new_list(j, LVJ_LIST, 0, out))
        return false;
    for (size_t i = 0; i < n; i++) {
        items[i].value = all.list->items[i];
        if (!key_of(j, items[i].value, given[0], given[1], case_sensitive, &items[i].key))
            return false;
    }
    if (!lv_jinja_sort(j, items, n, false))
        return false;
    for (size_t first = 0; first < n; first = next) {
        LvJValue members, key, pair;
        if (!group(j, items, n, first, &members, &next) ||
            !lv_jinja_path(j, items[first].value, given[0], given[1], &key) ||
            !lv_jinja_pair(j, key, members, &pair) || !lv_jinja_append(j, out->list, pair))
            return false;
        pair.list->group = true;
    }
    return true;
}

FILTER(dictsort)
{
    UNUSED;
    bool by_value = given[1].type == LVJ_STRING && lv_jinja_is(given[1].string, "value");
    if (v.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, v);
    if (v.type != LVJ_DICT)
        return lv_jinja_wrong(j, "'%s' object has no attribute 'items'", lv_jinja_type_name(v));
    if (given[1].type != LVJ_MISSING && !by_value &&
        !(given[1].type == LVJ_STRING && lv_jinja_is(given[1].string, "key")))
        return lv_jinja_wrong(j, "you can only sort by either \"key\" or \"value\"");
    size_t n = v.dict->n;
    LvJSortItem *items = lv_jinja_alloc(j, n, sizeof *items);
    if (!items)
        return false;
    for (size_t i = 0; i < n; i++) {
        LvJEntry entry = v.dict->entries[i];
        if (!lv_jinja_pair(j, entry.key, entry.value, &items[i].value) ||
            !key_of(j, by_value ? entry.value : entry.key, (LvJValue){0}, (LvJValue){0},
                lv_jinja_truth(given[0]), &items[i].key))
            return false;
    }
    return lv_jinja_sort(j, items, n, lv_jinja_truth(given[2])) && values_of(j, items, n, out);
}

static const LvJBuiltin rows[] = {{"sort", "reverse case_sensitive attribute", 0, do_sort},
    {"unique", "case_sensitive attribute", 0, do_unique},
    {"min", "case_sensitive attribute", 0, do_min}, {"max", "case_sensitive attribute", 0, do_max},
    {"groupby", "attribute default case_sensitive", 1, do_groupby},
    {"dictsort", "case_sensitive by reverse", 0, do_dictsort}};
const LvJTable lv_jinja_order_filters = LV_JINJA_TABLE(rows);
