/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sorting.h"

#include <stdbool.h>
#include <string.h>

#define SMALL 16 /* ranges up to this are left to the final insertion sort */

typedef struct SortItems {
    const float *scores;
    uint32_t *at;
} SortItems;

static bool less(const SortItems *items, uint32_t a, uint32_t b)
{
    return items->scores[items->at[a]] < items->scores[items->at[b]];
}

static void swap(const SortItems *items, uint32_t a, uint32_t b)
{
    uint32_t index = items->at[a];
    items->at[a] = items->at[b];
    items->at[b] = index;
}

/* Puts the median of positions a, b, c at `first`. */
static void pick_pivot(const SortItems *items, uint32_t first, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t median;
    if (less(items, a, b))
        median = less(items, b, c) ? b : less(items, a, c) ? c : a;
    else
        median = less(items, a, c) ? a : less(items, b, c) ? c : b;
    swap(items, first, median);
}

/* Splits [first + 1, last) by the pivot at first; returns where the upper part begins. Both scans
 * stop at equal scores. */
static uint32_t split(const SortItems *items, uint32_t first, uint32_t last)
{
    const uint32_t pivot = first;
    uint32_t low = first + 1, high = last;
    for (;;) {
        while (less(items, low, pivot))
            low++;
        high--;
        while (less(items, pivot, high))
            high--;
        if (low >= high)
            return low;
        swap(items, low, high);
        low++;
    }
}

/* Sinks `index` from the hole to the bottom along the larger children, then lifts it to its place.
 */
static void settle(
    const SortItems *items, uint32_t first, uint32_t hole, uint32_t n, uint32_t index)
{
    uint32_t *heap = items->at + first;
    const uint32_t top = hole;
    uint32_t child = hole;
    while (child < (n - 1) / 2) {
        child = 2 * (child + 1);
        if (less(items, first + child, first + child - 1))
            child--;
        heap[hole] = heap[child];
        hole = child;
    }
    if (n % 2 == 0 && child == (n - 2) / 2) {
        child = 2 * (child + 1);
        heap[hole] = heap[child - 1];
        hole = child - 1;
    }
    while (hole > top && items->scores[heap[(hole - 1) / 2]] < items->scores[index]) {
        heap[hole] = heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    heap[hole] = index;
}

static void heap_sort(const SortItems *items, uint32_t first, uint32_t last)
{
    uint32_t *heap = items->at + first;
    const uint32_t n = last - first;
    for (uint32_t parent = (n - 2) / 2 + 1; parent-- > 0;)
        settle(items, first, parent, n, heap[parent]);
    for (uint32_t left = n - 1; left > 0; left--) {
        const uint32_t index = heap[left];
        heap[left] = heap[0];
        settle(items, first, 0, left, index);
    }
}

static void quick_sort(const SortItems *items, uint32_t first, uint32_t last, uint32_t levels)
{
    while (last - first > SMALL) {
        if (levels-- == 0) {
            heap_sort(items, first, last);
            return;
        }
        pick_pivot(items, first, first + 1, first + (last - first) / 2, last - 1);
        const uint32_t cut = split(items, first, last);
        quick_sort(items, cut, last, levels);
        last = cut;
    }
}

static void insertion_sort(const SortItems *items, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        const uint32_t index = items->at[i];
        uint32_t place = i;
        for (; place > 0 && items->scores[index] < items->scores[items->at[place - 1]]; place--)
            items->at[place] = items->at[place - 1];
        items->at[place] = index;
    }
}

void lv_sort_ascending(const float *scores, uint32_t *order, uint32_t n)
{
    const SortItems items = {scores, order};
    uint32_t levels = 0;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i >>= 1)
        levels += 2;
    quick_sort(&items, 0, n, levels);
    insertion_sort(&items, n);
}

/* Unsigned numbers in the order of the floats; -0 and +0 become one. */
static uint32_t rank(float score)
{
    const float positive_zero = score + 0.0f;
    uint32_t bits;
    memcpy(&bits, &positive_zero, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

float lv_kth_largest(const float *scores, uint32_t n, uint32_t k)
{
    /* Determines the k-th largest byte by byte from the top, each time among the values that share
     * its upper bytes. */
    uint32_t prefix = 0, mask = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint32_t counts[256] = {0};
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t r = rank(scores[i]);
            if ((r & mask) == prefix)
                counts[r >> shift & 255]++;
        }
        uint32_t byte = 255;
        while (counts[byte] < k)
            k -= counts[byte--];
        prefix |= byte << shift;
        mask |= 255u << shift;
    }
    const uint32_t bits = prefix & 0x80000000u ? prefix & 0x7FFFFFFFu : ~prefix;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
