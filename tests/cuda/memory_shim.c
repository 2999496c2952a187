/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdlib.h>

#include "shim/shim.h"

void *device_alloc(size_t bytes)
{
    return aligned_alloc(256, (bytes + 255) / 256 * 256);
}

/* What device_wait is still to tell. */
static int first_result;

void device_free(void *data)
{
    first_result = device_wait();
    free(data);
}

int device_wait(void)
{
    int result = lv_shim_drain();
    result = first_result ? first_result : result;
    first_result = 0;
    return result;
}

void device_seed(uint32_t seed)
{
    first_result = device_wait();
    lv_shim_hold(1);
    lv_shim_seed(seed);
}

LvCudaStream device_stream(void)
{
    return NULL;
}

uint64_t device_told(void)
{
    return lv_shim_told();
}

int32_t device_overlaps(void)
{
    return 1;
}
