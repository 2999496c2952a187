/* SPDX-License-Identifier: Apache-2.0
 * Building and reading values; Python's truth, equality and order of them. */
#ifndef LV_JINJA_OBJECT_H
#define LV_JINJA_OBJECT_H

#include "text/jinja/machine.h"

/* Python's name of its type. */
const char *lv_jinja_type_name(LvJValue value);

bool lv_jinja_undefined(LvJ *j, LvJValue *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fails with the message for using this undefined value. */
bool lv_jinja_fail_undefined(LvJ *j, LvJValue undefined);

/* An empty list (LVJ_LIST) or tuple (LVJ_TUPLE) with room for n. */
bool lv_jinja_new_list(LvJ *j, LvJType type, size_t room, LvJValue *out);
bool lv_jinja_append(LvJ *j, LvJList *list, LvJValue value);
bool lv_jinja_pair(LvJ *j, LvJValue first, LvJValue second, LvJValue *out);
/* Fails where key is not hashable. */
bool lv_jinja_hashable(LvJ *j, LvJValue key);
/* LVJ_DICT or LVJ_NAMESPACE. */
bool lv_jinja_new_dict(LvJ *j, LvJType type, LvJValue *out);
/* Unhashable keys fail. *found is NULL where the key is missing. */
bool lv_jinja_dict_find(LvJ *j, const LvJDict *dict, LvJValue key, LvJValue **found);
bool lv_jinja_dict_find_name(LvJ *j, const LvJDict *dict, const LvJString *name, LvJValue **found);
/* Adds a key that is known to be new. */
bool lv_jinja_dict_add(LvJ *j, LvJDict *dict, LvJValue key, LvJValue value);
bool lv_jinja_dict_set(LvJ *j, LvJDict *dict, LvJValue key, LvJValue value);

bool lv_jinja_truth(LvJValue value);
bool lv_jinja_equal(LvJ *j, LvJValue a, LvJValue b, bool *out);
/* *out < 0, 0, > 0; 2 where floats have no order. `sign` is the operator named in the error. */
bool lv_jinja_order(LvJ *j, LvJValue a, LvJValue b, const char *sign, int *out);
/* needle in haystack. */
bool lv_jinja_contains(LvJ *j, LvJValue haystack, LvJValue needle, bool *out);

/* len(); fails where Python's does. */
bool lv_jinja_length(LvJ *j, LvJValue value, size_t *out);

struct LvJIterator {
    bool (*next)(LvJ *, LvJIterator *, LvJValue *out, bool *done);
    LvJValue source;
    size_t at;          /* items, or bytes of a string, passed */
    LvJIterator *inner; /* for filters: the filtered iterator, and how it is filtered */
    const LvJArgs *args;
    const struct LvJBuiltin *builtin;
    LvJValue attribute;
    bool by_attribute, negated, started;
};
/* iter(value): an iterator over anything that has one; an iterator gives itself. */
bool lv_jinja_iterate(LvJ *j, LvJValue value, LvJIterator **out);
static inline bool lv_jinja_next(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    return lv_jinja_work(j, 1) && iterator->next(j, iterator, out, done);
}
/* Steps a loop over an iterator: `while (lv_jinja_each(j, iterator, &item, &good))`, after which good
 * is false if an element failed. */
static inline bool lv_jinja_each(LvJ *j, LvJIterator *iterator, LvJValue *item, bool *good)
{
    bool done;
    *good = lv_jinja_next(j, iterator, item, &done);
    return *good && !done;
}
/* list(value), as LVJ_LIST or LVJ_TUPLE. */
bool lv_jinja_to_list(LvJ *j, LvJType type, LvJValue value, LvJValue *out);

#endif
