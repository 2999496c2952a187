#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Conversations that go on from their cache against HF transformers in float32, which computes each turn from its beginning.

    python tests/parity/history.py BUILD_DIR [--quick]

The demo model and random checkpoints, with templates that print earlier turns as they were and one that does not. Each turn's
prompt is the processor's for the messages so far; only where the template goes on behind the answer does that keep the tokens
that were generated (for words of the demo model these are the processor's own, which is counted). The greedy tokens must be
generate()'s, up to the first place where its two best logits are closer than 1e-3 of their standard deviation. Exit code 0 when
all that holds.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration

import checkpoints
from checkpoints import Shape
from model import MODEL_INPUTS, YARN, fresh_rope, picture
from tool import Tool

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NEW_TOKENS = 12
QUESTIONS = ["What is shown?", "Is the picture black?", "Which way does it move? 球呢？", "Why?", "What is shown?"]
SHAPES = [
    Shape("a-f16"),
    Shape("b2-bf16", layout="b2", dtype="bf16", seed=3),
    Shape("gqa-7to1", hidden=112, heads=7, kv_heads=1, seed=9),
    Shape("rope-dynamic", rope=dict(rope_type="dynamic", factor=4.0), context=64, theta=1e4, seed=52),
    Shape("rope-yarn", rope=YARN, theta=1e4, seed=55),
    Shape("window-some", text=dict(use_sliding_window=True, sliding_window=40, max_window_layers=2), layers=4, seed=64),
]


def inputs(processor, text, layout, pictures):
    """The processor's ids, and what the model takes beside them."""
    visual = {}
    if pictures and layout == "video":
        visual["videos"] = [torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)]
    elif pictures:
        visual["images"] = [[torch.from_numpy(p).permute(2, 0, 1) for p in pictures]]
    if not visual:
        return processor.tokenizer(text)["input_ids"], {}
    out = processor(text=[text], return_tensors="pt", do_sample_frames=False, **visual)
    return out["input_ids"][0].tolist(), {k: v for k, v in out.items() if k in MODEL_INPUTS}


def generate(model, ids, extra, stop):
    start = torch.tensor([ids])
    fresh_rope(model)
    with torch.inference_mode():
        return model.generate(
            input_ids=start, attention_mask=torch.ones_like(start), do_sample=False, max_new_tokens=NEW_TOKENS,
            repetition_penalty=1.0, eos_token_id=stop, pad_token_id=0, **extra,
        )[0, len(ids) :].tolist()  # fmt: skip


def gap(model, ids, extra):
    """Between the two best logits of the next token, in standard deviations of all."""
    fresh_rope(model)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids]), **extra).logits[0, -1].float()
    best = logits.topk(2).values
    return float((best[0] - best[1]) / logits.std())


def run(tool, folder, model, processor, name, template, layout, pictures, counts):
    """Returns what is wrong."""
    files = [tool.save(f"picture-{i}.npy", p) for i, p in enumerate(pictures)]
    then = [word for question in QUESTIONS[1:] for word in ("--then", question)]
    # The ids of the configuration and the end of the template's turn.
    stop = model.config.text_config.eos_token_id
    stop = sorted({*(stop if isinstance(stop, list) else [stop]), processor.tokenizer.convert_tokens_to_ids("<|im_end|>")})
    lines = tool.run(
        "generate", "-m", folder, "-l", layout, "--resize", "torchvision", "--greedy", "--chat-template", name, "-j", "-N",
        NEW_TOKENS, "-p", QUESTIONS[0], *then, "--", *files,
    ).splitlines()  # fmt: skip
    answers = [json.loads(line) for line in lines]
    media = [{"type": "video"}] if layout == "video" and pictures else [{"type": "image"} for _ in pictures]
    if layout == "video" and not pictures:
        media = []
    messages, before = [], None
    for i, (question, answer) in enumerate(zip(QUESTIONS, answers, strict=True)):
        messages.append({"role": "user", "content": (media if i == 0 else []) + [{"type": "text", "text": question}]})
        text = processor.apply_chat_template(messages, chat_template=template, add_generation_prompt=True, tokenize=False)
        ids, extra = inputs(processor, text, layout, pictures)
        same = None
        if before and text.startswith(before[0]):
            kept = before[1] + processor.tokenizer(text[len(before[0]) :])["input_ids"]
            same = kept == ids
            ids = kept
        counts["turns"] += 1
        counts["kept"] += same is not None
        counts["same"] += same is True
        if answer["prompt-tokens"] != len(ids):
            return f"turn {i}: {answer['prompt-tokens']} tokens in the prompt, not {len(ids)}"
        wanted = generate(model, ids, extra, stop)
        tokens = answer["tokens"]
        if i > 0:
            counts["cached"] += answer["cached-tokens"]
            counts["prompt"] += len(ids)
        for k, (a, b) in enumerate(zip(tokens + [-1], wanted + [-1])):
            if a != b:
                distance = gap(model, ids + wanted[:k], extra)
                if distance >= 1e-3:
                    return f"turn {i}: token {k} is {a}, not {b} (gap {distance:.1e})"
                counts["excused"] += 1
                return None
        said = tokens[:-1] if tokens[-1] in stop else tokens
        if any(t in (model.config.image_token_id, model.config.video_token_id) for t in said):
            return None  # it says a picture's placeholder, which generate() cannot be fed
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer["text"]}]})
        before = (text + answer["text"], ids + said)
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true", help="two random checkpoints")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    counts = dict.fromkeys(("turns", "kept", "same", "cached", "prompt", "excused"), 0)
    failed = 0
    models = [None] + (SHAPES[:2] if arguments.quick else SHAPES)
    for shape in models:
        with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
            tool = Tool(arguments.build)
            if shape is None:
                folder = ROOT / "models" / "camera-check"
                model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
                processor = AutoProcessor.from_pretrained(folder)
                edge = 384
            else:
                model, processor = checkpoints.write(shape, folder)
                edge = shape.image
            rng = np.random.default_rng(7)
            cases = [
                ("video", [picture(rng, edge, edge + 30) for _ in range(3)]),
                ("image", [picture(rng, edge + 17, 2 * edge)]),
                ("video", []),
            ]
            for name, template in checkpoints.TEMPLATES.items():
                for layout, pictures in cases:
                    wrong = run(tool, folder, model, processor, name, template, layout, pictures, counts)
                    if wrong:
                        failed += 1
                        print(f"FAIL {shape.name if shape else 'camera-check'} {name} {layout} {len(pictures)}: {wrong}", flush=True)
    print(
        f"history parity: {counts['turns']} turns, {failed} conversations failed, {counts['excused']} excused; "
        f"{counts['kept']} went on behind the answer, {counts['same']} of them with the processor's own ids; "
        f"{counts['cached']} of {counts['prompt']} ids from the cache"
    )
    return 1 if failed or counts["turns"] == 0 or counts["excused"] > 2 else 0


if __name__ == "__main__":
    sys.exit(main())
