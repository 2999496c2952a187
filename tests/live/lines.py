#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lines of the README, on pictures whose true answers are known: each must exit with 0 and print true answers.

    lines.py raw|files|text|rtsp ROOT RTSP-SERVER
"""
import concurrent.futures
import json
import os
import shlex
import sys
import tempfile
import threading

ROOT = sys.argv[2]
sys.path.insert(0, os.path.join(ROOT, "models"))
from gstlaunch import Server, launch  # noqa: E402
import truth  # noqa: E402

failures = []
lock = threading.Lock()


def check(good, what, run):
    with lock:
        print("%s %s" % ("ok  " if good else "FAIL", what), flush=True)
        if not good:
            print(run, flush=True)
            failures.append(what)


def scene(pattern, width=320, height=240, fps=25, **more):
    return dict({"seed": 0, "pattern": pattern, "gst": pattern, "width": width, "height": height, "fps": fps,
                 "fg": "white", "bg": "black", "motion": "wavy", "blur": 0, "props": ""}, **more)


def caps(s):
    return "video/x-raw,width=%d,height=%d,framerate=%d/1" % (s["width"], s["height"], s["fps"])


def source(s, seconds, more=""):
    return "videotestsrc %s pattern=%s num-buffers=%d ! %s" % (more, s["gst"], seconds * s["fps"], caps(s))


def accepted(s, kind, lang, window, frames, count, seconds):
    """For each window the accepted answers; None: anything goes."""
    out = []
    for start in range(0, seconds, window)[:count]:
        times = truth.sample_times(start, window, frames)
        last = seconds * s["fps"] - 1
        times = [t for t in times if t <= last / s["fps"] + 1e-9] or [last / s["fps"]]
        out.append(truth.answers(s, kind, lang, times))
    return out


def check_answers(what, run, expected):
    """expected: accepted answers of each window."""
    texts = run.texts()
    good = run.status == 0 and len(texts) == len(expected)
    good = good and all(want is None or got in want for got, want in zip(texts, expected))
    if not good:
        what += " (expected %s)" % [want and want[0] for want in expected]
    check(good, what, run)


def raw(folder):
    ball = scene("ball", 640, 480, 30)
    for kind, question in (("shown", "What is shown?"), ("direction", "Which way does the ball move?")):
        run = launch(source(ball, 10) + ' ! llavaov prompt="%s" ! fakesink' % question)
        check_answers("%s of raw video, partial last window" % kind, run, accepted(ball, kind, "en", 8, 8, 2, 10))
        check(len({path for path, _ in run.answers}) == 1, "only the outer element prints its answer", run)

    bars = scene("bars", gst="smpte")
    run = launch(source(bars, 4) + " ! llavaov prompt='画面显示什么？' window=2000000000 frames=4 ! fakesink")
    check_answers("a Chinese question", run, accepted(bars, "shown", "zh", 2, 4, 2, 4))

    run = launch(source(bars, 2) + " ! llavaov prompt=\"Is it a \\\"test\\\" picture? It's odd, isn't it; (100% = all)!\" ! fakesink")
    check(run.status == 0 and len(run.answers) == 1, "quotes and signs in the question", run)

    for form in ("NV12", "RGB", "Y444", "YUY2", "GRAY8"):
        snow = scene("snow", 353, 241, 10)
        run = launch("videotestsrc pattern=snow num-buffers=20 ! video/x-raw,format=%s,width=353,height=241,framerate=10/1"
                     " ! llavaov prompt=\"What is shown?\" window=2000000000 frames=4 ! fakesink" % form)
        check_answers("%s, odd size" % form, run, accepted(snow, "shown", "en", 2, 4, 1, 2))

    run = launch(source(bars, 2) + " ! llavaov prompt=\"Is the camera all right?\" ! fakesink", options=("-m",))
    messages = [line for line in run.output if "llavaov-answer" in line]
    check(run.status == 0 and len(messages) == 1 and "prompt=" in messages[0], "-m prints the message once", run)


CONTAINERS = (
    ("mp4", "x264enc ! video/x-h264,profile=high ! mp4mux"),
    ("mkv", "x264enc ! matroskamux"),
    ("webm", "vp8enc deadline=1 ! webmmux"),
    ("avi", "jpegenc ! avimux"),
    ("ts", "x264enc ! mpegtsmux"),
)


def files(folder):
    ball = scene("ball", 320, 240, 25, motion="hsweep")
    expected = accepted(ball, "shown", "en", 2, 8, 2, 4)

    def one(name, chain):
        path = os.path.join(folder, "it's a clip." + name)
        made = launch(source(ball, 4, "motion=hsweep") + " ! videoconvert ! %s ! filesink location=%s" % (chain, shlex.quote(path)))
        if made.status != 0:
            return check(False, "making " + name, made)
        question = "llavaov prompt=\"What is shown?\" window=2000000000"
        run = launch("filesrc location=%s ! %s ! fakesink" % (shlex.quote(path), question))
        check_answers("filesrc " + name, run, expected)
        run = launch("uridecodebin uri=%s ! %s ! fakesink" % ("file://" + path.replace(" ", "%20").replace("'", "%27"), question))
        check_answers("uridecodebin " + name, run, expected)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda c: one(*c), CONTAINERS))

    sound = os.path.join(folder, "sound.mp4")
    launch(source(ball, 2, "motion=hsweep") + " ! x264enc ! video/x-h264,profile=high ! queue ! mp4mux name=m ! filesink location=%s "
           "audiotestsrc num-buffers=90 ! audioconvert ! avenc_aac ! queue ! m." % sound)
    run = launch("filesrc location=%s ! llavaov prompt=\"What is shown?\" ! fakesink" % sound)
    check_answers("a file with sound", run, accepted(ball, "shown", "en", 8, 8, 1, 2))

    bars = scene("bars", gst="smpte")
    for name, encoder in (("jpg", "jpegenc"), ("png", "pngenc")):
        path = os.path.join(folder, "still." + name)
        launch("videotestsrc num-buffers=1 ! %s ! videoconvert ! %s ! filesink location=%s" % (caps(bars), encoder, path))
        run = launch("filesrc location=%s ! llavaov prompt=\"What is shown?\" ! fakesink" % path)
        check_answers("a still " + name, run, [truth.answers(bars, "shown", "en", [0])])


def text(folder):
    bars = scene("bars", gst="smpte")
    want = accepted(bars, "shown", "zh", 2, 4, 2, 4)
    question = "llavaov name=l prompt=\"画面显示什么？\" window=2000000000 frames=4"

    path = os.path.join(folder, "answers.vtt")
    run = launch(source(bars, 4) + " ! %s ! fakesink l.text ! webvttenc ! filesink location=%s" % (question, path))
    check_answers("webvttenc", run, want)
    with open(path, encoding="utf-8") as file:
        cues = file.read().strip().split("\n\n")[1:]
    times = ["00:00:00.000 --> 00:00:02.000", "00:00:02.000 --> 00:00:04.000"]
    check([c.split("\n")[0] for c in cues] == times and all(c.split("\n")[-1] in w for c, w in zip(cues, want)),
          "each cue covers its window: %s" % cues, run)

    path = os.path.join(folder, "out.mkv")
    run = launch("videotestsrc is-live=true num-buffers=125 ! %s ! %s ! x264enc tune=zerolatency speed-preset=ultrafast ! "
                 "matroskamux name=m ! filesink location=%s l.text ! m." % (caps(bars), question, path))
    check(run.status == 0 and run.texts() and all(t in want[0] for t in run.texts()), "matroskamux, live", run)
    back = os.path.join(folder, "back.txt")
    run = launch("filesrc location=%s ! matroskademux name=d d.video_0 ! queue ! fakesink d.subtitle_0 ! queue ! filesink location=%s" % (path, back))
    with open(back, encoding="utf-8") as file:
        subtitles = file.read()
    check(run.status == 0 and want[0][0] in subtitles, "out.mkv holds video and subtitles", run)

    run = launch(source(bars, 5, "is-live=true") + " ! %s ! textoverlay name=o ! fakesink l.text ! o.text_sink" % question)
    check(run.status == 0 and run.texts() and all(t in want[0] for t in run.texts()), "textoverlay, live", run)
    run = launch(source(bars, 4) + " ! %s text-timing=arrival ! textoverlay name=o ! fakesink l.text ! o.text_sink" % question)
    check_answers("textoverlay, file", run, want)
    room = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=3000000000"
    run = launch(source(bars, 4) + " ! %s ! %s ! textoverlay name=o ! fakesink l.text ! o.text_sink" % (question, room))
    check_answers("textoverlay, file, with room for a window", run, want)

    path = os.path.join(folder, "answers.jsonl")
    run = launch(source(bars, 4) + " ! %s ! fakesink l.text ! application/x-json ! filesink location=%s" % (question, path))
    with open(path, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    check(len(records) == 2 and [r["text"] for r in records] == run.texts()
          and [r["running-time"] for r in records] == [0, 2000000000] and all(r["n-frames"] == 4 for r in records),
          "one JSON object a line", run)


def rtsp(folder):
    ball = scene("ball", 320, 240, 15, motion="hsweep")
    want = truth.answers(ball, "shown", "en", [0])
    live = "videotestsrc is-live=true pattern=ball motion=hsweep ! " + caps(ball)
    with Server(sys.argv[3], source=live) as server:
        def one(mount, protocol):
            run = launch("rtspsrc location=rtsp://127.0.0.1:%d/%s protocols=%s latency=100 ! llavaov prompt=\"What is shown?\" "
                         "window=2000000000 frames=4 ! fakesink" % (server.port, mount, protocol), stop_after=2, timeout=150)
            texts = run.texts()
            check(run.ended_well() and len(texts) >= 2 and all(t in want for t in texts),
                  "rtsp /%s over %s%s" % (mount, protocol, ", its farewell unanswered" if run.late_errors else ""), run)

        cases = [(m, p) for m in ("h264", "h264-audio", "audio-h264", "mjpeg") for p in ("tcp", "udp")]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda c: one(*c), cases))
    run = launch("rtspsrc location=rtsp://127.0.0.1:1/nothing ! llavaov ! fakesink")
    check(run.status != 0, "no server: an error, not a hang", run)


def main():
    with tempfile.TemporaryDirectory() as folder:
        {"raw": raw, "files": files, "text": text, "rtsp": rtsp}[sys.argv[1]](folder)
    print("%d failures" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
