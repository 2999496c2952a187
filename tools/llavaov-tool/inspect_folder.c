/* SPDX-License-Identifier: Apache-2.0
 * inspect: looking at a folder, past the first thing that is wrong with it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/json.h"
#include "checkpoint/listing.h"
#include "checkpoint/preprocessor_config.h"
#include "checkpoint/recognise.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shards.h"
#include "inspect.h"
#include "text/tokenizer.h"

#define MAX_FAULTS 32 /* of one configuration */

static bool path_in(const Inspection *in, const char *name, char path[PATH_MAX])
{
    return lv_path_join(path, in->folder, name);
}

static bool has_file(const Inspection *in, const char *name)
{
    char path[PATH_MAX];
    return path_in(in, name, path) && !access(path, F_OK);
}

/* A small JSON file of the folder; NULL when it is absent or broken. */
static json_t *load(const Inspection *in, const char *name)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    json_t *root = NULL;
    LlavaovError error = {0};
    if (!path_in(in, name, path) || lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, &error))
        return NULL;
    lv_json_parse(text, bytes, path, false, &root, &error);
    lv_free(text);
    return root;
}

/* Whether a reason is about this field, or this file in any folder. */
static bool blamed(const Inspection *in, const char *name)
{
    for (size_t i = 0; i < in->reasons.n; i++) {
        const char *subject = in->reasons.reason[i].subject, *slash = strrchr(subject, '/');
        if (strcmp(slash ? slash + 1 : subject, name) == 0)
            return true;
    }
    return false;
}

/* ---- config.json ---- */

/* Takes the field at a path such as "text_config.rope_scaling" out; whether it was there. */
static bool take_out(json_t *root, const char *path)
{
    char part[256];
    const char *dot = strchr(path, '.');
    snprintf(part, sizeof part, "%.*s", (int)(dot ? dot - path : (long)strlen(path)), path);
    json_t *value = json_object_get(root, part);
    if (dot && json_is_object(value))
        return take_out(value, dot + 1);
    return value && !json_is_null(value) && !json_object_set_new(root, part, json_null());
}

/* The parser stops at its first error; without the field that it names, it finds the next. */
static void read_config(Inspection *in)
{
    char path[PATH_MAX];
    json_t *root = load(in, "config.json");
    if (!root || !path_in(in, "config.json", path) || blamed(in, "model_type") ||
        blamed(in, "architectures")) {
        json_decref(root);
        return;
    }
    bool whole = true;
    static const char *const said[] = {"quantization_config", "text_config.quantization_config"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        take_out(root, said[i]);
    for (int i = 0; i < MAX_FAULTS; i++) {
        char *text = json_dumps(root, JSON_REAL_PRECISION(17));
        LvConfig config;
        LlavaovError error = {0};
        if (!text)
            break;
        LlavaovStatus status = lv_config_parse(text, strlen(text), path, &config, &error);
        free(text);
        if (status == LLAVAOV_OK) {
            in->has_config = whole;
            if (whole)
                in->config = config;
            else
                lv_config_free(&config);
            break;
        }
        whole = false;
        lv_reason_add(&in->reasons, &error);
        if (!take_out(root, error.subject))
            break;
    }
    json_decref(root);
}

static void read_generation(Inspection *in)
{
    char path[PATH_MAX], *text;
    size_t bytes;
    LlavaovError error = {0};
    const bool own = has_file(in, "generation_config.json");
    if (!path_in(in, own ? "generation_config.json" : "config.json", path) ||
        lv_listing_pointer(in->folder, "generation_config.json") ||
        lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, &error))
        return;
    lv_generation_config_init(&in->generation);
    LlavaovStatus status =
        own ? lv_generation_config_parse(text, bytes, path, &in->generation, &error)
            : lv_generation_config_parse_model(text, bytes, path, &in->generation, &error);
    in->has_generation = status == LLAVAOV_OK;
    if (status != LLAVAOV_OK && own)
        lv_reason_add(&in->reasons, &error);
    if (in->has_generation && in->has_config)
        lv_generation_config_check(&in->generation, in->generation.do_sample, LLAVAOV_SETTING_ALL,
            in->config.text.vocab_size, &in->generation_refusal);
    lv_free(text);
}

/* What refuses all pictures of one kind is a reason. */
static void refused_kinds(Inspection *in)
{
    const LvConfig *c = &in->config;
    const struct {
        const char *kind;
        const LvRefusal *refusal;
    } kinds[] = {{"images", &c->image.refusal}, {"videos", &c->video.refusal},
        {"single pictures", &c->single_refusal}};
    for (int i = 0; i < 3; i++)
        if (*kinds[i].refusal->reason)
            lv_reason(&in->reasons, LLAVAOV_ERROR_UNSUPPORTED, kinds[i].refusal->field,
                "%.200s: %s are refused: %s", in->folder, kinds[i].kind, kinds[i].refusal->reason);
}

/* How pictures are prepared. */
static void read_preprocessing(Inspection *in)
{
    static const char *const names[3] = {
        "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"};
    char paths[3][PATH_MAX], *texts[3] = {0};
    LvJsonFile files[3] = {0};
    LlavaovError error = {0};
    if (!in->has_config)
        return;
    for (int i = 0; i < 3 && !in->config.original_layout; i++) {
        size_t bytes;
        if (path_in(in, names[i], paths[i]) && !lv_listing_pointer(in->folder, names[i]) &&
            !lv_file_read(paths[i], LV_MAX_CONFIG_BYTES, &texts[i], &bytes, &error))
            files[i] = (LvJsonFile){texts[i], bytes, paths[i]};
        in->n_preprocessors += files[i].text != NULL;
    }
    if (lv_preprocess_parse(
            &(LvPreprocessFiles){files[0], files[1], files[2]}, &in->config, &error))
        lv_reason_add(&in->reasons, &error);
    refused_kinds(in);
    for (int i = 0; i < 3; i++)
        lv_free(texts[i]);
}

/* ---- weights ---- */

static void count_tensors(Inspection *in, const LvSafetensors *file)
{
    for (size_t i = 0; i < file->n_tensors; i++) {
        const LvSafetensor *tensor = &file->tensors[i];
        uint64_t n = 1;
        for (uint32_t d = 0; d < tensor->n_dims; d++)
            n *= tensor->shape[d];
        in->n_parameters += n;
        in->weight_bytes += tensor->end - tensor->begin;
        const json_int_t before = json_integer_value(json_object_get(in->dtypes, tensor->dtype));
        json_object_set_new(in->dtypes, tensor->dtype, json_integer(before + (json_int_t)n));
    }
}

/* Each file by itself; then, if nothing else is wrong, all of them against the configuration. */
static void read_weights(Inspection *in)
{
    LvShards shards;
    LlavaovError error = {0};
    bool good = true;
    in->dtypes = json_object();
    if (lv_shards_find(in->folder, &shards, &error)) {
        if (!in->reasons.n)
            lv_reason_add(&in->reasons, &error);
        return;
    }
    for (size_t i = 0; i < shards.n_files; i++) {
        char path[PATH_MAX];
        LvSafetensors file;
        if (!path_in(in, shards.files[i], path) ||
            lv_safetensors_open(path, shards.files[i], &file, &error)) {
            good = false;
            if (!blamed(in, shards.files[i]) && error.status != LLAVAOV_ERROR_NOT_FOUND &&
                !lv_listing_pointer(in->folder, shards.files[i]))
                lv_reason_add(&in->reasons, &error);
            continue;
        }
        in->n_files++;
        count_tensors(in, &file);
        lv_safetensors_close(&file);
    }
    lv_shards_free(&shards);
    LvCheckpoint *checkpoint;
    if (!good || !in->has_config || in->reasons.n)
        return;
    if (lv_checkpoint_open(in->folder, &checkpoint, &error))
        lv_reason_add(&in->reasons, &error);
    else
        lv_checkpoint_close(checkpoint);
}

/* ---- words ---- */

static void read_tokenizer(Inspection *in)
{
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    static const char *const files[] = {"tokenizer.json", "vocab.json", "merges.txt"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (blamed(in, files[i]) || lv_listing_pointer(in->folder, files[i]))
            return;
    if (lv_tokenizer_open_folder(in->folder, &tokenizer, &error)) {
        lv_reason_add(&in->reasons, &error);
        return;
    }
    in->tokenizer = has_file(in, "tokenizer.json") ? "tokenizer.json" : "vocab.json, merges.txt";
    in->n_tokens = lv_tokenizer_size(tokenizer);
    const int32_t end = lv_tokenizer_added_token(tokenizer, "<|im_end|>");
    if (in->has_config && end >= (int32_t)in->config.text.vocab_size)
        lv_reason(&in->reasons, LLAVAOV_ERROR_FORMAT, in->tokenizer,
            "%.300s: the tokenizer gives <|im_end|> the id %d, but the model's vocabulary is %u: "
            "they "
            "belong to different models; fetch both from one place",
            in->folder, end, in->config.text.vocab_size);
    lv_tokenizer_close(tokenizer);
}

static void find_template(Inspection *in, const char *choice)
{
    LlavaovChatTemplate *chat_template;
    LlavaovError error = {0};
    if (llavaov_chat_template_open(in->folder, choice, &chat_template, &error)) {
        /* Of a folder whose configuration says nothing, a missing template says nothing either. */
        if (in->has_config || error.status == LLAVAOV_ERROR_FORMAT)
            lv_reason_add(&in->reasons, &error);
        return;
    }
    snprintf(in->chat_template, sizeof in->chat_template, "%s",
        llavaov_chat_template_origin(chat_template));
    llavaov_chat_template_unref(chat_template);
}

void inspection_make(Inspection *in, const char *folder, const char *chat_template)
{
    memset(in, 0, sizeof *in);
    in->folder = folder;
    lv_recognise(folder, &in->reasons);
    if (!has_file(in, "."))
        return;
    if (!has_file(in, "config.json") && in->reasons.n)
        return; /* there is nothing more to say about what is no checkpoint folder */
    read_config(in);
    read_generation(in);
    read_weights(in);
    read_preprocessing(in);
    read_tokenizer(in);
    find_template(in, chat_template);
}

void inspection_free(Inspection *in)
{
    lv_reasons_free(&in->reasons);
    if (in->has_config)
        lv_config_free(&in->config);
    if (in->has_generation)
        lv_generation_config_free(&in->generation);
    json_decref(in->dtypes);
}

/* ---- memory ---- */

InspectionMemory inspection_memory(const Inspection *in)
{
    const LvTextConfig *t = &in->config.text;
    const LvVisionConfig *v = &in->config.vision;
    InspectionMemory memory = {.weights = in->weight_bytes};
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        memory.available = (uint64_t)pages * (uint64_t)page;
    if (!in->has_config)
        return memory;
    memory.cache =
        UINT64_C(2) * t->n_layers * t->n_kv_heads * t->head_dim * t->context_length * sizeof(float);
    const uint64_t width = (uint64_t)v->n_heads * v->head_dim,
                   each = (uint64_t)lv_feature_width(v) + 2 * v->hidden_size + 4 * width +
                          v->intermediate_size + 2 * t->hidden_size;
    memory.encoder = (uint64_t)v->grid * v->grid * each * sizeof(float);
    return memory;
}
