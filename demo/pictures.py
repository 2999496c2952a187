# SPDX-License-Identifier: Apache-2.0
"""What the demo leaves to look at: subtitles, the clip with the answers drawn on it, the contact sheet."""
import subprocess

from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"
THUMB = (96, 72)
FPS = 30  # of models/demo_clip.py


def stamp(ns):
    seconds, ms = divmod(ns // 1000000, 1000)
    return "%02d:%02d:%02d.%03d" % (seconds // 3600, seconds // 60 % 60, seconds % 60, ms)


def write_vtt(windows, path):
    """windows: [(start ns, end ns, [(question, answer, ok)])]"""
    with open(path, "w", encoding="utf-8") as file:
        file.write("WEBVTT\n")
        for start, end, rows in windows:
            file.write("\n%s --> %s\n" % (stamp(start), stamp(end)))
            for question, answer, _ in rows:
                file.write("%s\n– %s\n" % (question, answer))


def draw_on_clip(clip, vtt, path):
    """The clip again, with the subtitles in the picture."""
    subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", "location=%s" % clip, "!", "decodebin", "!", "videoconvert", "!",
         "textoverlay", "name=o", "font-desc=WenQuanYi Micro Hei 10", "line-alignment=left", "halignment=left",
         "valignment=bottom", "shaded-background=true", "draw-shadow=false", "draw-outline=false", "!",
         "videoconvert", "!", "x264enc", "speed-preset=veryfast", "pass=qual", "quantizer=23", "!",
         "video/x-h264,profile=high", "!", "mp4mux", "!", "filesink", "location=%s" % path,
         "filesrc", "location=%s" % vtt, "!", "subparse", "!", "o.text_sink"], check=True, timeout=300)


def thumbnails(clip, times):
    """{time in ns: picture} of the frames that begin at the times."""
    raw = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", "location=%s" % clip, "!", "decodebin", "!", "videoconvert", "!",
         "videoscale", "method=lanczos", "!", "video/x-raw,format=RGB,width=%d,height=%d" % THUMB, "!",
         "fdsink", "fd=1", "sync=false"], check=True, timeout=300, stdout=subprocess.PIPE).stdout
    size = THUMB[0] * THUMB[1] * 3
    last = len(raw) // size - 1
    out = {}
    for time in times:
        n = min(last, round(time * FPS / 1e9))
        out[time] = Image.frombytes("RGB", THUMB, raw[n * size:(n + 1) * size])
    return out


def contact_sheet(windows, frame_times, clip, path):
    """One row per window: its sampled frames, below them questions and answers."""
    font = ImageFont.truetype(FONT, 15)
    count = max(len(times) for times in frame_times)
    pad, line = 6, 21
    lines = max(len(rows) for _, _, rows in windows)
    height = THUMB[1] + lines * line + 3 * pad
    column = int(max(font.getlength(q) for _, _, rows in windows for q, _, _ in rows)) + 5 * pad
    longest = int(max(font.getlength(a) for _, _, rows in windows for _, a, _ in rows))
    width = max(count * (THUMB[0] + 2), column + longest) + 2 * pad
    sheet = Image.new("RGB", (width, height * len(windows) + line + pad), (250, 250, 250))
    draw = ImageDraw.Draw(sheet)
    pictures = thumbnails(clip, sorted({t for times in frame_times for t in times}))
    y = pad
    for (start, end, rows), times in zip(windows, frame_times):
        for i, time in enumerate(times):
            sheet.paste(pictures[time], (pad + i * (THUMB[0] + 2), y))
        y += THUMB[1] + pad // 2
        for question, answer, ok in rows:
            draw.text((pad, y), question, font=font, fill=(110, 110, 110))
            draw.text((column, y), answer, font=font, fill=(0, 90, 40) if ok else (190, 0, 0))
            y += line
        y += pad + pad // 2
    draw.text((pad, y), "%s – %s, %d frames of each window, H.264" % (
        stamp(windows[0][0])[3:8], stamp(windows[-1][1])[3:8], count), font=font, fill=(150, 150, 150))
    sheet.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
