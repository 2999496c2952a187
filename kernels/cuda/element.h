/* SPDX-License-Identifier: Apache-2.0
 * Elements: float, LvHalf and LvBf16 in memory, alone or as many as are read and written at once;
 * float in registers. */
#ifndef LV_CUDA_ELEMENT_H
#define LV_CUDA_ELEMENT_H

#include "device.h"

struct LvHalf {
    uint16_t bits;
};

struct LvBf16 {
    uint16_t bits;
};

LV_INLINE uint32_t lv_float_bits(float x)
{
#ifdef __CUDACC__
    return __float_as_uint(x);
#else
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
#endif
}

LV_INLINE float lv_bits_float(uint32_t bits)
{
#ifdef __CUDACC__
    return __uint_as_float(bits);
#else
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
#endif
}

LV_INLINE float lv_widen(float x)
{
    return x;
}

LV_INLINE float lv_widen(LvBf16 x)
{
    return lv_bits_float((uint32_t)x.bits << 16);
}

LV_INLINE float lv_widen(LvHalf x)
{
#ifdef __CUDACC__
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
    return value;
#else
    uint32_t sign = (uint32_t)(x.bits & 0x8000) << 16, exponent = x.bits >> 10 & 31;
    uint32_t fraction = x.bits & 1023;
    if (exponent == 31)
        return lv_bits_float(sign | 0x7F800000u | fraction << 13);
    if (exponent)
        return lv_bits_float(sign | (exponent + 112) << 23 | fraction << 13);
    float value = (float)fraction * 0x1p-24f;
    return sign ? -value : value;
#endif
}

template <typename T> LV_INLINE T lv_narrow(float x);

template <> LV_SPECIAL float lv_narrow<float>(float x)
{
    return x;
}

template <> LV_SPECIAL LvBf16 lv_narrow<LvBf16>(float x)
{
    LvBf16 y;
#ifdef __CUDACC__
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    uint32_t bits = lv_float_bits(x);
    bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    y.bits = nan ? 0x7FFF : (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
#endif
    return y;
}

template <> LV_SPECIAL LvHalf lv_narrow<LvHalf>(float x)
{
    LvHalf y;
#ifdef __CUDACC__
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    uint32_t bits = lv_float_bits(x), sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u) {
        y.bits = 0x7FFF;
    } else if (size < 0x38800000u) { /* denormal: multiples of 2^-24, ties to even */
        y.bits = (uint16_t)(sign | (uint32_t)lrintf(lv_bits_float(size) * 0x1p24f));
    } else {
        uint32_t rounded = size + 0xFFF + (size >> 13 & 1);
        y.bits =
            (uint16_t)(sign | (rounded >= 0x47800000u ? 0x7C00 : (rounded - 0x38000000u) >> 13));
    }
#endif
    return y;
}

/* Two bf16 in one register, the first in the low half. */
LV_INLINE uint32_t lv_pack_bf16(float first, float second)
{
#ifdef __CUDACC__
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
#else
    return (uint32_t)lv_narrow<LvBf16>(second).bits << 16 | lv_narrow<LvBf16>(first).bits;
#endif
}

/* N elements that are read and written at once: sizeof is at most 16. */
template <typename T, int N> struct alignas(sizeof(T) * N) LvVector {
    T at[N];
};

template <int N, typename T> LV_INLINE void lv_load(float *values, const T *from)
{
    LvVector<T, N> v = *(const LvVector<T, N> *)from;
    LV_UNROLL
    for (int i = 0; i < N; i++)
        values[i] = lv_widen(v.at[i]);
}

/* 16 bytes as they lie in memory. */
struct alignas(16) LvPiece {
    uint32_t word[4];
};

/* Words of 32 bits, the first in front, with one store to global memory: by itself the compiler
 * takes a vector of 16-bit elements apart. WORDS is 2 or 4. */
template <int WORDS> LV_INLINE void lv_put_words(void *to, const uint32_t *word)
{
#ifdef __CUDACC__
    if constexpr (WORDS == 4)
        asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(word[0]),
                     "r"(word[1]), "r"(word[2]), "r"(word[3])
                     : "memory");
    else
        asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(to), "r"(word[0]), "r"(word[1])
                     : "memory");
#else
    memcpy(to, word, WORDS * sizeof *word);
#endif
}

LV_INLINE uint32_t lv_word_of(const float *pair)
{
    return lv_float_bits(*pair);
}

template <typename T> LV_INLINE uint32_t lv_word_of(const T *pair)
{
    return (uint32_t)pair[1].bits << 16 | pair[0].bits;
}

/* N elements to aligned global memory. */
template <int N, typename T> LV_INLINE void lv_put(T *to, const T *values)
{
    constexpr int words = (int)sizeof(T) * N / 4, each = 4 / (int)sizeof(T);
    if constexpr (words == 2 || words == 4) {
        uint32_t word[words];
        LV_UNROLL
        for (int i = 0; i < words; i++)
            word[i] = lv_word_of(values + i * each);
        lv_put_words<words>(to, word);
    } else {
        LV_UNROLL
        for (int i = 0; i < N; i++)
            to[i] = values[i];
    }
}

/* The same, rounded. */
template <int N, typename T> LV_INLINE void lv_store(T *to, const float *values)
{
    T narrow[N];
    LV_UNROLL
    for (int i = 0; i < N; i++)
        narrow[i] = lv_narrow<T>(values[i]);
    lv_put<N>(to, narrow);
}

/* Loads 16 aligned bytes of data that no kernel writes and that is not read again soon (weights);
 * the load is issued here, even before lv_wait_previous. */
LV_INLINE LvPiece lv_load_constant(const void *from)
{
    LvPiece piece;
#ifdef __CUDACC__
    asm volatile(
        "ld.global.L1::no_allocate.L2::128B.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(piece.word[0]), "=r"(piece.word[1]), "=r"(piece.word[2]), "=r"(piece.word[3])
        : "l"(from)
        : "memory");
#else
    memcpy(&piece, from, sizeof piece);
#endif
    return piece;
}

/* What is no kernel's work and has stood since before the stream's last launch without overlap, a
 * step's positions say: read past the first cache, so that it can be read before lv_wait_previous.
 * sizeof(T): 4, or a multiple of 8 bytes that are aligned. */
template <typename T> LV_INLINE T lv_load_fresh(const T *from)
{
    T value;
#ifdef __CUDACC__
    if (sizeof(T) == 4) {
        asm volatile("ld.global.cg.u32 %0, [%1];"
                     : "=r"(*(uint32_t *)&value)
                     : "l"(from)
                     : "memory");
    } else {
        LV_UNROLL
        for (int i = 0; i < (int)(sizeof(T) / 8); i++)
            asm volatile("ld.global.cg.u64 %0, [%1];"
                         : "=l"(((unsigned long long *)&value)[i])
                         : "l"((const unsigned long long *)from + i)
                         : "memory");
    }
#else
    memcpy(&value, from, sizeof value);
#endif
    return value;
}

/* Prefetches the cache line of an address. */
LV_INLINE void lv_prefetch(const void *from)
{
#ifdef __CUDACC__
    asm volatile("prefetch.global.L2 [%0];" ::"l"(from));
#else
    (void)from;
#endif
}

/* Element i of a piece; i is known when compiling. */
template <typename T> LV_INLINE float lv_piece_at(const LvPiece &piece, int i);

template <> LV_SPECIAL float lv_piece_at<float>(const LvPiece &piece, int i)
{
    return lv_bits_float(piece.word[i]);
}

template <> LV_SPECIAL float lv_piece_at<LvBf16>(const LvPiece &piece, int i)
{
    const uint32_t pair = piece.word[i / 2];
    return lv_bits_float(i % 2 ? pair & 0xFFFF0000u : pair << 16);
}

/* Rows of a matrix can be read N elements at a time. */
static inline bool lv_rows_aligned(const void *data, size_t stride, size_t element_bytes, int n)
{
    return (uintptr_t)data % (element_bytes * (unsigned)n) == 0 && stride % (unsigned)n == 0;
}

#endif
