#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llavaov-tool inspect: what it prints about folders, good ones and broken ones, and how it ends.

    inspect.py MAKE-CHECKPOINT LLAVAOV-TOOL
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 1\n"


def edit(folder, name, change):
    file = folder / name
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def cut(folder, name, bytes_less):
    os.truncate(folder / name, (folder / name).stat().st_size - bytes_less)


def two_faults(config):
    config["text_config"]["hidden_act"] = "no such"
    config["text_config"]["num_hidden_layers"] = -1
    config["vision_config"]["model_type"] = "clip_vision_model"
    config["quantization_config"] = {"quant_method": "awq"}


def many_tokens(tokenizer):
    """100 more in front of the added ones."""
    vocab = tokenizer["model"]["vocab"]
    n = len(vocab)
    vocab |= {f"more{i}": n + i for i in range(100)}
    for token in tokenizer["added_tokens"]:
        token["id"] += 100


def other_model(config):
    config["model_type"] = "qwen2_vl"


PICTURES = {"preprocessor_config.json": {"image_mean": 0.5, "image_std": "x"}, "video_preprocessor_config.json": {}}

# What is done to a good folder, and what every one of the reasons says; they are all of them.
BROKEN = {
    "configuration": (lambda f: edit(f, "config.json", two_faults),
                      ["quantised with AWQ", "text_config.hidden_act", "text_config.num_hidden_layers", "vision_config.model_type"]),
    "weights": (lambda f: cut(f, "model.safetensors", 10), ["model.safetensors: the file is cut short"]),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), ["no *.safetensors file"]),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), ["tokenizer.json: no such file, nor vocab.json with merges.txt"]),
    "pointers": (lambda f: [(f / n).write_text(POINTER) for n in ("tokenizer.json", "model.safetensors")],
                 ["model.safetensors (and 1 more): this is a Git LFS pointer"]),
    "tokenizer": (lambda f: (f / "tokenizer.json").write_text("{"), ["tokenizer.json: the file is cut short"]),
    "no template": (lambda f: (f / "chat_template.jinja").unlink(), ["holds no chat template"]),
    "template": (lambda f: (f / "chat_template.jinja").write_text("{% if %}"), ["chat_template.jinja"]),
    "another tokenizer": (lambda f: edit(f, "tokenizer.json", many_tokens), ["they belong to different models"]),
    "pictures": (lambda f: [(f / n).write_text(json.dumps(pictures)) for n, pictures in PICTURES.items()], ["images are refused"]),
    "generation": (lambda f: (f / "generation_config.json").write_text('{"eos_token_id": "x"}'), ["eos_token_id"]),
    "half a tokenizer": (lambda f: [(f / "tokenizer.json").unlink(), (f / "vocab.json").write_text("{}")],
                         ["merges.txt: no such file beside vocab.json; fetch it"]),
    "bytes": (lambda f: (f / "tokenizer.json").write_bytes(b"\x1f\x8b"), ["tokenizer.json: the file is not UTF-8 at byte 1; fetch it"]),
    "another decoder": (lambda f: edit(f, "config.json", lambda c: c["text_config"].update(model_type="llama")),
                        ['"llama"; only "qwen2" is supported: take']),
    "json": (lambda f: (f / "config.json").write_text("{\n,}"), ["config.json: broken JSON at line 2"]),
    "all": (lambda f: [edit(f, "config.json", other_model), cut(f, "model.safetensors", 10), (f / "tokenizer.json").unlink(),
                       (f / "adapter_config.json").write_text("{}")],
            ["this is Qwen2-VL", "the file is cut short", "tokenizer.json: no such file", "a LoRA adapter"]),
}


def main():
    make, tool = sys.argv[1:]

    def inspect(*arguments):
        return subprocess.run([tool, "inspect", *map(str, arguments)], capture_output=True, text=True)

    def good(folder, *options):
        subprocess.run([make, "--preset=mini", "--tokenizer=bytes", *options, folder], check=True)

    with tempfile.TemporaryDirectory() as name:
        top = pathlib.Path(name)
        for i, (layout, says) in enumerate({"a": "transformers' (llava_onevision)", "c": "lmms-lab's (llava_qwen)"}.items()):
            folder = top / f"good{i}"
            good(folder, "--layout=" + layout)
            ran = inspect(folder)
            assert ran.returncode == 0 and not ran.stderr, ran
            for line in (f"folder         {folder}", says, "language       Qwen2: 2 layers", "tokenizer      tokenizer.json", "template       chat_template.jinja",
                         "in 1 file: F16", "images         56 x 56, bicubic", "videos         56 x 56, bicubic",
                         "generation     greedy", "memory         weights", "runs           yes"):
                assert line in ran.stdout, (line, ran.stdout)
            data = json.loads(inspect("--json", folder).stdout)
            assert data["runs"] and data["reasons"] == []
            weights = data["weights"]
            assert weights["bytes"] == 2 * weights["parameters"] and weights["dtypes"] == {"F16": weights["parameters"]}
            text = data["text"]
            cache = 2 * 4 * text["layers"] * text["kv-heads"] * text["head-dim"] * text["context-length"]
            assert data["memory"]["kv-cache"] == cache, data["memory"]
        for what, (change, reasons) in BROKEN.items():
            folder = top / what.replace(" ", "-")
            good(folder)
            change(folder)
            ran = inspect(folder)
            assert ran.returncode == 1, (what, ran)
            assert "runs           no: " in ran.stdout and f"{folder} would not run" in ran.stderr, (what, ran)
            found = [r["message"] for r in json.loads(inspect(folder, "--json").stdout)["reasons"]]
            for reason in reasons:
                assert reason in ran.stdout, (what, reason, ran.stdout)
                assert any(reason in f for f in found), (what, reason, found)
            assert len(found) == len(reasons), (what, found)
        good(top / "hot")
        (top / "hot" / "generation_config.json").write_text('{"do_sample": true, "temperature": -1, "eos_token_id": 2}')
        ran = inspect(top / "hot")
        assert ran.returncode == 0 and "refused: " in ran.stdout and "temperature is -1" in ran.stdout, ran
        assert "temperature" in json.loads(inspect(top / "hot", "--json").stdout)["generation"]["refusal"]
        ran = inspect("llava-hf/llava-onevision-qwen2-0.5b-ov-hf")
        assert ran.returncode == 1 and "hf download llava-hf/llava-onevision-qwen2-0.5b-ov-hf" in ran.stdout, ran
        assert inspect(top, top).returncode == 1
    print("inspect: good folders of both layouts,", len(BROKEN), "broken ones")


main()
