/* SPDX-License-Identifier: Apache-2.0
 * Memory that both the tests and the kernels under test see: the heap where the kernels run on the
 * shim, page-locked memory where they run on a GPU (memory_shim.c, memory_cuda.c). */
#ifndef TEST_CUDA_MEMORY_H
#define TEST_CUDA_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "launch.h"

/* 256-byte aligned. */
void *device_alloc(size_t bytes);
void device_free(void *data);
/* Waits for everything launched so far; 0 or the runtime's error. */
int device_wait(void);
/* The stream that all kernels under test are launched in; never the default one. */
LvCudaStream device_stream(void);
/* Whether kernels may overlap in it (launch.h); a GPU's answer is printed once. */
int32_t device_overlaps(void);
/* How often a kernel's attributes were set on a device (launcher.h); always 0 on a GPU, which is not
 * asked. */
uint64_t device_told(void);
/* The order of the shim's fibers; nothing on a GPU. */
void device_seed(uint32_t seed);

#endif
