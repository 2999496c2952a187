/* SPDX-License-Identifier: Apache-2.0
 * The picture loops, written so that the compiler vectorises them. Built once per set, with
 * PLANES_FUNCTION and PLANES_NAME set by the build. */
#include "planes.h"

#include <string.h>

const LvPlaneKernels *PLANES_FUNCTION(void);

#define BLOCK                                                                                      \
    64 /* outputs, or chroma samples, at a time; their sums stay in the first-level cache */

/* ---- resize ---- */

/* (high << LV_WEIGHT_SPLIT) + low, modulo 2^32. */
static inline int32_t join(int32_t high, int32_t low)
{
    return (int32_t)(((uint32_t)high << LV_WEIGHT_SPLIT) + (uint32_t)low);
}

static void to_bytes(
    const int32_t *restrict sums, uint8_t *restrict out, size_t n, uint32_t precision)
{
    int32_t half = 1 << (precision - 1);
    for (size_t i = 0; i < n; i++) {
        int32_t value = (sums[i] + half) >> precision;
        value = value < 0 ? 0 : value;
        out[i] = (uint8_t)(value > 255 ? 255 : value);
    }
}

/* Sums over one window of the three planes together, to sums[0], [BLOCK] and [2 * BLOCK]: the
 * weights are loaded once, and the three chains of additions overlap. */
static inline void dot3(const int16_t *restrict red, const int16_t *restrict green,
    const int16_t *restrict blue, const int16_t *restrict weights, uint32_t n,
    int32_t *restrict sums)
{
    int32_t r = 0, g = 0, b = 0;
    for (uint32_t i = 0; i < n / 8 * 8; i++) {
        r += red[i] * weights[i];
        g += green[i] * weights[i];
        b += blue[i] * weights[i];
    }
    sums[0] = r;
    sums[BLOCK] = g;
    sums[2 * BLOCK] = b;
}

static void across(const LvAcross *pass)
{
    const LvAcross p = *pass;
    int32_t low[3 * BLOCK], high[3 * BLOCK];
    for (uint32_t start = 0; start < p.n; start += BLOCK) {
        uint32_t n = p.n - start < BLOCK ? p.n - start : BLOCK;
        for (uint32_t i = 0; i < n; i++) {
            size_t first = p.first[start + i], weights = (size_t)(start + i) * p.stride;
            const int16_t *red = p.planes[0] + first, *green = p.planes[1] + first,
                          *blue = p.planes[2] + first;
            dot3(red, green, blue, p.low + weights, p.stride, low + i);
            if (p.high)
                dot3(red, green, blue, p.high + weights, p.stride, high + i);
        }
        for (uint32_t c = 0; c < 3; c++) {
            int32_t *sums = low + c * BLOCK, *highs = high + c * BLOCK;
            if (p.high)
                for (uint32_t i = 0; i < n; i++)
                    sums[i] = join(highs[i], sums[i]);
            to_bytes(sums, p.out + (size_t)c * p.n + start, n, p.precision);
        }
    }
}

/* sums (+)= the products of two rows and their weights. */
static void add_rows(int32_t *restrict sums, const uint8_t *restrict first,
    const uint8_t *restrict second, const int16_t weights[2], size_t n, int begin)
{
    int16_t a = weights[0], b = weights[1];
    if (begin)
        for (size_t x = 0; x < n; x++)
            sums[x] = (int16_t)first[x] * a + (int16_t)second[x] * b;
    else
        for (size_t x = 0; x < n; x++)
            sums[x] += (int16_t)first[x] * a + (int16_t)second[x] * b;
}

static void add_row_high(
    int32_t *restrict sums, const uint8_t *restrict row, int16_t high, int16_t low, size_t n)
{
    for (size_t x = 0; x < n; x++)
        sums[x] = join((int16_t)row[x] * high, (int16_t)row[x] * low + sums[x]);
}

static void down(const LvDown *pass)
{
    const LvDown p = *pass;
    uint32_t step = p.high ? 1 : 2;
    if (p.high || p.taps == 0)
        memset(p.sums, 0, p.n * sizeof *p.sums);
    for (uint32_t tap = 0; tap < p.taps; tap += step) {
        const uint8_t *first = p.ring + (p.first + tap) % p.ring_rows * p.n;
        if (p.high) {
            add_row_high(p.sums, first, p.high[tap], p.low[tap], p.n);
        } else {
            int pair = tap + 1 < p.taps;
            int16_t weights[2] = {p.low[tap], pair ? p.low[tap + 1] : 0};
            const uint8_t *second = pair ? p.ring + (p.first + tap + 1) % p.ring_rows * p.n : first;
            add_rows(p.sums, first, second, weights, p.n, tap == 0);
        }
    }
    to_bytes(p.sums, p.out, p.n, p.precision);
}

/* ---- colour ---- */

/* A 16.16 factor as whole + fraction / 65536 with a signed 16-bit fraction: products then need only
 * 16 x 16 bit multiplies, which every x86-64 has. */
typedef struct Factor {
    int16_t whole, fraction;
} Factor;

static Factor split(int32_t value)
{
    int32_t whole = (value + 32768) >> 16;
    return (Factor){(int16_t)whole, (int16_t)(value - whole * 65536)};
}

/* What chroma adds to each pixel of a channel. (whole * 65536 + fraction) >> 16 is
 * whole + (fraction >> 16) exactly, so the two sums are kept apart; rounding is in the fractions.
 */
typedef struct Chroma {
    int32_t fraction[2 * BLOCK];
    int16_t whole[2 * BLOCK];
} Chroma;

static void one_product(
    const int16_t *restrict samples, Factor factor, uint32_t n, Chroma *restrict chroma)
{
    for (uint32_t i = 0; i < n; i++)
        chroma->fraction[2 * i] = chroma->fraction[2 * i + 1] =
            samples[i] * factor.fraction + 32768;
    for (uint32_t i = 0; i < n; i++)
        chroma->whole[2 * i] = chroma->whole[2 * i + 1] = (int16_t)(samples[i] * factor.whole);
}

static void two_products(const int16_t *restrict us, Factor of_u, const int16_t *restrict vs,
    Factor of_v, uint32_t n, Chroma *restrict chroma)
{
    for (uint32_t i = 0; i < n; i++)
        chroma->fraction[2 * i] = chroma->fraction[2 * i + 1] =
            us[i] * of_u.fraction + vs[i] * of_v.fraction + 32768;
    for (uint32_t i = 0; i < n; i++)
        chroma->whole[2 * i] = chroma->whole[2 * i + 1] =
            (int16_t)(us[i] * of_u.whole + vs[i] * of_v.whole);
}

static void centre(
    const uint8_t *restrict samples, uint32_t spacing, uint32_t n, int16_t *restrict out)
{
    if (spacing == 1)
        for (uint32_t i = 0; i < n; i++)
            out[i] = (int16_t)(samples[i] - 128);
    else
        for (uint32_t i = 0; i < n; i++)
            out[i] = (int16_t)(samples[2 * i] - 128);
}

static void channel(const uint8_t *restrict luma, int16_t black, Factor factor,
    const Chroma *restrict chroma, uint32_t n, int16_t *restrict out)
{
    for (uint32_t i = 0; i < n; i++) {
        int16_t y = (int16_t)(luma[i] - black);
        int32_t fraction = y * factor.fraction + chroma->fraction[i];
        int16_t whole = (int16_t)(y * factor.whole + chroma->whole[i]);
        int16_t value = (int16_t)(whole + (fraction >> 16));
        value = value < 0 ? 0 : value;
        out[i] = value > 255 ? 255 : value;
    }
}

static void yuv_row(const LvYuvRow *row)
{
    const LvYuvRow r = *row;
    Factor luma = split(r.luma), red_v = split(r.red_v), green_u = split(r.green_u),
           green_v = split(r.green_v), blue_u = split(r.blue_u);
    int16_t us[BLOCK], vs[BLOCK], black = (int16_t)r.black;
    Chroma red, green, blue;
    for (uint32_t x = 0; x < r.n; x += 2 * BLOCK) {
        uint32_t n = r.n - x < 2 * BLOCK ? r.n - x : 2 * BLOCK, half = (n + 1) / 2;
        centre(r.u + x / 2 * r.spacing, r.spacing, half, us);
        centre(r.v + x / 2 * r.spacing, r.spacing, half, vs);
        one_product(vs, red_v, half, &red);
        two_products(us, green_u, vs, green_v, half, &green);
        one_product(us, blue_u, half, &blue);
        channel(r.y + x, black, luma, &red, n, r.red + x);
        channel(r.y + x, black, luma, &green, n, r.green + x);
        channel(r.y + x, black, luma, &blue, n, r.blue + x);
    }
}

static void unpack(const uint8_t *pixels, uint32_t bytes, uint32_t n, int16_t *const planes[3])
{
    int16_t *restrict first = planes[0], *restrict second = planes[1], *restrict third = planes[2];
    if (bytes == 3)
        for (uint32_t i = 0; i < n; i++) {
            first[i] = pixels[3 * (size_t)i];
            second[i] = pixels[3 * (size_t)i + 1];
            third[i] = pixels[3 * (size_t)i + 2];
        }
    else
        for (uint32_t i = 0; i < n; i++) {
            first[i] = pixels[4 * (size_t)i];
            second[i] = pixels[4 * (size_t)i + 1];
            third[i] = pixels[4 * (size_t)i + 2];
        }
}

const LvPlaneKernels *PLANES_FUNCTION(void)
{
    static const LvPlaneKernels kernels = {
        .name = PLANES_NAME,
        .across = across,
        .down = down,
        .yuv_row = yuv_row,
        .unpack = unpack,
    };
    return &kernels;
}
