/* SPDX-License-Identifier: Apache-2.0
 * map, select, reject, selectattr, rejectattr: generators that process an element when it is
 * requested. */
#include <string.h>

#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/operate.h"
#include "text/jinja/text.h"

bool lv_jinja_path(LvJ *j, LvJValue value, LvJValue path, LvJValue missing, LvJValue *out)
{
    bool has_default = missing.type != LVJ_MISSING && missing.type != LVJ_NONE;
    *out = value;
    if (path.type == LVJ_MISSING || path.type == LVJ_NONE)
        return true;
    size_t at = 0;
    do {
        LvJValue key = path;
        if (path.type == LVJ_STRING) {
            const LvJString *text = path.string;
            const char *dot =
                at < text->bytes ? memchr(text->text + at, '.', text->bytes - at) : NULL;
            size_t end = dot ? (size_t)(dot - text->text) : text->bytes;
            size_t digits = strspn(end > at ? text->text + at : "", "0123456789");
            if (end > at && digits >= end - at && end - at < 18) {
                int64_t index = 0;
                for (size_t i = at; i < end; i++)
                    index = index * 10 + (text->text[i] - '0');
                key = lv_jinja_int(index);
            } else if (!lv_jinja_part(j, text, at, end - at, &key)) {
                return false;
            }
            at = dot ? end + 1 : SIZE_MAX;
        } else {
            at = SIZE_MAX;
        }
        if (!lv_jinja_item(j, *out, key, out))
            return false;
        if (has_default && out->type == LVJ_UNDEFINED)
            *out = missing;
    } while (at != SIZE_MAX);
    return true;
}

/* A generator reports bad arguments when its first element is requested. */
static bool start(LvJ *j, LvJIterator *iterator, bool *empty)
{
    *empty = false;
    if (iterator->started)
        return true;
    *empty = !lv_jinja_truth(iterator->source);
    if (*empty)
        return true;
    iterator->started = true;
    return lv_jinja_iterate(j, iterator->source, &iterator->inner);
}

static bool next_mapped(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    LvJValue item;
    if (!start(j, iterator, done))
        return false;
    if (*done || !lv_jinja_next(j, iterator->inner, &item, done))
        return *done;
    if (*done)
        return true;
    if (iterator->by_attribute)
        return lv_jinja_path(j, item, iterator->attribute, iterator->args->values[0], out);
    return lv_jinja_call_builtin(j, iterator->builtin, item, iterator->args, out);
}

static bool next_selected(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    if (!start(j, iterator, done))
        return false;
    while (!*done) {
        LvJValue value, holds;
        if (!lv_jinja_next(j, iterator->inner, out, done))
            return false;
        if (*done)
            return true;
        value = *out;
        if (iterator->by_attribute &&
            !lv_jinja_path(j, value, iterator->attribute, (LvJValue){0}, &value))
            return false;
        holds = value;
        if (iterator->builtin &&
            !lv_jinja_call_builtin(j, iterator->builtin, value, iterator->args, &holds))
            return false;
        if (lv_jinja_truth(holds) != iterator->negated)
            return true;
    }
    return true;
}

static bool next_deferred(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    LvJValue list;
    if (!iterator->started) {
        if (!lv_jinja_call_builtin(j, iterator->builtin, iterator->source, iterator->args, &list) ||
            !lv_jinja_iterate(j, list, &iterator->inner))
            return false;
        iterator->started = true;
    }
    return lv_jinja_next(j, iterator->inner, out, done);
}

/* args without its first n. */
static const LvJArgs *without(LvJ *j, const LvJArgs *args, size_t n)
{
    LvJArgs *rest = lv_jinja_alloc(j, 1, sizeof *rest);
    if (rest) {
        *rest = *args;
        n = n < args->n ? n : args->n;
        if (n > 0) /* there may be no array at all */
            rest->values += n;
        rest->n -= n;
    }
    return rest;
}

static bool new_generator(LvJ *j, LvJIterator iterator, LvJValue *out)
{
    LvJIterator *made = lv_jinja_alloc(j, 1, sizeof *made);
    if (!made)
        return false;
    *made = iterator;
    *out = (LvJValue){.type = LVJ_ITERATOR, .user = iterator.source.user, .iterator = made};
    return true;
}

bool lv_jinja_defer(
    LvJ *j, const LvJBuiltin *eager, LvJValue value, const LvJArgs *args, LvJValue *out)
{
    const LvJArgs *kept = without(j, args, 0);
    return kept && new_generator(j,
                       (LvJIterator){
                           .next = next_deferred, .source = value, .builtin = eager, .args = kept},
                       out);
}

static bool named(LvJ *j, LvJValue name, bool filter, const LvJBuiltin **out)
{
    const char *kind = filter ? "filter" : "test";
    if (name.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, name);
    if (name.type != LVJ_STRING)
        return lv_jinja_wrong(j, "a %s's name must be a string", kind);
    *out = filter ? j->find_filter(name.string) : j->find_test(name.string);
    return *out ||
           lv_jinja_cannot(j, "the %s '%s' is not supported", kind, lv_jinja_shown(j, name.string));
}

static bool map(LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    LvJIterator iterator = {.next = next_mapped, .source = value};
    if (!args->n && args->n_keywords && lv_jinja_truth(value)) {
        LvJArgs *missing = lv_jinja_alloc(j, 1, sizeof *missing);
        LvJValue *values = missing ? lv_jinja_alloc(j, 1, sizeof *values) : NULL;
        if (!values)
            return false;
        values[0] = (LvJValue){0};
        *missing = (LvJArgs){.values = values, .n = 1};
        iterator.args = missing;
        for (size_t i = 0; i < args->n_keywords; i++) {
            const LvJKeyword *keyword = &args->keywords[i];
            if (lv_jinja_is(keyword->name, "attribute"))
                iterator.by_attribute = true, iterator.attribute = keyword->value;
            else if (lv_jinja_is(keyword->name, "default"))
                values[0] = keyword->value;
            else
                return lv_jinja_wrong(j, "map() got an unexpected keyword argument '%s'",
                    lv_jinja_shown(j, keyword->name));
        }
        if (iterator.by_attribute)
            return new_generator(j, iterator, out);
    }
    if (lv_jinja_truth(value)) {
        if (!args->n)
            return lv_jinja_wrong(j, "map requires a filter argument");
        if (!named(j, args->values[0], true, &iterator.builtin) ||
            !(iterator.args = without(j, args, 1)))
            return false;
    }
    return new_generator(j, iterator, out);
}

static bool choose(
    LvJ *j, LvJValue value, const LvJArgs *args, bool attribute, bool negated, LvJValue *out)
{
    LvJIterator iterator = {.next = next_selected, .source = value, .negated = negated};
    if (lv_jinja_truth(value)) {
        iterator.by_attribute = attribute;
        if (attribute && !args->n)
            return lv_jinja_wrong(j, "missing parameter for attribute name");
        if (attribute)
            iterator.attribute = args->values[0];
        if (args->n > attribute && !named(j, args->values[attribute], false, &iterator.builtin))
            return false;
        if (!(iterator.args = without(j, args, 1 + attribute)))
            return false;
    }
    return new_generator(j, iterator, out);
}

static bool select_(
    LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    return choose(j, value, args, false, false, out);
}

static bool reject(
    LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    return choose(j, value, args, false, true, out);
}

static bool selectattr(
    LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    return choose(j, value, args, true, false, out);
}

static bool rejectattr(
    LvJ *j, LvJValue value, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    return choose(j, value, args, true, true, out);
}

static const LvJBuiltin rows[] = {{"map", NULL, 0, map}, {"select", NULL, 0, select_},
    {"reject", NULL, 0, reject}, {"selectattr", NULL, 0, selectattr},
    {"rejectattr", NULL, 0, rejectattr}};
const LvJTable lv_jinja_lazy_filters = LV_JINJA_TABLE(rows);
