#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/answer.png: one line, the windows of a video, and the answers that the element gave.

    meson devenv -C build --workdir "$PWD" /usr/bin/python3 demo/answer.py docs/images/answer.png
"""
import json
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw, ImageFont

import pictures

QUESTION = "Is the camera all right?"
SECONDS = 8  # a window
LINE = "gst-launch-1.0 filesrc location=clip.mp4 ! llavaov prompt=\"%s\" ! ..." % QUESTION
SCENES = ("ball background-color=0xff0000ff", "snow", "smpte")
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
MONO = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
INK, GREY, GREEN, RED = (36, 41, 47), (110, 119, 129), (0, 100, 45), (180, 20, 20)


def launch(*words):
    return subprocess.run(["gst-launch-1.0", "-q", *words], check=True, timeout=120, stdout=subprocess.PIPE).stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        clip = folder + "/clip.mp4"
        words = "concat name=c ! x264enc ! mp4mux ! filesink location=%s" % clip
        for scene in SCENES:
            words += " videotestsrc pattern=%s num-buffers=%d ! video/x-raw,width=320,height=240,framerate=%d/1 ! c." % (
                scene, SECONDS * pictures.FPS, pictures.FPS)
        launch(*words.split())
        said = launch(
            "filesrc", "location=" + clip, "!", "llavaov", "name=l", "prompt=" + QUESTION, "!", "fakesink",
            "l.text", "!", "application/x-json", "!", "fdsink")
        answers = [json.loads(text) for text in said.decode().splitlines() if text][:len(SCENES)]
        frames = pictures.thumbnails(clip, sorted({time for answer in answers for time in answer["frame-times"]}))

    font, mono, small = (ImageFont.truetype(name, size) for name, size in ((FONT, 14), (MONO, 12), (FONT, 11)))
    wide, high = pictures.THUMB
    window, pad, top = 4 * (wide + 2), 16, 40
    sheet = Image.new("RGB", (len(answers) * (window + pad) + pad, top + 2 * (high + 2) + 62), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((pad, 10), "$ " + LINE, font=mono, fill=INK)
    for i, answer in enumerate(answers):
        left, y = pad + i * (window + pad), top
        for n, time in enumerate(answer["frame-times"]):
            sheet.paste(frames[time], (left + n % 4 * (wide + 2), y + n // 4 * (high + 2)))
        y += 2 * (high + 2) + 6
        draw.line((left, y, left + window - 2, y), fill=GREY)
        draw.text((left, y + 4), "seconds %d to %d" % (i * SECONDS, (i + 1) * SECONDS), font=small, fill=GREY)
        draw.text((left, y + 24), answer["text"], font=font, fill=GREEN if answer["text"].startswith("Yes") else RED)
    sheet.quantize(64, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)


if __name__ == "__main__":
    main()
