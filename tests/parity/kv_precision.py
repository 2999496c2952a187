#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`--kv-precision f16` against transformers in float16: on random checkpoints and on camera-check, logits with keys and values in float16
must be no further from those in float32 than transformers' float16 model is from its float32 one.

    python tests/parity/kv_precision.py BUILD_DIR
"""
import argparse
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers

import checkpoints
import model as whole
from checkpoints import Shape
from tool import Tool

SHAPES = [
    Shape("f16", hidden=128, mlp=384, v_hidden=96, v_mlp=256, seed=301),
    Shape("deep", layers=8, v_layers=2, hidden=192, mlp=512, v_hidden=128, v_mlp=320, seed=302),
    Shape("bf16", layout="b2", dtype="bf16", hidden=256, heads=8, mlp=704, v_hidden=144, v_heads=4, v_mlp=400, seed=303),
]
CAMERA_CHECK = pathlib.Path(__file__).resolve().parents[2] / "models" / "camera-check"


def rms(values):
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


def compare(build, name, folder, model, processor, shape):
    """(ours, theirs): root mean squares over all cases, in units of the logits' own."""
    half = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float16).eval()
    ours, theirs, size = [], [], []
    exact, narrow = Tool(build), Tool(build, options=["--kv-precision", "f16"])
    for case in whole.cases_of(shape, np.random.default_rng(shape.seed), True):
        if case.name not in ("text", "image", "images-2", "video-2"):
            continue
        ids, extra = whole.hf_inputs(processor, case)
        with torch.inference_mode():
            full = model(input_ids=torch.tensor([ids]), **extra).logits[0].float().numpy()
            cast = {k: v.half() if v.is_floating_point() else v for k, v in extra.items()}
            theirs.append(half(input_ids=torch.tensor([ids]), **cast).logits[0].float().numpy() - full)
        logits = []
        for tool in (exact, narrow):
            forced = tool.save("ids.npy", np.array(ids, np.int32))
            files = [tool.save(f"picture-{i}.npy", p) for i, p in enumerate(case.pictures)]
            logits.append(tool.array("logits", "-m", folder, "-l", case.layout, "--resize", "torchvision", "--ids", forced, "--last", 0, *files))
        ours.append(logits[1] - logits[0])
        size.append(full)
    whole_size = rms(np.concatenate([s.ravel() for s in size]))
    return [rms(np.concatenate([e.ravel() for e in errors])) / whole_size for errors in (ours, theirs)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    failed = 0

    def show(name, folder, model, processor, shape):
        nonlocal failed
        ours, theirs = compare(arguments.build, name, folder, model, processor, shape)
        failed += not 0 < ours <= theirs
        print(f"{'' if 0 < ours <= theirs else 'FAIL '}{name:12} keys and values in f16 {ours:.2e}, transformers in float16 {theirs:.2e}", flush=True)

    for shape in SHAPES:
        with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
            show(shape.name, folder, *checkpoints.write(shape, folder), shape)
    model = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(CAMERA_CHECK, dtype=torch.float32).eval()
    show("camera-check", CAMERA_CHECK, model, transformers.AutoProcessor.from_pretrained(CAMERA_CHECK), Shape("camera-check", seed=304))
    print(f"kv-precision parity: {len(SHAPES) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
