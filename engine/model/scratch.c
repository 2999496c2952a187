/* SPDX-License-Identifier: Apache-2.0 */
#include "model/scratch.h"

#include "base/status.h"

LvTensor lv_scratch_tensor(LvScratch *scratch, size_t rows, size_t cols)
{
    LvTensor tensor = {0};
    if (scratch->status != LLAVAOV_OK)
        return tensor;
    if (scratch->n == LV_SCRATCH_TENSORS) {
        scratch->status =
            lv_fail(scratch->error, LLAVAOV_ERROR_INTERNAL, NULL, "too many scratch tensors");
        return tensor;
    }
    scratch->status =
        scratch->backend->ops->tensor_alloc(scratch->backend, rows, cols, &tensor, scratch->error);
    if (scratch->status == LLAVAOV_OK)
        scratch->tensors[scratch->n++] = tensor;
    return tensor;
}

void lv_scratch_free(LvScratch *scratch)
{
    while (scratch->n > 0)
        scratch->backend->ops->tensor_free(scratch->backend, &scratch->tensors[--scratch->n]);
}
