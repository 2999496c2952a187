#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nf4 and fp4 against bitsandbytes and transformers, in the environment of requirements-bitsandbytes.txt.

    python tests/parity/fourbits.py BUILD_DIR [--only TEXT] [--quick]

On random checkpoints of several shapes, for nf4 and fp4 with plain and nested scales:
* logits, features and tokens with `--precision` are those of transformers with the weights that bitsandbytes makes of the same
  tensors, in float32 (model.py's bounds);
* what `llavaov-tool quantize` writes is, tensor by tensor and byte for byte, what transformers saves after `load_in_4bit`
  (quant_state as JSON), and transformers opens it;
* logits from that folder, and from the one that transformers has saved, have the bits of those with `--precision`.

bitsandbytes' compiled dequantising for AVX-512 takes scales by rows, which is wrong for rows that are no multiple of 64
(4,304 in the released towers); here its plain implementation is used, as on every other device.
"""
import os

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # compiles bitsandbytes' plain code for minutes

import argparse
import copy
import json
import pathlib
import shutil
import sys
import tempfile
import time

import bitsandbytes.functional as bnb
import numpy as np
import torch
import transformers
from bitsandbytes.backends.default import ops as plain
from safetensors import safe_open
from transformers import BitsAndBytesConfig, LlavaOnevisionForConditionalGeneration

import checkpoints
import model as whole
from checkpoints import Shape
from tool import Tool

PRECISIONS = {"nf4": ("nf4", False), "fp4": ("fp4", False), "nf4-dq": ("nf4", True), "fp4-dq": ("fp4", True)}
SHAPES = [
    Shape("f16", seed=101),
    Shape("f32", layout="b1", dtype="f32", seed=102),
    Shape("bf16-tied", layout="b2", dtype="bf16", tied=True, seed=103),
    Shape("mixed-sharded", dtype="mixed", shards=3, seed=104),
    Shape("original", layout="c", dtype="bf16", seed=105),
    Shape("wide-rows", v_mlp=4304, mlp=1000, layers=1, v_layers=1, seed=106),
    Shape("odd-rows", hidden=60, heads=6, kv_heads=2, v_hidden=30, v_heads=3, mlp=91, v_mlp=53, seed=107),
    Shape("large", v_hidden=256, v_heads=4, v_mlp=1024, hidden=512, heads=8, kv_heads=2, mlp=1536, dtype="bf16", seed=108),
]  # fmt: skip


def dequantised(weight, quant_type, nested):
    """What bitsandbytes makes of a weight and back again, in the weight's type."""
    codes, state = bnb.quantize_4bit(weight.contiguous(), quant_type=quant_type, compress_statistics=nested)
    scales = state.absmax
    if nested:
        scales = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset
    compute = getattr(plain._dequantize_4bit_compute, "__wrapped__", plain._dequantize_4bit_compute)
    flat = compute(codes.reshape(-1), scales, bnb.get_4bit_type(quant_type, "cpu"), 64, (1, weight.numel()), weight.dtype)
    return flat.reshape(weight.shape)


def quantised_model(model, shape, quant_type, nested):
    """A copy whose linear weights but the head are those of four bits."""
    copied = copy.deepcopy(model)
    order = {name: i for i, (name, _) in enumerate(sorted(model.named_parameters()))}
    with torch.no_grad():
        for name, module in copied.named_modules():
            if type(module) is torch.nn.Linear and name != "lm_head":
                dtype = checkpoints.file_dtype(shape, order[name + ".weight"])
                module.weight.copy_(dequantised(module.weight.to(dtype), quant_type, nested).float())
    return copied


def compare(arguments, shape, precision, folder, model, processor):
    """(failures, worst distances) of the cases of one checkpoint at one precision."""
    tool = Tool(arguments.build, options=["--precision", precision])
    truth = quantised_model(model, shape, *PRECISIONS[precision])
    exact = copy.deepcopy(truth).double()
    failures, worst = [], {"features": 0.0, "logits": 0.0}
    for case in whole.cases_of(shape, np.random.default_rng(shape.seed), True):
        if arguments.quick and case.name not in ("text", "image", "video-2"):
            continue
        failed, facts = whole.run_case(tool, folder, shape, truth, exact, processor, case)
        failures += [f"{case.name}: {text}" for text in failed]
        for key in worst:
            worst[key] = max(worst[key], facts.get(key, 0.0))
    return failures, worst


def tensors_of(folder):
    """Every tensor of a folder, as bytes; quant_states as what their JSON says."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                tensor = file.get_tensor(name)
                raw = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
                found[name] = (str(tensor.dtype), list(tensor.shape), json.loads(raw) if "quant_state" in name else raw)
                if "quant_state" in name:
                    found[name] = found[name][2]
    return found


def four_bit_config(quant_type, nested):
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=quant_type, bnb_4bit_use_double_quant=nested, bnb_4bit_compute_dtype=torch.float32
    )


def files_agree(arguments, shape, precision, folder, scratch):
    """Failures of the files of one checkpoint at one precision."""
    tool, failures = Tool(arguments.build), []
    ours, theirs = scratch / f"ours-{precision}", scratch / f"theirs-{precision}"
    tool.run("quantize", "--precision", precision, folder, ours)
    prompt = ["-p", "What is shown in this image?"]
    wanted = tool.array("logits", "-m", folder, "--precision", precision, *prompt)
    whole.check(failures, np.array_equal(wanted, tool.array("logits", "-m", ours, *prompt)), "logits of quantize's folder differ")
    if shape.layout == "c":  # not a folder for transformers
        return failures
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, quantization_config=four_bit_config(*PRECISIONS[precision]))
    model.save_pretrained(theirs)
    for path in pathlib.Path(folder).iterdir():
        if path.suffix in (".json", ".jinja") and not (theirs / path.name).exists() and "index" not in path.name:
            shutil.copy(path, theirs)
    same = np.array_equal(wanted, tool.array("logits", "-m", theirs, *prompt))
    whole.check(failures, same or shape.dtype == "mixed", "logits of transformers' folder differ")  # it makes one type of all
    opened = LlavaOnevisionForConditionalGeneration.from_pretrained(ours)
    mine, reference = tensors_of(ours), tensors_of(theirs)
    if shape.dtype != "mixed":
        for name in sorted(set(reference) | set(mine)):
            whole.check(failures, mine.get(name) == reference.get(name), f"tensor {name} is not what transformers saves")
        for (name, a), (_, b) in zip(opened.named_parameters(), model.named_parameters()):
            same = torch.equal(a, b) and (not hasattr(a, "quant_state") or a.quant_state == b.quant_state)
            whole.check(failures, same, f"transformers reads something else as {name} in quantize's folder")
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", help="shapes whose name holds this text")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # the mean of nested scales depends on it
    total = failed = 0
    started = time.time()
    for shape in SHAPES:
        if arguments.only and arguments.only not in shape.name:
            continue
        with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
            model, processor = checkpoints.write(shape, folder)
            for precision in PRECISIONS:
                failures, worst = compare(arguments, shape, precision, folder, model, processor)
                with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as scratch:
                    failures += files_agree(arguments, shape, precision, folder, pathlib.Path(scratch))
                total += 1
                failed += bool(failures)
                for text in failures:
                    print(f"FAIL {shape.name} {precision} {text}", flush=True)
                print(f"{shape.name:14} {precision:7} features {worst['features']:.1e}  logits {worst['logits']:.1e} sigma", flush=True)
    print(f"bitsandbytes parity: {total - failed} passed, {failed} failed, {time.time() - started:.0f} s")
    return 1 if failed or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
