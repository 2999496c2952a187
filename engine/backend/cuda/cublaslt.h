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

/* As lv_runtime_matmul. cuBLAS errors are numbered from LV_LT_ERRORS on; LV_LT_REFUSED: it has no
 * algorithm for this product, and nothing was enqueued. */
#define LV_LT_ERRORS 100000
#define LV_LT_REFUSED (LV_LT_ERRORS + 15) /* CUBLAS_STATUS_NOT_SUPPORTED */
int lv_lt_matmul(LvLt *lt, LvCudaStream stream, const LvMatmul *matmul);
const char *lv_lt_error(int code);

#endif
