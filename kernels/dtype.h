/* SPDX-License-Identifier: Apache-2.0
 * The types that numbers are stored in: one row a type, and what follows from it. Nothing else in
 * the tree chooses by a type's size.
 *
 * A new type is a row here and its kernels: for the CPU its loads in cpu/dtypes.h and its element
 * in cpu/reference.c, for CUDA what kernels/cuda has of it; `users` says which of the two there
 * are. C and C++. */
#ifndef LV_DTYPE_H
#define LV_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What has one scale in common. Scales stand in the order of what they belong to, rows one
 * after the other. */
typedef enum LvScaling {
    LV_UNSCALED,
    LV_SCALE_ROW,  /* a row of a matrix */
    LV_SCALE_BLOCK /* `block` elements of a row that follow each other; the last may be short */
} LvScaling;

/* Who takes weights of a type. */
enum { LV_ON_CPU = 1, LV_ON_CUDA = 2 };

/* clang-format off */
#define LV_DTYPES(ROW) \
    /*  LV_   name    stored  bits  scales, block, their type  users */ \
    ROW(F32,  "f32",  "F32",  32,   LV_UNSCALED, 0, LV_F32,    LV_ON_CPU | LV_ON_CUDA) \
    ROW(F16,  "f16",  "F16",  16,   LV_UNSCALED, 0, LV_F32,    LV_ON_CPU | LV_ON_CUDA) \
    ROW(BF16, "bf16", "BF16", 16,   LV_UNSCALED, 0, LV_F32,    LV_ON_CPU | LV_ON_CUDA)
/* clang-format on */

#define LV_DTYPE_NUMBER(id, ...) LV_##id,
typedef enum LvDtype { LV_DTYPES(LV_DTYPE_NUMBER) } LvDtype;
#undef LV_DTYPE_NUMBER
#define LV_DTYPE_COUNT(...) +1
enum { LV_N_DTYPES = LV_DTYPES(LV_DTYPE_COUNT) };
#undef LV_DTYPE_COUNT

typedef struct LvDtypeTraits {
    const char *name;        /* in messages, and the precision's */
    const char *stored_name; /* in safetensors; NULL: no file has it */
    uint8_t bits;            /* of one element */
    LvScaling scaling;
    uint16_t block;      /* LV_SCALE_BLOCK */
    LvDtype scale_dtype; /* F32 or F16; not read of a type without scales */
    uint8_t users;
} LvDtypeTraits;

static inline const LvDtypeTraits *lv_dtype_traits(LvDtype dtype)
{
#define LV_DTYPE_ROW(id, name, stored, bits, scaling, block, scale_dtype, users)                   \
    {name, stored, bits, scaling, block, scale_dtype, users},
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

/* Scales of a row of cols elements, and the bytes that they take. */
static inline size_t lv_traits_scales(const LvDtypeTraits *traits, size_t cols)
{
    return traits->scaling == LV_SCALE_BLOCK ? (cols + traits->block - 1) / traits->block
                                             : traits->scaling == LV_SCALE_ROW;
}

static inline size_t lv_traits_scale_span(const LvDtypeTraits *traits, size_t cols)
{
    return lv_traits_scales(traits, cols) * (lv_dtype_traits(traits->scale_dtype)->bits / 8);
}

#endif
