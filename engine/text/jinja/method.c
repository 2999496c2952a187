/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/method.h"

#include <string.h>

#include "text/jinja/object.h"
#include "text/jinja/text.h"

/* Attributes that Python's other types have and the sandbox allows. */
static const LvJBuiltin of_numbers[] = {{"real", 0, 0, 0}, {"imag", 0, 0, 0},
    {"numerator", 0, 0, 0}, {"denominator", 0, 0, 0}, {"conjugate", 0, 0, 0},
    {"bit_length", 0, 0, 0}, {"bit_count", 0, 0, 0}, {"to_bytes", 0, 0, 0}, {"from_bytes", 0, 0, 0},
    {"as_integer_ratio", 0, 0, 0}, {"is_integer", 0, 0, 0}, {"hex", 0, 0, 0}, {"fromhex", 0, 0, 0}};
static const LvJBuiltin of_ranges[] = {{"start", 0, 0, 0}, {"stop", 0, 0, 0}, {"step", 0, 0, 0},
    {"count", 0, 0, 0}, {"index", 0, 0, 0}};
static const LvJBuiltin of_views[] = {{"mapping", 0, 0, 0}, {"isdisjoint", 0, 0, 0}};
static const LvJBuiltin of_macros[] = {{"name", 0, 0, 0}, {"arguments", 0, 0, 0},
    {"catch_kwargs", 0, 0, 0}, {"catch_varargs", 0, 0, 0}, {"caller", 0, 0, 0}};

/* Names with two methods of one name: list.count beside str.count. */
static const char *const of_lists[] = {"append", "clear", "copy", "count", "extend", "index",
    "insert", "pop", "remove", "reverse", "sort", NULL};
static const char *const of_tuples[] = {"count", "index", NULL};
static const char *const of_dicts[] = {"clear", "copy", "fromkeys", "get", "items", "keys", "pop",
    "popitem", "setdefault", "update", "values", NULL};

static bool listed(const char *const *names, const LvJString *name)
{
    for (; *names; names++)
        if (lv_jinja_is(name, *names))
            return true;
    return false;
}

#define TABLE(rows) ((LvJMethodTable){rows, sizeof rows / sizeof *rows})

static bool has(LvJMethodTable table, const LvJString *name)
{
    for (size_t i = 0; i < table.n; i++)
        if (lv_jinja_is(name, table.rows[i].name))
            return true;
    return false;
}

static LvJMethodTable string_table(const LvJString *name)
{
    if (has(lv_jinja_string_searches, name))
        return lv_jinja_string_searches;
    return has(lv_jinja_string_tests, name) ? lv_jinja_string_tests : lv_jinja_string_methods;
}

static LvJMethodTable table_of(LvJValue self, const LvJString *name)
{
    switch (self.type) {
    case LVJ_STRING:
        return string_table(name);
    case LVJ_LIST:
        return listed(of_lists, name) ? lv_jinja_container_methods : (LvJMethodTable){0};
    case LVJ_TUPLE:
        return listed(of_tuples, name) ? lv_jinja_container_methods : (LvJMethodTable){0};
    case LVJ_DICT:
        return listed(of_dicts, name) ? lv_jinja_container_methods : (LvJMethodTable){0};
    case LVJ_BOOL:
    case LVJ_INT:
    case LVJ_FLOAT:
        return TABLE(of_numbers);
    case LVJ_RANGE:
        return TABLE(of_ranges);
    case LVJ_VIEW:
        return TABLE(of_views);
    case LVJ_MACRO:
        return TABLE(of_macros);
    default:
        return (LvJMethodTable){0};
    }
}

/* Methods that the immutable sandbox refuses. */
static bool changes(LvJValue self, const LvJString *name)
{
    static const char *const of_list[] = {
        "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove", NULL};
    static const char *const of_dict[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    return (self.type == LVJ_LIST && listed(of_list, name)) ||
           (self.type == LVJ_DICT && listed(of_dict, name));
}

static bool unsafe(LvJ *j, LvJValue self, const LvJString *name, LvJValue *out)
{
    return lv_jinja_undefined(j, out, "access to attribute '%s' of '%s' object is unsafe",
        lv_jinja_shown(j, name), lv_jinja_type_name(self));
}

bool lv_jinja_find_method(LvJ *j, LvJValue self, const LvJString *name, LvJValue *out, bool *found)
{
    LvJMethodTable table = table_of(self, name);
    bool hidden = name->bytes > 4 && !memcmp(name->text, "__", 2) &&
                  !memcmp(name->text + name->bytes - 2, "__", 2);
    *found = hidden || changes(self, name);
    if (*found)
        return unsafe(j, self, name, out);
    for (size_t i = 0; i < table.n; i++) {
        if (!lv_jinja_is(name, table.rows[i].name))
            continue;
        if (self.type == LVJ_STRING && self.string->markup)
            return lv_jinja_cannot(j, "methods of a string from 'safe' or 'escape'");
        if (!table.rows[i].function && !table.rows[i].parameters)
            return lv_jinja_cannot(j, "the attribute '%s' of '%s' objects is not supported",
                table.rows[i].name, lv_jinja_type_name(self));
        LvJMethod *method = lv_jinja_alloc(j, 1, sizeof *method);
        if (!method)
            return false;
        *method = (LvJMethod){.self = self, .row = &table.rows[i]};
        *out = (LvJValue){.type = LVJ_METHOD, .method = method};
        *found = true;
        return true;
    }
    return true;
}
