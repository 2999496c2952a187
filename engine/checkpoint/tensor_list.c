/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/tensor_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/tensor_names.h"

typedef struct Visit {
    LlavaovStatus (*each)(void *data, const LvExpectedTensor *expected);
    void *data;
    LlavaovStatus status;
    bool optional;
} Visit;

/* Sizes after the first 0 are ignored. */
static void want(Visit *visit, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const char *format,
    ...) __attribute__((format(printf, 6, 7)));

static void want(
    Visit *visit, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const char *format, ...)
{
    if (visit->status)
        return;
    char name[LV_CANONICAL_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    LvExpectedTensor expected = {.name = name, .shape = {a, b, c, d}, .optional = visit->optional};
    expected.n_dims = d ? 4 : c ? 3 : b ? 2 : 1;
    expected.linear = expected.n_dims == 2 && !strstr(name, "embed");
    visit->status = visit->each(visit->data, &expected);
}

static void want_matrix(Visit *visit, const char *part, uint32_t layer, const char *name,
    uint64_t out, uint64_t in, bool bias)
{
    want(visit, out, in, 0, 0, "%s.layers.%u.%s.weight", part, layer, name);
    if (bias)
        want(visit, out, 0, 0, 0, "%s.layers.%u.%s.bias", part, layer, name);
}

static void want_norm(
    Visit *visit, const char *part, uint32_t layer, const char *name, uint64_t width, bool bias)
{
    want(visit, width, 0, 0, 0, "%s.layers.%u.%s.weight", part, layer, name);
    if (bias)
        want(visit, width, 0, 0, 0, "%s.layers.%u.%s.bias", part, layer, name);
}

static void vision(Visit *visit, const LvVisionConfig *v)
{
    static const char *const attention[] = {
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"};
    uint64_t hidden = v->hidden_size;
    want(visit, hidden, v->n_channels, v->patch_size, v->patch_size,
        "V.embeddings.patch_embedding.weight");
    want(visit, hidden, 0, 0, 0, "V.embeddings.patch_embedding.bias");
    want(
        visit, (uint64_t)v->grid * v->grid, hidden, 0, 0, "V.embeddings.position_embedding.weight");
    for (uint32_t i = 0; i < v->n_layers; i++) {
        visit->optional =
            i >= v->n_layers_run; /* stored layers above the feature layer never run */
        want_norm(visit, "V.encoder", i, "layer_norm1", hidden, true);
        for (int k = 0; k < 4; k++)
            want_matrix(visit, "V.encoder", i, attention[k], hidden, hidden, true);
        want_norm(visit, "V.encoder", i, "layer_norm2", hidden, true);
        want_matrix(visit, "V.encoder", i, "mlp.fc1", v->intermediate_size, hidden, true);
        want_matrix(visit, "V.encoder", i, "mlp.fc2", hidden, v->intermediate_size, true);
    }
    visit->optional = false;
}

static void projector(Visit *visit, const LvConfig *config)
{
    uint64_t hidden = config->text.hidden_size, width = lv_feature_width(&config->vision);
    for (uint32_t i = 1; i <= config->projector_layers; i++, width = hidden) {
        want(visit, hidden, width, 0, 0, "P.linear_%u.weight", i);
        if (config->projector_bias)
            want(visit, hidden, 0, 0, 0, "P.linear_%u.bias", i);
    }
    for (uint32_t i = 0; i < config->projector_blocks; i++) {
        static const char *const parts[] = {"pre_norm", "proj.0", "proj.2"};
        for (int k = 0; k < 3; k++) {
            const uint32_t place = lv_projector_block(config, i);
            want(visit, hidden, k ? hidden : 0, 0, 0, "P.block_%u.%s.weight", place, parts[k]);
            want(visit, hidden, 0, 0, 0, "P.block_%u.%s.bias", place, parts[k]);
        }
    }
    if (!config->no_newline)
        want(visit, hidden, 0, 0, 0, "NL");
}

static void text(Visit *visit, const LvTextConfig *t)
{
    uint64_t hidden = t->hidden_size, q = (uint64_t)t->n_heads * t->head_dim,
             kv = (uint64_t)t->n_kv_heads * t->head_dim;
    want(visit, t->vocab_size, hidden, 0, 0, "T.embed_tokens.weight");
    for (uint32_t i = 0; i < t->n_layers; i++) {
        want_norm(visit, "T", i, "input_layernorm", hidden, false);
        want_matrix(visit, "T", i, "self_attn.q_proj", q, hidden, true);
        want_matrix(visit, "T", i, "self_attn.k_proj", kv, hidden, true);
        want_matrix(visit, "T", i, "self_attn.v_proj", kv, hidden, true);
        want_matrix(visit, "T", i, "self_attn.o_proj", hidden, q, false);
        want_norm(visit, "T", i, "post_attention_layernorm", hidden, false);
        want_matrix(visit, "T", i, "mlp.gate_proj", t->intermediate_size, hidden, false);
        want_matrix(visit, "T", i, "mlp.up_proj", t->intermediate_size, hidden, false);
        want_matrix(visit, "T", i, "mlp.down_proj", hidden, t->intermediate_size, false);
    }
    want(visit, hidden, 0, 0, 0, "T.norm.weight");
    visit->optional = t->tied_head;
    want(visit, t->vocab_size, hidden, 0, 0, "HEAD.weight");
}

LlavaovStatus lv_tensor_list(const LvConfig *config,
    LlavaovStatus (*each)(void *data, const LvExpectedTensor *expected), void *data)
{
    Visit visit = {.each = each, .data = data};
    vision(&visit, &config->vision);
    projector(&visit, config);
    text(&visit, &config->text);
    return visit.status;
}
