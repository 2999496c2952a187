#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Colour, resize, layouts and tiles against the pinned torchvision, Pillow and HF transformers.

    python tests/parity/picture.py BUILD_DIR [--pairs 300] [--sizes 3000] [--pictures 40] [--seed 1]

Compared bit for bit: both resizes on random size pairs (three-channel noise and two-level noise, up, down, one pixel,
extreme ratios); every number of the any-resolution layout and the row map with HF's own functions; the tiles of the
three layouts with HF's image processors (torchvision and PIL) and video processor, whose floats must equal the
normalisation table. YUV conversion is compared with the header's formula, written again in numpy.
Where the reference itself fails (torch refuses some one-pixel pictures) the case is counted and left out.
Exit code 0 when everything is identical.
"""
import argparse
import math
import pathlib
import random
import sys
import types

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.image_utils import ChannelDimension
from transformers.models.llava_onevision import modeling_llava_onevision as modeling
from transformers.models.llava_onevision.image_processing_llava_onevision import LlavaOnevisionImageProcessor
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.llava_onevision.video_processing_llava_onevision import LlavaOnevisionVideoProcessor

from transformers.utils import logging

from picture_server import Config, Server


def grid_of_pinpoints(tile, rows, cols):
    return [[tile * r, tile * c] for r in range(1, rows + 1) for c in range(1, cols + 1)]


CONFIGS = [
    Config(384, 27, grid_of_pinpoints(384, 6, 6)),
    Config(192, 12, grid_of_pinpoints(192, 4, 4)),
    Config(70, 5, grid_of_pinpoints(70, 3, 5)),
    Config(384, 27, [[384, 768], [768, 384], [768, 768], [1152, 384], [384, 1152]]),
    Config(56, 4, grid_of_pinpoints(56, 6, 6), anyres_max=4),
]


class Report:
    def __init__(self):
        self.failed = 0

    def check(self, what, cases):
        """cases: (description, identical) where identical is None when the reference fails."""
        counts = {True: 0, False: 0, None: 0}
        for description, identical in cases:
            counts[identical] += 1
            if identical is False and counts[False] <= 5:
                print(f"  {what}: {description} differs")
        left_out = f" ({counts[None]} left out: the reference fails)" if counts[None] else ""
        print(f"{what}: {counts[True]} of {counts[True] + counts[False]} identical{left_out}", flush=True)
        self.failed += counts[False] > 0 or counts[True] == 0


def noise(rng, height, width, kind):
    if kind == "levels":
        return rng.integers(0, 2, (height, width, 3), dtype=np.uint8) * np.uint8(255)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


# ---- resize --------------------------------------------------------------------------------------------------------

FIXED_PAIRS = [  # height, width, out_height, out_width
    (1, 1, 384, 384), (1, 1000, 384, 384), (1000, 1, 384, 384), (8192, 8192, 384, 384), (384, 384, 1, 1),
    (1080, 1920, 384, 384), (2160, 3840, 384, 384), (1080, 1920, 1080, 1920), (2160, 3840, 1296, 2304),
    (899, 1024, 1012, 1152), (480, 640, 576, 768), (384, 640, 384, 384), (480, 384, 384, 384), (16384, 3, 2, 7),
    (3, 16384, 7, 2), (2, 2, 1, 1), (5, 7, 7, 5), (336, 336, 384, 384), (3000, 2, 384, 384), (1833, 895, 384, 384),
]


def size_pairs(rng, n):
    yield from FIXED_PAIRS[:n]
    edge = lambda most: int(2 ** rng.uniform(0, math.log2(most)))
    for _ in range(max(n - len(FIXED_PAIRS), 0)):
        height, width = edge(4096), edge(4096)
        if height * width > 4_000_000:
            width = max(1, 4_000_000 // height)
        out = (384, 384) if rng.random() < 0.4 else (edge(2304), edge(2304))
        yield height, width, *out


def torchvision_resize(tensor, height, width):
    try:
        out = tv.resize(tensor, [height, width], interpolation=tv.InterpolationMode.BICUBIC, antialias=True)
    except RuntimeError:
        return None
    return out.permute(1, 2, 0).numpy()


def resize_cases(server, seed, n, reference):
    rng, random_bytes = random.Random(seed), np.random.default_rng(seed)
    for i, (height, width, out_height, out_width) in enumerate(size_pairs(rng, n)):
        rgb = noise(random_bytes, height, width, "levels" if i % 3 == 2 else "all")
        name = f"{width}x{height} to {out_width}x{out_height}"
        if reference == "pillow":
            wanted = [np.asarray(Image.fromarray(rgb).resize((out_width, out_height), Image.Resampling.BICUBIC))]
        else:
            view = torch.from_numpy(rgb).permute(2, 0, 1)  # channels last, then contiguous: two kernels
            wanted = [torchvision_resize(view, out_height, out_width),
                      torchvision_resize(view.contiguous(), out_height, out_width)]
            wanted = [w for w in wanted if w is not None]
        ours = server.resize(reference, rgb, out_width, out_height)
        yield name, all(np.array_equal(w, ours) for w in wanted) if wanted else None


def axis_cases(server, seed, n, reference):
    """Many size pairs of one axis: what the weights depend on."""
    rng, random_bytes = random.Random(seed), np.random.default_rng(seed)
    for _ in range(n):
        size, out = (int(2 ** rng.uniform(0, 13)) for _ in range(2))
        rgb = noise(random_bytes, 6, size, "all")
        if reference == "pillow":
            wanted = np.asarray(Image.fromarray(rgb).resize((out, 6), Image.Resampling.BICUBIC))
        else:
            wanted = torchvision_resize(torch.from_numpy(rgb).permute(2, 0, 1), 6, out)
        yield f"{size} to {out}", None if wanted is None else np.array_equal(wanted, server.resize(reference, rgb, out, 6))


# ---- colour --------------------------------------------------------------------------------------------------------

def yuv_reference(bt709, full, y, u, v):
    kr, kb = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    kg = 1 - kr - kb
    y_scale, c_scale = (1, 1) if full else (255 / 219, 255 / 224)
    fixed = lambda factor: int(math.floor(factor * 65536 + 0.5))
    luma = (y.astype(np.int64) - (0 if full else 16)) * fixed(y_scale)
    u, v = u.astype(np.int64) - 128, v.astype(np.int64) - 128
    red = luma + v * fixed(2 * (1 - kr) * c_scale)
    green = luma + u * fixed(-2 * kb * (1 - kb) / kg * c_scale) + v * fixed(-2 * kr * (1 - kr) / kg * c_scale)
    blue = luma + u * fixed(2 * (1 - kb) * c_scale)
    return np.clip(np.stack([red, green, blue], -1) + 32768 >> 16, 0, 255).astype(np.uint8)


def color_cases(server, seed, n):
    rng, random_bytes = random.Random(seed), np.random.default_rng(seed)
    for i in range(n):
        width, height = rng.choice([1, 2, 3, 127, 128, 129, 640]), rng.randint(1, 20)
        half = (height + 1) // 2, (width + 1) // 2
        y = random_bytes.integers(0, 256, (height, width), dtype=np.uint8)
        u, v = (random_bytes.integers(0, 256, half, dtype=np.uint8) for _ in range(2))
        spread = lambda plane: plane.repeat(2, 0).repeat(2, 1)[:height, :width]
        bt709, full = i & 1, i >> 1 & 1
        wanted = yuv_reference(bt709, full, y, spread(u), spread(v))
        name = "I420" if i >> 2 & 1 else "NV12"
        planes = [y, u, v] if name == "I420" else [y, np.stack([u, v], -1)]
        yield f"{name} {width}x{height}", np.array_equal(wanted, server.to_rgb(name, bt709, full, width, height, planes))


# ---- layout --------------------------------------------------------------------------------------------------------

def reference_plan(config, width, height):
    """The same numbers from HF's functions; features hold their own row number. None where HF fails."""
    best = select_best_resolution((height, width), config.pinpoints)
    picture = np.broadcast_to(np.uint8(0), (3, height, width))
    resized = get_patch_output_size(picture, best, ChannelDimension.FIRST)
    left, top, _, _ = LlavaOnevisionImageProcessor._get_padding_size(None, resized, best)
    rows, cols = modeling.get_anyres_image_grid_shape((height, width), config.pinpoints, config.image_size)
    n_tiles = modeling.image_size_to_num_patches((height, width), config.pinpoints, config.image_size)
    n = config.grid
    vision = types.SimpleNamespace(image_size=config.image_size, patch_size=config.image_size // n)
    model = types.SimpleNamespace(config=types.SimpleNamespace(vision_config=vision, image_grid_pinpoints=config.pinpoints))
    feature = torch.arange(n_tiles * n * n, dtype=torch.float64).reshape(n_tiles, n * n, 1)
    try:
        packed, _ = modeling.LlavaOnevisionModel.pack_image_features(
            model, [feature], [(height, width)], torch.full((1,), -1.0, dtype=torch.float64), f"anyres_max_{config.anyres_max}")
    except RuntimeError:
        return None
    processor = types.SimpleNamespace(image_processor=types.SimpleNamespace(image_grid_pinpoints=config.pinpoints),
                                      num_image_tokens=n * n, vision_aspect_ratio=f"anyres_max_{config.anyres_max}")
    processor._get_unpadded_features = types.MethodType(LlavaOnevisionProcessor._get_unpadded_features, processor)
    n_tokens = LlavaOnevisionProcessor._get_number_of_features(processor, height, width, config.image_size, config.image_size)
    whole = feature[1:].view(rows, cols, n, n).permute(0, 2, 1, 3).reshape(1, rows * n, cols * n)
    cropped = modeling.unpad_image(whole, (height, width))[0].numpy()
    tail = packed[0][n * n:, 0].numpy()
    map_height = int((tail == -1).sum())
    map_width = len(tail) // map_height - 1 if map_height else cropped.shape[1]
    plan = dict(best_height=best[0], best_width=best[1], grid_rows=rows, grid_cols=cols, resized_height=resized[0],
                resized_width=resized[1], pad_top=top, pad_left=left, n_tiles=n_tiles, crop_height=cropped.shape[0],
                crop_width=cropped.shape[1], map_height=map_height, map_width=map_width, n_tokens=n_tokens)
    assert len(packed[0]) == n_tokens
    return plan, cropped


def layout_cases(server, config, seed, n):
    rng = random.Random(seed)
    for i in range(n):
        most = (3000, 16384)[i % 2]
        width, height = (int(2 ** rng.uniform(0, math.log2(most))) for _ in range(2))
        if i % 5 == 0:
            height = width
        reference = reference_plan(config, width, height)
        if reference is None:
            yield f"{width}x{height}", None
            continue
        plan, rows = server.plan(config, width, height)
        wanted, cropped = reference
        same = all(plan[key] == value for key, value in wanted.items()) and np.array_equal(rows, cropped)
        yield f"{config}: {width}x{height}: {plan} {wanted}", same


# ---- tiles ---------------------------------------------------------------------------------------------------------

def to_bytes(floats, variant):
    """Normalised floats back to bytes; None if a float is not exactly in the reference's table."""
    bytes_ = np.rint(floats.astype(np.float64) * 127.5 + 127.5).astype(np.int64)
    levels = np.arange(256)
    if variant == "pillow":
        table = ((levels * 0.00392156862745098).astype(np.float32) - np.float32(0.5)) / np.float32(0.5)
    else:
        table = (levels.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    if bytes_.min() < 0 or bytes_.max() > 255 or not np.array_equal(table[bytes_], floats):
        return None
    return bytes_.astype(np.uint8)


def processors(config):
    options = dict(size={"height": config.image_size, "width": config.image_size}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return {"torchvision": LlavaOnevisionImageProcessor(image_grid_pinpoints=config.pinpoints, **options),
            "pillow": LlavaOnevisionImageProcessorPil(image_grid_pinpoints=config.pinpoints, **options),
            "video": LlavaOnevisionVideoProcessor(**options)}


def reference_tiles(hf, layout, variant, rgb):
    """[n, size, size, 3]; None where HF fails."""
    try:
        if layout == "video":
            frames = np.stack([rgb, 255 - rgb]).transpose(0, 3, 1, 2)  # several frames go through the kernel at once
            values = hf["video"](videos=[torch.from_numpy(np.ascontiguousarray(frames))], return_tensors="np")
            values = values["pixel_values_videos"][0][:1]
        elif layout == "images":  # a nested list of two is what turns padding on
            pair = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
            values = hf[variant]([pair], return_tensors="np")["pixel_values"][0]
        else:
            values = hf[variant](Image.fromarray(rgb), return_tensors="np")["pixel_values"][0]
    except RuntimeError:
        return None
    return to_bytes(np.asarray(values).transpose(0, 2, 3, 1), variant)


def tile_cases(server, config, layout, variant, seed, n):
    rng, random_bytes = random.Random(seed), np.random.default_rng(seed)
    hf = processors(config)
    fixed = [(1080, 1920), (480, 640), (899, 1024), (1, 7), (7, 1), (config.image_size, config.image_size), (200, 1500),
             (1354, 1128), (1, 1), (3, 2000)]
    for i in range(n):
        height, width = fixed[i] if i < len(fixed) else (int(2 ** rng.uniform(0, 11)) for _ in range(2))
        rgb = noise(random_bytes, height, width, "all")
        wanted = reference_tiles(hf, layout, variant, rgb)
        ours = server.prepare(config, layout, variant, rgb)
        yield f"{config}: {width}x{height}", None if wanted is None else np.array_equal(wanted, ours)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--sizes", type=int, default=3000)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.set_verbosity_error()  # it wonders about the channels of pictures one pixel wide
    report = Report()
    with Server(pathlib.Path(options.build) / "tests/picture/picture-batch") as server:
        for variant in "torchvision", "pillow":
            report.check(f"resize, {variant}", resize_cases(server, options.seed, options.pairs, variant))
            report.check(f"resize of one axis, {variant}", axis_cases(server, options.seed, 5 * options.pairs, variant))
        report.check("YUV to RGB", color_cases(server, options.seed, options.pairs))
        for config in CONFIGS:
            report.check(f"layout, {config}", layout_cases(server, config, options.seed, options.sizes // len(CONFIGS)))
        for config in CONFIGS[:3]:
            for layout, variant in ("image", "torchvision"), ("image", "pillow"), ("images", "torchvision"), \
                    ("images", "pillow"), ("video", "torchvision"):
                report.check(f"tiles, {layout}, {variant}, {config}",
                             tile_cases(server, config, layout, variant, options.seed, options.pictures))
    print("picture:", "identical" if not report.failed else f"{report.failed} comparisons differ")
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main())
