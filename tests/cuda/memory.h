/* SPDX-License-Identifier: Apache-2.0
 * Memory that both the tests and the kernels under test see: the heap where the kernels run on the
 * shim, managed memory where they run on a GPU (memory_shim.c, memory_cuda.c). */
#ifndef TEST_CUDA_MEMORY_H
#define TEST_CUDA_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* 256-byte aligned. */
void *device_alloc(size_t bytes);
void device_free(void *data);
/* Waits for everything launched so far; 0 or the runtime's error. */
int device_wait(void);
/* Whether kernels may overlap (launch.h). */
int32_t device_overlaps(void);
/* The order of the shim's fibers; nothing on a GPU. */
void device_seed(uint32_t seed);

#endif
