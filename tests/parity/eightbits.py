#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""int8 against transformers with bitsandbytes' LLM.int8, in the environment of requirements-bitsandbytes.txt.

    python tests/parity/eightbits.py BUILD_DIR [--only TEXT]

On random checkpoints, plain and with planted outliers: channels of the norms' gains that are 40 times as great as the others, alone
(activations with outliers) or with the weights behind them made smaller by as much (the same model, harder to quantise), and columns of
weights that are greater. The truth is the model in float64. Features and logits with `--precision int8` must be no further from
it than those of transformers with `load_in_8bit` and all else in float32: root mean squares, and of their ratios the geometric mean over
the shapes of each kind, because either error is one drawing of many.
"""
import argparse
import copy
import dataclasses
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
import transformers
from transformers import BitsAndBytesConfig, LlavaOnevisionForConditionalGeneration

import checkpoints
import model as whole
from checkpoints import Shape
from tool import Tool

PLANTED = 40.0
SHAPES = [
    Shape("f16", hidden=128, mlp=384, v_hidden=96, v_mlp=256, seed=201),
    Shape("bf16", layout="b2", dtype="bf16", hidden=256, heads=8, mlp=704, v_hidden=144, v_heads=4, v_mlp=400, seed=202),
    Shape("deep", layers=8, v_layers=6, hidden=192, mlp=512, v_hidden=128, v_mlp=320, seed=203),
    Shape("wide-rows", v_mlp=4304, mlp=4864, v_hidden=288, v_heads=4, hidden=224, layers=2, v_layers=2, seed=204),
]  # fmt: skip
KINDS = ["plain", "gains", "moved", "columns"]
NORMS = {  # a norm's gain, and the weights that take what it gives
    "layer_norm1": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "layer_norm2": ["mlp.fc1"],
    "input_layernorm": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    "post_attention_layernorm": ["mlp.gate_proj", "mlp.up_proj"],
}


def plant(model, shape, kind):
    """Outliers in 3 channels of every norm or weight."""
    named = dict(model.named_parameters())
    generator = np.random.default_rng(shape.seed)
    rounded = checkpoints.DTYPES[shape.dtype]
    with torch.no_grad():
        for name in sorted(named):
            layer, _, norm = name.removesuffix(".weight").rpartition(".")
            if norm in NORMS and name.endswith(".weight"):
                channels = torch.from_numpy(generator.choice(named[name].numel(), 3, replace=False))
                if kind in ("gains", "moved"):
                    named[name][channels] *= PLANTED
                    if name.replace("weight", "bias") in named:
                        named[name.replace("weight", "bias")][channels] *= PLANTED
                for weight in NORMS[norm]:
                    of = named[f"{layer}.{weight}.weight"]
                    if kind == "moved":
                        of[:, channels] /= PLANTED
                    elif kind == "columns":
                        of[:, channels] *= PLANTED / 4
        for p in named.values():
            p.copy_(p.to(rounded).float())
    return model


def planted(shape, kind, folder):
    randomise = checkpoints.randomise
    checkpoints.randomise = lambda model, s: plant(randomise(model, s), s, kind) if kind != "plain" else randomise(model, s)
    try:
        return checkpoints.write(shape, folder)
    finally:
        checkpoints.randomise = randomise


def rms(values):
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


def distances(arguments, shape, kind):
    """{what: (ours, LLM.int8's)} of one checkpoint, in units of the truth's own root mean square."""
    errors, size = {}, {}

    def add(what, who, values, truth):
        errors.setdefault((what, who), []).append(np.asarray(values, np.float64).ravel() - truth.ravel())
        size.setdefault(what, []).append(truth.ravel())

    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
        model, processor = planted(shape, kind, folder)
        exact = copy.deepcopy(model).double()
        config = BitsAndBytesConfig(load_in_8bit=True)
        theirs = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, quantization_config=config, dtype=torch.float32).eval()
        tool = Tool(arguments.build, options=["--precision", "int8", "--cpu-mask", arguments.cpu_mask])
        for case in whole.cases_of(shape, np.random.default_rng(shape.seed), True):
            if case.name not in ("text", "image", "images-2", "video-2"):
                continue
            ids, extra = whole.hf_inputs(processor, case)
            options = ["-m", folder, "-l", case.layout, "--resize", "torchvision"]
            files = [tool.save(f"picture-{i}.npy", p) for i, p in enumerate(case.pictures)]
            if files:
                truth = np.asarray(whole.hf_features(exact, extra))
                add("features", "ours", tool.array("features", *options, *files), truth)
                add("features", "theirs", whole.hf_features(theirs, extra).float(), truth)
            forced = tool.save("ids.npy", np.array(ids, np.int32))
            wide = {k: v.double() if v.is_floating_point() else v for k, v in extra.items()}
            with torch.inference_mode():
                truth = exact(input_ids=torch.tensor([ids]), **wide).logits[0].numpy()
                add("logits", "theirs", theirs(input_ids=torch.tensor([ids]), **extra).logits[0].float(), truth)
            add("logits", "ours", tool.array("logits", *options, "--ids", forced, "--last", 0, *files), truth)
    return {what: tuple(rms(np.concatenate(errors[what, who])) / rms(np.concatenate(size[what])) for who in ("ours", "theirs"))
            for what in size}  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", help="checkpoints whose name holds this text")
    parser.add_argument("--cpu-mask", default="auto")
    parser.add_argument("--seeds", type=int, default=4, help="checkpoints of each shape and kind")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    failed, ratios = 0, {}
    started = time.time()
    for shape in SHAPES:
        for kind in KINDS:
            if arguments.only and arguments.only not in f"{shape.name} {kind}":
                continue
            for seed in range(arguments.seeds):
                found = distances(arguments, dataclasses.replace(shape, seed=shape.seed + 1000 * seed), kind)
                for what, (ours, theirs) in found.items():
                    ratios.setdefault((kind, what), []).append(ours / theirs)
                line = "  ".join(f"{what} {ours:.2e}, LLM.int8 {theirs:.2e} ({ours / theirs:.2f})" for what, (ours, theirs) in found.items())
                print(f"{shape.name:10} {kind:8} {line}", flush=True)
    for (kind, what), of in sorted(ratios.items()):
        mean = float(np.exp(np.mean(np.log(of))))
        failed += mean > 1
        print(f"{'FAIL ' if mean > 1 else ''}{kind:8} {what:8} {mean:.3f} of LLM.int8's distance")
    total = len(ratios)
    print(f"int8 parity: {total - failed} passed, {failed} failed, {time.time() - started:.0f} s")
    return 1 if failed or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
