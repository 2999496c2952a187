#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every gst-launch-1.0 line of the documentation, as it stands there, where beginners type it: without a display and a sound
card, as over ssh; and those with a window on an X server without the extension XVideo, as in virtual machines.

    readme.py ROOT RTSP-SERVER

Only names of files, the camera's address and the length of endless lines are replaced. Each must give an answer and end with 0.
"""
import concurrent.futures
import glob
import os
import re
import sys
import tempfile

from gstlaunch import Display, Server, launch

ROOT = sys.argv[1]
PAGES = ["README.md", "CONTRIBUTING.md", "models/README.md", "docs/*.md", "gst/*.c"]
LINE = re.compile(r"^(?: {4}| \* )gst-launch-1\.0 (.*)$", re.M)


def lines():
    for pattern in PAGES:
        for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
            with open(path, encoding="utf-8") as file:
                for line in LINE.findall(file.read()):
                    yield os.path.relpath(path, ROOT), line


def here(line, folder, port):
    """The line for this folder and this server."""
    for old, new in ((r"rtsp://[^ ]*", "rtsp://127.0.0.1:%d/cam" % port), (r"num-buffers=900", "num-buffers=300"),
                     (r"/home/me/", folder + "/"), (r"=(clip|answers|out)\.", r"=%s/\1." % folder),
                     (r"model-path=llava[^ ]*", "model-path=" + os.environ["LLAVAOV_MODEL"])):
        line = re.sub(old, new, line)
    return re.sub(r"^-v ", "", line)


def clips(folder):
    for name, mux in (("clip.mp4", "mp4mux"), ("clip.mkv", "matroskamux")):
        made = launch("videotestsrc pattern=ball num-buffers=250 ! video/x-raw,width=320,height=240,framerate=25/1 ! x264enc ! "
                      "video/x-h264,profile=high ! h264parse ! %s ! filesink location=%s/%s" % (mux, folder, name))
        assert made.status == 0, made


def run_one(page, typed, display, folder, port):
    """None where it cannot be run; else whether it did as it should."""
    line = here(typed, folder, port)
    if "autovideosink" in line and not display:
        print("skip (no Xvfb) %s: %s" % (page, typed), flush=True)
        return None
    endless = "rtspsrc" in line
    run = launch(line, stop_after=1 if endless else None, timeout=150,
                 more={"DISPLAY": display} if "autovideosink" in line else {})
    good = bool(run.texts()) and (run.ended_well() if endless else run.status == 0)
    for name in re.findall(r"filesink location=(\S+)", line):
        good = good and os.path.getsize(name) > 0
    print("%s %s: %s" % ("ok  " if good else "FAIL", page, typed), flush=True)
    if not good:
        print(run, flush=True)
    return good


def main():
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "XDG_RUNTIME_DIR"):
        os.environ.pop(name, None)
    found = list(lines())
    with tempfile.TemporaryDirectory(prefix="llavaov-readme-") as folder, Server(sys.argv[2]) as server, Display() as display:
        clips(folder)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda one: run_one(*one, display, folder, server.port), found))
    failures = results.count(False)
    print("%d lines, %d failures" % (len(found), failures))
    return 1 if failures or len(found) < 8 else 0


if __name__ == "__main__":
    sys.exit(main())
