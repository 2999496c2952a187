/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/walk.h"

#include <string.h>

/* LvWalk.u.string.part: what comes next. */
enum { QUOTE, CHARACTER, ESCAPED, CONTINUATION };

static const LvInstruction *step_of(const LvProgram *program, const LvWalk *walk)
{
    return &program->steps[walk->at];
}

/* Fewest bytes from behind an element of `list` to the end of the document, list and those around
 * it having as many elements as they have. */
static uint32_t outside(const LvProgram *program, const LvWalk *walk, uint32_t list)
{
    uint32_t bytes = 0;
    for (; list != LV_NO_STEP; list = program->steps[list].list) {
        const LvInstruction *l = &program->steps[list];
        const uint32_t begun = walk->elements[l->level];
        if (begun < l->least)
            bytes += (l->least - begun) * (program->steps[list + 1].rest + 2);
        bytes += 1 + program->steps[l->next].rest;
    }
    return bytes;
}

/* At the start of a step. */
static void enter(const LvProgram *program, LvWalk *walk, uint32_t at)
{
    const LvInstruction *step = &program->steps[at];
    walk->at = at;
    walk->n = 0;
    memset(&walk->u, 0, sizeof walk->u);
    if (step->op == LV_OP_LITERALS) {
        walk->u.literals.low = step->first;
        walk->u.literals.high = step->first + step->n;
    }
}

static void begin_element(const LvProgram *program, LvWalk *walk, uint32_t list)
{
    walk->elements[program->steps[list].level]++;
    walk->outer = outside(program, walk, list);
    enter(program, walk, list + 1);
}

static void leave_list(const LvProgram *program, LvWalk *walk, uint32_t list)
{
    walk->elements[program->steps[list].level] = 0;
    walk->outer = outside(program, walk, program->steps[list].list);
    enter(program, walk, program->steps[list].next);
}

LvWalk lv_walk_start(const LvProgram *program)
{
    LvWalk walk;
    memset(&walk, 0, sizeof walk);
    enter(program, &walk, 0);
    return walk;
}

static bool text_step(const LvProgram *program, LvWalk *walk, unsigned char byte)
{
    const LvInstruction *step = step_of(program, walk);
    if ((unsigned char)program->text[step->first + walk->n] != byte)
        return false;
    if (++walk->n == step->n)
        enter(program, walk, step->next);
    return true;
}

static unsigned char literal_byte(const LvProgram *program, uint32_t literal, uint32_t at)
{
    return (unsigned char)program->text[program->literals[literal].first + at];
}

/* Whether one of those that begin like this is complete: the first, if any. */
static bool literal_complete(const LvProgram *program, const LvWalk *walk)
{
    return program->literals[walk->u.literals.low].n == walk->n;
}

/* false: no literal goes on with the byte, and *walk is as it was. */
static bool literals_step(const LvProgram *program, LvWalk *walk, unsigned char byte)
{
    uint32_t low = walk->u.literals.low, high = walk->u.literals.high;
    if (literal_complete(program, walk))
        low++;
    while (low < high && literal_byte(program, low, walk->n) < byte)
        low++;
    uint32_t end = low;
    while (end < high && literal_byte(program, end, walk->n) == byte)
        end++;
    if (low == end)
        return false;
    walk->u.literals.low = low;
    walk->u.literals.high = end;
    walk->n++;
    if (end - low == 1 && literal_complete(program, walk))
        enter(program, walk, step_of(program, walk)->next);
    return true;
}

/* The first byte of a character of several: RFC 3629. */
static bool begin_character(LvWalk *walk, unsigned char byte)
{
    if (byte < 0xC2 || byte > 0xF4)
        return false;
    walk->u.string.part = CONTINUATION;
    walk->u.string.n_continuation = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    walk->u.string.low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
    walk->u.string.high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
    return true;
}

static bool string_step(const LvProgram *program, LvWalk *walk, unsigned char byte)
{
    const LvInstruction *step = step_of(program, walk);
    switch (walk->u.string.part) {
    case QUOTE:
        walk->u.string.part = CHARACTER;
        return byte == '"';
    case ESCAPED:
        walk->u.string.part = CHARACTER;
        walk->n++;
        return byte == '"' || byte == '\\' || byte == 'n' || byte == 'r' || byte == 't';
    case CONTINUATION:
        if (byte < walk->u.string.low || byte > walk->u.string.high)
            return false;
        walk->u.string.low = 0x80;
        walk->u.string.high = 0xBF;
        if (--walk->u.string.n_continuation == 0) {
            memset(&walk->u, 0, sizeof walk->u); /* alike after every character */
            walk->u.string.part = CHARACTER;
            walk->n++;
        }
        return true;
    default:
        break;
    }
    if (byte == '"') {
        if (walk->n < step->least)
            return false;
        enter(program, walk, step->next);
        return true;
    }
    if (byte < 0x20 || byte == 0x7F || walk->n >= step->most)
        return false;
    if (byte == '\\') {
        walk->u.string.part = ESCAPED;
        return true;
    }
    if (byte >= 0x80)
        return begin_character(walk, byte);
    walk->n++;
    return true;
}

/* What begins or goes on with the byte; the steps that end without one of their own try the next.
 */
bool lv_walk_step(const LvProgram *program, LvWalk *walk, unsigned char byte)
{
    for (;;) {
        const LvInstruction *step = step_of(program, walk);
        switch (step->op) {
        case LV_OP_TEXT:
            return text_step(program, walk, byte);
        case LV_OP_STRING:
            return string_step(program, walk, byte);
        case LV_OP_LITERALS:
            if (literals_step(program, walk, byte))
                return true;
            if (!literal_complete(program, walk))
                return false;
            enter(program, walk, step->next);
            break;
        case LV_OP_NUMBER: {
            LvNumber number = walk->u.number;
            if (lv_number_step(&step->bounds, &number, byte)) {
                walk->u.number = number;
                return true;
            }
            if (!lv_number_complete(&step->bounds, &walk->u.number))
                return false;
            enter(program, walk, step->next);
            break;
        }
        case LV_OP_LIST:
            if (walk->n == 0) {
                walk->n = 1;
                return byte == '[';
            }
            if (byte == ']' && step->least == 0) {
                leave_list(program, walk, walk->at);
                return true;
            }
            if (step->most == 0)
                return false;
            begin_element(program, walk, walk->at);
            break;
        case LV_OP_NEXT: {
            const LvInstruction *list = &program->steps[step->list];
            if (walk->n == 1) {
                begin_element(program, walk, step->list);
                return byte == ' ';
            }
            if (byte == ']' && walk->elements[list->level] >= list->least) {
                leave_list(program, walk, step->list);
                return true;
            }
            walk->n = 1;
            return byte == ',' && walk->elements[list->level] < list->most;
        }
        case LV_OP_OPTION:
            enter(program, walk, byte == 'n' ? walk->at + 1 : walk->at + 2);
            break;
        case LV_OP_END:
            return false;
        }
    }
}

bool lv_walk_reach_literals(const LvProgram *program, LvWalk *walk, unsigned char byte)
{
    for (;;) {
        const LvInstruction *step = step_of(program, walk);
        LvWalk probe = *walk;
        switch (step->op) {
        case LV_OP_LITERALS:
            if (literals_step(program, &probe, byte))
                return true;
            if (!literal_complete(program, walk))
                return false;
            enter(program, walk, step->next);
            break;
        case LV_OP_NUMBER:
            if (lv_number_step(&step->bounds, &probe.u.number, byte) ||
                !lv_number_complete(&step->bounds, &walk->u.number))
                return false;
            enter(program, walk, step->next);
            break;
        case LV_OP_LIST:
            if (walk->n == 0 || step->most == 0 || (byte == ']' && step->least == 0))
                return false;
            begin_element(program, walk, walk->at);
            break;
        case LV_OP_OPTION:
            enter(program, walk, byte == 'n' ? walk->at + 1 : walk->at + 2);
            break;
        case LV_OP_TEXT:
        case LV_OP_STRING:
        case LV_OP_NEXT:
        case LV_OP_END:
            return false;
        }
    }
}

bool lv_walk_between_characters(const LvProgram *program, const LvWalk *walk)
{
    return step_of(program, walk)->op == LV_OP_STRING && walk->u.string.part == CHARACTER;
}

uint32_t lv_walk_characters(const LvProgram *program, const LvWalk *walk)
{
    return lv_walk_between_characters(program, walk) ? step_of(program, walk)->most - walk->n : 0;
}

void lv_walk_skip(LvWalk *walk, uint32_t characters)
{
    walk->n += characters;
}

static uint32_t shortest_literal(const LvProgram *program, const LvWalk *walk)
{
    uint32_t best = walk->u.literals.low;
    for (uint32_t i = best + 1; i < walk->u.literals.high; i++)
        if (program->literals[i].n < program->literals[best].n)
            best = i;
    return best;
}

static uint32_t string_closing(const LvInstruction *step, const LvWalk *walk)
{
    uint32_t bytes = 0, n = walk->n;
    switch (walk->u.string.part) {
    case QUOTE:
        bytes = 1;
        break;
    case ESCAPED:
        bytes = 1;
        n++;
        break;
    case CONTINUATION:
        bytes = walk->u.string.n_continuation;
        n++;
        break;
    default:
        break;
    }
    return bytes + (n < step->least ? step->least - n : 0) + 1;
}

/* Fewest bytes behind "," or "[" of a list that has `begun` elements. */
static uint32_t list_closing(const LvProgram *program, const LvWalk *walk, uint32_t list)
{
    LvWalk next = *walk;
    next.elements[program->steps[list].level]++;
    return program->steps[list + 1].rest + outside(program, &next, list);
}

uint32_t lv_walk_closing(const LvProgram *program, const LvWalk *walk)
{
    const LvInstruction *step = step_of(program, walk);
    const uint32_t after =
        step->op == LV_OP_END ? 0 : program->steps[step->next].rest + walk->outer;
    switch (step->op) {
    case LV_OP_TEXT:
        return step->n - walk->n + after;
    case LV_OP_LITERALS:
        return program->literals[shortest_literal(program, walk)].n - walk->n + after;
    case LV_OP_STRING:
        return string_closing(step, walk) + after;
    case LV_OP_NUMBER:
        return lv_number_closing(&step->bounds, &walk->u.number) + after;
    case LV_OP_LIST:
        if (walk->n == 0)
            return step->rest + walk->outer;
        return step->least == 0 ? 1 + after : list_closing(program, walk, walk->at);
    case LV_OP_NEXT:
        return walk->n == 0 ? walk->outer : 1 + list_closing(program, walk, step->list);
    case LV_OP_OPTION:
        return step->rest + walk->outer;
    case LV_OP_END:
        break;
    }
    return 0;
}

static unsigned char string_closing_byte(const LvInstruction *step, const LvWalk *walk)
{
    switch (walk->u.string.part) {
    case ESCAPED:
        return 'n';
    case CONTINUATION:
        return walk->u.string.low;
    case CHARACTER:
        return walk->n < step->least ? ' ' : '"';
    default:
        return '"';
    }
}

unsigned char lv_walk_closing_byte(const LvProgram *program, const LvWalk *walk)
{
    LvWalk next = *walk;
    for (;;) {
        const LvInstruction *step = step_of(program, &next);
        switch (step->op) {
        case LV_OP_TEXT:
            return (unsigned char)program->text[step->first + next.n];
        case LV_OP_STRING:
            return string_closing_byte(step, &next);
        case LV_OP_LITERALS: {
            const uint32_t literal = shortest_literal(program, &next);
            if (program->literals[literal].n > next.n)
                return literal_byte(program, literal, next.n);
            enter(program, &next, step->next);
            break;
        }
        case LV_OP_NUMBER:
            if (!lv_number_complete(&step->bounds, &next.u.number))
                return lv_number_closing_byte(&step->bounds, &next.u.number);
            enter(program, &next, step->next);
            break;
        case LV_OP_LIST:
            if (next.n == 0)
                return '[';
            if (step->least == 0)
                return ']';
            begin_element(program, &next, next.at);
            break;
        case LV_OP_NEXT: {
            const LvInstruction *list = &program->steps[step->list];
            if (next.n == 1)
                return ' ';
            return next.elements[list->level] >= list->least ? ']' : ',';
        }
        case LV_OP_OPTION: {
            const uint32_t null = program->steps[next.at + 1].rest;
            const uint32_t value = program->steps[next.at + 2].rest;
            enter(program, &next, null <= value ? next.at + 1 : next.at + 2);
            break;
        }
        case LV_OP_END:
            return 0;
        }
    }
}

bool lv_walk_forced(const LvProgram *program, const LvWalk *walk)
{
    const LvInstruction *step = step_of(program, walk);
    switch (step->op) {
    case LV_OP_TEXT:
        return true;
    case LV_OP_STRING:
        return walk->u.string.part == QUOTE;
    case LV_OP_LITERALS: /* sorted: what the first and the last share, all of them do */
        return !literal_complete(program, walk) &&
               literal_byte(program, walk->u.literals.low, walk->n) ==
                   literal_byte(program, walk->u.literals.high - 1, walk->n);
    case LV_OP_LIST:
        return walk->n == 0;
    default:
        return false;
    }
}

bool lv_walk_ended(const LvProgram *program, const LvWalk *walk)
{
    return step_of(program, walk)->op == LV_OP_END;
}
