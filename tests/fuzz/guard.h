/* SPDX-License-Identifier: Apache-2.0
 * Memory that ends, or begins, at an unmapped page: any code that reads past it faults, also code
 * that is not instrumented. AddressSanitizer has both ends marked as well. */
#ifndef LV_GUARD_H
#define LV_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_SLOTS 6
#define GUARD_BYTES ((size_t)1 << 20) /* the most that one slot gives */

/* `bytes` of slot `slot` (below GUARD_SLOTS), which is the program's only one of that number; their
 * content is what was there before. The last byte lies in front of the missing page, or with
 * `front` the first behind one. */
uint8_t *guard_place(unsigned slot, size_t bytes, bool front);

#endif
