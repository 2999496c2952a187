/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local int64_t allocations_until_failure = -1;

void lv_alloc_fail_after(int64_t n)
{
    allocations_until_failure = n;
}

static int must_fail(void)
{
    if (allocations_until_failure < 0)
        return 0;
    if (allocations_until_failure == 0) {
        allocations_until_failure = -1;
        return 1;
    }
    allocations_until_failure--;
    return 0;
}

size_t lv_alloc_bytes(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - 64 || must_fail())
        return 0;
    return bytes ? bytes : 1;
}

void *lv_alloc(size_t count, size_t size)
{
    size_t bytes = lv_alloc_bytes(count, size);
    return bytes ? malloc(bytes) : NULL;
}

void *lv_calloc(size_t count, size_t size)
{
    size_t bytes = lv_alloc_bytes(count, size);
    return bytes ? calloc(1, bytes) : NULL;
}

void *lv_alloc_aligned(size_t count, size_t size)
{
    size_t bytes = lv_alloc_bytes(count, size);
    return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

void *lv_realloc(void *block, size_t count, size_t size)
{
    size_t bytes = lv_alloc_bytes(count, size);
    return bytes ? realloc(block, bytes) : NULL;
}

char *lv_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = lv_alloc(bytes, 1);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void lv_free(void *block)
{
    free(block);
}
