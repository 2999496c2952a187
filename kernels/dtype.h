/* SPDX-License-Identifier: Apache-2.0
 * The types that numbers are stored in: one row a type, and what follows from it. Nothing else in
 * the tree chooses by a type's size.
 *
 * The value of an element is what its bits say, times its scale, plus its minimum, where the type
 * has these. Scales and minimums are matrices of their own, of a type that may have scales again.
 *
 * A new type is a row here: the reference and every kernel set of the CPU then read it, element by
 * element. What is to be fast gets its loads in cpu/dtypes.h; CUDA takes what its kernels have, as
 * `users` says. C and C++. */
#ifndef LV_DTYPE_H
#define LV_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "codes.h"

/* What an element's bits say. Elements of less than a byte fill it from its lowest bit on, unless
 * said otherwise. */
typedef enum LvCoding {
    LV_FLOAT32,
    LV_FLOAT16,
    LV_BFLOAT16,
    LV_SIGNED,    /* a whole number, two's complement */
    LV_UNSIGNED,  /* a whole number */
    LV_CODE,      /* the place of its value in the type's code book */
    LV_CODE_HIGH, /* the same; elements fill a byte from its highest bit on */
    LV_FLOAT8     /* e4m3.h; needs a scale, and so is none of the floats above */
} LvCoding;

/* What has one scale, or one minimum, in common, and the shape that these have as a matrix. */
typedef enum LvScaling {
    LV_UNSCALED,
    LV_SCALE_TENSOR, /* the whole matrix; 1 x 1 */
    LV_SCALE_ROW,    /* a row; rows x 1 */
    LV_SCALE_BLOCK,  /* `block` elements of a row that follow each other, of which the last may be
                        fewer; rows x blocks */
    LV_SCALE_RUN     /* `block` elements that follow each other, on from row to row; 1 x blocks */
} LvScaling;

/* Who takes weights of a type. */
enum { LV_ON_CPU = 1, LV_ON_CUDA = 2 };

/* A test has a table of its own (tests/kernels/made_up.h). */
#ifndef LV_DTYPES
/* clang-format off */
#define LV_DTYPES(ROW) \
    /*  LV_   name    stored  bits, coding        scales       minimums     block, of type  codes  users */ \
    ROW(F32,  "f32",  "F32",  32,   LV_FLOAT32,   LV_UNSCALED, LV_UNSCALED, 0, LV_F32,      NULL,  LV_ON_CPU | LV_ON_CUDA) \
    ROW(F16,  "f16",  "F16",  16,   LV_FLOAT16,   LV_UNSCALED, LV_UNSCALED, 0, LV_F32,      NULL,  LV_ON_CPU | LV_ON_CUDA) \
    ROW(BF16, "bf16", "BF16", 16,   LV_BFLOAT16,  LV_UNSCALED, LV_UNSCALED, 0, LV_F32,      NULL,  LV_ON_CPU | LV_ON_CUDA) \
    ROW(NF4,  "nf4",  NULL,   4,    LV_CODE_HIGH, LV_SCALE_RUN, LV_UNSCALED, 64, LV_F32, lv_nf4_codes, LV_ON_CPU) \
    ROW(FP4,  "fp4",  NULL,   4,    LV_CODE_HIGH, LV_SCALE_RUN, LV_UNSCALED, 64, LV_F32, lv_fp4_codes, LV_ON_CPU) \
    ROW(INT8, "int8", NULL,   8,    LV_SIGNED,    LV_SCALE_ROW, LV_UNSCALED, 0,  LV_F32, NULL,         LV_ON_CPU) \
    ROW(INT4, "int4", NULL,   4,    LV_SIGNED,    LV_SCALE_BLOCK, LV_UNSCALED, 32, LV_F16, NULL,       LV_ON_CPU) \
    ROW(E4M3, "e4m3", NULL,   8,    LV_FLOAT8,    LV_SCALE_ROW, LV_UNSCALED, 0,  LV_F32, NULL,         0)
/* clang-format on */
#endif

#define LV_DTYPE_NUMBER(id, ...) LV_##id,
typedef enum LvDtype { LV_DTYPES(LV_DTYPE_NUMBER) } LvDtype;
#undef LV_DTYPE_NUMBER
#define LV_DTYPE_COUNT(...) +1
enum { LV_N_DTYPES = LV_DTYPES(LV_DTYPE_COUNT) };
#undef LV_DTYPE_COUNT

typedef struct LvDtypeTraits {
    const char *name;        /* in messages, and the precision's */
    const char *stored_name; /* in safetensors; NULL: no file has it */
    uint8_t bits;            /* of one element; at most 8 for whole numbers and codes */
    LvCoding coding;
    LvScaling scaling, minimums;
    uint16_t block;      /* LV_SCALE_BLOCK, LV_SCALE_RUN */
    LvDtype scale_dtype; /* of scales and minimums; not read of a type without */
    const float *codes;  /* of codes: 2^bits values */
    uint8_t users;       /* 0: a type of scales, or one that weights become here */
} LvDtypeTraits;

static inline const LvDtypeTraits *lv_dtype_traits(LvDtype dtype)
{
#define LV_DTYPE_ROW(id, ...) {__VA_ARGS__},
    static const LvDtypeTraits rows[] = {LV_DTYPES(LV_DTYPE_ROW)};
#undef LV_DTYPE_ROW
    return &rows[dtype];
}

static inline const char *lv_dtype_name(LvDtype dtype)
{
    return lv_dtype_traits(dtype)->name;
}

/* The type with this name in a file; false: there is none. */
static inline bool lv_dtype_stored_as(const char *name, LvDtype *dtype)
{
    for (int i = 0; i < LV_N_DTYPES; i++) {
        const char *stored = lv_dtype_traits((LvDtype)i)->stored_name;
        if (stored && strcmp(stored, name) == 0) {
            *dtype = (LvDtype)i;
            return true;
        }
    }
    return false;
}

/* Bytes that n elements take that follow each other. A row of a matrix begins at a whole byte. */
static inline size_t lv_traits_span(const LvDtypeTraits *traits, size_t n)
{
    return traits->bits % 8 == 0 ? n * (traits->bits / 8)
                                 : n / 8 * traits->bits + (n % 8 * traits->bits + 7) / 8;
}

static inline size_t lv_dtype_span(LvDtype dtype, size_t n)
{
    return lv_traits_span(lv_dtype_traits(dtype), n);
}

/* Bytes of one element by itself: for activations, whose types have whole bytes. */
static inline size_t lv_dtype_bytes(LvDtype dtype)
{
    return ((size_t)lv_dtype_traits(dtype)->bits + 7) / 8;
}

/* Elements that so many bytes hold. */
static inline uint64_t lv_dtype_count(LvDtype dtype, uint64_t bytes)
{
    const uint64_t bits = lv_dtype_traits(dtype)->bits;
    return bytes / bits * 8 + bytes % bits * 8 / bits;
}

/* The number is one that a float type holds: the bits are its own value. */
static inline bool lv_traits_float(const LvDtypeTraits *traits)
{
    return traits->coding <= LV_BFLOAT16;
}

/* A place in a matrix, or its size. */
typedef struct LvExtent {
    size_t row, col;
} LvExtent;

/* Rows and columns that the scales (or the minimums) of a matrix have. */
static inline LvExtent lv_scales_extent(LvScaling scaling, size_t block, size_t rows, size_t cols)
{
    LvExtent extent = {0, 0};
    if (scaling == LV_SCALE_TENSOR)
        extent.row = extent.col = 1;
    else if (scaling == LV_SCALE_ROW)
        extent.row = rows, extent.col = 1;
    else if (scaling == LV_SCALE_BLOCK)
        extent.row = rows, extent.col = (cols + block - 1) / block;
    else if (scaling == LV_SCALE_RUN)
        extent.row = 1, extent.col = (rows * cols + block - 1) / block;
    return extent;
}

/* Where the scale (the minimum) of element k of a row stands among them. */
static inline LvExtent lv_scale_place(
    LvScaling scaling, size_t block, size_t cols, size_t row, size_t k)
{
    LvExtent place = {0, 0};
    if (scaling == LV_SCALE_ROW || scaling == LV_SCALE_BLOCK)
        place.row = row;
    if (scaling == LV_SCALE_BLOCK)
        place.col = k / block;
    else if (scaling == LV_SCALE_RUN)
        place.col = (row * cols + k) / block;
    return place;
}

#endif
