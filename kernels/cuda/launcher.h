/* SPDX-License-Identifier: Apache-2.0
 * How a kernel is launched, and what a device is told of it before the first time. */
#ifndef LV_CUDA_LAUNCHER_H
#define LV_CUDA_LAUNCHER_H

#include "device.h"

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

#endif
