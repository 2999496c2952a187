/* SPDX-License-Identifier: Apache-2.0
 * Compiling schemas of values that hold no others. */
#ifndef LV_SCALARS_H
#define LV_SCALARS_H

#include "schema/compiler.h"

/* Appends the step of enum or const. type: NULL, or the name that all values must be of. */
LlavaovStatus lv_compile_values(
    LvCompiler *c, json_t *schema, const char *type, const LvPlace *place);
/* Of one or two words, b may be NULL. */
LlavaovStatus lv_compile_words(LvCompiler *c, const char *a, const char *b, const LvPlace *place);
/* null, too, is a value of the last step, one of LITERALS. */
LlavaovStatus lv_compile_or_null(LvCompiler *c, const LvPlace *place);
LlavaovStatus lv_compile_string(LvCompiler *c, const json_t *schema, const LvPlace *place);
LlavaovStatus lv_compile_number(
    LvCompiler *c, const json_t *schema, bool integer, const LvPlace *place);

#endif
