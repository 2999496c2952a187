/* SPDX-License-Identifier: Apache-2.0
 * A compiled JSON schema: the documents that it describes, in one spelling, as a program that reads
 * them byte by byte (walk.h). Objects dissolve into texts and the values between them; lists are
 * loops. Immutable once linked. */
#ifndef LV_PROGRAM_H
#define LV_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "llavaov.h"
#include "schema/number.h"

typedef enum LvOperation {
    LV_OP_TEXT,     /* fixed bytes */
    LV_OP_LITERALS, /* one of some texts */
    LV_OP_STRING,
    LV_OP_NUMBER,
    LV_OP_LIST,   /* "[", then its first element or "]" */
    LV_OP_NEXT,   /* behind an element: ", " and another one, or "]" */
    LV_OP_OPTION, /* null, which is the next step, or the value behind that */
    LV_OP_END     /* of the document */
} LvOperation;

#define LV_NO_STEP UINT32_MAX

typedef struct LvInstruction {
    LvOperation op;
    uint32_t first, n;     /* TEXT: bytes of `text`; LITERALS: of `literals`, sorted */
    uint32_t shared;       /* LITERALS: bytes that all begin with, less than any has */
    uint32_t path, n_path; /* LITERALS: of `text`, a JSON pointer, see LV_PATH_INDEX */
    uint32_t least, most;  /* STRING: code points; LIST: elements */
    LvNumberBounds bounds;
    uint32_t list;  /* the LIST around it, or NEXT's own; LV_NO_STEP: none */
    uint32_t level; /* LIST: number of lists around it */
    uint32_t next;  /* what follows; LIST: behind the "]" */
    /* Fewest bytes from the start of this one to the end of the element of the innermost list, or
     * of the document. */
    uint32_t rest;
} LvInstruction;

/* Stands in a path for the number of the element of each list around, from the outermost on. */
#define LV_PATH_INDEX '\1'

typedef struct LvLiteral {
    uint32_t first, n; /* bytes of `text` */
} LvLiteral;

typedef struct LvProgram {
    LvInstruction *steps;
    size_t n_steps;
    LvLiteral *literals;
    size_t n_literals;
    char *text;
    size_t n_text;
    /* owner's: capacities while it is compiled */
    size_t steps_capacity, literals_capacity, text_capacity;
} LvProgram;

void lv_program_free(LvProgram *program);

/* Appends a step of `op` inside `list`, all else zero; LV_NO_STEP without memory, or when there are
 * LV_MAX_SCHEMA_STEPS. */
uint32_t lv_program_add(LvProgram *program, LvOperation op, uint32_t list);
/* Appends bytes to `text`, and a literal. False without memory or beyond the bounds. */
bool lv_program_add_text(LvProgram *program, const char *bytes, size_t n);
bool lv_program_add_literal(LvProgram *program, const char *bytes, size_t n);

/* Sorts literals [first, first + n). False: two are the same. */
bool lv_program_sort_literals(LvProgram *program, uint32_t first, uint32_t n);

/* Bytes of a literal that say which it is: a string's, without the quote at its end. */
uint32_t lv_program_content(const LvProgram *program, const LvLiteral *literal);

/* Fills `shared` of a step of LITERALS, sorted. */
void lv_program_share(const LvProgram *program, LvInstruction *step);

/* Fills `next` where it is 0, and `rest`. Returns the largest rest: only up to
 * LV_MAX_SCHEMA_CLOSING are they true. */
uint32_t lv_program_link(LvProgram *program);

#endif
