/* SPDX-License-Identifier: Apache-2.0
 * The text of a quant_state tensor. */
#include "fuzz.h"

#include <math.h>

#include "base/limits.h"
#include "checkpoint/four_bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvQuantState state;
    LlavaovError error = {0};
    LlavaovStatus status =
        lv_quant_state_parse((const char *)data, size, "quant_state", &state, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (status)
        return 0;
    FUZZ_CHECK(state.type == LV_NF4 || state.type == LV_FP4);
    FUZZ_CHECK(lv_traits_float(lv_dtype_traits(state.rounded_to)));
    FUZZ_CHECK(state.block >= 64 && state.block <= 4096 && state.block % 64 == 0);
    FUZZ_CHECK(isfinite(state.offset) && (!state.nested || state.nested_block >= 1));
    for (int i = 0; i < 2; i++)
        FUZZ_CHECK(state.shape[i] >= 1 && state.shape[i] <= LV_MAX_VOCAB);
    return 0;
}
