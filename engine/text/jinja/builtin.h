/* SPDX-License-Identifier: Apache-2.0
 * A filter, test or global function, and what it is called with. */
#ifndef LV_JINJA_BUILTIN_H
#define LV_JINJA_BUILTIN_H

#include "text/jinja/machine.h"

#define LV_JINJA_PARAMETERS 6

/* value: what is filtered or tested (a function's: LVJ_MISSING). given: the arguments by the order
 * of `parameters`, LVJ_MISSING where none was given. args: all as they were passed. */
typedef struct LvJBuiltin {
    const char *name;
    const char *parameters; /* names with spaces between; NULL: the function reads args itself */
    unsigned required;      /* the first so many are required */
    bool (*function)(
        LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out);
} LvJBuiltin;

/* Sorts args into the builtin's parameters and calls it. */
bool lv_jinja_call_builtin(
    LvJ *j, const LvJBuiltin *builtin, LvJValue value, const LvJArgs *args, LvJValue *out);

#endif
