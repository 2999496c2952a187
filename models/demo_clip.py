# SPDX-License-Identifier: Apache-2.0
"""Makes a real H.264 clip of camera-check scenes and the true answers about it.

    python3 models/demo_clip.py --seed 1 --out clip.mp4 --truth clip.json

Every segment is as long as a window, so windows and scenes coincide. Needs
the Python standard library and gst-launch-1.0 with x264enc and mp4mux."""
import argparse
import json
import os
import random
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import phrases  # noqa: E402
import scenes  # noqa: E402
import truth  # noqa: E402

RATE = 30
FAULTS = ("black", "frozen", "snow", "blink", "blurred", "bars")
OTHERS = ("pinwheel", "spokes", "gradient", "checkers", "plain", "circular", "colors")


def times_of(numbers, scene, window, frames):
    """Times, in the scene's own clock, of the frames that a window samples."""
    last = len(numbers) - 1
    shown = [truth.frame_at(t, RATE, last) for t in truth.sample_times(0, window, frames)]
    return [numbers[j] / scene["fps"] for j in shown]


def plain_to_see(points, names):
    """Whether a viewer would not argue: far from the lines that truth.py draws between motions."""
    if names is None or len(names) > 1:
        return False
    if names[0] not in truth.DIRECTIONS:
        return True
    axes = [[p[k] for p in points] for k in (0, 1)]
    net, extent = [abs(v[-1] - v[0]) for v in axes], [max(v) - min(v) for v in axes]
    if names[0] == "back":
        return max(e - n for e, n in zip(extent, net)) >= 0.6 * max(extent) and max(extent) >= 0.25
    small, big = sorted(net)
    return max(extent) >= 0.45 and not 0.05 < small / big < 0.85 and all(e - n <= 0.01 for e, n in zip(extent, net))


def segment(what, rng, size, window, frames):
    """(scene, number of the scene's frame for every frame of the clip)"""
    count = round(window * RATE)
    while True:
        pattern = {"moving": "ball", "any ball": "ball", "black": "plain", "blurred": "pinwheel"}.get(what, what)
        s = scenes.make(rng.randrange(10 ** 9), pattern, size, plainly=True)
        s["fps"] = {"blink": 3, "moving": rng.choice((5, 6, 10)), "any ball": rng.choice((20, 25))}.get(what, 10)
        skip = rng.randrange(150) if pattern == "ball" else 0
        numbers = [skip + j * s["fps"] // RATE for j in range(count)]
        if what == "black":
            s.update(gst="black", fg="black")
        if what == "blink":
            s.update(fg="white", bg="black")
        if what == "blurred":
            s.update(pattern=rng.choice(("pinwheel", "spokes")), blur=round(rng.uniform(0.016, 0.028), 4), props="kt=0")
            s["gst"] = s["pattern"]
        if what in OTHERS or what == "bars":
            s["blur"] = 0.0
        if pattern == "ball":
            if s["fg"] in ("grey", "orange"):       # a viewer may call them white, black or red
                continue
            if what == "any ball":
                s["motion"] = "wavy"
            points = [truth.ball_position(s, round(t * s["fps"])) for t in times_of(numbers, s, window, frames)]
            d = truth.directions(points)
            if not plain_to_see(points, d) or (what == "moving") != (d[0] in truth.DIRECTIONS and d[0] != "back"):
                continue
        if what == "checkers":          # finer ones melt into one colour on a small screen
            s["gst"] = "checkers-8"
        if what == "plain" and s["fg"] == "black":
            continue
        return s, numbers


def plan(seed, size, window, frames, count):
    rng = random.Random("demo-%s" % seed)
    ball = segment("any ball" if rng.random() < 0.5 else "moving", rng, size, window, frames)
    wanted = [rng.choice(FAULTS), rng.choice(OTHERS), "bars" if rng.random() < 0.5 else rng.choice(FAULTS)]
    out = [segment("moving", rng, size, window, frames), ball]
    for what in dict.fromkeys(wanted + rng.sample(FAULTS + OTHERS, len(FAULTS + OTHERS))):
        if len(out) >= count:
            break
        if what == "frozen":                    # the last picture of a moving ball, repeated
            s, numbers = next(x for x in reversed(out) if x[0]["pattern"] == "ball")
            out.append((s, [numbers[-1]] * len(numbers)))
        else:
            out.append(segment(what, rng, size, window, frames))
    return out[:count]


def raw_frames(scene, last):
    """I420 frames 0..last of a scene, as a list of bytes."""
    w, h = scene["width"], scene["height"]
    text = scenes.pipeline(scene, (last + 1) / scene["fps"]) + " ! fdsink fd=1 sync=false"
    data = subprocess.run(["gst-launch-1.0", "-q"] + shlex.split(text), stdout=subprocess.PIPE, check=True).stdout
    n = w * h * 3 // 2
    return [data[i:i + n] for i in range(0, len(data) - n + 1, n)]


def write_clip(path, segments, size):
    out = subprocess.Popen(["gst-launch-1.0", "-q"] + shlex.split(
        "fdsrc fd=0 blocksize=%d ! rawvideoparse format=i420 width=%d height=%d framerate=%d/1 ! "
        "x264enc pass=qual quantizer=22 speed-preset=veryfast bframes=0 key-int-max=60 ! h264parse ! mp4mux ! filesink location=%s"
        % (size[0] * size[1] * 3 // 2, size[0], size[1], RATE, shlex.quote(path))), stdin=subprocess.PIPE)
    for scene, numbers in segments:
        frames = raw_frames(scene, max(numbers))
        for n in numbers:
            out.stdin.write(frames[n])
    out.stdin.close()
    if out.wait():
        raise SystemExit("gst-launch-1.0 failed")


def questions(scene, times, rng):
    phr, out = phrases.load(), []
    for kind in truth.KINDS:
        for lang in truth.LANGUAGES:
            a = truth.answers(scene, kind, lang, times)
            if a:
                trained = phr[kind, lang][0]
                out.append({"kind": kind, "language": lang, "question": trained[0], "accepted": a})
                out.append({"kind": kind, "language": lang, "question": rng.choice(trained[1:]), "accepted": a})
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--seed", default="1")
    a.add_argument("--out", required=True)
    a.add_argument("--truth", required=True)
    a.add_argument("--width", type=int, default=640)
    a.add_argument("--height", type=int, default=480)
    a.add_argument("--window", type=float, default=8.0)
    a.add_argument("--frames", type=int, default=8)
    a.add_argument("--segments", type=int, default=4)
    a = a.parse_args()
    size = (a.width, a.height)
    segments = plan(a.seed, size, a.window, a.frames, a.segments)
    write_clip(a.out, segments, size)
    rng, rows = random.Random("ask-%s" % a.seed), []
    for k, (scene, numbers) in enumerate(segments):
        rows.append({"start": k * a.window, "duration": a.window, "scene": scene,
                     "questions": questions(scene, times_of(numbers, scene, a.window, a.frames), rng)})
    with open(a.truth, "w", encoding="utf-8") as f:
        json.dump({"seed": a.seed, "window": a.window, "frames": a.frames, "windows": rows}, f, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
