# SPDX-License-Identifier: Apache-2.0
"""How probable an alert was over time: pictures of the clip, and below them the curve, its thresholds, and when there was an alert."""
import textwrap

from PIL import Image, ImageDraw, ImageFont

import pictures

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
INK, GREY, LIGHT, BLUE, RED, GREEN, PINK = (36, 41, 47), (110, 119, 129), (208, 215, 222), (9, 80, 170), (180, 20, 20), (0, 110, 50), (255, 224, 220)
SECOND, LEFT, HEIGHT, BAR = 44, 50, 170, 14  # pixels
THRESHOLD, CLEAR_THRESHOLD = 0.5, 0.4        # what the element is told


def seconds(shown):
    """The starts of the clip's seconds."""
    return range(0, shown[-1][1], 10**9)


def periods(alerts, end):
    """[(raised ns, cleared ns)]: from the message to the message, each at the end of its window."""
    out = []
    for alert in alerts:
        if alert["state"] == "raised":
            out.append([alert["at"], end])
        elif out:
            out[-1][1] = alert["at"]
    return out


def dashed(draw, left, right, y, colour):
    for x in range(left, right, 8):
        draw.line((x, y, x + 4, y), fill=colour)


def draw(title, note, shown, answers, alerts, thumbs, path):
    """shown: [(start ns, end ns, name, whether it is a fault)]; alerts with `at`; thumbs: {time in ns: picture}, one a second."""
    font, small = ImageFont.truetype(FONT, 13), ImageFont.truetype(FONT, 11)
    end = shown[-1][1]
    right = LEFT + end * SECOND // 10**9
    high = SECOND * 3 // 4
    lines = textwrap.wrap(note, (right - LEFT) // 6)
    top = 34 + high + BAR + 8
    sheet = Image.new("RGB", (right + 20, top + HEIGHT + 44 + 16 * len(lines)), "white")
    d = ImageDraw.Draw(sheet)

    def x(time):
        return LEFT + time * SECOND // 10**9

    def y(probability):
        return top + round((1 - probability) * HEIGHT)

    d.text((LEFT, 8), title, font=font, fill=INK)
    for time, picture in sorted(thumbs.items()):
        sheet.paste(picture.resize((SECOND - 1, high)), (x(time - time % 10**9), 30))
    for start, stop, name, fault in shown:
        d.rectangle((x(start), 32 + high, x(stop) - 2, 32 + high + BAR), fill=RED if fault else GREEN)
        d.text((x(start) + 3, 33 + high), name, font=small, fill="white")
    for raised, cleared in periods(alerts, end):
        d.rectangle((x(raised), top, x(cleared), top + HEIGHT), fill=PINK)
        d.text((x(raised) + 4, y(0.25)), "raised %.1f s" % (raised / 1e9), font=small, fill=RED)
        if cleared < end:
            d.text((x(cleared) + 4, y(0.25)), "cleared %.1f s" % (cleared / 1e9), font=small, fill=RED)
    for second in range(end // 10**9 + 1):
        d.line((x(second * 10**9), top, x(second * 10**9), top + HEIGHT), fill=LIGHT)
        if second % 2 == 0:
            d.text((x(second * 10**9) - 4, top + HEIGHT + 4), str(second), font=small, fill=GREY)
    for value in (0, 0.5, 1):
        d.text((LEFT - 26, y(value) - 6), "%.1f" % value, font=small, fill=GREY)
    for value, word in ((THRESHOLD, "raise"), (CLEAR_THRESHOLD, "clear")):
        dashed(d, LEFT, right, y(value), GREY)
        d.text((right - 34, y(value) + (-14 if value == THRESHOLD else 1)), word, font=small, fill=GREY)
    points = [(x(answer["running-time"] + answer["duration"]), y(answer["alert-confidence"])) for answer in answers]
    d.line(points, fill=BLUE, width=2)
    for px, py in points:
        d.ellipse((px - 3, py - 3, px + 3, py + 3), fill=BLUE)
    d.text((LEFT, top + HEIGHT + 20), "P(%s) of each window, where it ends, in seconds of the clip" % answers[0]["choices"][1], font=small, fill=BLUE)
    for i, line in enumerate(lines):
        d.text((LEFT, top + HEIGHT + 40 + 16 * i), line, font=small, fill=GREY)
    sheet.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
