#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What we hold about the released files against the files, in ../shared/hub beside the checkout; skipped, and said, without.

    hub.py CHAT_BATCH TOKENIZER_JSON

Hashes and sizes of llava-onevision-qwen2-0.5b-ov-hf, and the prompts of the released chat template: of the file itself, and of
the form that is called "hub" here.
"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HUB = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "hub"
FOLDER = HUB / "llava-hf" / "llava-onevision-qwen2-0.5b-ov-hf"
FILES = {
    "added_tokens.json": (122, "33e0fb93dadacb864bd2f2e8441e147daa2baceb67f94d3ef5283b495572cea0"),
    "chat_template.json": (826, "2466d1704df30f0067f28d8e30e0190a1bf74e5b430942697af974d162a056bd"),
    "generation_config.json": (126, "89dc53229f50b59570b6852056dafeac8116c458f1a748bff491b6d4d24d3b51"),
    "preprocessor_config.json": (1732, "3644c108b9f0fa53e62ff422a9be6639642f0e64dab4a71f961c7911d4386384"),
    "processor_config.json": (178, "04e9899e93f2a412c94e153cab4081457c9a44defb3b2c0b9df673d42c42cdd0"),
    "special_tokens_map.json": (367, "f4f79e08d97f4d1c87f8d89264f525c8789da3b73b3bb55d1e12f692f41a7b1b"),
    "video_preprocessor_config.json": (621, "0ea9b672282b78353960b6069a521ed496a9f07c033e1e3362bff669234caa8d"),
}
# What the released template renders, by the names of chat_template_vectors.json.
S, E, END = "<|im_start|>", "<|im_end|>", "<|im_start|>assistant\n"
PROMPTS = {
    "one_image": f"{S}user <image>\nWhat is shown?{E}{END}",
    "text_before_image": f"{S}user <image>\nWhat is shown?{E}{END}",
    "two_images": f"{S}user <image><image>\nCompare.{E}{END}",
    "video_and_image_reordered": f"{S}user <image><video>\nQ{E}{END}",
    "two_texts": f"{S}user <image>\nA\nB{E}{END}",
    "text_only": f"{S}user \nHi{E}{END}",
    "system_first": f"{S}system \nBe brief.{E}{S}user <image>\nQ{E}{END}",
    "multi_turn": f"{S}user <image>\nQ1{E}{S}assistant \nA1{E}{S}user \nQ2{E}{END}",
}


def main():
    batch, tokenizer = sys.argv[1:]
    if not FOLDER.is_dir():
        print("../shared/hub is not beside this checkout: our tables are not compared with the released files")
        return 77
    wrong = 0

    def check(what, ours, theirs):
        nonlocal wrong
        if ours != theirs:
            wrong += 1
            print(f"{what}\n  ours   {ours!r}\n  theirs {theirs!r}")

    for name, (size, digest) in FILES.items():
        data = (FOLDER / name).read_bytes()
        check(name, (size, digest), (len(data), hashlib.sha256(data).hexdigest()))
    vectors = json.loads((HUB / "chat_template_vectors.json").read_text(encoding="utf-8"))
    check("names of prompts", set(PROMPTS), set(vectors))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(tokenizer, folder)
        shutil.copy(FOLDER / "chat_template.json", folder)
        for choice in (None, "hub"):
            lines = "".join(json.dumps({"template": choice, "messages": v["messages"]}) + "\n" for v in vectors.values())
            done = subprocess.run([batch, folder], input=lines.encode(), capture_output=True, check=True)
            for (name, vector), line in zip(vectors.items(), done.stdout.splitlines(), strict=True):
                check(f"{name}, template {choice}", json.loads(line).get("prompt"), vector["prompt"])
                check(f"{name}, our table", PROMPTS.get(name), vector["prompt"])
    print(f"{len(FILES)} files and {len(vectors)} prompts compared, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
