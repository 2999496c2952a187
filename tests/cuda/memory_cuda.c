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
