/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints of four bits as transformers saves them (tests/golden/make_four_bits.py): they open, and
 * damaged ones are refused with an error that names the tensor or the field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/four_bits.h"
#include "checkpoint/safetensors.h"
#include "folder.h"

#define WEIGHTS "model.safetensors"
#define CONFIG "config.json"
#define DOWN "model.language_model.layers.0.mlp.down_proj.weight"

static void copy_golden(Folder *folder, const char *name)
{
    static const char *const files[] = {WEIGHTS, CONFIG};
    Folder golden;
    const char *root = getenv("LLAVAOV_FOUR_BITS");
    assert_non_null(root);
    assert_true(
        snprintf(golden.path, sizeof golden.path, "%s/%s", root, name) < (int)sizeof golden.path);
    folder_make(folder);
    for (int i = 0; i < 2; i++) {
        size_t bytes;
        char *data = folder_read(&golden, files[i], &bytes);
        folder_put(folder, files[i], data, bytes);
        free(data);
    }
}

static void they_open(void **state)
{
    const struct {
        const char *name, *tensor;
        LvDtype dtype;
        size_t blocks; /* scales; 0: none */
    } cases[] = {
        {"nf4-dq", "T.layers.0.mlp.down_proj.weight", LV_NF4, 10},
        {"nf4-dq", "V.encoder.layers.0.mlp.fc2.weight", LV_NF4, 9},
        {"nf4-dq", "P.linear_1.weight", LV_NF4, 4}, {"nf4-dq", "HEAD.weight", LV_F16, 0},
        {"nf4-dq", "T.embed_tokens.weight", LV_F16, 0},
        {"nf4-dq", "V.encoder.layers.0.mlp.fc2.bias", LV_F16, 0},
        {"fp4", "T.layers.0.mlp.up_proj.weight", LV_FP4, 10},
        {"fp4", "T.layers.0.mlp.down_proj.weight", LV_F16, 0}, /* listed */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folder folder;
        LvCheckpoint *checkpoint;
        LlavaovError error = {0};
        copy_golden(&folder, cases[i].name);
        if (lv_checkpoint_open(folder.path, &checkpoint, &error))
            fail_msg("%s", error.message);
        const LvHostTensor *tensor = lv_checkpoint_tensor(checkpoint, cases[i].tensor);
        assert_non_null(tensor);
        assert_int_equal(tensor->dtype, cases[i].dtype);
        assert_int_equal(tensor->scales != NULL, cases[i].blocks != 0);
        if (tensor->scales) {
            assert_int_equal(tensor->rounded_to, LV_F16);
            assert_int_equal(tensor->scales->shape[1], cases[i].blocks);
        }
        lv_checkpoint_close(checkpoint);
        folder_remove(&folder);
    }
}

/* ---- damage ---- */

/* The bytes of a tensor become `byte`, from `first` on. */
static void overwrite(
    const Folder *folder, const char *tensor, size_t first, size_t n, unsigned char byte)
{
    char path[256];
    size_t bytes;
    LvSafetensors file;
    LlavaovError error = {0};
    snprintf(path, sizeof path, "%s/" WEIGHTS, folder->path);
    assert_int_equal(lv_safetensors_open(path, WEIGHTS, &file, &error), LLAVAOV_OK);
    char *data = folder_read(folder, WEIGHTS, &bytes), *at = NULL;
    for (size_t i = 0; i < file.n_tensors; i++)
        if (!strcmp(file.tensors[i].name, tensor))
            at = data + file.data_offset + file.tensors[i].begin;
    assert_non_null(at);
    memset(at + first, byte, n);
    folder_put(folder, WEIGHTS, data, bytes);
    free(data);
    lv_safetensors_close(&file);
}

/* Two tensors change names. */
static void swap_names(const Folder *folder, const char *a, const char *b)
{
    char quoted[3][256];
    snprintf(quoted[0], sizeof *quoted, "\"%s\":", a);
    snprintf(quoted[1], sizeof *quoted, "\"%s\":", b);
    snprintf(quoted[2], sizeof *quoted, "\"between\":");
    folder_edit_header(folder, WEIGHTS, quoted[0], quoted[2]);
    folder_edit_header(folder, WEIGHTS, quoted[1], quoted[0]);
    folder_edit_header(folder, WEIGHTS, quoted[2], quoted[1]);
}

typedef struct Damage {
    const char *golden, *file, *from,
        *to; /* file "": the weights' header; NULL: names are swapped */
    LlavaovStatus status;
    const char *word, *other; /* that the message holds */
} Damage;

static const Damage damages[] = {
    /* quant_state: the first in the file is that of DOWN */
    {"nf4-dq", WEIGHTS, "{\"quant_type\": \"nf4\"", "{\"quant_type\": \"fp4\"",
        LLAVAOV_ERROR_FORMAT, DOWN ".quant_state.bitsandbytes__nf4", "quant_type"},
    {"nf4-dq", WEIGHTS, "{\"quant_type\": \"nf4\"", "{\"quant_type\": \"xyz\"",
        LLAVAOV_ERROR_FORMAT, DOWN ".quant_state.bitsandbytes__nf4", "quant_type is \"xyz\""},
    {"nf4-dq", WEIGHTS, "{\"quant_type\"", "[\"quant_type\"", LLAVAOV_ERROR_FORMAT,
        DOWN ".quant_state.bitsandbytes__nf4", "JSON"},
    {"nf4-dq", WEIGHTS, "\"blocksize\": 64", "\"blocksize\": 32", LLAVAOV_ERROR_UNSUPPORTED, DOWN,
        "blocksize is 32"},
    {"nf4-dq", WEIGHTS, "\"blocksize\": 64", "\"blocksize\": 96", LLAVAOV_ERROR_UNSUPPORTED, DOWN,
        "power of two"},
    {"nf4-dq", WEIGHTS, "\"blocksize\": 64", "\"blocksize\": -1", LLAVAOV_ERROR_FORMAT, DOWN,
        "blocksize"},
    {"nf4-dq", WEIGHTS, "\"blocksize\": 64", "\"blocksizes\": 6", LLAVAOV_ERROR_UNSUPPORTED, DOWN,
        "blocksize"},
    {"nf4-dq", WEIGHTS, "float16", "float64", LLAVAOV_ERROR_FORMAT, DOWN, "dtype is \"float64\""},
    {"nf4-dq", WEIGHTS, "[16, 40]", "[40, 16]", LLAVAOV_ERROR_FORMAT, DOWN, "shape"},
    {"nf4-dq", WEIGHTS, "[16, 40]", "[16, -4]", LLAVAOV_ERROR_FORMAT, DOWN, "shape"},
    {"nf4-dq", WEIGHTS, "[16, 40]", "[   16 ]", LLAVAOV_ERROR_FORMAT, DOWN, "shape"},
    {"nf4-dq", WEIGHTS, "\"nested_blocksize\": 256", "\"nested_blocksize\":   0",
        LLAVAOV_ERROR_FORMAT, DOWN, "nested_blocksize"},
    {"nf4-dq", WEIGHTS, "\"nested_dtype\": \"float32\"", "\"nested_dtype\": \"float16\"",
        LLAVAOV_ERROR_UNSUPPORTED, DOWN, "nested_dtype"},
    {"nf4-dq", WEIGHTS, "\"nested_offset\": 0.", "\"nested_offset\": N.", LLAVAOV_ERROR_FORMAT,
        DOWN, "JSON"},
    /* tensors that are missing, too many, or of another size */
    {"nf4-dq", "", DOWN ".absmax", DOWN ".absmix", LLAVAOV_ERROR_FORMAT, DOWN ".absmax",
        "is missing"},
    {"nf4-dq", "", DOWN ".quant_map", DOWN ".quant_mop", LLAVAOV_ERROR_FORMAT, DOWN ".quant_map",
        "is missing"},
    {"nf4-dq", "", DOWN ".nested_absmax", DOWN ".nested_absmix", LLAVAOV_ERROR_FORMAT, DOWN,
        "nested_absmax is missing"},
    {"nf4-dq", "", DOWN ".nested_quant_map", DOWN ".nested_quant_mop", LLAVAOV_ERROR_FORMAT,
        DOWN ".nested_quant_map", "is missing"},
    {"nf4-dq", "", DOWN ".quant_state", DOWN ".quant_stote", LLAVAOV_ERROR_FORMAT, DOWN,
        "has no quant_state"},
    {"nf4-dq", "", DOWN ".quant_state.bitsandbytes__nf4", DOWN ".quant_state.bitsandbytes__fp4",
        LLAVAOV_ERROR_FORMAT, DOWN ".quant_state.bitsandbytes__fp4", "another type"},
    {"fp4", "", "up_proj.weight.quant_map", "up_proj.weight.nested_absmax", LLAVAOV_ERROR_FORMAT,
        "up_proj.weight", "has no nested scales"},
    {"nf4-dq", NULL, DOWN ".absmax", "model.vision_tower.encoder.layers.0.mlp.fc1.weight.absmax",
        LLAVAOV_ERROR_FORMAT, "weight.absmax has", "bytes of U8"},
    {"nf4-dq", NULL, DOWN ".nested_absmax", DOWN ".nested_quant_map", LLAVAOV_ERROR_FORMAT,
        DOWN ".nested_", "bytes of F32"},
    {"fp4", NULL, "model.language_model.layers.0.mlp.up_proj.weight",
        "model.language_model.layers.0.self_attn.q_proj.weight", LLAVAOV_ERROR_FORMAT,
        "has 320 bytes", "take 128"},
    /* config.json */
    {"nf4-dq", CONFIG, "\"quantization_config\"", "\"quantization_konfig\"", LLAVAOV_ERROR_FORMAT,
        "has a quant_state", "config.json has no quantization_config"},
    {"nf4-dq", CONFIG, "\"bnb_4bit_quant_type\": \"nf4\"", "\"bnb_4bit_quant_type\": \"fp4\"",
        LLAVAOV_ERROR_FORMAT, "quant_state.bitsandbytes__nf4", "another type"},
    {"nf4-dq", CONFIG, "\"bnb_4bit_quant_type\": \"nf4\"", "\"bnb_4bit_quant_type\": \"af4\"",
        LLAVAOV_ERROR_UNSUPPORTED, "quantization_config.bnb_4bit_quant_type", "\"af4\""},
    {"nf4-dq", CONFIG, "\"load_in_8bit\": false", "\"load_in_8bit\": true ",
        LLAVAOV_ERROR_UNSUPPORTED, "load_in_8bit is true", "four bits"},
    {"nf4-dq", CONFIG, "\"load_in_4bit\": true", "\"load_in_4bit\": false",
        LLAVAOV_ERROR_UNSUPPORTED, "bitsandbytes", "quantization_config"},
    {"nf4-dq", CONFIG, "\"quant_method\": \"bitsandbytes\"", "\"quant_method\": \"gptq\"",
        LLAVAOV_ERROR_UNSUPPORTED, "quantised with GPTQ", "quantization_config"},
    {"nf4-dq", CONFIG, "\"quant_method\": \"bitsandbytes\"", "\"quant_method\": \"awq\"",
        LLAVAOV_ERROR_UNSUPPORTED, "quantised with AWQ", "quantization_config"},
    {"nf4-dq", CONFIG, "\"quant_method\": \"bitsandbytes\"", "\"quant_method\": \"fp8\"",
        LLAVAOV_ERROR_UNSUPPORTED, "quantised with FP8", "quantization_config"},
    {"fp4", CONFIG, "layers.*.down_proj", "layers.*.up_proj", LLAVAOV_ERROR_FORMAT, DOWN,
        "llm_int8_skip_modules"},
    {"fp4", CONFIG, "layers.*.down_proj", "layers.(a+)+.down_proj", LLAVAOV_ERROR_UNSUPPORTED,
        "quantization_config.llm_int8_skip_modules", "pattern"},
};

static void damage_is_named(void **state)
{
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const Damage *d = &damages[i];
        Folder folder;
        LvCheckpoint *checkpoint;
        LlavaovError error = {0};
        copy_golden(&folder, d->golden);
        if (!d->file)
            swap_names(&folder, d->from, d->to);
        else if (!*d->file)
            folder_edit_header(&folder, WEIGHTS, d->from, d->to);
        else
            folder_edit(&folder, d->file, d->from, d->to);
        LlavaovStatus status = lv_checkpoint_open(folder.path, &checkpoint, &error);
        if (status != d->status || !strstr(error.message, d->word) ||
            !strstr(error.message, d->other))
            fail_msg("%s to %s: wanted %s with \"%s\" and \"%s\": %s, \"%s\"", d->from, d->to,
                llavaov_status_name(d->status), d->word, d->other, llavaov_status_name(status),
                error.message);
        assert_true(*error.subject);
        folder_remove(&folder);
    }
}

/* Numbers that are none are found when the weight is loaded; wrong values of codes before. */
static void bad_numbers_are_named(void **state)
{
    const struct {
        const char *golden, *tensor, *canonical;
        bool opens;
    } cases[] = {
        {"fp4", "model.language_model.layers.0.mlp.up_proj.weight.absmax",
            "T.layers.0.mlp.up_proj.weight", true},
        {"nf4-dq", DOWN ".nested_absmax", "T.layers.0.mlp.down_proj.weight", true},
        {"nf4-dq", DOWN ".quant_map", NULL, false},
    };
    const LvBackendOptions options = {.device = "cpu", .threads = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folder folder;
        LvCheckpoint *checkpoint;
        LvBackend *backend;
        LvWeight *weight;
        LlavaovError error = {0};
        copy_golden(&folder, cases[i].golden);
        overwrite(&folder, cases[i].tensor, 0, 4, 0xFF);
        LlavaovStatus status = lv_checkpoint_open(folder.path, &checkpoint, &error);
        assert_int_equal(status == LLAVAOV_OK, cases[i].opens);
        if (cases[i].opens) {
            const LvHostTensor *tensor = lv_checkpoint_tensor(checkpoint, cases[i].canonical);
            assert_int_equal(lv_backend_open(&options, &backend, &error), LLAVAOV_OK);
            status =
                backend->ops->weight_load(backend, &tensor, 1, LV_WEIGHT_LINEAR, &weight, &error);
            assert_int_equal(status, LLAVAOV_ERROR_NUMERIC);
            assert_non_null(strstr(error.message, "absmax"));
            backend->ops->close(backend);
            lv_checkpoint_close(checkpoint);
        } else
            assert_string_equal(error.subject, cases[i].tensor);
        assert_int_equal(error.about, LLAVAOV_ABOUT_TENSOR);
        folder_remove(&folder);
    }
}

/* As transformers' should_convert_module (5.24) decides. */
static void patterns_fit(void **state)
{
    const struct {
        const char *pattern, *module;
        bool fits;
    } cases[] = {
        {"lm_head", "lm_head", true},
        {"lm_head", "model.lm_head", true},
        {"layer.1", "layer.1.attn", true},
        {"layer.1", "layer.11.attn", false},
        {"layer.*", "layer.11.attn", true},
        {"mlp.gate", "mlp.gate_proj", false},
        {"fc1", "model.decoder.layers.23.fc1", true},
        {"fc1", "model.decoder.layers.23.fc12", false},
        {"multi_modal_projector", "model.multi_modal_projector.linear_1", false},
        {"model.multi_modal_projector", "model.multi_modal_projector.linear_1", true},
        {".*mlp", "model.layers.0.mlp.fc1", true},
        {"model\\.layers", "model.layers.0", true},
        {"model\\.layers", "modelxlayers.0", false},
        {"m.*l.*x.*y.*z", "mlmlmlmlmlmlmlml", false},
        {"", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *pattern = (char *)cases[i].pattern;
        const LvQuantisation quantisation = {.skip = &pattern, .n_skip = *pattern ? 1 : 0};
        if (lv_bnb_skipped(&quantisation, cases[i].module) != cases[i].fits)
            fail_msg("%s, %s", cases[i].pattern, cases[i].module);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_open),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(bad_numbers_are_named),
        cmocka_unit_test(patterns_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
