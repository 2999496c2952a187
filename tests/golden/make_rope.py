#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes rope.json: cosines and sines that Qwen2RotaryEmbedding of transformers makes of some configurations.

    ./dev parity makes the environment; then: .cache/parity/bin/python tests/golden/make_rope.py
"""
import json
import pathlib

import torch
from transformers import LlavaOnevisionConfig
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
LONG = {"rope_type": "longrope", "short_factor": [1, 1.1, 1.2, 1.5], "long_factor": [1.5, 4, 16.5, 60],
        "original_max_position_embeddings": 128}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 128}  # fmt: skip
CASES = [
    {"rope_theta": 1e6},
    {"rope_theta": 1e4, "rope_scaling": {"type": "linear", "factor": 4}},
    {"rope_parameters": {"rope_type": "dynamic", "factor": 3.0, "rope_theta": 1e6}},
    {"rope_theta": 1e4, "rope_scaling": YARN},
    {"rope_theta": 1e4, "rope_scaling": {**YARN, "beta_fast": 8, "beta_slow": 2, "truncate": False}},
    {"rope_parameters": {**YARN, "rope_theta": 1e5, "mscale": 0.7, "mscale_all_dim": 1.2}},
    {"rope_parameters": {**YARN, "rope_theta": 1e5, "attention_factor": 0.6}},
    {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e5, "factor": 2.0}},
    {"rope_scaling": LONG},
    {"original_max_position_embeddings": 64, "rope_scaling": {**LONG, "factor": 9.0}},
    {"rope_scaling": LLAMA3},
    {"rope_parameters": {"rope_type": "proportional", "rope_theta": 1e4, "partial_rotary_factor": 0.5, "factor": 2.0}},
]
ENDS = [1, 128, 129, 257, 1500]


def rows_of(config, end):
    rotary = Qwen2RotaryEmbedding(config=config)
    cosine, sine = rotary(torch.zeros(1), torch.arange(end)[None])
    half = cosine.shape[-1] // 2
    return torch.cat([cosine[0, :, :half], sine[0, :, :half]], -1)[[end // 3, end - 1]].tolist()


def main():
    cases = []
    for text in CASES:
        text = {"hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256, **text}
        config = LlavaOnevisionConfig(text_config=json.loads(json.dumps(text))).text_config
        passes = [{"end": end, "rows": rows_of(config, end)} for end in ENDS]
        cases.append({"config": {"model_type": "llava_onevision", "text_config": text}, "passes": passes})
    lines = ",\n".join(json.dumps(case) for case in cases)
    (pathlib.Path(__file__).parent / "rope.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
