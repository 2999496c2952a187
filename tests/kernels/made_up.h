/* SPDX-License-Identifier: Apache-2.0
 * A table of types of every kind that dtype.h describes, none of which a kernel knows: included
 * ahead of the kernels and of their test, which are built with it once more. */
#ifndef TESTS_KERNELS_MADE_UP_H
#define TESTS_KERNELS_MADE_UP_H

#define LV_CPU_ONLY_FLOATS

#include <math.h>
#include <stddef.h>

static const float made_up_codes[16] __attribute__((unused)) = {-1, -0.71f, -0.5f, -0.4f, -0.27f,
    -0.18f, -0.1f, 0, 0.07f, 0.17f, 0.25f, 0.33f, 0.45f, 0.57f, 0.73f, 1};

/* Four bits of exponent, three of fraction, no infinity. */
/* clang-format off */
#define MADE_UP_EIGHT(s, f, p) s (f + 0) * p, s (f + 1) * p, s (f + 2) * p, s (f + 3) * p, \
    s (f + 4) * p, s (f + 5) * p, s (f + 6) * p
#define MADE_UP_HALF(s) \
    MADE_UP_EIGHT(s, 0, 0x1p-9f), s 7 * 0x1p-9f, MADE_UP_EIGHT(s, 8, 0x1p-9f), s 15 * 0x1p-9f, \
    MADE_UP_EIGHT(s, 8, 0x1p-8f), s 15 * 0x1p-8f, MADE_UP_EIGHT(s, 8, 0x1p-7f), s 15 * 0x1p-7f, \
    MADE_UP_EIGHT(s, 8, 0x1p-6f), s 15 * 0x1p-6f, MADE_UP_EIGHT(s, 8, 0x1p-5f), s 15 * 0x1p-5f, \
    MADE_UP_EIGHT(s, 8, 0x1p-4f), s 15 * 0x1p-4f, MADE_UP_EIGHT(s, 8, 0x1p-3f), s 15 * 0x1p-3f, \
    MADE_UP_EIGHT(s, 8, 0x1p-2f), s 15 * 0x1p-2f, MADE_UP_EIGHT(s, 8, 0x1p-1f), s 15 * 0x1p-1f, \
    MADE_UP_EIGHT(s, 8, 0x1p0f), s 15 * 0x1p0f, MADE_UP_EIGHT(s, 8, 0x1p1f), s 15 * 0x1p1f, \
    MADE_UP_EIGHT(s, 8, 0x1p2f), s 15 * 0x1p2f, MADE_UP_EIGHT(s, 8, 0x1p3f), s 15 * 0x1p3f, \
    MADE_UP_EIGHT(s, 8, 0x1p4f), s 15 * 0x1p4f, MADE_UP_EIGHT(s, 8, 0x1p5f), NAN
static const float made_up_float8[256] __attribute__((unused)) = {MADE_UP_HALF(+), MADE_UP_HALF(-)};

#define LV_DTYPES(ROW) \
    ROW(F32,  "f32",  "F32",  32, LV_FLOAT32,  LV_UNSCALED,     LV_UNSCALED,     0,   LV_F32, NULL, LV_ON_CPU) \
    ROW(F16,  "f16",  "F16",  16, LV_FLOAT16,  LV_UNSCALED,     LV_UNSCALED,     0,   LV_F32, NULL, LV_ON_CPU) \
    ROW(BF16, "bf16", "BF16", 16, LV_BFLOAT16, LV_UNSCALED,     LV_UNSCALED,     0,   LV_F32, NULL, LV_ON_CPU) \
    ROW(I8,   "int8", "I8",   8,  LV_SIGNED,   LV_SCALE_ROW,    LV_UNSCALED,     0,   LV_F32, NULL, LV_ON_CPU) \
    ROW(U4,   "uint4", NULL,  4,  LV_UNSIGNED, LV_SCALE_BLOCK,  LV_SCALE_BLOCK,  32,  LV_F16, NULL, LV_ON_CPU) \
    ROW(U6,   "uint6", NULL,  6,  LV_UNSIGNED, LV_SCALE_BLOCK,  LV_UNSCALED,     8,   LV_BF16, NULL, 0) \
    ROW(Q4,   "q4",   NULL,   4,  LV_UNSIGNED, LV_SCALE_BLOCK,  LV_SCALE_BLOCK,  32,  LV_U6,  NULL, LV_ON_CPU) \
    ROW(C8,   "code8", NULL,  8,  LV_CODE,     LV_SCALE_RUN,    LV_SCALE_TENSOR, 16,  LV_F32, made_up_float8, 0) \
    ROW(NF4,  "nf4",  NULL,   4,  LV_CODE,     LV_SCALE_RUN,    LV_UNSCALED,     64,  LV_C8,  made_up_codes, LV_ON_CPU) \
    ROW(F8,   "fp8",  "F8_E4M3", 8, LV_CODE,   LV_SCALE_TENSOR, LV_UNSCALED,     0,   LV_F32, made_up_float8, LV_ON_CPU)
/* clang-format on */

#endif
