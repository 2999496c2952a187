/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/sort.h"

#include <string.h>

#include "text/jinja/object.h"

/* a < b, as Python's sort asks. */
static bool less(LvJ *j, const LvJSortItem *a, const LvJSortItem *b, bool *out)
{
    int order;
    if (!lv_jinja_order(j, a->key, b->key, "<", &order))
        return false;
    *out = order < 0;
    return true;
}

bool lv_jinja_sort(LvJ *j, LvJSortItem *items, size_t n, bool reverse)
{
    LvJSortItem *from = items, *to = lv_jinja_alloc(j, n, sizeof *to);
    if (!to)
        return false;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t first = 0; first < n; first += 2 * run) {
            size_t a = first, middle = first + run < n ? first + run : n, b = middle;
            size_t end = first + 2 * run < n ? first + 2 * run : n;
            for (size_t i = first; i < end; i++) {
                bool second = a == middle;
                if (a < middle && b < end &&
                    !(reverse ? less(j, &from[a], &from[b], &second)
                              : less(j, &from[b], &from[a], &second)))
                    return false;
                to[i] = second ? from[b++] : from[a++];
            }
        }
        LvJSortItem *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
    return true;
}

bool lv_jinja_sorted_entries(LvJ *j, const LvJDict *dict, const LvJEntry **out)
{
    LvJSortItem *items = lv_jinja_alloc(j, dict->n, sizeof *items);
    LvJEntry *entries = items ? lv_jinja_alloc(j, dict->n, sizeof *entries) : NULL;
    if (!entries)
        return false;
    for (size_t i = 0; i < dict->n; i++)
        items[i] = (LvJSortItem){.key = dict->entries[i].key, .value = dict->entries[i].value};
    if (!lv_jinja_sort(j, items, dict->n, false))
        return false;
    for (size_t i = 0; i < dict->n; i++)
        entries[i] = (LvJEntry){.key = items[i].key, .value = items[i].value};
    *out = entries;
    return true;
}
