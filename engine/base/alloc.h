/* SPDX-License-Identifier: Apache-2.0
 * Checked allocation: sizes that overflow and memory that ran out come back as NULL, never as an
 * abort. Thread-safe. Tests can make the n-th allocation of a thread fail (lv_alloc_fail_after). */
#ifndef LV_ALLOC_H
#define LV_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* count * size bytes; NULL on overflow. For 0 bytes the result is a unique pointer, as of
 * malloc(1). */
void *lv_alloc(size_t count, size_t size);
/* The same, zeroed. */
void *lv_calloc(size_t count, size_t size);
/* 64-byte aligned, for SIMD operands; free with lv_free. */
void *lv_alloc_aligned(size_t count, size_t size);
/* Grows or shrinks what lv_alloc/lv_calloc gave; on failure the old block stays. */
void *lv_realloc(void *block, size_t count, size_t size);
char *lv_strdup(const char *text);
void lv_free(void *block);

/* Bytes of such a block, at least 1; 0 on overflow, or when it is to fail. */
size_t lv_alloc_bytes(size_t count, size_t size);

/* For tests: after n more successful allocations of the calling thread the next one fails; < 0 =
 * never. */
void lv_alloc_fail_after(int64_t n);

#endif
