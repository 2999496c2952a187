/* SPDX-License-Identifier: Apache-2.0
 * The dialect of the kernels, which nvcc and the shim both compile. A kernel is a template function
 * that takes one structure by value; all its shared memory is dynamic. Blocks are one-dimensional
 * and a multiple of 32 threads. */
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

#endif
