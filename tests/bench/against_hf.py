#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speed on the CPU against HF transformers, full 0.5B shapes, the same values, on an otherwise idle machine.

    .cache/parity/bin/python tests/bench/against_hf.py [--build build] [--threads 1,2] [--parts encode,prefill,decode]
        [--alternations 10] [--hf-batch 1,2,4] [--tool OPTION]... [--against-tool OPTION]...

HF runs in float32 with sdpa under inference_mode, at its best encoder batch, which is tried first; ours holds the same
weights in 16 bits. Both are loaded once; every alternation times one and then the other, in changing order. Printed are
medians, the median of the ratios with their spread, and fractions of this machine's measured peaks. One JSON line follows
for each number of threads. Where other programs share the machine, the ratio of processor time at one thread is the one to
trust.

With --against-tool, ours with these options stands in HF's place: `--against-tool=--cpu-mask=avx2` compares the two masks
on an AVX-512 machine ("keeps" is the share of the speed that avx2 has).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "parity"))

import torch  # noqa: E402

import full  # noqa: E402

PREFILL = 1599
DECODE_CONTEXT, DECODE_TOKENS = 1600, 16
# Arithmetic of docs/model.md 10.1 and 10.2, in FLOP and bytes.
ENCODE_FLOP = 641.8e9 + 1.82e9
PREFILL_FLOP = 2 * 357_898_112 * PREFILL + 24 * 4 * 896 * PREFILL**2 / 2 + 0.27e9
DECODE_BYTES = 0.988e9 + DECODE_CONTEXT * 12_288


class Ours:
    name = "ours"

    def __init__(self, build, folder, threads, options):
        tool = pathlib.Path(build) / "tools" / "llavaov-tool" / "llavaov-tool"
        self.process = subprocess.Popen(
            [tool, "bench", "--serve", "-m", folder, "-t", str(threads), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("llavaov-tool bench ended early")
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def time(self, line, n=1):
        spent = self.ask(line)
        return spent["ns"] / 1e9 / n, spent["cpu_ns"] / 1e9 / n

    def encode(self, batch=1):
        return self.time(f"encode {batch}", batch)

    def prefill(self):
        return self.time(f"prefill {PREFILL}")

    def decode(self):
        return self.time(f"decode {DECODE_CONTEXT} {DECODE_TOKENS}", DECODE_TOKENS)


def now():
    return time.perf_counter(), time.process_time()


def since(start, n=1):
    end = now()
    return (end[0] - start[0]) / n, (end[1] - start[1]) / n


class HF:
    name = "HF"

    def __init__(self, folder):
        self.model = full.load_reference(folder)
        config = self.model.config
        self.edge = config.vision_config.image_size
        self.ids = torch.arange(DECODE_CONTEXT)[None] * 37 % min(config.text_config.vocab_size, config.video_token_id, 151643)
        self.cache = None

    @torch.inference_mode()
    def encode(self, batch=1):
        pixels = torch.rand(1, batch, 3, self.edge, self.edge) * 2 - 1
        start = now()
        self.model.model.get_video_features(pixels)
        return since(start, batch)

    @torch.inference_mode()
    def prefill(self, n=PREFILL):
        start = now()
        out = self.model(input_ids=self.ids[:, :n], use_cache=True, logits_to_keep=1)
        seconds = since(start)
        self.cache = out.past_key_values
        return seconds

    @torch.inference_mode()
    def decode(self):
        if self.cache is None or self.cache.get_seq_length() < DECODE_CONTEXT:
            self.prefill(DECODE_CONTEXT)
        if self.cache.get_seq_length() > DECODE_CONTEXT:
            self.cache.crop(DECODE_CONTEXT - self.cache.get_seq_length())
        token = self.ids[:, :1]
        start = now()
        for _ in range(DECODE_TOKENS):
            out = self.model(input_ids=token, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
            token = out.logits[:, -1].argmax(-1, keepdim=True)
        return since(start, DECODE_TOKENS)


def best_batch(run, batches):
    """The batch with the least time per frame, and that time for each: the better of two runs."""
    run(batches[0])
    times = {b: min(run(b)[0] for _ in range(2)) for b in batches}
    return min(times, key=times.get), times


def alternate(ours, other, n):
    """n pairs of times, in changing order; the first run of each is thrown away."""
    ours(), other()
    pairs = []
    for i in range(n):
        if i % 2:
            b = other()
            a = ours()
        else:
            a = ours()
            b = other()
        pairs.append((a, b))
    return pairs


def report(name, other, unit, pairs, amount, peak, what):
    """Medians on the clock; the ratio on the clock and the ratio of processor time, each with its spread."""
    ours, theirs = (statistics.median(p[i][0] for p in pairs) for i in (0, 1))
    wall, cpu = (sorted(b[k] / a[k] for a, b in pairs) for k in (0, 1))
    fraction = amount / ours / peak
    print(
        f"{name:8} ours {ours:8.4f} s  {other} {theirs:8.4f} s  per {unit}   ratio {statistics.median(wall):5.2f} "
        f"({wall[0]:.2f} to {wall[-1]:.2f}), of processor time {statistics.median(cpu):5.2f} "
        f"({cpu[0]:.2f} to {cpu[-1]:.2f})   {100 * fraction:4.1f} % of {what}"
        + ("" if other == HF.name else f"   {other} keeps {1 / statistics.median(wall):.2f}"),
        flush=True,
    )
    ours_cpu, other_cpu = (statistics.median(p[i][1] for p in pairs) for i in (0, 1))
    return dict(name=name, against=other, ours=ours, other=theirs, ours_cpu=ours_cpu, other_cpu=other_cpu,
                ratio=statistics.median(wall), cpu_ratio=statistics.median(cpu), fraction=fraction, of=what,
                pairs=len(pairs))  # fmt: skip


def measure(arguments, ours, other, threads):
    """One number of threads: prints a line per part, then everything as JSON."""
    peaks = [ours.ask("peak") for _ in range(3)]  # a second core may come late to the first
    peak = dict(peaks[0], **{what: max(p[what] for p in peaks) for what in ("gflops", "gbytes")})
    flops, bandwidth = peak["gflops"] * 1e9, peak["gbytes"] * 1e9
    print(f"{peak['device']}\n{threads} threads: float32 peak {peak['gflops']:.0f} GFLOP/s, "
          f"memory {peak['gbytes']:.1f} GB/s; torch {torch.__version__}", flush=True)  # fmt: skip
    n, name, results = arguments.alternations, other.name, []
    parts = arguments.parts.split(",")
    if "encode" in parts:
        batches = [int(b) for b in arguments.hf_batch.split(",")] if isinstance(other, HF) else [1]
        batch = batches[0]
        if len(batches) > 1:
            batch, times = best_batch(other.encode, batches)
            print("HF's encoder, s per frame by batch:", {b: round(t, 3) for b, t in times.items()}, flush=True)
        pairs = alternate(ours.encode, lambda: other.encode(batch), n)
        results.append(report("encode", name, f"frame ({name}: {batch} at a time)", pairs, ENCODE_FLOP, flops, "peak"))
    if "prefill" in parts:
        pairs = alternate(ours.prefill, other.prefill, n)
        results.append(report("prefill", name, f"{PREFILL} tokens", pairs, PREFILL_FLOP, flops, "peak"))
    if "decode" in parts:
        pairs = alternate(ours.decode, other.decode, n)
        results.append(report("decode", name, f"token at {DECODE_CONTEXT}", pairs, DECODE_BYTES, bandwidth, "bandwidth"))
    again = ours.ask("peak")
    print(f"peak again: {again['gflops']:.0f} GFLOP/s, {again['gbytes']:.1f} GB/s")
    print(json.dumps(dict(threads=threads, options=arguments.tool, peak=peak, peak_again=again, results=results)), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--folder", default=str(full.FOLDER))
    parser.add_argument("--threads", default="1,2", help="one number or several")
    parser.add_argument("--parts", default="encode,prefill,decode")
    parser.add_argument("--alternations", type=int, default=10)
    parser.add_argument("--hf-batch", default="1,2,4", help="HF's encoder batches to try; a single one is taken as the best")
    parser.add_argument("--tool", action="append", default=[], help="an option for llavaov-tool, e.g. --cpu-mask=avx2")
    parser.add_argument("--against-tool", action="append", help="instead of HF: ours with this option")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    full.make_folder(arguments.build, folder)

    hf = None if arguments.against_tool else HF(folder)
    for threads in map(int, arguments.threads.split(",")):
        ours = Ours(arguments.build, folder, threads, arguments.tool)
        if hf:
            torch.set_num_threads(threads)
            measure(arguments, ours, hf, threads)
        else:
            other = Ours(arguments.build, folder, threads, arguments.against_tool)
            other.name = " ".join(arguments.against_tool)
            measure(arguments, ours, other, threads)
            other.close()
        ours.close()


if __name__ == "__main__":
    main()
