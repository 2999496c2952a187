/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/object.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/jinja/text.h"

const char *lv_jinja_type_name(LvJValue value)
{
    static const char *const names[] = {[LVJ_MISSING] = "missing",
        [LVJ_UNDEFINED] = "Undefined",
        [LVJ_NONE] = "NoneType",
        [LVJ_BOOL] = "bool",
        [LVJ_INT] = "int",
        [LVJ_FLOAT] = "float",
        [LVJ_STRING] = "str",
        [LVJ_LIST] = "list",
        [LVJ_TUPLE] = "tuple",
        [LVJ_DICT] = "dict",
        [LVJ_RANGE] = "range",
        [LVJ_VIEW] = "dict view",
        [LVJ_ITERATOR] = "generator",
        [LVJ_NAMESPACE] = "Namespace",
        [LVJ_FUNCTION] = "function",
        [LVJ_METHOD] = "method",
        [LVJ_MACRO] = "Macro",
        [LVJ_LOOP] = "LoopContext",
        [LVJ_CYCLER] = "Cycler",
        [LVJ_JOINER] = "Joiner"};
    return names[value.type];
}

bool lv_jinja_undefined(LvJ *j, LvJValue *out, const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    LvJUndefined *undefined = lv_jinja_alloc(j, 1, sizeof *undefined);
    char *copy = undefined ? lv_jinja_alloc(j, strlen(message) + 1, 1) : NULL;
    if (!copy)
        return false;
    undefined->message = strcpy(copy, message);
    undefined->unsafe = false;
    *out = (LvJValue){.type = LVJ_UNDEFINED, .undefined = undefined};
    return true;
}

bool lv_jinja_fail_undefined(LvJ *j, LvJValue undefined)
{
    return lv_jinja_wrong(j, "%s", undefined.undefined->message);
}

bool lv_jinja_new_list(LvJ *j, LvJType type, size_t room, LvJValue *out)
{
    LvJList *list = lv_jinja_alloc(j, 1, sizeof *list);
    LvJValue *items = list && room ? lv_jinja_alloc(j, room, sizeof *items) : NULL;
    if (!list || (room && !items))
        return false;
    *list = (LvJList){.items = items, .room = room};
    *out = (LvJValue){.type = (uint8_t)type, .list = list};
    return true;
}

/* A block for twice as many elements: the same one grown in place, or a new one. */
static void *grown(LvJ *j, void *block, size_t n, size_t *room, size_t size)
{
    size_t more = *room ? *room * 2 : 4;
    if (*room && lv_jinja_arena_extend(&j->arena, block, *room * size, more * size)) {
        *room = more;
        return block;
    }
    void *bigger = lv_jinja_alloc(j, more, size);
    if (!bigger)
        return NULL;
    if (n)
        memcpy(bigger, block, n * size);
    *room = more;
    return bigger;
}

bool lv_jinja_append(LvJ *j, LvJList *list, LvJValue value)
{
    if (list->n == list->room) {
        LvJValue *items = grown(j, list->items, list->n, &list->room, sizeof *items);
        if (!items)
            return false;
        list->items = items;
    }
    list->items[list->n++] = value;
    return true;
}

bool lv_jinja_pair(LvJ *j, LvJValue first, LvJValue second, LvJValue *out)
{
    return lv_jinja_new_list(j, LVJ_TUPLE, 2, out) && lv_jinja_append(j, out->list, first) &&
           lv_jinja_append(j, out->list, second);
}

bool lv_jinja_new_dict(LvJ *j, LvJType type, LvJValue *out)
{
    LvJDict *dict = lv_jinja_alloc(j, 1, sizeof *dict);
    if (!dict)
        return false;
    *dict = (LvJDict){0};
    *out = (LvJValue){.type = (uint8_t)type, .dict = dict};
    return true;
}

bool lv_jinja_hashable(LvJ *j, LvJValue key)
{
    if (key.type == LVJ_LIST || key.type == LVJ_DICT ||
        (key.type == LVJ_VIEW && key.view->part != LVJ_VALUES))
        return lv_jinja_wrong(j, "unhashable type: '%s'", lv_jinja_type_name(key));
    if (key.type != LVJ_TUPLE)
        return true;
    bool all = lv_jinja_enter(j);
    for (size_t i = 0; all && i < key.list->n; i++)
        all = lv_jinja_hashable(j, key.list->items[i]);
    if (all)
        lv_jinja_leave(j);
    return all;
}

bool lv_jinja_dict_find_name(LvJ *j, const LvJDict *dict, const LvJString *name, LvJValue **found)
{
    *found = NULL;
    for (size_t i = 0; i < dict->n; i++) {
        if (dict->entries[i].key.type == LVJ_STRING &&
            lv_jinja_same(dict->entries[i].key.string, name)) {
            *found = &dict->entries[i].value;
            break;
        }
    }
    return lv_jinja_work(j, 1 + dict->n / 4);
}

bool lv_jinja_dict_add(LvJ *j, LvJDict *dict, LvJValue key, LvJValue value)
{
    if (dict->n == dict->room) {
        LvJEntry *entries = grown(j, dict->entries, dict->n, &dict->room, sizeof *entries);
        if (!entries)
            return false;
        dict->entries = entries;
    }
    dict->entries[dict->n++] = (LvJEntry){.key = key, .value = value};
    return true;
}

bool lv_jinja_length(LvJ *j, LvJValue value, size_t *out)
{
    switch (value.type) {
    case LVJ_UNDEFINED:
        *out = 0;
        return true;
    case LVJ_STRING:
        *out = value.string->chars;
        return true;
    case LVJ_LIST:
    case LVJ_TUPLE:
        *out = value.list->n;
        return true;
    case LVJ_DICT:
        *out = value.dict->n;
        return true;
    case LVJ_RANGE:
        *out = (size_t)value.range->n;
        return true;
    case LVJ_VIEW:
        *out = value.view->dict.dict->n;
        return true;
    case LVJ_LOOP:
        return lv_jinja_cannot(j, "the length of a loop by len(): use loop.length");
    default:
        return lv_jinja_wrong(j, "object of type '%s' has no len()", lv_jinja_type_name(value));
    }
}
