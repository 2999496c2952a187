/* SPDX-License-Identifier: Apache-2.0
 * Memory in whole pages of its own, for what stays for seconds while passes come and go: among their
 * blocks on the heap it would leave holes that nothing else fits, and a process that serves many
 * streams would grow by half. Freed pages are the system's again at once. Thread-safe. */
#ifndef LV_PAGES_H
#define LV_PAGES_H

#include <stddef.h>

/* count * size bytes, zeroed and 64-byte aligned; NULL on overflow and when memory ran out, or where lv_alloc_fail_after
 * says so. Under AddressSanitizer a block of the heap, whose ends it watches. */
void *lv_pages_alloc(size_t count, size_t size);
/* NULL is allowed. */
void lv_pages_free(void *block);

#endif
