/* SPDX-License-Identifier: Apache-2.0
 * Quantising a folder: a checkpoint folder of four bits, as transformers saves one with bitsandbytes, or of this
 * engine's own integers. */
#include "serve/quantise.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "checkpoint/integers.h"
#include "checkpoint/json.h"
#include "checkpoint/shards.h"
#include "checkpoint/tensor_list.h"
#include "model/model.h"
#include "model/try.h"

#define INDEX "model.safetensors.index.json"

static LlavaovStatus path_to(
    char path[PATH_MAX], const char *folder, const char *name, LlavaovError *error)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, folder, "%s: the path is too long", folder);
    return LLAVAOV_OK;
}

static LlavaovStatus write_text(
    const char *path, const char *text, size_t bytes, LlavaovError *error)
{
    FILE *out = fopen(path, "wbx");
    bool good = out && fwrite(text, 1, bytes, out) == bytes;
    good = out && fclose(out) == 0 && good;
    return good ? LLAVAOV_OK
                : lv_fail(error, LLAVAOV_ERROR_IO, path, "%s: %s", path, strerror(errno));
}

static LlavaovStatus write_json(const char *path, const json_t *root, LlavaovError *error)
{
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    LlavaovStatus status =
        text ? write_text(path, text, strlen(text), error)
             : lv_fail(error, LLAVAOV_ERROR_MEMORY, path, "%s: out of memory", path);
    free(text);
    return status;
}

/* ---- which tensors ---- */

typedef struct Names {
    const LvCheckpoint *checkpoint;
    const char **names;
    size_t n;
} Names;

static LlavaovStatus take_linear(void *data, const LvExpectedTensor *expected)
{
    Names *names = data;
    const LvHostTensor *tensor = lv_checkpoint_tensor(names->checkpoint, expected->name);
    if (tensor && expected->linear && strncmp(expected->name, "HEAD.", 5) != 0 &&
        names->n < LV_MAX_TENSORS)
        names->names[names->n++] = tensor->name;
    return LLAVAOV_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- what is no weight ---- */

static bool ends_with(const char *name, const char *suffix)
{
    const size_t n = strlen(name), m = strlen(suffix);
    return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* The tokenizer's files, templates and the like; other programs' weights stay behind. */
static bool is_copied(const char *name)
{
    static const char *const kinds[] = {".json", ".txt", ".jinja", ".model", ".md", ".tiktoken"};
    bool copied = strncmp(name, "LICENSE", 7) == 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        copied |= ends_with(name, kinds[i]);
    return copied && *name != '.' && strcmp(name, "config.json") != 0 &&
           !ends_with(name, ".index.json");
}

static LlavaovStatus copy_others(const char *from, const char *to, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    DIR *folder = opendir(from);
    if (!folder)
        return lv_fail(error, LLAVAOV_ERROR_IO, from, "%s: %s", from, strerror(errno));
    for (struct dirent *entry; status == LLAVAOV_OK && (entry = readdir(folder));) {
        char source[PATH_MAX], target[PATH_MAX], *text;
        size_t bytes;
        if (!is_copied(entry->d_name))
            continue;
        LV_TRY(path_to(source, from, entry->d_name, error));
        LV_TRY(path_to(target, to, entry->d_name, error));
        LV_TRY(lv_file_read(source, LV_MAX_TOKENIZER_BYTES, &text, &bytes, error));
        status = write_text(target, text, bytes, error);
        lv_free(text);
    }
done:
    closedir(folder);
    return status;
}

/* As transformers writes it; the last file, since a folder without it is no checkpoint. */
static LlavaovStatus write_config(
    const char *from, const char *to, const LvQuantised *q, LlavaovError *error)
{
    char source[PATH_MAX], target[PATH_MAX], *text = NULL;
    size_t bytes;
    json_t *root = NULL, *quantised = NULL;
    LlavaovStatus status;
    LV_TRY(path_to(source, from, "config.json", error));
    LV_TRY(path_to(target, to, "config.json", error));
    LV_TRY(lv_file_read(source, LV_MAX_CONFIG_BYTES, &text, &bytes, error));
    LV_TRY(lv_json_parse(text, bytes, source, false, &root, error));
    quantised =
        q->int8
            ? json_pack("{ss si}", "quant_method", LV_INTEGERS_METHOD, "bits", q->int4 ? 4 : 8)
            : json_pack("{ss sb sb sb sb ss ss ss sb sb sb sf sn}", "quant_method", "bitsandbytes",
                  "_load_in_4bit", 1, "_load_in_8bit", 0, "load_in_4bit", 1, "load_in_8bit", 0,
                  "bnb_4bit_quant_type", lv_dtype_name(q->type), "bnb_4bit_compute_dtype",
                  "float32", "bnb_4bit_quant_storage", "uint8", "bnb_4bit_use_double_quant",
                  q->nested, "llm_int8_enable_fp32_cpu_offload", 0, "llm_int8_has_fp16_weight", 0,
                  "llm_int8_threshold", 6.0, "llm_int8_skip_modules");
    if (!quantised || json_object_set_new(root, "quantization_config", quantised) != 0)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, target, "%s: out of memory", target));
    LV_TRY(write_json(target, root, error));
done:
    json_decref(root);
    lv_free(text);
    return status;
}

static LlavaovStatus quantise_files(
    const char *from, const char *to, LvQuantising *q, LlavaovError *error)
{
    char source[PATH_MAX], target[PATH_MAX];
    LvShards shards = {0};
    json_t *index = NULL;
    LlavaovStatus status;
    LV_TRY(lv_shards_find(from, &shards, error));
    for (size_t i = 0; i < shards.n_files; i++) {
        LvSafetensors file = {0};
        LV_TRY(path_to(source, from, shards.files[i], error));
        LV_TRY(path_to(target, to, shards.files[i], error));
        LV_TRY(lv_safetensors_open(source, shards.files[i], &file, error));
        status = lv_quantise_file(q, &file, shards.files[i], target, error);
        lv_safetensors_close(&file);
        LV_TRY(status);
    }
    if (shards.n_entries) {
        index = json_pack("{s{sI} sO}", "metadata", "total_size", (json_int_t)q->total,
            "weight_map", q->weight_map);
        LV_TRY(path_to(target, to, INDEX, error));
        LV_TRY(write_json(target, index, error));
    }
done:
    json_decref(index);
    lv_shards_free(&shards);
    return status;
}

LlavaovStatus lv_quantise_folder(
    const char *from, const char *to, const LvQuantiseOptions *o, LlavaovError *error)
{
    LvQuantising q = {.quantised = lv_cpu_quantised(o->precision), .weight_map = json_object()};
    const LvBackendOptions options = {.device = "cpu",
        .threads = o->threads,
        .cpu_mask = o->cpu_mask,
        .precision = q.quantised.int8 ? o->precision : LLAVAOV_PRECISION_AUTO};
    LvCheckpoint *checkpoint = NULL;
    LvBackend *backend = NULL;
    Names names = {0};
    LvModel *model = NULL;
    LlavaovStatus status;
    if (q.quantised.type == LV_F32 && !q.quantised.int8)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "precision",
            "--precision must be int8, int4, nf4, fp4, nf4-dq or fp4-dq"));
    LV_TRY(lv_checkpoint_open(from, &checkpoint, error));
    if (lv_checkpoint_config(checkpoint)->quantisation.present)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, from,
            "%s is quantised already; take the checkpoint that it was made from", from));
    names = (Names){checkpoint, lv_calloc(LV_MAX_TENSORS, sizeof *names.names), 0};
    if (!names.names || !q.weight_map)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, from, "%s: out of memory", from));
    LV_TRY(lv_tensor_list(lv_checkpoint_config(checkpoint), take_linear, &names));
    qsort(names.names, names.n, sizeof *names.names, by_text);
    LV_TRY(lv_backend_open(&options, &backend, error));
    if (q.quantised.int8) {
        names.n = 0;
        LV_TRY(lv_made_integers_watch(&q.integers, backend, error));
        LV_TRY(lv_model_open(checkpoint, backend, o->progress, o->progress_data, &model, error));
    }
    if (mkdir(to, 0777) != 0)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_IO, to, "%s: %s", to, strerror(errno)));
    q.cpu = lv_cpu(backend);
    q.names = names.names;
    q.n_names = names.n;
    LV_TRY(quantise_files(from, to, &q, error));
    LV_TRY(copy_others(from, to, error));
    LV_TRY(write_config(from, to, &q.quantised, error));
done:
    lv_model_close(model);
    if (backend)
        backend->ops->close(backend);
    lv_made_integers_close(&q.integers);
    lv_checkpoint_close(checkpoint);
    lv_free(names.names);
    json_decref(q.weight_map);
    return status;
}
