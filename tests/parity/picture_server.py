# SPDX-License-Identifier: Apache-2.0
"""Drives tests/picture/picture-batch, whose head comment is the protocol."""
import struct
import subprocess

import numpy as np

VARIANTS = ("auto", "torchvision", "pillow")
LAYOUTS = ("video", "image", "images")
FORMATS = ("I420", "NV12", "RGB", "BGR", "RGBA", "BGRA", "RGBX", "BGRX")
PLAN_FIELDS = ("best_height best_width grid_rows grid_cols resized_height resized_width pad_top pad_left n_tiles "
               "crop_top crop_left crop_height crop_width map_height map_width n_tokens").split()


class Config:
    """What the layout depends on; pinpoints are (height, width)."""

    def __init__(self, image_size, grid, pinpoints, anyres_max=9):
        self.image_size, self.grid, self.pinpoints, self.anyres_max = image_size, grid, pinpoints, anyres_max

    def __str__(self):
        return f"tile {self.image_size}, grid {self.grid}, {len(self.pinpoints)} pinpoints"

    def packed(self):
        flat = [edge for pair in self.pinpoints for edge in pair]
        return struct.pack(f"<{4 + len(flat)}I", self.image_size, self.grid, self.anyres_max, len(self.pinpoints), *flat)


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def _read(self, n):
        data = self.process.stdout.read(n)
        if len(data) != n:
            raise RuntimeError("picture-batch ended early")
        return data

    def _ask(self, *parts):
        for part in parts:
            self.process.stdin.write(part)
        self.process.stdin.flush()
        status, = struct.unpack("<i", self._read(4))
        if status:
            raise ValueError(f"status {status}")

    def resize(self, variant, rgb, out_width, out_height):
        height, width, _ = rgb.shape
        header = struct.pack("<5I", VARIANTS.index(variant), width, height, out_width, out_height)
        self._ask(b"R", header, rgb.tobytes())
        return np.frombuffer(self._read(out_width * out_height * 3), np.uint8).reshape(out_height, out_width, 3)

    def to_rgb(self, name, bt709, full, width, height, planes):
        header = struct.pack("<5I", FORMATS.index(name), bt709, full, width, height)
        self._ask(b"C", header, *(plane.tobytes() for plane in planes))
        return np.frombuffer(self._read(width * height * 3), np.uint8).reshape(height, width, 3)

    def plan(self, config, width, height):
        """The plan as a dict, and the row map [crop_height, crop_width]."""
        self._ask(b"L", config.packed(), struct.pack("<2I", width, height))
        plan = dict(zip(PLAN_FIELDS, struct.unpack("<16I", self._read(64))))
        shape = plan["crop_height"], plan["crop_width"]
        return plan, np.frombuffer(self._read(4 * shape[0] * shape[1]), np.uint32).reshape(shape)

    def prepare(self, config, layout, variant, rgb):
        """Tiles [n, image_size, image_size, 3]."""
        height, width, _ = rgb.shape
        header = struct.pack("<4I", LAYOUTS.index(layout), VARIANTS.index(variant), width, height)
        self._ask(b"P", config.packed(), header, rgb.tobytes())
        n, = struct.unpack("<I", self._read(4))
        size = config.image_size
        return np.frombuffer(self._read(n * size * size * 3), np.uint8).reshape(n, size, size, 3)
