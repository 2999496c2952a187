/* SPDX-License-Identifier: Apache-2.0
 * config.json of a LLaVA-OneVision checkpoint, read into numbers (docs/model.md 2.4 and 2.5: the
 * nested llava-hf layout and the flat lmms-lab one). Missing fields take the reference's defaults;
 * absurd ones are refused by name. */
#ifndef LV_CONFIG_H
#define LV_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "checkpoint/preprocess.h"
#include "checkpoint/quantisation.h"
#include "llavaov.h"

typedef enum LvActivation {
    LV_ACTIVATION_NONE,
    LV_ACTIVATION_GELU_TANH, /* gelu_pytorch_tanh, gelu_new */
    LV_ACTIVATION_GELU_ERF,  /* gelu */
    LV_ACTIVATION_SILU,
    LV_ACTIVATION_RELU,
    LV_ACTIVATION_QUICK_GELU, /* x * sigmoid(1.702 x) */
    LV_ACTIVATION_LEAKY_RELU,
    LV_ACTIVATION_RELU2,
    LV_ACTIVATION_RELU6,
    LV_ACTIVATION_TANH,
    LV_ACTIVATION_SIGMOID,
    LV_ACTIVATION_MISH,
    LV_ACTIVATION_HARDSWISH,
    LV_ACTIVATION_GELU_10,
    LV_ACTIVATION_LAPLACE,
    LV_ACTIVATION_SQRTSOFTPLUS /* as kernels/ops.h writes them */
} LvActivation;

typedef struct LvVisionConfig {
    uint32_t hidden_size, intermediate_size;
    uint32_t n_layers;     /* stored in the file */
    uint32_t n_layers_run; /* up to the last of feature_layers */
    /* vision_feature_layer: after how many layers each piece of the features is taken (L stored, f
     * -> f >= 0 ? f : L + 1 + f). The projector reads the pieces concatenated. */
    uint32_t feature_layers[LV_MAX_FEATURE_LAYERS], n_feature_layers;
    uint32_t n_heads, head_dim;
    uint32_t image_size, patch_size, n_channels;
    uint32_t grid; /* patches along an edge: image_size / patch_size (floor) */
    LvActivation activation;
    double layer_norm_eps;
} LvVisionConfig;

/* Channels of what the projector reads. */
static inline uint32_t lv_feature_width(const LvVisionConfig *vision)
{
    return vision->n_feature_layers * vision->hidden_size;
}

/* How the rotary embedding's frequencies follow from theta (transformers' modeling_rope_utils). */
typedef enum LvRopeType {
    LV_ROPE_DEFAULT,
    LV_ROPE_LINEAR,   /* divided by factor */
    LV_ROPE_DYNAMIC,  /* theta grows with the length of the forward pass beyond `positions` */
    LV_ROPE_YARN,     /* the low ones divided by factor, a ramp between */
    LV_ROPE_LONGROPE, /* divided pair by pair; other divisors for passes longer than `original` */
    LV_ROPE_LLAMA3,   /* the low ones divided by factor, a ramp between in wavelengths */
    LV_ROPE_PROPORTIONAL /* the first `part` of the pairs rotate, divided by factor */
} LvRopeType;

typedef struct LvRope {
    LvRopeType type;
    double theta;
    double part;                 /* partial_rotary_factor */
    uint32_t dim;                /* that exponents are a fraction of: head_dim, or 1 less */
    double factor;               /* not default; longrope's is in scale */
    double positions;            /* max_position_embeddings */
    double original;             /* original_max_position_embeddings: yarn, longrope, llama3 */
    double scale;                /* of cosine and sine: yarn, longrope */
    double beta_fast, beta_slow; /* yarn */
    bool truncate;               /* yarn */
    double low_frequency, high_frequency;                                      /* llama3 */
    float short_factor[LV_MAX_HEAD_DIM / 2], long_factor[LV_MAX_HEAD_DIM / 2]; /* longrope */
} LvRope;

typedef struct LvTextConfig {
    uint32_t hidden_size, intermediate_size, n_layers;
    uint32_t n_heads, n_kv_heads, head_dim;
    uint32_t vocab_size;
    uint32_t context_length; /* tokens that the rotary embedding is made for */
    LvActivation activation;
    double rms_norm_eps;
    LvRope rope;
    uint32_t sliding_window; /* keys that a sliding layer sees, the row's own included; 0: none */
    bool sliding[LV_MAX_LAYERS]; /* by layer */
    bool tied_head;              /* what the configuration says; a head stored in the file takes
                                    precedence */
} LvTextConfig;

/* Keys that a row of the layer sees, its own included; 0: all up to its own. */
static inline uint32_t lv_text_window(const LvTextConfig *text, uint32_t layer)
{
    return layer < LV_MAX_LAYERS && text->sliding[layer] ? text->sliding_window : 0;
}

/* Where a video's features have the newline vector (LLaVA-NeXT's mm_newline_position). */
typedef enum LvNewline {
    LV_NEWLINE_END,   /* one_token: after the last frame; transformers has no other */
    LV_NEWLINE_NONE,  /* no_token */
    LV_NEWLINE_FRAME, /* frame: after every frame */
    LV_NEWLINE_GRID   /* grid: after every row of every frame */
} LvNewline;

/* How a video frame's features are pooled (mm_spatial_pool_mode): each edge is halved, rounded up
 * where bilinear and down otherwise. */
typedef enum LvPooling {
    LV_POOLING_BILINEAR, /* transformers has no other */
    LV_POOLING_AVERAGE,
    LV_POOLING_MAX
} LvPooling;

/* How a single picture becomes tiles (image_aspect_ratio). */
typedef enum LvAspect {
    LV_ASPECT_ANYRES, /* transformers has no other */
    LV_ASPECT_PAD,    /* one tile, padded to a square */
    LV_ASPECT_SQUASH  /* one tile, whatever its shape was */
} LvAspect;

/* How the features of an any-resolution picture's tiles become one sequence
 * (mm_patch_merge_type). */
typedef enum LvPatchMerge {
    LV_MERGE_UNPAD,  /* the map of the grid without padding, a newline after every row: as
                        transformers */
    LV_MERGE_MAP,    /* the whole map, row by row */
    LV_MERGE_HALVED, /* the same after 2 x 2 max pooling */
    LV_MERGE_FLAT    /* tile after tile */
} LvPatchMerge;

typedef struct LvConfig {
    LvVisionConfig vision;
    LvTextConfig text;
    LvActivation projector_activation;
    bool projector_bias;
    uint32_t projector_layers; /* 2, with an activation between them */
    uint32_t projector_blocks; /* residual blocks after them (LLaVA-NeXT's mlpNx_resMx_gelu) */
    int32_t image_token, video_token;
    int32_t *eos_tokens; /* of config.json; owned; n may be 0 */
    uint32_t n_eos_tokens;
    /* N of "anyres_max_N": most grid tiles' worth of tokens (9). 0: the text names no N, and a
     * picture in tiles is refused, as in the reference. */
    uint32_t anyres_max;
    char aspect_ratio[32]; /* the text, for that refusal */
    /* vision_feature_select_strategy "default": the first feature of every tile is dropped. */
    bool drop_first;
    uint32_t n_pinpoints;
    uint32_t (*pinpoints)[2]; /* height, width; owned */
    LvNewline video_newline;
    LvPooling pooling;
    LvAspect aspect;
    LvPatchMerge merge;
    bool no_base;    /* the base tile's features are left out of an any-resolution picture's */
    bool no_newline; /* the checkpoint has no newline vector */
    /* Why a single picture cannot be laid out, and the field responsible; empty if it can. */
    LvRefusal single_refusal;
    LvQuantisation quantisation;
    bool original_layout; /* flat lmms-lab configuration */
    LvPreprocess image, video;
    LvPlaceholderCount placeholders;
} LvConfig;

/* The index of residual block i among the projector's modules, as in tensor names: after the linear
 * layers and the activations between them. */
static inline uint32_t lv_projector_block(const LvConfig *config, uint32_t i)
{
    return 2 * config->projector_layers - 1 + i;
}

/* How pictures are prepared where no file says otherwise: to tiles of image_size, with the released
 * filter and values. Part of lv_config_parse. */
void lv_preprocess_default(LvConfig *config);

/* Of the pictures of a layout. */
static inline const LvPreprocess *lv_preprocess_of(const LvConfig *config, LlavaovLayout layout)
{
    return layout == LLAVAOV_LAYOUT_VIDEO ? &config->video : &config->image;
}

/* Parses the text of a config.json; file names it in errors. On failure *config holds nothing. */
LlavaovStatus lv_config_parse(
    const char *json, size_t bytes, const char *file, LvConfig *config, LlavaovError *error);
void lv_config_free(LvConfig *config);

#endif
