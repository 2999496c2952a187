/* SPDX-License-Identifier: Apache-2.0
 * What the stand-in has been asked for, all its devices together; to be looked up in the module. */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdint.h>

typedef struct LvStandinCounts {
    uint64_t allocations; /* of device memory and pinned memory that succeeded */
    uint64_t live;        /* of them not given back */
    uint64_t asked;       /* allocations of device memory, of the device that was opened last */
    uint64_t launches;    /* and products and graphs, of the device that was opened last */
    uint64_t graphs;      /* not given back */
    uint64_t recorded, replayed; /* graphs, of the device that was opened last */
    uint64_t overlapped;         /* kernels of these graphs that began before the one ahead */
    uint64_t sent_rows;          /* of pictures, from memory of a device */
    uint64_t copies;             /* to, from and on it, in its stream and not part of a graph */
    uint64_t fp8;                /* products */
} LvStandinCounts;

typedef LvStandinCounts (*LvStandinCount)(void);
LvStandinCounts lv_standin_counts(void);

/* lv_alloc_fail_after of the module, which has an allocator of its own. */
typedef void (*LvStandinFailAlloc)(int64_t n);
void lv_standin_fail_alloc(int64_t n);

#endif
