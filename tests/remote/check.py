#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""device=remote against a real server, with the local engine beside it: `./dev remote-check`.

    check.py URL [--model FOLDER] [--windows N] [--images]

Words of free answers, probabilities of choices, and the error that a server which cuts frames is met with. --images: the
server takes no video (transformers serve).
"""
import argparse
import json
import re
import subprocess
import sys

PATTERNS = ("ball", "smpte", "black", "snow", "circular", "checkers-8", "gradient", "pinwheel", "solid-color", "colors")
TEXT = re.compile(r'\(element\): llavaov-answer,.*?, text=\(string\)("(?:[^"\\]|\\.)*"|[^,"]*)')
CHANCES = re.compile(r"\(element\): llavaov-answer,.*?, probabilities=\(double\)< ([^>]*) >")


def run(model, pattern, windows, settings):
    line = ("videotestsrc pattern=%s num-buffers=%d ! video/x-raw,width=320,height=240,framerate=10/1 ! llavaov name=it "
            "model-path=%s window=1000000000 %s ! fakesink" % (pattern, 10 * windows, model, settings))
    done = subprocess.run(["gst-launch-1.0", "-m", "--no-fault"] + line.split(), capture_output=True, text=True,
                          timeout=900, check=False)
    return done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--model", default="models/camera-check")
    parser.add_argument("--name")
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--images", action="store_true")
    asked = parser.parse_args()
    remote = "device=remote remote-url=%s %s" % (asked.url, "remote-model=%s " % asked.name if asked.name else "")
    shape = "layout=images frames=3 " if asked.images else "frames=8 "
    if asked.images:
        remote += "remote-layout=images "
    same = others = 0
    for pattern in PATTERNS:
        local = TEXT.findall(run(asked.model, pattern, asked.windows, shape + "device=cpu prompt=Describe"))
        told = run(asked.model, pattern, asked.windows, shape + remote + "prompt=Describe")
        there = TEXT.findall(told)
        if len(there) != len(local):
            print("%s: %d answers, %d here\n%s" % (pattern, len(there), len(local), told[-1500:]))
            return 1
        for a, b in zip(local, there):
            same, others = same + (a == b), others + (a != b)
            if a != b:
                print("%s: here %s, there %s" % (pattern, a, b))
    print("words: %d windows, %d with the same" % (same + others, same))

    worst, n = 0, 0
    for labels in ("yes|no", "ball|bars", "black|white"):
        for pattern in PATTERNS[:5]:
            settings = shape + "choices=%s prompt=Answer " % labels
            local = CHANCES.findall(run(asked.model, pattern, 2, settings + "device=cpu"))
            told = run(asked.model, pattern, 2, settings + remote)
            there = CHANCES.findall(told)
            if len(there) != len(local):
                print("choices=%s: %s" % (labels, re.findall(r"ERROR: .*|WARNING: .*", told)[:1] or told[-800:]))
                break
            for a, b in zip(local, there):
                n += 1
                worst = max([worst] + [abs(float(x) - float(y)) for x, y in zip(a.split(","), b.split(","))])
    print("choices: %d windows, probabilities differ by %.2g at most" % (n, worst))
    schema = json.dumps({"type": "object", "properties": {"ball": {"type": "boolean"}}, "required": ["ball"]}, separators=(",", ":"))
    told = run(asked.model, "ball", 2, shape + "prompt=Describe json-schema=%s " % schema.replace('"', '\\"') + remote)
    print("JSON: %s" % (TEXT.findall(told) or re.findall(r"ERROR: .*|WARNING: .*", told)[:2]))
    if not asked.images:
        told = run(asked.model, "ball", 1, "frames=40 prompt=Describe " + remote)
        print("40 frames: %s" % (re.findall(r"ERROR: .*", told)[:1] or told[-800:]))
    return 0 if same and not others else 1


if __name__ == "__main__":
    sys.exit(main())
