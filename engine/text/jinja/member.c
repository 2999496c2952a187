/* SPDX-License-Identifier: Apache-2.0
 * Attributes, items and slices. */
#include <string.h>

#include "text/jinja/loop.h"
#include "text/jinja/method.h"
#include "text/jinja/object.h"
#include "text/jinja/operate.h"
#include "text/jinja/print.h"

/* An object's name in errors. */
static void object_name(LvJValue object, char *name, size_t size)
{
    bool none = object.type == LVJ_NONE;
    size_t n = 0;
    for (const char *p = none ? "None" : lv_jinja_type_name(object); *p && n + 8 < size; p++)
        name[n++] = *p;
    strcpy(name + n, none ? "" : " object");
}

bool lv_jinja_own_attribute(
    LvJ *j, LvJValue object, const LvJString *name, LvJValue *out, bool *found)
{
    LvJValue *member;
    *found = object.type == LVJ_TUPLE && object.list->group &&
             (lv_jinja_is(name, "grouper") || lv_jinja_is(name, "list"));
    if (*found) {
        *out = object.list->items[name->bytes == 4];
        return true;
    }
    switch (object.type) {
    case LVJ_LOOP:
        return lv_jinja_loop_attribute(j, object, name, out, found);
    case LVJ_CYCLER:
    case LVJ_JOINER:
        return lv_jinja_cycler_attribute(j, object, name, out, found);
    case LVJ_NAMESPACE:
        if (!lv_jinja_dict_find_name(j, object.dict, name, &member))
            return false;
        *found = member != NULL;
        if (member)
            *out = *member;
        return true;
    default:
        return lv_jinja_find_method(j, object, name, out, found);
    }
}

/* A Python index: false where there is none. */
static bool wrap(LvJValue key, size_t n, size_t *index)
{
    if (!lv_jinja_is_int(key))
        return false;
    int64_t at = lv_jinja_as_int(key);
    at = at < 0 ? at + (int64_t)n : at;
    *index = (size_t)at;
    return at >= 0 && (size_t)at < n;
}

static bool own_item(LvJ *j, LvJValue object, LvJValue key, LvJValue *out, bool *found)
{
    LvJValue *member;
    size_t index;
    *found = false;
    switch (object.type) {
    case LVJ_DICT:
        if (key.type == LVJ_LIST || key.type == LVJ_DICT)
            return true; /* unhashable: no such item */
        if (!lv_jinja_dict_find(j, object.dict, key, &member))
            return false;
        *found = member != NULL;
        if (member)
            *out = *member;
        return true;
    case LVJ_LIST:
    case LVJ_TUPLE:
        *found = wrap(key, object.list->n, &index);
        if (*found)
            *out = object.list->items[index];
        return true;
    case LVJ_RANGE:
        *found = wrap(key, (size_t)object.range->n, &index);
        if (*found)
            *out = lv_jinja_int(object.range->start + (int64_t)index * object.range->step);
        return true;
    case LVJ_STRING:
        *found = wrap(key, object.string->chars, &index);
        if (!*found)
            return true;
        size_t first = lv_jinja_offset(object.string, index);
        size_t end = lv_jinja_offset(object.string, index + 1);
        return lv_jinja_work_bytes(j, object.string->chars == object.string->bytes ? 0 : end) &&
               lv_jinja_part(j, object.string, first, end - first, out);
    default:
        return true;
    }
}

static bool nothing(LvJ *j, LvJValue object, LvJValue key, LvJValue *out)
{
    char name[40];
    object_name(object, name, sizeof name);
    if (key.type == LVJ_STRING)
        return lv_jinja_undefined(
            j, out, "'%s' has no attribute '%s'", name, lv_jinja_shown(j, key.string));
    LvJBuild build = {.j = j};
    if (lv_jinja_is_number(key) && !lv_jinja_put_repr(&build, key))
        return false;
    return lv_jinja_undefined(j, out, "%s has no element %.*s", name, build.n ? (int)build.n : 4,
        build.n ? build.text : "such");
}

bool lv_jinja_attribute(LvJ *j, LvJValue object, const LvJString *name, LvJValue *out)
{
    bool found = false;
    LvJValue key = {.type = LVJ_STRING, .string = name};
    if (object.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, object);
    if (!lv_jinja_own_attribute(j, object, name, out, &found) ||
        (!found && !own_item(j, object, key, out, &found)))
        return false;
    return found || nothing(j, object, key, out);
}

bool lv_jinja_item(LvJ *j, LvJValue object, LvJValue key, LvJValue *out)
{
    bool found = false;
    if (object.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, object);
    if (!own_item(j, object, key, out, &found))
        return false;
    if (!found && key.type == LVJ_STRING &&
        !lv_jinja_own_attribute(j, object, key.string, out, &found))
        return false;
    return found || nothing(j, object, key, out);
}

static bool bound(LvJ *j, LvJValue value, int64_t missing, int64_t *out)
{
    *out = lv_jinja_is_int(value) ? lv_jinja_as_int(value) : missing;
    return lv_jinja_is_int(value) || value.type == LVJ_NONE ||
           lv_jinja_wrong(j, "slice indices must be integers or None or have an __index__ method");
}

static int64_t clamp(int64_t at, int64_t n, int64_t least, int64_t most)
{
    at = at < 0 ? at + n : at;
    return at < least ? least : at > most ? most : at;
}

/* The slice's first index, step and number of elements. */
static bool slice_of(LvJ *j, LvJValue start, LvJValue stop, LvJValue step, size_t length,
    int64_t *first, int64_t *by, size_t *count)
{
    int64_t n = (int64_t)length, last;
    if (!bound(j, step, 1, by))
        return false;
    if (!*by)
        return lv_jinja_wrong(j, "slice step cannot be zero");
    bool up = *by > 0;
    if (!bound(j, start, up ? 0 : n - 1, first) || !bound(j, stop, up ? n : -1, &last))
        return false;
    if (start.type != LVJ_NONE)
        *first = clamp(*first, n, up ? 0 : -1, up ? n : n - 1);
    if (stop.type != LVJ_NONE)
        last = clamp(last, n, up ? 0 : -1, up ? n : n - 1);
    int64_t distance = up ? last - *first : *first - last;
    uint64_t stride = up ? (uint64_t)*by : 0 - (uint64_t)*by;
    *count = distance > 0 ? (size_t)((uint64_t)(distance - 1) / stride + 1) : 0;
    return true;
}

static bool slice_string(
    LvJ *j, const LvJString *string, int64_t first, int64_t by, size_t count, LvJValue *out)
{
    LvJBuild build = {.j = j};
    if (!lv_jinja_work_bytes(j, string->bytes))
        return false;
    size_t at = lv_jinja_offset(string, (size_t)(first < 0 ? 0 : first));
    if (by == 1 || count <= 1) {
        size_t end = lv_jinja_offset(string, (size_t)first + count);
        return lv_jinja_part(j, string, at, count ? end - at : 0, out);
    }
    for (size_t i = 0; i < count; i++) {
        size_t index = (size_t)(first + (int64_t)i * by);
        bool ascii = string->chars == string->bytes;
        /* Iterate from the last character to this one. */
        int64_t steps = i ? by : 0;
        for (; !ascii && steps > 0; steps--)
            do
                at++;
            while (((unsigned char)string->text[at] & 0xC0) == 0x80);
        for (; !ascii && steps < 0; steps++)
            do
                at--;
            while (((unsigned char)string->text[at] & 0xC0) == 0x80);
        at = ascii ? index : at;
        size_t n = 1;
        while (at + n < string->bytes && ((unsigned char)string->text[at + n] & 0xC0) == 0x80)
            n++;
        if (!lv_jinja_put_part(&build, string, at, n))
            return false;
    }
    return lv_jinja_built(&build, out);
}

bool lv_jinja_slice(
    LvJ *j, LvJValue object, LvJValue start, LvJValue stop, LvJValue step, LvJValue *out)
{
    bool string = object.type == LVJ_STRING;
    bool list = object.type == LVJ_LIST || object.type == LVJ_TUPLE;
    int64_t first = 0, by = 1;
    size_t count = 0;
    if (object.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, object);
    if (object.type == LVJ_RANGE)
        return lv_jinja_cannot(j, "a slice of a range");
    if (object.type == LVJ_DICT)
        return lv_jinja_wrong(j, "unhashable type: 'slice'");
    if (!string && !list)
        return lv_jinja_wrong(j, "'%s' object is not subscriptable", lv_jinja_type_name(object));
    if (!slice_of(j, start, stop, step, string ? object.string->chars : object.list->n, &first, &by,
            &count))
        return false;
    if (string)
        return slice_string(j, object.string, first, by, count, out);
    if (!lv_jinja_work(j, count) || !lv_jinja_new_list(j, object.type, count, out))
        return false;
    for (size_t i = 0; i < count; i++)
        out->list->items[i] = object.list->items[first + (int64_t)i * by];
    out->list->n = count;
    out->user = object.user;
    return true;
}
