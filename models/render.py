# SPDX-License-Identifier: Apache-2.0
"""Renders scenes with GStreamer into a cache of uint8 tiles.

    python models/render.py --cache DIR --split train --first 0 --count 3000 --jobs 2

Each scene becomes one DIR/SPLIT/NNNNNN.npz: tiles [n,T,T,3] of the kept frames
(squashed as the video layout does), their frame numbers, and the tiles of one
frame in the single-picture layout. Existing files are kept: run again to resume.
Needs numpy, torch, torchvision, transformers (tests/parity/requirements.txt)."""
import argparse
import json
import multiprocessing
import os
import random
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenes  # noqa: E402

TILE = 192
PINPOINTS = [[192, 192], [192, 384], [384, 192]]
_tools = {}


def tools():
    if not _tools:
        import numpy
        import torch
        import torchvision.transforms.v2.functional as F
        from transformers import LlavaOnevisionImageProcessor
        torch.set_num_threads(1)
        _tools.update(np=numpy, torch=torch, F=F, processor=LlavaOnevisionImageProcessor(
            size={"height": TILE, "width": TILE}, image_grid_pinpoints=PINPOINTS,
            do_rescale=False, do_normalize=False, resample=3))
    return _tools


def frames_of(scene, stride, count):
    """RGB frames [count, h, w, 3] after the scene's effects and codec."""
    np = tools()["np"]
    text = scenes.pipeline(scene, (count - 1) * stride / scene["fps"] + 1 / scene["fps"], stride)
    args = shlex.split(text + " ! videoconvert chroma-resampler=nearest dither=none ! "
                       "video/x-raw,format=RGB ! fdsink fd=1 sync=false")
    out = subprocess.run(["gst-launch-1.0", "-q"] + args, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, timeout=300).stdout
    h, row = scene["height"], (scene["width"] * 3 + 3) // 4 * 4
    a = np.frombuffer(out, np.uint8)
    a = a[: len(a) // (h * row) * h * row].reshape(-1, h, row)[:count, :, : scene["width"] * 3]
    return a.reshape(len(a), h, scene["width"], 3)


def squash(frames):
    t = tools()
    x = t["torch"].from_numpy(t["np"].ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    return t["F"].resize(x, [TILE, TILE], interpolation=t["F"].InterpolationMode.BICUBIC,
                         antialias=True).permute(0, 2, 3, 1).numpy()


def picture_tiles(frame):
    """Tiles of the single-picture layout, not yet normalised."""
    t = tools()
    x = t["torch"].from_numpy(t["np"].ascontiguousarray(frame.transpose(2, 0, 1)))
    out = t["processor"](images=x, return_tensors="pt")["pixel_values"][0]
    return out.permute(0, 2, 3, 1).clamp(0, 255).to(t["torch"].uint8).numpy()


def plan(scene, rng):
    """(stride, frames dropped at the start, frames kept)"""
    p, fps = scene["pattern"], scene["fps"]
    if p == "ball" and scene["motion"] != "still":
        window, n = rng.choice((2, 2, 4, 4, 8, 8, 8, 16)), rng.choice((4, 6, 8, 8, 8, 16))
        stride = max(1, round(window * fps / n * rng.choice((0.5, 1))))
        skip = rng.randrange(0, 40) if stride < 10 else 0
        return stride, skip, 24
    if p == "blink":
        return rng.choice((1, 1, 3, 5)), rng.randrange(2), 8
    if p == "ball":
        return 1 + fps // 4, 0, 8
    if p in ("snow", "foreign"):
        return 1, 1, 6
    return 1 + fps // 3, 0, 5


def render(job):
    path, seed, pattern = job
    if os.path.exists(path):
        return 0
    np = tools()["np"]
    scene = scenes.make(seed, pattern)
    rng = random.Random("plan-%s" % (seed,))
    stride, skip, keep = plan(scene, rng)
    small = scene["width"] * scene["height"] > 700000
    if small and keep > 16:
        keep, skip = 16, skip // 4
    try:
        frames = frames_of(scene, stride, skip + keep)[skip:]
    except subprocess.TimeoutExpired:
        frames = []
    if len(frames) < min(keep, 2):
        print("no frames:", seed, scene["pattern"], scene["gst"], len(frames), flush=True)
        return 0
    numbers = np.arange(skip, skip + len(frames)) * stride
    pick = rng.randrange(len(frames))
    part = path + ".part.npz"
    np.savez(part, scene=json.dumps(scene), tiles=squash(frames), numbers=numbers,
             picture=picture_tiles(frames[pick]), picture_number=numbers[pick])
    os.replace(part, path)
    return len(frames)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--cache", required=True)
    a.add_argument("--split", default="train")
    a.add_argument("--first", type=int, default=0)
    a.add_argument("--count", type=int, default=3000)
    a.add_argument("--patterns", nargs="*", help="these in turn, not any")
    a.add_argument("--jobs", type=int, default=2)
    a = a.parse_args()
    folder = os.path.join(a.cache, a.split)
    os.makedirs(folder, exist_ok=True)
    work = [(os.path.join(folder, "%06d.npz" % i), "%s-%d" % (a.split, i),
             a.patterns[i % len(a.patterns)] if a.patterns else None)
            for i in range(a.first, a.first + a.count)]
    done = 0
    with multiprocessing.Pool(a.jobs) as pool:
        for k, n in enumerate(pool.imap_unordered(render, work, 4)):
            done += n
            if k % 100 == 0:
                print(k, "scenes", done, "frames", flush=True)
    print("rendered", len(work), "scenes,", done, "frames", flush=True)


if __name__ == "__main__":
    main()
