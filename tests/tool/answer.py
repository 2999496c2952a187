#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llavaov-tool answer: the answers of generate and choose, each with its request's id; a bad line gets an error and the next is read.

    answer.py LLAVAOV_TOOL MODEL
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

tool, model = sys.argv[1:]
failed = []


def check(what, good, more=""):
    print("%s: %s %s" % ("ok" if good else "FAIL", what, "" if good else more))
    if not good:
        failed.append(what)


def run(arguments, lines=b""):
    return subprocess.run([tool, *arguments, "-m", model, "-d", "cpu", "-t", "1"], input=lines, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)


def answers(lines, *options):
    done = run(["answer", *options], lines)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def save(path, shape, byte):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }" % (shape,)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    n = 1
    for edge in shape:
        n *= edge
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes([byte]) * n)


def about(kind, path, question, **more):
    parts = [{"type": kind, "path": path}] if kind else []
    return dict(more, messages=[{"role": "user", "content": parts + [{"type": "text", "text": question}]}])


def line(request):
    return json.dumps(request).encode() + b"\n"


folder = tempfile.mkdtemp(prefix="llavaov-answer-")
picture, clip = os.path.join(folder, "picture.npy"), os.path.join(folder, "clip.npy")
save(picture, (60, 80, 3), 0)
save(clip, (3, 60, 80, 3), 255)

# More requests than are computed at a time, each as generate answers it alone.
cases = [("image", picture, "Is the picture black?"), ("video", clip, "Is the picture black?"), (None, None, "Who are you?"),
         ("video", clip, "What does the picture show?"), ("image", picture, "画面是黑的吗？")]
truths = []
for case in cases:
    path = os.path.join(folder, "messages.json")
    with open(path, "w") as file:
        json.dump(about(*case)["messages"], file)
    done = json.loads(run(["generate", "--greedy", "--json", "--messages", path]).stdout)
    truths.append((done["text"], done["tokens"], done["prompt-tokens"], done["finish-reason"]))
wanted = {i: truths[i % len(cases)] for i in range(20)}
for in_flight in ("1", "3", "64"):
    code, got = answers(b"".join(line(about(*cases[i % len(cases)], id=i, greedy=True)) for i in wanted), "--in-flight", in_flight)
    check("twenty requests, %s at a time" % in_flight, code == 0 and len(got) == 20 and {
        a["id"]: (a.get("text"), a.get("tokens"), a.get("prompt-tokens"), a.get("finish-reason")) for a in got} == wanted, got)
    check("each with its line, %s at a time" % in_flight, sorted(a["line"] for a in got) == list(range(1, 21)))

# Settings and what comes with an answer. The last line needs no end.
code, got = answers(line(about(*cases[0], id={"a": [1]}, **{"max-new-tokens": 2, "temperature": 0, "prompt-ids": True})) +
                    line(about(*cases[0], choices="Yes|No", id="c")).rstrip())
by = {a["line"]: a for a in got}
check("two tokens", code == 0 and by[1]["tokens"] == truths[0][1][:2] and by[1]["finish-reason"] == "length" and
      by[1]["id"] == {"a": [1]} and len(by[1]["prompt-ids"]) == by[1]["prompt-tokens"] == truths[0][2], got)
alone = json.loads(run(["choose", "--json", "-l", "image", "-p", cases[0][2], "--choices", "Yes|No", picture]).stdout)
check("choices", [by[2][k] for k in ("text", "choices")] == [alone[k] for k in ("text", "choices")] and
      all(abs(a - b) < 1e-8 for a, b in zip(by[2]["probabilities"], alone["probabilities"])), (by.get(2), alone))
check("the same with carriage returns and blank lines", answers(line(about(*cases[1], id=1)).replace(b"\n", b"\r\n") + b"\n \t\n")[1][0]["id"] == 1)
check("nothing asked", answers(b"") == (0, []))

# Bad lines between good ones.
good = about(*cases[1], id="good", greedy=True)
save(os.path.join(folder, "wrong.npy"), (60, 80), 0)
bad = [("no JSON", b"nonsense\n", "JSON"), ("cut JSON", b'{"id": 1\n', "JSON"), ("a list", b"[]\n", "line"), ("not UTF-8", b'{"id": "\xff"}\n', "line"),
       ("a NUL", b'{"id": "\x00"}\n', "line"), ("deep", b'{"id": ' + b"[" * 100000 + b"\n", "line"), ("a key twice", b'{"id": 1, "id": 2}\n', "id"),
       ("too long", b'{"id": "' + b"x" * 5000000 + b'"}\n', "longer than"), ("no messages", line({"id": 1}), "messages"),
       ("messages of another type", line({"messages": 7}), "line"), ("no message", line({"messages": []}), "line"),
       ("an unknown name", line(dict(good, max_new_tokens=3)), "max_new_tokens"),
       ("no tokens", line(dict(good, **{"max-new-tokens": 0})), "max-new-tokens"), ("cold", line(dict(good, temperature=-1)), "temperature"),
       ("warm and greedy", line(dict(good, temperature=1)), "greedy"), ("a text for a number", line(dict(good, seed="x")), "seed"),
       ("one choice", line(about(*cases[1], choices="Yes")), "choices"),
       ("choices with settings", line(about(*cases[1], choices="Yes|No", temperature=1)), "choices"),
       ("no such file", line(about("video", "/nonexistent.npy", "?")), "/nonexistent.npy"),
       ("no file", line(about("video", None, "?")), "path"), ("an address", line(about("image", "http://example.org/a.npy", "?")), "local"),
       ("wrong shape", line(about("image", os.path.join(folder, "wrong.npy"), "?")), "wrong.npy"),
       ("a clip as an image", line(about("image", clip, "?")), "clip.npy"), ("a folder", line(about("image", folder, "?")), folder),
       ("longer than the context", line(about(None, None, "word " * 200000)), "")]
code, got = answers(b"".join(text + line(good) for _, text, _ in bad))
by = {a["line"]: a for a in got}
check("a line for each line", code == 0 and sorted(by) == list(range(1, 2 * len(bad) + 1)) and len(got) == len(by), sorted(by))
for i, (what, _, word) in enumerate(bad):
    error = by.get(2 * i + 1, {}).get("error", {})
    check(what, error.get("status") and word in error.get("message", ""), by.get(2 * i + 1))
check("the good ones", all(by.get(2 * i + 2, {}).get("text") == truths[1][0] for i in range(len(bad))))

# What cannot begin.
for options in (["-p", "What?"], [picture], ["--in-flight", "0"], ["--in-flight", "257"], ["--chat-template", "/nonexistent"]):
    done = run(["answer", *options], line(good))
    check("refused: %s" % options[0], done.returncode in (1, 2, 64) and not done.stdout and done.stderr, done)
with open("/dev/full", "w") as full:
    done = subprocess.run([tool, "answer", "-m", model, "-d", "cpu", "-t", "1"], input=line(good) * 3, stdout=full, stderr=subprocess.PIPE, timeout=120)
check("answers that cannot be written", done.returncode == 1 and b"written" in done.stderr, done)
shutil.rmtree(folder)
sys.exit(1 if failed else 0)
