#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/*.dot with Graphviz, each into an SVG beside it.

    drawings.py FOLDER            draws all
    drawings.py --check FOLDER    exit 1 where an SVG is not what was drawn from its source; needs no Graphviz
"""
import glob
import hashlib
import re
import subprocess
import sys

MARK = "<!-- drawn by scripts/drawings.py: %s -->\n"


def drawn(source, body):
    """A drawing with the mark that belongs to its source and to itself, whatever version of Graphviz made it."""
    return MARK % hashlib.sha256((source + body).encode()).hexdigest() + body


def main():
    check, folder = sys.argv[1] == "--check", sys.argv[-1]
    stale = []
    for path in sorted(glob.glob(folder + "/*.dot")):
        with open(path, encoding="utf-8") as file:
            source = file.read()
        target = path[:-len("dot")] + "svg"
        if not check:
            body = subprocess.run(["dot", "-Tsvg", path], check=True, stdout=subprocess.PIPE, text=True).stdout
            body = re.sub(r"(?s)^.*?(?=<svg)|<!--.*?-->\n?", "", body)
            with open(target, "w", encoding="utf-8") as file:
                file.write(drawn(source, body))
            continue
        try:
            with open(target, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            text = ""
        if text != drawn(source, text.partition("\n")[2]):
            stale.append("%s is not what %s draws: ./dev docs" % (target, path))
    print("\n".join(stale))
    sys.exit(bool(stale))


if __name__ == "__main__":
    main()
