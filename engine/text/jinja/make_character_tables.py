#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes character_tables.c: what Python's str knows of every character.

    python engine/text/jinja/make_character_tables.py > engine/text/jinja/character_tables.c

Python is asked, not a copy of the Unicode database: templates were written against it. Run it with the Python of
`./dev parity`.
"""
import sys
import unicodedata

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ignorable(c):
    """Whether a capital sigma looks past it for the end of its word."""
    s = chr(c)
    return ("A" + s + "\u03a3").lower()[-1] == "\u03c2" and ("1" + s + "\u03a3").lower()[-1] == "\u03c3"


FLAGS = [
    ("ALPHA", str.isalpha),
    ("DECIMAL", str.isdecimal),
    ("DIGIT", str.isdigit),
    ("NUMERIC", str.isnumeric),
    ("SPACE", str.isspace),
    ("PRINTABLE", str.isprintable),
    ("UPPER", str.isupper),
    ("LOWER", str.islower),
    ("TITLE", lambda s: s.istitle() and not s.isupper()),
    ("IGNORABLE", lambda s: ignorable(ord(s))),
]


def flag_ranges():
    out = []
    for c in POINTS:
        value = sum(1 << i for i, (_, test) in enumerate(FLAGS) if test(chr(c)))
        if out and out[-1][1] == c - 1 and out[-1][2] == value:
            out[-1][1] = c
        elif value:
            out.append([c, c, value])
    return out


def runs(mapping):
    """{character: character} as [first, last, step, delta]."""
    out = []
    for c, d in sorted(mapping.items()):
        run = out[-1] if out else None
        if run and d - c == run[3] and c - run[1] in (1, 2) and run[2] in (0, c - run[1]):
            run[2] = c - run[1]
            run[1] = c
        else:
            out.append([c, c, 0, d - c])
    return [(a, b, step or 1, delta) for a, b, step, delta in out]


def rows(items, per_line):
    items = list(items)
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i : i + per_line]))


def main():
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(f" * Made by make_character_tables.py from Python {sys.version.split()[0]}, Unicode {unicodedata.unidata_version}; "
          "do not edit. */")
    print('#include "text/jinja/character_tables.h"\n')
    print("/* clang-format off */")
    table = flag_ranges()
    print(f"const LvJFlagRange lv_jinja_flag_ranges[] = {{")
    rows((f"{{0x{a:X},0x{b:X},{v}}}," for a, b, v in table), 6)
    print("};\nconst size_t lv_jinja_n_flag_ranges = %d;\n" % len(table))
    cases = {"upper": {c: chr(c).upper() for c in POINTS}, "lower": {c: chr(c).lower() for c in POINTS},
             "title": {c: chr(c).title() for c in POINTS}}
    for name, mapping in cases.items():
        changed = {c: s for c, s in mapping.items() if s != chr(c)}
        if name == "title":
            changed = {c: s for c, s in mapping.items() if s != cases["upper"][c]}
        single = runs({c: ord(s) for c, s in changed.items() if len(s) == 1})
        several = sorted((c, s) for c, s in changed.items() if len(s) > 1)
        print(f"const LvJCaseRun lv_jinja_{name}_runs[] = {{")
        rows((f"{{0x{a:X},0x{b:X},{step},{d}}}," for a, b, step, d in single), 5)
        print("};\nconst size_t lv_jinja_n_%s_runs = %d;" % (name, len(single)))
        print(f"const LvJCaseSeveral lv_jinja_{name}_several[] = {{")
        rows((f"{{0x{c:X},{{{','.join(hex(ord(x)) for x in s)}}}}}," for c, s in several), 4)
        print("};\nconst size_t lv_jinja_n_%s_several = %d;\n" % (name, len(several)))
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
