/* SPDX-License-Identifier: Apache-2.0
 * The generated pictures and the checksum of tests/golden/make_picture.py. */
#ifndef PICTURE_GOLDEN_H
#define PICTURE_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/* samples() of make_picture.py. */
static inline void golden_samples(uint8_t *out, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)i * 2654435761u + seed;
        x ^= x >> 15;
        x *= 2246822519u;
        x ^= x >> 13;
        uint8_t value = (uint8_t)(x >> 24);
        out[i] = x & 256 ? (value < 128 ? 0 : 255) : value;
    }
}

static inline uint32_t golden_crc32(const uint8_t *bytes, size_t n)
{
    uint32_t table[256], crc = 0xffffffff;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
    }
    for (size_t i = 0; i < n; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
    return ~crc;
}

#endif
