/* SPDX-License-Identifier: Apache-2.0
 * Tensor-core fragments behind functions that the shim has too: 8 x 8 tiles from shared memory,
 * products of 16 x 16 by 16 x 8 bf16 into float32, and copies to shared memory that run beside the
 * arithmetic. Every lane of a warp takes part.
 *
 * With g = lane / 4 and t = lane % 4, after PTX's mma.m16n8k16:
 *     A [16][16]: a[0] = (g, 2t..), a[1] = (g + 8, 2t..),
 *                 a[2] = (g, 2t + 8..), a[3] = (g + 8, 2t + 8..)
 *     B [16][8]:  b[0] = (2t.., g), b[1] = (2t + 8.., g)        two elements down a column
 *     C [16][8]:  c[0], c[1] = (g, 2t..), c[2], c[3] = (g + 8, 2t..) */
#ifndef LV_CUDA_FRAGMENT_H
#define LV_CUDA_FRAGMENT_H

#include "element.h"

#ifndef __CUDACC__
struct LvMatrixTiles {
    const LvBf16 *row;
    uint32_t *to;
    bool transposed;
};

static inline void lv_tiles_compute(void *const *lanes)
{
    for (unsigned lane = 0; lane < LV_WARP; lane++) {
        const LvMatrixTiles *own = (const LvMatrixTiles *)lanes[lane];
        for (unsigned tile = 0; own && tile < 4; tile++) {
            uint16_t pair[2];
            for (unsigned i = 0; i < 2; i++) {
                unsigned row = own->transposed ? lane % 4 * 2 + i : lane / 4;
                unsigned col = own->transposed ? lane / 4 : lane % 4 * 2 + i;
                pair[i] = ((const LvMatrixTiles *)lanes[tile * 8 + row])->row[col].bits;
            }
            own->to[tile] = (uint32_t)pair[1] << 16 | pair[0];
        }
    }
}

struct LvProduct {
    const uint32_t *a, *b;
    float *c;
};

static inline float lv_half_of(uint32_t pair, unsigned i)
{
    return lv_bits_float(i ? pair & 0xFFFF0000u : pair << 16);
}

static inline void lv_product_compute(void *const *lanes)
{
    float a[16][16], b[16][8];
    for (unsigned lane = 0; lane < LV_WARP; lane++) {
        const LvProduct *own = (const LvProduct *)lanes[lane];
        unsigned g = lane / 4, t = lane % 4;
        for (unsigned i = 0; i < 2; i++) {
            for (unsigned k = 0; k < 4; k++)
                a[g + k % 2 * 8][2 * t + k / 2 * 8 + i] = lv_half_of(own->a[k], i);
            for (unsigned k = 0; k < 2; k++)
                b[2 * t + k * 8 + i][g] = lv_half_of(own->b[k], i);
        }
    }
    for (unsigned lane = 0; lane < LV_WARP; lane++) {
        const LvProduct *own = (const LvProduct *)lanes[lane];
        unsigned g = lane / 4, t = lane % 4;
        for (unsigned i = 0; i < 4; i++)
            for (unsigned k = 0; k < 16; k++)
                own->c[i] += a[g + i / 2 * 8][k] * b[k][2 * t + i % 2];
    }
}
#endif

/* Four 8 x 8 tiles: lane l gives the 16-byte aligned address of row l % 8 of tile l / 8 and gets
 * of each tile the elements (g, 2t) and (g, 2t + 1). */
LV_INLINE void lv_load_tiles(uint32_t *to, const LvBf16 *row)
{
#ifdef __CUDACC__
    uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
#else
    LvMatrixTiles operand = {row, to, false};
    lv_shim_meet(lv_tiles_compute, &operand);
#endif
}

/* The same of each tile's transpose: the elements (2t, g) and (2t + 1, g). */
LV_INLINE void lv_load_tiles_transposed(uint32_t *to, const LvBf16 *row)
{
#ifdef __CUDACC__
    uint32_t address = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
#else
    LvMatrixTiles operand = {row, to, true};
    lv_shim_meet(lv_tiles_compute, &operand);
#endif
}

/* Eight elements, two in each of to[4], from 16-byte aligned device memory; zeros where not
 * `inside` (then `from` is not read). */
LV_INLINE void lv_load_pairs(uint32_t *to, const LvBf16 *from, bool inside)
{
#ifdef __CUDACC__
    uint4 v = inside ? *(const uint4 *)from : make_uint4(0, 0, 0, 0);
    to[0] = v.x;
    to[1] = v.y;
    to[2] = v.z;
    to[3] = v.w;
#else
    memset(to, 0, 16);
    if (inside)
        memcpy(to, from, 16);
#endif
}

/* c += a . b */
LV_INLINE void lv_multiply_add(float *c, const uint32_t *a, const uint32_t *b)
{
#ifdef __CUDACC__
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    LvProduct operand = {a, b, c};
    lv_shim_meet(lv_product_compute, &operand);
#endif
}

/* c += a . b of half the depth: a[2] and b[1] are the parts of columns and rows 0 to 7. */
LV_INLINE void lv_multiply_add_half(float *c, const uint32_t *a, const uint32_t *b)
{
#ifdef __CUDACC__
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
                 "{%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#else
    const uint32_t whole_a[4] = {a[0], a[1], 0, 0}, whole_b[2] = {b[0], 0};
    LvProduct operand = {whole_a, whole_b, c};
    lv_shim_meet(lv_product_compute, &operand);
#endif
}

/* 16 bytes of device memory to shared memory, both 16-byte aligned; zeros where not `inside` (then
 * `from` is not read). They are there after lv_copy_wait and a barrier. */
LV_INLINE void lv_copy_async(void *to, const void *from, bool inside)
{
#ifdef __CUDACC__
    uint32_t address = (uint32_t)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from),
                 "r"(inside ? 16 : 0)
                 : "memory");
#else
    lv_shim_copy(to, from, 16, inside ? 16 : 0);
#endif
}

LV_INLINE void lv_copy_commit()
{
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    lv_shim_copy_commit();
#endif
}

/* Waits for all but the newest GROUPS committed groups of this thread. */
template <int GROUPS> LV_INLINE void lv_copy_wait()
{
#ifdef __CUDACC__
    asm volatile("cp.async.wait_group %0;" ::"n"(GROUPS) : "memory");
#else
    lv_shim_copy_wait(GROUPS);
#endif
}

#endif
