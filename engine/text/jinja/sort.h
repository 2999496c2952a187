/* SPDX-License-Identifier: Apache-2.0
 * Python's stable sort. */
#ifndef LV_JINJA_SORT_H
#define LV_JINJA_SORT_H

#include "text/jinja/machine.h"

typedef struct LvJSortItem {
    LvJValue key, value;
} LvJSortItem;

/* Sorts by key, in place; equal ones stay in order, also when reversed. */
bool lv_jinja_sort(LvJ *j, LvJSortItem *items, size_t n, bool reverse);
/* dict's entries by key, in a new block. */
bool lv_jinja_sorted_entries(LvJ *j, const LvJDict *dict, const LvJEntry **out);

#endif
