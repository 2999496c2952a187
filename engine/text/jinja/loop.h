/* SPDX-License-Identifier: Apache-2.0
 * The variable `loop`. */
#ifndef LV_JINJA_LOOP_H
#define LV_JINJA_LOOP_H

#include "text/jinja/object.h"

struct LvJLoop {
    LvJIterator *iterator;
    LvJValue source;                 /* the iterable if it has a length, or LVJ_MISSING */
    int64_t index0;                  /* -1 before the first */
    LvJValue before, current, after; /* LVJ_MISSING: none, or not yet fetched */
    bool ended;                      /* the iterator is exhausted */
    int64_t length;                  /* -1: not requested yet */
    LvJValue changed;                /* what changed() was last called with */
    const struct LvJNode *recursive; /* the loop that loop(...) runs again, or NULL */
    struct LvJScope *scope;
    int64_t depth0;
};

bool lv_jinja_loop_new(LvJ *j, LvJValue iterable, LvJIterator *iterator, LvJLoop **out);
/* The next element, or *done. */
bool lv_jinja_loop_next(LvJ *j, LvJLoop *loop, LvJValue *out, bool *done);
bool lv_jinja_loop_attribute(
    LvJ *j, LvJValue loop, const LvJString *name, LvJValue *out, bool *found);
/* The attributes of cycler() and joiner(). */
bool lv_jinja_cycler_attribute(
    LvJ *j, LvJValue cycler, const LvJString *name, LvJValue *out, bool *found);

#endif
