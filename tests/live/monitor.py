#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The file of cameras of camera-monitor: a question with choices and an alert, one whose answers are JSON, one in words, each
camera with its own; and what is wrong in such a file is said, with the place.

    monitor.py CAMERA-MONITOR
"""
import json
import os
import subprocess
import sys
import tempfile

from gstlaunch import PATIENCE, environment, launch

BLACK = {"prompt": "Is the picture black?", "choices": ["yes", "no"], "alert-on": ["yes"], "window": 1000000000, "frames": 2}
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}, "seen": {"enum": ["ball", "noise"]}}}

# What is wrong with a camera, and what is said of it.
WRONG = [
    ({"uri": None}, "cameras.json:1: /0/uri: expected string, got null"),
    ({"prompt": 3}, "cameras.json:1: /0/prompt: expected string, got integer"),
    ({"choises": "yes|no"}, "/0/choises: x: yes|no: llavaov has no such property"),
    ({"stats": "1"}, "/0/stats: x: 1: llavaov has no such property to be set"),
    ({"window": "soon"}, "/0/window: x: soon: not a value of this property"),
    ({"alert-confirm": 0}, "/0/alert-confirm: x: 0: outside of this property's range"),
    ({"alert-threshold": 1.5}, "/0/alert-threshold: x: 1.5: outside of this property's range"),
    ({"choices": ["yes", 1]}, '/0/choices: "choices" is no list of texts'),
    ({"choices": ["yes|no", "perhaps"]}, '/0/choices: "choices" is no list of texts'),
    ({"properties": 1}, "/0/properties: expected object, got integer"),
    ({"alert-on": "yes"}, "x: alert-on: there are no choices"),
    ({"choices": "yes|no", "alert-on": "fire"}, 'x: alert-on: there is no label "fire" in choices'),
    ({"json-schema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "b"}}}},
     "x: json-schema #/properties/a/pattern: this keyword is not supported"),
    ({"json-schema": SCHEMA, "choices": "yes|no"}, "x: json-schema is set, and so is choices"),
]
TEXTS = [('[{"uri": "a:b", "uri": "a:c", "prompt": "q"}]', "cameras.json:1: duplicate object key"), ("{}", '"cameras" is missing'),
         ("[", "cameras.json:1"), ("[1]", "/0: expected object, got integer"), ("[]", "there is no camera")]


def monitor(program, config, *options):
    return subprocess.run([program, "--config", config, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment(), timeout=60 * PATIENCE)


def write(folder, content):
    path = os.path.join(folder, "cameras.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    return path


def check(good, what, found):
    print("%s %s" % ("ok  " if good else "FAIL", what))
    if not good:
        print("    %s" % (found,))
    return not good


def said_of(program, folder, content, wanted):
    run = monitor(program, write(folder, content))
    return check(run.returncode in (1, 2) and not run.stdout and wanted in run.stderr, wanted, (run.returncode, run.stderr))


def main():
    program = sys.argv[1]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        clip = os.path.join(folder, "gate.mkv")
        scenes = " ".join("videotestsrc pattern=%s num-buffers=%d ! c." % scene for scene in (("ball", 60), ("black", 90), ("ball", 90)))
        launch("concat name=c ! jpegenc ! matroskamux ! filesink location=%s %s" % (clip, scenes), options=("-q",))
        uri = "file://" + clip
        keyframes = os.path.join(folder, "keyframes.mkv")
        launch("videotestsrc num-buffers=120 ! video/x-raw,width=320,height=240,framerate=30/1 ! x264enc key-int-max=60 ! h264parse ! "
               "matroskamux ! filesink location=" + keyframes, options=("-q",))
        cameras = [
            {"uri": uri, "name": "gate", **BLACK},
            {"uri": uri, "name": "careful", **BLACK, "alert-confirm": 2, "alert-clear": 1, "properties": {"choices-hint": False}},
            {"uri": uri, "name": "fields", "prompt": "Is the camera all right?", "json-schema": SCHEMA, "max-new-tokens": 60},
            {"uri": uri, "name": "words", "prompt": "Is the picture black?", "system-prompt": None},
            {"uri": "file://" + keyframes, "name": "keyframes", "prompt": "q", "decode": "keyframes", "window": 2000000000, "frames": 1},
        ]
        run = monitor(program, write(folder, json.dumps(cameras)), "--set", "window=8000000000")
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        of = {camera["name"]: [line for line in lines if line["stream"] == camera["name"]] for camera in cameras}
        alerts = {name: [(line["seq"], line["state"], line["since"] // 10**9) for line in found if "state" in line]
                  for name, found in of.items()}
        texts = {name: [line["text"] for line in found if "text" in line] for name, found in of.items()}
        failed |= check(run.returncode == 0, "it ends with the files", run.stderr)
        for name in ("gate", "careful"):
            failed |= check(texts[name] == ["no"] * 2 + ["yes"] * 3 + ["no"] * 3, "%s answers" % name, texts[name])
        failed |= check(alerts["gate"] == [(2, "raised", 2), (6, "cleared", 2)], "gate's alert", alerts["gate"])
        failed |= check(alerts["careful"] == [(3, "raised", 2), (5, "cleared", 2)], "careful's alert", alerts["careful"])
        failed |= check(not alerts["fields"] and not alerts["words"], "nobody else has one", alerts)
        document = json.loads(texts["fields"][0]) if texts["fields"] else None
        failed |= check(document is not None and list(document) == ["ok", "seen"], "fields", texts["fields"])
        failed |= check(len(texts["words"]) == 1 and len(texts["words"][0]) > 3, "words", texts["words"])
        failed |= check([line["decoded"] for line in of["keyframes"]] == ["keyframes"] * 2, "keyframes", of["keyframes"])
        # Of alerts, lines are no answers.
        run = monitor(program, write(folder, json.dumps(cameras[:1])), "--count", "4")
        found = [json.loads(line) for line in run.stdout.splitlines()]
        failed |= check(len([line for line in found if "text" in line]) == 4 and len(found) == 5, "four answers and an alert", found)
        for change, wanted in WRONG:
            failed |= said_of(program, folder, json.dumps([{"uri": uri, "prompt": "q", "name": "x", **change}]), wanted)
        for text, wanted in TEXTS:
            failed |= said_of(program, folder, text, wanted)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
