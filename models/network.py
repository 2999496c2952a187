# SPDX-License-Identifier: Apache-2.0
"""The camera check's shape: a small LlavaOnevisionForConditionalGeneration."""
import torch
from transformers import (LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration,
                          Qwen2Config, SiglipVisionConfig)

from render import PINPOINTS, TILE

PATCH = 16
GRID = TILE // PATCH
POOLED = (GRID + 1) // 2
HIDDEN = 128


def config(vocab, ids):
    vision = SiglipVisionConfig(hidden_size=96, intermediate_size=384, num_hidden_layers=3,
                                num_attention_heads=3, image_size=TILE, patch_size=PATCH,
                                vision_use_head=False)
    text = Qwen2Config(vocab_size=vocab, hidden_size=HIDDEN, intermediate_size=384, num_hidden_layers=4,
                       num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096,
                       rope_theta=10000.0, rms_norm_eps=1e-6, tie_word_embeddings=True,
                       bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|im_end|>"],
                       pad_token_id=ids["<|endoftext|>"], use_sliding_window=False)
    return LlavaOnevisionConfig(vision_config=vision, text_config=text,
                                image_token_id=ids["<image>"], video_token_id=ids["<video>"],
                                image_token_index=ids["<image>"], video_token_index=ids["<video>"],
                                projector_hidden_act="gelu", vision_feature_layer=-1,
                                vision_feature_select_strategy="full",
                                vision_aspect_ratio="anyres_max_9", image_grid_pinpoints=PINPOINTS,
                                tie_word_embeddings=True, multimodal_projector_bias=True)


def build(vocab, ids, seed=1):
    torch.manual_seed(seed)
    m = LlavaOnevisionForConditionalGeneration(config(vocab, ids))
    m.float()
    m.model.vision_tower.config._attn_implementation = "eager"   # faster to train on a CPU
    return m


def normalise(tiles):
    """uint8 [n,T,T,3] -> float [n,3,T,T], as the processor does."""
    return (tiles.permute(0, 3, 1, 2).float() - 127.5) / 127.5


def token_features(model, pixels):
    """Projected features of tiles, [n, GRID*GRID, HIDDEN]."""
    h = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    return model.model.multi_modal_projector(h)


def pool(features):
    """Bilinear pooling of a video frame's map: [n, POOLED*POOLED, HIDDEN]."""
    n, _, d = features.shape
    m = features.view(n, GRID, GRID, d).permute(0, 3, 1, 2)
    m = torch.nn.functional.interpolate(m, size=(POOLED, POOLED), mode="bilinear")
    return m.permute(0, 2, 3, 1).reshape(n, POOLED * POOLED, d)
