#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations of the vision half that transformers opens, against transformers itself, on random checkpoints.

    python tests/parity/configs.py BUILD_DIR [--only TEXT] [--quick]

Every configuration is asked with text alone, one image, two images and a video. Where transformers runs, the features
agree within max(1e-5, twice its own distance from float64) and the greedy tokens are the same (up to a place where its two best logits are
closer than ten times the difference). Where it fails, ours must fail, too, and say why. Exit code 0 when all of that holds.
"""
import argparse
import copy
import sys
import tempfile

import numpy as np
import torch
from transformers.activations import ACT2FN

import checkpoints
from checkpoints import Shape
from model import Case, check, hf_features, hf_inputs, picture, relative
from tally import Tally
from tool import Tool

NEW_TOKENS = 24
# Learned activations: transformers makes them with fresh weights, which no checkpoint of this family holds.
REFUSED_ACTIVATIONS = {"prelu", "xielu"}


def shapes():
    yield Shape("plain")
    for aspect in ("anyres", "anyres_max_1", "anyres_max_4", "4", "max_1_0", "anyres_max_-4", "anyres_max_0", "pad", "", "anyres_max_9z"):
        yield Shape(f"aspect {aspect!r}", aspect=aspect)
    yield Shape("strategy default", strategy="default")
    for layer in (0, 1, 3, -1, -2, -4, [-1], [0], [-1, -2], [0, -1], [2, 2, -4], [3, 1]):
        yield Shape(f"layer {layer}", v_layers=3, feature_layer=layer)
    yield Shape("layers, odd width", v_layers=3, feature_layer=[-1, 0, -2], v_hidden=30, v_heads=3)
    yield Shape("no projector bias", projector_bias=False)
    yield Shape("a pinpoint of no whole tiles", pinpoints=[[56, 56], [100, 60], [112, 112]])
    yield Shape("no pinpoint of whole tiles", pinpoints=[[100, 60], [30, 30]])
    yield Shape("pinpoints of two shapes", pinpoints=[[56, 168], [168, 56]])
    for name in sorted(ACT2FN.keys()):
        yield Shape(f"projector {name}", projector_act=name)
    for name in ("relu2", "mish", "tanh", "gelu_10", "laplace"):
        yield Shape(f"vision {name}", v_act=name)


def cases_of(shape, rng):
    e = shape.image
    yield Case("text", "video", [], "Which way does the ball move?")
    yield Case("image", "image", [picture(rng, e + 17, 2 * e + 5)])
    yield Case("image small", "image", [picture(rng, e, e)])
    yield Case("images", "images", [picture(rng, e, 2 * e), picture(rng, 2 * e + 1, e)])
    yield Case("video", "video", [picture(rng, e, e + 30) for _ in range(2)], "Describe the video.")


def theirs(model, processor, case):
    """(ids, extra, features, tokens, logits) or the reason for which transformers fails."""
    try:
        ids, extra = hf_inputs(processor, case)
        features = hf_features(model, extra) if case.pictures else None
        with torch.inference_mode():
            start = torch.tensor([ids])
            tokens = model.generate(
                input_ids=start, attention_mask=torch.ones_like(start), do_sample=False, max_new_tokens=NEW_TOKENS,
                eos_token_id=model.config.text_config.eos_token_id, pad_token_id=0, **extra,
            )[0, len(ids) :].tolist()  # fmt: skip
            visual = (model.config.image_token_id, model.config.video_token_id)
            tokens = tokens[: next((i for i, t in enumerate(tokens) if t in visual), NEW_TOKENS)]
            logits = model(input_ids=torch.tensor([ids + tokens]), **extra).logits[0, len(ids) - 1 :].float().numpy()
        return ids, extra, features, tokens, logits
    except Exception as error:  # whatever it is: the case does not run
        return f"{type(error).__name__}: {str(error).splitlines()[0][:90] if str(error) else ''}"


def run_case(tool, folder, shape, models, processor, case):
    failures = []
    options = ["-m", folder, "-l", case.layout]
    files = [tool.save(f"picture-{i}.npy", p) for i, p in enumerate(case.pictures)]
    answer = theirs(models[0], processor, case)
    generate = ["generate", *options, "-j", "-N", NEW_TOKENS, "-p", case.prompt, *files]
    refusal = tool.refusal(*generate)
    if isinstance(answer, str):
        check(failures, refusal is not None, f"transformers fails ({answer}), ours answers")
        return failures, f"neither: {answer} | {refusal}"
    if refusal is not None:
        check(failures, False, f"transformers runs, ours says: {refusal}")
        return failures, ""
    ids, extra, features, tokens, logits = answer
    if case.pictures:
        mine = tool.array("features", *options, *files)
        allowed = max(1e-5, 2 * relative(features, hf_features(models[1], extra)))
        error = relative(mine, features) if mine.shape == tuple(features.shape) else float("inf")
        check(failures, error <= allowed, f"features: {error:.2e}, allowed {allowed:.2e}")
    forced = tool.save("ids.npy", np.array(ids + tokens, np.int32))
    mine = tool.array("logits", *options, "--ids", forced, "--last", len(tokens) + 1, *files)
    error = float(np.abs(mine - logits).max()) if mine.shape == logits.shape else float("inf")
    check(failures, error <= 1e-3 * float(logits.std()), f"logits: {error / float(logits.std()):.2e} sigma")
    ours = tool.json(*generate)
    check(failures, ours["prompt-tokens"] == len(ids), f"{ours['prompt-tokens']} prompt tokens, not {len(ids)}")
    for i, (a, b) in enumerate(zip(ours["tokens"][: len(tokens)] + [-1], tokens + [-1])):
        best = np.sort(logits[i])[-2:]
        if a != b:
            check(failures, best[1] - best[0] < 10 * error, f"token {i} is {a}, not {b} (gap {best[1] - best[0]:.2e})")
            break
    return failures, "both"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", help="configurations whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="every third activation")
    parser.add_argument("-v", "--verbose", action="store_true", help="what became of every case")
    arguments = parser.parse_args()
    tally = Tally(arguments.verbose)
    for number, shape in enumerate(shapes()):
        if arguments.only and arguments.only not in shape.name:
            continue
        if arguments.quick and shape.name.startswith("projector ") and number % 3:
            continue
        with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
            tool = Tool(arguments.build)
            model, processor = checkpoints.write(shape, folder)
            if shape.feature_layer == 0:  # transformers 5.23 takes a bare 0 for "none"; 4.57 means the same as [0]
                model.config.vision_feature_layer = model.model.config.vision_feature_layer = [0]
            models = (model, copy.deepcopy(model).double())
            rng = np.random.default_rng(number)
            outcomes = []
            for case in cases_of(shape, rng):
                if shape.projector_act in REFUSED_ACTIVATIONS:
                    refusal = tool.refusal("generate", "-m", folder, "-l", "video", "-p", "x")
                    failures, fact = ([] if refusal else ["a learned activation is accepted"]), f"ours: {refusal}"
                else:
                    failures, fact = run_case(tool, folder, shape, models, processor, case)
                outcomes.append(tally.add(shape.name, case, failures, fact))
            print(f"{shape.name:32} text {outcomes[0]}, image {outcomes[1]} and {outcomes[2]}, images {outcomes[3]}, "
                  f"video {outcomes[4]}", flush=True)  # fmt: skip
    print(f"configurations: {tally}")
    return 0 if tally.good else 1


if __name__ == "__main__":
    sys.exit(main())
