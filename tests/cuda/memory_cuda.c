/* SPDX-License-Identifier: Apache-2.0
 * The same tests on a GPU: page-locked memory that the device reads and writes in place, at the
 * host's address. Managed memory would migrate, and can hang a card that others use too. Blocks
 * that are given back are kept: locking pages takes longer than most of the tests' kernels. */
#include "memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <cuda_runtime_api.h>

#include "launch.h"

#define SIZES 40           /* of blocks: powers of two */
#define HEADER (size_t)256 /* in front of a block: its size, and the next one that is kept */

typedef struct Block {
    struct Block *next;
    int size;
} Block;

static Block *kept[SIZES];

void *device_alloc(size_t bytes)
{
    int size = 8;
    while (size < SIZES - 1 && (size_t)1 << size < bytes)
        size++;
    Block *block = kept[size];
    if (block) {
        kept[size] = block->next;
        return (char *)block + HEADER;
    }
    const cudaError_t status =
        cudaHostAlloc((void **)&block, HEADER + ((size_t)1 << size), cudaHostAllocMapped);
    if (status != cudaSuccess)
        fail_msg("%zu bytes of page-locked memory: %s", bytes, cudaGetErrorString(status));
    block->size = size;
    return (char *)block + HEADER;
}

void device_free(void *data)
{
    if (!data)
        return;
    device_wait();
    Block *block = (Block *)((char *)data - HEADER);
    block->next = kept[block->size];
    kept[block->size] = block;
}

int device_wait(void)
{
    return (int)cudaDeviceSynchronize();
}

void device_seed(uint32_t seed)
{
}

uint64_t device_told(void)
{
    return 0;
}

/* Not the default stream, in which kernels do not overlap. */
LvCudaStream device_stream(void)
{
    static cudaStream_t stream;
    if (stream)
        return stream;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess)
        fail_msg("no stream: %s", cudaGetErrorString(cudaGetLastError()));
    device_overlaps(); /* prints it */
    return stream;
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
        major >= 9 && lv_cuda_waits(device_stream(), waits) == 0 && device_wait() == 0)
        known = *waits;
    else
        known = 0;
    cudaGetLastError(); /* what refused it */
    device_free(waits);
    printf("kernels overlap: %s\n", known ? "on" : "off");
    return known;
}
