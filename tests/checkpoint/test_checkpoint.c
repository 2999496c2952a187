/* SPDX-License-Identifier: Apache-2.0
 * Whole checkpoint folders: every layout, dtype and division into files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "checkpoint/checkpoint.h"
#include "folder.h"

static LvCheckpoint *open_well(const Folder *folder)
{
    LvCheckpoint *checkpoint;
    LlavaovError error = {0};
    if (lv_checkpoint_open(folder->path, &checkpoint, &error))
        fail_msg("%s", error.message);
    return checkpoint;
}

static void every_layout_opens_alike(void **state)
{
    static const char *const layouts[] = {
        "layout=a", "layout=bare", "layout=b1", "layout=b2", "layout=c"};
    uint64_t bytes = 0;
    char *expected = NULL;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        Folder folder;
        folder_write(&folder, layouts[i]);
        LvCheckpoint *checkpoint = open_well(&folder);
        const LvConfig *config = lv_checkpoint_config(checkpoint);
        assert_string_equal(lv_checkpoint_folder(checkpoint), folder.path);
        assert_int_equal(config->original_layout, i == 4);
        assert_int_equal(config->vision.hidden_size, 32);
        assert_int_equal(config->text.rope.theta, 1000000);
        assert_int_equal(config->image_token, 259);
        assert_int_equal(config->n_eos_tokens, 1);
        assert_int_equal(lv_checkpoint_generation(checkpoint)->rules.stop_tokens.n, i == 4 ? 2 : 1);
        assert_int_equal(config->n_pinpoints, 36);
        const LvHostTensor *tensor =
            lv_checkpoint_tensor(checkpoint, "V.encoder.layers.1.self_attn.q_proj.weight");
        assert_non_null(tensor);
        assert_int_equal(tensor->dtype, LV_F16);
        assert_int_equal(tensor->n_dims, 2);
        assert_int_equal(tensor->shape[1], 32);
        assert_int_equal(tensor->bytes, 32 * 32 * 2);
        assert_string_equal(tensor->file, "model.safetensors");
        if (!expected) {
            expected = malloc(tensor->bytes);
            memcpy(expected, tensor->data, tensor->bytes);
            bytes = lv_checkpoint_weight_bytes(checkpoint);
        }
        assert_memory_equal(tensor->data, expected, tensor->bytes);
        assert_int_equal(lv_checkpoint_weight_bytes(checkpoint), bytes);
        assert_non_null(lv_checkpoint_tensor(checkpoint, "P.linear_2.bias"));
        assert_non_null(lv_checkpoint_tensor(checkpoint, "NL"));
        assert_non_null(lv_checkpoint_tensor(checkpoint, "HEAD.weight"));
        assert_null(lv_checkpoint_tensor(checkpoint, "V.post_layernorm.weight"));
        assert_null(lv_checkpoint_tensor(checkpoint, "no such name"));
        lv_checkpoint_close(checkpoint);
        folder_remove(&folder);
    }
    free(expected);
}

static void dtypes_may_differ_between_tensors(void **state)
{
    Folder folder;
    unsigned seen[3] = {0};
    folder_write(&folder, "dtype=mixed");
    LvCheckpoint *checkpoint = open_well(&folder);
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "T.layers.%d.self_attn.q_proj.weight", i);
        const LvHostTensor *tensor = lv_checkpoint_tensor(checkpoint, name);
        assert_non_null(tensor);
        seen[tensor->dtype]++;
        assert_int_equal(
            tensor->bytes, tensor->shape[0] * tensor->shape[1] * lv_dtype_bytes(tensor->dtype));
        seen[lv_checkpoint_tensor(checkpoint, "T.norm.weight")->dtype]++;
        seen[lv_checkpoint_tensor(checkpoint, "NL")->dtype]++;
    }
    assert_true((seen[LV_F32] != 0) + (seen[LV_F16] != 0) + (seen[LV_BF16] != 0) >= 2);
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void shards_are_found(void **state)
{
    Folder folder;
    folder_write(&folder, "shards=3");
    LvCheckpoint *checkpoint = open_well(&folder);
    assert_string_equal(
        lv_checkpoint_tensor(checkpoint, "V.embeddings.patch_embedding.weight")->file,
        "model-00001-of-00003.safetensors");
    assert_string_equal(
        lv_checkpoint_tensor(checkpoint, "HEAD.weight")->file, "model-00003-of-00003.safetensors");
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void one_file_of_any_name_will_do(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    size_t bytes;
    char *data = folder_read(&folder, "model.safetensors", &bytes);
    folder_put(&folder, "weights.safetensors", data, bytes);
    folder_delete(&folder, "model.safetensors");
    free(data);
    LvCheckpoint *checkpoint = open_well(&folder);
    assert_string_equal(lv_checkpoint_tensor(checkpoint, "NL")->file, "weights.safetensors");
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void a_tied_head_may_be_stored(void **state)
{
    Folder folder;
    folder_write(&folder, "tied=true");
    LvCheckpoint *checkpoint = open_well(&folder);
    assert_true(lv_checkpoint_config(checkpoint)->text.tied_head);
    assert_null(lv_checkpoint_tensor(checkpoint, "HEAD.weight"));
    lv_checkpoint_close(checkpoint);
    folder_edit(
        &folder, "config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    LlavaovError error = {0};
    assert_int_equal(lv_checkpoint_open(folder.path, &checkpoint, &error), LLAVAOV_ERROR_FORMAT);
    assert_string_equal(error.subject, "HEAD.weight");
    assert_int_equal(error.about, LLAVAOV_ABOUT_TENSOR);
    folder_remove(&folder);
    /* A head beside a configuration that ties: its values count. */
    folder_write(&folder, NULL);
    folder_edit(
        &folder, "config.json", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    checkpoint = open_well(&folder);
    assert_non_null(lv_checkpoint_tensor(checkpoint, "HEAD.weight"));
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

/* The reference loads such a folder, too, and takes the one tensor for both. */
static void a_tied_model_may_store_the_head_alone(void **state)
{
    Folder folder;
    folder_write(&folder, "tied=true");
    folder_edit_header(&folder, "model.safetensors", "language_model.model.embed_tokens.weight",
        "language_model.lm_head.weight");
    LvCheckpoint *checkpoint = open_well(&folder);
    const LvHostTensor *table = lv_checkpoint_tensor(checkpoint, "T.embed_tokens.weight");
    assert_non_null(table);
    assert_string_equal(table->name, "language_model.lm_head.weight");
    assert_null(lv_checkpoint_tensor(checkpoint, "HEAD.weight"));
    lv_checkpoint_close(checkpoint);
    /* Untied, the embedding is missing. */
    folder_edit(
        &folder, "config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    LlavaovError error = {0};
    assert_int_equal(lv_checkpoint_open(folder.path, &checkpoint, &error), LLAVAOV_ERROR_FORMAT);
    assert_non_null(strstr(error.subject, "embed_tokens.weight"));
    folder_remove(&folder);
}

static void a_projector_may_have_no_bias(void **state)
{
    Folder folder;
    folder_write(&folder, "projector_bias=false");
    LvCheckpoint *checkpoint = open_well(&folder);
    assert_false(lv_checkpoint_config(checkpoint)->projector_bias);
    assert_null(lv_checkpoint_tensor(checkpoint, "P.linear_1.bias"));
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
    /* Stored all the same: unused, as in the reference. */
    folder_write(&folder, NULL);
    folder_edit(&folder, "config.json", "\"vision_feature_layer\"",
        "\"multimodal_projector_bias\": false, \"vision_feature_layer\"");
    checkpoint = open_well(&folder);
    assert_null(lv_checkpoint_tensor(checkpoint, "P.linear_1.bias"));
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void a_tower_may_be_stored_whole(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    LvCheckpoint *checkpoint = open_well(&folder);
    uint64_t bytes = lv_checkpoint_weight_bytes(checkpoint);
    lv_checkpoint_close(checkpoint);
    folder_edit(&folder, "config.json", "\"num_hidden_layers\": 2,\n    \"patch_size\"",
        "\"num_hidden_layers\": 1,\n    \"patch_size\"");
    checkpoint = open_well(&folder);
    assert_null(lv_checkpoint_tensor(checkpoint, "V.encoder.layers.1.mlp.fc1.weight"));
    assert_true(lv_checkpoint_weight_bytes(checkpoint) < bytes);
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void layers_above_the_feature_layer_may_be_absent(void **state)
{
    Folder folder;
    folder_write(&folder, "feature_layer=-2");
    LvCheckpoint *checkpoint = open_well(&folder);
    assert_int_equal(lv_checkpoint_config(checkpoint)->vision.n_layers_run, 1);
    lv_checkpoint_close(checkpoint);
    folder_edit_header(
        &folder, "model.safetensors", "vision_model.encoder.layers.1.mlp.fc1.bias", "x.inv_freq");
    checkpoint = open_well(&folder);
    assert_null(lv_checkpoint_tensor(checkpoint, "V.encoder.layers.1.mlp.fc1.bias"));
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void generation_config_is_optional(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    folder_delete(&folder, "generation_config.json");
    LvCheckpoint *checkpoint = open_well(&folder);
    assert_int_equal(lv_checkpoint_config(checkpoint)->n_eos_tokens, 1);
    assert_int_equal(lv_checkpoint_config(checkpoint)->eos_tokens[0], 258);
    assert_int_equal(lv_checkpoint_generation(checkpoint)->rules.stop_tokens.ids[0], 258);
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

/* The format does not align: a header of odd length puts every tensor at an odd address. */
static void odd_addresses_are_copied(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    LvCheckpoint *checkpoint = open_well(&folder);
    const LvHostTensor *tensor = lv_checkpoint_tensor(checkpoint, "T.norm.weight");
    char expected[1024];
    assert_true(tensor->bytes <= sizeof expected);
    memcpy(expected, tensor->data, tensor->bytes);
    lv_checkpoint_close(checkpoint);
    folder_edit_header(&folder, "model.safetensors", "{\"__metadata__\"", "{ \"__metadata__\"");
    checkpoint = open_well(&folder);
    tensor = lv_checkpoint_tensor(checkpoint, "T.norm.weight");
    assert_int_equal((uintptr_t)tensor->data % 2, 0);
    assert_memory_equal(tensor->data, expected, tensor->bytes);
    lv_checkpoint_close(checkpoint);
    folder_remove(&folder);
}

/* The engine's own allocations; jansson's are not among them (json.h). */
static void every_allocation_may_fail(void **state)
{
    static const char *const kinds[] = {"shards=2", "layout=c"};
    for (size_t i = 0; i < 2; i++) {
        Folder folder;
        folder_write(&folder, kinds[i]);
        LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
        int64_t n = 0;
        for (; status; n++) {
            LvCheckpoint *checkpoint;
            LlavaovError error = {0};
            lv_alloc_fail_after(n);
            status = lv_checkpoint_open(folder.path, &checkpoint, &error);
            lv_alloc_fail_after(-1);
            if (status && (status != LLAVAOV_ERROR_MEMORY || !*error.message))
                fail_msg("allocation %d: %s", (int)n, error.message);
            if (!status)
                lv_checkpoint_close(checkpoint);
            else
                assert_null(checkpoint);
        }
        assert_true(n > 100); /* two a tensor */
        folder_remove(&folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_opens_alike),
        cmocka_unit_test(dtypes_may_differ_between_tensors),
        cmocka_unit_test(shards_are_found),
        cmocka_unit_test(one_file_of_any_name_will_do),
        cmocka_unit_test(a_tied_head_may_be_stored),
        cmocka_unit_test(a_tied_model_may_store_the_head_alone),
        cmocka_unit_test(a_projector_may_have_no_bias),
        cmocka_unit_test(a_tower_may_be_stored_whole),
        cmocka_unit_test(layers_above_the_feature_layer_may_be_absent),
        cmocka_unit_test(generation_config_is_optional),
        cmocka_unit_test(odd_addresses_are_copied),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
