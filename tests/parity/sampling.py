#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sampler against HF transformers' logits processors.

    python tests/parity/sampling.py BUILD_DIR [--vectors 1000] [--draws 100000]

Processed probabilities of random logit vectors, many of them with ties, agree to 1e-6 with HF's own chain (repetition
penalty, temperature, top-k, top-p, softmax), and the drawn tokens follow them (chi-square at the 0.01 % level).
"""
import argparse
import pathlib
import subprocess
import sys

import numpy as np
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


class Sampler:
    def __init__(self, build):
        path = pathlib.Path(build) / "tests" / "model" / "sample-batch"
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, logits, options, seen, seed=0, draws=0):
        line = f"{len(logits)} {options['temperature']!r} {options['top_k']} {options['top_p']!r} " \
               f"{options['penalty']!r} {seed} {len(seen)} {draws}\n"  # fmt: skip
        self.process.stdin.write(line.encode())
        self.process.stdin.write(np.asarray(seen, "<i4").tobytes() + np.asarray(logits, "<f4").tobytes())
        self.process.stdin.flush()
        p = np.frombuffer(self.read(4 * len(logits)), "<f4")
        return p, np.frombuffer(self.read(4 * draws), "<i4")

    def read(self, n):
        data = self.process.stdout.read(n)
        if len(data) != n:
            sys.exit("sample-batch ended early")
        return data


def reference(logits, options, seen):
    chain = LogitsProcessorList()
    if options["penalty"] != 1:
        chain.append(RepetitionPenaltyLogitsProcessor(float(options["penalty"])))
    if options["temperature"] != 1:
        chain.append(TemperatureLogitsWarper(float(options["temperature"])))
    if options["top_k"]:
        chain.append(TopKLogitsWarper(int(options["top_k"])))
    if options["top_p"] < 1:
        chain.append(TopPLogitsWarper(float(options["top_p"])))
    scores = chain(torch.tensor([seen], dtype=torch.long), torch.tensor(logits)[None].clone())
    return torch.softmax(scores, -1)[0].numpy()


def vector(rng, kind, n):
    logits = rng.normal(0, 3, n).astype(np.float32)
    if kind % 4 == 1:  # few distinct values: ties everywhere
        logits = np.round(logits).astype(np.float32)
    elif kind % 4 == 2:  # ties at the top
        logits[rng.integers(0, n, max(2, n // 8))] = logits.max()
    elif kind % 4 == 3:
        logits = (logits * 6).astype(np.float32)
    return logits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--vectors", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=100000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(13)
    sampler = Sampler(arguments.build)
    worst, failed = 0.0, 0
    for i in range(arguments.vectors):
        n = int(rng.choice([2, 17, 320, 1000, 5000, 152000] if i % 50 == 0 else [2, 17, 320, 1000]))
        logits = vector(rng, i, n)
        options = dict(
            temperature=float(rng.choice([1.0, 0.1, 0.7, 0.9, 1.5])),
            top_k=int(rng.choice([0, 1, 2, 20, 50, 100000])),
            top_p=float(rng.choice([1.0, 0.8, 0.95, 0.5, 0.1, 0.0])),
            penalty=float(rng.choice([1.0, 1.05, 1.3, 0.8])),
        )
        seen = np.unique(rng.integers(0, n, int(rng.integers(1, 20)))).tolist()
        p, _ = sampler.ask(logits, options, seen)
        error = float(np.abs(p - reference(logits, options, seen)).max())
        worst = max(worst, error)
        if error > 1e-6:
            failed += 1
            print(f"FAIL vector {i}: {error:.2e} with {options}, {n} entries")

    options = dict(temperature=0.9, top_k=50, top_p=0.9, penalty=1.1)
    logits = vector(rng, 0, 1000)
    _, drawn = sampler.ask(logits, options, [1, 2, 3], seed=99, draws=arguments.draws)
    p = reference(logits, options, [1, 2, 3]).astype(np.float64)
    p /= p.sum()
    counts = np.bincount(drawn, minlength=len(p))
    outside = int(counts[p == 0].sum())
    common = p * len(drawn) >= 5
    expected = np.append(p[common], p[~common].sum()) * len(drawn)
    observed = np.append(counts[common], counts[~common].sum())
    keep = expected > 0
    chi = float(((observed - expected)[keep] ** 2 / expected[keep]).sum())
    df = int(keep.sum()) - 1
    limit = df * (1 - 2 / (9 * df) + 3.719 * (2 / (9 * df)) ** 0.5) ** 3  # Wilson and Hilferty, 0.01 %
    good = chi < limit and outside == 0
    again = sampler.ask(logits, options, [1, 2, 3], seed=99, draws=1000)[1]
    good &= bool((again == drawn[:1000]).all())
    print(f"sampling: {arguments.vectors} vectors, largest difference {worst:.1e}, {failed} failed; "
          f"{len(drawn)} draws: chi-square {chi:.1f} of {df} degrees (limit {limit:.1f})")
    return 1 if failed or not good else 0


if __name__ == "__main__":
    sys.exit(main())
