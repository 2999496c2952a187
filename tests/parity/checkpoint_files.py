#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""config.json against transformers' LlavaOnevisionConfig, safetensors files against the safetensors wheel.

    python tests/parity/checkpoint_files.py BUILD_DIR [--configs 2000] [--files 3000] [--seed 1]

Random configurations, with fields present, absent and null: what we accept must read as the reference reads it, and
everything generated as valid must be accepted. Random files, sound and damaged: both must accept the same ones and find
the same tensors in them. Exit code 0 when everything agrees.
"""
import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
import safetensors
import safetensors.numpy
from transformers import LlavaOnevisionConfig
from transformers.activations import ACT2FN
import torch

ACTIVATIONS = ["gelu", "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "quick_gelu", "silu", "swish", "relu", "gelu_python"]


class Probe:
    def __init__(self, build):
        program = pathlib.Path(build) / "tests/checkpoint/checkpoint-probe"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, kind, path):
        self.process.stdin.write(f"{kind} {path}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"checkpoint-probe ended at {path}")
        return json.loads(line)


def activation_by_value(number):
    """Our enum's formulas, by number (engine/checkpoint/config.h)."""
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    return {1: torch.nn.functional.gelu(x, approximate="tanh"), 2: torch.nn.functional.gelu(x),
            3: torch.nn.functional.silu(x), 4: torch.relu(x), 5: x * torch.sigmoid(1.702 * x)}[number]


def same_activation(number, name):
    x = torch.linspace(-4, 4, 33, dtype=torch.float64)
    return torch.allclose(activation_by_value(number), ACT2FN[name](x), atol=1e-9)


def random_config(rng):
    """A valid configuration of the nested layout in which most fields may be missing."""

    def maybe(target, key, value, chance=0.7):
        if rng.random() < chance:
            target[key] = value

    text, vision, top = {}, {}, {"model_type": "llava_onevision"}
    kv = rng.choice([1, 2, 4])
    heads = kv * rng.choice([1, 2, 7, 8])
    head_dim = 2 * rng.randint(1, 40)
    text.update(num_attention_heads=heads, num_key_value_heads=kv, hidden_size=heads * head_dim)
    if rng.random() < 0.2:
        text["num_key_value_heads"] = None
    if rng.random() < 0.3:
        text["head_dim"] = 2 * rng.randint(1, 64)
    maybe(text, "model_type", "qwen2")
    maybe(text, "intermediate_size", rng.randint(1, 5000))
    layers = rng.randint(1, 40)
    maybe(text, "num_hidden_layers", layers)
    maybe(text, "vocab_size", rng.randint(151648, 200000))
    maybe(text, "max_position_embeddings", rng.randint(1, 1 << 20))
    maybe(text, "hidden_act", rng.choice(ACTIVATIONS))
    maybe(text, "rms_norm_eps", rng.choice([1e-6, 1e-5, 1e-3]))
    maybe(text, "tie_word_embeddings", rng.random() < 0.5)
    maybe(text, "rope_theta", rng.choice([10000.0, 1e6, 500000]), 0.5)
    maybe(text, "rope_scaling", rng.choice([None, {"type": "default"}]), 0.2)
    if "rope_scaling" not in text:
        maybe(text, "rope_parameters", rng.choice([None, {"rope_type": "default"},
                                                   {"rope_theta": 2e5, "rope_type": "default"}]), 0.4)
    maybe(text, "use_sliding_window", False)
    maybe(text, "sliding_window", rng.choice([None, 4096]))
    if "num_hidden_layers" in text:
        maybe(text, "layer_types", ["full_attention"] * layers, 0.3)
    vision_heads = rng.randint(1, 16)
    edge, patch = rng.choice([(384, 14), (56, 14), (224, 16), (28, 28)])
    vision.update(num_attention_heads=vision_heads, hidden_size=vision_heads * rng.randint(1, 80), image_size=edge,
                  patch_size=patch)
    maybe(vision, "model_type", "siglip_vision_model")
    maybe(vision, "intermediate_size", rng.randint(1, 5000))
    maybe(vision, "num_hidden_layers", rng.randint(1, 40))
    maybe(vision, "hidden_act", rng.choice(ACTIVATIONS))
    maybe(vision, "layer_norm_eps", rng.choice([1e-6, 1e-5]))
    maybe(vision, "vision_use_head", False)
    maybe(top, "text_config", text, 0.95)
    if rng.random() < 0.9:
        top["vision_config"] = vision
        top["image_grid_pinpoints"] = [[edge * rng.randint(1, 6), edge * rng.randint(1, 6)] for _ in range(rng.randint(1, 9))]
    else:
        maybe(top, "vision_config", None, 0.5)
    vision_layers = top.get("vision_config", None) and vision.get("num_hidden_layers", 12) or 26
    if top.get("vision_config") is None:
        vision_layers = 26
    feature = rng.randint(-vision_layers - 1, vision_layers)
    maybe(top, "vision_feature_layer", rng.choice([feature, [feature]]))
    maybe(top, "vision_feature_select_strategy", "full")
    maybe(top, "projector_hidden_act", rng.choice(ACTIVATIONS))
    maybe(top, "multimodal_projector_bias", rng.random() < 0.5)
    maybe(top, "tie_word_embeddings", rng.random() < 0.3)
    maybe(top, "vision_aspect_ratio", f"anyres_max_{rng.randint(1, 36)}")
    for key in ("image_token_index", "video_token_index", "image_token_id", "video_token_id"):
        maybe(top, key, rng.randint(0, 151000), 0.3)
    return top


def wrong_fields(ours, given):
    """Names of what differs."""
    theirs = LlavaOnevisionConfig(**json.loads(json.dumps(given)))
    vision, text = theirs.vision_config, theirs.text_config
    layers = vision.num_hidden_layers
    feature = theirs.vision_feature_layer
    feature = feature[0] if isinstance(feature, list) else feature
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    pairs = [(f"vision.{k}", ours["vision"][k], getattr(vision, k))
             for k in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size",
                       "patch_size", "layer_norm_eps")]
    pairs += [(f"text.{k}", ours["text"][k], getattr(text, k))
              for k in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                        "num_key_value_heads", "vocab_size", "max_position_embeddings", "rms_norm_eps")]
    pairs += [
        ("text.head_dim", ours["text"]["head_dim"], head_dim),
        ("text.rope_theta", ours["text"]["rope_theta"], text.rope_parameters["rope_theta"]),
        ("tied", ours["text"]["tied"], theirs.tie_word_embeddings),
        ("layers_run", ours["vision"]["layers_run"], range(layers + 1)[feature]),
        ("pinpoints", ours["pinpoints"], [list(p) for p in theirs.image_grid_pinpoints]),
        ("image_token", ours["image_token"], theirs.image_token_index),
        ("video_token", ours["video_token"], theirs.video_token_index),
        ("anyres_max", ours["anyres_max"], int(theirs.vision_aspect_ratio.strip("anyres_max_"))),
        ("projector_bias", ours["projector_bias"], theirs.multimodal_projector_bias),
        ("vision.activation", same_activation(ours["vision"]["activation"], vision.hidden_act), True),
        ("text.activation", same_activation(ours["text"]["activation"], text.hidden_act), True),
        ("projector_activation", same_activation(ours["projector_activation"], theirs.projector_hidden_act), True),
    ]
    return [(name, a, b) for name, a, b in pairs if a != b]


def compare_configs(probe, rng, count, folder):
    failed = 0
    path = folder / "config.json"
    for _ in range(count):
        given = random_config(rng)
        path.write_text(json.dumps(given))
        ours = probe.ask("c", path)
        wrong = [("error", ours["error"], None)] if "error" in ours else wrong_fields(ours, given)
        if wrong:
            failed += 1
            if failed <= 5:
                print(f"  {json.dumps(given)}\n    (field, ours, theirs): {wrong}")
    print(f"configurations: {count - failed} of {count} read alike", flush=True)
    return failed


def random_file(rng):
    """A sound file's bytes."""
    kinds = [numpy.float32, numpy.float16, numpy.int64, numpy.uint8, numpy.bool_]
    tensors = {}
    for i in range(rng.randint(0, 6)):
        shape = [rng.randint(0, 4) if rng.random() < 0.1 else rng.randint(1, 4) for _ in range(rng.randint(0, 4))]
        tensors[f"tensor.{i}"] = numpy.frombuffer(rng.randbytes(4096), numpy.uint8)[:int(numpy.prod(shape))].reshape(
            shape).astype(rng.choice(kinds))
    return safetensors.numpy.save(tensors, {"format": "pt"} if rng.random() < 0.5 else None)


def damage(rng, data):
    """One random change, mostly in the header; the header's length follows changes of size half the time."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        length = int.from_bytes(data[:8], "little")
        header_end = min(len(data), 8 + length)
        kind = rng.randrange(6)
        at = rng.randrange(8, header_end) if header_end > 8 and rng.random() < 0.8 else rng.randrange(len(data))
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data[at] = rng.choice(b'0123456789"{}[],:- \nF')
        elif kind == 2:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            data[at:at] = rng.choice([b"0", b"1", b" ", b",", b"9" * 20, b"]", b"[", b"-"])
            if rng.random() < 0.7:
                data[:8] = (length + 1 & (1 << 64) - 1).to_bytes(8, "little")
        elif kind == 4:
            data += rng.randbytes(rng.randint(1, 9))
        else:  # a number in the header becomes its neighbour
            digits = [i for i in range(8, header_end) if data[i] in b"012345678"]
            if digits:
                data[rng.choice(digits)] += 1
        if len(data) < 9:
            break
    return bytes(data)


def reference_tensors(path):
    """name -> [dtype, shape, fingerprint]; None when the wheel refuses the file."""
    data = path.read_bytes()
    try:
        found = safetensors.deserialize(data)
    except Exception:  # the wheel has one error class, and numpy and UnicodeDecodeError beside it
        return None
    answer = {}
    for name, value in found:
        mark = 0
        for byte in bytes(value["data"]):
            mark = (mark * 31 + byte) & 0xFFFFFFFF
        answer[name] = [value["dtype"], list(value["shape"]), mark]
    return answer


def compare_files(probe, rng, count, folder):
    failed = 0
    path = folder / "x.safetensors"
    outcomes = collections.Counter()
    for i in range(count):
        data = random_file(rng)
        if i % 4:
            data = damage(rng, data)
        path.write_bytes(data)
        ours, theirs = probe.ask("s", path), reference_tensors(path)
        refused = "error" in ours and isinstance(ours["error"], str)
        if refused and "duplicate object key" in ours["error"]:
            outcomes["duplicate keys"] += 1  # against the format; the wheel lets the last one win, we refuse
            continue
        outcomes["refused" if theirs is None else "accepted"] += 1
        if refused != (theirs is None) or (not refused and ours != theirs):
            failed += 1
            if failed <= 8:
                print(f"  {data[:300]!r}\n    ours   {str(ours)[:200]}\n    theirs {str(theirs)[:200]}")
    print(f"safetensors files: {count - failed} of {count} judged alike ({outcomes['accepted']} sound, "
          f"{outcomes['refused']} refused, {outcomes['duplicate keys']} with duplicate keys left out)", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--configs", type=int, default=2000)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    probe = Probe(arguments.build)
    with tempfile.TemporaryDirectory() as folder:
        failed = compare_configs(probe, rng, arguments.configs, pathlib.Path(folder))
        failed += compare_files(probe, rng, arguments.files, pathlib.Path(folder))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
