#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes picture.txt: checksums of what the pinned torchvision, Pillow and HF transformers make of generated pictures.

    python tests/golden/make_picture.py          in the environment of tests/parity/requirements.txt

A line is a case and the CRC-32 of its bytes:
    resize VARIANT WIDTH HEIGHT OUT_WIDTH OUT_HEIGHT CRC
    tiles LAYOUT VARIANT IMAGE_SIZE GRID ROWS COLS WIDTH HEIGHT N CRC    (pinpoints: every size up to ROWS x COLS tiles)
    yuv FORMAT BT709 FULL WIDTH HEIGHT CRC
Pictures are made by samples(), which tests/picture/golden.h repeats.
"""
import pathlib
import sys
import zlib

import numpy as np
import PIL
import torch
import torchvision
import transformers
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import picture  # noqa: E402
from picture_server import Config  # noqa: E402

RESIZES = [  # width, height, out width, out height
    (1, 1, 384, 384), (2, 1, 1, 2), (1, 500, 384, 384), (500, 1, 384, 384), (5, 7, 7, 5), (64, 64, 384, 384),
    (336, 336, 384, 384), (384, 640, 384, 384), (640, 384, 384, 384), (640, 480, 384, 384), (640, 480, 768, 576),
    (895, 1833, 384, 384), (1024, 899, 1152, 1012), (1280, 720, 384, 384), (1920, 1080, 384, 384), (720, 1280, 384, 384),
    (2, 3000, 384, 384), (3000, 2, 384, 384), (3, 4096, 9, 2), (4096, 3, 2, 9), (383, 385, 384, 384), (100, 100, 1, 17),
]
MODELS = [(384, 27, 6, 6), (192, 12, 4, 4), (70, 5, 3, 5)]  # image size, grid, rows and columns of pinpoints
PICTURES = [(640, 480), (1500, 200), (7, 31), (333, 500), (384, 384), (2000, 3)]


def samples(n, seed):
    """n bytes; one in two is 0 or 255, so that rounding and clipping both show."""
    x = np.arange(n, dtype=np.uint64) * 2654435761 + seed & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 2246822519 & 0xFFFFFFFF
    x ^= x >> 13
    value = x >> 24
    return np.where(x & 256, np.where(value < 128, 0, 255), value).astype(np.uint8)


def rgb_picture(width, height):
    return samples(width * height * 3, width * 65536 + height).reshape(height, width, 3)


def resize(variant, rgb, width, height):
    if variant == "pillow":
        return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))
    return picture.torchvision_resize(torch.from_numpy(rgb).permute(2, 0, 1), height, width)


def lines():
    for variant in "torchvision", "pillow":
        for width, height, out_width, out_height in RESIZES:
            out = resize(variant, rgb_picture(width, height), out_width, out_height)
            yield "resize", variant, width, height, out_width, out_height, zlib.crc32(np.ascontiguousarray(out))
    for size, grid, rows, cols in MODELS:
        hf = picture.processors(Config(size, grid, picture.grid_of_pinpoints(size, rows, cols)))
        for layout, variant in ("image", "torchvision"), ("image", "pillow"), ("images", "torchvision"), \
                ("images", "pillow"), ("video", "torchvision"):
            for width, height in PICTURES:
                tiles = picture.reference_tiles(hf, layout, variant, rgb_picture(width, height))
                yield ("tiles", layout, variant, size, grid, rows, cols, width, height, len(tiles),
                       zlib.crc32(np.ascontiguousarray(tiles)))
    for name in "I420", "NV12":
        for bt709 in 0, 1:
            for full in 0, 1:
                for width, height in (1, 1), (129, 3), (320, 240):
                    half = (height + 1) // 2, (width + 1) // 2
                    seed = width * 65536 + height
                    y = samples(width * height, seed).reshape(height, width)
                    u, v = (samples(half[0] * half[1], seed + k).reshape(half) for k in (1, 2))
                    u, v = (plane.repeat(2, 0).repeat(2, 1)[:height, :width] for plane in (u, v))
                    rgb = picture.yuv_reference(bt709, full, y, u, v)
                    yield "yuv", name, bt709, full, width, height, zlib.crc32(np.ascontiguousarray(rgb))


def main():
    made_by = f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, " \
              f"transformers {transformers.__version__}"
    text = f"# Made by make_picture.py: {made_by}.\n"
    text += "".join(" ".join(map(str, line[:-1])) + f" {line[-1]:08x}\n" for line in lines())
    (HERE / "picture.txt").write_text(text)


if __name__ == "__main__":
    main()
