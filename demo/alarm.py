# SPDX-License-Identifier: Apache-2.0
"""A camera that fails twice, for a moment and for a while, and the alert that is raised for the second: how probable it was, over
time. ./dev demo runs this behind the questions."""
import json
import random
import subprocess

import pictures
import plot

PROMPT, LABEL = "Is the camera all right?", "no"
WINDOW, INTERVAL, FRAMES, CONFIRM, CLEAR = 10**9, 5 * 10**8, 4, 3, 2
SIZE = (480, 360)
FAULTS = ("black", "snow", "smpte")
# Scenes in a row: (seconds, fault or None); the faults' names stand for any of FAULTS.
SCENES = ((5, None), (1, 0), (4, None), (6, 1), (6, None))
NOTE = ("camera-check knows GStreamer's test pictures and these faults, and nothing of real scenes; nobody has calibrated how sure it "
        "is. A window across a cut holds two pictures, which it has not learnt: what it says there is chance.")


def scenes(seed):
    """[(start ns, end ns, pattern, whether the camera is at fault)]"""
    faults = random.Random("alarm-%d" % seed).sample(FAULTS, 2)
    out, start = [], 0
    for seconds, fault in SCENES:
        out.append((start, start + seconds * 10**9, "ball" if fault is None else faults[fault], fault is not None))
        start += seconds * 10**9
    return out


def make_clip(shown, path):
    line = "concat name=c ! identity single-segment=true ! x264enc ! mp4mux ! filesink location=%s" % path
    for start, end, pattern, _ in shown:
        line += " videotestsrc pattern=%s num-buffers=%d ! video/x-raw,width=%d,height=%d,framerate=%d/1 ! c." % (
            pattern + (" background-color=0xff205080" if pattern == "ball" else ""), (end - start) * pictures.FPS // 10**9,
            *SIZE, pictures.FPS)
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True, timeout=120)


def watch(path, log):
    """(answers, alerts): the records of the text pad; those of alerts with `at`, the end of the window that brought them."""
    said = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", "location=%s" % path, "!", "llavaov", "name=l", "stream-name=alarm", "prompt=" + PROMPT,
         "choices=yes|no", "alert-on=" + LABEL, "alert-threshold=%g" % plot.THRESHOLD,
         "alert-clear-threshold=%g" % plot.CLEAR_THRESHOLD, "alert-confirm=%d" % CONFIRM, "alert-clear=%d" % CLEAR, "window=%d" % WINDOW,
         "interval=%d" % INTERVAL, "frames=%d" % FRAMES, "!", "fakesink", "l.text", "!", "application/x-json", "!", "fdsink"],
        check=True, timeout=300, stdout=subprocess.PIPE, text=True).stdout
    log.write(said)
    records = [json.loads(line) for line in said.splitlines()]
    answers = [record for record in records if "text" in record]
    ends = {answer["seq"]: answer["running-time"] + answer["duration"] for answer in answers}
    return answers, [dict(record, at=ends[record["seq"]]) for record in records if "state" in record]


def faults_of(shown, alerts):
    """What is not as it should be: one alert, raised within the long fault and cleared behind it."""
    start, end = next((s[0], s[1]) for s in shown if s[3] and s[1] - s[0] > CONFIRM * INTERVAL + WINDOW)
    states = [alert["state"] for alert in alerts]
    if states != ["raised", "cleared"]:
        return "messages %s, not one raised and one cleared" % states
    said = alerts[1]["since"], alerts[1]["since"] + alerts[1]["duration"]
    if not (abs(said[0] - start) <= WINDOW and abs(said[1] - end) <= WINDOW):
        return "an alert from %.1f to %.1f s, and the fault was from %.1f to %.1f s" % (*(t / 1e9 for t in said), start / 1e9, end / 1e9)
    return None


def run(seed, out, log):
    """Prints what happened, leaves alarm.mp4 and alert.png; returns whether it was as it should be."""
    shown = scenes(seed)
    make_clip(shown, out / "alarm.mp4")
    answers, alerts = watch(out / "alarm.mp4", log)
    for alert in alerts:
        print("%s  %s: %s %.3f%s" % (pictures.stamp(alert["at"])[3:8], alert["state"], alert["label"], alert["confidence"],
                                     ", after %.1f s" % (alert["duration"] / 1e9) if alert["state"] == "cleared" else ""), flush=True)
    wrong = faults_of(shown, alerts)
    print("alert on \"%s\" to \"%s\": %s" % (LABEL, PROMPT, wrong or "raised for the long fault, and not for the short one"))
    title = "%s  choices=\"yes|no\" alert-on=%s alert-confirm=%d alert-clear=%d  window 1 s, every 0.5 s" % (PROMPT, LABEL, CONFIRM, CLEAR)
    plot.draw(title, NOTE, shown, answers, alerts, pictures.thumbnails(out / "alarm.mp4", [s + 10**9 // 2 for s in plot.seconds(shown)]),
              out / "alert.png")
    return wrong is None
