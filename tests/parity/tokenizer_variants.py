# SPDX-License-Identifier: Apache-2.0
"""Other tokenizer files than Qwen2's: the small one of tests/text/data with shuffled and repeated merges, other ways of
writing them, no normaliser, added tokens that overlap, are part of the vocabulary, special or not, normalised or not, or take
white space, and post-processors that add tokens."""
import copy
import json
import pathlib
import random
import tempfile
import unicodedata

import tokenizer_strings as strings
from tokenizer_server import Server
from tokenizers import Tokenizer

SMALL = pathlib.Path(__file__).resolve().parent.parent / "text/data/tokenizer.json"
CONTENTS = ["<a", "<ab", "b>", "ab", "<|im_end|>", "<|im", "end|>", "\u00e9", "e\u0301", "\u212b", "caf\u00e9", "\u4f60\u597d", "  ",
            "\n\n", "\u4f60", "\u1100\u1161", "a b", "!", "<<", "<", "the", "\u00c5", "\u0301", "x\u0301y"]


def template(r, added, adds=True):
    """A TemplateProcessing that adds some of these tokens, or nothing, as transformers 5 writes it."""
    names = {a["content"]: {"id": a["content"], "ids": [a["id"]] * r.randrange(1, 3), "tokens": [a["content"]] * 2} for a in added}
    for name in names.values():
        name["tokens"] = name["tokens"][: len(name["ids"])]

    def some():
        return [{"SpecialToken": {"id": r.choice(list(names)), "type_id": 0}} for _ in range(r.randrange(3))] if adds and r.random() < 0.6 else []

    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": some() + text + some(),
            "pair": text + [{"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": names}


def post_processor(r, added):
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": r.random() < 0.5, "use_regex": True}
    return r.choice([None, byte_level, template(r, added),
                     {"type": "Sequence", "processors": [byte_level, template(r, added)]},
                     {"type": "Sequence", "processors": [template(r, added, False), template(r, added)]}])


def vary(small, seed):
    """(tokenizer.json as an object, contents of its added tokens, number of ids)"""
    r = random.Random(seed)
    data = copy.deepcopy(small)
    vocab, merges = data["model"]["vocab"], data["model"]["merges"]
    if seed % 2:
        r.shuffle(merges)
        merges += [r.choice(merges) for _ in range(50)]
    if seed % 3 == 0:
        data["model"]["merges"] = [" ".join(pair) for pair in merges]
    if seed % 5 == 4:
        data["normalizer"] = None
    size, seen, added = len(vocab), set(), []
    chosen = r.sample(CONTENTS, r.randrange(1, 12))
    strips = 0.0 if any(c.isspace() for c in chosen) else 0.3  # the library panics where a token begins in what another took
    for content in chosen:
        normal = unicodedata.normalize("NFC", content)
        if normal in seen:
            continue
        seen.add(normal)
        token = vocab.get(content, size)
        size += token == size
        # Contents that normalising changes are refused as normalized tokens.
        normalized = r.random() < 0.4 and (normal == content or data["normalizer"] is None)
        added.append(dict(id=token, content=content, single_word=False, lstrip=r.random() < strips, rstrip=r.random() < strips,
                          normalized=normalized, special=r.random() < 0.5))
    data["added_tokens"] = added
    data["post_processor"] = post_processor(r, added)
    return data, [a["content"] for a in added], size


def compare(report, program, n, encode_reference):
    small = json.loads(SMALL.read_text())
    encoded, decoded, whole = [], [], []
    for seed in range(n):
        r = random.Random(seed)
        data, contents, size = vary(small, seed)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "tokenizer.json"
            file.write_text(json.dumps(data, ensure_ascii=bool(seed % 2)), encoding="utf-8")
            reference = Tokenizer.from_file(str(file))
            with Server(program, file) as server:
                texts = list(strings.generate(600, seed, contents + ["<|im_end|>"]))
                texts += ["".join(r.choice(contents + list("ab e\u0301\n")) for _ in range(12)) for _ in range(400)]
                for operation, as_text in (("t", False), ("p", True)):
                    theirs = encode_reference(reference, texts, as_text)
                    encoded += zip(((seed, t) for t in texts), server.ids(operation, texts), theirs)
                whole += zip(((seed, t) for t in texts), server.ids("w", texts),
                             (e.ids for e in reference.encode_batch(texts, add_special_tokens=True)))
                lists = [[r.randrange(size + 2) for _ in range(r.randrange(12))] for _ in range(300)]
                for operation, skip in (("s", True), ("k", False)):
                    theirs = [reference.decode(ids, skip_special_tokens=skip) for ids in lists]
                    decoded += zip(((seed, ids) for ids in lists), server.texts(operation, lists), theirs)
    report.check(f"ids of {n} other files", encoded)
    report.check(f"ids of {n} other files with what is put around a text", whole)
    report.check(f"decode of {n} other files", decoded)
