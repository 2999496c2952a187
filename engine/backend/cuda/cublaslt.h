/* SPDX-License-Identifier: Apache-2.0
 * Products of matrices by cuBLASLt, which is opened at run time: it is half a gigabyte, and a
 * machine without a GPU need not have it. One thread at a time. */
#ifndef LV_CUDA_CUBLASLT_H
#define LV_CUDA_CUBLASLT_H

#include "backend/cuda/runtime.h"

typedef struct LvLt LvLt;

/* On the current device. Looked for are the file that the environment variable LLAVAOV_CUBLASLT
 * names, or the library by its name, then in the usual places and where it was when this was built.
 * LLAVAOV_ERROR_UNSUPPORTED when there is none that fits. workspace: device memory of
 * LV_RUNTIME_WORKSPACE bytes. */
LlavaovStatus lv_lt_open(void *workspace, LvLt **lt, LlavaovError *error);
void lv_lt_close(LvLt *lt); /* NULL is allowed */

/* Who times candidates; its functions give 0 or an error number. */
typedef struct LvLtTimer {
    void *data;
    int (*alloc)(void *data, size_t bytes, void **memory); /* on the device */
    void (*free)(void *data, void *memory);
    int (*begin)(void *data);                    /* what is enqueued from here ... */
    int (*end)(void *data, float *milliseconds); /* ... to here took so long; waits */
} LvLtTimer;

/* From now on a product of a shape that is new takes the fastest of the first LV_LT_CANDIDATES that
 * the library proposes, each run LV_LT_RUNS times into memory of its own. What was chosen stays:
 * once the table of shapes is full, further ones take the first proposal. Nothing is chosen anew,
 * but two runs of a program may choose differently. timer outlives lt. */
#define LV_LT_CANDIDATES 8
#define LV_LT_RUNS 3
void lv_lt_time_plans(LvLt *lt, const LvLtTimer *timer);

/* As lv_runtime_matmul. cuBLAS errors are numbered from LV_LT_ERRORS on; LV_LT_REFUSED: it has no
 * algorithm for this product, and nothing was enqueued. */
#define LV_LT_ERRORS 100000
#define LV_LT_REFUSED (LV_LT_ERRORS + 15) /* CUBLAS_STATUS_NOT_SUPPORTED */
int lv_lt_matmul(LvLt *lt, LvCudaStream stream, const LvMatmul *matmul);
const char *lv_lt_error(int code);

#endif
