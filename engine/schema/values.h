/* SPDX-License-Identifier: Apache-2.0
 * Where a token decides which of several listed values stands in a document. */
#ifndef LV_VALUES_H
#define LV_VALUES_H

#include "schema/walk.h"

/* A value of an enum, or a boolean, of which a token writes the first byte that tells them apart. */
typedef struct LvDecidedValue {
    uint32_t step; /* LITERALS */
    int32_t
        lead; /* bytes of the token before the value's first; negative: of it before the token */
    uint16_t elements[LV_MAX_SCHEMA_DEPTH]; /* LvWalk's, at the value */
} LvDecidedValue;

/* Those that the token's bytes [n] behind the walk decide; returns how many, at most `most`. */
size_t lv_values_decided(const LvProgram *program, const LvWalk *walk, const unsigned char *bytes,
    size_t n, LvDecidedValue *decided, size_t most);

/* A JSON pointer to the value in the document; a new text (lv_free), NULL without memory. */
char *lv_values_path(const LvProgram *program, const LvDecidedValue *decided);

#endif
