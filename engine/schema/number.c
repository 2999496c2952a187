/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
    1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000,
    1000000000000000};
#define BEYOND INT64_C(1000000000000000) /* 10^15: more than any number of 15 digits */

LvDecimal lv_decimal_from_integer(int64_t value)
{
    return (LvDecimal){value > BEYOND ? BEYOND : value < -BEYOND ? -BEYOND : value, 0};
}

bool lv_decimal_from_double(double value, LvDecimal *decimal)
{
    if (value >= (double)BEYOND || value <= -(double)BEYOND) {
        *decimal = (LvDecimal){value > 0 ? BEYOND : -BEYOND, 0};
        return true;
    }
    /* d.dddddddddddddde-dd: one digit, the point, 14 more, the exponent */
    char text[40];
    snprintf(text, sizeof text, "%.14e", value);
    if (strtod(text, NULL) != value)
        return false;
    const char *mark = strchr(text, 'e');
    int exponent = atoi(mark + 1) - 14;
    int64_t digits = 0;
    for (const char *c = text; c < mark; c++)
        if (*c >= '0' && *c <= '9')
            digits = digits * 10 + (*c - '0');
    for (; digits % 10 == 0 && digits != 0; exponent++)
        digits /= 10;
    if (digits == 0)
        exponent = 0;
    if (exponent < -LV_NUMBER_DIGITS)
        return false;
    for (; exponent > 0; exponent--)
        digits *= 10;
    *decimal = (LvDecimal){text[0] == '-' ? -digits : digits, (uint32_t)-exponent};
    return true;
}

/* The decimal times 10^places, rounded up or down; what is out of reach stays so. */
static int64_t on_grid(LvDecimal d, uint32_t places, bool up)
{
    if (places >= d.scale) {
        const int64_t power = powers[places - d.scale];
        if (d.digits > BEYOND / power || d.digits < -BEYOND / power)
            return d.digits > 0 ? BEYOND + 1 : -BEYOND - 1;
        return d.digits * power;
    }
    const int64_t power = powers[d.scale - places];
    const int64_t quotient = d.digits / power, rest = d.digits % power;
    return quotient + (up && rest > 0) - (!up && rest < 0);
}

int lv_decimal_compare(LvDecimal a, LvDecimal b)
{
    const int64_t x = a.digits / powers[a.scale], y = b.digits / powers[b.scale];
    if (x != y)
        return x < y ? -1 : 1;
    const int64_t u = a.digits % powers[a.scale] * powers[LV_NUMBER_DIGITS - a.scale];
    const int64_t v = b.digits % powers[b.scale] * powers[LV_NUMBER_DIGITS - b.scale];
    return u < v ? -1 : u > v;
}

/* Whether a number within the bounds begins with the digits of `value` and has `more` behind them,
 * `places` of all behind the point. */
static bool fits(
    const LvNumberBounds *bounds, const LvNumber *number, uint32_t more, uint32_t places)
{
    const int64_t first = number->value * powers[more];
    const int64_t last = first + powers[more] - 1;
    int64_t least = on_grid(bounds->least, places, true);
    int64_t most = on_grid(bounds->most, places, false);
    if (number->negative) {
        const int64_t swapped = -least;
        least = -most;
        most = swapped;
        least = least < 1 ? 1 : least; /* no "-0" */
    }
    least = least < first ? first : least;
    most = most > last ? last : most;
    return least <= most;
}

static uint32_t closing_fraction(const LvNumberBounds *bounds, const LvNumber *number)
{
    const uint32_t used = (uint32_t)number->whole + number->fraction;
    for (uint32_t more = number->fraction == 0; used + more <= LV_NUMBER_DIGITS; more++)
        if (fits(bounds, number, more, number->fraction + more))
            return more;
    return LV_NUMBER_NEVER;
}

static uint32_t closing_whole(const LvNumberBounds *bounds, const LvNumber *number)
{
    uint32_t best = LV_NUMBER_NEVER;
    const uint32_t room = LV_NUMBER_DIGITS - number->whole;
    const uint32_t most = number->value == 0 ? 0 : room; /* nothing follows a leading 0 */
    for (uint32_t more = 0; more <= most && more < best; more++) {
        if (fits(bounds, number, more, 0))
            return best < more ? best : more;
        /* Whatever fits with fewer places fits with all, too. */
        if (bounds->integer || !fits(bounds, number, room, room - more))
            continue;
        for (uint32_t places = 1; more + 1 + places < best; places++)
            if (fits(bounds, number, more + places, places))
                best = more + 1 + places;
    }
    return best;
}

/* The number with one byte more, by the rules of JSON alone. */
static bool append(const LvNumberBounds *bounds, LvNumber *number, unsigned char byte)
{
    if (byte == '-') {
        if (number->part != LV_NUMBER_START)
            return false;
        number->part = LV_NUMBER_SIGN;
        number->negative = true;
        return true;
    }
    if (byte == '.') {
        if (number->part != LV_NUMBER_WHOLE || bounds->integer)
            return false;
        number->part = LV_NUMBER_FRACTION;
        return number->whole < LV_NUMBER_DIGITS;
    }
    if (byte < '0' || byte > '9' || number->whole + number->fraction >= LV_NUMBER_DIGITS)
        return false;
    if (number->part == LV_NUMBER_FRACTION) {
        number->fraction++;
    } else {
        if (number->part == LV_NUMBER_WHOLE && number->value == 0)
            return false;
        number->part = LV_NUMBER_WHOLE;
        number->whole++;
    }
    number->value = number->value * 10 + (byte - '0');
    return true;
}

static const unsigned char bytes_of_numbers[] = "0123456789.-";

uint32_t lv_number_closing(const LvNumberBounds *bounds, const LvNumber *number)
{
    if (number->part == LV_NUMBER_FRACTION)
        return closing_fraction(bounds, number);
    if (number->part == LV_NUMBER_WHOLE)
        return closing_whole(bounds, number);
    uint32_t best = LV_NUMBER_NEVER;
    for (const unsigned char *byte = bytes_of_numbers; *byte; byte++) {
        LvNumber next = *number;
        if (!append(bounds, &next, *byte))
            continue;
        const uint32_t closing = lv_number_closing(bounds, &next);
        if (closing != LV_NUMBER_NEVER && closing + 1 < best)
            best = closing + 1;
    }
    return best;
}

bool lv_number_complete(const LvNumberBounds *bounds, const LvNumber *number)
{
    const bool digits = number->part == LV_NUMBER_WHOLE ||
                        (number->part == LV_NUMBER_FRACTION && number->fraction > 0);
    return digits && fits(bounds, number, 0, number->fraction);
}

bool lv_number_step(const LvNumberBounds *bounds, LvNumber *number, unsigned char byte)
{
    return append(bounds, number, byte) && lv_number_closing(bounds, number) != LV_NUMBER_NEVER;
}

unsigned char lv_number_closing_byte(const LvNumberBounds *bounds, const LvNumber *number)
{
    const uint32_t wanted = lv_number_closing(bounds, number) - 1;
    for (const unsigned char *byte = bytes_of_numbers; *byte; byte++) {
        LvNumber next = *number;
        if (append(bounds, &next, *byte) && lv_number_closing(bounds, &next) == wanted)
            return *byte;
    }
    return '0';
}
