#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows of gpu-check that have a second side: another precision, another device, or HF transformers on the same GPU.

    hf.py BUILD demo              the bundled model on made-up clips: CUDA against the CPU
    hf.py BUILD parity SEED       random weights of 0.5B shapes, 1, 8 and 32 frames: features, logits and tokens against HF
    hf.py BUILD bench PART        frame, encode, prefill, decode, batch, graphs or 7b: medians of alternating runs

The last line is one JSON object of figures; what they must be is in acceptance.py. Exit code 0 when all was measured, and
for parity also when this seed's float32 holds. --device, --torch-device, --preset and the sizes let the script itself be
tried where there is no GPU.
"""
import argparse
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "parity"), str(ROOT / "tests" / "gpu")]

from acceptance import FRAMES  # noqa: E402
from tool import Tool  # noqa: E402

PROMPT = "What is happening?"
NEW_TOKENS, POSITIONS = 64, 80  # of parity: logits are compared at the answer's positions and the question's
WARM, RUNS = 5, 20


def checkpoint(arguments, preset, seed):
    """A folder with random weights; it gets its name when it is whole."""
    folder = pathlib.Path(arguments.build) / f"random-{preset}-{seed}"
    if not folder.exists():
        scratch = folder.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        maker = pathlib.Path(arguments.build) / "tests/support/make-checkpoint"
        shards = ["-n", "8"] if preset == "7b" else []  # each is written by a thread of its own
        subprocess.run([maker, "-p", preset, "-d", "bf16", "-s", str(seed), "-t", "bytes", *shards, scratch], check=True)
        scratch.rename(folder)
    return folder


def pictures(seed, n, height=240, width=320):
    """A ball on a ground with noise, moving."""
    rng = np.random.default_rng(seed)
    ball, ground = rng.integers(0, 256, (2, 3))
    y, x = np.mgrid[:height, :width]
    step, start, radius = rng.integers(-20, 21, 2), rng.integers(60, 180, 2), rng.integers(20, 60)
    frames = []
    for t in range(n):
        inside = (y - start[0] - t * step[0]) ** 2 + (x - start[1] - t * step[1]) ** 2 < radius**2
        frame = np.where(inside[..., None], ball, ground) + rng.integers(-12, 13, (height, width, 3))
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return np.stack(frames)


# ---- the bundled model ----


def demo(arguments):
    """Every question about its share of the clips, one process for each question and side."""
    tool = Tool(arguments.build)
    questions = ("What colour is the ball?", "What is shown?", "Is there a ball?", "Describe the video.")
    sides = {"cpu": ["-d", "cpu"], "f32": ["-d", arguments.device, "--precision", "f32"], "bf16": ["-d", arguments.device]}
    each, window = arguments.clips // len(questions), 4
    facts = {"clips": each * len(questions), "f32_differ": 0, "bf16_differ": 0}
    seed = 0
    for question in questions:
        clips = tool.save("clips.npy", np.concatenate([pictures(seed + i, window) for i in range(each)]))
        seed += each
        answers = {}
        for side, options in sides.items():
            lines = tool.run("generate", "-m", ROOT / "models/camera-check", *options, "-j", "-N", 24, "-p", question,
                             "--every", window, clips)  # fmt: skip
            answers[side] = [json.loads(line) for line in lines.splitlines()]
        for cpu, f32, bf16 in zip(*(answers[side] for side in ("cpu", "f32", "bf16")), strict=True):
            facts["f32_differ"] += f32["tokens"] != cpu["tokens"]
            facts["bf16_differ"] += bf16["text"] != cpu["text"]
    facts["bf16_same"] = round(1 - facts["bf16_differ"] / facts["clips"], 4)
    return True, facts


# ---- parity ----


def distance(mine, wanted):
    """Sums of squares, to be pooled; where shapes differ the distance is without bound."""
    mine, wanted = np.asarray(mine, np.float64), np.asarray(wanted, np.float64)
    if mine.shape != wanted.shape:
        return {"error": float("inf"), "power": 1.0}
    return {"error": float(((mine - wanted) ** 2).sum()), "power": float((wanted**2).sum())}


def relative(sums):
    return (sums["error"] / sums["power"]) ** 0.5


def compare_tokens(mine, wanted, logits, error):
    """(differ, excused): they may part where HF's two best logits are closer than ten times the measured error."""
    for i, (a, b) in enumerate(zip(mine[: len(wanted)] + [-1], wanted + [-1])):
        if a != b:
            best = np.sort(logits[i])[-2:]
            excused = bool(best[1] - best[0] < 10 * error)
            return int(not excused), int(excused)
    return 0, 0


def hf_side(arguments, folder, cases):
    """Fills each case with what HF says: tokens, features and logits in float32, in bf16, and features in float64."""
    import torch

    import hf_model

    model = hf_model.load(folder, torch.float32, arguments.torch_device)
    for case in cases:
        case["tokens"] = hf_model.greedy(model, case["tiles"], case["ids"], NEW_TOKENS)
        case["whole"] = case["ids"] + case["tokens"]
        case["keep"] = min(POSITIONS, len(case["whole"]))
        case["f32"] = {"features": hf_model.features(model, case["tiles"]),
                       "logits": hf_model.logits(model, case["tiles"], case["whole"], case["keep"])}  # fmt: skip
    exact = hf_model.copied(model, torch.float64)
    del model
    for case in cases:
        case["f64"] = hf_model.features(exact, case["tiles"])
    del exact
    half = hf_model.load(folder, torch.bfloat16, arguments.torch_device)
    for case in cases:
        case["bf16"] = {"features": hf_model.features(half, case["tiles"]),
                        "logits": hf_model.logits(half, case["tiles"], case["whole"], case["keep"])}  # fmt: skip


def hf_fp8_side(arguments, folder, cases):
    """The same in bf16 with the layers' products in fp8, as torch rounds to it."""
    import torch

    import hf_model

    model = hf_model.in_fp8(hf_model.load(folder, torch.bfloat16, arguments.torch_device))
    for case in cases:
        case["fp8"] = {"features": hf_model.features(model, case["tiles"]),
                       "logits": hf_model.logits(model, case["tiles"], case["whole"], case["keep"])}  # fmt: skip


def our_side(arguments, tool, folder, case, precision):
    options = ["-m", folder, "-d", arguments.device, "--precision", precision]
    features = tool.folder / "features.npy"
    forced = tool.save("ids.npy", np.array(case["whole"], np.int32))
    logits = tool.array("logits", *options, "--ids", forced, "--last", case["keep"], "--features", features, case["clip"])
    # Our rows end with the video's newline; HF adds that later.
    return {"features": np.load(features)[:-1], "logits": logits}


def facts_of_case(arguments, tool, folder, case):
    facts = {}
    for precision in ("f32",) if arguments.device == "cpu" else ("f32", "bf16"):
        mine = our_side(arguments, tool, folder, case, precision)
        facts[precision] = {part: distance(mine[part], case["f32"][part]) for part in ("features", "logits")}
        if precision == "f32":
            f32 = mine
    if arguments.fp8:
        mine = our_side(arguments, tool, folder, case, "fp8")
        for side, rows in (("fp8", mine), ("hf_fp8", case["fp8"])):
            facts[side] = {part: distance(rows[part], case["f32"][part]) for part in ("features", "logits")}
    facts["hf_bf16"] = {part: distance(case["bf16"][part], case["f32"][part]) for part in ("features", "logits")}
    allowed = max(1e-5, 2 * relative(distance(case["f32"]["features"], case["f64"])))
    wanted = case["f32"]["logits"]
    error = float(np.abs(f32["logits"] - wanted).max()) if f32["logits"].shape == wanted.shape else float("inf")
    answer = tool.json("generate", "-m", folder, "-d", arguments.device, "--precision", "f32", "-j", "-N", NEW_TOKENS, "-p", PROMPT,
                       case["clip"])  # fmt: skip
    answering = wanted[-len(case["tokens"]) - 1 :]
    differ, excused = compare_tokens(answer["tokens"], case["tokens"], answering, error)
    facts |= {"f32_features": relative(facts["f32"]["features"]), "f32_features_allowed": allowed,
              "f32_features_of_allowed": relative(facts["f32"]["features"]) / allowed,
              "f32_logits_sigma": error / float(wanted.std()), "tokens": len(case["tokens"]), "tokens_differ": differ,
              "tokens_excused": excused, "positions": case["keep"]}  # fmt: skip
    return facts


def parity(arguments):
    import hf_model

    rounding = hf_model.float32_error(arguments.torch_device)
    if rounding > 1e-5:
        return False, {"message": f"torch's float32 is not float32 here: its products are off by {rounding:.1e}"}
    seed = int(arguments.rest[0])
    folder = checkpoint(arguments, arguments.preset, seed)
    tool = Tool(arguments.build)
    cases = []
    for frames in arguments.frames:
        clip = tool.save(f"clip-{frames}.npy", pictures(seed, frames))
        ids = tool.json("tokenize", "-m", folder, "--chat", "-n", frames, "--", PROMPT)["ids"]
        cases.append({"frames": frames, "clip": clip, "tiles": tool.array("layout", "-m", folder, clip), "ids": ids})
    hf_side(arguments, folder, cases)
    if arguments.fp8:
        hf_fp8_side(arguments, folder, cases)
    facts = {"torch_float32_error": rounding}
    facts |= {str(case["frames"]): facts_of_case(arguments, tool, folder, case) for case in cases}
    good = all(facts[str(n)]["f32_features_of_allowed"] <= 1 and facts[str(n)]["f32_logits_sigma"] <= 1e-3
               and facts[str(n)]["tokens_differ"] == 0 for n in arguments.frames)  # fmt: skip
    return good, facts


# ---- bench ----


class Ours:
    """llavaov-tool bench --serve: milliseconds."""

    def __init__(self, arguments, folder, options=""):
        path = pathlib.Path(arguments.build) / "tools/llavaov-tool/llavaov-tool"
        self.process = subprocess.Popen([path, "bench", "--serve", "-m", folder, "-d", arguments.device + options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("llavaov-tool bench ended early")
        said = json.loads(line)
        if "notice" in said:  # what is measured from here on is not what a user would have
            sys.exit(f"llavaov-tool bench: {said['notice']}")
        return said

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def ms(self, line, n=1):
        return self.ask(line)["ns"] / 1e6 / n


def median_of(run, runs=RUNS):
    for _ in range(WARM):
        run()
    return round(statistics.median(run() for _ in range(runs)), 4)


class TooLong(Exception):
    pass


def limited(seconds, run):
    """run(), given up by an exception after so many seconds: compilers of HF's variants may take long."""

    def stop(*_):
        raise TooLong(f"not ready after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        return run()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def compare(ours, hf, variants, patience, n=1, runs=RUNS):
    """Medians of alternating runs against each variant; one that cannot run here, or is not ready in time, is named."""
    facts, times = {"hf_ms": {}, "hf_failed": {}}, []
    while True:
        try:  # the next variant may fail to be made
            name, run = next(variants)
        except StopIteration:
            break
        except Exception as error:
            facts["hf_failed"]["the next variant"] = f"{type(error).__name__}: {str(error)[:160]}"
            break
        try:
            start = time.monotonic()
            limited(patience, lambda run=run: hf.timed(run))
            facts.setdefault("hf_first_call_s", {})[name] = round(time.monotonic() - start, 1)
            for _ in range(WARM):
                limited(patience, lambda run=run: hf.timed(run))
                ours()
            pairs = [(ours(), hf.timed(run) / n) for _ in range(runs)]
        except Exception as error:  # a variant of HF's that fails is HF's matter, told in the table
            facts["hf_failed"][name] = f"{type(error).__name__}: {str(error)[:160]}"
            continue
        times += [a for a, _ in pairs]
        facts["hf_ms"][name] = round(statistics.median(b for _, b in pairs), 4)
        print(f"{name}: {facts['hf_ms'][name]} ms, ours {statistics.median(a for a, _ in pairs):.4f} ms", flush=True)
    facts["ours_ms"] = round(statistics.median(times), 4) if times else median_of(ours, runs)
    return facts


def times(facts, wanted=""):
    """How many times faster than HF's fastest variant whose name begins so."""
    of_hf = [ms for name, ms in facts["hf_ms"].items() if name.startswith(wanted)]
    return {"times_best" if not wanted else f"times_{wanted}": round(min(of_hf) / facts["ours_ms"], 3)} if of_hf else {}


def bench_frame(arguments, ours):
    def both(n):
        measured = [ours.ask(f"frames {n} 1920 1080") for _ in range(WARM + RUNS)][WARM:]
        return [round(statistics.median(m[key] / 1e6 / n for m in measured), 4) for key in ("ns", "with_copy_ns")]

    facts = dict(zip(("frame_ms", "with_copy_ms"), both(1)))
    return facts | dict(zip(("batch_frame_ms", "batch_with_copy_ms"), both(arguments.encode_batch)))


def bench_encode(arguments, ours, hf):
    """Ours begins with NV12 pictures of a tile's size that lie on the device: colours and resizing are ours on top."""
    n = arguments.encode_batch
    line = f"frames {n} {hf.size} {hf.size}" if arguments.device != "cpu" else f"encode {n}"
    facts = compare(lambda: ours.ms(line, n), hf, hf.encode_variants(n), arguments.patience, n)
    facts["from"] = f"ours: NV12 of {hf.size} x {hf.size} on the device; HF: normalised pixels on the device; both to pooled features"
    facts["ours_from_host_tiles_ms"] = median_of(lambda: ours.ms(f"encode {n}", n), 10)
    return facts | times(facts)


def bench_prefill(arguments, ours, hf):
    facts = compare(lambda: ours.ms(f"prefill {arguments.context}"), hf, hf.prefill_variants(arguments.context),
                    arguments.patience)  # fmt: skip
    return facts | times(facts)


def bench_decode(arguments, ours, hf):
    n = arguments.tokens
    line = f"decode {arguments.context} {n}"
    facts = compare(lambda: ours.ms(line, n), hf, hf.decode_variants(arguments.context, n), arguments.patience, n, 10)
    return facts | times(facts, "eager") | times(facts, "static")


def bench_batch(arguments, ours):
    line = f"batch {arguments.context} {arguments.tokens}"
    return {f"batch_{size}_ms": median_of(lambda size=size: ours.ms(f"{line} {size}", arguments.tokens), 5)
            for size in arguments.batches}  # fmt: skip


def bench_graphs(arguments, engines):
    """Decoding steps replayed as graphs, the same with kernels that begin when the one ahead is done, and launch by launch
    (what a driver without graphs would leave)."""
    facts = {}
    for size in (1, *arguments.batches):
        line = f"{'decode' if size == 1 else 'batch'} {arguments.context} {arguments.tokens}" + (f" {size}" if size > 1 else "")
        taken = {name: [] for name in engines}
        for repeat in range(2 + 5):
            for name, engine in engines.items():
                ms = engine.ms(line, arguments.tokens)
                if repeat >= 2:
                    taken[name].append(ms)
        facts |= {f"batch_{size}_{name}_ms": round(statistics.median(taken[name]), 4) for name in taken}
    return facts


def bench_7b(arguments):
    start = time.monotonic()
    folder = checkpoint(arguments, "7b" if arguments.preset == "0.5b" else arguments.preset, 1)
    made = time.monotonic()
    ours = Ours(arguments, folder)
    facts = {"making_s": round(made - start, 1), "loading_s": round(time.monotonic() - made, 1)}
    facts["prefill_ms"] = median_of(lambda: ours.ms(f"prefill {arguments.context}"), 5)
    line = f"decode {arguments.context} {arguments.tokens}"
    facts["decode_ms"] = median_of(lambda: ours.ms(line, arguments.tokens), 5)
    return facts


def bench(arguments):
    part = arguments.rest[0]
    if part == "7b":
        return True, bench_7b(arguments)
    folder = checkpoint(arguments, arguments.preset, 1)
    ours = Ours(arguments, folder)
    if part == "graphs":
        off = {"no_overlap": ";overlap=off", "direct": ";graphs=off"}
        return True, bench_graphs(arguments, {"graph": ours} | {name: Ours(arguments, folder, off[name]) for name in off})
    if part in ("frame", "batch"):
        return True, {"frame": bench_frame, "batch": bench_batch}[part](arguments, ours)
    try:
        import hf_model

        hf = hf_model.Timed(folder, arguments.torch_device)
    except ImportError as error:
        lines = {"encode": (f"encode {arguments.encode_batch}", arguments.encode_batch), "prefill": (f"prefill {arguments.context}", 1),
                 "decode": (f"decode {arguments.context} {arguments.tokens}", arguments.tokens)}  # fmt: skip
        line, n = lines[part]
        return True, {"ours_ms": median_of(lambda: ours.ms(line, n)), "message": f"no comparison: {error}"}
    return True, {"encode": bench_encode, "prefill": bench_prefill, "decode": bench_decode}[part](arguments, ours, hf)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("what", choices=("demo", "parity", "bench"))
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--torch-device", default="cuda")
    parser.add_argument("--preset", default="0.5b")
    parser.add_argument("--fp8", action="store_true", help="parity: precision=fp8 as well, beside torch's rounding")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--frames", type=int, nargs="+", default=list(FRAMES))
    parser.add_argument("--encode-batch", type=int, default=32)
    parser.add_argument("--context", type=int, default=6303)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--patience", type=int, default=120, help="seconds for the first call of a variant of HF's")
    arguments = parser.parse_args()
    good, facts = globals()[arguments.what](arguments)
    print(json.dumps(facts))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
