#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/elements.md from what gst-inspect-1.0 says of the built plugin.

    element-docs.py FILE            writes it
    element-docs.py --check FILE    exit 1 and a diff when it is not up to date"""
import difflib
import os
import re
import subprocess
import sys

ELEMENTS = ("llavaov", "llavaovelement", "llavaovoverlay")
TYPES = {"unsigned integer": "uint", "unsigned integer64": "uint64", "boxed pointer of type \"gststructure\"": "GstStructure"}
INHERITED = ("name", "parent", "async-handling", "message-forward")
TYPE = r"(?: \(\w+\))?"  # of a field's value, which GStreamer 1.28 adds: "windows: 0 (guint64)"
MUTABLE = (("changeable only in NULL or READY", "READY"), ("changeable in NULL, READY, PAUSED or PLAYING", "PLAYING"),
           ("changeable only in NULL, READY or PAUSED", "PAUSED"))

HEAD = """# Elements

Generated from `gst-inspect-1.0` by `./dev docs`; a test checks that it is up to date. Times are in nanoseconds. "Set until" is the
highest state in which a property may be changed; `–` means read-only. Read-only properties notify, so `gst-launch-1.0 -v` prints
each answer.
"""

TAIL = """
## Answers
One schema everywhere: the bus message `llavaov-answer`, the meta `GstLlavaovMeta` (a GstCustomMeta: its structure is read
with `gst_custom_meta_get_structure()`), and each JSON line of the text pad with caps `application/x-json`.

| field | type | meaning |
|---|---|---|
| stream | string | `stream-name`, or the element's name |
| seq | uint64 | number of the window, from 0 |
| prompt, text | string | question and answer |
| finish-reason | string | `stop`, `length` (max-new-tokens or the context) or `cancelled` |
| trigger, trigger-... | | what opened the window, but for a clip's ([Triggers](triggers.md#what-is-said)) |
| json | string | with `json-schema`: the document, which is `text`, too |
| truncated | boolean | with `json-schema`: it was closed early, `max-new-tokens` being nearly used up |
| json-values | array of structures | with `json-schema`: what the model makes of each value that an enum or a boolean lists: `path`, `value`, `confidence`, `label-mass`, `values`, `probabilities`, `logprobs` ([JSON](json.md)) |
| confidence | double | with `choices`, as the next seven: how probable the answer is among the labels, with `choices-temperature` |
| label-mass | double | how probable it is that an answer begins with any of the labels |
| valid | boolean | `label-mass` is not below `choices-min-mass` |
| argmax-is-label | boolean | left alone, the model would begin with a label |
| wanted | string | what it would begin with, up to the end of a label or the first token that is none of theirs |
| choices | array of string | the labels as they were written |
| probabilities | array of double | of each label; they sum to 1, and the greatest is `confidence` |
| choice-logprobs | array of double | ln P of each label among all answers; `choices-temperature` plays no part |
| ask-id, from, history, follows | | of a question that was asked by `ask` or `llavaov/ask` ([Asking](asking.md#what-comes-back)) |
| question, n-questions | string, uint | with `questions`, or where the question asked has a name |
| alert, alert-... | | with `alert-on`: the state behind this window, and what was raised or cleared ([Alerts](alerts.md#what-is-said)) |
| timestamp, stream-time, running-time | uint64 | start of the window, in GStreamer's three times |
| duration | uint64 | length of the window |
| n-frames | uint | frames that the answer is about |
| frame-times | array of uint64 | their running times |
| decoded | string | with another `decode` than `all`: which pictures of the video were decoded, `keyframes` or `all`; not where it came raw |
| frames-reused | uint | of them, those with the embeddings of another frame: equal to it, or nearly ([Encoded once](windows.md#encoded-once)) |
| utc-start | uint64 | wall clock at the window's start |
| prompt-tokens, new-tokens | uint | |
| time-to-first-token | uint64 | from the question to the first token |
| answer-latency | uint64 | from the last frame in to the answer out |
| encode-time, prefill-time, decode-time | uint64 | what was computed for it, in ns: its frames, whenever they were encoded; its prompt; its tokens |
| dropped-windows | uint64 | windows dropped so far |
| model, device | string | which answered |

With `meta-mode=once` the meta is on the first buffer pushed after the answer is there. A file waits for its answers, so there it is the
buffer that closed the window, the first one after it. The last window of a file, and the one answer of `sampling=clip`, are closed by
the end of the stream: no buffer follows, so they have no meta. Their message, notification and text come before EOS.

Built with GstAnalytics (GStreamer 1.24 and newer), the frame with the meta also has a GstAnalyticsClsMtd for every answer with `choices`, all labels with
their probabilities, and one with the single label `alert:` and the state's name where there is `alert-on`, its level being
`alert-confidence`. An element makes at most 4,096 labels known to GLib, which never forgets one; further ones are left out, and logged.

With `questions` each answer is a message and a line of its own, in the order of the questions, whichever is ready first; one that fails
has its WARNING in that place. The meta comes with the last of them and is one for all: what they have in common, and the list `answers` of
those that there are. Behind them follow the next window's; the answer to a question of `ask` stands between windows, never between the
questions of one.

With `choices` nothing is generated: `new-tokens` is 0, and `text` is the likeliest label. A property that is about generated text
(`max-new-tokens`, `generation`, `temperature`, `top-k`, `top-p`, `repetition-penalty`, `seed`) beside them, with another value than its
default, and labels that are malformed, are an ERROR at the start. Where they come about in PLAYING each window has a WARNING and no
answer until they are mended. The other properties `choices-...` wait for `choices`. Three answers in a row that are not `valid` bring one
WARNING that tells `wanted`. [Generation](generation.md#choices) says what the numbers are.

`alert-on` makes of them a state that is raised and cleared: the message `llavaov-alert`, which is a line of its own on the text pad, too. The
table of its state machine, and what is refused, stands in [Alerts](alerts.md).

With `json-schema` or `json-schema-file` every answer is one document of that schema; [JSON](json.md) says which schemas there are. One that
is broken or not supported, or whose shortest document takes more than `max-new-tokens`, is an ERROR at the start that names the place in
the schema. A schema that is set while PLAYING counts from the next window on; if it is broken, each window has a WARNING and no answer
until it is mended. With `json-schema-file` it cannot be replaced while PLAYING.

Beside the windows' questions an application asks its own, and asks on, with the action signal `ask` and the event `llavaov/ask`:
[Asking](asking.md).

[From C](howto/c.md) and [From Python](howto/python.md) read answers. In Python, with or without the overrides of python3-gst-1.0, an
array is read so:

    found, times = structure.get_array("frame-times")
    times = [times.get_nth(i) for i in range(times.n_values)]

With `stream-tokens` there are messages `llavaov-partial` while an answer is being written, and `last-partial` notifies. They are on the bus
alone: a subtitle would flicker. At most one comes every `partial-interval`, whatever the number of questions; the newest text is posted, and none
comes behind the answer. Answers of `choices` have none.

| field | type | meaning |
|---|---|---|
| stream, seq, question, prompt | | as in the answer |
| text | string | all that there is of the answer, in whole characters |
| first | boolean | nothing of this answer was posted before |

Other messages: `llavaov-no-frames` for a live window without a frame, `llavaov-quiet` where frames came and nothing
triggered ([Triggers](triggers.md)), QOS for each dropped window (both with the cause in the field
`reason`), PROGRESS while the model loads, WARNING for a window that failed, ERROR for what cannot go on. [Windows](windows.md) says what
ends a window and what happens to it, [Text](text.md) which elements take the text beside the video.
"""


def inspect(element):
    env = dict(os.environ, LC_ALL="C.UTF-8")
    if "LLAVAOV_TEST_PRELOAD" in env:  # ./dev asan
        env.update(LD_PRELOAD=env["LLAVAOV_TEST_PRELOAD"], ASAN_OPTIONS="detect_leaks=0")
    return subprocess.run(["gst-inspect-1.0", "--no-colors", element], check=True, stdout=subprocess.PIPE, text=True,
                          env=env).stdout


def klass_lines(text):
    fields = dict(re.findall(r"^  (Klass|Description|Rank) +(.*)$", text.split("Plugin Details:")[0], re.M))
    return "%s. Class `%s`, rank %s.\n" % (fields["Description"], fields["Klass"], fields["Rank"].split(" ")[0])


def short(caps):
    """A caps line of gst-inspect; long lists of formats are cut."""
    name, *fields = caps
    keep = []
    for key, value in fields:
        value = value.replace("(string)", "")
        if key in ("width", "height", "framerate"):
            continue
        keep.append("%s=%s" % (key, "(any)" if value.count(",") > 20 else value.strip("{} ").replace(", ", " ") if "{" not in value
                               else "{ %s }" % value.strip("{} ")))
    return "`%s`" % ", ".join([name] + keep)


def pads(text):
    block = text[text.index("Pad Templates:"):text.index("\nElement has no clocking")]
    out = ["| pad | direction | presence | caps |", "|---|---|---|---|"]
    for part in re.split(r"\n  (?=(?:SINK|SRC) template)", block)[1:]:
        direction, name = re.match(r"(SINK|SRC) template: '(.*?)'", part).groups()
        presence = re.search(r"Availability: (.*)", part).group(1).lower()
        caps = []
        for line in part.split("Capabilities:")[1].splitlines():
            field = re.match(r"^ {8,}\s*(\S+): (.*?)%s$" % TYPE, line)
            if field:
                caps[-1].append(field.groups())
            elif line.strip():
                caps.append([line.strip()])
        out.append("| %s | %s | %s | %s |" % (name, direction.lower(), presence, "<br>".join(short(c) for c in caps)))
    return "\n".join(out) + "\n"


def properties(text):
    block = text[text.index("Element Properties:"):].split("\nChildren:")[0]
    out = ["| property | type | default | set until | meaning |", "|---|---|---|---|---|"]
    for name, blurb, rest in re.findall(r"^  ([a-z][a-z0-9-]*) *: (.*)\n((?: {10,}.*\n|\n)*)", block + "\n", re.M):
        if name in INHERITED:
            continue
        lines = [line.strip() for line in rest.strip().splitlines()]
        state = next((word for mark, word in MUTABLE if mark in lines[0]), "–")
        kind = re.split(r"\.? Default: |\. (?=Range)|\. ", lines[1])[0].rstrip(".")
        default = re.search(r"Default: +(\S.*)$", lines[1])
        default = default.group(1).strip() if default else ""
        kind = TYPES.get(kind.lower(), kind.lower())
        values = re.findall(r"\(\d+\): (\S+) +- (.*)", "\n".join(lines[2:]))
        flags = re.findall(r"\(0x[0-9a-f]+\): (\S+) +- (.*)", "\n".join(lines[2:]))
        if flags:
            kind, default, values = "flags", default.split('"')[1], flags
            blurb += ": " + "; ".join("`%s` %s" % (v, t[0].lower() + t[1:]) for v, t in values)
        elif values:
            kind, default = "enum", default.split('"')[1]
            blurb += ": " + "; ".join("`%s` %s" % (v, t[0].lower() + t[1:]) for v, t in values)
        limits = re.search(r"Range: +(\S+) - +(\S+)", lines[1])
        if limits:
            kind += " %s to %s" % limits.groups() if float(limits.group(2)) < 1e9 else " from %s" % limits.group(1)
        fields = re.findall(r"^([a-z][a-z-]*): \S*?%s$" % TYPE, "\n".join(lines[2:]), re.M)
        if fields:
            blurb += ": " + ", ".join("`%s`" % field for field in fields)
        if name == "stream-name":
            default = "name of the element"
        out.append("| %s | %s | %s | %s | %s |" % (name, kind, default.replace("null", "NULL"), state, blurb.replace("|", "\\|")))
    return "\n".join(out) + "\n"


def page():
    text = HEAD
    for element in ELEMENTS:
        found = inspect(element)
        text += "\n## %s\n%s\n### Pads\n%s\n" % (element, klass_lines(found), pads(found))
        if element == ELEMENTS[0]:
            text += "### Properties\n" + properties(found)
            first = properties(found)
        elif properties(found) == first:
            text += "### Properties\nThe same as those of `%s`.\n" % ELEMENTS[0]
        else:
            text += "### Properties\n" + properties(found)
    return text + TAIL


def main():
    made = page()
    if sys.argv[1] != "--check":
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(made)
        return 0
    with open(sys.argv[2], encoding="utf-8") as file:
        there = file.read()
    sys.stdout.writelines(difflib.unified_diff(there.splitlines(True), made.splitlines(True), sys.argv[2], "gst-inspect-1.0"))
    if made != there:
        print("run ./dev docs")
    return 0 if made == there else 1


if __name__ == "__main__":
    sys.exit(main())
