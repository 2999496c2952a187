#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""preprocessor_config.json, processor_config.json and video_preprocessor_config.json against AutoProcessor.

    python tests/parity/preprocess.py BUILD_DIR [--only TEXT]

One random checkpoint, many sets of these files: what transformers' processor makes of pictures (of several sizes, as one image,
several, a video) goes through its model; ours reads the same folder. The number of placeholders, the features and,
of the simpler cases, eight greedy tokens agree where transformers runs; where it fails, ours refuses and says why. transformers 4.57
takes its slow processors, which resize with Pillow (ours: --resize pillow), unless it is told otherwise, as here. Exit code 0
when all of that holds.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from transformers import AutoProcessor

import checkpoints
from checkpoints import Shape
from model import Case, hf_features, hf_inputs, picture, relative
from tool import Tool

SIZE = 56
IMAGE = {
    "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
    "image_grid_pinpoints": [[h * SIZE, w * SIZE] for h in range(1, 7) for w in range(1, 7)], "image_mean": [0.5] * 3,
    "image_processor_type": "LlavaOnevisionImageProcessor", "image_std": [0.5] * 3, "processor_class": "LlavaOnevisionProcessor",
    "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": SIZE, "width": SIZE},
}  # fmt: skip
# As the released file: full of nulls, and do_pad true, which pads no frame.
VIDEO = {
    **{k: v for k, v in IMAGE.items() if k not in ("image_grid_pinpoints", "image_processor_type")},
    "crop_size": None, "default_to_square": False, "do_center_crop": None, "do_sample_frames": False, "fps": None,
    "num_frames": None, "size_divisor": None, "video_metadata": None, "video_processor_type": "LlavaOnevisionVideoProcessor",
}  # fmt: skip
PROCESSOR = {
    "image_token": "<image>", "num_image_tokens": 16, "processor_class": "LlavaOnevisionProcessor", "video_token": "<video>",
    "vision_feature_select_strategy": "full",
}  # fmt: skip
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
OTHER = {"image_mean": [0.1, 0.2, 0.3], "image_std": [1.0, 0.7, 0.4]}
ABSENT = object()
OLD = transformers.__version__.startswith("4.")
FAST = {"use_fast": True} if OLD else {}
NEWER = ("nested", "type LlavaOnevisionImageProcessorPil")  # what 4.57 does not know


def merged(base, change):
    return {k: v for k, v in {**base, **change}.items() if v is not ABSENT}


def variants():
    """name, changes to the three files (None: no such file)"""
    yield "as released", {}, {}, {}
    both = lambda change: (change, change, {})  # noqa: E731
    for key in ("size", "image_mean", "image_std", "resample", "do_pad", "do_resize", "do_rescale", "do_normalize", "rescale_factor",
                "do_convert_rgb"):  # fmt: skip
        yield f"{key} null", *both({key: None})
        if key != "size":
            yield f"{key} absent", *both({key: ABSENT})
    yield "size absent", *both({"size": ABSENT})
    yield "pinpoints null", {"image_grid_pinpoints": None}, {}, {}
    yield "pinpoints absent", {"image_grid_pinpoints": ABSENT}, {}, {}
    yield "pinpoints fewer", {"image_grid_pinpoints": [[SIZE, SIZE], [2 * SIZE, 2 * SIZE]]}, {}, {}
    yield "CLIP's values", *both(CLIP)
    yield "other values for videos", {}, OTHER, {}
    yield "other values for images", OTHER, {}, {}
    for change in (
        {"do_resize": False}, {"do_rescale": False}, {"do_normalize": False}, {"do_rescale": False, "do_normalize": False},
        {"rescale_factor": 1 / 127.5}, {"rescale_factor": 0}, {"image_mean": 0.5}, {"image_mean": [0.5]}, {"image_mean": [1.5, 0.5, 0.5]},
        {"image_mean": [-0.1, 0.5, 0.5]}, {"size": {"shortest_edge": SIZE}}, {"size": SIZE}, {"size": [SIZE, SIZE]}, {"size": [SIZE, SIZE + 1]},
        {"size": {"height": SIZE + 13, "width": SIZE + 2}}, {"size": {"height": SIZE + 14, "width": SIZE}}, {"size": {"height": SIZE}},
        {"size": {"height": 48, "width": 48}},
        {"size": {"shortest_edge": SIZE}, "crop_size": SIZE, "do_center_crop": True},
        {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}, "do_center_crop": True},
        {"size": {"shortest_edge": SIZE - 5}, "crop_size": SIZE, "do_center_crop": True},
        {"size": {"shortest_edge": SIZE + 30}, "crop_size": SIZE, "do_center_crop": True},
        {"crop_size": SIZE + 4, "do_center_crop": True}, {"crop_size": 28}, {"crop_size": SIZE}, {"do_center_crop": True},
        {"size": {"longest_edge": SIZE}}, {"resample": 0}, {"resample": 1}, {"resample": 2}, {"resample": 4}, {"resample": 5},
        {"resample": 7}, {"resample": "bilinear"}, {"resample": -1}, {"unknown": [1]}, {"do_sample_frames": True},
    ):  # fmt: skip
        yield json.dumps(change), *both(change)
    for name in ("LlavaOnevisionImageProcessorFast", "LlavaOnevisionImageProcessorPil", "SiglipImageProcessor", "NoSuchProcessor", ABSENT):
        yield f"type {name if isinstance(name, str) else 'absent'}", {"image_processor_type": name}, {}, {}
    for name in ("Qwen2VLVideoProcessor", "NoSuchProcessor", ABSENT):
        yield f"video type {name if isinstance(name, str) else 'absent'}", {}, {"video_processor_type": name}, {}
    yield "no video file", OTHER, None, {}
    yield "nested image", OTHER, {}, {"image_processor": merged(IMAGE, CLIP)}
    yield "nested video", {}, OTHER, {"video_processor": merged(VIDEO, CLIP)}
    yield "nested null", OTHER, OTHER, {"image_processor": None, "video_processor": None}
    yield "nested, nothing else", None, None, {"image_processor": merged(IMAGE, CLIP), "video_processor": merged(VIDEO, OTHER)}
    for change in (
        {"num_image_tokens": 17}, {"num_image_tokens": 25}, {"num_image_tokens": 20}, {"num_image_tokens": None},
        {"vision_aspect_ratio": "anyres_max_1"}, {"vision_aspect_ratio": "anyres_max_9"}, {"vision_aspect_ratio": "anyres"},
        {"vision_aspect_ratio": None}, {"vision_feature_select_strategy": "default"}, {"vision_feature_select_strategy": None},
        {"vision_feature_select_strategy": ABSENT}, {"num_image_tokens": ABSENT},
    ):  # fmt: skip
        yield "processor " + json.dumps({k: v if v is not ABSENT else "absent" for k, v in change.items()}), {}, {}, change


def cases():
    rng = np.random.default_rng(5)
    e = SIZE
    yield Case("image", "image", [picture(rng, e + 17, 2 * e + 5)])
    yield Case("image large", "image", [picture(rng, 6 * e - 40, 6 * e - 11)])
    yield Case("images", "images", [picture(rng, e, 2 * e), picture(rng, 2 * e + 1, e)])
    yield Case("images square", "images", [picture(rng, e, e), picture(rng, e, e)])
    yield Case("video", "video", [picture(rng, e + 30, e + 9) for _ in range(2)])
    yield Case("video of tiles", "video", [picture(rng, e, e) for _ in range(2)])
    yield Case("video of nearly tiles", "video", [picture(rng, e + 3, e + 13)])


# What transformers runs and ours refuses: there its processor cuts other tiles than the model lays out.
NOT_DONE = ("which is not supported for a single picture", "which do not fit together")


# The cases whose answers are compared, too.
GENERATED = ("image", "images", "video")
NEW_TOKENS = 8


def compare_tokens(tool, folder, model, case, ids, extra, files):
    """What differs in the prompt's length or in the greedy answer, up to a place where the two best are as good as equal."""
    start = torch.tensor([ids])
    with torch.inference_mode():
        out = model.generate(
            input_ids=start, attention_mask=torch.ones_like(start), do_sample=False, max_new_tokens=NEW_TOKENS,
            eos_token_id=model.config.text_config.eos_token_id, pad_token_id=0, return_dict_in_generate=True,
            output_logits=True, **extra,
        )  # fmt: skip
    tokens = out.sequences[0, len(ids) :].tolist()
    ours = tool.json("generate", "-m", folder, "-l", case.layout, "--greedy", "-j", "-N", NEW_TOKENS, "-p", case.prompt, *files)
    if ours["prompt-tokens"] != len(ids):
        return [f"{ours['prompt-tokens']} prompt tokens, not {len(ids)}"]
    for i, (a, b) in enumerate(zip(ours["tokens"] + [-1] * NEW_TOKENS, tokens)):
        best = out.logits[i][0].topk(2).values
        if a != b and not (a == -1 and b == model.config.text_config.eos_token_id):
            near = best[0] - best[1] < 1e-4 * out.logits[i][0].std()
            return [] if near else [f"token {i} is {a}, not {b}"]
    return []


def run_case(tool, folder, model, processor, loaded, variant, case):
    """(failures, what became of it)"""
    files = [tool.save(f"picture-{i}.npy", p) for i, p in enumerate(case.pictures)]
    command = ["features", "-m", folder, "-l", case.layout, "-o", tool.folder / "out.npy", *files]
    refusal = tool.refusal(*command)
    reason = loaded
    if not loaded:
        try:
            ids, extra = hf_inputs(processor, case)
            features = hf_features(model, extra)
            placeholder = model.config.video_token_id if case.layout == "video" else model.config.image_token_id
            if ids.count(placeholder) != len(features):
                reason = f"{ids.count(placeholder)} placeholders for {len(features)} features"
        except Exception as error:  # whatever it is: the case does not run
            reason = f"{type(error).__name__}: {str(error).splitlines()[0][:90] if str(error) else ''}"
    if reason:
        # Where a class is unknown, transformers opens neither processor, ours the other one.
        other = loaded and ("video" in variant) != (case.layout == "video")
        return [] if refusal or other else [f"transformers fails ({reason}), ours answers"], f"{reason} | {refusal}"
    if refusal:
        known = case.layout == "image" and any(text in refusal for text in NOT_DONE)
        return [] if known else [f"transformers runs, ours says: {refusal}"], f"ours alone: {refusal}"
    mine = np.load(tool.folder / "out.npy")
    error = relative(mine, features) if mine.shape == tuple(features.shape) else float("inf")
    failures = [] if error <= 1e-5 else [f"features: {error:.2e}"]
    if case.name in GENERATED:
        failures += compare_tokens(tool, folder, model, case, ids, extra, files)
    return failures, "both"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", help="variants whose name holds this text")
    parser.add_argument("-v", "--verbose", action="store_true", help="what became of every case")
    arguments = parser.parse_args()
    total = failed = ran = alone = 0
    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as name:
        folder = pathlib.Path(name)
        tool = Tool(arguments.build)
        model, made = checkpoints.write(Shape("preprocess", v_layers=1, layers=1), folder)
        made.tokenizer.save_pretrained(folder)
        for variant, *changes in variants():
            if arguments.only and arguments.only not in variant:
                continue
            if OLD and variant.startswith(NEWER):
                print(f"{variant}: only in transformers 5")
                continue
            files = zip(("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json"), (IMAGE, VIDEO, PROCESSOR))
            for (file, base), change in zip(files, changes):
                (folder / file).unlink(missing_ok=True)
                if change is not None:
                    (folder / file).write_text(json.dumps(merged(base, change)))
            processor, loaded = None, None
            try:
                processor = AutoProcessor.from_pretrained(folder, **FAST)
                processor.chat_template = checkpoints.TEMPLATE
            except Exception as error:  # whatever it is: no picture gets through
                loaded = f"{type(error).__name__}: {str(error).splitlines()[0][:90]}"
            outcomes = []
            for case in cases():
                failures, fact = run_case(tool, folder, model, processor, loaded, variant, case)
                total += 1
                failed += bool(failures)
                ran += fact == "both"
                alone += fact.startswith("ours alone")
                outcomes.append("runs" if fact == "both" else "fails")
                if arguments.verbose:
                    print(f"  {case.name}: {fact}")
                for text in failures:
                    print(f"FAIL {variant}, {case.name}: {text}", flush=True)
            print(f"{variant:60} {' '.join(outcomes)}", flush=True)
    print(f"preprocessing: {total - failed} of {total} cases agree ({ran} run, {total - ran} are refused, {alone} by ours alone)")
    return 1 if failed or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
