/* SPDX-License-Identifier: Apache-2.0
 * Structs of llavaov.h that begin with their size: what a caller of another version gives and gets.
 */
#ifndef LV_STRUCTS_H
#define LV_STRUCTS_H

#include "llavaov.h"

/* No public struct is so large: a size beyond it was never set. */
#define LV_MAX_STRUCT_BYTES 4096u

/* Copies a caller's struct `from` of its own size to `to` of `bytes`; members that the caller does
 * not know are zero. Error: ARGUMENT without a size, UNSUPPORTED, and what is known is copied,
 * with members set that this version does not know. `name` is the type's. */
LlavaovStatus lv_struct_read(
    void *to, size_t bytes, const void *from, const char *name, LlavaovError *error);

/* Fills a caller's struct `to` of its own size, which stays, with `from`; members that this version
 * does not know become zero. Error: ARGUMENT. */
LlavaovStatus lv_struct_write(
    void *to, const void *from, size_t bytes, const char *name, LlavaovError *error);

#endif
