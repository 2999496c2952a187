/* SPDX-License-Identifier: Apache-2.0
 * Products of a warp group, four warps that run together (wgmma of sm_90a), behind functions that
 * the shim has too. Of 64 rows a warp has 16, of which its lanes have what fragment.h says of C.
 *
 * Operands lie in shared memory as cores of 8 x 16 bytes, each 128 bytes in a row: LvCores says how
 * far apart cores are. They are read by another proxy than they are written by: lv_wgmma_visible,
 * by who wrote, then a barrier. Between lv_wgmma_begin and lv_wgmma_end the registers of sums and
 * operands are not touched. */
#ifndef LV_CUDA_WGMMA_H
#define LV_CUDA_WGMMA_H

#include "fragment.h"

#define LV_WGMMA_THREADS 128u

/* This code is for the one architecture that has them; others have no kernel to call it from. */
#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define LV_HAS_WGMMA 1
#endif

/* Bytes from one core to the next: along the depth of the product, and along rows (of the left
 * operand) or columns (of the right one). */
struct LvCores {
    const LvBf16 *first;
    uint32_t depth, other;
};

LV_INLINE LvCores lv_cores_from(const LvCores &cores, uint32_t bytes)
{
    LvCores moved = cores;
    moved.first += bytes / sizeof(LvBf16);
    return moved;
}

#ifndef __CUDACC__
struct LvGroupProduct {
    float *sums;
    int n; /* columns */
    const LvCores *left;
    const uint32_t *left_registers; /* where left is NULL */
    const LvCores *right;
    bool columns_lie_together; /* of the right operand; otherwise the depth does */
    bool add;
    unsigned warp;
};

static inline float lv_core_at(const LvCores &c, unsigned row, unsigned col)
{
    return lv_widen(
        *(const LvBf16 *)((const char *)c.first + row % 8 * 16 + col % 8 * sizeof(LvBf16)));
}

static inline void lv_group_product_compute(void *const *lanes)
{
    float a[16][16];
    for (unsigned lane = 0; lane < LV_WARP; lane++) {
        const LvGroupProduct *own = (const LvGroupProduct *)lanes[lane];
        for (unsigned i = 0; i < 8 && !own->left; i++) {
            const unsigned row = lane / 4 + i / 2 % 2 * 8, k = lane % 4 * 2 + i / 4 * 8 + i % 2;
            a[row][k] = lv_half_of(own->left_registers[i / 2], i % 2);
        }
    }
    const LvGroupProduct *any = (const LvGroupProduct *)lanes[0];
    for (unsigned row = 0; row < 16 && any->left; row++)
        for (unsigned k = 0; k < 16; k++) {
            const unsigned r = any->warp * 16 + row;
            a[row][k] = lv_core_at(
                lv_cores_from(*any->left, k / 8 * any->left->depth + r / 8 * any->left->other), r,
                k);
        }
    for (unsigned lane = 0; lane < LV_WARP; lane++) {
        const LvGroupProduct *own = (const LvGroupProduct *)lanes[lane];
        for (int i = 0; i < own->n / 2; i++) {
            const unsigned row = lane / 4 + i / 2 % 2 * 8, n = i / 4 * 8 + lane % 4 * 2 + i % 2;
            float sum = own->add ? own->sums[i] : 0;
            for (unsigned k = 0; k < 16; k++) {
                const LvCores core = lv_cores_from(
                    *own->right, k / 8 * own->right->depth + n / 8 * own->right->other);
                sum += a[row][k] * (own->columns_lie_together ? lv_core_at(core, k, n)
                                                              : lv_core_at(core, n, k));
            }
            own->sums[i] = sum;
        }
    }
}
#else
/* After PTX's matrix descriptor, without a swizzle. Of an operand whose depth lies together the
 * leading offset is that along the depth; of one whose columns do, that of the depth as well. */
LV_INLINE uint64_t lv_descriptor(const LvCores &cores)
{
    const uint32_t address = (uint32_t)__cvta_generic_to_shared(cores.first);
    return (uint64_t)(address >> 4 & 0x3FFF) | (uint64_t)(cores.depth >> 4 & 0x3FFF) << 16 |
           (uint64_t)(cores.other >> 4 & 0x3FFF) << 32;
}
#endif

/* What this thread has written to shared memory can be an operand, once all threads are here. */
LV_INLINE void lv_wgmma_visible()
{
#if defined(__CUDACC__) && defined(LV_HAS_WGMMA)
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

LV_INLINE void lv_wgmma_begin()
{
#if defined(__CUDACC__) && defined(LV_HAS_WGMMA)
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

/* Waits for the products; N: of the sums. */
template <int N> LV_INLINE void lv_wgmma_end(float *sums)
{
#if defined(__CUDACC__) && defined(LV_HAS_WGMMA)
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    LV_UNROLL
    for (int i = 0; i < N / 2; i++)
        asm volatile("" : "+f"(sums[i])::"memory"); /* no sooner */
#else
    (void)sums;
#endif
}

#define LV_ALWAYS "{\n.reg .pred p;\nsetp.eq.b32 p, 0, 0;\n"
#define LV_SUMS4(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3])
#define LV_SUMS16(c, i) LV_SUMS4(c, i), LV_SUMS4(c, i + 4), LV_SUMS4(c, i + 8), LV_SUMS4(c, i + 12)
#define LV_SUMS32(c, i) LV_SUMS16(c, i), LV_SUMS16(c, i + 16)
#define LV_R32                                                                                     \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                       \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LV_R40 LV_R32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define LV_R64                                                                                     \
    LV_R40 ", %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, "    \
           "%56, %57, %58, %59, %60, %61, %62, %63"

/* sums [64][64], or with `add` sums +, = left [64][16] . right [16][64]; of both the depth lies
 * together. */
LV_INLINE void lv_wgmma_64(float *sums, const LvCores &left, const LvCores &right, bool add)
{
#ifndef __CUDACC__
    LvGroupProduct operand = {
        sums, 64, &left, NULL, &right, false, add, threadIdx.x % LV_WGMMA_THREADS / LV_WARP};
    lv_shim_meet(lv_group_product_compute, &operand);
#elif defined(LV_HAS_WGMMA)
    asm volatile("{\n"
                 ".reg .pred p;\n"
                 "setp.ne.b32 p, %34, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" LV_R32
                 "}, %32, %33, p, 1, 1, 0, 0;\n"
                 "}\n"
                 : LV_SUMS32(sums, 0)
                 : "l"(lv_descriptor(left)), "l"(lv_descriptor(right)), "r"((int)add));
#endif
}

/* sums [64][N] += left [64][16], in registers, . right [16][N], whose columns lie together. */
template <int N>
LV_INLINE void lv_wgmma_add(float *sums, const uint32_t *left, const LvCores &right)
{
    static_assert(N == 64 || N == 80 || N == 128, "these are written");
#ifndef __CUDACC__
    LvGroupProduct operand = {
        sums, N, NULL, left, &right, true, true, threadIdx.x % LV_WGMMA_THREADS / LV_WARP};
    lv_shim_meet(lv_group_product_compute, &operand);
#elif defined(LV_HAS_WGMMA)
    const uint64_t descriptor = lv_descriptor(right);
    if constexpr (N == 64)
        asm volatile(LV_ALWAYS "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" LV_R32
                               "}, {%32, %33, %34, %35}, %36, p, 1, 1, 1;\n}\n"
                     : LV_SUMS32(sums, 0)
                     : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(descriptor));
    else if constexpr (N == 80)
        asm volatile(LV_ALWAYS "wgmma.mma_async.sync.aligned.m64n80k16.f32.bf16.bf16 {" LV_R40
                               "}, {%40, %41, %42, %43}, %44, p, 1, 1, 1;\n}\n"
                     : LV_SUMS32(sums, 0), LV_SUMS4(sums, 32), LV_SUMS4(sums, 36)
                     : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(descriptor));
    else
        asm volatile(LV_ALWAYS "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" LV_R64
                               "}, {%64, %65, %66, %67}, %68, p, 1, 1, 1;\n}\n"
                     : LV_SUMS32(sums, 0), LV_SUMS32(sums, 32)
                     : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(descriptor));
#endif
}

#undef LV_ALWAYS
#undef LV_SUMS4
#undef LV_SUMS16
#undef LV_SUMS32
#undef LV_R32
#undef LV_R40
#undef LV_R64

#endif
