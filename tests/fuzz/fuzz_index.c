/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "checkpoint/shards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvShards shards;
    LlavaovError error = {0};
    LlavaovStatus status = lv_shards_parse((const char *)data, size, "index.json", &shards, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    for (size_t i = 0; i < shards.n_files; i++)
        FUZZ_CHECK(
            *shards.files[i] && !strchr(shards.files[i], '/') && strcmp(shards.files[i], ".."));
    for (size_t i = 0; i < shards.n_entries; i++)
        FUZZ_CHECK(shards.entries[i].file < shards.n_files && shards.entries[i].tensor);
    lv_shards_free(&shards);
    return 0;
}
