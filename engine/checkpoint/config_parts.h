/* SPDX-License-Identifier: Apache-2.0
 * Parts of the configuration's parser. Each reads from fields and leaves its first error there. */
#ifndef LV_CONFIG_PARTS_H
#define LV_CONFIG_PARTS_H

#include "checkpoint/config.h"
#include "checkpoint/json.h"

/* Names as transformers' ACT2FN spells them; an unknown one is refused. */
void lv_config_activation(LvFields *fields, const char *name, LvActivation *activation);
/* A field whose only supported value is `only`; it may be absent. */
void lv_config_only(LvFields *fields, const char *name, const char *only);
/* An id or a list of ids into config->eos_tokens; absent leaves them alone. */
void lv_config_eos(LvFields *fields, LvConfig *config);

/* Qwen2's fields: text_config in the nested layout, the top level in the flat one. Missing fields
 * take Qwen2Config's defaults. */
void lv_config_text(LvFields *fields, LvTextConfig *text);
/* Its rotary embedding; text holds head_dim and, as context_length, max_position_embeddings, which
 * becomes the length that the embedding is made for. */
void lv_config_rope(LvFields *fields, LvTextConfig *text);

/* siglip_vision_model's fields, over the defaults that *vision holds. */
void lv_config_vision(LvFields *fields, LvVisionConfig *vision);
/* vision_feature_layer: an index or a list of them, into feature_layers and n_layers_run. */
void lv_config_feature_layer(LvFields *fields, LvVisionConfig *vision);
/* The tower that the released checkpoints share (docs/model.md 1.2). */
LvVisionConfig lv_config_vision_released(void);
/* What the reference takes where vision_config gives no sizes. */
LvVisionConfig lv_config_vision_siglip(void);

/* The reference's int(text.strip("anyres_max_")); 0 where that is no positive number. */
uint32_t lv_anyres_of(const char *text);
/* The same of a field, into anyres_max. */
void lv_config_anyres(LvFields *fields, const char *name, LvConfig *config);
/* image_grid_pinpoints: list of pairs [height, width]; absent: 6 x 6 tiles of 384. */
void lv_config_pinpoints(LvFields *fields, LvConfig *config);
/* The same as LLaVA-NeXT reads it: pairs are [width, height], text may stand for them, or
 * "(1x1),...,(6x6)" in tiles; absent: none. */
void lv_config_next_pinpoints(LvFields *fields, LvConfig *config);
/* The fields that only LLaVA-NeXT's code has (mm_*, image_aspect_ratio); vision holds the tower. */
void lv_config_next(LvFields *fields, LvConfig *config);

#endif
