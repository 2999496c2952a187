/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/values.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

size_t lv_values_decided(const LvProgram *program, const LvWalk *walk, const unsigned char *bytes,
    size_t n, LvDecidedValue *decided, size_t most)
{
    LvWalk at = *walk;
    size_t found = 0;
    for (size_t i = 0; i < n && found < most; i++) {
        LvWalk value = at;
        if (lv_walk_reach_literals(program, &value, bytes[i])) {
            const LvInstruction *step = &program->steps[value.at];
            if (step->n > 1 && value.n == step->shared) {
                decided[found].step = value.at;
                decided[found].lead = (int32_t)i - (int32_t)value.n;
                memcpy(decided[found].elements, value.elements, sizeof value.elements);
                found++;
            }
        }
        if (!lv_walk_step(program, &at, bytes[i]))
            break;
    }
    return found;
}

char *lv_values_path(const LvProgram *program, const LvDecidedValue *decided)
{
    const LvInstruction *step = &program->steps[decided->step];
    /* an index has at most as many digits as LV_MAX_SCHEMA_ITEMS */
    char *path = lv_alloc((size_t)step->n_path + LV_MAX_SCHEMA_DEPTH * 10 + 1, 1), *out = path;
    unsigned level = 0;
    if (!path)
        return NULL;
    for (uint32_t i = 0; i < step->n_path; i++) {
        const char c = program->text[step->path + i];
        if (c == LV_PATH_INDEX)
            out += sprintf(out, "%u", (unsigned)decided->elements[level++] - 1);
        else
            *out++ = c;
    }
    *out = '\0';
    return path;
}
