/* SPDX-License-Identifier: Apache-2.0
 * Filters over single values: numbers, defaults, JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja/filters.h"
#include "text/jinja/number.h"
#include "text/jinja/object.h"
#include "text/jinja/operate.h"
#include "text/jinja/print.h"
#include "text/jinja/strings.h"

#define FILTER(name)                                                                               \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

FILTER(default)
{
    UNUSED;
    bool replace = v.type == LVJ_UNDEFINED || (lv_jinja_truth(given[1]) && !lv_jinja_truth(v));
    if (replace && given[0].type == LVJ_MISSING)
        return lv_jinja_string(j, "", 0, false, out);
    *out = replace ? given[0] : v;
    return true;
}

/* int(float). */
static bool whole(LvJ *j, double value, LvJValue *out)
{
    if (!(fabs(value) < 9.2233720368547748e18))
        return lv_jinja_cannot(j, "an integer outside of 64 bits");
    *out = lv_jinja_int((int64_t)value);
    return true;
}

static bool int_of(LvJ *j, LvJValue v, LvJValue fallback, int base, LvJValue *out)
{
    int64_t integer;
    double real;
    bool valid;
    *out = fallback;
    if (lv_jinja_is_int(v)) {
        *out = lv_jinja_int(lv_jinja_as_int(v));
        return true;
    }
    if (v.type == LVJ_FLOAT) {
        if (isnan(v.real))
            return true;
        return isinf(v.real) ? lv_jinja_wrong(j, "cannot convert float infinity to integer")
                             : whole(j, v.real, out);
    }
    if (v.type != LVJ_STRING)
        return true;
    if (!lv_jinja_parse_int(j, v.string, base, &integer, &valid))
        return false;
    if (valid) {
        *out = lv_jinja_int(integer);
        return true;
    }
    return lv_jinja_parse_float(j, v.string, &real, &valid) &&
           (!valid || isnan(real) || isinf(real) || whole(j, real, out));
}

FILTER(int)
{
    UNUSED;
    int64_t base;
    if (v.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, v);
    if (!lv_jinja_int_argument(j, given[1], "base", 10, &base))
        return false;
    if (base < 0 || base == 1 || base > 36)
        base = 10; /* if int() fails, int(float()) is tried below */
    bool user = lv_jinja_user(v);
    LvJValue fallback = given[0].type == LVJ_MISSING ? lv_jinja_int(0) : given[0];
    if (!int_of(j, v, fallback, (int)base, out))
        return false;
    out->user |= user;
    return true;
}

FILTER(float)
{
    UNUSED;
    bool valid = lv_jinja_is_number(v), user = lv_jinja_user(v);
    double value = valid ? lv_jinja_as_float(v) : 0;
    if (v.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, v);
    if (v.type == LVJ_STRING && !lv_jinja_parse_float(j, v.string, &value, &valid))
        return false;
    *out = valid                          ? lv_jinja_float(value)
           : given[0].type == LVJ_MISSING ? lv_jinja_float(0)
                                          : given[0];
    out->user |= user;
    return true;
}

FILTER(abs)
{
    UNUSED;
    if (v.type == LVJ_UNDEFINED || !lv_jinja_is_number(v))
        return lv_jinja_wrong(j, "bad operand type for abs(): '%s'", lv_jinja_type_name(v));
    bool negative = v.type == LVJ_FLOAT ? signbit(v.real) : lv_jinja_as_int(v) < 0;
    return lv_jinja_negate(j, v, !negative, out);
}

/* An integer to a multiple of 10**digits, half to even. */
static bool round_int(LvJ *j, int64_t value, int64_t digits, LvJValue *out)
{
    int64_t unit = 1, rest;
    if (digits > 18) {
        *out = lv_jinja_int(0);
        return true;
    }
    while (digits-- > 0)
        unit *= 10;
    rest = value % unit;
    rest += rest < 0 ? unit : 0;
    int64_t down;
    if (__builtin_sub_overflow(value, rest, &down))
        return lv_jinja_cannot(j, "an integer outside of 64 bits");
    bool up = rest > unit / 2 || (unit > 1 && rest == unit / 2 && (down / unit) % 2);
    *out = lv_jinja_int(down);
    return !up || lv_jinja_binary(j, LVJ_ADD, *out, lv_jinja_int(unit), out);
}

static bool round_common(LvJ *j, LvJValue v, int64_t precision, LvJValue *out)
{
    char text[400];
    if (v.type != LVJ_FLOAT)
        return precision < 0 ? round_int(j, lv_jinja_as_int(v), -precision, out)
                             : (*out = lv_jinja_int(lv_jinja_as_int(v)), true);
    if (precision < 0 && isfinite(v.real) && v.real != 0)
        return lv_jinja_cannot(j, "rounding a float to tens");
    *out = v;
    if (!isfinite(v.real) || precision > 22 || fabs(v.real) > 1e22)
        return true; /* beyond a double's digits */
    snprintf(text, sizeof text, "%.*f", (int)precision, v.real);
    *out = lv_jinja_float(strtod(text, NULL));
    return true;
}

static bool round_to(LvJ *j, LvJValue v, int64_t precision, bool up, LvJValue *out)
{
    LvJValue unit, scaled;
    if (!lv_jinja_binary(j, LVJ_POWER, lv_jinja_int(10), lv_jinja_int(precision), &unit) ||
        !lv_jinja_binary(j, LVJ_MULTIPLY, v, unit, &scaled))
        return false;
    if (scaled.type == LVJ_FLOAT) {
        double value = up ? ceil(scaled.real) : floor(scaled.real);
        if (!(fabs(value) < 9007199254740992.0))
            return lv_jinja_cannot(j, "rounding a float above 2**53");
        scaled = lv_jinja_int((int64_t)value);
    }
    return lv_jinja_binary(j, LVJ_DIVIDE, scaled, unit, out);
}

FILTER(round)
{
    UNUSED;
    int64_t precision;
    bool up = false, down = false, user = lv_jinja_user(v);
    if (v.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, v);
    if (!lv_jinja_int_argument(j, given[0], "precision", 0, &precision))
        return false;
    if (given[1].type == LVJ_STRING) {
        up = lv_jinja_is(given[1].string, "ceil");
        down = lv_jinja_is(given[1].string, "floor");
    }
    if (given[1].type != LVJ_MISSING && !up && !down &&
        !(given[1].type == LVJ_STRING && lv_jinja_is(given[1].string, "common")))
        return lv_jinja_wrong(j, "method must be common, ceil or floor");
    if (!lv_jinja_is_number(v))
        return lv_jinja_wrong(j, "type %s doesn't define __round__ method", lv_jinja_type_name(v));
    if (!(up || down ? round_to(j, v, precision, up, out) : round_common(j, v, precision, out)))
        return false;
    out->user = user;
    return true;
}

FILTER(tojson)
{
    UNUSED;
    static const LvJString space = {.text = " ", .bytes = 1, .chars = 1}, nothing = {.text = ""};
    LvJBuild build = {.j = j};
    LvJJson how = {.ascii = lv_jinja_truth(given[0]), .sort_keys = lv_jinja_truth(given[3])};
    int64_t width = 0;
    how.pretty = given[1].type != LVJ_MISSING && given[1].type != LVJ_NONE;
    if (how.pretty && given[1].type == LVJ_STRING)
        how.indent = given[1];
    else if (how.pretty && (!lv_jinja_int_argument(j, given[1], "indent", 0, &width) ||
                               !lv_jinja_pad(j, &nothing, width, 0, &space, &how.indent)))
        return false;
    if (given[2].type != LVJ_MISSING && given[2].type != LVJ_NONE) {
        const LvJList *two = given[2].list;
        bool list = given[2].type == LVJ_TUPLE || given[2].type == LVJ_LIST;
        if (!list || two->n != 2 || two->items[0].type != LVJ_STRING ||
            two->items[1].type != LVJ_STRING)
            return lv_jinja_wrong(j, "'separators' must be two strings");
        how.comma = two->items[0].string;
        how.colon = two->items[1].string;
    }
    return lv_jinja_put_json(&build, v, &how) && lv_jinja_built(&build, out);
}

FILTER(attr)
{
    UNUSED;
    bool found;
    if (v.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, v);
    if (given[0].type != LVJ_STRING)
        return lv_jinja_wrong(
            j, "attribute name must be string, not '%s'", lv_jinja_type_name(given[0]));
    if (!lv_jinja_own_attribute(j, v, given[0].string, out, &found))
        return false;
    return found || lv_jinja_undefined(j, out, "'%s object' has no attribute '%s'",
                        lv_jinja_type_name(v), lv_jinja_shown(j, given[0].string));
}

static const LvJBuiltin rows[] = {{"default", "default_value boolean", 0, do_default},
    {"d", "default_value boolean", 0, do_default}, {"int", "default base", 0, do_int},
    {"float", "default", 0, do_float}, {"abs", "", 0, do_abs},
    {"round", "precision method", 0, do_round},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, do_tojson},
    {"attr", "name", 1, do_attr}};
const LvJTable lv_jinja_value_filters = LV_JINJA_TABLE(rows);
