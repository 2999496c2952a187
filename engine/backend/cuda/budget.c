/* SPDX-License-Identifier: Apache-2.0
 * What a model needs on a device, before anything is loaded. */
#include "backend/cuda/cuda.h"

/* The largest set of activations that lives at once: engine/model's tensors of one encoder call of
 * `tiles` tiles, or of one pass of `rows` rows through the decoder, `sequences` of which are
 * sampled. */
static uint64_t encoder_bytes(const LvConfig *config, uint64_t size, uint64_t tiles)
{
    const LvVisionConfig *v = &config->vision;
    const uint64_t rows = tiles * v->grid * v->grid;
    const uint64_t width = (uint64_t)v->n_heads * v->head_dim;
    const uint64_t patches =
        (uint64_t)3 * v->patch_size * v->patch_size * size + v->hidden_size * sizeof(float);
    const uint64_t features = lv_feature_width(v), kept = v->n_feature_layers > 1 ? features : 0;
    const uint64_t layer =
        (2 * (uint64_t)v->hidden_size + kept + 4 * width + v->intermediate_size) * size;
    const uint64_t projector = (features + 3 * (uint64_t)config->text.hidden_size) * size;
    return rows * (layer + patches > projector ? layer + patches : projector);
}

static uint64_t decoder_bytes(
    const LvConfig *config, uint64_t size, uint64_t rows, uint64_t sequences)
{
    const LvTextConfig *t = &config->text;
    const uint64_t heads = (uint64_t)t->n_heads + t->n_kv_heads;
    return rows * size *
               (2 * (uint64_t)t->hidden_size + 2 * heads * t->head_dim +
                   3 * (uint64_t)t->intermediate_size) +
           sequences * t->vocab_size * (size + sizeof(float) + 1);
}

/* What operations take for themselves has its own place in every layer of a graph: gate and up, and
 * a normed row. */
static uint64_t graph_bytes(const LvTextConfig *t, uint64_t size, uint64_t sequences)
{
    return t->n_layers * sequences * (2 * (uint64_t)t->intermediate_size + t->hidden_size) * size;
}

/* Floats become the type of activations, other types stay as they are stored (weight.c). For fp8
 * those of the layers, nearly all, are there once more. */
static uint64_t weight_bytes(const uint64_t *elements, LvDtype type, bool fp8)
{
    uint64_t bytes = 0;
    for (int i = 0; i < LV_N_DTYPES && elements; i++) {
        const bool converted = lv_traits_float(lv_dtype_traits((LvDtype)i));
        bytes += lv_dtype_span(converted ? type : (LvDtype)i, elements[i]);
        bytes += converted && fp8 ? lv_dtype_span(LV_E4M3, elements[i]) : 0;
    }
    return bytes;
}

LvCudaNeed lv_cuda_need(const LvConfig *config, const uint64_t *weight_elements, LvDtype type,
    bool fp8, uint32_t tiles, uint32_t rows, uint32_t sequences)
{
    const LvTextConfig *t = &config->text;
    const uint64_t size = lv_dtype_bytes(type);
    const uint64_t vectors = (uint64_t)config->vision.grid * config->vision.grid *
                             config->vision.hidden_size * sizeof(float);
    const uint64_t encoder = encoder_bytes(config, size, tiles),
                   decoder = decoder_bytes(config, size, rows, sequences);
    LvCudaNeed need = {.weights = weight_bytes(weight_elements, type, fp8) + vectors,
        .cache =
            lv_cuda_kv_elements(t->n_layers, t->n_kv_heads, t->head_dim, t->context_length) * size,
        .workspace = encoder > decoder ? encoder : decoder};
    need.workspace += decoder_bytes(config, size, sequences, sequences) +
                      graph_bytes(t, size, sequences); /* step.c's own */
    /* Blocks are rounded up (memory.h), and the staging memory, pictures and the rotary table stand
     * beside. */
    need.workspace += need.workspace / 8 + 2 * LV_STAGING_HALF + LV_RUNTIME_WORKSPACE +
                      lv_pictures_device_bytes(tiles) +
                      (uint64_t)t->context_length * t->head_dim * sizeof(float);
    return need;
}
