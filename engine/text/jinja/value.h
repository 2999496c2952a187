/* SPDX-License-Identifier: Apache-2.0
 * The values a template computes with, like Python's. They live in their rendering's arena and are
 * never freed one by one. All but namespaces, loops, iterators, cyclers and joiners are immutable
 * once built. */
#ifndef LV_JINJA_VALUE_H
#define LV_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum LvJType {
    LVJ_MISSING, /* no argument given; never seen by a template */
    LVJ_UNDEFINED,
    LVJ_NONE,
    LVJ_BOOL,
    LVJ_INT,
    LVJ_FLOAT,
    LVJ_STRING,
    LVJ_LIST,
    LVJ_TUPLE,
    LVJ_DICT,
    LVJ_RANGE,
    LVJ_VIEW,      /* dict.keys(), .values(), .items() */
    LVJ_ITERATOR,  /* a generator: can be walked once */
    LVJ_NAMESPACE, /* namespace() */
    LVJ_FUNCTION,  /* a global function */
    LVJ_METHOD,    /* a method with its object */
    LVJ_MACRO,
    LVJ_LOOP, /* the variable `loop` */
    LVJ_CYCLER,
    LVJ_JOINER
} LvJType;

/* UTF-8. marks has a byte for each byte of text: 1 = the user's; NULL = all are as `user` says. */
typedef struct LvJString {
    const char *text;
    const uint8_t *marks;
    size_t bytes, chars;
    bool user, markup; /* markup: from `safe` or `escape` */
} LvJString;

typedef struct LvJValue LvJValue;
typedef struct LvJList {
    LvJValue *items;
    size_t n, room;
    bool group; /* one of groupby's: item 0 is also .grouper, item 1 .list */
} LvJList;
typedef struct LvJEntry LvJEntry;
typedef struct LvJDict { /* in order of insertion */
    LvJEntry *entries;
    size_t n, room;
} LvJDict;
typedef struct LvJRange {
    int64_t start, stop, step, n;
} LvJRange;
typedef struct LvJUndefined {
    const char *message; /* the message for using it */
    bool unsafe;         /* the sandbox refused the attribute */
} LvJUndefined;
typedef enum LvJPart { LVJ_KEYS, LVJ_VALUES, LVJ_ITEMS } LvJPart;
typedef struct LvJMethod LvJMethod;
typedef struct LvJView LvJView;
typedef struct LvJIterator LvJIterator;
typedef struct LvJMacro LvJMacro;
typedef struct LvJLoop LvJLoop;
typedef struct LvJCycler LvJCycler;

struct LvJValue {
    uint8_t type;
    bool user; /* the user's, or computed from it; strings carry their own marks */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const LvJString *string;
        LvJList *list; /* tuples too */
        LvJDict *dict; /* namespaces too */
        const LvJRange *range;
        const LvJUndefined *undefined;
        const LvJView *view;
        LvJIterator *iterator;
        const struct LvJBuiltin *function;
        const LvJMethod *method;
        const LvJMacro *macro;
        LvJLoop *loop;
        LvJCycler *cycler; /* joiners too */
    };
};

struct LvJEntry {
    LvJValue key, value;
};
struct LvJView {
    LvJValue dict;
    LvJPart part;
};
struct LvJMethod {
    LvJValue self;
    const struct LvJBuiltin *row;
};
struct LvJCycler {
    LvJValue *items;
    size_t n, at; /* a joiner's `at`: already used */
};

static inline LvJValue lv_jinja_none(void)
{
    return (LvJValue){.type = LVJ_NONE};
}
static inline LvJValue lv_jinja_bool(bool value)
{
    return (LvJValue){.type = LVJ_BOOL, .boolean = value};
}
static inline LvJValue lv_jinja_int(int64_t value)
{
    return (LvJValue){.type = LVJ_INT, .integer = value};
}
static inline LvJValue lv_jinja_float(double value)
{
    return (LvJValue){.type = LVJ_FLOAT, .real = value};
}

/* bool, int and float. */
static inline bool lv_jinja_is_number(LvJValue v)
{
    return v.type == LVJ_BOOL || v.type == LVJ_INT || v.type == LVJ_FLOAT;
}
/* bool and int. */
static inline bool lv_jinja_is_int(LvJValue v)
{
    return v.type == LVJ_BOOL || v.type == LVJ_INT;
}
static inline int64_t lv_jinja_as_int(LvJValue v)
{
    return v.type == LVJ_BOOL ? v.boolean : v.integer;
}
static inline double lv_jinja_as_float(LvJValue v)
{
    return v.type == LVJ_FLOAT ? v.real : (double)lv_jinja_as_int(v);
}

#endif
