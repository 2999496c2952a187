#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llavaov-tool quantize with int8 and int4: the folder opens and gives the bits that the precision gives on the checkpoint; damaged ones are
refused with the tensor's or the field's name. --quantized-cache keeps such folders.

    quantize.py LLAVAOV_TOOL MODEL
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

tool, model = sys.argv[1:]
failed = []
PREFIX = "language_model.model.layers.0."
DOWN, Q, GATE, UP = (PREFIX + n + ".weight" for n in ("mlp.down_proj", "self_attn.q_proj", "mlp.gate_proj", "mlp.up_proj"))
FC1 = "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"


def check(what, good, more=""):
    print("%s: %s %s" % ("ok" if good else "FAIL", what, "" if good else more))
    if not good:
        failed.append(what)


def run(*arguments):
    return subprocess.run([tool, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def logits(folder, out, *options):
    done = run("logits", "-m", folder, "-d", "cpu", "-p", "What happens?", "--last", "0", "-o", out, *options)
    return open(out, "rb").read() if done.returncode == 0 else done.stderr


class Weights:
    """A safetensors file in parts that can be changed."""

    def __init__(self, path):
        data = open(path, "rb").read()
        (n,) = struct.unpack("<Q", data[:8])
        self.header = json.loads(data[8 : 8 + n])
        self.header.pop("__metadata__", None)
        self.data = {name: data[8 + n + t["data_offsets"][0] : 8 + n + t["data_offsets"][1]] for name, t in self.header.items()}

    def put(self, name, dtype, shape, data):
        self.header[name], self.data[name] = {"dtype": dtype, "shape": shape}, data

    def drop(self, name):
        del self.header[name], self.data[name]

    def save(self, path):
        at, header = 0, {}
        for name, tensor in self.header.items():
            header[name] = dict(tensor, data_offsets=[at, at + len(self.data[name])])
            at += len(self.data[name])
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text + b"".join(self.data.values()))


def scale(name):
    return name + ".scale"


def short_scales(w, config):
    t = w.header[scale(DOWN)]
    w.put(scale(DOWN), t["dtype"], [t["shape"][0] - 1] + t["shape"][1:], w.data[scale(DOWN)][: -len(w.data[scale(DOWN)]) // t["shape"][0]])


def broken_scale(bits, name):
    size = 4 if bits == 8 else 2
    number = struct.pack("<f", float("nan")) if bits == 8 else struct.pack("<H", 0x7C00)

    def change(w, config):
        w.data[scale(name)] = w.data[scale(name)][: 3 * size] + number + w.data[scale(name)][4 * size :]

    return change


def short_numbers(w, config):
    t = w.header[DOWN]
    w.put(DOWN, t["dtype"], [t["shape"][0], t["shape"][1] - 1], w.data[DOWN][: t["shape"][0] * (t["shape"][1] - 1)])


def plain(name):
    """Its numbers become floats: of the weights that are multiplied together one is not quantised."""

    def change(w, config):
        source = Weights(model + "/model.safetensors")
        w.put(name, source.header[name]["dtype"], source.header[name]["shape"], source.data[name])
        w.drop(scale(name))

    return change


def no_scale(w, config):
    w.drop(scale(DOWN))


def scale_of_a_norm(w, config):
    w.put(PREFIX + "input_layernorm.weight.scale", "F32", [1], struct.pack("<f", 1))


def bits(n):
    def change(w, config):
        config["quantization_config"]["bits"] = n

    return change


def no_config(w, config):
    del config["quantization_config"]


def four_in_the_tower(w, config):
    rows, cols = w.header[FC1]["shape"]
    w.put(FC1, "U8", [rows, cols // 2], bytes(rows * cols // 2))
    w.put(scale(FC1), "F16", [rows, cols // 32], bytes(2 * rows * cols // 32))


# (bits, what is done, what the message names)
DAMAGE = [
    (8, short_scales, scale(DOWN)), (4, short_scales, scale(DOWN)),
    (8, broken_scale(8, DOWN), scale(DOWN)), (4, broken_scale(4, DOWN), scale(DOWN)), (4, broken_scale(8, FC1), scale(FC1)),
    (8, short_numbers, DOWN), (4, short_numbers, DOWN),
    (8, plain(UP), UP), (8, plain(Q), "self_attn"), (4, plain(GATE), "mlp"),
    (8, no_scale, DOWN), (4, no_scale, DOWN),
    (8, scale_of_a_norm, "input_layernorm"),
    (4, four_in_the_tower, FC1), (4, bits(8), DOWN.replace("mlp.down_proj", "self_attn.q_proj")),
    (8, bits(3), "quantization_config.bits"), (8, bits("8"), "quantization_config.bits"), (8, bits(None), "quantization_config.bits"),
    (8, no_config, ".weight.scale"),
]  # fmt: skip


def check_cache(top):
    """The entry is taken while the source and itself are what they were, and made anew otherwise."""
    source, cache = top + "/source", top + "/cache/of"
    shutil.copytree(model, source)
    os.mkdir(top + "/cache")
    question = ["-m", source, "-d", "cpu", "--greedy", "-N", "8", "-p", "What happens?", "-j"]

    def answer(*options):
        done = run("generate", *question, "--precision", "int4", *options)
        return json.loads(done.stdout)["tokens"] if done.returncode == 0 else done.stderr

    def entry():
        names = os.listdir(cache)
        check("one entry", len(names) == 1, names)
        return os.path.join(cache, names[0])

    truth = answer()
    check("an answer", isinstance(truth, list), truth)
    check("the cache is written", answer("--quantized-cache", cache) == truth)
    weights, listed = entry() + "/model.safetensors", entry() + "/made-of.txt"

    def flip():
        with open(weights, "r+b") as file:
            file.seek(-1000, 2)
            byte = file.read(1)
            file.seek(-1000, 2)
            file.write(bytes([byte[0] ^ 1]))

    def keep_time(change):
        def with_time():
            was = os.stat(weights)
            change()
            os.utime(weights, ns=(was.st_atime_ns, was.st_mtime_ns))

        return with_time

    cases = [
        ("nothing", lambda: None, True),
        ("a bit in the entry", keep_time(flip), False),
        ("half an entry", lambda: os.truncate(weights, 5000), False),
        ("a list that is cut", lambda: os.truncate(listed, 40), False),
        ("no weights", lambda: os.unlink(weights), False),
        ("the source's time", lambda: os.utime(source + "/model.safetensors"), False),
        ("the source's config.json", lambda: open(source + "/config.json", "a").write("\n"), False),
        ("nothing again", lambda: None, True),
    ]
    for what, change, kept in cases:
        change()
        before = os.stat(entry()).st_ino
        check(what + ": the answer", answer("--quantized-cache", cache) == truth)
        check(what + ": %s" % ("kept" if kept else "made anew"), (os.stat(entry()).st_ino == before) == kept)
    message = answer("--quantized-cache", listed)
    check("a cache that is no folder", listed.encode() in message, message)


def main():
    with tempfile.TemporaryDirectory() as top:
        out = top + "/out.npy"
        for b in (8, 4):
            precision, folder = "int%d" % b, top + "/%d" % b
            done = run("quantize", model, folder, "--precision", precision)
            check("quantize to " + precision, done.returncode == 0, done.stderr)
            weights = Weights(folder + "/model.safetensors")
            check("types of " + precision, weights.header[DOWN]["dtype"] == ("I8" if b == 8 else "U8") and weights.header[FC1]["dtype"] == "I8")
            truth = logits(model, out, "--precision", precision)
            check(precision + " has the precision's bits", logits(folder, out) == truth)
            check(precision + " by its name too", logits(folder, out, "--precision", precision) == truth)
            for mask in ("baseline", "avx2"):
                check(precision + " with " + mask, logits(folder, out, "--cpu-mask", mask) == logits(model, out, "--cpu-mask", mask, "--precision", precision))
            check(precision + " in float32", logits(folder, out, "--precision", "f32")[:6] == b"\x93NUMPY")
            for other in {"int8", "int4", "nf4"} - {precision}:
                check("%s is not taken for %s" % (precision, other), b"precision" in logits(folder, out, "--precision", other))
            check("quantised once", run("quantize", folder, top + "/again", "--precision", precision).returncode == 1)
        for b, change, name in DAMAGE:
            folder = top + "/damaged"
            shutil.copytree(top + "/%d" % b, folder)
            weights, config = Weights(folder + "/model.safetensors"), json.load(open(folder + "/config.json"))
            change(weights, config)
            weights.save(folder + "/model.safetensors")
            json.dump(config, open(folder + "/config.json", "w"))
            done = run("logits", "-m", folder, "-d", "cpu", "-p", "What?", "-o", out)
            check("int%d: %s names %s" % (b, change.__name__, name), done.returncode == 1 and name.encode() in done.stderr, (done.returncode, done.stderr))
            shutil.rmtree(folder)
        check_cache(top)
    if failed:
        sys.exit("%d failed" % len(failed))


if __name__ == "__main__":
    main()
