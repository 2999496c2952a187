/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/object.h"
#include "text/jinja/text.h"
#include "text/utf8.h"

static bool next_item(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    (void)j;
    const LvJList *list = iterator->source.list;
    *done = iterator->at >= list->n;
    if (!*done)
        *out = list->items[iterator->at++];
    return true;
}

static bool next_entry(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    LvJValue source = iterator->source;
    LvJPart part = source.type == LVJ_VIEW ? source.view->part : LVJ_KEYS;
    const LvJDict *dict = source.type == LVJ_VIEW ? source.view->dict.dict : source.dict;
    *done = iterator->at >= dict->n;
    if (*done)
        return true;
    const LvJEntry *entry = &dict->entries[iterator->at++];
    *out = part == LVJ_KEYS ? entry->key : entry->value;
    if (part != LVJ_ITEMS)
        return true;
    if (!lv_jinja_pair(j, entry->key, entry->value, out))
        return false;
    out->user = source.user;
    return true;
}

static bool next_char(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    const LvJString *string = iterator->source.string;
    *done = iterator->at >= string->bytes;
    if (*done)
        return true;
    const unsigned char *first = (const unsigned char *)string->text + iterator->at, *next = first;
    lv_utf8_next(&next);
    size_t at = iterator->at;
    iterator->at += (size_t)(next - first);
    return lv_jinja_part(j, string, at, (size_t)(next - first), out);
}

static bool next_number(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    (void)j;
    const LvJRange *range = iterator->source.range;
    *done = iterator->at >= (size_t)range->n;
    if (!*done)
        *out = lv_jinja_int(range->start + (int64_t)iterator->at++ * range->step);
    return true;
}

static bool next_nothing(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    (void)j, (void)iterator, (void)out;
    *done = true;
    return true;
}

bool lv_jinja_iterate(LvJ *j, LvJValue value, LvJIterator **out)
{
    bool (*next)(LvJ *, LvJIterator *, LvJValue *, bool *);
    switch (value.type) {
    case LVJ_ITERATOR:
        *out = value.iterator;
        return true;
    case LVJ_LIST:
    case LVJ_TUPLE:
        next = next_item;
        break;
    case LVJ_DICT:
    case LVJ_VIEW:
        next = next_entry;
        break;
    case LVJ_STRING:
        next = next_char;
        break;
    case LVJ_RANGE:
        next = next_number;
        break;
    case LVJ_UNDEFINED:
        next = next_nothing;
        break;
    case LVJ_LOOP:
        return lv_jinja_cannot(j, "iterating over the variable 'loop'");
    default:
        return lv_jinja_wrong(j, "'%s' object is not iterable", lv_jinja_type_name(value));
    }
    LvJIterator *iterator = lv_jinja_alloc(j, 1, sizeof *iterator);
    if (!iterator)
        return false;
    *iterator = (LvJIterator){.next = next, .source = value};
    *out = iterator;
    return true;
}

bool lv_jinja_to_list(LvJ *j, LvJType type, LvJValue value, LvJValue *out)
{
    LvJIterator *iterator = NULL;
    LvJValue list, item;
    bool good;
    if (!lv_jinja_iterate(j, value, &iterator) || !lv_jinja_new_list(j, type, 0, &list))
        return false;
    while (lv_jinja_each(j, iterator, &item, &good))
        if (!lv_jinja_append(j, list.list, item))
            return false;
    if (!good)
        return false;
    list.user = value.user;
    *out = list;
    return true;
}
