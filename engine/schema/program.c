/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/program.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void lv_program_free(LvProgram *program)
{
    lv_free(program->steps);
    lv_free(program->literals);
    lv_free(program->text);
    memset(program, 0, sizeof *program);
}

static bool reserve(void **block, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity)
        return true;
    const size_t grown = wanted + wanted / 2 + 16;
    void *moved = lv_realloc(*block, grown, size);
    if (!moved)
        return false;
    *block = moved;
    *capacity = grown;
    return true;
}

uint32_t lv_program_add(LvProgram *program, LvOperation op, uint32_t list)
{
    void *steps = program->steps;
    if (program->n_steps >= LV_MAX_SCHEMA_STEPS ||
        !reserve(&steps, &program->steps_capacity, program->n_steps + 1, sizeof *program->steps))
        return LV_NO_STEP;
    program->steps = steps;
    program->steps[program->n_steps] = (LvInstruction){.op = op, .list = list};
    return (uint32_t)program->n_steps++;
}

bool lv_program_add_text(LvProgram *program, const char *bytes, size_t n)
{
    void *text = program->text;
    if (!reserve(&text, &program->text_capacity, program->n_text + n, 1))
        return false;
    program->text = text;
    if (n)
        memcpy(program->text + program->n_text, bytes, n);
    program->n_text += n;
    return true;
}

bool lv_program_add_literal(LvProgram *program, const char *bytes, size_t n)
{
    void *literals = program->literals;
    if (program->n_literals >= LV_MAX_SCHEMA_LITERALS ||
        !reserve(&literals, &program->literals_capacity, program->n_literals + 1,
            sizeof *program->literals))
        return false;
    program->literals = literals;
    program->literals[program->n_literals++] = (LvLiteral){(uint32_t)program->n_text, (uint32_t)n};
    return lv_program_add_text(program, bytes, n);
}

static int compare(const LvProgram *program, const LvLiteral *a, const LvLiteral *b)
{
    const size_t shared = a->n < b->n ? a->n : b->n;
    const int order = memcmp(program->text + a->first, program->text + b->first, shared);
    return order ? order : (a->n > b->n) - (a->n < b->n);
}

bool lv_program_sort_literals(LvProgram *program, uint32_t first, uint32_t n)
{
    LvLiteral *literals = program->literals + first;
    bool distinct = true;
    /* Few, and mostly short: insertion, which needs no context for its comparison. */
    for (uint32_t i = 1; i < n; i++) {
        const LvLiteral moved = literals[i];
        uint32_t low = 0, high = i;
        while (low < high) {
            const uint32_t middle = (low + high) / 2;
            const int order = compare(program, &literals[middle], &moved);
            distinct = distinct && order != 0;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
        memmove(literals + low + 1, literals + low, (i - low) * sizeof *literals);
        literals[low] = moved;
    }
    return distinct;
}

uint32_t lv_program_content(const LvProgram *program, const LvLiteral *literal)
{
    return literal->n - (program->text[literal->first] == '"');
}

void lv_program_share(const LvProgram *program, LvInstruction *step)
{
    const LvLiteral *literals = program->literals + step->first;
    const char *first = program->text + literals->first;
    const char *last = program->text + literals[step->n - 1].first;
    uint32_t shortest = UINT32_MAX;
    for (uint32_t i = 0; i < step->n; i++) {
        const uint32_t content = lv_program_content(program, &literals[i]);
        shortest = content < shortest ? content : shortest;
    }
    step->shared = 0;
    while (step->shared + 1 < shortest && first[step->shared] == last[step->shared])
        step->shared++;
}

static uint32_t add(uint32_t a, uint32_t b)
{
    const uint64_t sum = (uint64_t)a + b;
    return sum > LV_MAX_SCHEMA_CLOSING ? LV_MAX_SCHEMA_CLOSING + 1 : (uint32_t)sum;
}

static uint32_t shortest_literal(const LvProgram *program, const LvInstruction *step)
{
    uint32_t shortest = UINT32_MAX;
    for (uint32_t i = 0; i < step->n; i++)
        if (program->literals[step->first + i].n < shortest)
            shortest = program->literals[step->first + i].n;
    return shortest;
}

/* Fewest bytes of the step itself. at: its place. */
static uint32_t shortest(const LvProgram *program, uint32_t at)
{
    const LvInstruction *step = &program->steps[at];
    switch (step->op) {
    case LV_OP_TEXT:
        return step->n;
    case LV_OP_LITERALS:
        return shortest_literal(program, step);
    case LV_OP_STRING:
        return add(step->least, 2);
    case LV_OP_NUMBER:
        return lv_number_closing(&step->bounds, &(LvNumber){0});
    case LV_OP_LIST: {
        /* "[" and "]", and each element but the first behind ", " */
        uint32_t sum = 2;
        for (uint32_t i = 0; i < step->least && sum <= LV_MAX_SCHEMA_CLOSING; i++)
            sum = add(sum, add(program->steps[at + 1].rest, i ? 2 : 0));
        return sum;
    }
    case LV_OP_NEXT:
    case LV_OP_OPTION:
    case LV_OP_END:
        break;
    }
    return 0;
}

uint32_t lv_program_link(LvProgram *program)
{
    uint32_t longest = 0;
    for (uint32_t at = (uint32_t)program->n_steps; at-- > 0;) {
        LvInstruction *step = &program->steps[at];
        if (step->next == 0)
            step->next = at + 1;
        if (step->op == LV_OP_END || step->op == LV_OP_NEXT) {
            step->rest = 0;
        } else if (step->op == LV_OP_OPTION) {
            const uint32_t null = program->steps[at + 1].rest, value = program->steps[at + 2].rest;
            step->rest = null < value ? null : value;
        } else {
            step->rest = add(shortest(program, at), program->steps[step->next].rest);
        }
        longest = step->rest > longest ? step->rest : longest;
    }
    return longest;
}
