/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define MARKED 4096 /* bytes on the side that has no missing page */

static uint8_t *new_slot(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(
        NULL, GUARD_BYTES + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at, page, PROT_NONE) ||
        mprotect(at + page + GUARD_BYTES, page, PROT_NONE))
        abort();
    return at + page;
}

uint8_t *guard_place(unsigned slot, size_t bytes, bool front)
{
    static uint8_t *slots[GUARD_SLOTS];
    if (slot >= GUARD_SLOTS || bytes > GUARD_BYTES)
        abort();
    if (!slots[slot])
        slots[slot] = new_slot();
    uint8_t *at = front ? slots[slot] : slots[slot] + GUARD_BYTES - bytes;
    /* More of what is beside it would be slow. */
    const size_t beside = GUARD_BYTES - bytes < MARKED ? GUARD_BYTES - bytes : MARKED;
    ASAN_POISON_MEMORY_REGION(front ? at + bytes : at - beside, beside);
    ASAN_UNPOISON_MEMORY_REGION(at, bytes);
    return at;
}
