/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/same.h"

#include <string.h>

static size_t size_of(const LvTiles *tiles)
{
    return (size_t)tiles->n * tiles->image_size * tiles->image_size * 3;
}

uint64_t lv_tiles_hash(const LvTiles *tiles)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    const size_t bytes = size_of(tiles);
    uint64_t hash = bytes, word;
    size_t i = 0;
    for (; i + sizeof word <= bytes; i += sizeof word) {
        memcpy(&word, tiles->rgb + i, sizeof word);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
    }
    for (; i < bytes; i++)
        hash = (hash ^ tiles->rgb[i]) * odd;
    return hash;
}

bool lv_tiles_alike(const LvTiles *a, const LvTiles *b)
{
    return a->n == b->n && a->image_size == b->image_size && a->width == b->width &&
           a->height == b->height;
}

bool lv_tiles_equal(const LvTiles *a, const LvTiles *b)
{
    return memcmp(a->rgb, b->rgb, size_of(a)) == 0;
}

double lv_tiles_difference(const LvTiles *a, const LvTiles *b)
{
    enum { BLOCK = 4096 }; /* whose sum fits 32 bits */
    const size_t bytes = size_of(a);
    uint64_t sum = 0;
    for (size_t from = 0; from < bytes; from += BLOCK) {
        const size_t n = bytes - from < BLOCK ? bytes - from : BLOCK;
        const uint8_t *x = a->rgb + from, *y = b->rgb + from;
        uint32_t part = 0;
        for (size_t i = 0; i < n; i++)
            part += (uint32_t)(x[i] > y[i] ? x[i] - y[i] : y[i] - x[i]);
        sum += part;
    }
    return bytes ? (double)sum / (double)bytes : 0;
}
