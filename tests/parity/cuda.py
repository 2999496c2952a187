#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The CUDA backend on its CPU stand-in against HF: what gpu-check's parity asks of a GPU, with small models.

    cuda.py BUILD [--seeds N] [--presets NAME...]

float32 holds for every seed. bf16, pooled over the seeds, is no further from HF in float32 than 1.1 times HF in bf16 on this
CPU; and precision=fp8 no further than 1.1 times HF's bf16 with the layers' products in torch's e4m3. What a GPU rounds differently, its own products, only `gpu-check parity` can show.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "gpu"))

from acceptance import pooled  # noqa: E402

FRAMES = (1, 2)
MOST = 1.1  # times HF's distance in bf16


def facts_of_seed(build, preset, seed):
    standin = pathlib.Path(build).resolve() / "tests/module/llavaov-cuda-standin.so"
    line = [sys.executable, ROOT / "tests/gpu/hf.py", build, "parity", str(seed), "--device", "cuda", "--torch-device", "cpu"]
    line += ["--fp8", "--preset", preset, "--frames", *map(str, FRAMES)]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "LLAVAOV_CUDA_MODULE": str(standin)})
    lines = [text for text in done.stdout.splitlines() if text.startswith("{")]
    if not lines:
        sys.exit(f"{preset}, seed {seed}: exit {done.returncode}: {(done.stdout + done.stderr)[-400:]}")
    return done.returncode == 0, json.loads(lines[-1])


def fp8_times_torchs(seeds, part):
    """The pooled distance from HF in float32, and how many times torch's that is."""
    ours, torchs = (sum(s[side][part]["error"] for s in seeds) ** 0.5 for side in ("fp8", "hf_fp8"))
    return ours / sum(s["fp8"][part]["power"] for s in seeds) ** 0.5, ours / torchs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--presets", nargs="+", default=["mini", "tiny"])
    arguments = parser.parse_args()
    failed = 0
    for preset in arguments.presets:
        seeds = [facts_of_seed(arguments.build, preset, seed) for seed in range(1, arguments.seeds + 1)]
        for seed, (good, _) in enumerate(seeds, 1):
            if not good:
                print(f"FAIL  {preset}, seed {seed}: float32")
            failed += not good
        for frames in FRAMES:
            facts = pooled([facts[str(frames)] for _, facts in seeds])
            good = facts["bf16_features_times_hf"] <= MOST and facts["bf16_logits_times_hf"] <= MOST
            failed += not good
            print(f"{'pass' if good else 'FAIL'}  {preset}, {frames} frames, {len(seeds)} seeds: bf16 features "
                  f"{facts['bf16_features']:.2e} ({facts['bf16_features_times_hf']:.2f} of HF's), logits {facts['bf16_logits']:.2e} "
                  f"({facts['bf16_logits_times_hf']:.2f}); float32 features {facts['f32_features']:.1e}, logits "
                  f"{facts['f32_logits_sigma']:.1e} sigma, {facts['tokens_differ']} answers with other tokens", flush=True)  # fmt: skip
            for part in ("features", "logits"):
                far, times = fp8_times_torchs([facts[str(frames)] for _, facts in seeds], part)
                failed += not times <= MOST
                print(f"{'pass' if times <= MOST else 'FAIL'}  {preset}, {frames} frames: fp8 {part} {far:.2e} ({times:.2f} of torch's)", flush=True)
    print(f"cuda stand-in: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
