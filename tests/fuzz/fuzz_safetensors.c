/* SPDX-License-Identifier: Apache-2.0
 * A whole safetensors file, through the same door as a real one, then the table that checks its
 * names and shapes. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/tensor_table.h"

static const char config_json[] =
    "{\"model_type\":\"llava_onevision\",\"image_token_index\":1,\"video_token_index\":2,"
    "\"image_grid_pinpoints\":[[14,14]],\"text_config\":{\"hidden_size\":2,"
    "\"intermediate_size\":2,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
    "\"num_key_value_heads\":1,\"vocab_size\":3,\"tie_word_embeddings\":true},"
    "\"vision_config\":{\"hidden_size\":2,\"intermediate_size\":2,\"num_hidden_layers\":1,"
    "\"num_attention_heads\":1,\"image_size\":14,\"patch_size\":14}}";

static void use(const LvSafetensors *file)
{
    LvConfig config;
    LlavaovError error = {0};
    FUZZ_CHECK(
        !lv_config_parse(config_json, sizeof config_json - 1, "config.json", &config, &error));
    LvTensorTable table = {0};
    LlavaovStatus status = lv_table_add(&table, file, "fuzz.safetensors", &error);
    if (!status)
        status = lv_table_check(&table, &config, "folder", &error);
    if (!status)
        status = lv_table_align(&table, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (!status) {
        const LvHostTensor *tensor = lv_table_find(&table, "T.norm.weight");
        FUZZ_CHECK(tensor && tensor->n_dims == 1 && tensor->shape[0] == 2);
    }
    lv_table_free(&table);
    lv_config_free(&config);
}

/* Reads every byte that the file promises. */
static unsigned touch(const LvSafetensors *file)
{
    unsigned sum = 0;
    uint64_t at = 0;
    for (size_t i = 0; i < file->n_tensors; i++) {
        FUZZ_CHECK(file->tensors[i].begin == at && file->tensors[i].end >= at);
        at = file->tensors[i].end;
    }
    FUZZ_CHECK(at == file->data_bytes && file->data_offset + file->data_bytes == file->map_bytes);
    for (size_t i = 0; i < file->map_bytes; i++)
        sum += ((const unsigned char *)file->map)[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz.safetensors", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && (!size || write(fd, data, size) == (ssize_t)size));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    LvSafetensors file;
    LlavaovError error = {0};
    LlavaovStatus status = lv_safetensors_open(path, "fuzz.safetensors", &file, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    if (!status) {
        volatile unsigned sum = touch(&file); /* volatile: the reads must happen */
        (void)sum;
        use(&file);
    }
    lv_safetensors_close(&file);
    close(fd);
    return 0;
}
