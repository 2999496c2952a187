/* SPDX-License-Identifier: Apache-2.0
 * Values as text: Python's str() and repr(), and JSON. */
#ifndef LV_JINJA_PRINT_H
#define LV_JINJA_PRINT_H

#include "text/jinja/text.h"

/* Append str(value) and repr(value) to build. Output of user values is marked as the user's. */
bool lv_jinja_put_str(LvJBuild *build, LvJValue value);
bool lv_jinja_put_repr(LvJBuild *build, LvJValue value);
/* str(value) as a value; a string is itself. */
bool lv_jinja_str(LvJ *j, LvJValue value, LvJValue *out);
/* repr(float) into text (32 bytes). */
void lv_jinja_float_text(double value, char *text);

typedef struct LvJJson {
    bool ascii, sort_keys;
    bool pretty;            /* `indent` is in use: each item on a line of its own */
    LvJValue indent;        /* a string that is repeated */
    const LvJString *comma; /* separators; NULL = Python's own */
    const LvJString *colon;
} LvJJson;
/* json.dumps(). */
bool lv_jinja_put_json(LvJBuild *build, LvJValue value, const LvJJson *how);

#endif
