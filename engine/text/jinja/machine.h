/* SPDX-License-Identifier: Apache-2.0
 * The state of one rendering: memory, bounds, error, and callbacks through which lower files reach
 * higher ones. Functions return false on failure, with the error filled. */
#ifndef LV_JINJA_MACHINE_H
#define LV_JINJA_MACHINE_H

#include "llavaov.h"
#include "text/jinja/arena.h"
#include "text/jinja/jinja.h"
#include "text/jinja/value.h"

typedef struct LvJKeyword {
    const LvJString *name;
    LvJValue value;
} LvJKeyword;
typedef struct LvJArgs {
    LvJValue *values;
    size_t n;
    LvJKeyword *keywords;
    size_t n_keywords;
} LvJArgs;

typedef struct LvJ LvJ;
struct LvJ {
    LvJArena arena;
    const char *file;
    uint32_t line; /* of the node being evaluated */
    uint64_t steps, max_steps;
    unsigned depth;
    LlavaovError *error;
    const struct tm *now;
    /* Runs a macro's body, or loop(...) again. */
    bool (*run)(LvJ *, LvJValue function, const LvJArgs *, LvJValue *out);
    /* Filters and tests by name, for filters that take the name of another. */
    const struct LvJBuiltin *(*find_filter)(const LvJString *name);
    const struct LvJBuiltin *(*find_test)(const LvJString *name);
};

/* Reports an error at the current line. Always false. */
bool lv_jinja_fail(LvJ *j, LlavaovStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A mistake in the template, in Python's words: LLAVAOV_ERROR_FORMAT. */
#define lv_jinja_wrong(j, ...) lv_jinja_fail(j, LLAVAOV_ERROR_FORMAT, __VA_ARGS__)
/* Valid in jinja2 but not supported by this interpreter. */
#define lv_jinja_cannot(j, ...) lv_jinja_fail(j, LLAVAOV_ERROR_UNSUPPORTED, __VA_ARGS__)

/* A string as a C string for an error's text: cut at 80 bytes. */
const char *lv_jinja_shown(LvJ *j, const LvJString *string);

/* Bounded memory; NULL after failing. */
void *lv_jinja_alloc(LvJ *j, size_t count, size_t size);
/* Counts work; false (with an error) when the bound is exceeded. */
bool lv_jinja_work(LvJ *j, uint64_t steps);
/* Counts the work of handling this many bytes. */
static inline bool lv_jinja_work_bytes(LvJ *j, size_t bytes)
{
    return lv_jinja_work(j, 1 + bytes / 16);
}
/* One level deeper, and back. */
bool lv_jinja_enter(LvJ *j);
static inline void lv_jinja_leave(LvJ *j)
{
    j->depth--;
}
/* Whether a value counts as the user's: a result is marked if any operand is. */
static inline bool lv_jinja_user(LvJValue v)
{
    return v.type == LVJ_STRING ? v.string->user || v.string->marks : v.user;
}

#endif
