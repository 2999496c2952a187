/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/percent.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/jinja/object.h"
#include "text/jinja/print.h"
#include "text/utf8.h"

#define WIDEST 4096 /* of a field */

typedef struct Percent {
    LvJBuild build;
    LvJValue arguments;
    size_t at;   /* arguments taken */
    bool mapped; /* a %(name) was seen */
} Percent;

typedef struct Field {
    char flags[6];        /* of "-+ 0#" */
    int width, precision; /* -1: none */
    char conversion;
    bool user;
} Field;

static bool take(Percent *percent, LvJValue *out)
{
    LvJValue all = percent->arguments;
    bool tuple = all.type == LVJ_TUPLE;
    if (percent->at >= (tuple ? all.list->n : 1))
        return lv_jinja_wrong(percent->build.j, "not enough arguments for format string");
    *out = tuple ? all.list->items[percent->at] : all;
    percent->at++;
    return true;
}

static bool named(Percent *percent, const LvJString *format, size_t *at, LvJValue *out)
{
    LvJ *j = percent->build.j;
    size_t first = ++*at, depth = 1;
    for (; *at < format->bytes; ++*at) {
        depth += format->text[*at] == '(';
        if (format->text[*at] == ')' && --depth == 0)
            break;
    }
    LvJValue key, *found;
    if (*at == format->bytes)
        return lv_jinja_wrong(j, "incomplete format key");
    if (percent->arguments.type != LVJ_DICT)
        return lv_jinja_wrong(j, "format requires a mapping");
    if (!lv_jinja_part(j, format, first, *at - first, &key) ||
        !lv_jinja_dict_find(j, percent->arguments.dict, key, &found))
        return false;
    ++*at;
    percent->mapped = true;
    if (!found)
        return lv_jinja_wrong(j, "the format's key is not in its mapping");
    *out = *found;
    return true;
}

/* A number or * at *at. */
static bool size_of(Percent *percent, const LvJString *format, size_t *at, Field *field, int *out)
{
    LvJValue value;
    *out = 0;
    if (*at < format->bytes && format->text[*at] == '*') {
        ++*at;
        if (!take(percent, &value))
            return false;
        if (!lv_jinja_is_int(value))
            return lv_jinja_wrong(percent->build.j, "* wants int");
        int64_t size = lv_jinja_as_int(value);
        if (size < -WIDEST || size > WIDEST)
            return lv_jinja_fail(percent->build.j, LLAVAOV_ERROR_MEMORY,
                "a format's field is wider than %d characters", WIDEST);
        if (size < 0 && out == &field->width && strlen(field->flags) < 5)
            strcat(field->flags, "-");
        *out = (int)(size < 0 ? (out == &field->width ? -size : 0) : size);
        return true;
    }
    for (; *at < format->bytes && format->text[*at] >= '0' && format->text[*at] <= '9'; ++*at) {
        *out = *out * 10 + (format->text[*at] - '0');
        if (*out > WIDEST)
            return lv_jinja_fail(percent->build.j, LLAVAOV_ERROR_MEMORY,
                "a format's field is wider than %d characters", WIDEST);
    }
    return true;
}

/* text, padded to the field's width. */
static bool put_padded(Percent *percent, const Field *field, const LvJString *text, bool number)
{
    LvJBuild *build = &percent->build;
    size_t pad = field->width > 0 && (size_t)field->width > text->chars
                     ? (size_t)field->width - text->chars
                     : 0;
    bool left = strchr(field->flags, '-'), zero = number && !left && strchr(field->flags, '0');
    size_t sign = zero && text->bytes && strchr("+- ", text->text[0]) ? 1 : 0;
    if (!lv_jinja_put_part(build, text, 0, sign))
        return false;
    for (size_t i = 0; !left && i < pad; i++)
        if (!lv_jinja_put(build, zero ? "0" : " ", 1, field->user))
            return false;
    if (!lv_jinja_put_part(build, text, sign, text->bytes - sign))
        return false;
    for (size_t i = 0; left && i < pad; i++)
        if (!lv_jinja_put(build, " ", 1, field->user))
            return false;
    return true;
}

static bool put_number(Percent *percent, const Field *field, LvJValue value)
{
    LvJ *j = percent->build.j;
    char format[16], text[400];
    bool whole = strchr("diuxXo", field->conversion), plus = strchr(field->flags, '+');
    bool space = strchr(field->flags, ' ');
    if (strchr(field->flags, '#'))
        return lv_jinja_cannot(j, "the flag # of a format");
    if (!lv_jinja_is_number(value) || (strchr("xXo", field->conversion) && value.type == LVJ_FLOAT))
        return lv_jinja_wrong(j, "%%%c format: a number is required, not %s", field->conversion,
            lv_jinja_type_name(value));
    if (whole) {
        double real = lv_jinja_as_float(value);
        if (value.type == LVJ_FLOAT && (!isfinite(real) || fabs(real) >= 9.2e18))
            return lv_jinja_wrong(j, "cannot convert this float to an integer");
        int64_t integer = value.type == LVJ_FLOAT ? (int64_t)real : lv_jinja_as_int(value);
        unsigned long long magnitude =
            integer < 0 ? 0ull - (unsigned long long)integer : (unsigned long long)integer;
        const char *sign = integer < 0 ? "-" : plus ? "+" : space ? " " : "";
        char conversion = strchr("di", field->conversion) ? 'u' : field->conversion;
        if (field->precision > 300)
            return lv_jinja_cannot(j, "a precision of more than 300 digits");
        snprintf(format, sizeof format, "%%s%%.*ll%c", conversion);
        snprintf(text, sizeof text, format, sign, field->precision < 0 ? 1 : field->precision,
            magnitude);
    } else {
        if (field->precision > 40 || fabs(lv_jinja_as_float(value)) > 1e300)
            return lv_jinja_cannot(j, "a float of so many digits in a format");
        snprintf(format, sizeof format, "%%%s.*%c",
            plus    ? "+"
            : space ? " "
                    : "",
            field->conversion);
        snprintf(text, sizeof text, format, field->precision < 0 ? 6 : field->precision,
            lv_jinja_as_float(value));
    }
    LvJValue string;
    return lv_jinja_string(j, text, strlen(text), field->user, &string) &&
           put_padded(percent, field, string.string, true);
}

static bool put_field(Percent *percent, Field *field, LvJValue value)
{
    LvJ *j = percent->build.j;
    LvJBuild build = {.j = j};
    LvJValue text;
    field->user = lv_jinja_user(value);
    if (strchr("diuxXofFeEgG", field->conversion))
        return put_number(percent, field, value);
    if (field->conversion == 'c' && value.type == LVJ_STRING && value.string->chars == 1)
        return put_padded(percent, field, value.string, false);
    if (!strchr("sr", field->conversion))
        return lv_jinja_cannot(j, "the conversion %%%c of a format", field->conversion);
    if (field->conversion == 's' ? !lv_jinja_put_str(&build, value)
                                 : !lv_jinja_put_repr(&build, value))
        return false;
    if (!lv_jinja_built(&build, &text))
        return false;
    if (field->precision >= 0 && !lv_jinja_part(j, text.string, 0,
                                     lv_jinja_offset(text.string, (size_t)field->precision), &text))
        return false;
    return put_padded(percent, field, text.string, false);
}

static bool put_conversion(Percent *percent, const LvJString *format, size_t *at)
{
    Field field = {.width = -1, .precision = -1};
    LvJValue value = {.type = LVJ_MISSING};
    if (*at < format->bytes && format->text[*at] == '(' && !named(percent, format, at, &value))
        return false;
    while (*at < format->bytes && strchr("-+ 0#", format->text[*at]) && format->text[*at]) {
        size_t n = strlen(field.flags);
        if (n < 5 && !strchr(field.flags, format->text[*at]))
            field.flags[n] = format->text[*at];
        ++*at;
    }
    if (!size_of(percent, format, at, &field, &field.width))
        return false;
    if (*at < format->bytes && format->text[*at] == '.') {
        ++*at;
        if (!size_of(percent, format, at, &field, &field.precision))
            return false;
    }
    while (*at < format->bytes && strchr("hlL", format->text[*at]) && format->text[*at])
        ++*at;
    if (*at >= format->bytes || (unsigned char)format->text[*at] >= 0x80)
        return lv_jinja_wrong(percent->build.j, "incomplete format");
    field.conversion = format->text[(*at)++];
    if (field.conversion == '%')
        return lv_jinja_put_part(&percent->build, format, *at - 1, 1);
    if (!field.conversion || !strchr("diouxXeEfFgGcrsa", field.conversion))
        return lv_jinja_wrong(percent->build.j, "unsupported format character");
    if (value.type == LVJ_MISSING && !take(percent, &value))
        return false;
    return put_field(percent, &field, value);
}

bool lv_jinja_percent(LvJ *j, LvJValue format, LvJValue arguments, LvJValue *out)
{
    Percent percent = {.build = {.j = j}, .arguments = arguments};
    const LvJString *text = format.string;
    if (text->markup)
        return lv_jinja_cannot(j, "formatting a string from 'safe' or 'escape'");
    for (size_t at = 0; at < text->bytes;) {
        const char *sign = memchr(text->text + at, '%', text->bytes - at);
        size_t plain = (sign ? (size_t)(sign - text->text) : text->bytes) - at;
        if (!lv_jinja_put_part(&percent.build, text, at, plain))
            return false;
        at += plain + (sign != NULL);
        if (sign && !put_conversion(&percent, text, &at))
            return false;
    }
    /* A mapping or a list need not be used up. */
    bool left = arguments.type == LVJ_TUPLE
                    ? percent.at < arguments.list->n
                    : !percent.at && arguments.type != LVJ_DICT && arguments.type != LVJ_LIST &&
                          arguments.type != LVJ_UNDEFINED && arguments.type != LVJ_RANGE;
    if (left && !percent.mapped)
        return lv_jinja_wrong(j, "not all arguments converted during string formatting");
    return lv_jinja_built(&percent.build, out);
}
