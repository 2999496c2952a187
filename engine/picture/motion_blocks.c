/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/motion_blocks.h"

#include <math.h>
#include <stdlib.h>

#define PART 4                     /* cells; a block is two by two parts */
#define PARTS (LV_LUMA_MAP / PART) /* in a row */
#define DARK 8.0f                  /* too little light for a ratio */
#define OVEREXPOSED 224.0f
#define FEWEST_RATIOS 9

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

float lv_motion_mean(const LvLumaMap *map, const uint8_t *masked)
{
    double sum = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < LV_LUMA_MAP * LV_LUMA_MAP; i++) {
        if (masked[i])
            continue;
        sum += map->cell[i];
        n++;
    }
    return n ? (float)(sum / n) : 0;
}

float lv_motion_gain(const LvLumaMap *now, const LvLumaMap *before, const uint8_t *masked)
{
    float ratios[PARTS * PARTS];
    unsigned n = 0;
    for (unsigned part = 0; part < PARTS * PARTS; part++) {
        const unsigned corner = part / PARTS * PART * LV_LUMA_MAP + part % PARTS * PART;
        float a = 0, b = 0;
        unsigned cells = 0;
        for (unsigned i = 0; i < PART * PART; i++) {
            const unsigned cell = corner + i / PART * LV_LUMA_MAP + i % PART;
            if (masked[cell])
                continue;
            a += now->cell[cell];
            b += before->cell[cell];
            cells++;
        }
        if (cells && a >= DARK * (float)cells && b >= DARK * (float)cells)
            ratios[n++] = a / b;
    }
    if (n < FEWEST_RATIOS)
        return 1;
    qsort(ratios, n, sizeof *ratios, compare);
    return fminf(fmaxf(ratios[n / 2], 0.5f), 2);
}

void lv_motion_differences(const LvLumaMap *now, const LvLumaMap *before, float gain,
    const uint8_t *masked, float difference[LV_MOTION_BLOCKS])
{
    float sums[PARTS * PARTS] = {0};
    unsigned counts[PARTS * PARTS] = {0};
    for (unsigned y = 0; y < LV_LUMA_MAP; y++)
        for (unsigned x = 0; x < LV_LUMA_MAP; x++) {
            const unsigned cell = y * LV_LUMA_MAP + x, part = y / PART * PARTS + x / PART;
            const float a = now->cell[cell], b = before->cell[cell];
            if (masked[cell])
                continue;
            counts[part]++;
            if (a < OVEREXPOSED || b < OVEREXPOSED)
                sums[part] += fabsf(a - fminf(gain * b, 255));
        }
    for (unsigned block = 0; block < LV_MOTION_BLOCKS; block++) {
        const unsigned first = block / LV_MOTION_SIDE * PARTS + block % LV_MOTION_SIDE;
        const unsigned n =
            counts[first] + counts[first + 1] + counts[first + PARTS] + counts[first + PARTS + 1];
        const float sum =
            sums[first] + sums[first + 1] + sums[first + PARTS] + sums[first + PARTS + 1];
        difference[block] = n < 2 * PART * PART ? -1 : sum / (float)n;
    }
}
