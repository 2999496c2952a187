# SPDX-License-Identifier: Apache-2.0
"""What two builds must agree on to the bit: checkpoints, pictures and questions, each a command line of llavaov-tool.

{NAME} in a line is a checkpoint or a file of pictures from the tables here."""
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Options of make-checkpoint. The gains keep greedy answers from repeating one token (tests/support/checkpoint_writer.h).
LIVELY = ["-S", "text.embed_gain=0.3", "-S", "text.attention_gain=4"]
CHECKPOINTS = {
    "f16": ["-p", "tiny", *LIVELY],
    "f32": ["-p", "mini", "-d", "f32", "-s", "2", *LIVELY],
    "bf16": ["-p", "tiny", "-d", "bf16", "-l", "b1", "-n", "2", "-s", "3", *LIVELY],
    "mixed": ["-p", "mini", "-d", "mixed", "-l", "b2", "-s", "4", *LIVELY, "-S", "text.head_dim=32"],
    "tied": ["-p", "mini", "-l", "c", "--tied", "-s", "5", *LIVELY],
    "odd": ["-p", "mini", "-s", "6", *LIVELY, "-S", "text.hidden=68", "-S", "text.heads=2", "-S", "text.kv_heads=1",
            "-S", "text.intermediate=77", "-S", "vision.intermediate=51", "-S", "text.vocab=307",
            "-S", "vision_act=gelu", "-S", "text_act=gelu"],
    "camera": None,  # models/camera-check
}  # fmt: skip
# Pictures: width, height, number.
PICTURES = {"wide": (640, 360, 1), "tall": (90, 211, 1), "small": (17, 5, 1), "pair": (120, 100, 2), "clip": (160, 120, 8)}

CPU = ["-d", "cpu"]
STANDIN = ["-d", "cuda"]  # the CUDA backend over the CPU stand-in of tests/module


def ask(prompt, tokens, *more):
    return ["generate", "--json", "-p", prompt, "-N", str(tokens), *more]


def drawn(seed, *more):
    return ["--temperature", "0.8", "--top-k", "40", "--top-p", "0.9", "--seed", str(seed), *more]


# Name: the line, and for bench the commands of its standard input.
CASES = {
    "text, logits of all positions, f32": [*CPU, "logits", "-m", "{f32}", "-p", "How many are there?", "-o", "{out}"],
    "image in tiles, logits, f16": [*CPU, "logits", "-m", "{f16}", "-l", "image", "-p", "What is it?", "{wide}", "-o", "{out}"],
    "two images, logits, bf16 in two files": [
        *CPU, "logits", "-m", "{bf16}", "-l", "images", "-p", "Compare.", "{pair}", "-o", "{out}"],
    "video, logits, mixed types": [*CPU, "logits", "-m", "{mixed}", "-p", "What happens?", "{clip}", "-o", "{out}"],
    "video, features pooled late": [*CPU, "features", "-m", "{f16}", "--pool", "literal", "{clip}", "-o", "{out}"],
    "odd sizes, video, logits": [*CPU, "logits", "-m", "{odd}", "-p", "Count.", "{clip}", "-o", "{out}"],
    "tied head, lmms-lab names, image": [*CPU, "logits", "-m", "{tied}", "-l", "image", "-p", "Where?", "{tall}", "-o", "{out}"],
    "baseline instructions, logits": [
        *CPU, "--cpu-mask", "baseline", "logits", "-m", "{f16}", "-p", "Who?", "--last", "3", "{small}", "-o", "{out}"],
    "avx2 instructions, logits": [
        *CPU, "--cpu-mask", "avx2", "logits", "-m", "{mixed}", "-p", "Who?", "{small}", "-o", "{out}"],
    "prompt of several chunks": [
        *CPU, "logits", "-m", "{f32}", "-p", "Say it again. " * 150, "--last", "5", "-o", "{out}"],
    "pillow's resize, features": [
        *CPU, "--resize", "pillow", "features", "-m", "{bf16}", "-l", "image", "{tall}", "-o", "{out}"],
    "greedy answer, video, one thread": [*CPU, "-t", "1", *ask("What happens?", 40), "-m", "{f16}", "--greedy", "{clip}"],
    "greedy answer, text, two threads": [*CPU, "-t", "2", *ask("Tell a story.", 60), "-m", "{bf16}", "--greedy"],
    "drawn answer, seed 1": [*CPU, *ask("What happens?", 40, *drawn(1)), "-m", "{f16}", "{clip}"],
    "drawn answer, seed 2, penalty": [
        *CPU, *ask("Which one?", 40, *drawn(2, "--repetition-penalty", "1.3")), "-m", "{tied}", "-l", "image", "{wide}"],
    "drawn answer, text, system prompt": [*CPU, *ask("Go on.", 50, *drawn(3)), "--system", "You draw.", "-m", "{odd}"],
    "demo model, a window for each two frames": [
        *CPU, *ask("What does the picture show?", 24), "-m", "{camera}", "--every", "2", "{clip}"],
    "steps of one, eight and 32 sequences": (
        [*CPU, "bench", "--serve", "-m", "{f16}"], ["decode 100 24", "drawn 100 24", "batch 40 12 8", "batch 33 6 32"]),
    "CUDA on its stand-in, float32, logits": [
        *STANDIN, "--precision", "f32", "logits", "-m", "{mixed}", "-p", "What happens?", "{clip}", "-o", "{out}"],
    "CUDA on its stand-in, bf16, logits": [
        *STANDIN, "--precision", "bf16", "logits", "-m", "{odd}", "-l", "image", "-p", "Where?", "{tall}", "-o", "{out}"],
    # Which frames share an encoder call is a matter of time, and bf16 rounds calls of other sizes differently: one picture.
    "CUDA on its stand-in, bf16, drawn answer": [
        *STANDIN, *ask("What is it?", 24, *drawn(4)), "-m", "{mixed}", "-l", "image", "{tall}"],
    "CUDA on its stand-in, float32, greedy answers": [
        *STANDIN, "--precision", "f32", *ask("What happens?", 24), "-m", "{mixed}", "--every", "4", "{clip}"],
    "CUDA on its stand-in, steps of one, five and 16": (
        [*STANDIN, "bench", "--serve", "-m", "{mixed}"], ["decode 70 20", "drawn 70 20", "batch 20 9 5", "batch 20 5 16"]),
}  # fmt: skip


def write_pictures(folder):
    """Smooth shapes with some noise, as raw RGB: {name: (path, size)}."""
    paths = {}
    for name, (width, height, n) in PICTURES.items():
        noise = random.Random(name)
        rows = bytearray()
        for i in range(n):
            left, top = noise.randrange(width), noise.randrange(height)
            for y in range(height):
                for x in range(width):
                    inside = abs(x - left) < width // 4 and abs(y - top) < height // 4
                    rows += bytes(((x * 255 // width + 16 * i) % 256, 200 if inside else y * 255 // height, noise.getrandbits(8)))
        path = folder / f"{name}.rgb"
        path.write_bytes(rows)
        paths[name] = (str(path), f"{width}x{height}")
    return paths
