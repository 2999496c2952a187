/* SPDX-License-Identifier: Apache-2.0
 * The dialect of the kernels, which nvcc and the shim both compile. A kernel is a template function
 * that takes one structure by value; all its shared memory is dynamic. Blocks are one-dimensional
 * and a multiple of 32 threads.
 *
 * Values: float, LvHalf and LvBf16 in memory, float in registers. */
#ifndef LV_CUDA_DEVICE_H
#define LV_CUDA_DEVICE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "launch.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
/* Every kernel declares its number of threads per block, with the constant that its launch uses, so
 * that the compiler stays within their registers. */
#define LV_KERNEL(threads) __global__ __launch_bounds__(threads) void
/* As many as one block alone can have, where the compiler would spill some for more blocks. */
#define LV_KERNEL_MANY_REGISTERS(threads) __global__ __launch_bounds__(threads, 1) void
#define LV_INLINE static __device__ __forceinline__
#define LV_NOINLINE __device__ __noinline__
#define LV_SPECIAL __device__ __forceinline__ /* specialisations take no storage class */
#define LV_UNROLL _Pragma("unroll")
#define LV_UNROLL_4 _Pragma("unroll 4") /* a loop of unknown length */
#else
#include <string.h>
#include "shim/shim.h"
#define LV_KERNEL(threads) static void
#define LV_KERNEL_MANY_REGISTERS(threads) static void
#define LV_INLINE static inline
#define LV_NOINLINE __attribute__((noinline, unused))
#define LV_SPECIAL inline
#define LV_UNROLL
#define LV_UNROLL_4
#define threadIdx (lv_shim_self()->thread)
#define blockIdx (lv_shim_self()->block)
#define blockDim (lv_shim_self()->block_size)
#define gridDim (lv_shim_self()->grid_size)
#define __syncthreads lv_shim_barrier
#endif

#define LV_WARP 32u

/* Shared memory that a block can have on every GPU from compute capability 8.0 on; where a kernel
 * asks for more than the GPU has, its launch is a bad argument. */
#define LV_SHARED_OF_ALL (99u << 10)

/* ---- launching ---- */

/* What is set for a kernel once on each device: that it may have all the shared memory that a block
 * can have there, and how an SM's memory is split between that and the first cache. The split is
 * the same for all kernels of a decoding step: an SM changes it only while idle, so a kernel with
 * another split could not begin before the one ahead is done. Kernels that depend on the cache
 * define LV_OWN_SPLIT. */
static inline int lv_tell_device(const void *kernel, int device)
{
#ifdef __CUDACC__
    int most;
    cudaError_t error =
        cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    if (error == cudaSuccess)
        error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
#ifndef LV_OWN_SPLIT
    if (error == cudaSuccess)
        error = cudaFuncSetAttribute(
            kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared);
#endif
    return (int)error;
#else
    return lv_shim_tell(kernel, device);
#endif
}

#define LV_MOST_KERNELS 128u /* of one source file: twice as many as any has */

/* A kernel and the devices that know it, as bits. Kept for the process, as the device keeps it;
 * telling a device twice, as two threads at a time may, changes nothing. */
struct LvTold {
    const void *kernel;
    uint64_t devices;
};

static inline int lv_tell_once(const void *kernel)
{
    static LvTold told[LV_MOST_KERNELS];
    int device = 0;
#ifdef __CUDACC__
    const cudaError_t error = cudaGetDevice(&device);
    if (error != cudaSuccess)
        return (int)error;
#endif
    const size_t first = (size_t)((uintptr_t)kernel >> 4) % LV_MOST_KERNELS;
    for (size_t i = 0; i < LV_MOST_KERNELS && device < 64; i++) {
        LvTold *place = &told[(first + i) % LV_MOST_KERNELS];
        const void *owner = NULL;
        if (!__atomic_compare_exchange_n(
                &place->kernel, &owner, kernel, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) &&
            owner != kernel)
            continue;
        const uint64_t bit = (uint64_t)1 << device;
        if (__atomic_load_n(&place->devices, __ATOMIC_ACQUIRE) & bit)
            return 0;
        const int result = lv_tell_device(kernel, device);
        if (result == 0)
            __atomic_fetch_or(&place->devices, bit, __ATOMIC_RELEASE);
        return result;
    }
    return lv_tell_device(kernel, device);
}

/* Of the current device: its multiprocessors, and the most shared memory that a block can have. */
static inline int lv_device_limits(int *processors, int *shared_bytes)
{
#ifdef __CUDACC__
    int device;
    cudaError_t error = cudaGetDevice(&device);
    if (error == cudaSuccess)
        error = cudaDeviceGetAttribute(processors, cudaDevAttrMultiProcessorCount, device);
    if (error == cudaSuccess)
        error =
            cudaDeviceGetAttribute(shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    return (int)error;
#else
    *processors = 132;
    *shared_bytes = 227 << 10;
    return 0;
#endif
}

template <typename A>
static int lv_launch_as(bool overlapped, void (*kernel)(const A), uint64_t grid_x, uint64_t grid_y,
    uint64_t grid_z, unsigned threads, size_t shared_bytes, LvCudaStream stream, const A &args)
{
    if (grid_x == 0 || grid_y == 0 || grid_z == 0)
        return 0;
    if (grid_x > INT32_MAX || grid_y > 65535 || grid_z > 65535)
        return LV_CUDA_BAD_ARGUMENT;
    int result = lv_tell_once((const void *)kernel);
    if (result)
        return result;
#ifdef __CUDACC__
    if (shared_bytes > 48u << 10) {
        int processors, most;
        result = lv_device_limits(&processors, &most);
        if (result || shared_bytes > (size_t)most)
            return result ? result : LV_CUDA_BAD_ARGUMENT;
    }
    A copy = args;
    void *arguments[] = {&copy};
    cudaLaunchAttribute overlap;
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)grid_x, (unsigned)grid_y, (unsigned)grid_z);
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = shared_bytes;
    config.stream = (cudaStream_t)stream;
    config.attrs = &overlap;
    config.numAttrs = overlapped ? 1 : 0;
    result = (int)cudaLaunchKernelExC(&config, (const void *)kernel, arguments);
    if (result)
        cudaGetLastError(); /* or a later call would report it */
    return result;
#else
    (void)stream;
    struct Call {
        void (*kernel)(const A);
        A args;
        static void run(const void *data)
        {
            const Call *call = (const Call *)data;
            call->kernel(call->args);
        }
    } call = {kernel, args};
    LvShimIndex grid = {(unsigned)grid_x, (unsigned)grid_y, (unsigned)grid_z};
    LvShimIndex block = {threads, 1, 1};
    LvShimLaunch launch = {Call::run, &call, sizeof call, grid, block, shared_bytes, overlapped};
    return lv_shim_submit(&launch);
#endif
}

template <typename A>
static int lv_launch(void (*kernel)(const A), uint64_t grid_x, uint64_t grid_y, uint64_t grid_z,
    unsigned threads, size_t shared_bytes, LvCudaStream stream, const A &args)
{
    return lv_launch_as(false, kernel, grid_x, grid_y, grid_z, threads, shared_bytes, stream, args);
}

/* The kernel may begin before the one ahead of it in the stream is done (launch.h), if args.overlap
 * asks for that. Every thread of such a kernel calls lv_wait_previous, and before that it neither
 * reads what another kernel writes nor writes anything: only what was there before the stream's
 * last launch without overlap, and stays, may be read (weights, norm scales, biases, tables). Since
 * every kernel waits for the one ahead of it, all that come before that one are done as well. */
template <typename A>
static int lv_launch_overlapped(void (*kernel)(const A), uint64_t grid_x, uint64_t grid_y,
    uint64_t grid_z, unsigned threads, size_t shared_bytes, LvCudaStream stream, const A &args)
{
    return lv_launch_as(
        args.overlap != 0, kernel, grid_x, grid_y, grid_z, threads, shared_bytes, stream, args);
}

/* The next kernel in the stream may take up what room there is. Says nothing about what this one
 * has written: the next one waits for its end all the same. */
LV_INLINE void lv_let_next_start()
{
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* Waits until the kernel ahead is done and its writes are visible. */
LV_INLINE void lv_wait_previous()
{
#if !defined(__CUDACC__)
    lv_shim_wait_previous();
#elif __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* Whether lv_wait_previous does wait: code for older devices, which newer ones can run too, does
 * not. */
LV_INLINE bool lv_waits()
{
#if defined(__CUDACC__) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ < 900)
    return false;
#else
    return true;
#endif
}

/* The block's shared memory, 16-byte aligned. */
LV_INLINE void *lv_shared()
{
#ifdef __CUDACC__
    extern __shared__ __align__(128) unsigned char lv_shared_memory[];
    return lv_shared_memory;
#else
    return lv_shim_self()->shared;
#endif
}

LV_INLINE unsigned lv_lane()
{
    return threadIdx.x % LV_WARP;
}

/* threadIdx.x, read anew, so that nothing that follows from it is kept in registers from before. */
LV_INLINE unsigned lv_thread_again()
{
#ifdef __CUDACC__
    unsigned x;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(x));
    return x;
#else
    return threadIdx.x;
#endif
}

/* ---- element types ---- */

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

/* ---- arithmetic ---- */

/* Rounded product and sum, never contracted. */
LV_INLINE float lv_mul(float a, float b)
{
#ifdef __CUDACC__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

LV_INLINE float lv_add(float a, float b)
{
#ifdef __CUDACC__
    return __fadd_rn(a, b);
#else
    return a + b;
#endif
}

/* 2^x to 2 ulp. */
LV_INLINE float lv_exp2(float x)
{
#ifdef __CUDACC__
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

/* 1/x to 1 ulp. */
LV_INLINE float lv_reciprocal(float x)
{
#ifdef __CUDACC__
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return 1 / x;
#endif
}

/* 1 / (1 + e^-x). For results that are rounded to 16 bits the device's own exponential and
 * reciprocal, a few ulp of float32 off, are exact enough. */
template <typename T> LV_INLINE float lv_sigmoid(float x)
{
    if (sizeof(T) == sizeof(float))
        return 1.0f / (1.0f + expf(-x));
    return lv_reciprocal(1.0f + lv_exp2(-1.4426950408889634f * x));
}

/* The functions of released models, known when the kernel is compiled, for results of type T;
 * every other one is looked up for each element. */
#define LV_ANY_FUNCTION (-1)

/* Not inlined, so that kernels do not reserve its registers. */
static LV_NOINLINE float lv_apply_rare(LvCudaFunction function, float x)
{
    float soft = x > 20.0f ? x : log1pf(expf(x));
    switch (function) {
    case LV_CUDA_LEAKY_RELU:
        return x < 0 ? 0.01f * x : x;
    case LV_CUDA_RELU2:
        return x < 0 ? 0 : x * x;
    case LV_CUDA_RELU6:
        return x < 0 ? 0 : x > 6.0f ? 6.0f : x;
    case LV_CUDA_TANH:
        return tanhf(x);
    case LV_CUDA_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
    case LV_CUDA_MISH:
        return x * tanhf(soft);
    case LV_CUDA_HARDSWISH:
        return x < -3.0f ? 0 : x > 3.0f ? x : x * (x + 3.0f) / 6.0f;
    case LV_CUDA_GELU_10:
        x = 0.5f * x * erfcf(-0.70710678118654752f * x);
        return x > 10.0f ? 10.0f : x;
    case LV_CUDA_LAPLACE:
        return (float)(0.5 * erfc((0.707107 - x) / (0.282095 * 1.41421356237309504880)));
    case LV_CUDA_SQRTSOFTPLUS:
        return sqrtf(soft);
    default:
        return x;
    }
}

LV_INLINE float lv_apply(LvCudaFunction function, float x)
{
    switch (function) {
    case LV_CUDA_NONE:
        break;
    case LV_CUDA_GELU_TANH:
        return x / (1.0f + expf(-1.5957691216057308f * (x + 0.044715f * x * x * x)));
    case LV_CUDA_GELU_ERF:
        return 0.5f * x * erfcf(-0.70710678118654752f * x);
    case LV_CUDA_SILU:
        return x / (1.0f + expf(-x));
    case LV_CUDA_RELU:
        return x < 0 ? 0 : x;
    case LV_CUDA_QUICK_GELU:
        return x / (1.0f + expf(-1.702f * x));
    default:
        return lv_apply_rare(function, x);
    }
    return x;
}

template <int FUNCTION, typename T> LV_INLINE float lv_apply_as(LvCudaFunction function, float x)
{
    if (FUNCTION == LV_CUDA_NONE)
        return x;
    if (FUNCTION == LV_CUDA_SILU)
        return x * lv_sigmoid<T>(x);
    if (FUNCTION == LV_CUDA_GELU_TANH)
        return x * lv_sigmoid<T>(1.5957691216057308f * (x + 0.044715f * x * x * x));
    return lv_apply(function, x);
}

/* ---- lanes together ---- */

#ifndef __CUDACC__
struct LvShuffle {
    uint32_t value, result;
    unsigned source;
};

static inline void lv_shuffle_compute(void *const *lanes)
{
    for (unsigned i = 0; i < LV_WARP; i++) {
        LvShuffle *own = (LvShuffle *)lanes[i];
        if (own)
            own->result = lanes[own->source] ? ((const LvShuffle *)lanes[own->source])->value : ~0u;
    }
}
#endif

/* The value that lane `lane ^ mask` holds. */
LV_INLINE uint32_t lv_shuffle_xor_bits(uint32_t value, unsigned mask)
{
#ifdef __CUDACC__
    return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
#else
    LvShuffle operand = {value, 0, lv_lane() ^ mask};
    lv_shim_meet(lv_shuffle_compute, &operand);
    return operand.result;
#endif
}

LV_INLINE float lv_shuffle_xor(float value, unsigned mask)
{
    return lv_bits_float(lv_shuffle_xor_bits(lv_float_bits(value), mask));
}

/* x, which is the same in all lanes, expressed so that the compiler knows it. */
LV_INLINE bool lv_uniform(bool x)
{
#ifdef __CUDACC__
    return __any_sync(0xFFFFFFFFu, x);
#else
    return x;
#endif
}

LV_INLINE void lv_sync_warp()
{
#ifdef __CUDACC__
    __syncwarp();
#else
    lv_shim_meet(NULL, NULL);
#endif
}

LV_INLINE float lv_warp_sum(float x)
{
    LV_UNROLL
    for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
        x += lv_shuffle_xor(x, mask);
    return x;
}

/* N sums over a warp, N a power of two and at most 32, for little more than the price of one: each
 * step hands half of the values to the lane that keeps them. Lane l gets that of value
 * l / (32 / N). */
template <int N> LV_INLINE float lv_warp_sums(float *values)
{
    unsigned mask = LV_WARP / 2;
    LV_UNROLL
    for (int n = N; n > 1; n /= 2, mask /= 2) {
        const bool upper = lv_lane() & mask;
        LV_UNROLL
        for (int i = 0; i < n / 2; i++) {
            const float given = upper ? values[i] : values[i + n / 2];
            const float kept = upper ? values[i + n / 2] : values[i];
            values[i] = kept + lv_shuffle_xor(given, mask);
        }
    }
    float sum = values[0];
    for (; mask; mask /= 2)
        sum += lv_shuffle_xor(sum, mask);
    return sum;
}

/* Adds to a counter that threads share and gives what it was; whole numbers, so that no order
 * shows.
 */
template <typename T> LV_INLINE T lv_count(T *counter, T n)
{
#ifdef __CUDACC__
    return atomicAdd(counter, n);
#else
    const T before = *counter;
    *counter += n;
    return before;
#endif
}

/* N sums over a block of at most 1024 threads, given to every thread. `scratch` is shared memory,
 * N * 32 floats; a barrier must lie between its uses. */
template <int N> LV_INLINE void lv_block_sums(float *sums, float *scratch)
{
    unsigned warp = threadIdx.x / LV_WARP, n_warps = blockDim.x / LV_WARP;
    LV_UNROLL
    for (int i = 0; i < N; i++) {
        sums[i] = lv_warp_sum(sums[i]);
        if (lv_lane() == 0)
            scratch[i * 32 + warp] = sums[i];
    }
    __syncthreads();
    LV_UNROLL
    for (int i = 0; i < N; i++) {
        sums[i] = 0;
        for (unsigned w = 0; w < n_warps; w++)
            sums[i] += scratch[i * 32 + w];
    }
}

#endif
