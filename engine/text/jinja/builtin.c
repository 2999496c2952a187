/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/builtin.h"

#include <string.h>

/* The position of `name` in the list of parameters; -1 = none. *count: how many there are. */
static int position(const char *parameters, const LvJString *name, int *count)
{
    int at = 0, found = -1;
    for (const char *p = parameters; *p; at++) {
        size_t n = strcspn(p, " ");
        if (name && name->bytes == n && !memcmp(name->text, p, n))
            found = at;
        p += n + (p[n] == ' ');
    }
    *count = at;
    return found;
}

static bool sort_arguments(LvJ *j, const LvJBuiltin *builtin, const LvJArgs *args, LvJValue *given)
{
    int count;
    position(builtin->parameters, NULL, &count);
    if (args->n > (size_t)count)
        return lv_jinja_wrong(
            j, "%s() takes %d arguments, but %zu were given", builtin->name, count, args->n);
    for (size_t i = 0; i < args->n; i++)
        given[i] = args->values[i];
    for (size_t i = 0; i < args->n_keywords; i++) {
        int at = position(builtin->parameters, args->keywords[i].name, &count);
        if (at < 0)
            return lv_jinja_wrong(j, "%s() got an unexpected keyword argument '%s'", builtin->name,
                lv_jinja_shown(j, args->keywords[i].name));
        if (given[at].type != LVJ_MISSING)
            return lv_jinja_wrong(j, "%s() got multiple values for argument '%s'", builtin->name,
                lv_jinja_shown(j, args->keywords[i].name));
        given[at] = args->keywords[i].value;
    }
    for (unsigned i = 0; i < builtin->required; i++)
        if (given[i].type == LVJ_MISSING)
            return lv_jinja_wrong(j, "%s() misses a required argument", builtin->name);
    return true;
}

bool lv_jinja_call_builtin(
    LvJ *j, const LvJBuiltin *builtin, LvJValue value, const LvJArgs *args, LvJValue *out)
{
    LvJValue given[LV_JINJA_PARAMETERS] = {{0}};
    if (!builtin->function)
        return lv_jinja_cannot(j, "'%s' is not supported", builtin->name);
    if (builtin->parameters && !sort_arguments(j, builtin, args, given))
        return false;
    return lv_jinja_work(j, 1) && builtin->function(j, value, given, args, out);
}
