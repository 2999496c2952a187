/* SPDX-License-Identifier: Apache-2.0
 * Filters, tests and global functions by name, and what they are called with. */
#ifndef LV_JINJA_BUILTIN_H
#define LV_JINJA_BUILTIN_H

#include "text/jinja/machine.h"

#define LV_JINJA_PARAMETERS 6

/* value: what is filtered or tested (a function's: LVJ_MISSING). given: the arguments by the order
 * of `parameters`, LVJ_MISSING where none was given. args: all as they were passed. */
typedef struct LvJBuiltin {
    const char *name;
    const char *parameters; /* names with spaces between; NULL: the function reads args itself */
    unsigned required;      /* so many of them must be given */
    bool (*function)(
        LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out);
} LvJBuiltin;

/* NULL where there is none. Tests give a bool. */
const LvJBuiltin *lv_jinja_find_filter(const LvJString *name);
const LvJBuiltin *lv_jinja_find_test(const LvJString *name);
const LvJBuiltin *lv_jinja_find_function(const LvJString *name);

/* Sorts args into the builtin's parameters and calls it. */
bool lv_jinja_call_builtin(
    LvJ *j, const LvJBuiltin *builtin, LvJValue value, const LvJArgs *args, LvJValue *out);

/* A string as a C string for an error's text: cut at 80 bytes. */
const char *lv_jinja_shown(LvJ *j, const LvJString *string);

#endif
