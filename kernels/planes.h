/* SPDX-License-Identifier: Apache-2.0
 * The contract of the picture loops: the two passes of an 8-bit resize, and rows of pixels to
 * planes. Integers only, so every set gives the same bytes. Like all kernels they are
 * single-threaded, pure and reentrant, and read and write only what their arguments name. Any size
 * may be 0. Outputs overlap no input.
 *
 * kernels/cpu/planes.c is one plain source, built once for the compiler's default target and once
 * for AVX2; tests/kernels/test_planes.c holds both against formulas. */
#ifndef LV_PLANES_H
#define LV_PLANES_H

#include <stddef.h>
#include <stdint.h>

/* A weight is low + high * 2^LV_WEIGHT_SPLIT with |low| <= |weight|, or just low where high is
 * NULL. Sums of products with bytes must fit 32 bits; a sum becomes a byte as
 *     clip((sum + 2^(precision - 1)) >> precision), 1 <= precision <= 30. */
#define LV_WEIGHT_SPLIT 14

typedef struct LvAcross {
    const int16_t *planes[3]; /* samples 0..255 */
    const uint32_t *first;    /* [n] first sample of each output's window */
    const int16_t *low;       /* [n][stride] */
    const int16_t *high;      /* [n][stride] or NULL */
    uint32_t stride;          /* samples in a window, a multiple of 8 */
    uint32_t n;               /* outputs of each plane */
    uint32_t precision;
    uint8_t *out; /* [3][n] */
} LvAcross;

typedef struct LvDown {
    const uint8_t *ring; /* [ring_rows][n] */
    uint32_t ring_rows;
    uint32_t first; /* the k-th tap is ring row (first + k) % ring_rows */
    uint32_t taps;
    const int16_t *low;  /* [taps] */
    const int16_t *high; /* [taps] or NULL */
    size_t n;
    uint32_t precision;
    int32_t *sums; /* [n] scratch */
    uint8_t *out;  /* [n] */
} LvDown;

/* One row of YUV with chroma halved across: pixel x uses chroma sample x / 2.
 *     red   = clip((luma (Y - black) + red_v (V - 128) + 2^15) >> 16), and so on
 * with factors of magnitude below 2^18. */
typedef struct LvYuvRow {
    const uint8_t *y, *u, *v;
    uint32_t spacing; /* bytes from one chroma sample to the next: 1 or 2 */
    uint32_t n;       /* pixels */
    int32_t black, luma, red_v, green_u, green_v, blue_u;
    int16_t *red, *green, *blue; /* [n] */
} LvYuvRow;

typedef struct LvPlaneKernels {
    const char *name;
    void (*across)(const LvAcross *pass);
    void (*down)(const LvDown *pass);
    void (*yuv_row)(const LvYuvRow *row);
    /* n pixels of `bytes` bytes (3 or 4) to three planes in the order of the bytes; a fourth is
     * dropped. */
    void (*unpack)(const uint8_t *pixels, uint32_t bytes, uint32_t n, int16_t *const planes[3]);
} LvPlaneKernels;

/* The best set that needs no flags other than these (LV_CPU_*, ops.h). */
const LvPlaneKernels *lv_plane_kernels_choose(unsigned flags);

#endif
