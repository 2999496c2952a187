/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu_packed.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void lv_cpu_int8_row(const LvInt8Matrix *m, size_t row, int8_t *numbers)
{
    const int8_t *quad =
        m->numbers + row / LV_INT8_PANEL * lv_int8_panel_bytes(m->cols) + row % LV_INT8_PANEL * 4;
    for (size_t k = 0; k < m->cols; k += 4, quad += 4 * LV_INT8_PANEL)
        memcpy(numbers + k, quad, least(m->cols - k, 4));
}

void lv_cpu_int8_panel(
    int8_t *numbers, float *scales, int32_t *offsets, const LvMatrix *rows, size_t n)
{
    const size_t cols = rows->cols;
    memset(numbers, 0, lv_int8_panel_bytes(cols));
    memset(scales, 0, LV_INT8_PANEL * sizeof *scales);
    memset(offsets, 0, LV_INT8_PANEL * sizeof *offsets);
    memcpy(scales, (const char *)rows->scales->data + rows->first * sizeof *scales,
        n * sizeof *scales);
    for (size_t i = 0; i < n; i++) {
        const int8_t *row = (const int8_t *)lv_matrix_row(rows, i);
        for (size_t k = 0; k < cols; k += 4)
            memcpy(numbers + (k / 4 * LV_INT8_PANEL + i) * 4, row + k, least(cols - k, 4));
        int32_t sum = 0;
        for (size_t k = 0; k < cols; k++)
            sum += row[k];
        offsets[i] = -128 * sum;
    }
}

/* Byte of number k of output i of a panel; the number has the low half, or the high one. */
static size_t place(size_t k, size_t i)
{
    return (k / 8 * LV_INT4_PANEL + i) * 4 + k % 4;
}

void lv_cpu_int4_row(const LvInt4Matrix *m, size_t row, uint8_t *numbers, uint16_t *scales)
{
    const size_t panel = row / LV_INT4_PANEL, i = row % LV_INT4_PANEL;
    const uint8_t *from = m->numbers + panel * lv_int4_panel_bytes(m->cols);
    memset(numbers, 0, (m->cols + 1) / 2);
    for (size_t k = 0; k < m->cols; k++) {
        const int number = (from[place(k, i)] >> (k / 4 % 2 * 4) & 15) ^ 8;
        numbers[k / 2] |= (uint8_t)(number << (k % 2 * 4));
    }
    for (size_t g = 0; g < lv_int4_groups(m->cols); g++)
        scales[g] = m->scales[panel * lv_int4_panel_scales(m->cols) + g * LV_INT4_PANEL + i];
}

void lv_cpu_int4_panel(uint8_t *numbers, uint16_t *scales, const LvMatrix *rows, size_t n)
{
    const size_t cols = rows->cols, groups = lv_int4_groups(cols);
    memset(numbers, 0x88, lv_int4_panel_bytes(cols));
    memset(scales, 0, lv_int4_panel_scales(cols) * sizeof *scales);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *row = (const uint8_t *)lv_matrix_row(rows, i);
        for (size_t k = 0; k < cols; k++) {
            const int shift = (int)(k / 4 % 2 * 4), number = (row[k / 2] >> (k % 2 * 4) & 15) ^ 8;
            uint8_t *byte = numbers + place(k, i);
            *byte = (uint8_t)((*byte & ~(15 << shift)) | number << shift);
        }
        for (size_t g = 0; g < groups; g++)
            memcpy(&scales[g * LV_INT4_PANEL + i],
                (const char *)rows->scales->data +
                    ((rows->first + i) * groups + g) * sizeof *scales,
                sizeof *scales);
    }
}
