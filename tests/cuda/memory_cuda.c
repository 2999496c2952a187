/* SPDX-License-Identifier: Apache-2.0
 * The same tests on a GPU: managed memory, so that what the host wrote is there for the kernels and
 * the other way round after device_wait. */
#include "memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cuda_runtime_api.h>

#include "launch.h"

void *device_alloc(size_t bytes)
{
    void *data = NULL;
    cudaError_t status = cudaMallocManaged(&data, bytes ? bytes : 1, cudaMemAttachGlobal);
    if (status != cudaSuccess)
        fail_msg("%zu bytes of managed memory: %s", bytes, cudaGetErrorString(status));
    return data;
}

void device_free(void *data)
{
    cudaDeviceSynchronize();
    cudaFree(data);
}

int device_wait(void)
{
    return (int)cudaDeviceSynchronize();
}

void device_seed(uint32_t seed)
{
}

int32_t device_overlaps(void)
{
    static int32_t known = -1;
    if (known >= 0)
        return known;
    int device = 0, major = 0;
    int32_t *waits = device_alloc(sizeof *waits);
    *waits = 0;
    if (cudaGetDevice(&device) == cudaSuccess &&
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
        major >= 9 && lv_cuda_waits(NULL, waits) == 0 && device_wait() == 0)
        known = *waits;
    else
        known = 0;
    cudaGetLastError(); /* what refused it */
    device_free(waits);
    return known;
}
