/* SPDX-License-Identifier: Apache-2.0
 * Methods of strings, lists, tuples and dictionaries. */
#ifndef LV_JINJA_METHOD_H
#define LV_JINJA_METHOD_H

#include "text/jinja/builtin.h"

typedef struct LvJMethodTable {
    const LvJBuiltin *rows; /* without a function: exists in Python but is not supported here */
    size_t n;
} LvJMethodTable;

extern const LvJMethodTable lv_jinja_string_methods;
extern const LvJMethodTable lv_jinja_string_searches;   /* find() and its like */
extern const LvJMethodTable lv_jinja_string_tests;      /* isdigit() and its like */
extern const LvJMethodTable lv_jinja_container_methods; /* of lists, tuples and dictionaries */

/* The attribute `name` that Python's type has: a method bound to self (in *out). *found is false
 * where the type has none of that name. */
bool lv_jinja_find_method(LvJ *j, LvJValue self, const LvJString *name, LvJValue *out, bool *found);

/* ---- what methods share */

bool lv_jinja_text_argument(LvJ *j, LvJValue given, const LvJString **out);
/* An integer; `missing` where none was given. */
bool lv_jinja_index_argument(LvJ *j, LvJValue given, int64_t missing, int64_t *out);
bool lv_jinja_no_keywords(LvJ *j, const LvJArgs *args);

#endif
