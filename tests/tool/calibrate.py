#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llavaov-tool calibrate against calibration.json (make_calibration.py), and what it says of files that it cannot use.

    calibrate.py LLAVAOV_TOOL"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

TOOL = sys.argv[1]
GOOD = {"truth": "yes", "choices": ["yes", "no"], "choice-logprobs": [-0.5, -1.0]}
# (what the file holds, the line of the error, words of it)
BAD = [
    (b"", None, "holds no answers"),
    (b"\n \n\t\n", None, "holds no answers"),
    (b"{", 1, ""),
    (b"not json\n", 1, ""),
    (b"[]\n", 1, "truth"),
    (b"{}\n", 1, "truth"),
    (json.dumps(GOOD).encode() + b"\n\n{\"truth\": 3}\n", 3, "truth"),
    ({**GOOD, "truth": "maybe"}, 1, "none of the choices"),
    ({**GOOD, "truth": "Yes"}, 1, "none of the choices"),
    ({**GOOD, "choices": ["yes"], "choice-logprobs": [-0.5]}, 1, "2 to 64"),
    ({**GOOD, "choices": ["yes", "no", "maybe"]}, 1, "one length"),
    ({**GOOD, "choices": [str(i) for i in range(65)], "choice-logprobs": [-5.0] * 65, "truth": "1"}, 1, "2 to 64"),
    ({**GOOD, "choice-logprobs": [-0.5, "x"]}, 1, "logarithm"),
    ({**GOOD, "choice-logprobs": [-0.5, 0.5]}, 1, "logarithm"),
    ({**GOOD, "choice-logprobs": [-0.5, None]}, 1, "logarithm"),
    (json.dumps({**GOOD, "choice-logprobs": [-0.5, 1]}).replace(" 1]", " 1e999]").encode(), 1, ""),
    ({**GOOD, "choices": ["yes", 3]}, 1, "text"),
    ({**GOOD, "choices": ["yes", "yes"]}, 1, "twice"),
    (b"\xff\xfe\n", 1, ""),
    (b"\0\n", 1, ""),
]


def run(folder, content, *options):
    path = folder / "judged.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode() + b"\n")
    done = subprocess.run([TOOL, "calibrate", *options, path], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def lines(case):
    return "".join(json.dumps({"truth": f"label {t}", "choices": [f"label {i}" for i in range(len(l))], "choice-logprobs": l,
                               "text": "fields of the answer that say nothing here"}) + "\n"
                   for l, t in zip(case["logprobs"], case["truth"])).encode()  # fmt: skip


def check_numbers(folder):
    failures = 0
    for case in json.loads(pathlib.Path(__file__).with_name("calibration.json").read_text()):
        code, out, error = run(folder, lines(case), "-j")
        ours = json.loads(out) if code == 0 else {}
        for name, value in case["numbers"].items():
            # The loss is flat about its least; its own value is exact.
            tolerance = 1e-3 if name in ("choices-temperature", "calibration-error-after") else 1e-6
            if not math.isclose(ours.get(name, math.nan), value, rel_tol=tolerance, abs_tol=1e-9):
                print(f"{case['name']}: {name} is {ours.get(name)}, not {value} {error}")
                failures += 1
        code, out, error = run(folder, lines(case))
        ends = "choices-temperature" not in case["numbers"]
        if code or ("an end of its range" in out) != ends or "choices-temperature=" not in out:
            print(f"{case['name']}: {code} {out} {error}")
            failures += 1
        if ends:
            right = case["numbers"]["right"] == case["numbers"]["answers"]
            if not math.isclose(ours["choices-temperature"], 0.01 if right else 100, rel_tol=1e-3):
                print(f"{case['name']}: {ours['choices-temperature']} is no end")
                failures += 1
    return failures


def check_errors(folder):
    failures = 0
    for content, line, words in BAD:
        code, out, error = run(folder, content)
        if code == 0 or out or words not in error or "judged.jsonl" not in error or (line and f"line {line}:" not in error):
            print(f"{content}: {code} {out} {error}")
            failures += 1
    for arguments, words in (([], "one file"), (["a", "b"], "one file"), (["missing.jsonl"], "missing.jsonl"), ([str(folder)], str(folder))):
        done = subprocess.run([TOOL, "calibrate", *arguments], capture_output=True, text=True)
        if done.returncode == 0 or words not in done.stderr:
            print(f"{arguments}: {done.returncode} {done.stderr}")
            failures += 1
    return failures


with tempfile.TemporaryDirectory() as name:
    failed = check_numbers(pathlib.Path(name)) + check_errors(pathlib.Path(name))
    code, out, _ = run(pathlib.Path(name), json.dumps(GOOD).encode() + b"\r\n\r\n" + json.dumps(GOOD).encode(), "-j")
    failed += code != 0 or json.loads(out)["answers"] != 2
sys.exit(failed > 0)
