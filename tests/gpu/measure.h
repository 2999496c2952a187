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

/* Sorts `values`. */
double median(double *values, size_t n);

#endif
