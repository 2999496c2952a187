/* SPDX-License-Identifier: Apache-2.0
 * Methods of dictionaries, lists and tuples that do not modify them. */
#include "text/jinja/method.h"
#include "text/jinja/object.h"

#define METHOD(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

static bool view(LvJ *j, LvJValue dict, LvJPart part, LvJValue *out)
{
    LvJView *made = lv_jinja_alloc(j, 1, sizeof *made);
    if (!made)
        return false;
    *made = (LvJView){.dict = dict, .part = part};
    *out = (LvJValue){.type = LVJ_VIEW, .user = dict.user, .view = made};
    return true;
}

METHOD(items)
{
    UNUSED;
    return view(j, v, LVJ_ITEMS, out);
}

METHOD(keys)
{
    UNUSED;
    return view(j, v, LVJ_KEYS, out);
}

METHOD(values)
{
    UNUSED;
    return view(j, v, LVJ_VALUES, out);
}

METHOD(get)
{
    UNUSED;
    LvJValue *found;
    if (args->n_keywords)
        return lv_jinja_wrong(j, "dict.get() takes no keyword arguments");
    if (!lv_jinja_dict_find(j, v.dict, given[0], &found))
        return false;
    *out = found ? *found : given[1].type == LVJ_MISSING ? lv_jinja_none() : given[1];
    return true;
}

METHOD(copy)
{
    UNUSED;
    *out = v; /* nothing can change it */
    return true;
}

METHOD(count)
{
    UNUSED;
    int64_t n = 0;
    for (size_t i = 0; i < v.list->n; i++) {
        bool same;
        if (!lv_jinja_equal(j, v.list->items[i], given[0], &same))
            return false;
        n += same;
    }
    *out = lv_jinja_int(n);
    return true;
}

METHOD(index)
{
    UNUSED;
    for (size_t i = 0; i < v.list->n; i++) {
        bool same;
        if (!lv_jinja_equal(j, v.list->items[i], given[0], &same))
            return false;
        *out = lv_jinja_int((int64_t)i);
        if (same)
            return true;
    }
    return lv_jinja_wrong(j, "what index() looks for is not in the %s", lv_jinja_type_name(v));
}

static const LvJBuiltin rows[] = {{"items", "", 0, do_items}, {"keys", "", 0, do_keys},
    {"values", "", 0, do_values}, {"get", "key default", 1, do_get}, {"copy", "", 0, do_copy},
    {"count", "value", 1, do_count}, {"index", "value", 1, do_index}, {"fromkeys", NULL, 0, NULL}};
const LvJMethodTable lv_jinja_container_methods = {rows, sizeof rows / sizeof *rows};
