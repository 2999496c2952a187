#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Four videos and four questions in one process, on one engine: every answer is about its own video, and no stream waits
while more than four requests of the others are answered.

    streams.py STREAMS ROOT
"""
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(sys.argv[2], "models"))
from gstlaunch import PATIENCE, environment  # noqa: E402
import truth  # noqa: E402

WINDOWS, SECONDS, FRAMES, FPS = 8, 2, 8, 10
MOST_OTHERS = 4
# What other programs do to the threads between a frame and the engine looks like waiting, too: one clean run of three counts.
TRIES = 3

# name: pattern of videotestsrc, its class and colour in truth.md, kind of question, language, question
STREAMS = {
    "noise": ("snow", "snow", None, "is_noisy", "en", "Is the footage noisy?"),
    "test-card": ("smpte", "bars", None, "shown", "zh", "画面显示什么？"),
    "plain": ("red", "plain", "red", "picture_colour", "en", "What color is the picture?"),
    "toy": ("ball", "ball", "white", "shown", "en", "What is shown?"),
}


def line():
    """All four as one gst-launch line."""
    return " ".join(
        "videotestsrc pattern=%s num-buffers=%d ! video/x-raw,width=320,height=240,framerate=%d/1 ! "
        "llavaov name=%s prompt=\"%s\" window=%d frames=%d ! fakesink"
        % (gst, WINDOWS * SECONDS * FPS, FPS, name, question, SECONDS * 10**9, FRAMES)
        for name, (gst, _, _, _, _, question) in STREAMS.items())


def accepted(name, number):
    """The true answers about the window of this number."""
    _, pattern, colour, kind, lang, _ = STREAMS[name]
    scene = {"pattern": pattern, "width": 320, "height": 240, "fps": FPS, "fg": colour, "bg": "black", "motion": "wavy", "blur": 0}
    return truth.answers(scene, kind, lang, truth.sample_times(number * SECONDS, SECONDS, FRAMES), strict=False)


def others_while_waiting(answers):
    """For each answer: its stream, and how many answers others got between the time from which it was waited for (its
    window was complete, and the stream's answer before it was there) and its own."""
    before = {}
    for answer in answers:
        name, at = answer["stream"], answer["at"]
        since = max(at - answer["waited"], before.get(name, 0))
        before[name] = at
        yield name, sum(since < a["at"] < at for a in answers if a["stream"] != name)


def wrong(answers, engines):
    """Faults that no busy machine explains."""
    texts = collections.defaultdict(list)
    for answer in answers:
        texts[answer["stream"]].append(answer["text"])
    for name in STREAMS:
        if len(texts[name]) != WINDOWS:
            yield "%s has %d answers, not %d" % (name, len(texts[name]), WINDOWS)
        for number, text in enumerate(texts[name]):
            if text not in accepted(name, number):
                yield "%s, window %d: \"%s\" instead of one of %s" % (name, number, text, accepted(name, number))
    if engines != 1:
        yield "%d engines instead of one" % engines


def unfair(answers):
    waits = collections.defaultdict(list)
    for name, others in others_while_waiting(answers):
        waits[name].append(others)
    for name in STREAMS:
        text = next((a["text"] for a in answers if a["stream"] == name), "")
        print("%-10s \"%s\"; answers of others while it waited: %s" % (name, text, waits[name]))
        if max(waits[name], default=0) > MOST_OTHERS:
            yield "%s waited while others got %d answers" % (name, max(waits[name]))
    if not any(map(any, waits.values())):
        yield "no stream ever waited: this run says nothing about fairness"


def main():
    for _ in range(TRIES):
        run = subprocess.run([sys.argv[1], line()], stdout=subprocess.PIPE, text=True, env=environment(),
                             timeout=50 * PATIENCE)
        records = [json.loads(text) for text in run.stdout.splitlines()]
        if run.returncode != 0 or not records:
            print("FAIL status %d, %d lines" % (run.returncode, len(records)))
            return 1
        found = list(wrong(records[:-1], records[-1]["engines"]))
        late = list(unfair(records[:-1]))
        for text in found:
            print("FAIL", text)
        for text in late:
            print("late", text)
        if found or not late:
            return 1 if found else 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
