/* SPDX-License-Identifier: Apache-2.0
 * Folders and paths that are no checkpoint: one sentence each, which says what is wrong and what to
 * do, whichever function opens them. */
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
#include "checkpoint/recognise.h"
#include "folder.h"

#define POINTER                                                                                    \
    "version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 1787445680\n"
#define OURS "{\"model_type\":\"llava_onevision\"}"
#define TYPE(name) "config.json|{\"model_type\":\"" name "\"}"
#define QUANTISED(fields) "config.json|{\"model_type\":\"llava_onevision\"," fields "}"
#define HUB ".cache/huggingface/download/"

typedef struct Case {
    const char *base; /* "" an empty folder; "mini" a good checkpoint; "shards" one of two files */
    /* "name|content" makes a file and the folders above it, "name" removes one, "name>to" makes a
     * link. */
    const char *files[6];
    LlavaovStatus status;
    const char *says, *advises;
} Case;

#define NOT_FOUND LLAVAOV_ERROR_NOT_FOUND
#define FORMAT LLAVAOV_ERROR_FORMAT
#define UNSUPPORTED LLAVAOV_ERROR_UNSUPPORTED

static const Case cases[] = {
    /* other models */
    {"", {TYPE("llavaonevision1_5")}, UNSUPPORTED, "this is LLaVA-OneVision-1.5, another model",
        "take a LLaVA-OneVision checkpoint, for example llava-hf/"},
    {"", {TYPE("llava_onevision1_5")}, UNSUPPORTED, "LLaVA-OneVision-1.5", "take a"},
    {"", {"config.json|{\"architectures\":[\"LLaVAOneVision1_5_ForConditionalGeneration\"]}"},
        UNSUPPORTED, "LLaVA-OneVision-1.5", "take a"},
    {"", {TYPE("llava_onevision2")}, UNSUPPORTED, "LLaVA-OneVision-2", "take a"},
    {"",
        {"config.json|{\"model_type\":\"llava_onevision\",\"architectures\":[\""
         "LlavaOneVisionForConditionalGeneration\"]}"},
        UNSUPPORTED, "NeMo's export of LLaVA-OneVision", "take a"},
    {"", {"config.json|{\"model_type\":\"llava_onevision\",\"architectures\":[\"MyModel\"]}"},
        UNSUPPORTED, "architectures has \"MyModel\", which is not known here",
        "write LlavaOnevisionForConditionalGeneration there"},
    {"",
        {"config.json|{\"model_type\":\"llava_qwen\",\"num_attention_heads\":16,"
         "\"num_key_value_heads\":16,\"image_grid_pinpoints\":[[384,768],[768,384],[768,768],"
         "[1152,384],[384,1152]]}"},
        UNSUPPORTED, "this is llava-next-interleave", "take a"},
    {"", {TYPE("LLaVA_OneVision")}, UNSUPPORTED, "model_type is \"LLaVA_OneVision\"",
        "only llava_onevision and"},
    {"", {TYPE("llava_onevision_moe")}, UNSUPPORTED, "model_type is \"llava_onevision_moe\"",
        "take a"},
    {"", {"config.json|{\"model_type\":\"llava\",\"text_config\":{}}"}, UNSUPPORTED,
        "this is LLaVA 1.5", "take a"},
    {"", {"config.json|{\"model_type\":\"llava\",\"architectures\":[\"LlavaLlamaForCausalLM\"]}"},
        UNSUPPORTED, "this is LLaVA 1.5", "take a"},
    {"", {TYPE("llava_next")}, UNSUPPORTED, "this is LLaVA-NeXT", "take a"},
    {"", {TYPE("qwen2_vl")}, UNSUPPORTED, "this is Qwen2-VL", "take a"},
    {"", {TYPE("qwen2")}, UNSUPPORTED, "Qwen2, a language model that sees no pictures", "take a"},
    {"", {"config.json|{\"hidden_size\":7}"}, FORMAT, "model_type is missing", "take a"},
    {"", {TYPE("bert")}, UNSUPPORTED, "model_type is \"bert\"", "take a"},
    /* quantised weights */
    {"mini", {QUANTISED("\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}")},
        UNSUPPORTED, "quantised with GPTQ", "take the checkpoint that they were made from"},
    {"mini", {QUANTISED("\"quantization_config\":{\"quant_method\":\"awq\"}")}, UNSUPPORTED,
        "quantised with AWQ", "take the"},
    {"mini", {QUANTISED("\"quantization_config\":{\"quant_method\":\"compressed-tensors\"}")},
        UNSUPPORTED, "quantised with compressed-tensors", "take the"},
    {"mini", {QUANTISED("\"quantization_config\":{\"load_in_8bit\":true}")}, UNSUPPORTED,
        "quantised with bitsandbytes in 8 bits", "only bitsandbytes' four bits"},
    {"mini", {QUANTISED("\"quantization_config\":{\"quant_method\":\"fp8\"}")}, UNSUPPORTED,
        "quantised with FP8", "take the"},
    {"mini", {QUANTISED("\"text_config\":{\"quantization_config\":{\"quant_method\":\"hqq\"}}")},
        UNSUPPORTED,
        "text_config.quantization_config is present: the weights are quantised with hqq",
        "take the"},
    {"mini", {QUANTISED("\"quantization\":{\"bits\":4,\"group_size\":64}")}, UNSUPPORTED,
        "quantised with MLX", "take the"},
    /* formats */
    {"", {"model-q4.gguf|GGUF"}, UNSUPPORTED, "a GGUF file, model-q4.gguf",
        "take a checkpoint of *.safetensors"},
    {"", {"config.json|" OURS, "model.gguf|GGUF"}, UNSUPPORTED, "a GGUF file, model.gguf",
        "take a"},
    {"", {"onnx/decoder_model_merged.onnx|x"}, UNSUPPORTED, "an ONNX export", "take a"},
    {"", {"config.json|" OURS, "onnx/decoder_model_merged.onnx|x"}, UNSUPPORTED, "an ONNX export",
        "fetch model.safetensors from the same repository"},
    {"", {"llava-ov.nemo|x"}, UNSUPPORTED, "llava-ov.nemo: another program's format", "take a"},
    {"mini", {"model.safetensors", "tf_model.h5|x"}, UNSUPPORTED,
        "tf_model.h5: another program's format", "take a checkpoint of *.safetensors"},
    {"mini", {"model.safetensors", "pytorch_model.bin|x"}, NOT_FOUND,
        "pytorch_model.bin: pickled weights are not supported", "convert them"},
    {"mini", {"model.safetensors", "consolidated.pth|x", "b.pt|x"}, NOT_FOUND,
        "b.pt (and 1 more): pickled weights", "save_pretrained"},
    /* adapters */
    {"",
        {"adapter_config.json|{\"base_model_name_or_path\":\"llava-hf/x\"}",
            "adapter_model.safetensors|x"},
        UNSUPPORTED, "this is a LoRA adapter alone",
        "merge it into its base model (llava-hf/x) with PEFT's merge_and_unload()"},
    {"", {"adapter_config.json|{", "adapter_model.bin|x", "config.json|" OURS}, UNSUPPORTED,
        "this is a LoRA adapter alone", "merge it into its base model with PEFT's"},
    {"mini", {"adapter_config.json|{}"}, UNSUPPORTED, "a LoRA adapter (adapter_config.json) lies",
        "merge it into them"},
    /* pointers and halves */
    {"mini", {"model.safetensors|" POINTER}, FORMAT,
        "model.safetensors: this is a Git LFS pointer, not the file itself",
        "fetch it with: git lfs pull"},
    {"mini", {"tokenizer.json|" POINTER, "model.safetensors|" POINTER}, FORMAT,
        "model.safetensors (and 1 more): this is a Git LFS pointer", "git lfs pull"},
    {"mini", {"config.json|" POINTER}, FORMAT, "config.json: this is a Git LFS pointer",
        "hf download"},
    {"shards", {"model-00002-of-00002.safetensors"}, NOT_FOUND,
        "model-00002-of-00002.safetensors: no such file, which model.safetensors.index.json names: "
        "1 of 2 are missing",
        "fetch it again (hf download"},
    {"shards", {"model.safetensors.index.json"}, NOT_FOUND,
        "model.safetensors.index.json: no such file beside model-00001-of-00002.safetensors",
        "fetch it from"},
    {"mini", {"model.safetensors", HUB "abc.incomplete|x"}, NOT_FOUND,
        "the download is unfinished (abc.incomplete)", "fetch it again"},
    {"mini", {"model.safetensors", "model.safetensors.part|x"}, NOT_FOUND,
        "the download is unfinished (model.safetensors.part)", "fetch it again"},
    {"mini", {"model.safetensors", "model.safetensors>../../blobs/0123"}, NOT_FOUND,
        "model.safetensors: no such file behind this link", "fetch it again"},
    {"mini", {"model.safetensors"}, NOT_FOUND, "no *.safetensors file in this folder, only small",
        "fetch the weights"},
    {"mini", {"config.json"}, NOT_FOUND, "config.json: no such file beside model.safetensors",
        "fetch it"},
    {"", {".gitattributes|x", HUB "abc.incomplete|x"}, NOT_FOUND,
        "config.json: no such file: the download is unfinished", "fetch it again"},
    /* not checkpoint folders */
    {"", {NULL}, NOT_FOUND, "the folder is empty", "hf download llava-hf/"},
    {"", {"README.md|x"}, NOT_FOUND, "this is no checkpoint folder", "give the one that holds"},
    {"", {"checkpoint-500/config.json|{}"}, NOT_FOUND, "no config.json in this folder",
        "/checkpoint-500"},
    {"", {"refs/main|abc123", "snapshots/aaa/x|", "snapshots/abc123/config.json|" OURS}, NOT_FOUND,
        "this is the Hugging Face cache", "/snapshots/abc123"},
    {"", {"snapshots/aaa/config.json|" OURS}, NOT_FOUND, "this is the Hugging Face cache",
        "/snapshots/aaa"},
    {"", {"refs/main|abc123", "snapshots/.keep|"}, NOT_FOUND, "no snapshot of a model is in it",
        "hf download"},
    {"", {"models--llava-hf--x/snapshots/aaa/config.json|" OURS}, NOT_FOUND,
        "this is the Hugging Face cache", "/models--llava-hf--x/snapshots/aaa"},
    /* broken JSON */
    {"mini", {"config.json|{\n \"model_type\": \"llava_onevision\"\n \"x\": 1}"}, FORMAT,
        "config.json: broken JSON at line 3", "mend it, or fetch the file again"},
    {"mini", {"config.json|"}, FORMAT, "the file is empty", "fetch it again"},
    {"mini", {"config.json|[]"}, FORMAT, "the JSON is not an object", "mend it"},
    {"shards", {"model.safetensors.index.json|{"}, FORMAT, "broken JSON at line 1", ""},
};

static void make_parents(const Folder *folder, const char *name)
{
    char path[512];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof path, "%s/%.*s", folder->path, (int)(slash - name), name);
        mkdir(path, 0755);
    }
}

static void build(Folder *folder, const Case *one)
{
    if (*one->base)
        folder_write(folder, strcmp(one->base, "shards") ? NULL : "shards=2");
    else
        folder_make(folder);
    for (size_t i = 0; i < 6 && one->files[i]; i++) {
        char name[256];
        const char *bar = strchr(one->files[i], '|'), *link = strchr(one->files[i], '>');
        size_t n = bar ? (size_t)(bar - one->files[i]) : strcspn(one->files[i], ">");
        snprintf(name, sizeof name, "%.*s", (int)n, one->files[i]);
        make_parents(folder, name);
        if (bar)
            folder_put_text(folder, name, bar + 1);
        else if (link) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", folder->path, name);
            assert_int_equal(symlink(link + 1, path), 0);
        } else
            folder_delete(folder, name);
    }
}

static void drop(const Folder *folder)
{
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder->path);
    assert_int_equal(system(command), 0);
}

static void expect(const char *path, const Case *one)
{
    LvReasons reasons = {0};
    lv_recognise(path, &reasons);
    if (!reasons.n)
        fail_msg("%s: no reason, wanted \"%s\"", path, one->says);
    LlavaovError error = {0};
    LvCheckpoint *checkpoint;
    assert_int_equal(lv_checkpoint_open(path, &checkpoint, &error), one->status);
    assert_string_equal(error.message, reasons.reason[0].message);
    if (!strstr(error.message, one->says) || !strstr(error.message, one->advises))
        fail_msg("wanted \"%s\" and \"%s\": \"%s\"", one->says, one->advises, error.message);
    assert_true(*error.subject);
    lv_reasons_free(&reasons);
}

static void folders_are_recognised(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Folder folder;
        build(&folder, &cases[i]);
        expect(folder.path, &cases[i]);
        drop(&folder);
    }
}

static void paths_are_recognised(void **state)
{
    static const struct {
        const char *path;
        Case wanted;
    } paths[] = {
        {"llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
            {.status = NOT_FOUND,
                .says = "no such checkpoint folder",
                .advises = "hf download llava-hf/llava-onevision-qwen2-0.5b-ov-hf --local-dir"}},
        {"https://huggingface.co/llava-hf/x",
            {.status = NOT_FOUND, .says = "no such", .advises = "hf download llava-hf/x "}},
        {"file:///models/x",
            {.status = NOT_FOUND, .says = "no such", .advises = "without file://"}},
        {"~/models/x", {.status = NOT_FOUND, .says = "no such", .advises = "write the whole path"}},
        {"/no/such/folder", {.status = NOT_FOUND, .says = "no such", .advises = "give the path"}},
        {"", {.status = NOT_FOUND, .says = "is empty", .advises = ""}},
        {"/dev/null", {.status = NOT_FOUND, .says = "not a folder", .advises = "perhaps /dev"}},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect(paths[i].path, &paths[i].wanted);
}

/* What may not be read; as another user, because root may read everything. */
static void forbidden_folders_are_recognised(void **state)
{
    static const Case file = {.status = LLAVAOV_ERROR_IO,
                          .says = "model.safetensors: cannot be opened: permission denied",
                          .advises = "let this user read it"},
                      folder_itself = {.status = LLAVAOV_ERROR_IO,
                          .says = "ermission denied",
                          .advises = "let this user read it"};
    const bool root = geteuid() == 0;
    Folder folder;
    folder_write(&folder, NULL);
    char path[512];
    snprintf(path, sizeof path, "%s/model.safetensors", folder.path);
    assert_int_equal(chmod(folder.path, 0755), 0);
    assert_int_equal(chmod(path, 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    expect(folder.path, &file);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(folder.path, 0), 0);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    expect(folder.path, &folder_itself);
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(folder.path, 0755), 0);
    drop(&folder);
}

static void good_folders_are_left_alone(void **state)
{
    static const Case good[] = {
        {"mini", {"onnx/model.onnx|x", "README.md|x", "cat.jpg|x", ".gitattributes|x"}, 0, "", ""},
        {"mini", {HUB "abc.incomplete|x", "pytorch_model.bin|x", "model.gguf|x"}, 0, "", ""},
        {"shards", {"training_args.bin|x", "optimizer.pt|x", "checkpoint-1/config.json|{}"}, 0, "",
            ""},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Folder folder;
        LvReasons reasons = {0};
        build(&folder, &good[i]);
        lv_recognise(folder.path, &reasons);
        if (reasons.n)
            fail_msg("%s", reasons.reason[0].message);
        LvCheckpoint *checkpoint;
        assert_int_equal(lv_checkpoint_open(folder.path, &checkpoint, NULL), LLAVAOV_OK);
        lv_checkpoint_close(checkpoint);
        drop(&folder);
    }
}

static void every_reason_is_found(void **state)
{
    static const Case many = {"shards",
        {"model-00002-of-00002.safetensors", "tokenizer.json|" POINTER, "adapter_config.json|{}",
            QUANTISED("\"architectures\":[\"LlavaOneVisionForConditionalGeneration\"],"
                      "\"quantization_config\":{\"quant_method\":\"awq\"}")},
        0, "", ""};
    Folder folder;
    LvReasons reasons = {0};
    build(&folder, &many);
    lv_recognise(folder.path, &reasons);
    assert_int_equal(reasons.n, 5);
    lv_reasons_free(&reasons);
    drop(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_recognised),
        cmocka_unit_test(paths_are_recognised),
        cmocka_unit_test(forbidden_folders_are_recognised),
        cmocka_unit_test(good_folders_are_left_alone),
        cmocka_unit_test(every_reason_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
