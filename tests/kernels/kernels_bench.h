/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_BENCH_H
#define KERNELS_BENCH_H

#include "ops.h"

/* Prints the speed of one set on this thread, beside a loop of multiply-adds at its vector width
 * and a loop that reads. */
void kernels_bench(const LvKernels *kernels);

#endif
