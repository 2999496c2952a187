/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an access unit of H.264, with lengths and with start codes: read within its bounds. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "h264.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Of its own, so that a byte behind the end is not there. */
    uint8_t *unit = malloc(size ? size : 1);
    memcpy(unit, data, size);
    for (guint length_size = 0; length_size <= 4; length_size++) {
        const gboolean intra = gst_llavaov_h264_is_intra(unit, size, length_size);
        FUZZ_CHECK(intra == TRUE || intra == FALSE);
        if (size < 2)
            FUZZ_CHECK(intra);
    }
    free(unit);
    return 0;
}
