/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"

#define MAX_PARTS 3
#define READ_AHEAD_BYTES ((size_t)8 << 20)
#define PAGE_BYTES 4096

/* The loaded weights in order of loading, and two-dimensional views of tensors that the file stores
 * in another shape. */
struct LvModelStore {
    LvWeight **weights;
    size_t n, capacity;
    LvHostTensor patch_view, newline_view;
};

/* One load in progress; after the first failure every further step does nothing and gives NULL. */
typedef struct Loader {
    LvModel *model;
    const LvCheckpoint *checkpoint;
    LlavaovProgress progress;
    void *progress_data;
    uint64_t done, total;
    LlavaovStatus status;
    LlavaovError *error;
} Loader;

static const LvHostTensor *find(Loader *l, const char *prefix, const char *name)
{
    char canonical[256];
    snprintf(canonical, sizeof canonical, "%s%s", prefix, name);
    const LvHostTensor *tensor = lv_checkpoint_tensor(l->checkpoint, canonical);
    if (!tensor && l->status == LLAVAOV_OK)
        l->status = lv_fail_about(l->error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, canonical,
            "%s: tensor %s is missing", lv_checkpoint_folder(l->checkpoint), canonical);
    return tensor;
}

static bool remember(Loader *l, LvWeight *weight)
{
    struct LvModelStore *store = l->model->store;
    if (store->n == store->capacity) {
        size_t capacity = store->capacity ? 2 * store->capacity : 64;
        LvWeight **grown = lv_realloc(store->weights, capacity, sizeof *grown);
        if (!grown) {
            l->status =
                lv_fail(l->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the list of weights");
            return false;
        }
        store->weights = grown;
        store->capacity = capacity;
    }
    store->weights[store->n++] = weight;
    return true;
}

static void report(Loader *l, uint64_t ahead)
{
    uint64_t done = l->done + ahead < l->total ? l->done + ahead : l->total;
    if (l->status == LLAVAOV_OK && l->progress && !l->progress(l->progress_data, done, l->total))
        l->status = lv_fail(l->error, LLAVAOV_ERROR_CANCELLED, NULL, "loading was cancelled");
}

/* Reads a large tensor from disk piece by piece, so that progress is smooth and cancelling quick
 * even where one tensor takes a second to read. `before`: bytes of the same weight's earlier
 * parts. */
static void read_ahead(Loader *l, const LvHostTensor *tensor, uint64_t before)
{
    const volatile unsigned char *data = tensor->data;
    unsigned char sum = 0;
    for (size_t at = 0; at < tensor->bytes && l->status == LLAVAOV_OK; at += READ_AHEAD_BYTES) {
        const size_t end =
            tensor->bytes - at < READ_AHEAD_BYTES ? tensor->bytes : at + READ_AHEAD_BYTES;
        for (size_t page = at; page < end; page += PAGE_BYTES)
            sum ^= data[page];
        report(l, before + end);
    }
    (void)sum;
}

static LvWeight *load(Loader *l, const LvHostTensor *const *parts, size_t n_parts, unsigned use)
{
    uint64_t before = 0;
    for (size_t i = 0; i < n_parts; before += parts[i++]->bytes)
        if (parts[i]->bytes > READ_AHEAD_BYTES)
            read_ahead(l, parts[i], before);
    if (l->status != LLAVAOV_OK)
        return NULL;
    LvBackend *backend = l->model->backend;
    LvWeight *weight = NULL;
    l->status = backend->ops->weight_load(backend, parts, n_parts, use, &weight, l->error);
    if (l->status != LLAVAOV_OK)
        return NULL;
    if (!remember(l, weight)) {
        backend->ops->weight_free(backend, weight);
        return NULL;
    }
    for (size_t i = 0; i < n_parts; i++)
        l->done += parts[i]->bytes;
    report(l, 0);
    return weight;
}

/* names: up to three tensors below prefix, stacked; unused ones are NULL. */
static LvWeight *load_stacked(Loader *l, const char *prefix, const char *const names[MAX_PARTS],
    const char *suffix, unsigned use)
{
    const LvHostTensor *parts[MAX_PARTS];
    size_t n = 0;
    for (; n < MAX_PARTS && names[n]; n++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", names[n], suffix);
        parts[n] = find(l, prefix, name);
        if (!parts[n])
            return NULL;
    }
    return load(l, parts, n, use);
}

static LvWeight *load_one(Loader *l, const char *prefix, const char *name, unsigned use)
{
    const char *const names[MAX_PARTS] = {name};
    return load_stacked(l, prefix, names, "", use);
}

static LvLinear load_linear(
    Loader *l, const char *prefix, const char *const names[MAX_PARTS], unsigned use, bool bias)
{
    LvLinear linear = {0};
    linear.weight = load_stacked(l, prefix, names, ".weight", use);
    if (bias)
        linear.bias = load_stacked(l, prefix, names, ".bias", LV_WEIGHT_VECTOR);
    return linear;
}

static LvLayerNorm load_norm(Loader *l, const char *prefix, const char *name)
{
    const char *const names[MAX_PARTS] = {name};
    return (LvLayerNorm){load_stacked(l, prefix, names, ".weight", LV_WEIGHT_VECTOR),
        load_stacked(l, prefix, names, ".bias", LV_WEIGHT_VECTOR)};
}

#define OF_LAYER (LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER)

/* The same data viewed as a matrix with the given number of rows. */
static LvHostTensor as_matrix(const LvHostTensor *tensor, uint64_t rows)
{
    LvHostTensor view = *tensor;
    uint64_t count = tensor->n_dims ? 1 : 0;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        count *= tensor->shape[i];
    view.n_dims = 2;
    view.shape[0] = rows;
    view.shape[1] = rows ? count / rows : 0;
    view.shape[2] = view.shape[3] = 0;
    return view;
}

static void load_tower(Loader *l)
{
    LvTower *tower = &l->model->tower;
    const LvVisionConfig *vision = &l->model->config->vision;
    struct LvModelStore *store = l->model->store;

    const LvHostTensor *patch = find(l, "V.embeddings.", "patch_embedding.weight");
    if (!patch)
        return;
    store->patch_view = as_matrix(patch, vision->hidden_size);
    const LvHostTensor *view = &store->patch_view;
    tower->patch.weight = load(l, &view, 1, LV_WEIGHT_LINEAR | LV_WEIGHT_EXEMPT);
    tower->patch.bias = load_one(l, "V.embeddings.", "patch_embedding.bias", LV_WEIGHT_VECTOR);
    tower->position = load_one(l, "V.embeddings.", "position_embedding.weight", LV_WEIGHT_VECTOR);

    static const char *const qkv[MAX_PARTS] = {
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    static const char *const out[MAX_PARTS] = {"self_attn.out_proj"};
    static const char *const fc1[MAX_PARTS] = {"mlp.fc1"};
    static const char *const fc2[MAX_PARTS] = {"mlp.fc2"};
    for (uint32_t i = 0; i < tower->n_layers && l->status == LLAVAOV_OK; i++) {
        LvTowerLayer *layer = &tower->layers[i];
        char prefix[64];
        snprintf(prefix, sizeof prefix, "V.encoder.layers.%u.", i);
        layer->norm1 = load_norm(l, prefix, "layer_norm1");
        layer->qkv = load_linear(l, prefix, qkv, OF_LAYER, true);
        layer->out = load_linear(l, prefix, out, OF_LAYER, true);
        layer->norm2 = load_norm(l, prefix, "layer_norm2");
        layer->fc1 = load_linear(l, prefix, fc1, OF_LAYER, true);
        layer->fc2 = load_linear(l, prefix, fc2, OF_LAYER, true);
    }
}

static void load_projector(Loader *l)
{
    static const char *const first[MAX_PARTS] = {"proj.0"}, *const second[MAX_PARTS] = {"proj.2"};
    const LvConfig *config = l->model->config;
    LvProjector *projector = &l->model->projector;
    char name[32];
    const char *const names[MAX_PARTS] = {name};
    projector->n_layers = config->projector_layers;
    projector->n_blocks = config->projector_blocks;
    for (uint32_t i = 0; i < projector->n_layers && l->status == LLAVAOV_OK; i++) {
        snprintf(name, sizeof name, "linear_%u", i + 1);
        projector->layers[i] =
            load_linear(l, "P.", names, LV_WEIGHT_LINEAR, config->projector_bias);
    }
    for (uint32_t i = 0; i < projector->n_blocks && l->status == LLAVAOV_OK; i++) {
        LvProjectorBlock *block = &projector->blocks[i];
        snprintf(name, sizeof name, "P.block_%u.", lv_projector_block(config, i));
        block->norm = load_norm(l, name, "pre_norm");
        block->first = load_linear(l, name, first, LV_WEIGHT_LINEAR, true);
        block->second = load_linear(l, name, second, LV_WEIGHT_LINEAR, true);
    }
}

/* The newline vector as a tensor of one row: it is copied between rows of features, never
 * multiplied. */
static void load_newline(Loader *l)
{
    LvModel *model = l->model;
    LvBackend *backend = model->backend;
    const LvHostTensor *newline = find(l, "", "NL");
    if (!newline)
        return;
    model->store->newline_view = as_matrix(newline, 1);
    const LvHostTensor *view = &model->store->newline_view;
    LvWeight *table = load(l, &view, 1, LV_WEIGHT_TABLE);
    if (l->status != LLAVAOV_OK)
        return;
    LvRun run = {.error = l->error};
    const int32_t row = 0;
    l->status = backend->ops->tensor_alloc(
        backend, 1, model->config->text.hidden_size, &model->newline, l->error);
    if (l->status == LLAVAOV_OK)
        l->status = backend->ops->embed_tokens(backend, &run, model->newline, &row, table);
    if (l->status == LLAVAOV_OK)
        l->status = backend->ops->synchronize(backend, &run);
}

static void load_decoder(Loader *l)
{
    LvDecoder *decoder = &l->model->decoder;
    bool own_head = lv_checkpoint_tensor(l->checkpoint, "HEAD.weight") != NULL;
    decoder->embed = load_one(l, "T.", "embed_tokens.weight",
        own_head ? LV_WEIGHT_TABLE : LV_WEIGHT_TABLE | LV_WEIGHT_LINEAR | LV_WEIGHT_HEAD);

    static const char *const qkv[MAX_PARTS] = {
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
    static const char *const gate_up[MAX_PARTS] = {"mlp.gate_proj", "mlp.up_proj"};
    for (uint32_t i = 0; i < decoder->n_layers && l->status == LLAVAOV_OK; i++) {
        LvDecoderLayer *layer = &decoder->layers[i];
        char prefix[64];
        snprintf(prefix, sizeof prefix, "T.layers.%u.", i);
        layer->input_norm = load_one(l, prefix, "input_layernorm.weight", LV_WEIGHT_VECTOR);
        layer->qkv = load_linear(l, prefix, qkv, OF_LAYER | LV_WEIGHT_DECODER, true);
        layer->out = load_one(l, prefix, "self_attn.o_proj.weight", OF_LAYER | LV_WEIGHT_DECODER);
        layer->attention_norm =
            load_one(l, prefix, "post_attention_layernorm.weight", LV_WEIGHT_VECTOR);
        layer->gate_up = load_stacked(l, prefix, gate_up, ".weight", OF_LAYER | LV_WEIGHT_DECODER);
        layer->down = load_one(l, prefix, "mlp.down_proj.weight", OF_LAYER | LV_WEIGHT_DECODER);
    }
    decoder->norm = load_one(l, "T.", "norm.weight", LV_WEIGHT_VECTOR);
    decoder->head = own_head ? load_one(l, "HEAD.", "weight",
                                   LV_WEIGHT_LINEAR | LV_WEIGHT_EXEMPT | LV_WEIGHT_HEAD)
                             : decoder->embed;
}

LlavaovStatus lv_model_open(const LvCheckpoint *checkpoint, LvBackend *backend,
    LlavaovProgress progress, void *progress_data, LvModel **model_out, LlavaovError *error)
{
    *model_out = NULL;
    const LvConfig *config = lv_checkpoint_config(checkpoint);
    LvModel *model = lv_calloc(1, sizeof *model);
    if (!model)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the model");
    model->backend = backend;
    model->config = config;
    model->tower.n_layers = config->vision.n_layers_run;
    model->decoder.n_layers = config->text.n_layers;
    model->store = lv_calloc(1, sizeof *model->store);
    model->tower.layers = lv_calloc(model->tower.n_layers, sizeof *model->tower.layers);
    model->decoder.layers = lv_calloc(model->decoder.n_layers, sizeof *model->decoder.layers);
    if (!model->store || !model->tower.layers || !model->decoder.layers) {
        lv_model_close(model);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the model's layers");
    }

    Loader l = {.model = model,
        .checkpoint = checkpoint,
        .progress = progress,
        .progress_data = progress_data,
        .total = lv_checkpoint_weight_bytes(checkpoint),
        .error = error};
    if (progress && !progress(progress_data, 0, l.total))
        l.status = lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "loading was cancelled");
    if (l.status == LLAVAOV_OK)
        load_tower(&l);
    if (l.status == LLAVAOV_OK)
        load_projector(&l);
    if (l.status == LLAVAOV_OK && !config->no_newline)
        load_newline(&l);
    if (l.status == LLAVAOV_OK)
        load_decoder(&l);
    if (l.status == LLAVAOV_OK && progress && !progress(progress_data, l.total, l.total))
        l.status = lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "loading was cancelled");
    if (l.status != LLAVAOV_OK) {
        lv_model_close(model);
        return l.status;
    }
    *model_out = model;
    return LLAVAOV_OK;
}

void lv_model_close(LvModel *model)
{
    if (!model)
        return;
    if (model->newline.data)
        model->backend->ops->tensor_free(model->backend, &model->newline);
    if (model->store) {
        for (size_t i = 0; i < model->store->n; i++)
            model->backend->ops->weight_free(model->backend, model->store->weights[i]);
        lv_free(model->store->weights);
    }
    lv_free(model->store);
    lv_free(model->tower.layers);
    lv_free(model->decoder.layers);
    lv_free(model);
}
