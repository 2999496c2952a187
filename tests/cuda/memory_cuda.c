/* SPDX-License-Identifier: Apache-2.0
 * The same tests on a GPU: managed memory, so that what the host wrote is there for the kernels and
 * the other way round after device_wait. */
#include "memory.h"

#include <cuda_runtime_api.h>

void *device_alloc(size_t bytes)
{
    void *data;
    return cudaMallocManaged(&data, bytes ? bytes : 1, cudaMemAttachGlobal) == cudaSuccess ? data
                                                                                           : NULL;
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
