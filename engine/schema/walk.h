/* SPDX-License-Identifier: Apache-2.0
 * Where a document is in its schema's program, byte by byte, and the shortest way to its end. A walk
 * is a small value: copy it to try something. */
#ifndef LV_WALK_H
#define LV_WALK_H

#include "schema/program.h"

typedef struct LvWalk {
    uint32_t at;    /* the step */
    uint32_t outer; /* fewest bytes behind the element of the innermost list */
    /* TEXT, LITERALS: bytes so far; STRING: code points; LIST, NEXT: bytes so far */
    uint32_t n;
    union {
        struct {
            uint32_t low, high; /* literals that begin like this */
        } literals;
        struct {
            uint8_t part;           /* what comes next: walk.c */
            uint8_t low, high;      /* of the next continuation byte */
            uint8_t n_continuation; /* bytes that the character still needs */
        } string;
        LvNumber number;
    } u;
    uint16_t elements[LV_MAX_SCHEMA_DEPTH]; /* begun, in each list around the step */
} LvWalk;

LvWalk lv_walk_start(const LvProgram *program);

/* Appends a byte. False: no document goes on like that, and *walk is undefined. */
bool lv_walk_step(const LvProgram *program, LvWalk *walk, unsigned char byte);

/* Whether the byte goes on with a step of LITERALS; *walk is at it then, before the byte. */
bool lv_walk_reach_literals(const LvProgram *program, LvWalk *walk, unsigned char byte);

/* Inside a string, and not within one of its characters. */
bool lv_walk_between_characters(const LvProgram *program, const LvWalk *walk);

/* How many more characters may follow inside the string that the walk is in; 0: it is not
 * between characters, or no more may. */
uint32_t lv_walk_characters(const LvProgram *program, const LvWalk *walk);

/* Appends so many characters that stand for themselves, at most lv_walk_characters. */
void lv_walk_skip(LvWalk *walk, uint32_t characters);

/* Fewest bytes that close the document; 0: it may end here. */
uint32_t lv_walk_closing(const LvProgram *program, const LvWalk *walk);

/* The next byte of the shortest way to the end, which steps along it follow; it may not end here. */
unsigned char lv_walk_closing_byte(const LvProgram *program, const LvWalk *walk);

/* Whether only one byte can follow here, whatever the value is: it is that of lv_walk_closing_byte
 * then. Not every such place is known. */
bool lv_walk_forced(const LvProgram *program, const LvWalk *walk);

/* The document is complete: nothing can follow. */
bool lv_walk_ended(const LvProgram *program, const LvWalk *walk);

#endif
