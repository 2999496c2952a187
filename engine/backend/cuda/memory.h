/* SPDX-License-Identifier: Apache-2.0
 * Device memory that is kept when it is given back: after the first requests nothing is asked of
 * the driver any more, whose calls would wait for the device. Sizes are rounded up to one of eight
 * steps between powers of two, so that caches of nearly the same length share blocks, and a kept
 * block serves down to half its size: calls of 1 to 32 tiles settle on the same few. Thread-safe.
 */
#ifndef LV_CUDA_MEMORY_H
#define LV_CUDA_MEMORY_H

#include "backend/cuda/runtime.h"

typedef struct LvMemory LvMemory;

/* At most `limit` bytes are held, in use and kept together; 0: as many as the device gives. NULL
 * when the host's memory ran out. */
LvMemory *lv_memory_open(LvRuntime *runtime, uint64_t limit);
/* Everything must have been given back. */
void lv_memory_close(LvMemory *memory); /* NULL is allowed */

/* 256-byte aligned. Reused blocks may still be read or written by work that is enqueued: the next
 * use comes later in the stream. `exact`: kept for good, so not rounded (weights). Gives 0, or an
 * error number: out of memory after everything that is kept was given up. */
int lv_memory_take(LvMemory *memory, size_t bytes, bool exact, void **data);
void lv_memory_give(LvMemory *memory, void *data); /* NULL is allowed */

/* From begin to end what the calling thread takes (not `exact`) is cut from the `bytes` at data,
 * one behind the other, and giving it back does nothing: the same requests in the same order get
 * the same addresses. A request that does not fit is out of memory, nothing is asked of the device.
 * With NULL for data requests are served as ever and only counted. end gives the bytes that all
 * requests since begin take this way. One thread at a time. */
void lv_memory_lay_begin(LvMemory *memory, void *data, size_t bytes);
size_t lv_memory_lay_end(LvMemory *memory);

typedef struct LvMemoryUse {
    uint64_t used, kept, limit;
    uint64_t driver_calls; /* blocks asked of the device so far */
} LvMemoryUse;
LvMemoryUse lv_memory_use(LvMemory *memory);

#endif
