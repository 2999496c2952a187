/* SPDX-License-Identifier: Apache-2.0
 * The picture loops of every set that this machine can run, against their formulas in 64 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ops.h"
#include "planes.h"

static uint32_t random_state;

static uint32_t pick(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(random_state >> 8) * below >> 24);
}

static uint8_t pick_byte(void)
{
    uint32_t kind = pick(4);
    return kind == 0 ? 0 : kind == 1 ? 255 : (uint8_t)pick(256);
}

static const LvPlaneKernels *sets[2];
static int n_sets;

static int find_sets(void **state)
{
    sets[n_sets++] = lv_plane_kernels_choose(0);
    if (lv_plane_kernels_choose(lv_cpu_flags()) != sets[0])
        sets[n_sets++] = lv_plane_kernels_choose(lv_cpu_flags());
    return 0;
}

static uint8_t clipped(int64_t sum, uint32_t precision)
{
    sum = (sum + ((int64_t)1 << (precision - 1))) >> precision;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* n weights of at most 2^precision together, so that sums fit 32 bits; high may be NULL. */
static void pick_weights(int16_t *low, int16_t *high, uint32_t n, uint32_t precision)
{
    int32_t most = n ? (int32_t)((1u << precision) / n) : 0;
    if (!high && most > INT16_MAX)
        most = INT16_MAX;
    for (uint32_t i = 0; i < n; i++) {
        int32_t k = (int32_t)pick((uint32_t)(2 * most + 1)) - most, split = 0;
        if (high) {
            split = (k + (1 << (LV_WEIGHT_SPLIT - 1))) >> LV_WEIGHT_SPLIT;
            high[i] = (int16_t)split;
        }
        low[i] = (int16_t)(k - split * (1 << LV_WEIGHT_SPLIT));
    }
}

static int64_t weight(const int16_t *low, const int16_t *high, size_t i)
{
    return low[i] + (high ? (int64_t)high[i] * (1 << LV_WEIGHT_SPLIT) : 0);
}

static void across_equals_its_formula(void **state)
{
    for (int trial = 0; trial < 400; trial++) {
        uint32_t n = trial < 4 ? (uint32_t)trial : pick(200),
                 stride = 8 * (1 + pick(trial % 9 ? 4 : 40));
        uint32_t in = stride + pick(300), precision = trial % 2 ? 22 : 14 + pick(9);
        int16_t *samples[3], *low = malloc(n * stride * 2 + 1),
                             *high = trial % 2 ? malloc(n * stride * 2 + 1) : NULL;
        uint32_t *first = malloc(n * sizeof *first + 1);
        uint8_t *expected = malloc(3 * n + 1), *out = malloc(3 * n + 1);
        for (int c = 0; c < 3; c++) {
            samples[c] = malloc(in * sizeof **samples);
            for (uint32_t i = 0; i < in; i++)
                samples[c][i] = pick_byte();
        }
        for (uint32_t i = 0; i < n; i++) {
            first[i] = pick(in - stride + 1);
            pick_weights(low + i * stride, high ? high + i * stride : NULL, stride, precision);
        }
        for (uint32_t c = 0; c < 3; c++)
            for (uint32_t i = 0; i < n; i++) {
                int64_t sum = 0;
                for (uint32_t k = 0; k < stride; k++)
                    sum += weight(low, high, i * stride + k) * samples[c][first[i] + k];
                expected[c * n + i] = clipped(sum, precision);
            }
        for (int set = 0; set < n_sets; set++) {
            memset(out, 77, 3 * n + 1);
            sets[set]->across(&(LvAcross){.planes = {samples[0], samples[1], samples[2]},
                .first = first,
                .low = low,
                .high = high,
                .stride = stride,
                .n = n,
                .precision = precision,
                .out = out});
            assert_memory_equal(out, expected, 3 * n);
            assert_int_equal(out[3 * n], 77);
        }
        for (int c = 0; c < 3; c++)
            free(samples[c]);
        free(low);
        free(high);
        free(first);
        free(expected);
        free(out);
    }
}

static void down_equals_its_formula(void **state)
{
    for (int trial = 0; trial < 400; trial++) {
        uint32_t n = trial < 4 ? (uint32_t)trial : pick(300),
                 ring_rows = 1 + pick(trial % 9 ? 12 : 200);
        uint32_t taps = pick(ring_rows + 1), start = pick(1000),
                 precision = trial % 2 ? 22 : 14 + pick(9);
        uint8_t *ring = malloc(ring_rows * n + 1), *expected = malloc(n + 1), *out = malloc(n + 1);
        int16_t *low = malloc(taps * 2 + 1), *high = trial % 2 ? malloc(taps * 2 + 1) : NULL;
        int32_t *sums = malloc((n + 1) * sizeof *sums);
        for (uint32_t i = 0; i < ring_rows * n; i++)
            ring[i] = pick_byte();
        pick_weights(low, high, taps, precision);
        for (uint32_t i = 0; i < n; i++) {
            int64_t sum = 0;
            for (uint32_t k = 0; k < taps; k++)
                sum += weight(low, high, k) * ring[(start + k) % ring_rows * n + i];
            expected[i] = clipped(sum, precision);
        }
        for (int set = 0; set < n_sets; set++) {
            out[n] = 77;
            sums[n] = 7777;
            sets[set]->down(&(LvDown){.ring = ring,
                .ring_rows = ring_rows,
                .first = start,
                .taps = taps,
                .low = low,
                .high = high,
                .n = n,
                .precision = precision,
                .sums = sums,
                .out = out});
            assert_memory_equal(out, expected, n);
            assert_int_equal(out[n], 77);
            assert_int_equal(sums[n], 7777);
        }
        free(ring);
        free(expected);
        free(out);
        free(low);
        free(high);
        free(sums);
    }
}

static void yuv_rows_equal_their_formula(void **state)
{
    static const int32_t limits[] = {65536, 131071, -131071, 131071, 138438};
    for (int trial = 0; trial < 600; trial++) {
        uint32_t n = trial < 4 ? (uint32_t)trial : pick(400), half = (n + 1) / 2,
                 spacing = 1 + pick(2);
        int32_t f[5], black = trial % 2 ? 16 : 0;
        for (int i = 0; i < 5; i++)
            f[i] = trial % 3 ? (int32_t)pick(200001) - 100000 : limits[i];
        uint8_t *y = malloc(n + 1), *u = malloc(half * 2 + 1), *v = malloc(half * 2 + 1);
        int16_t *out[3], *expected[3];
        for (uint32_t i = 0; i < n; i++)
            y[i] = pick_byte();
        for (uint32_t i = 0; i < half * spacing; i++) {
            u[i] = pick_byte();
            v[i] = pick_byte();
        }
        for (int c = 0; c < 3; c++) {
            out[c] = malloc((n + 1) * 2);
            expected[c] = malloc((n + 1) * 2);
        }
        for (uint32_t i = 0; i < n; i++) {
            int64_t luma = (int64_t)f[0] * (y[i] - black), cb = u[i / 2 * spacing] - 128,
                    cr = v[i / 2 * spacing] - 128;
            expected[0][i] = clipped(luma + f[1] * cr, 16);
            expected[1][i] = clipped(luma + f[2] * cb + f[3] * cr, 16);
            expected[2][i] = clipped(luma + f[4] * cb, 16);
        }
        for (int set = 0; set < n_sets; set++) {
            for (int c = 0; c < 3; c++)
                out[c][n] = 777;
            sets[set]->yuv_row(&(LvYuvRow){.y = y,
                .u = u,
                .v = v,
                .spacing = spacing,
                .n = n,
                .black = black,
                .luma = f[0],
                .red_v = f[1],
                .green_u = f[2],
                .green_v = f[3],
                .blue_u = f[4],
                .red = out[0],
                .green = out[1],
                .blue = out[2]});
            for (int c = 0; c < 3; c++) {
                assert_memory_equal(out[c], expected[c], n * 2);
                assert_int_equal(out[c][n], 777);
            }
        }
        for (int c = 0; c < 3; c++) {
            free(out[c]);
            free(expected[c]);
        }
        free(y);
        free(u);
        free(v);
    }
}

static void unpacking_takes_every_pixel_apart(void **state)
{
    for (uint32_t n = 0; n < 150; n++)
        for (uint32_t bytes = 3; bytes <= 4; bytes++) {
            uint8_t *pixels = malloc(n * bytes + 1);
            int16_t *planes[3];
            for (uint32_t i = 0; i < n * bytes; i++)
                pixels[i] = pick_byte();
            for (int c = 0; c < 3; c++)
                planes[c] = malloc((n + 1) * 2);
            for (int set = 0; set < n_sets; set++) {
                for (int c = 0; c < 3; c++)
                    planes[c][n] = 777;
                sets[set]->unpack(pixels, bytes, n, planes);
                for (uint32_t i = 0; i <= n; i++)
                    for (uint32_t c = 0; c < 3; c++)
                        assert_int_equal(planes[c][i], i == n ? 777 : pixels[i * bytes + c]);
            }
            free(pixels);
            for (int c = 0; c < 3; c++)
                free(planes[c]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(across_equals_its_formula),
        cmocka_unit_test(down_equals_its_formula),
        cmocka_unit_test(yuv_rows_equal_their_formula),
        cmocka_unit_test(unpacking_takes_every_pixel_apart),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
