#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damaged checkpoints of 0.5B shapes (1.79 GB, as holes in a file: no disk, no time) through the element: gst-launch-1.0
ends with a status other than 0 and an error that names the file or tensor, before a weight is read.

    refusals.py MAKE-CHECKPOINT LLAVAOV-TOOL

How long each takes is printed; it counts from the start of gst-launch-1.0, so READY to PAUSED takes less. Exit status 77
(skipped) where files cannot have holes.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from gstlaunch import launch

HERE = os.path.dirname(os.path.abspath(__file__))
GENEROUS = 20  # seconds; the contract's 1 s is printed beside, not asserted: the machine may be busy
LINE = "videotestsrc num-buffers=2 ! video/x-raw,width=320,height=240 ! llavaov model-path=%s device=cpu ! fakesink"


class Weights:
    """model.safetensors in place: the header can change, and the end move."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "model.safetensors")
        with open(self.path, "rb") as file:
            self.length = struct.unpack("<Q", file.read(8))[0]
            self.header = json.loads(file.read(self.length))
        self.bytes = os.path.getsize(self.path)

    def write(self, bytes_less=0):
        """The header keeps its length, so that no byte of the data moves."""
        text = json.dumps(self.header, separators=(",", ":")).encode()
        assert len(text) <= self.length
        with open(self.path, "r+b") as file:
            file.seek(8)
            file.write(text.ljust(self.length))
            file.truncate(self.bytes - bytes_less)

    def last(self):
        """The tensor at the file's end, the only one that can go without leaving a hole in the header."""
        return max((n for n in self.header if n != "__metadata__"), key=lambda n: self.header[n]["data_offsets"][1])


def missing_tensor(folder):
    weights = Weights(folder)
    name = weights.last()
    begin, end = weights.header.pop(name)["data_offsets"]
    weights.write(end - begin)
    return [name, "missing"]


def misshapen_tensor(folder):
    weights = Weights(folder)
    name = "language_model.model.layers.11.mlp.down_proj.weight"
    weights.header[name]["shape"].reverse()
    weights.write()
    return [name, "model.safetensors", "shape"]


def unknown_dtype(folder):
    weights = Weights(folder)
    name = "language_model.model.layers.23.self_attn.o_proj.weight"
    weights.header[name]["dtype"] = "I16"
    weights.write()
    return [name, "model.safetensors", "I16"]


def overlapping_tensors(folder):
    weights = Weights(folder)
    weights.header[weights.last()]["data_offsets"] = [n - 2 for n in weights.header[weights.last()]["data_offsets"]]
    weights.write(2)
    return ["model.safetensors"]


def truncated_file(folder):
    Weights(folder).write(1 << 20)
    return ["model.safetensors"]


def broken_tokenizer(folder):
    path = os.path.join(folder, "tokenizer.json")
    os.truncate(path, os.path.getsize(path) // 2)
    return ["tokenizer.json"]


def no_tokenizer(folder):
    os.remove(os.path.join(folder, "tokenizer.json"))
    return ["tokenizer.json"]


DEFECTS = (missing_tensor, misshapen_tensor, unknown_dtype, overlapping_tensors, truncated_file, broken_tokenizer, no_tokenizer)


def has_holes(folder):
    path = os.path.join(folder, "hole")
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    blocks = os.stat(path).st_blocks
    os.remove(path)
    return blocks * 512 < 1 << 20


def copy(sound, folder):
    """Without the data: header and length alone."""
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder)
    for name in os.listdir(sound):
        source, target = os.path.join(sound, name), os.path.join(folder, name)
        if name != "model.safetensors":
            shutil.copy(source, target)
            continue
        with open(source, "rb") as old, open(target, "wb") as new:
            start = old.read(8)
            new.write(start + old.read(struct.unpack("<Q", start)[0]))
            new.truncate(os.path.getsize(source))


def main():
    make_checkpoint, tool = sys.argv[1:]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="llavaov-refusals-") as root:
        if not has_holes(root):
            print("files in %s cannot have holes" % root)
            return 77
        sound, folder = os.path.join(root, "sound"), os.path.join(root, "damaged")
        subprocess.run([make_checkpoint, "-p", "0.5b", "-S", "hollow=true", "-t", "bytes", sound], check=True)
        subprocess.run([sys.executable, os.path.join(HERE, "..", "soak", "fill_tokenizer.py"), sound], check=True)
        size = os.path.getsize(os.path.join(sound, "model.safetensors"))
        # The folder has no other defect: the same checks, without the weights, pass.
        done = subprocess.run([tool, "layout", "-m", sound, "-n", "8"], stdout=subprocess.DEVNULL)
        done = done.returncode or subprocess.run([tool, "tokenize", "-m", sound, "Hello"], stdout=subprocess.DEVNULL).returncode
        print("%s the sound folder, %.2f GB" % ("FAIL" if done else "ok  ", size / 1e9))
        failed += bool(done) or size < 1.7e9
        for damage in DEFECTS:
            copy(sound, folder)
            words = damage(folder)
            start = time.monotonic()
            run = launch(LINE % folder, timeout=GENEROUS)
            seconds = time.monotonic() - start
            errors = [text.strip() for text in run.output if "ERROR" in text]
            good = run.status not in (0, None) and run.status > 0 and errors and all(w in errors[0] for w in words)
            print("%s %s: %.2f s, status %s, %s" % ("ok  " if good else "FAIL", damage.__name__, seconds, run.status, errors[:1]))
            if not good:
                print(run)
                failed += 1
    print("%d failures" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
