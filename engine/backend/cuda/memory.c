/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/cuda/memory.h"

#include <pthread.h>

#include "base/alloc.h"

#define SMALLEST 512u

typedef struct MemoryBlock {
    struct MemoryBlock *next;
    void *data;
    size_t bytes;
    bool exact; /* goes back to the driver at once */
} MemoryBlock;

struct LvMemory {
    LvRuntime *runtime;
    pthread_mutex_t lock;
    MemoryBlock *used; /* latest first */
    MemoryBlock *kept;
    LvMemoryUse use;

    bool laying; /* requests of one thread are laid one behind the other */
    pthread_t layer;
    char *ground; /* there, or NULL: only counted */
    size_t ground_bytes, laid;
};

LvMemory *lv_memory_open(LvRuntime *runtime, uint64_t limit)
{
    LvMemory *memory = lv_calloc(1, sizeof *memory);
    if (!memory)
        return NULL;
    memory->runtime = runtime;
    memory->use.limit = limit;
    pthread_mutex_init(&memory->lock, NULL);
    return memory;
}

static void give_up_kept(LvMemory *memory)
{
    while (memory->kept) {
        MemoryBlock *block = memory->kept;
        memory->kept = block->next;
        memory->use.kept -= block->bytes;
        lv_runtime_free(memory->runtime, block->data);
        lv_free(block);
    }
}

void lv_memory_close(LvMemory *memory)
{
    if (!memory)
        return;
    give_up_kept(memory);
    pthread_mutex_destroy(&memory->lock);
    lv_free(memory);
}

/* The next of the sizes 8 * 2^n, 9 * 2^n, ... 15 * 2^n; 0 on overflow. */
static size_t rounded(size_t bytes)
{
    if (bytes <= SMALLEST)
        return SMALLEST;
    const size_t step = (size_t)1 << (63 - (unsigned)__builtin_clzll(bytes - 1) - 3);
    size_t sum;
    return __builtin_add_overflow(bytes, step - 1, &sum) ? 0 : sum & ~(step - 1);
}

/* The smallest block that fits without wasting much of it. */
static MemoryBlock *take_kept(LvMemory *memory, size_t bytes)
{
    MemoryBlock **best = NULL;
    for (MemoryBlock **place = &memory->kept; *place; place = &(*place)->next)
        if ((*place)->bytes >= bytes && (*place)->bytes / 2 <= bytes &&
            (!best || (*place)->bytes < (*best)->bytes))
            best = place;
    if (!best)
        return NULL;
    MemoryBlock *block = *best;
    *best = block->next;
    memory->use.kept -= block->bytes;
    return block;
}

static int take_new(LvMemory *memory, size_t bytes, MemoryBlock *block)
{
    const LvMemoryUse *use = &memory->use;
    if (use->limit && use->used + use->kept + bytes > use->limit)
        give_up_kept(memory);
    if (use->limit && (bytes > use->limit || use->used > use->limit - bytes))
        return LV_RUNTIME_OUT_OF_MEMORY;
    memory->use.driver_calls++;
    int code = lv_runtime_alloc(memory->runtime, bytes, &block->data);
    if (code == LV_RUNTIME_OUT_OF_MEMORY && memory->kept) {
        give_up_kept(memory);
        memory->use.driver_calls++;
        code = lv_runtime_alloc(memory->runtime, bytes, &block->data);
    }
    return code;
}

/* Only where sizes have been rounded: no overflow. */
static void *lay(LvMemory *memory, size_t bytes)
{
    char *place = memory->ground ? memory->ground + memory->laid : NULL;
    memory->laid += (bytes + 255) / 256 * 256;
    return place && memory->laid <= memory->ground_bytes ? place : NULL;
}

void lv_memory_lay_begin(LvMemory *memory, void *data, size_t bytes)
{
    pthread_mutex_lock(&memory->lock);
    memory->laying = true;
    memory->layer = pthread_self();
    memory->ground = data;
    memory->ground_bytes = bytes;
    memory->laid = 0;
    pthread_mutex_unlock(&memory->lock);
}

size_t lv_memory_lay_end(LvMemory *memory)
{
    pthread_mutex_lock(&memory->lock);
    memory->laying = false;
    const size_t laid = memory->laid;
    pthread_mutex_unlock(&memory->lock);
    return laid;
}

int lv_memory_take(LvMemory *memory, size_t bytes, bool exact, void **data)
{
    *data = NULL;
    if (!exact)
        bytes = rounded(bytes);
    if (!bytes)
        return exact ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
    int code = 0;
    pthread_mutex_lock(&memory->lock);
    if (!exact && memory->laying && pthread_equal(memory->layer, pthread_self())) {
        *data = lay(memory, bytes);
        if (memory->ground) {
            pthread_mutex_unlock(&memory->lock);
            return *data ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
        }
    }
    MemoryBlock *block = exact ? NULL : take_kept(memory, bytes);
    if (!block) {
        block = lv_calloc(1, sizeof *block);
        code = block ? take_new(memory, bytes, block) : LV_RUNTIME_OUT_OF_MEMORY;
        if (code == 0)
            block->bytes = bytes;
    }
    if (code == 0) {
        block->exact = exact;
        block->next = memory->used;
        memory->used = block;
        memory->use.used += block->bytes;
        *data = block->data;
    } else {
        lv_free(block);
    }
    pthread_mutex_unlock(&memory->lock);
    return code;
}

void lv_memory_give(LvMemory *memory, void *data)
{
    if (!data)
        return;
    pthread_mutex_lock(&memory->lock);
    const size_t offset = (size_t)((uintptr_t)data - (uintptr_t)memory->ground);
    const bool laid = memory->laying && memory->ground && offset < memory->ground_bytes;
    MemoryBlock **place = &memory->used;
    while (*place && (*place)->data != data)
        place = &(*place)->next;
    MemoryBlock *block = *place;
    if (block && !laid) {
        *place = block->next;
        memory->use.used -= block->bytes;
        if (block->exact) {
            lv_runtime_free(memory->runtime, block->data);
            lv_free(block);
        } else {
            block->next = memory->kept;
            memory->kept = block;
            memory->use.kept += block->bytes;
        }
    }
    pthread_mutex_unlock(&memory->lock);
}

LvMemoryUse lv_memory_use(LvMemory *memory)
{
    pthread_mutex_lock(&memory->lock);
    LvMemoryUse use = memory->use;
    pthread_mutex_unlock(&memory->lock);
    return use;
}
