/* SPDX-License-Identifier: Apache-2.0
 * value is NAME(...). */
#include "text/jinja/character.h"
#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/operate.h"
#include "text/jinja/print.h"
#include "text/utf8.h"

#define TEST(name, condition)                                                                      \
    static bool name(                                                                              \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)             \
    {                                                                                              \
        (void)j, (void)v, (void)given, (void)args;                                                 \
        *out = lv_jinja_bool(condition);                                                           \
        return true;                                                                               \
    }

TEST(is_defined, v.type != LVJ_UNDEFINED)
TEST(is_undefined, v.type == LVJ_UNDEFINED)
TEST(is_none, v.type == LVJ_NONE)
TEST(is_boolean, v.type == LVJ_BOOL)
TEST(is_true, v.type == LVJ_BOOL && v.boolean)
TEST(is_false, v.type == LVJ_BOOL && !v.boolean)
TEST(is_integer, v.type == LVJ_INT)
TEST(is_float, v.type == LVJ_FLOAT)
TEST(is_number, lv_jinja_is_number(v))
TEST(is_string, v.type == LVJ_STRING)
TEST(is_mapping, v.type == LVJ_DICT)
TEST(is_escaped, v.type == LVJ_STRING && v.string->markup)
TEST(is_sequence, v.type == LVJ_STRING || v.type == LVJ_LIST || v.type == LVJ_TUPLE ||
                      v.type == LVJ_DICT || v.type == LVJ_RANGE || v.type == LVJ_UNDEFINED)
TEST(is_iterable, v.type == LVJ_STRING || v.type == LVJ_LIST || v.type == LVJ_TUPLE ||
                      v.type == LVJ_DICT || v.type == LVJ_RANGE || v.type == LVJ_UNDEFINED ||
                      v.type == LVJ_VIEW || v.type == LVJ_ITERATOR || v.type == LVJ_LOOP)
TEST(is_callable, v.type == LVJ_FUNCTION || v.type == LVJ_METHOD || v.type == LVJ_MACRO ||
                      v.type == LVJ_LOOP || v.type == LVJ_JOINER || v.type == LVJ_UNDEFINED)

static bool is_known(LvJ *j, LvJValue name, bool filter, LvJValue *out)
{
    const LvJBuiltin *found = NULL;
    if (!lv_jinja_hashable(j, name))
        return false;
    if (name.type == LVJ_STRING)
        found = filter ? j->find_filter(name.string) : j->find_test(name.string);
    *out = lv_jinja_bool(found != NULL);
    return true;
}

static bool is_filter(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given, (void)args;
    return is_known(j, v, true, out);
}

static bool is_test(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given, (void)args;
    return is_known(j, v, false, out);
}

static bool remainder_is(LvJ *j, LvJValue v, LvJValue by, int64_t want, LvJValue *out)
{
    LvJValue rest;
    bool same;
    if (!lv_jinja_binary(j, LVJ_REMAINDER, v, by, &rest) ||
        !lv_jinja_equal(j, rest, lv_jinja_int(want), &same))
        return false;
    *out = lv_jinja_bool(same);
    return true;
}

static bool is_odd(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given, (void)args;
    return remainder_is(j, v, lv_jinja_int(2), 1, out);
}

static bool is_even(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given, (void)args;
    return remainder_is(j, v, lv_jinja_int(2), 0, out);
}

static bool is_divisible(
    LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)args;
    return remainder_is(j, v, given[0], 0, out);
}

/* str.islower() or isupper(): some cased character, and all of them of that case. */
static bool has_case(LvJ *j, LvJValue v, unsigned wanted, LvJValue *out)
{
    LvJValue string;
    bool any = false, other = false;
    if (!lv_jinja_str(j, v, &string) || !lv_jinja_work_bytes(j, string.string->bytes))
        return false;
    const unsigned char *p = (const unsigned char *)string.string->text;
    for (const unsigned char *end = p + string.string->bytes; p < end;) {
        unsigned flags = lv_jinja_flags(lv_utf8_next(&p));
        any |= (flags & wanted) != 0;
        other |= (flags & LV_JINJA_CASED & ~wanted) != 0;
    }
    *out = lv_jinja_bool(any && !other);
    return true;
}

static bool is_lower(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given, (void)args;
    return has_case(j, v, LV_JINJA_LOWER, out);
}

static bool is_upper(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)given, (void)args;
    return has_case(j, v, LV_JINJA_UPPER, out);
}

static bool is_same(LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
{
    (void)args;
    LvJValue other = given[0];
    bool single = v.type == LVJ_NONE || v.type == LVJ_BOOL;
    if (v.type != other.type)
        *out = lv_jinja_bool(false);
    else if (single)
        *out = lv_jinja_bool(v.type == LVJ_NONE || v.boolean == other.boolean);
    else if (v.type == LVJ_INT || v.type == LVJ_FLOAT || v.type == LVJ_STRING)
        return lv_jinja_cannot(j, "'sameas' of numbers and strings depends on Python's insides");
    else
        *out = lv_jinja_bool(v.list == other.list);
    return true;
}

#define COMPARISON(name, op)                                                                       \
    static bool name(                                                                              \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)             \
    {                                                                                              \
        (void)args;                                                                                \
        bool holds;                                                                                \
        if (!lv_jinja_compare(j, op, v, given[0], &holds))                                         \
            return false;                                                                          \
        *out = lv_jinja_bool(holds);                                                               \
        return true;                                                                               \
    }

COMPARISON(is_equal, LVJ_EQUAL)
COMPARISON(is_not_equal, LVJ_NOT_EQUAL)
COMPARISON(is_less, LVJ_LESS)
COMPARISON(is_less_equal, LVJ_LESS_EQUAL)
COMPARISON(is_greater, LVJ_GREATER)
COMPARISON(is_greater_equal, LVJ_GREATER_EQUAL)
COMPARISON(is_in, LVJ_IN)

static const LvJBuiltin rows[] = {{"defined", "", 0, is_defined},
    {"undefined", "", 0, is_undefined}, {"none", "", 0, is_none}, {"boolean", "", 0, is_boolean},
    {"true", "", 0, is_true}, {"false", "", 0, is_false}, {"integer", "", 0, is_integer},
    {"float", "", 0, is_float}, {"number", "", 0, is_number}, {"string", "", 0, is_string},
    {"mapping", "", 0, is_mapping}, {"sequence", "", 0, is_sequence},
    {"iterable", "", 0, is_iterable}, {"callable", "", 0, is_callable},
    {"escaped", "", 0, is_escaped}, {"filter", "", 0, is_filter}, {"test", "", 0, is_test},
    {"odd", "", 0, is_odd}, {"even", "", 0, is_even}, {"divisibleby", "num", 1, is_divisible},
    {"lower", "", 0, is_lower}, {"upper", "", 0, is_upper}, {"sameas", "other", 1, is_same},
    {"eq", "b", 1, is_equal}, {"equalto", "b", 1, is_equal}, {"==", "b", 1, is_equal},
    {"ne", "b", 1, is_not_equal}, {"!=", "b", 1, is_not_equal}, {"lt", "b", 1, is_less},
    {"lessthan", "b", 1, is_less}, {"<", "b", 1, is_less}, {"le", "b", 1, is_less_equal},
    {"<=", "b", 1, is_less_equal}, {"gt", "b", 1, is_greater}, {"greaterthan", "b", 1, is_greater},
    {">", "b", 1, is_greater}, {"ge", "b", 1, is_greater_equal}, {">=", "b", 1, is_greater_equal},
    {"in", "seq", 1, is_in}};
const LvJTable lv_jinja_tests = LV_JINJA_TABLE(rows);
