/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"

#define FIRST_CHUNK 4096u
#define LARGEST_CHUNK (256u << 10)

struct LvJChunk {
    alignas(16) struct LvJChunk *next;
};

static size_t rounded(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

static bool add_chunk(LvJArena *arena, size_t bytes)
{
    size_t size = arena->size ? arena->size * 2 : FIRST_CHUNK;
    if (size > LARGEST_CHUNK)
        size = LARGEST_CHUNK;
    if (size < bytes)
        size = bytes;
    if (size > arena->max - arena->total)
        size = bytes;
    arena->over_max = size > arena->max - arena->total;
    struct LvJChunk *chunk = arena->over_max ? NULL : lv_alloc(1, sizeof(struct LvJChunk) + size);
    if (!chunk)
        return false;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->size = size;
    arena->used = 0;
    arena->total += size;
    return true;
}

void *lv_jinja_arena_alloc(LvJArena *arena, size_t bytes)
{
    if (bytes > arena->max) {
        arena->over_max = true;
        return NULL;
    }
    bytes = rounded(bytes ? bytes : 1);
    if (bytes > arena->size - arena->used && !add_chunk(arena, bytes))
        return NULL;
    void *block = (char *)(arena->chunks + 1) + arena->used;
    arena->used += bytes;
    return block;
}

bool lv_jinja_arena_extend(LvJArena *arena, void *block, size_t old_bytes, size_t new_bytes)
{
    char *first = (char *)(arena->chunks + 1);
    size_t at = (size_t)((char *)block - first);
    if (!block || (char *)block < first || at + rounded(old_bytes) != arena->used)
        return false;
    if (new_bytes > arena->size || at + rounded(new_bytes) > arena->size)
        return false;
    arena->used = at + rounded(new_bytes);
    return true;
}

void lv_jinja_arena_free(LvJArena *arena)
{
    while (arena->chunks) {
        struct LvJChunk *next = arena->chunks->next;
        lv_free(arena->chunks);
        arena->chunks = next;
    }
    memset(arena, 0, sizeof *arena);
}
