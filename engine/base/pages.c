/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/pages.h"

#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"

#if defined(__SANITIZE_ADDRESS__)
#define ON_THE_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ON_THE_HEAP 1
#endif
#endif

/* In front of a block: its size with this, so that nobody has to know it to free it. */
#define HEADER 64

void *lv_pages_alloc(size_t count, size_t size)
{
#ifdef ON_THE_HEAP
    void *block = lv_alloc_aligned(count, size);
    return block ? memset(block, 0, count * size) : NULL;
#else
    size_t bytes = lv_alloc_bytes(count, size);
    if (!bytes)
        return NULL;
    bytes += HEADER;
    size_t *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    *block = bytes;
    return (char *)block + HEADER;
#endif
}

void lv_pages_free(void *block)
{
#ifdef ON_THE_HEAP
    lv_free(block);
#else
    if (!block)
        return;
    size_t *start = (size_t *)((char *)block - HEADER);
    munmap(start, *start);
#endif
}
