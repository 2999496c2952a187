# SPDX-License-Identifier: Apache-2.0
"""What a run came to: whether every answer is about the right frames, whether each frame was answered for or told about,
what is left when all is over."""
import re

STEP, CYCLE = 10**8, 100  # a picture's value counts tenths of a second, for ten seconds
FAILED = re.compile(r"Window \d+ at (\d+):(\d\d):(\d\d)\.(\d{9}) has no answer")


def steps(value):
    """What a picture's first pixel says, in steps."""
    return (value - 30) / 2


def apart(a, b):
    """How far two step counts are apart on the circle."""
    return abs((a - b + CYCLE / 2) % CYCLE - CYCLE / 2)


def values(text):
    """The fake engine says which bytes it saw."""
    return [int(word) for word in text.split("|", 1)[1].split()]


def in_order(answer, window):
    start, times = answer["start"], answer["times"]
    if not times or len(times) > window.frames:
        yield "%d frames" % len(times)
    elif sorted(times) != times or times[0] < start or times[-1] > start + answer["duration"]:
        yield "frames at %s are not in order in %d + %d" % (times, start, answer["duration"])
    if answer["duration"] > window.length:
        yield "it is longer than the window"


def right_frames(answer, window):
    """The pictures were taken when the answer says: to each other, and by the clock or the file's own time."""
    found, times = [steps(value) for value in values(answer["text"])], answer["times"]
    if len(found) != len(times):
        yield "%d pictures at %d times" % (len(found), len(times))
        return
    for value, at in zip(found, times):
        if apart(value - found[0], (at - times[0]) / STEP) > window.slack:
            yield "pictures %s are not of %s" % (found, [t / STEP for t in times])
            return
    if window.live and "base" in answer:
        age = ((answer["base"] + times[0]) / STEP - found[0]) % CYCLE
        if window.oldest * 10 < age < CYCLE - 15:
            yield "pictures are %.1f s old" % (age / 10)
    elif not window.live:
        at = (answer["stream"] + times[0] - answer["start"]) / STEP
        if apart(found[0], at // 1) > window.slack:
            yield "picture %.1f is not of %.1f" % (found[0], at)


def told_span(event, window):
    """The running times that an answer or a message is about."""
    if event["e"] in ("answer", "told") and "start" in event:
        return event["start"], event["start"] + event["duration"]
    found = FAILED.match(event.get("text", ""))
    if found:
        hours, minutes, seconds, ns = map(int, found.groups())
        start = (hours * 3600 + minutes * 60 + seconds) * 10**9 + ns
        return start, start + window.length
    return None


def stretches(events):
    """Running times begin anew behind NULL and a flush; what was under way is cancelled there, and nobody is told."""
    part = []
    for event in events:
        if event["e"] == "flush" or (event["e"] == "state" and event["name"] == "NULL"):
            yield part, False
            part = []
        else:
            part.append(event)
    yield part, True


def silent_frames(events, window):
    """Frames that were seen and neither answered for nor told about. Not those of a window that may still be open, or
    under way, when the run was ended."""
    ended = any(event["e"] == "eos" for event in events)
    until = 2**63 if ended else max((e["at"] for e in events), default=0) - window.length - int(window.tail * 1e9)
    spans = [span for span in (told_span(event, window) for event in events) if span]
    for event in events:
        if event["e"] == "frame" and event.get("t", -1) >= 0 and event["at"] < until:
            if not any(start <= event["t"] <= end for start, end in spans):
                yield event["t"]


# What camera-check says of the colours that camera.c paints, each for half a second.
COLOURS = ["The picture is %s." % colour for colour in ("red", "green", "blue", "yellow")]


def right_text(answer, subject, since):
    window = subject.window
    # GStreamer gives elements their clock a moment before their base time; do-timestamp=true then stamps with the clock alone.
    if window.uptime and answer["start"] > 1000 * 10**9:
        return
    if window.echo:
        yield from right_frames(answer, window)
    elif window.colours and not subject.wrong_text:
        wanted = COLOURS[(answer["stream"] + answer["times"][0] - answer["start"]) // 500_000_000 % 4]
        if answer["text"] != wanted:
            yield "\"%s\" instead of \"%s\"" % (answer["text"], wanted)
    if window.live and "utc" in answer and answer["base"] + answer["start"] > since:
        # What the wall clock says now, less the time since the window's start.
        off = answer["wall"] - (answer["at"] - answer["base"] - answer["start"]) - answer["utc"]
        if abs(off) > 10**9:
            yield "utc-start is wrong by %.1f s" % (off / 1e9)


def wrong(events, subject, since):
    """Everything that may never be. since: the fault is over, on the monotonic clock."""
    window = subject.window
    frames = {event.get("t") for event in events if event["e"] == "frame"}
    names = {event["by"] for event in events if event["e"] == "answer"}
    for event in events:
        if event["e"] != "answer":
            continue
        for text in list(in_order(event, window)) + list(right_text(event, subject, since)):
            yield "answer %d: %s" % (event["start"], text)
        if frames and None not in frames and not set(event["times"]) <= frames:
            yield "answer %d: frames at %s were never there" % (event["start"], event["times"])
    failed = any(event["e"] == "error" for event in events)
    if not failed and len(names) < 2:
        for part, last in stretches(events):
            lost = list(silent_frames(part, window)) if last else []
            if lost:
                yield "%d frames were lost without a word, the first at %d" % (len(lost), lost[0])


def left(end):
    for what in ("threads", "files", "alive"):
        if end[what]:
            yield "%s left: %s" % (what, ", ".join(sorted(set(end[what]))))
    if end["stop_ms"] > 10000:
        yield "NULL took %d ms" % end["stop_ms"]
