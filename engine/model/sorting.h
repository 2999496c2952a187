/* SPDX-License-Identifier: Apache-2.0
 * Sorting scores in the reference's order, ties included. */
#ifndef LV_SORTING_H
#define LV_SORTING_H

#include <stddef.h>
#include <stdint.h>

/* order[0 .. n) = indices of scores in ascending order. Equal scores come in the order in which
 * torch.sort leaves them on a CPU, since that decides which of them top-p drops. It is the order of
 * the C++ library's std::sort (an introsort: median-of-three quicksort down to 16 elements,
 * heapsort beyond 2 log2(n) levels, a final insertion sort), started from 0, 1, ... n - 1. No
 * NaN. */
void lv_sort_ascending(const float *scores, uint32_t *order, uint32_t n);

/* The k-th largest value, 1 <= k <= n. No NaN. */
float lv_kth_largest(const float *scores, uint32_t n, uint32_t k);

#endif
