/* SPDX-License-Identifier: Apache-2.0
 * The tensors of a checkpoint: names in every layout, shapes, and the scale of their random values.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "writer_internal.h"

uint32_t lv_writer_head_dim(const LvWriterSpec *spec)
{
    return spec->text.head_dim ? spec->text.head_dim : spec->text.hidden / spec->text.heads;
}

static const struct {
    const char *canonical;
    const char *file[5]; /* by LvWriterNames */
} prefixes[] = {
    {"V.", {"vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_model.",
               "model.vision_tower.", "model.vision_tower.vision_tower.vision_model."}},
    {"P.linear_1.", {"multi_modal_projector.linear_1.", "multi_modal_projector.linear_1.",
                        "model.multi_modal_projector.linear_1.",
                        "model.multi_modal_projector.linear_1.", "model.mm_projector.0."}},
    {"P.linear_2.", {"multi_modal_projector.linear_2.", "multi_modal_projector.linear_2.",
                        "model.multi_modal_projector.linear_2.",
                        "model.multi_modal_projector.linear_2.", "model.mm_projector.2."}},
    {"NL", {"image_newline", "image_newline", "model.image_newline", "model.image_newline",
               "model.image_newline"}},
    {"T.", {"language_model.model.", "language_model.model.", "model.language_model.",
               "model.language_model.", "model."}},
    {"HEAD.",
        {"language_model.lm_head.", "language_model.lm_head.", "lm_head.", "lm_head.", "lm_head."}},
};

typedef struct List {
    const LvWriterSpec *spec;
    LvWriterTensor *tensors;
    size_t n, capacity;
    bool failed;
} List;

/* shape: up to four sizes, 0 ends it. */
static void add(List *list, double mean, double deviation, const uint64_t shape[4],
    const char *format, ...) __attribute__((format(printf, 5, 6)));

static void add(
    List *list, double mean, double deviation, const uint64_t shape[4], const char *format, ...)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        LvWriterTensor *more = realloc(list->tensors, capacity * sizeof *more);
        if (!more) {
            list->failed = true;
            return;
        }
        list->tensors = more;
        list->capacity = capacity;
    }
    LvWriterTensor *t = &list->tensors[list->n];
    memset(t, 0, sizeof *t);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->canonical, sizeof t->canonical, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t length = strlen(prefixes[i].canonical);
        if (!strncmp(t->canonical, prefixes[i].canonical, length)) {
            snprintf(t->name, sizeof t->name, "%s%s", prefixes[i].file[list->spec->names],
                t->canonical + length);
            break;
        }
    }
    t->elements = 1;
    for (; t->n_dims < 4 && shape[t->n_dims]; t->n_dims++)
        t->elements *= t->shape[t->n_dims] = shape[t->n_dims];
    t->mean = mean;
    t->deviation = deviation;
    t->dtype =
        list->spec->dtype == LV_WRITE_MIXED ? (LvWriterDtype)(list->n % 3) : list->spec->dtype;
    list->n++;
}

#define SHAPE(...) ((const uint64_t[4]){__VA_ARGS__})

static void add_norm(List *list, const char *name, uint64_t width, bool bias)
{
    add(list, 1, 0.1, SHAPE(width), "%s.weight", name);
    if (bias)
        add(list, 0, 0.1, SHAPE(width), "%s.bias", name);
}

/* gain: 1, or what keeps a sum over layers near 1. */
static void add_linear(
    List *list, const char *name, uint64_t out, uint64_t in, double gain, bool bias)
{
    add(list, 0, gain / sqrt((double)in), SHAPE(out, in), "%s.weight", name);
    if (bias)
        add(list, 0, 0.1 * gain, SHAPE(out), "%s.bias", name);
}

static void add_vision(List *list)
{
    const LvWriterSpec *s = list->spec;
    uint64_t hidden = s->vision.hidden, patch = s->vision.patch_size,
             grid = s->vision.image_size / patch;
    double gain = 1 / sqrt(2.0 * s->vision.layers);
    add(list, 0, 1 / sqrt(3.0 * (double)(patch * patch)), SHAPE(hidden, 3, patch, patch),
        "V.embeddings.patch_embedding.weight");
    add(list, 0, 0.1, SHAPE(hidden), "V.embeddings.patch_embedding.bias");
    add(list, 0, 0.5, SHAPE(grid * grid, hidden), "V.embeddings.position_embedding.weight");
    for (uint32_t i = 0; i < s->vision.layers; i++) {
        char name[80];
#define NAME(part) (snprintf(name, sizeof name, "V.encoder.layers.%u." part, i), name)
        add_norm(list, NAME("layer_norm1"), hidden, true);
        add_linear(list, NAME("self_attn.q_proj"), hidden, hidden, 1, true);
        add_linear(list, NAME("self_attn.k_proj"), hidden, hidden, 1, true);
        add_linear(list, NAME("self_attn.v_proj"), hidden, hidden, 1, true);
        add_linear(list, NAME("self_attn.out_proj"), hidden, hidden, gain, true);
        add_norm(list, NAME("layer_norm2"), hidden, true);
        add_linear(list, NAME("mlp.fc1"), s->vision.intermediate, hidden, 1, true);
        add_linear(list, NAME("mlp.fc2"), hidden, s->vision.intermediate, gain, true);
#undef NAME
    }
    add_norm(list, "V.post_layernorm", hidden, true);
}

static void add_text(List *list)
{
    const LvWriterSpec *s = list->spec;
    uint64_t hidden = s->text.hidden, head_dim = lv_writer_head_dim(s);
    uint64_t q = s->text.heads * head_dim, kv = s->text.kv_heads * head_dim;
    double gain = 1 / sqrt(2.0 * s->text.layers);
    double table = s->text.embed_gain / sqrt((double)hidden), sharp = s->text.attention_gain;
    add(list, 0, table, SHAPE(s->text.vocab, hidden), "T.embed_tokens.weight");
    for (uint32_t i = 0; i < s->text.layers; i++) {
        char name[80];
#define NAME(part) (snprintf(name, sizeof name, "T.layers.%u." part, i), name)
        add_norm(list, NAME("input_layernorm"), hidden, false);
        add_linear(list, NAME("self_attn.q_proj"), q, hidden, sharp, true);
        add_linear(list, NAME("self_attn.k_proj"), kv, hidden, sharp, true);
        add_linear(list, NAME("self_attn.v_proj"), kv, hidden, 1, true);
        add_linear(list, NAME("self_attn.o_proj"), hidden, q, gain, false);
        add_norm(list, NAME("post_attention_layernorm"), hidden, false);
        add_linear(list, NAME("mlp.gate_proj"), s->text.intermediate, hidden, 1, false);
        add_linear(list, NAME("mlp.up_proj"), s->text.intermediate, hidden, 1, false);
        add_linear(list, NAME("mlp.down_proj"), hidden, s->text.intermediate,
            gain * s->text.mlp_gain, false);
#undef NAME
    }
    add_norm(list, "T.norm", hidden, false);
    if (!s->tied || s->stored_head)
        add(list, 0, table, SHAPE(s->text.vocab, hidden), "HEAD.weight");
}

LvWriterTensor *lv_writer_tensors(const LvWriterSpec *spec, size_t *n)
{
    List list = {.spec = spec};
    add_vision(&list);
    add_linear(
        &list, "P.linear_1", spec->text.hidden, spec->vision.hidden, 1, spec->projector_bias);
    add_linear(&list, "P.linear_2", spec->text.hidden, spec->text.hidden, 1, spec->projector_bias);
    add(&list, 0, 0.5, SHAPE(spec->text.hidden), "NL");
    add_text(&list);
    if (list.failed) {
        free(list.tensors);
        return NULL;
    }
    *n = list.n;
    return list.tensors;
}
