#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/text/data/slow.json: folders without tokenizer.json, and what transformers 4.57's slow Qwen2Tokenizer does with
them.

    python tests/text/make_slow_golden.py     # in the environment of tests/parity/requirements-4.57.txt

The vocabulary is that of tokenizer.json there; merges are its own ("merges", 0) or in another order, some of them twice (1).
"""
import json
import pathlib
import random
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import tokenizer_slow as slow
import tokenizer_strings as strings
from transformers import Qwen2Tokenizer

TOLD = ("tokenizer_config.json", "added_tokens.json", "special_tokens_map.json")


def read(folder, name):
    file = folder / name
    return file.read_text() if file.exists() else None


def main():
    small = json.loads((HERE / "data/tokenizer.json").read_text())["model"]
    plain = [" ".join(m) for m in small["merges"]]
    mixed = plain[:]
    random.Random(4).shuffle(mixed)
    mixed += mixed[10:40]
    merges = ["#version: 0.2\n" + "\n".join(plain) + "\n", "\r\n\r\n".join(f" {m}\t" for m in mixed)]
    unknown = slow.disputed()
    cases = []
    for seed in range(18):
        r = random.Random(seed + 500)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            pool = slow.varied_folder(folder, r)
            (folder / "vocab.json").write_text(json.dumps(small["vocab"]))
            (folder / "merges.txt").write_bytes(merges[seed % 2].encode())
            reference = Qwen2Tokenizer.from_pretrained(name)
            if len({t.content for t in reference.added_tokens_decoder.values()}) < len(reference._added_tokens_encoder):
                continue
            texts = [t for t in strings.generate(12, seed, pool) if len(t) < 80]
            texts += ["".join(r.choice(pool + list("ab e\u0301\n")) for _ in range(r.randrange(10))) for _ in range(14)]
            texts = [t for t in texts if not unknown & set(t)]
            ids = sorted({*reference.added_tokens_decoder, *range(reference.vocab_size)})
            lists = [[r.choice(ids) for _ in range(6)] for _ in range(6)] + [sorted(reference.added_tokens_decoder)]
            decode = [[x, slow.decoded(reference, x, True), slow.decoded(reference, x, False)] for x in lists]
            cases.append({"merges": seed % 2, "files": [read(folder, n) for n in TOLD],
                          "encode": [[t, reference(t)["input_ids"]] for t in texts],
                          "decode": [d for d in decode if None not in d]})
    out = {"vocab": json.dumps(small["vocab"], separators=(",", ":")), "merges": merges, "cases": cases}
    (HERE / "data/slow.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
