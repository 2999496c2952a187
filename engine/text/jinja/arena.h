/* SPDX-License-Identifier: Apache-2.0
 * Memory that lives as long as one template, or one rendering of it, and is bounded as a whole. */
#ifndef LV_JINJA_ARENA_H
#define LV_JINJA_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct LvJArena {
    struct LvJChunk *chunks; /* the newest first */
    size_t used, size;       /* of the newest */
    size_t total, max;       /* bytes of all chunks, and what they may become */
    bool over_max;           /* the last failure was the bound, not the machine's memory */
} LvJArena;

/* 16-byte aligned, not zeroed; NULL when the bound or the memory is reached. */
void *lv_jinja_arena_alloc(LvJArena *arena, size_t bytes);
/* Grows the block in place where it is the newest; false when it must move. */
bool lv_jinja_arena_extend(LvJArena *arena, void *block, size_t old_bytes, size_t new_bytes);
void lv_jinja_arena_free(LvJArena *arena);

#endif
