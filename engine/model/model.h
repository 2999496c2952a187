/* SPDX-License-Identifier: Apache-2.0
 * The weights of one checkpoint on one backend, by the names used in the computation (docs/model.md
 * 2.1). Immutable once open: every stream of every thread reads the same model. */
#ifndef LV_MODEL_H
#define LV_MODEL_H

#include "backend/backend.h"
#include "checkpoint/checkpoint.h"

/* y = x . weight^T + bias; bias NULL = none. */
typedef struct LvLinear {
    LvWeight *weight, *bias;
} LvLinear;

typedef struct LvLayerNorm {
    LvWeight *scale, *bias;
} LvLayerNorm;

/* Widths: D = vision hidden, M = vision intermediate, H = text hidden, Q = heads * head_dim, KV =
 * kv_heads * head_dim, I = text intermediate. */
typedef struct LvTowerLayer {
    LvLayerNorm norm1; /* [D] */
    LvLinear qkv;      /* [3 D, D], queries, keys, values stacked */
    LvLinear out;      /* [D, D] */
    LvLayerNorm norm2; /* [D] */
    LvLinear fc1;      /* [M, D] */
    LvLinear fc2;      /* [D, M] */
} LvTowerLayer;

/* SigLIP's encoder up to the layer that the projector reads; its final norm is never applied
 * (docs/model.md 1.2). */
typedef struct LvTower {
    LvLinear patch;     /* [D, 3 * patch^2] */
    LvWeight *position; /* [grid^2, D] */
    LvTowerLayer *layers;
    uint32_t n_layers; /* that are run */
} LvTower;

/* n + second(activation(first(n))), n = norm(x) */
typedef struct LvProjectorBlock {
    LvLayerNorm norm;       /* [H] */
    LvLinear first, second; /* [H, H] */
} LvProjectorBlock;

typedef struct LvProjector {
    /* [H, F], F = n_feature_layers * D; the rest [H, H] */
    LvLinear layers[LV_MAX_PROJECTOR_LAYERS];
    LvProjectorBlock blocks[LV_MAX_PROJECTOR_LAYERS];
    uint32_t n_layers, n_blocks;
} LvProjector;

typedef struct LvDecoderLayer {
    LvWeight *input_norm;     /* [H] */
    LvLinear qkv;             /* [Q + 2 KV, H] */
    LvWeight *out;            /* [H, Q] */
    LvWeight *attention_norm; /* [H], post_attention_layernorm */
    LvWeight *gate_up;        /* [2 I, H], gate above up */
    LvWeight *down;           /* [H, I] */
} LvDecoderLayer;

typedef struct LvDecoder {
    LvWeight *embed; /* [vocab, H] */
    LvDecoderLayer *layers;
    uint32_t n_layers;
    LvWeight *norm; /* [H] */
    LvWeight *head; /* [vocab, H]; the same weight as embed when tied */
} LvDecoder;

typedef struct LvModel {
    LvBackend *backend;
    const LvConfig *config; /* the checkpoint's */
    LvTower tower;
    LvProjector projector;
    LvTensor newline; /* [1, H]; none where config->no_newline */
    LvDecoder decoder;
    struct LvModelStore *store; /* everything to free */
} LvModel;

/* Reads every weight of the checkpoint into the backend. Both must outlive the model. progress may
 * be NULL; when it returns false the result is LLAVAOV_ERROR_CANCELLED. On failure everything is
 * freed. */
LlavaovStatus lv_model_open(const LvCheckpoint *checkpoint, LvBackend *backend,
    LlavaovProgress progress, void *progress_data, LvModel **model, LlavaovError *error);
void lv_model_close(LvModel *model);

#endif
