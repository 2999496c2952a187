#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a configuration makes the decoder do with positions, against transformers' own classes.

    python tests/parity/decoders.py BUILD_DIR [--configs 1500] [--seed 1]

Random text_configs with rotary embeddings of every type, in the forms of before and since transformers 5, and sliding
windows; fields are present, absent, null or odd. Cosines and sines of passes of several lengths must be those of
Qwen2RotaryEmbedding, windows those of Qwen2Model's masks, and where building or running these fails, we refuse. Angles may
differ by the last bit of a frequency (the library's power function is not always correctly rounded): how many rows are the
same bit for bit is printed. Exit code 0 when everything agrees.
"""
import argparse
import collections
import json
import pathlib
import random
import sys
import tempfile
import warnings

import numpy as np
import torch
from transformers import LlavaOnevisionConfig
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

from checkpoint_files import Probe

TYPES = ["default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional"]
LENGTHS = [16, 64, 100, 128, 512, 32768]


def sometimes(rng, target, chance, **fields):
    for name, value in fields.items():
        if rng.random() < chance:
            target[name] = value


def odd(rng, target, chance=0.04):
    """Now and then a field is taken away, null or of a strange value."""
    for name in list(target):
        if name != "rope_theta" and rng.random() < chance:
            del target[name]
        elif rng.random() < chance / 4 and name != "original_max_position_embeddings":  # null: as absent in 4.57
            target[name] = None


def random_rope(rng, pairs):
    rope = {"rope_type": rng.choice(TYPES)} if rng.random() < 0.97 else {}
    kind = rope.get("rope_type")
    if rng.random() < 0.1 and rope:
        rope["type"] = rope.pop("rope_type") if rng.random() < 0.7 else rng.choice(TYPES)
    if rng.random() < 0.02:
        rope["rope_type"] = rng.choice(["mrope", "axial", "su", "Linear", ""])
    if kind != "default":
        rope["factor"] = rng.choice([1, 1.0, 1.5, 2.0, 3, 4.0, 8.0, 40.0, 0.5])
    sometimes(rng, rope, 0.6, rope_theta=rng.choice([1e4, 1e6, 5e5, 100]))
    if kind in ("yarn", "llama3", "longrope"):
        sometimes(rng, rope, 0.6, original_max_position_embeddings=rng.choice(LENGTHS))
    if kind == "yarn":
        sometimes(rng, rope, 0.25, beta_fast=rng.choice([32, 16.0, 4, 0]), beta_slow=rng.choice([1, 2.0, 0.5, 0]),
                  attention_factor=rng.choice([1.0, 0.7, 2, 0.0]), mscale=rng.choice([1.0, 0.707, 0, 2]),
                  mscale_all_dim=rng.choice([1.0, 0.5, 0]), truncate=rng.random() < 0.5)  # fmt: skip
    if kind == "longrope":
        rope["short_factor"] = [round(rng.uniform(0.9, 2), 3) for _ in range(pairs)]
        rope["long_factor"] = [rng.choice([1, 2, 8.5, 60.25]) for _ in range(pairs)]
        if rng.random() < 0.1:
            rope["long_factor"] = rope["long_factor"][: rng.choice([1, max(1, pairs - 1)])]
        sometimes(rng, rope, 0.3, attention_factor=rng.choice([1.0, 1.3, 2]))
        if rng.random() < 0.5:
            del rope["factor"]
    if kind == "llama3":
        rope.update(low_freq_factor=rng.choice([1, 1.0, 0.5, 2.0]), high_freq_factor=rng.choice([4, 4.0, 8.0, 2.5]))
    if rng.random() < 0.12 and kind != "longrope" and pairs > 2:  # else a fraction may fit by accident
        rope["partial_rotary_factor"] = rng.choice([0.5, 1.0, 0.25, 0.99, 1])
    odd(rng, rope)
    return rope


def random_text(rng):
    head_dim = 2 * rng.choice([1, 2, 4, 8, 12, 32, 36, 64])
    layers = rng.randint(1, 6)
    text = dict(num_attention_heads=2, num_key_value_heads=1, hidden_size=2 * head_dim, num_hidden_layers=layers,
                vocab_size=151700, max_position_embeddings=rng.choice(LENGTHS))  # fmt: skip
    if rng.random() < 0.3:
        text["head_dim"] = head_dim
    rope = random_rope(rng, head_dim // 2)
    sometimes(rng, text, 0.4, rope_theta=rng.choice([1e4, 1e6, 2e5]))
    text[rng.choice(["rope_scaling", "rope_parameters"])] = rope
    if rng.random() < 0.1:
        text.update(rope_scaling=rng.choice([None, {}, rope]), rope_parameters=rng.choice([None, {}, rope]))
    sometimes(rng, text, 0.05, partial_rotary_factor=rng.choice([0.5, 1.0]),
              original_max_position_embeddings=rng.choice(LENGTHS))  # fmt: skip
    sometimes(rng, text, 0.5, use_sliding_window=rng.random() < 0.7)
    sometimes(rng, text, 0.6, sliding_window=rng.choice([2, 5, 40, 4096, None]))
    sometimes(rng, text, 0.6, max_window_layers=rng.randint(0, layers))
    if rng.random() < 0.3:
        text["layer_types"] = [rng.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]
        if rng.random() < 0.1:
            text["layer_types"][0] = rng.choice(["chunked_attention", "linear_attention", "full"])
        if rng.random() < 0.1:
            text["layer_types"] = text["layer_types"][1:] + ["full_attention"] * rng.choice([0, 2])
    return text


def window_of(config, kind):
    """Keys that the last of 5,000 rows sees, by the library's own mask; 0: all."""
    make = {"full_attention": create_causal_mask, "sliding_attention": create_sliding_window_causal_mask}[kind]
    rows = torch.zeros(1, 1, config.hidden_size)
    config._attn_implementation = "eager"
    positions = torch.tensor([[4999]])
    window = config.sliding_window if kind == "sliding_attention" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(config=config, inputs_embeds=rows, attention_mask=None, past_key_values=None, position_ids=positions)
    return window or 0


def reference(given):
    """(windows, {end: [rows]}), or the exception that transformers ends with."""
    try:
        config = LlavaOnevisionConfig(**json.loads(json.dumps(given))).text_config
        windows = [window_of(config, kind) for kind in config.layer_types]
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        query = torch.zeros(1, 1, 1, head_dim)
        passes = {}
        for end in (1, 64, 65, 300, 5000):
            rotary = Qwen2RotaryEmbedding(config=config)
            cosine, sine = rotary(query, torch.arange(end)[None])
            assert (query * cosine[:, None]).shape[-1] == head_dim, "the width of a head changes"
            rows = torch.cat([cosine[0, :, : head_dim // 2], sine[0, :, : head_dim // 2]], -1)
            passes[end] = rows[[0, end // 2, end - 1]].numpy()
        return windows, passes
    except Exception as failure:  # whatever it is, the library cannot run the file
        return failure


def compare(ours, theirs, counts):
    """What differs, or None."""
    if isinstance(theirs, Exception):
        if "error" not in ours:
            return f"accepted, but the library fails: {type(theirs).__name__}: {str(theirs)[:200]}"
        counts["refused by both"] += 1
        return None
    windows, passes = theirs
    if not all(np.isfinite(rows).all() for rows in passes.values()):
        counts["not finite"] += 1  # nothing can be compared, and nobody has a use for it
        return None
    if "error" in ours:
        return f"refused: {ours['error']}"
    if ours["windows"] != windows:
        return f"windows {ours['windows']}, not {windows}"
    for entry in ours["passes"]:
        end, rows, wanted = entry["end"], np.array(entry["rows"]), passes[entry["end"]]
        scale = max(1.0, float(np.abs(wanted).max()))
        limits = np.array([[1e-6 + 4e-7 * p] for p in (0, end // 2, end - 1)]) * scale
        if rows.shape != wanted.shape or (np.abs(rows - wanted) > limits).any():
            return f"pass of {end}: off by {np.abs(rows - wanted).max():.2e}"
        counts["rows"] += 3
        counts["rows equal to the bit"] += int((rows.astype(np.float32) == wanted).all(-1).sum())
        counts["rows within 2e-7"] += int((np.abs(rows - wanted) <= 2e-7 * scale).all(-1).sum())
    counts["read alike"] += 1
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--configs", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    probe = Probe(arguments.build)
    counts, failed = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "config.json"
        for _ in range(arguments.configs):
            given = {"model_type": "llava_onevision", "text_config": random_text(rng)}
            path.write_text(json.dumps(given))
            wrong = compare(probe.ask("d", path), reference(given), counts)
            if wrong:
                failed += 1
                if failed <= 8:
                    print(f"  {json.dumps(given['text_config'])}\n    {wrong}", flush=True)
    print(f"decoders: {arguments.configs - failed} of {arguments.configs} alike; {dict(counts)}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
