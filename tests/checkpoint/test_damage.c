/* SPDX-License-Identifier: Apache-2.0
 * Damaged checkpoint folders: each is refused with an error that names the file, tensor or field to
 * blame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "checkpoint/checkpoint.h"
#include "folder.h"

/* status, and words that the message must hold. */
static void refused(const char *path, LlavaovStatus status, const char *word, const char *other)
{
    LvCheckpoint *checkpoint = (LvCheckpoint *)&checkpoint;
    LlavaovError error = {0};
    LlavaovStatus result = lv_checkpoint_open(path, &checkpoint, &error);
    if (result != status || !strstr(error.message, word) || !strstr(error.message, other))
        fail_msg("wanted %s with \"%s\" and \"%s\": %s, \"%s\"", llavaov_status_name(status), word,
            other, llavaov_status_name(result), error.message);
    assert_int_equal(error.status, status);
    assert_null(checkpoint);
    assert_true(*error.subject);
}

static void folders_that_are_none(void **state)
{
    Folder folder;
    folder_make(&folder);
    refused("/nonexistent/folder", LLAVAOV_ERROR_NOT_FOUND, "/nonexistent/folder", "no such");
    refused("", LLAVAOV_ERROR_NOT_FOUND, "path", "empty");
    refused("/dev/null", LLAVAOV_ERROR_NOT_FOUND, "/dev/null", "not a folder");
    refused(folder.path, LLAVAOV_ERROR_NOT_FOUND, "config.json", folder.path);
    folder_put_text(&folder, "config.json", "{\"model_type\": \"bert\", \"hidden_size\": 768}");
    refused(folder.path, LLAVAOV_ERROR_UNSUPPORTED, "config.json", "model_type");
    folder_put_text(&folder, "config.json", "");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, "config.json", "JSON");
    folder_delete(&folder, "config.json");
    char path[256];
    snprintf(path, sizeof path, "%s/config.json", folder.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(folder.path, LLAVAOV_ERROR_IO, "config.json", "regular");
    folder_remove(&folder);
    /* A path of 5999 slashes, and one with an endless name. */
    char *path_text = calloc(1, 6000);
    memset(path_text, '/', 5999);
    refused(path_text, LLAVAOV_ERROR_IO, "/", "too long");
    memset(path_text, 'x', 5999);
    refused(path_text, LLAVAOV_ERROR_IO, "x", "x");
    free(path_text);
}

static void weights_that_are_missing(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    folder_delete(&folder, "model.safetensors");
    refused(folder.path, LLAVAOV_ERROR_NOT_FOUND, folder.path, "safetensors");
    folder_put_text(&folder, "pytorch_model.bin", "x");
    refused(folder.path, LLAVAOV_ERROR_NOT_FOUND, folder.path, "convert");
    folder_put_text(&folder, "a.safetensors", "x");
    folder_put_text(&folder, "b.safetensors", "x");
    refused(folder.path, LLAVAOV_ERROR_NOT_FOUND, "2 *.safetensors", "index.json");
    folder_remove(&folder);
}

static void configurations_that_do_not_fit(void **state)
{
    static const struct {
        const char *from, *to, *word, *other;
    } edits[] = {
        {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", "config.json",
            "text_config.num_hidden_layers"},
        {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2147483648", "config.json",
            "text_config.num_hidden_layers"},
        {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "config.json",
            "num_key_value_heads"},
        {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "language_model.model.layers.2.",
            "missing"},
        {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "language_model.model.layers.1.",
            "no use"},
        {"\"hidden_size\": 64", "\"hidden_size\": 32", "shape", "model.safetensors"},
        {"\"vocab_size\": 320", "\"vocab_size\": 319", "language_model.model.embed_tokens.weight",
            "[320, 64]"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        Folder folder;
        folder_write(&folder, NULL);
        folder_edit(&folder, "config.json", edits[i].from, edits[i].to);
        refused(folder.path, LLAVAOV_ERROR_FORMAT, edits[i].word, edits[i].other);
        folder_remove(&folder);
    }
    Folder folder;
    folder_write(&folder, NULL);
    folder_put_text(&folder, "generation_config.json", "{\"eos_token_id\": ");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, "generation_config.json", "JSON");
    folder_remove(&folder);
}

/* Edits of the header that leave the file sound, but not the model. */
static void tensors_that_do_not_fit(void **state)
{
    static const struct {
        const char *layout, *from, *to;
        LlavaovStatus status;
        const char *word, *other;
    } edits[] = {
        {"layout=a", "language_model.model.norm.weight", "language_model.model.nrm.weight",
            LLAVAOV_ERROR_FORMAT, "language_model.model.norm.weight", "missing"},
        {"layout=a", "language_model.model.layers.1.mlp.up_proj.weight", "x.inv_freq",
            LLAVAOV_ERROR_FORMAT, "language_model.model.layers.1.mlp.up_proj.weight", "missing"},
        {"layout=c", "model.vision_tower.vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
            "x.inv_freq", LLAVAOV_ERROR_FORMAT,
            "model.vision_tower.vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias",
            "missing"},
        {"layout=b2", "model.image_newline", "x.inv_freq", LLAVAOV_ERROR_FORMAT, "NL", "missing"},
        {"layout=a", "image_newline", "image_oldline", LLAVAOV_ERROR_FORMAT, "image_oldline",
            "not one of"},
        {"layout=a", "\"shape\":[320,64]", "\"shape\":[64,320]", LLAVAOV_ERROR_FORMAT,
            "language_model.model.embed_tokens.weight", "[64, 320]"},
        {"layout=a", "\"shape\":[32,3,14,14]", "\"shape\":[32,588]", LLAVAOV_ERROR_FORMAT,
            "patch_embedding.weight", "[32, 3, 14, 14]"},
        {"layout=a", "patch_embedding.weight\":{\"dtype\":\"F16\"",
            "patch_embedding.weight\":{\"dtype\":\"I16\"", LLAVAOV_ERROR_UNSUPPORTED,
            "patch_embedding.weight", "I16"},
        {"layout=a", "patch_embedding.weight\":{\"dtype\":\"F16\"",
            "patch_embedding.weight\":{\"dtype\":\"F17\"", LLAVAOV_ERROR_UNSUPPORTED,
            "patch_embedding.weight", "F17"},
        {"layout=b1", "model.multi_modal_projector.linear_2.bias",
            "multi_modal_projector.linear_1.bias", LLAVAOV_ERROR_FORMAT, "linear_1.bias", "twice"},
        {"layout=a", "language_model.lm_head.weight", "x.inv_freq", LLAVAOV_ERROR_FORMAT,
            "HEAD.weight", "missing"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        Folder folder;
        folder_write(&folder, edits[i].layout);
        folder_edit_header(&folder, "model.safetensors", edits[i].from, edits[i].to);
        refused(folder.path, edits[i].status, edits[i].word, edits[i].other);
        folder_remove(&folder);
    }
}

static void a_head_of_another_vocabulary(void **state)
{
    Folder folder;
    folder_write(&folder, "tied=true");
    folder_edit_header(&folder, "model.safetensors", "language_model.model.norm.weight\"",
        "lm_head.weight\":{\"dtype\":\"F16\",\"shape\":[0,64],\"data_offsets\":[0,0]},\"language_"
        "model.model.norm.weight\"");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, "lm_head.weight", "[320, 64]");
    folder_remove(&folder);
}

static void files_cut_at_200_places(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    size_t bytes;
    char *data = folder_read(&folder, "model.safetensors", &bytes), path[256];
    snprintf(path, sizeof path, "%s/model.safetensors", folder.path);
    for (size_t i = 0; i < 200; i++) {
        /* The first 100 in the header, the others evenly over the file; shrinking steps, as
         * truncation cannot grow. */
        size_t length = i < 100 ? bytes - 1 - (bytes - 8000) / 100 * i : 8000 * (200 - i - 1) / 100;
        assert_int_equal(truncate(path, (off_t)length), 0);
        refused(folder.path, LLAVAOV_ERROR_FORMAT, "model.safetensors",
            length < 8 ? "few" : "cut short");
    }
    free(data);
    folder_remove(&folder);
}

static void an_absurd_header_length(void **state)
{
    Folder folder;
    folder_write(&folder, NULL);
    size_t bytes;
    char *data = folder_read(&folder, "model.safetensors", &bytes);
    memcpy(data, "\0\0\0\0\0\0\0\x80", 8);
    folder_put(&folder, "model.safetensors", data, bytes);
    free(data);
    refused(folder.path, LLAVAOV_ERROR_FORMAT, "model.safetensors", "9223372036854775808");
    folder_remove(&folder);
}

static void shards_that_are_wrong(void **state)
{
    static const char index[] = "model.safetensors.index.json";
    static const char second[] = "model-00002-of-00002.safetensors";
    Folder folder;
    folder_write(&folder, "shards=2");
    size_t bytes;
    char *data = folder_read(&folder, second, &bytes);
    folder_delete(&folder, second);
    refused(folder.path, LLAVAOV_ERROR_NOT_FOUND, second, "no such file");
    folder_put(&folder, second, data, bytes);
    /* Promised where it is not. */
    folder_edit(&folder, index, "\"weight_map\": {",
        "\"weight_map\": {\"x.weight\": \"model-00002-of-00002.safetensors\",");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, "x.weight", second);
    free(data);
    static const char *const names[] = {
        "../model.safetensors", "/etc/passwd", "", ".", "..", "a/b", "a\\\\b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"weight_map\": {\"t.weight\": \"%s\"}}", names[i]);
        folder_put_text(&folder, index, text);
        refused(folder.path, LLAVAOV_ERROR_FORMAT, index, "t.weight");
    }
    folder_put_text(&folder, index, "{\"weight_map\": {\"t.weight\": 7}}");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, index, "t.weight");
    folder_put_text(&folder, index, "{\"weight_map\": {}}");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, index, "weight_map");
    folder_put_text(&folder, index, "{\"weight_map\": []}");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, index, "weight_map");
    folder_put_text(&folder, index, "{");
    refused(folder.path, LLAVAOV_ERROR_FORMAT, index, "JSON");
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_are_none),
        cmocka_unit_test(weights_that_are_missing),
        cmocka_unit_test(configurations_that_do_not_fit),
        cmocka_unit_test(tensors_that_do_not_fit),
        cmocka_unit_test(a_head_of_another_vocabulary),
        cmocka_unit_test(files_cut_at_200_places),
        cmocka_unit_test(an_absurd_header_length),
        cmocka_unit_test(shards_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
