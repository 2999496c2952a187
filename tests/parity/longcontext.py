#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long contexts: our distance from float64 beside that of HF's float32, on random models.

    python tests/parity/longcontext.py BUILD_DIR [--quick] [--lengths 4096,20000,32760] [--heads 64,128] [--tool OPTION]

The truth is HF's model in float64, with attention written out (a softmax over all keys, by blocks of queries). The
distance of a position is the greatest difference of a logit over their standard deviation. Every position of the whole
length is compared: in each of 64 stretches of it the median and the greatest distance of ours are at most twice those of
HF's float32 (its own attention, sdpa). Positions at the end are asked for once more with --last 1, 64 and 300, which
cuts prefill elsewhere and goes through the kernels for few queries; each answer keeps the same bound. Exit code 0 when all
of that holds.
"""
import argparse
import copy
import sys
import tempfile
import time

import numpy as np
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import checkpoints
from checkpoints import Shape
from tool import Tool

STRETCHES = 64
LAST = (1, 64, 300)


def exact_attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """Causal attention with every product written out, in the dtype of its arguments: [batch, head, token, width]."""
    group = query.shape[1] // key.shape[1]
    out = torch.empty_like(query)
    window = kwargs.get("sliding_window") or query.shape[2]
    positions = torch.arange(query.shape[2])
    for head in range(query.shape[1]):
        k, v = key[0, head // group], value[0, head // group]
        for first in range(0, query.shape[2], 1024):
            rows = positions[first : first + 1024]
            keys = positions[: int(rows[-1]) + 1]
            scores = query[0, head, rows] @ k[keys].T * scaling
            seen = (keys[None] <= rows[:, None]) & (keys[None] > rows[:, None] - window)
            out[0, head, rows] = scores.masked_fill(~seen, -torch.inf).softmax(-1) @ v[keys]
    return out.transpose(1, 2), None


def logits_of(model, ids, attention):
    model.set_attn_implementation(attention)
    with torch.inference_mode():
        return model(input_ids=ids, use_cache=False).logits[0].double().numpy()


def distances(logits, truth, sigma):
    return np.abs(logits - truth).max(-1) / sigma


def compare(name, ours, theirs, failures):
    """Stretch by stretch; returns the worst ratio."""
    worst = 0.0
    for a, b in zip(np.array_split(ours, STRETCHES), np.array_split(theirs, STRETCHES)):
        worst = max(worst, np.median(a) / np.median(b), a.max() / b.max())
    if worst > 2:
        failures.append(f"{name}: {worst:.2f} times HF float32's distance")
    return worst


def run(tool, shape, lengths, failures):
    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
        model, _ = checkpoints.write(shape, folder)
        exact = copy.deepcopy(model).double()
        generator = torch.Generator().manual_seed(shape.seed)
        placeholders = (model.config.image_token_id, model.config.video_token_id)
        for length in lengths:
            started = time.time()
            ids = torch.randint(0, min(placeholders), (1, length), generator=generator)
            truth = logits_of(exact, ids, "exact")
            sigma = truth.std()
            theirs = distances(logits_of(model, ids, "sdpa"), truth, sigma)
            file = tool.save("ids.npy", ids[0].numpy().astype(np.int32))
            ours = distances(tool.array("logits", "-m", folder, "--ids", file, "--last", length), truth, sigma)
            name = f"{shape.name} {length}"
            worst = compare(name, ours, theirs, failures)
            same = []
            for last in LAST:
                part = distances(tool.array("logits", "-m", folder, "--ids", file, "--last", last), truth[-last:], sigma)
                same.append(f"{part.max():.1e}")
                if part.max() > 2 * max(theirs[-max(last, length // STRETCHES) :].max(), 1e-12):
                    failures.append(f"{name} --last {last}: {part.max():.2e} sigma")
            print(f"{name}: greatest distance from float64: ours {ours.max():.2e} sigma, HF float32's {theirs.max():.2e}; "
                  f"median {np.median(ours):.2e}, {np.median(theirs):.2e}; last stretch {ours[-300:].max():.2e}, "
                  f"{theirs[-300:].max():.2e}; worst stretch {worst:.2f} times HF's; positions over twice HF's "
                  f"{int((ours > 2 * theirs).sum())}; --last {LAST}: {', '.join(same)}; {time.time() - started:.0f} s",
                  flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--lengths", default="4096,20000,32760")
    parser.add_argument("--heads", default="64,128")
    parser.add_argument("--quick", action="store_true", help="4,096 tokens alone")
    parser.add_argument("--tool", action="append", default=[], help="an option for llavaov-tool, e.g. --cpu-mask=avx2")
    arguments = parser.parse_args()
    lengths = [4096] if arguments.quick else [int(x) for x in arguments.lengths.split(",")]
    ALL_ATTENTION_FUNCTIONS.register("exact", exact_attention)
    tool = Tool(arguments.build, options=arguments.tool)
    failures = []
    for width in arguments.heads.split(","):
        heads = 256 // int(width)
        shape = Shape(f"head-{width}", hidden=256, heads=heads, kv_heads=max(1, heads // 2), head_dim=int(width), mlp=512,
                      layers=2, dtype="f32", seed=40)  # fmt: skip
        run(tool, shape, lengths, failures)
    for text in failures:
        print("FAIL", text)
    print(f"long contexts: {'FAIL' if failures else 'pass'}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
