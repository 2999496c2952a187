/* SPDX-License-Identifier: Apache-2.0
 * The one spelling of JSON in which answers are written: one space behind ":" and ",", characters
 * as themselves, the escapes \" \\ \n \r \t, numbers without exponent. */
#ifndef LV_SPELLING_H
#define LV_SPELLING_H

#include <jansson.h>

#include "schema/program.h"

typedef enum LvSpelled {
    LV_SPELLED,
    LV_SPELLED_NO_MEMORY,
    LV_SPELLED_CONTROL,   /* a control character that has no escape here */
    LV_SPELLED_DIGITS,    /* a number of more than 15 digits */
    LV_SPELLED_CONTAINER, /* an object or a list */
} LvSpelled;

/* Appends to the program's text. */
LvSpelled lv_spell_string(LvProgram *program, const char *text);
/* Appends a literal: a string, a number, true, false or null. */
LvSpelled lv_spell_literal(LvProgram *program, const json_t *value);

#endif
