/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <stdlib.h>

#include "shim/shim.h"

void *device_alloc(size_t bytes)
{
    return aligned_alloc(256, (bytes + 255) / 256 * 256);
}

void device_free(void *data)
{
    free(data);
}

int device_wait(void)
{
    return 0;
}

void device_seed(uint32_t seed)
{
    lv_shim_seed(seed);
}
