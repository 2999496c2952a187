/* SPDX-License-Identifier: Apache-2.0
 * What the programs that time a GPU share.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>

#include "backend/cuda/runtime.h"

/* Since some fixed moment. */
double seconds(void);

/* Ends the program with the runtime's words for `code` and `what` failed, unless `code` is 0. */
void must(int code, const char *what);

/* The first device, entered by this thread; ends the program where there is none. */
LvRuntime *open_device(LvDeviceFacts *facts);

/* Seconds on the device from the beginning to the end of what `work` enqueues, by events in its
 * stream; waits for it. */
double device_seconds(LvRuntime *runtime, void (*work)(void *data), void *data);

/* `bytes` of device memory, never zeros: every 2 bytes are a bf16 of random sign and fraction and a
 * size from 1/16 to 1, so that every 4 are a float32 of such a size. A multiple of 4. */
void *random_memory(LvRuntime *runtime, size_t bytes, uint32_t seed);

/* Sorts `values`. */
double median(double *values, size_t n);

#endif
