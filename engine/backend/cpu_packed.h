/* SPDX-License-Identifier: Apache-2.0
 * Integer weights between panels, as they are multiplied, and rows, as files hold them (dtype.h: LV_INT8,
 * LV_INT4). */
#ifndef LV_CPU_PACKED_H
#define LV_CPU_PACKED_H

#include "int4.h"
#include "int8.h"

/* Row `row`: cols numbers. */
void lv_cpu_int8_row(const LvInt8Matrix *matrix, size_t row, int8_t *numbers);
/* Row `row`: (cols + 1) / 2 bytes, and a scale a group. */
void lv_cpu_int4_row(const LvInt4Matrix *matrix, size_t row, uint8_t *numbers, uint16_t *scales);

/* A panel of n <= 16 rows that follow each other in a matrix of the type, with its scales. */
void lv_cpu_int8_panel(
    int8_t *numbers, float *scales, int32_t *offsets, const LvMatrix *rows, size_t n);
void lv_cpu_int4_panel(uint8_t *numbers, uint16_t *scales, const LvMatrix *rows, size_t n);

#endif
