/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvNpy array;
    const void *values = NULL;
    LlavaovError error = {0};
    LlavaovStatus status = lv_npy_parse(data, size, "picture.npy", &array, &values, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (status != LLAVAOV_OK)
        return 0;
    /* The promised values lie inside the input. */
    const size_t bytes = array.count * lv_npy_item_bytes(array.type);
    const uint8_t *start = values;
    FUZZ_CHECK(array.n_dims <= LV_NPY_DIMS && bytes <= size);
    FUZZ_CHECK(start >= data && start + bytes <= data + size);
    uint64_t count = 1;
    for (uint32_t i = 0; i < array.n_dims; i++)
        count *= array.shape[i];
    FUZZ_CHECK(count == array.count);
    return 0;
}
