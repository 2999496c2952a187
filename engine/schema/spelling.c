/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/spelling.h"

#include <stdio.h>
#include <string.h>

/* What stands behind the backslash; 0: the character stands for itself. */
static char escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

LvSpelled lv_spell_string(LvProgram *program, const char *text)
{
    bool added = lv_program_add_text(program, "\"", 1);
    for (; *text && added; text++) {
        const char escaped[2] = {'\\', escape(*text)};
        if (escaped[1])
            added = lv_program_add_text(program, escaped, 2);
        else if ((unsigned char)*text < 0x20)
            return LV_SPELLED_CONTROL;
        else
            added = lv_program_add_text(program, text, 1);
    }
    return added && lv_program_add_text(program, "\"", 1) ? LV_SPELLED : LV_SPELLED_NO_MEMORY;
}

/* At most 15 digits, of which one stands before the point. False: it needs more. */
static bool spell_number(const json_t *value, char text[40])
{
    LvDecimal decimal;
    if (json_is_integer(value))
        decimal = lv_decimal_from_integer(json_integer_value(value));
    else if (!lv_decimal_from_double(json_real_value(value), &decimal))
        return false;
    static const int64_t most = INT64_C(999999999999999);
    if (decimal.digits > most || decimal.digits < -most)
        return false;
    char digits[24];
    const long long size = decimal.digits < 0 ? -decimal.digits : decimal.digits;
    /* with zeros up to the digit before the point */
    const int n = snprintf(digits, sizeof digits, "%0*lld", (int)decimal.scale + 1, size);
    if (n > LV_NUMBER_DIGITS)
        return false;
    const int whole = n - (int)decimal.scale;
    snprintf(text, 40, "%s%.*s%s%s", decimal.digits < 0 ? "-" : "", whole, digits,
        decimal.scale ? "." : "", digits + whole);
    return true;
}

static LvSpelled spell_text(LvProgram *program, const char *text)
{
    return lv_program_add_literal(program, text, strlen(text)) ? LV_SPELLED : LV_SPELLED_NO_MEMORY;
}

LvSpelled lv_spell_literal(LvProgram *program, const json_t *value)
{
    char number[40];
    switch (json_typeof(value)) {
    case JSON_STRING: {
        if (!lv_program_add_literal(program, "", 0))
            return LV_SPELLED_NO_MEMORY;
        const LvSpelled spelled = lv_spell_string(program, json_string_value(value));
        LvLiteral *literal = &program->literals[program->n_literals - 1];
        literal->n = (uint32_t)program->n_text - literal->first;
        return spelled;
    }
    case JSON_INTEGER:
    case JSON_REAL:
        return spell_number(value, number) ? spell_text(program, number) : LV_SPELLED_DIGITS;
    case JSON_TRUE:
        return spell_text(program, "true");
    case JSON_FALSE:
        return spell_text(program, "false");
    case JSON_NULL:
        return spell_text(program, "null");
    default:
        return LV_SPELLED_CONTAINER;
    }
}
