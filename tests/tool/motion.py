#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llavaov-tool motion on clips made here: the lines, the drawing, and what is refused.

    motion.py LLAVAOV_TOOL LLAVAOV_MOTION
"""
import csv
import io
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

tool, program = sys.argv[1:]
env = dict(os.environ, PATH=os.path.dirname(program) + ":" + os.environ["PATH"], LC_ALL="C")
failed = []


def run(*arguments):
    return subprocess.run([tool, "motion", *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def make(path, pattern, seconds):
    line = "videotestsrc pattern=%s num-buffers=%d ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 ! matroskamux ! filesink location=%s"
    subprocess.run(["gst-launch-1.0", "-q"] + (line % (pattern, 10 * seconds, path)).split(), check=True, timeout=60)


def check(what, good):
    print("%s: %s" % ("ok" if good else "FAIL", what))
    if not good:
        failed.append(what)


def main():
    with tempfile.TemporaryDirectory() as folder:
        still, ball = folder + "/still.mkv", folder + "/ball.mkv"
        make(still, "smpte75", 5)
        make(ball, "ball", 5)

        done = run(still)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        check("a still clip", done.returncode == 0 and 16 <= len(rows) <= 20 and all(float(r["level"]) == 0 for r in rows))
        check("its sum", "0 triggers" in done.stderr)

        table, plot = folder + "/ball.csv", folder + "/ball.svg"
        done = run("--csv", table, "--plot", plot, "file://" + ball)
        with open(table, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        check("a ball", done.returncode == 0 and any(r["moving"] == "1" for r in rows) and sum(int(r["trigger"]) for r in rows) >= 1)
        check("a header", list(rows[0]) == ["time", "level", "moving", "scene-change", "trigger"])
        root = xml.etree.ElementTree.parse(plot).getroot()
        check("a drawing", root.tag.endswith("svg") and len(list(root)) > 20)

        done = run("--mask", "0,0,500,1000; 500,0,500,300", ball)
        check("behind a mask", done.returncode == 0 and "triggers" in done.stderr)
        done = run("--min-change", "1", ball)
        check("never enough", done.returncode == 0 and "0 triggers" in done.stderr)

        with open(folder + "/none.mkv", "wb") as file:
            file.write(b"no clip at all" * 100)
        for what, arguments, said in (
                ("no such clip", (folder + "/absent.mkv",), "absent"),
                ("no clip", (folder + "/none.mkv",), "llavaov-motion: "),
                ("a bad mask", ("--mask", "1,2", ball), "motion-mask"),
                ("a bad share", ("--min-change", "2", ball), "--min-change"),
                ("no arguments", (), "one clip"),
                ("two clips", (ball, still), "one clip"),
                ("nowhere to draw", ("--plot", folder + "/absent/a.svg", ball), "absent"),
                ("nowhere to write", ("--csv", folder + "/absent/a.csv", ball), "CSV")):
            done = run(*arguments)
            check(what, done.returncode == 1 and said in done.stderr)

    alone = dict(env, PATH="/nonexistent")
    done = subprocess.run([tool, "motion", "x"], env=alone, stderr=subprocess.PIPE, text=True)
    check("without the program", done.returncode == 1 and "llavaov-motion" in done.stderr)
    sys.exit(bool(failed))


main()
