#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes one request of tokenizer_batch to stdout: a single unbroken word.

    words.py KIND KIB
"""
import random
import struct
import sys


KINDS = ["same", "pairs", "letters", "han", "hangul", "marks", "spaces", "punctuation", "special"]


def word(kind, size):
    r = random.Random(1)
    if kind == "same":
        return b"a" * size
    if kind == "pairs":
        return b"ab" * (size // 2)
    if kind == "letters":
        return bytes(r.choices(b"abcdefghijklmnopqrstuvwxyz", k=size))
    if kind == "han":
        return "".join(map(chr, r.choices(range(0x4E00, 0x9FA6), k=size // 3))).encode()
    if kind == "hangul":
        return "".join(map(chr, r.choices(range(0xAC00, 0xD7A4), k=size // 3))).encode()
    if kind == "marks":  # one base under marks that are out of order
        return b"a" + "".join(map(chr, r.choices([0x301, 0x323, 0x334, 0x345, 0x59A], k=size // 2))).encode()
    if kind == "spaces":
        return b" " * size
    if kind == "punctuation":
        return b"!" * size
    if kind == "special":  # beginnings of special tokens
        return b"<|im_" * (size // 5)
    raise SystemExit(f"words.py: no kind {kind}")


if __name__ == "__main__":
    data = word(sys.argv[1], int(sys.argv[2]) * 1024)
    sys.stdout.buffer.write(b"p" + struct.pack("<I", len(data)) + data)
