/* SPDX-License-Identifier: Apache-2.0
 * Memory for one template, or for one rendering of it, with a bound on the total. */
#ifndef LV_JINJA_ARENA_H
#define LV_JINJA_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct LvJArena {
    struct LvJChunk *chunks; /* the newest first */
    size_t used, size;       /* of the newest */
    size_t total, max;       /* bytes of all chunks, and their bound */
    bool over_max;           /* the last failure was due to the bound, not to lack of memory */
} LvJArena;

/* 16-byte aligned, not zeroed; NULL when the bound is reached or memory runs out. */
void *lv_jinja_arena_alloc(LvJArena *arena, size_t bytes);
/* Grows the newest block in place; false for any other block. */
bool lv_jinja_arena_extend(LvJArena *arena, void *block, size_t old_bytes, size_t new_bytes);
void lv_jinja_arena_free(LvJArena *arena);

#endif
