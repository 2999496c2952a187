#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many of camera-check's answers change with a precision of four bits, here and in transformers: the table of docs/precision.md.

    python tests/parity/fourbits_answers.py BUILD_DIR [--windows 40]

Windows of 8 drawn frames and a few questions about each. transformers computes in float32 with the weights that bitsandbytes
makes of the checkpoint's. Exit code 0 when the answers here are transformers' own at every precision.
"""
import argparse
import json
import pathlib
import sys

import fourbits  # first: it sets what bitsandbytes looks at
import numpy as np
import torch
import transformers

import checkpoints
import model as whole
from tool import Tool

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "models" / "camera-check"
FRAMES, SIZE = 8, 192
QUESTIONS = ["What happens?", "Which way does the ball move?", "What is shown in this video?", "Is the camera all right?",
             "What colour is the ball?"]  # fmt: skip
COLOURS = [(255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]


def window(rng):
    """A ball that moves before a plain background, sometimes under noise; or checkers, or snow."""
    kind = rng.integers(0, 6)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    ball, ground = (np.array(COLOURS[i], np.float64) for i in rng.choice(len(COLOURS), 2, replace=False))
    start, step = rng.uniform(40, 150, 2), rng.uniform(-12, 12, 2) * rng.integers(0, 2, 2)
    radius, noise, cell = rng.uniform(8, 22), rng.choice([0, 0, 12]), rng.integers(4, 24)
    frames = []
    for n in range(FRAMES):
        picture = np.broadcast_to(ground, (SIZE, SIZE, 3)).copy()
        if kind == 4:
            picture[(x // cell + y // cell) % 2 == 0] = ball
        elif kind == 5:
            picture = np.repeat(rng.integers(0, 256, (SIZE, SIZE, 1)), 3, 2)
        else:
            centre = (start + n * step) % SIZE
            picture[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2] = ball
        frames.append(np.clip(picture + rng.normal(0, 1, picture.shape) * noise, 0, 255).astype(np.uint8))
    return np.stack(frames)


def ours(tool, windows):
    answers = []
    files = [tool.save(f"window-{i}.npy", w) for i, w in enumerate(windows)]
    for question in QUESTIONS:
        lines = tool.run("generate", "-m", FOLDER, "--greedy", "-j", "-N", 48, "--every", FRAMES, "-p", question, *files)
        answers.append([json.loads(line)["tokens"] for line in lines.splitlines()])
    return answers


def theirs(model, processor, windows):
    answers = []
    for question in QUESTIONS:
        row = []
        for w in windows:
            ids, extra = whole.hf_inputs(processor, whole.Case("", "video", list(w), question))
            start = torch.tensor([ids])
            with torch.inference_mode():
                new = model.generate(input_ids=start, attention_mask=torch.ones_like(start), do_sample=False, max_new_tokens=48, **extra)
            row.append(new[0, len(ids) :].tolist())
        answers.append(row)
    return answers


def different(a, b):
    return sum(x != y for row, other in zip(a, b) for x, y in zip(row, other))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--windows", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    rng = np.random.default_rng(1)
    windows = [window(rng) for _ in range(arguments.windows)]
    processor = transformers.AutoProcessor.from_pretrained(FOLDER)
    model = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32).eval()
    shape = checkpoints.Shape("camera-check", dtype="f16")
    total, apart, plain = len(QUESTIONS) * len(windows), 0, {}
    for precision in ["auto", *fourbits.PRECISIONS]:
        truth = model if precision == "auto" else fourbits.quantised_model(model, shape, *fourbits.PRECISIONS[precision])
        here = ours(Tool(arguments.build, options=["--precision", precision]), windows)
        there = theirs(truth, processor, windows)
        plain = plain or {"here": here, "there": there}
        apart += different(here, there)
        print(f"{precision:7} changed here {different(here, plain['here']):4} of {total}, in transformers {different(there, plain['there']):4}; "
              f"other than transformers' {different(here, there)}", flush=True)  # fmt: skip
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
