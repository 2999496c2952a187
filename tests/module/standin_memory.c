/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's memory: the heap. */
#include <stdlib.h>
#include <string.h>

#include "standin_device.h"

#define FILLED ((size_t)32 << 20)

struct StandinBlock {
    struct StandinBlock *next;
    void *data;
    size_t bytes;
};

static void count_allocation(void)
{
    standin_totals.allocations++;
    standin_totals.live++;
}

int lv_runtime_memory(LvRuntime *runtime, uint64_t *free_bytes)
{
    *free_bytes = runtime->memory_bytes - runtime->used_bytes;
    return runtime->lost ? DEVICE_LOST : 0;
}

int lv_runtime_alloc(LvRuntime *runtime, size_t bytes, void **data)
{
    if (runtime->lost)
        return DEVICE_LOST;
    if (standin_refused())
        return CAPTURE_REFUSED;
    standin_totals.asked++;
    const uint64_t number = ++runtime->allocations - runtime->fail_alloc;
    if ((runtime->fail_alloc && number < runtime->fail_allocs) ||
        bytes > runtime->memory_bytes - runtime->used_bytes)
        return LV_RUNTIME_OUT_OF_MEMORY;
    StandinBlock *block = malloc(sizeof *block);
    void *memory = block ? aligned_alloc(256, (bytes + 255) / 256 * 256) : NULL;
    if (!memory) {
        free(block);
        return LV_RUNTIME_OUT_OF_MEMORY;
    }
    memset(memory, 0xFF, bytes < FILLED ? bytes : FILLED);
    *block = (StandinBlock){runtime->blocks, memory, bytes};
    runtime->blocks = block;
    runtime->used_bytes += bytes;
    count_allocation();
    *data = memory;
    return 0;
}

void lv_runtime_free(LvRuntime *runtime, void *data)
{
    standin_catch_up_all();
    for (StandinBlock **place = &runtime->blocks; *place; place = &(*place)->next) {
        StandinBlock *block = *place;
        if (block->data != data)
            continue;
        *place = block->next;
        standin_totals.live--;
        runtime->used_bytes -= block->bytes;
        free(block->data);
        free(block);
        return;
    }
}

int lv_runtime_alloc_pinned(LvRuntime *runtime, size_t bytes, void **data)
{
    if (standin_refused())
        return CAPTURE_REFUSED;
    pthread_mutex_lock(&runtime->pinned_lock);
    StandinBlock *block = malloc(sizeof *block);
    *data = ++runtime->pinned == runtime->fail_pinned || !block ? NULL : malloc(bytes);
    if (*data) {
        *block = (StandinBlock){runtime->pinned_blocks, *data, bytes};
        runtime->pinned_blocks = block;
        count_allocation();
    } else {
        free(block);
    }
    pthread_mutex_unlock(&runtime->pinned_lock);
    return *data ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
}

void lv_runtime_free_pinned(LvRuntime *runtime, void *data)
{
    standin_catch_up_all();
    pthread_mutex_lock(&runtime->pinned_lock);
    for (StandinBlock **place = &runtime->pinned_blocks; *place; place = &(*place)->next) {
        StandinBlock *block = *place;
        if (block->data != data)
            continue;
        *place = block->next;
        standin_totals.live--;
        free(block->data);
        free(block);
        break;
    }
    pthread_mutex_unlock(&runtime->pinned_lock);
}

bool standin_is_pinned(LvRuntime *runtime, const void *data, size_t bytes)
{
    bool found = false;
    pthread_mutex_lock(&runtime->pinned_lock);
    for (const StandinBlock *block = runtime->pinned_blocks; block && !found; block = block->next) {
        const uintptr_t at = (uintptr_t)data - (uintptr_t)block->data;
        found = at <= block->bytes && bytes <= block->bytes - at;
    }
    pthread_mutex_unlock(&runtime->pinned_lock);
    return found;
}
