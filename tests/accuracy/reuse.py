#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `reuse-below` saves and what it costs: drawn clips of accuracy.py through the element with several values of it;
frames that took over another's embeddings, and answers that differ from those with 0.

    tests/accuracy/reuse.py [--clips 60] [--seed N] [--below 0.5,2]"""
import argparse
import collections
import os
import random

import accuracy

QUESTIONS = (("shown", "en"), ("direction", "en"), ("ball_colour", "zh"), ("camera", "en"), ("is_frozen", "en"))


def clips(options):
    """(source, properties, questions) of so many clips."""
    known, rng = accuracy.phrases.load(), random.Random("reuse-%d" % options.seed)
    questions = [rng.choice(known[key][0]) for key in QUESTIONS if key in known]
    for number in range(options.clips):
        scene, seconds, frames = accuracy.draw_window(rng, "reuse-%d-%d" % (options.seed, number), "direction")
        yield (accuracy.scenes.pipeline(scene, seconds),
               {"window": seconds * 10**9, "frames": frames}, questions)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--below", default="0.02,0.1,0.5,2,8,32")
    parser.add_argument("--ask", default=os.path.join(accuracy.ROOT, "build/tests/accuracy/ask"))
    options = parser.parse_args()
    asker = accuracy.Asker(options.ask)
    below = [float(x) for x in options.below.split(",")]
    frames, reused, answers, changed = (collections.Counter() for _ in range(4))
    for source, properties, questions in clips(options):
        plain = None
        for value in [0.0] + below:
            records = asker.ask({"source": source, "questions": questions,
                                 "properties": {**properties, "reuse-below": value}})
            plain = plain or records
            for i, record in records.items():
                frames[value] += record["n-frames"]
                reused[value] += record.get("frames-reused", 0)
                answers[value] += 1
                changed[value] += record["text"] != plain[i]["text"]
    print("| `reuse-below` | frames without an encoder call | answers changed |\n|---|---|---|")
    for value in [0.0] + below:
        print("| %g | %.1f %% of %d | %d of %d |" % (value, 100.0 * reused[value] / frames[value], frames[value],
                                                   changed[value], answers[value]))


if __name__ == "__main__":
    main()
