/* SPDX-License-Identifier: Apache-2.0
 * The tables that builtin_tables.c joins, each by its file. */
#ifndef LV_JINJA_FILTERS_H
#define LV_JINJA_FILTERS_H

#include "text/jinja/builtin.h"

typedef struct LvJTable {
    const LvJBuiltin *rows;
    size_t n;
} LvJTable;

extern const LvJTable lv_jinja_text_filters;     /* one string to another */
extern const LvJTable lv_jinja_escape_filters;   /* formats, HTML, addresses */
extern const LvJTable lv_jinja_sequence_filters; /* items of anything */
extern const LvJTable lv_jinja_lazy_filters;     /* map, select, ...: generators */
extern const LvJTable lv_jinja_order_filters;    /* sort, groupby, unique, min, max, ... */
extern const LvJTable lv_jinja_value_filters;    /* numbers, default, tojson, ... */
extern const LvJTable lv_jinja_tests;
extern const LvJTable lv_jinja_functions;

#define LV_JINJA_TABLE(rows)                                                                       \
    {                                                                                              \
        rows, sizeof(rows) / sizeof *(rows)                                                        \
    }

/* ---- what filters share */

/* A generator that calls `eager` when the first element is requested and iterates over its list. */
bool lv_jinja_defer(
    LvJ *j, const LvJBuiltin *eager, LvJValue value, const LvJArgs *args, LvJValue *out);

/* An argument that must be an integer; `missing` where none was given. */
bool lv_jinja_int_argument(LvJ *j, LvJValue given, const char *name, int64_t missing, int64_t *out);
/* Items of a dotted path: "a.b.0" of value; a number is an index. LVJ_MISSING: value itself.
 * Undefined steps become `missing` where that is neither missing nor None. */
bool lv_jinja_path(LvJ *j, LvJValue value, LvJValue path, LvJValue missing, LvJValue *out);

#endif
