#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/text/data: a small tokenizer, trained here, and what the pinned `tokenizers` wheel does with it.

    python tests/text/make_golden.py        # in the environment of tests/parity/requirements.txt

tokenizer.json    Qwen2's steps around a vocabulary of 1,500 tokens, LLaVA-OneVision's added tokens, one added token that
                  is not special and one that is looked for in normalised text
strings.json      texts, ids in both modes, decoded text; id lists and what they decode to; chat prompts
unicode.json      CRC-32 per 4,096 code points of classes, NFC and piece lengths, in several surroundings
"""
import json
import pathlib
import random
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "parity"))
import tokenizer_strings as strings
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

DATA = pathlib.Path(__file__).resolve().parent / "data"
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")


def save(name, value):
    (DATA / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    texts = [t for t in strings.generate(20000, 7, ADDED)] + ["What is shown in this picture?\n"] * 50
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ADDED])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("caf\u00e9!", normalized=True),
                          AddedToken("im_", normalized=False)])
    return tokenizer


def encode(tokenizer, text, as_text):
    tokenizer.encode_special_tokens = as_text
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    return ids


def render(user, system, visuals):
    text = "" if system is None else f"<|im_start|>system\n{system}<|im_end|>\n"
    return text + "<|im_start|>user\n" + "<video>\n" * visuals + f"{user}<|im_end|>\n<|im_start|>assistant\n"


def make_strings(tokenizer):
    size = tokenizer.get_vocab_size()
    texts = [t for t in strings.generate(500, 3, ADDED + ["<tool>", "cafe\u0301!", "caf\u00e9!"]) if len(t) < 400]
    texts += ["", " ", "\n", "\0", "a\0b", "<|im_<|im_end|>", "<|im_start|><|im_start|>", "<<image>>", "<imag<image>e>",
              "cafe\u0301!<tool>caf\u00e9!", "e<|im_end|>\u0301", "aaaa" * 200, "\u4f60" * 300, " " * 300, "a" + "\u0301\u0323" * 200,
              "\uac00\u11a8\u1100\u1161\u11a8", "\U00011935\U00011930", "\U00011938"]
    encoded = [[t, encode(tokenizer, t, False), encode(tokenizer, t, True)] for t in texts]
    r = random.Random(5)
    lists = [[r.randrange(size + 4) for _ in range(r.randrange(20))] for _ in range(150)]
    lists += [[r.randrange(256) for _ in range(r.randrange(12))] for _ in range(250)]
    decoded = [[ids, tokenizer.decode(ids, skip_special_tokens=True), tokenizer.decode(ids, skip_special_tokens=False)]
               for ids in lists]
    prompts = ["What is shown?", "\n\nfoo", "  \n x", " ", "", "\u0301e", "\r\n\r\n", "\u4f60\u597d", "'s", "tail \n ", "\u00a0\u3000 x"]
    chats = [[user, system, visuals, encode(tokenizer, render(user, system, visuals), False)]
             for user in prompts for system, visuals in ((None, 0), (None, 1), ("You are \n", 2), ("", 3))]
    save("strings.json", {"encode": encoded, "decode": decoded, "chat": chats})


def blocks(value_of):
    """CRC-32 of the concatenated bytes for each 4,096 code points."""
    out = []
    for first in range(0, 0x110000, 4096):
        data = b"".join(value_of(chr(c)) for c in range(first, first + 4096) if not 0xD800 <= c < 0xE000)
        out.append(zlib.crc32(data))
    return out


def make_unicode():
    classes = {}
    for number, pattern in ((1, r"\p{L}"), (2, r"\p{N}"), (3, r"\s")):
        split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        for first in range(0, 0x110000, 4096):
            text = "".join(chr(c) for c in range(first, first + 4096) if not 0xD800 <= c < 0xE000)
            for piece, _ in split.pre_tokenize_str(text):
                for character in piece:
                    classes[character] = number
    nfc = normalizers.NFC().normalize_str
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")

    def pieces(shape):
        return lambda c: bytes(len(p.encode()) for p, _ in split.pre_tokenize_str(shape.format(c)))

    save("unicode.json", {
        "class": blocks(lambda c: bytes([classes.get(c, 0)])),
        "nfc": [[shape, blocks(lambda c: nfc(shape.format(c)).encode())]
                for shape in ("{}", "e{}\u0323", "{}\u0301\u0334", "\u0301{}\u0334", "\uac00{}")],
        "pieces": [[shape, blocks(pieces(shape))] for shape in ("x'{}y", "'r{}", "'{}e", "'l{}l", " {}a", "{}\n b", "{0} {0}")],
    })


DATA.mkdir(exist_ok=True)
tokenizer = train()
data = json.loads(tokenizer.to_str())
save("tokenizer.json", data)
tokenizer = Tokenizer.from_file(str(DATA / "tokenizer.json"))
make_strings(tokenizer)
make_unicode()
