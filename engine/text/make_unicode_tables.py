#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes unicode_tables.c: what the pinned `tokenizers` wheel does with every code point.

    python engine/text/make_unicode_tables.py > engine/text/unicode_tables.c

The wheel is asked, not a copy of the Unicode database: its regular expressions and its normaliser follow different
versions of Unicode, and parity needs both as they are.
"""
import itertools
import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)


def members(pattern):
    """The code points that the pattern, a character class, matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = set()
    for first in range(0, len(POINTS), 4096):
        text = "".join(map(chr, POINTS[first : first + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            found.update(map(ord, piece))
    return found


def ranges(value_of):
    """[(first, last, value)] for runs of equal true values over sorted code points."""
    out = []
    for c, value in sorted(value_of.items()):
        if out and out[-1][1] == c - 1 and out[-1][2] == value:
            out[-1][1] = c
        else:
            out.append([c, c, value])
    return out


def combining_classes(decomposition):
    """Each character's canonical combining class, from how the wheel orders pairs of marks.

    The order alone tells which of two marks has the larger class; the numbers are then the rank among all classes, which
    is all that normalisation asks of them. Rank 0 is a starter."""
    simple = [c for c in POINTS if c not in decomposition and c not in HANGUL]

    def before(a, b):  # class(a) > class(b) > 0
        return nfd(chr(a) + chr(b)) == chr(b) + chr(a)

    # U+0334 has the lowest class (1) and U+0345 the highest (240): a mark moves around one of them or is in its class.
    low, high = 0x334, 0x345
    marks = [c for c in simple if before(c, low) or before(high, c)]
    marks += [c for c in simple if c not in set(marks) and c in (low, high)]
    by_class = []  # ascending representatives
    members_of = {}
    for c in sorted(set(marks)):
        lo, hi = 0, len(by_class)
        while lo < hi:
            mid = (lo + hi) // 2
            if before(c, by_class[mid]):
                lo = mid + 1
            else:
                hi = mid
        if lo < len(by_class) and not before(by_class[lo], c):
            members_of[by_class[lo]].append(c)
        else:
            by_class.insert(lo, c)
            members_of[c] = [c]
    # Marks of class 1 or 240 other than the two probes never moved around both: they were found by one of the tests.
    return {c: rank for rank, rep in enumerate(by_class, 1) for c in members_of[rep]}


def rows(items, per_line):
    items = list(items)
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i : i + per_line]))


letters, numbers, spaces = members(r"\p{L}"), members(r"\p{N}"), members(r"\s")
assert not letters & numbers and not (letters | numbers) & spaces
classes = {c: 1 for c in letters} | {c: 2 for c in numbers} | {c: 3 for c in spaces}

decomposition, composes = {}, {}
for c in POINTS:
    full = nfd(chr(c))
    if full == chr(c) or c in HANGUL:
        continue
    if len(full) == 1:
        decomposition[c] = (ord(full), 0)
        continue
    head = nfc(full[:-1])
    if len(head) == 1:
        decomposition[c] = (ord(head), ord(full[-1]))
    else:  # the prefix does not compose: keep two levels by its own decomposition
        owner = [d for d, pair in decomposition.items() if nfd(chr(d)) == full[:-1]]
        decomposition[c] = (owner[0], ord(full[-1])) if owner else None
    if nfc(full) == chr(c):
        composes[c] = decomposition[c]
for c, pair in list(decomposition.items()):
    if pair is None:
        owner = [d for d in decomposition if d != c and nfd(chr(d)) == nfd(chr(c))[:-1]]
        decomposition[c] = (owner[0], ord(nfd(chr(c))[-1]))


def expand(c):
    if c not in decomposition:
        return chr(c)
    a, b = decomposition[c]
    return expand(a) + (chr(b) if b else "")


for c in decomposition:
    assert expand(c) == nfd(chr(c)), hex(c)

ccc = combining_classes(decomposition)
inert = set(range(0x300)) | set(range(0x3400, 0xA000))
assert not inert & set(ccc) and not inert & {b for a, b in composes.values()}
assert not {c for c in inert if c in decomposition and c not in composes}

order = sorted(decomposition)
index = {c: i for i, c in enumerate(order)}
composition = sorted((a, b, index[c]) for c, (a, b) in composes.items())

print("/* SPDX-License-Identifier: Apache-2.0")
print(f" * Made by make_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit. */")
print('#include "text/unicode_tables.h"\n')
print("/* clang-format off */")
table = ranges(classes)
print(f"const LvClassRange lv_class_ranges[LV_N_CLASS_RANGES] = {{")
rows((f"{{0x{a:X},0x{b:X},{v}}}," for a, b, v in table), 5)
print("};\n")
cranges = ranges(ccc)
print(f"const LvClassRange lv_combining_ranges[LV_N_COMBINING_RANGES] = {{")
rows((f"{{0x{a:X},0x{b:X},{v}}}," for a, b, v in cranges), 5)
print("};\n")
print(f"const LvDecomposition lv_decompositions[LV_N_DECOMPOSITIONS] = {{")
rows((f"{{0x{c:X},0x{decomposition[c][0]:X},0x{decomposition[c][1]:X}}}," for c in order), 5)
print("};\n")
print(f"const uint16_t lv_compositions[LV_N_COMPOSITIONS] = {{")
rows((f"{i}," for _, _, i in composition), 16)
print("};")
print("/* clang-format on */")
import sys

print(len(table), len(cranges), len(order), len(composition), max(ccc.values()), file=sys.stderr)
