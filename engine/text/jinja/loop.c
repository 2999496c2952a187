/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/loop.h"

#include "text/jinja/builtin.h"
#include "text/jinja/text.h"

bool lv_jinja_loop_new(LvJ *j, LvJValue iterable, LvJIterator *iterator, LvJLoop **out)
{
    LvJLoop *loop = lv_jinja_alloc(j, 1, sizeof *loop);
    if (!loop)
        return false;
    *loop = (LvJLoop){.iterator = iterator, .source = iterable, .index0 = -1, .length = -1};
    *out = loop;
    return true;
}

static bool peek(LvJ *j, LvJLoop *loop)
{
    if (loop->after.type != LVJ_MISSING || loop->ended)
        return true;
    LvJValue item;
    if (!lv_jinja_next(j, loop->iterator, &item, &loop->ended))
        return false;
    if (!loop->ended)
        loop->after = item;
    return true;
}

bool lv_jinja_loop_next(LvJ *j, LvJLoop *loop, LvJValue *out, bool *done)
{
    if (!peek(j, loop))
        return false;
    *done = loop->after.type == LVJ_MISSING;
    if (*done)
        return true;
    loop->before = loop->current;
    loop->current = *out = loop->after;
    loop->after.type = LVJ_MISSING;
    loop->index0++;
    return true;
}

static bool length_of(LvJ *j, LvJLoop *loop)
{
    size_t n;
    if (loop->length >= 0)
        return true;
    if (loop->source.type != LVJ_ITERATOR) {
        if (!lv_jinja_length(j, loop->source, &n))
            return false;
        loop->length = (int64_t)n;
        return true;
    }
    /* A generator: collect its elements and iterate over the list. */
    LvJValue rest, source = {.type = LVJ_ITERATOR, .iterator = loop->iterator};
    if (!lv_jinja_to_list(j, LVJ_LIST, source, &rest) ||
        !lv_jinja_iterate(j, rest, &loop->iterator))
        return false;
    loop->ended = false;
    loop->length = (int64_t)rest.list->n + loop->index0 + 1 + (loop->after.type != LVJ_MISSING);
    return true;
}

/* cycle() and changed(): self is the loop. */
static bool cycle(LvJ *j, LvJValue self, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    if (!args->n || args->n_keywords)
        return lv_jinja_wrong(j, "no items for cycling given");
    int64_t index = self.loop->index0 < 0 ? 0 : self.loop->index0;
    *out = args->values[(size_t)index % args->n];
    return true;
}

static bool changed(
    LvJ *j, LvJValue self, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given;
    bool same = false;
    LvJValue now;
    if (!lv_jinja_new_list(j, LVJ_TUPLE, args->n, &now))
        return false;
    for (size_t i = 0; i < args->n; i++)
        if (!lv_jinja_append(j, now.list, args->values[i]))
            return false;
    if (self.loop->changed.type == LVJ_TUPLE && !lv_jinja_equal(j, self.loop->changed, now, &same))
        return false;
    self.loop->changed = now;
    *out = lv_jinja_bool(!same);
    return true;
}

static bool cycler_next(
    LvJ *j, LvJValue self, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)j, (void)given, (void)args;
    *out = self.cycler->items[self.cycler->at];
    self.cycler->at = (self.cycler->at + 1) % self.cycler->n;
    return true;
}

static bool cycler_reset(
    LvJ *j, LvJValue self, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)j, (void)given, (void)args;
    self.cycler->at = 0;
    *out = lv_jinja_none();
    return true;
}

static bool bind(LvJ *j, LvJValue self, const LvJBuiltin *row, LvJValue *out)
{
    LvJMethod *method = lv_jinja_alloc(j, 1, sizeof *method);
    if (!method)
        return false;
    *method = (LvJMethod){.self = self, .row = row};
    *out = (LvJValue){.type = LVJ_METHOD, .method = method};
    return true;
}

static bool neighbour(LvJ *j, LvJValue item, const char *missing, LvJValue *out)
{
    *out = item;
    return item.type != LVJ_MISSING || lv_jinja_undefined(j, out, "there is no %s item", missing);
}

bool lv_jinja_loop_attribute(
    LvJ *j, LvJValue value, const LvJString *name, LvJValue *out, bool *found)
{
    static const LvJBuiltin methods[] = {{"cycle", NULL, 0, cycle}, {"changed", NULL, 0, changed}};
    LvJLoop *loop = value.loop;
    *found = true;
    for (size_t i = 0; i < 2; i++)
        if (lv_jinja_is(name, methods[i].name))
            return bind(j, value, &methods[i], out);
    if (lv_jinja_is(name, "previtem"))
        return neighbour(j, loop->index0 > 0 ? loop->before : (LvJValue){0}, "previous", out);
    bool last = lv_jinja_is(name, "last");
    if (last || lv_jinja_is(name, "nextitem")) {
        if (!peek(j, loop))
            return false;
        *out = lv_jinja_bool(loop->after.type == LVJ_MISSING);
        return last || neighbour(j, loop->after, "next", out);
    }
    bool length = lv_jinja_is(name, "length"), rev = lv_jinja_is(name, "revindex");
    if (length || rev || lv_jinja_is(name, "revindex0")) {
        if (!length_of(j, loop))
            return false;
        *out = lv_jinja_int(loop->length - (length ? 0 : loop->index0 + !rev));
    } else if (lv_jinja_is(name, "index")) {
        *out = lv_jinja_int(loop->index0 + 1);
    } else if (lv_jinja_is(name, "index0")) {
        *out = lv_jinja_int(loop->index0);
    } else if (lv_jinja_is(name, "first")) {
        *out = lv_jinja_bool(loop->index0 == 0);
    } else if (lv_jinja_is(name, "depth") || lv_jinja_is(name, "depth0")) {
        *out = lv_jinja_int(loop->depth0 + (name->bytes == 5));
    } else {
        *found = false;
    }
    return true;
}

bool lv_jinja_cycler_attribute(
    LvJ *j, LvJValue cycler, const LvJString *name, LvJValue *out, bool *found)
{
    static const LvJBuiltin methods[] = {
        {"next", "", 0, cycler_next}, {"reset", "", 0, cycler_reset}};
    *found = cycler.type == LVJ_CYCLER;
    for (size_t i = 0; *found && i < 2; i++)
        if (lv_jinja_is(name, methods[i].name))
            return bind(j, cycler, &methods[i], out);
    *found = *found && lv_jinja_is(name, "current");
    if (*found)
        *out = cycler.cycler->items[cycler.cycler->at];
    return !lv_jinja_is(name, "sep") || *found ||
           lv_jinja_cannot(j, "the attribute 'sep' of a joiner is not supported");
}
