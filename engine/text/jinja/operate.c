/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/operate.h"

#include <math.h>
#include <string.h>

#include "text/jinja/object.h"
#include "text/jinja/percent.h"
#include "text/jinja/text.h"

static const char *const signs[] = {[LVJ_ADD] = "+",
    [LVJ_SUBTRACT] = "-",
    [LVJ_MULTIPLY] = "*",
    [LVJ_DIVIDE] = "/",
    [LVJ_FLOOR_DIVIDE] = "//",
    [LVJ_REMAINDER] = "%",
    [LVJ_POWER] = "** or pow()",
    [LVJ_LESS] = "<",
    [LVJ_LESS_EQUAL] = "<=",
    [LVJ_GREATER] = ">",
    [LVJ_GREATER_EQUAL] = ">="};

static bool refuse(LvJ *j, LvJOperator op, LvJValue a, LvJValue b)
{
    if (a.type == LVJ_UNDEFINED || b.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, a.type == LVJ_UNDEFINED ? a : b);
    return lv_jinja_wrong(j, "unsupported operand type(s) for %s: '%s' and '%s'", signs[op],
        lv_jinja_type_name(a), lv_jinja_type_name(b));
}

static bool overflow(LvJ *j)
{
    return lv_jinja_cannot(j, "an integer outside of 64 bits");
}

static bool power_int(LvJ *j, int64_t base, int64_t exponent, LvJValue *out)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (!base)
            return lv_jinja_wrong(j, "0.0 cannot be raised to a negative power");
        *out = lv_jinja_float(pow((double)base, (double)exponent));
        return true;
    }
    if (base == 0 || base == 1 || base == -1) {
        *out = lv_jinja_int(!exponent || base == 1 ? 1 : base == 0 ? 0 : exponent % 2 ? -1 : 1);
        return true;
    }
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(result, base, &result))
            return overflow(j);
    *out = lv_jinja_int(result);
    return true;
}

static bool integers(LvJ *j, LvJOperator op, int64_t a, int64_t b, LvJValue *out)
{
    int64_t result = 0;
    bool over = false;
    if (op == LVJ_POWER)
        return power_int(j, a, b, out);
    if (op == LVJ_DIVIDE || op == LVJ_FLOOR_DIVIDE || op == LVJ_REMAINDER) {
        if (!b)
            return lv_jinja_wrong(
                j, op == LVJ_DIVIDE ? "division by zero" : "integer division or modulo by zero");
        if (op == LVJ_DIVIDE) {
            int64_t most = INT64_C(1) << 53;
            if (a > most || a < -most || b > most || b < -most)
                return lv_jinja_cannot(j, "a quotient of integers above 2**53");
            *out = lv_jinja_float((double)a / (double)b);
            return true;
        }
        if (b == -1) { /* INT64_MIN / -1 */
            over = op == LVJ_FLOOR_DIVIDE && __builtin_sub_overflow(0, a, &result);
        } else {
            int64_t rest = a % b;
            bool down = rest && (rest < 0) != (b < 0);
            result = op == LVJ_REMAINDER ? rest + (down ? b : 0) : a / b - down;
        }
    } else if (op == LVJ_ADD) {
        over = __builtin_add_overflow(a, b, &result);
    } else if (op == LVJ_SUBTRACT) {
        over = __builtin_sub_overflow(a, b, &result);
    } else {
        over = __builtin_mul_overflow(a, b, &result);
    }
    *out = lv_jinja_int(result);
    return !over || overflow(j);
}

/* Python's float // and %. */
static double float_divmod(double a, double b, bool remainder)
{
    double rest = fmod(a, b), quotient = (a - rest) / b;
    if (rest != 0) {
        if ((b < 0) != (rest < 0)) {
            rest += b;
            quotient -= 1;
        }
    } else {
        rest = copysign(0.0, b);
    }
    if (remainder)
        return rest;
    if (quotient == 0)
        return copysign(0.0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
}

static bool floats(LvJ *j, LvJOperator op, double a, double b, LvJValue *out)
{
    double result;
    if (!b && (op == LVJ_DIVIDE || op == LVJ_FLOOR_DIVIDE || op == LVJ_REMAINDER))
        return lv_jinja_wrong(j, "float division by zero");
    switch (op) {
    case LVJ_ADD:
        result = a + b;
        break;
    case LVJ_SUBTRACT:
        result = a - b;
        break;
    case LVJ_MULTIPLY:
        result = a * b;
        break;
    case LVJ_DIVIDE:
        result = a / b;
        break;
    case LVJ_POWER:
        if (!a && b < 0)
            return lv_jinja_wrong(j, "0.0 cannot be raised to a negative power");
        if (a < 0 && isfinite(b) && b != floor(b))
            return lv_jinja_cannot(j, "a complex number");
        result = pow(a, b);
        if (isinf(result) && isfinite(a) && isfinite(b))
            return lv_jinja_wrong(j, "numerical result out of range");
        break;
    default:
        result = float_divmod(a, b, op == LVJ_REMAINDER);
    }
    *out = lv_jinja_float(result);
    return true;
}

static bool repeat_string(LvJ *j, const LvJString *string, int64_t times, LvJValue *out)
{
    LvJBuild build = {.j = j};
    return lv_jinja_put_repeated(&build, string, times) && lv_jinja_built(&build, out);
}

static bool repeat(LvJ *j, LvJValue a, int64_t times, LvJValue *out)
{
    LvJValue list;
    if (a.type == LVJ_STRING)
        return a.string->markup ? lv_jinja_cannot(j, "repeating a string from 'safe' or 'escape'")
                                : repeat_string(j, a.string, times, out);
    if (!lv_jinja_new_list(j, a.type, 0, &list))
        return false;
    for (int64_t i = 0; a.list->n && i < times; i++) {
        if (!lv_jinja_work(j, a.list->n))
            return false;
        for (size_t k = 0; k < a.list->n; k++)
            if (!lv_jinja_append(j, list.list, a.list->items[k]))
                return false;
    }
    list.user = a.user;
    *out = list;
    return true;
}

static bool join_lists(LvJ *j, LvJValue a, LvJValue b, LvJValue *out)
{
    if (!lv_jinja_work(j, a.list->n + b.list->n) ||
        !lv_jinja_new_list(j, a.type, a.list->n + b.list->n, out))
        return false;
    if (a.list->n)
        memcpy(out->list->items, a.list->items, a.list->n * sizeof(LvJValue));
    if (b.list->n)
        memcpy(out->list->items + a.list->n, b.list->items, b.list->n * sizeof(LvJValue));
    out->list->n = a.list->n + b.list->n;
    out->user = a.user || b.user;
    return true;
}

static bool sequence(LvJValue v)
{
    return v.type == LVJ_STRING || v.type == LVJ_LIST || v.type == LVJ_TUPLE;
}

static bool join_strings(LvJ *j, LvJValue a, LvJValue b, LvJValue *out)
{
    LvJBuild build = {.j = j};
    if (a.string->markup || b.string->markup)
        return lv_jinja_cannot(
            j, "adding to a string from 'safe' or 'escape', which escapes the other: use ~");
    return lv_jinja_put_string(&build, a.string) && lv_jinja_put_string(&build, b.string) &&
           lv_jinja_built(&build, out);
}

bool lv_jinja_binary(LvJ *j, LvJOperator op, LvJValue a, LvJValue b, LvJValue *out)
{
    bool user = lv_jinja_user(a) || lv_jinja_user(b);
    if (lv_jinja_is_number(a) && lv_jinja_is_number(b)) {
        bool done = lv_jinja_is_int(a) && lv_jinja_is_int(b)
                        ? integers(j, op, lv_jinja_as_int(a), lv_jinja_as_int(b), out)
                        : floats(j, op, lv_jinja_as_float(a), lv_jinja_as_float(b), out);
        out->user = user;
        return done;
    }
    if (op == LVJ_REMAINDER && a.type == LVJ_STRING)
        return lv_jinja_percent(j, a, b, out);
    if (a.type == LVJ_UNDEFINED || b.type == LVJ_UNDEFINED)
        return refuse(j, op, a, b);
    if (op == LVJ_ADD && sequence(a) && a.type == b.type)
        return a.type == LVJ_STRING ? join_strings(j, a, b, out) : join_lists(j, a, b, out);
    if (op == LVJ_MULTIPLY && sequence(a) && lv_jinja_is_int(b))
        return repeat(j, a, lv_jinja_as_int(b), out);
    if (op == LVJ_MULTIPLY && sequence(b) && lv_jinja_is_int(a))
        return repeat(j, b, lv_jinja_as_int(a), out);
    if (a.type == LVJ_VIEW || b.type == LVJ_VIEW)
        return lv_jinja_cannot(j, "operators on views of dictionaries");
    return refuse(j, op, a, b);
}

bool lv_jinja_compare(LvJ *j, LvJOperator op, LvJValue a, LvJValue b, bool *out)
{
    int order;
    if (op == LVJ_EQUAL || op == LVJ_NOT_EQUAL) {
        if (!lv_jinja_equal(j, a, b, out))
            return false;
        *out ^= op == LVJ_NOT_EQUAL;
        return true;
    }
    if (op == LVJ_IN || op == LVJ_NOT_IN) {
        if (!lv_jinja_contains(j, b, a, out))
            return false;
        *out ^= op == LVJ_NOT_IN;
        return true;
    }
    if (!lv_jinja_order(j, a, b, signs[op], &order))
        return false;
    *out = order != 2 && (op == LVJ_LESS            ? order < 0
                             : op == LVJ_LESS_EQUAL ? order <= 0
                             : op == LVJ_GREATER    ? order > 0
                                                    : order >= 0);
    return true;
}

bool lv_jinja_negate(LvJ *j, LvJValue a, bool positive, LvJValue *out)
{
    int64_t value = 0;
    if (a.type == LVJ_UNDEFINED)
        return lv_jinja_fail_undefined(j, a);
    if (a.type == LVJ_FLOAT) {
        *out = lv_jinja_float(positive ? a.real : -a.real);
    } else if (lv_jinja_is_int(a)) {
        if (!positive && __builtin_sub_overflow(0, lv_jinja_as_int(a), &value))
            return overflow(j);
        *out = lv_jinja_int(positive ? lv_jinja_as_int(a) : value);
    } else {
        return lv_jinja_wrong(
            j, "bad operand type for unary %c: '%s'", positive ? '+' : '-', lv_jinja_type_name(a));
    }
    out->user = a.user;
    return true;
}
