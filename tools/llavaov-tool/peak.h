/* SPDX-License-Identifier: Apache-2.0
 * What this machine can do at most, measured: the yardstick for the benchmark's fractions. */
#ifndef LV_PEAK_H
#define LV_PEAK_H

#include <stdint.h>

/* Float32 multiply-adds on `threads` threads with the widest vectors of the processor; in 10^9
 * FLOP/s (an FMA is two). */
double lv_peak_gflops(uint32_t threads);

/* Reading memory larger than any cache on `threads` threads; in 10^9 bytes/s. 0 when memory is
 * short. */
double lv_peak_gbytes(uint32_t threads);

#endif
