#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many of camera-check's answers change with int8, and with the weights that gguf's Q8_0 makes of the same tensors, computed as they
are stored: the table of docs/precision.md.

    python tests/parity/eightbits_answers.py BUILD_DIR [--windows 200]

In the environment of requirements-bitsandbytes.txt. Exit code 0 when int8 changes no more than Q8_0.
"""
import argparse
import pathlib
import shutil
import sys
import tempfile

import fourbits_answers as answers  # first: it sets what bitsandbytes looks at
import gguf
import numpy as np
from safetensors.numpy import load_file, save_file

from tool import Tool

FOLDER = answers.FOLDER
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "fc1", "fc2", "gate_proj", "up_proj", "down_proj", "linear_1", "linear_2")


def rounded(weight, kind):
    """What a format of gguf makes of a matrix and back again; rows that are no whole blocks are filled with zeros."""
    block = gguf.GGML_QUANT_SIZES[kind][0]
    rows = weight.astype(np.float32)
    filled = np.pad(rows, ((0, 0), (0, -rows.shape[1] % block)))
    return gguf.dequantize(gguf.quantize(filled, kind), kind)[:, : rows.shape[1]]


def folder_of(folder, kind):
    """A copy of camera-check with such weights, in float32."""
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    tensors = load_file(FOLDER / "model.safetensors")
    changed = 0
    for name, values in tensors.items():
        if name.endswith(".weight") and name.split(".")[-2] in LINEAR:
            tensors[name] = np.ascontiguousarray(rounded(values, kind), np.float32)
            changed += 1
    save_file(tensors, pathlib.Path(folder) / "model.safetensors", metadata={"format": "pt"})
    return changed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--kind", default="Q8_0")
    parser.add_argument("--precision", default="int8")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    windows = [answers.window(rng) for _ in range(arguments.windows)]
    total = len(answers.QUESTIONS) * len(windows)
    plain = answers.ours(Tool(arguments.build), windows)
    here = answers.ours(Tool(arguments.build, options=["--precision", arguments.precision]), windows)
    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
        changed = folder_of(folder, getattr(gguf.GGMLQuantizationType, arguments.kind))
        answers.FOLDER = pathlib.Path(folder)
        there = answers.ours(Tool(arguments.build), windows)
    ours, theirs = answers.different(here, plain), answers.different(there, plain)
    print(f"changed of {total}: {arguments.precision} {ours}, {arguments.kind} ({changed} tensors) {theirs}")
    return 1 if ours > theirs or changed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
