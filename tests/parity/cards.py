#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The model cards' own two snippets against llavaov-tool, in a folder made of the released small files.

    python tests/parity/cards.py BUILD_DIR [--folder FOLDER]

pipeline("image-text-to-text") with and without a length, and AutoProcessor + apply_chat_template + generate on pictures,
several pictures, a video, both, several turns and text alone: prompt, settings and decoding are the library's. The tool gets
the same conversation (generate --messages) and must give the same ids, the same new tokens and the same decoded text, prompt
included. Both compute in float32. Exit code 0 when all agree.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration, pipeline

import released
from model import picture
from tool import Tool


def text(words):
    return {"type": "text", "text": words}


def conversations(rng):
    """name, messages; a picture is {"type": "image", "image": array}, a video {"type": "video", "video": [array]}."""
    image = lambda h, w: {"type": "image", "image": picture(rng, h, w)}
    video = lambda n: {"type": "video", "video": [picture(rng, 90, 160) for _ in range(n)]}
    user = lambda *content: {"role": "user", "content": list(content)}
    system = {"role": "system", "content": [text("Be brief. 请用中文回答。")]}
    said = {"role": "assistant", "content": [text("A cat, I think.")]}
    yield "card-image", [user(text("What are these?"), image(120, 200))]
    yield "card-label", [user(image(90, 90), text("What does the label 15 represent? (1) lava (2) core (3) tunnel (4) ash cloud"))]
    yield "card-video", [user(video(4), text("What is shown in this video?"))]
    yield "images-2", [user(image(60, 200), text("What differs?"), image(200, 60))]
    yield "text-between", [user(text("First: "), image(50, 70), text("second:"), image(70, 50), text("Which one?"))]
    yield "image-and-video", [user(video(2), image(80, 60), text("Is the picture from the video?"))]
    yield "turns", [user(image(64, 64), text("What is it?")), said, user(text("Are you sure?\r\nReally? 😀"))]
    yield "turns-of-pictures", [user(image(64, 64), text("One?")), said, user(image(30, 90), text("And this?"))]
    yield "system", [system, user(video(1), text("摄像头正常吗？"))]
    yield "text-alone", [user(text("Hello, who are you?"))]


def visuals(messages, kind):
    return [part[kind] for m in messages for part in m["content"] if part["type"] == kind]


def without_data(messages):
    strip = lambda part: part if part["type"] == "text" else {"type": part["type"]}
    return [{"role": m["role"], "content": [strip(p) for p in m["content"]]} for m in messages]


def for_tool(messages, tool):
    """The same conversation with files in place of arrays."""
    number = 0

    def saved(part):
        nonlocal number
        if part["type"] == "text":
            return part
        number += 1
        data = part[part["type"]]
        array = np.stack(data) if part["type"] == "video" else data
        return {"type": part["type"], part["type"]: str(tool.save(f"visual-{number}.npy", array))}

    out = [{"role": m["role"], "content": [saved(p) for p in m["content"]]} for m in messages]
    path = tool.folder / "messages.json"
    path.write_text(json.dumps(out, ensure_ascii=False), encoding="utf-8")
    return path


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def compare(self, name, **pairs):
        wrong = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        self.failed += bool(wrong)
        self.passed += not wrong
        print(f"{'FAIL' if wrong else 'pass'}  {name}", flush=True)
        for key, (ours, theirs) in wrong.items():
            print(f"      {key}\n        ours   {str(ours)[:300]!r}\n        theirs {str(theirs)[:300]!r}")


def pure(processor, model, tool, folder, options, name, messages, report):
    """The card's pure snippet."""
    prompt = processor.apply_chat_template(without_data(messages), add_generation_prompt=True)
    images = [Image.fromarray(i) for i in visuals(messages, "image")]
    videos = [torch.from_numpy(np.stack(v)).permute(0, 3, 1, 2) for v in visuals(messages, "video")]
    # Nested: the images of one prompt, as apply_chat_template(tokenize=True) hands them over.
    given = {**({"images": [images]} if images else {}), **({"videos": videos} if videos else {})}
    inputs = processor(text=[prompt], return_tensors="pt", **given)
    ids = inputs["input_ids"][0].tolist()
    output = model.generate(**inputs, max_new_tokens=40, do_sample=False)[0]
    answer = tool.json("generate", "-m", folder, *options, "-j", "-N", 40, "--messages", for_tool(messages, tool))
    report.compare(
        name,
        prompt_tokens=(answer["prompt-tokens"], len(ids)),
        tokens=(answer["tokens"], output[len(ids) :].tolist()),
        text=(answer["generated-text"], processor.decode(output, skip_special_tokens=True)),
    )


def piped(pipe, tool, folder, options, name, messages, length, report):
    """The card's pipeline snippet, the array as a PIL image."""
    given = [
        {"role": m["role"], "content": [dict(p, image=Image.fromarray(p["image"])) if "image" in p else p for p in m["content"]]}
        for m in messages
    ]
    limit = {"max_new_tokens": length} if length else {}
    theirs = pipe(text=given, return_full_text=False, **limit)[0]["generated_text"]
    ours = tool.json(
        "generate", "-m", folder, *options, "-j", *(["-N", length] if length else []), "--messages", for_tool(messages, tool)
    )
    report.compare(f"pipeline {name}", text=(ours["text"], theirs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--folder", help="an existing folder instead of a temporary one")
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="llavaov-cards-") as temporary:
        folder = pathlib.Path(arguments.folder or temporary)
        if not (folder / "model.safetensors").exists():
            print("small files: " + ("the released ones" if released.write(folder) else "ours, with the released values"))
        wrong = released.differences()
        if wrong is None:
            print("../shared/hub is not beside this checkout: our tables are not compared with the released files")
        else:
            report.compare("tables of released values", differing=(wrong, []))
        processor = AutoProcessor.from_pretrained(folder)
        # 4.x takes the slow picture processor that the file names, which resizes with Pillow; 5.x torchvision's.
        options = ["--resize=pillow"] if transformers.__version__.startswith("4.") else []
        model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        pipe = pipeline("image-text-to-text", model=str(folder), dtype=torch.float32)
        tool = Tool(arguments.build)
        rng = np.random.default_rng(7)
        cases = list(conversations(rng))
        for name, messages in cases:
            pure(processor, model, tool, folder, options, name, messages, report)
        for (name, messages), length in zip(cases[:2], (20, None)):
            piped(pipe, tool, folder, options, name, messages, length, report)
    print(f"cards: {report.passed} passed, {report.failed} failed (transformers {transformers.__version__})")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
