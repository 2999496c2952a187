#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Folders without tokenizer.json against transformers 4.57's slow Qwen2Tokenizer and the `tokenizers` it is converted to.

    python tests/parity/tokenizer_slow.py BUILD_DIR [--strings 60000] [--folders 60] [--seed 1]

Qwen2's vocabulary with LLaVA-OneVision's added tokens, in the two forms that transformers has saved them in, and small
folders whose files are varied: shuffled and repeated merges, added tokens that strip, overlap, stand in the vocabulary or
are no added tokens yet. Compared are ids with special-looking text as tokens and, where all added tokens are special, as text
(split_special_tokens), and decoding.

The slow tokenizer takes Unicode from Python and from the package `regex`, `tokenizers` from tables of its own; what differs
between them (characters that one of them does not know yet) is left out here and counted.
"""
import argparse
import json
import pathlib
import random
import sys
import tempfile
import unicodedata

import regex
import tokenizer_strings as strings
from tokenizer import ADDED, Report, write_folder
from tokenizer_server import Server
from tokenizers import Regex, normalizers, pre_tokenizers
from transformers import Qwen2Tokenizer, Qwen2TokenizerFast

SMALL = pathlib.Path(__file__).resolve().parent.parent / "text/data/tokenizer.json"
CONTENTS = ["<a", "<ab", "b>", "ab", "<|im_end|>", "<|im", "end|>", "\u00e9", "e\u0301", "\u212b", "caf\u00e9", "\u4f60\u597d",
            "  ", "\n\n", "\u4f60", "\u1100\u1161", "a b", "!", "<<", "<", "the", "\u00c5", "\u0301", "x\u0301y", "abce", "abe", "b",
            " x", "x ", " ", "<|endoftext|>", "ing\u0120", "\u0120the", "\u0120"]
NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]


def disputed():
    """Code points that the two references' versions of Unicode know differently."""
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    out = set()
    for pattern in (r"\p{L}", r"\p{N}", r"\s"):
        split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        theirs = set()
        for i in range(0, len(points), 4096):
            for piece, _ in split.pre_tokenize_str("".join(map(chr, points[i : i + 4096]))):
                theirs.update(piece)
        out |= theirs ^ {chr(c) for c in points if regex.match(pattern, chr(c))}
    normal = normalizers.NFC().normalize_str
    for around in ("{}", "e{}\u0323\u0301", "\u0301{}\u0334"):
        out |= {chr(c) for c in points if normal(around.format(chr(c))) != unicodedata.normalize("NFC", around.format(chr(c)))}
    return out


def varied_folder(folder, r):
    """Contents that its added tokens have, or could have."""
    small = json.loads(SMALL.read_text())["model"]
    vocab, merges = small["vocab"], [list(m) for m in small["merges"]]
    if r.random() < 0.5:
        r.shuffle(merges)
        merges += [r.choice(merges) for _ in range(50)]
    newline = r.choice(["\n", "\r\n", "\n\n", "\r"])
    lines = [r.choice(["", "  "]) + r.choice([" ", "  ", "\t"]).join(m) for m in merges]
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=r.random() < 0.5), encoding="utf-8")
    (folder / "merges.txt").write_bytes((r.choice(["#version: 0.2" + newline, ""]) + newline.join(lines)).encode())

    def token(content):
        return dict(content=content, lstrip=r.random() < 0.25, rstrip=r.random() < 0.25, single_word=r.random() < 0.15,
                    normalized=r.random() < 0.5, special=r.random() < 0.6)

    picks, size, ids = r.sample(CONTENTS, r.randrange(12)), len(vocab), {}
    for content in picks:
        ids[content] = vocab.get(content, size)
        size += ids[content] == size
    if r.random() < 0.2 and "the" in vocab:  # one that the vocabulary has at another id
        ids["the"] = size + 40
    pool = picks + r.sample(CONTENTS, 3) + ["<new>", "<new2>"]
    named = {name: r.choice(pool + [None]) for name in NAMES if r.random() < 0.35}
    if r.random() < 0.6:
        named["additional_special_tokens"] = [r.choice(pool) for _ in range(r.randrange(4))]
    config = {"tokenizer_class": r.choice(["Qwen2Tokenizer", "Qwen2TokenizerFast"]),
              "model_max_length": r.choice([32768, 1000000000000000019884624838656])}
    if r.random() < 0.5:
        if r.random() < 0.85:
            written = {name: token(value) if isinstance(value, str) and r.random() < 0.5 else value for name, value in named.items()}
            if "additional_special_tokens" in written:
                written["additional_special_tokens"] = [token(v) if r.random() < 0.5 else v
                                                        for v in written["additional_special_tokens"]]
            written = {name: value for name, value in written.items() if value is not None}
            (folder / "special_tokens_map.json").write_text(json.dumps(written))
        if r.random() < 0.8:
            (folder / "added_tokens.json").write_text(json.dumps(ids))
        if r.random() < 0.3:
            config |= {name: value for name, value in named.items() if r.random() < 0.5}
    else:
        config["added_tokens_decoder"] = {str(i): token(content) for content, i in ids.items()}
        config |= {name: {"__type": "AddedToken", **token(value)} if isinstance(value, str) and r.random() < 0.2 else value
                   for name, value in named.items()}
        if r.random() < 0.3:
            config["extra_special_tokens"] = {"image_token": r.choice(pool), "x_token": "<x>"}
        (folder / "added_tokens.json").write_text(json.dumps({"not looked at": 3}))
    if r.random() < 0.05:
        config["split_special_tokens"] = True
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return pool


def decoded(reference, ids, skip):
    try:
        return reference.decode(ids, skip_special_tokens=skip)
    except KeyError:  # a special token that is not spelled in bytes
        return None


def compare_real(report, program, n, seed, unknown):
    texts = list(strings.generate(n, seed, ADDED))
    known = [t for t in texts if not unknown & set(t)]
    print(f"{len(texts) - len(known)} of {len(texts)} strings hold characters that are disputed")
    assert len(known) > 0.9 * len(texts)
    for modern in (True, False):
        with tempfile.TemporaryDirectory() as name:
            write_folder(pathlib.Path(name), modern)
            slow = Qwen2Tokenizer.from_pretrained(name)
            fast = Qwen2TokenizerFast.from_pretrained(name)
            form = "added_tokens_decoder" if modern else "added_tokens.json"
            with Server(program, name) as server:
                ours = server.ids("t", known)
                theirs = [slow(t)["input_ids"] for t in known]
                report.check(f"{form}: ids, slow", zip(known, ours, theirs), ascii)
                other = fast(known)["input_ids"]
                same = [i for i in range(len(known)) if theirs[i] == other[i]]
                report.check(f"{form}: ids, `tokenizers` (slow says otherwise {len(known) - len(same)} times)",
                             ((known[i], ours[i], other[i]) for i in same), ascii)
                looks = [t for t in known if "<" in t]
                report.check(f"{form}: ids, special as text", zip(
                    looks, server.ids("p", looks), (slow(t, split_special_tokens=True)["input_ids"] for t in looks)), ascii)
                lists = [ids for ids in theirs[: n // 10] if ids]
                for operation, skip in (("s", True), ("k", False)):
                    report.check(f"{form}: decode, skip {skip}", zip(
                        lists, server.texts(operation, lists), (slow.decode(x, skip_special_tokens=skip) for x in lists)), ascii)


def compare_varied(report, program, n, seed, unknown):
    encoded, decodes, refused = [], [], 0
    for i in range(n):
        r = random.Random(seed * 1000 + i)
        with tempfile.TemporaryDirectory() as name:
            pool = varied_folder(pathlib.Path(name), r)
            reference = Qwen2Tokenizer.from_pretrained(name)
            have = reference.added_tokens_decoder
            if len({t.content for t in have.values()}) < len(reference._added_tokens_encoder):
                refused += 1  # two tokens with one id: refused by us
                continue
            texts = list(strings.generate(300, i, pool + ["<|im_end|>"]))
            texts += ["".join(r.choice(pool + list("ab e\u0301\n")) for _ in range(r.randrange(14))) for _ in range(300)]
            texts = [t for t in texts if not unknown & set(t)]
            ids = sorted({*have, *range(reference.vocab_size)})
            lists = [[r.choice(ids) for _ in range(r.randrange(12))] for _ in range(150)]
            with Server(program, name) as server:
                encoded += zip(((i, t) for t in texts), server.ids("t", texts), (reference(t)["input_ids"] for t in texts))
                for operation, skip in (("s", True), ("k", False)):
                    theirs = [decoded(reference, x, skip) for x in lists]
                    decodes += ((x, a, b) for x, a, b in zip(lists, server.texts(operation, lists), theirs) if b is not None)
    report.check(f"ids of {n - refused} varied folders", encoded, ascii)
    report.check(f"decode of {n - refused} varied folders", decodes, ascii)
    assert refused < n // 4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--strings", type=int, default=60000)
    parser.add_argument("--folders", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report = Report()
    program = pathlib.Path(options.build) / "tests/text/tokenizer-batch"
    unknown = disputed()
    print(f"{len(unknown)} characters are disputed")
    compare_varied(report, program, options.folders, options.seed, unknown)
    compare_real(report, program, options.strings, options.seed, unknown)
    print("tokenizer-slow:", "passed" if not report.failed else f"{report.failed} comparisons failed")
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
