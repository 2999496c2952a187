#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two builds of the repository, the older one first: do they give the same, and at what cost?

    compare.py BASE BUILD [bits] [instructions] [time] [--alternations 20] [--threads 1] [--model DIR] [--commands COMMAND...]

BASE and BUILD are build folders. Without a part: bits.

bits          the cases of cases.py through both llavaov-tools: every byte of logits and features, every token and text
instructions  executed by encoding a tile, by a prefill and by a decoding step at small shapes, counted by callgrind (AVX2);
              all three within 1 %
time          processor time of one encoded tile, a prefill, decoding and steps of four sequences at the 0.5B shapes with
              random weights (1 GB, or --model), taken in turn from both; the median of BASE / BUILD at least 0.95 for each. Bound to the processor time
              of one thread, so that another load on the machine says little.

Exit code 0 when everything asked for holds."""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cases  # noqa: E402

MOST_INSTRUCTIONS = 0.01
LEAST_SPEED = 0.95


class Build:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.tool = str(self.folder / "tools/llavaov-tool/llavaov-tool")
        standin = self.folder / "tests/module/llavaov-cuda-standin.so"
        self.environment = {**os.environ, "LLAVAOV_CUDA_MODULE": str(standin)}
        for path in (self.tool, standin):
            if not os.path.exists(path):
                sys.exit(f"{path} is not there: ninja -C {folder}")


def make_checkpoint(build, options, folder):
    subprocess.run([build.folder / "tests/support/make-checkpoint", *options, folder], check=True)
    fill = cases.ROOT / "tests/soak/fill_tokenizer.py"  # random weights may name any id
    subprocess.run([sys.executable, fill, folder], check=True)
    return str(folder)


# ---- bits ----


def result(build, case, names, out):
    """All bytes that count of what a case gives."""
    line, commands = case if isinstance(case, tuple) else (case, [])
    words = []
    for word in line:
        value = names.get(word[1:-1]) if word.startswith("{") else word
        words += ["-s", value[1], value[0]] if isinstance(value, tuple) else [value]
    done = subprocess.run([build.tool, *words], env=build.environment, input="\n".join(commands), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
    if "{out}" in line:
        return pathlib.Path(out).read_bytes()
    kept = []
    for text in done.stdout.splitlines():
        data = json.loads(text)
        kept.append({key: value for key, value in data.items() if not re.search(r"(^|[-_])ns$", key) and key not in ("device", "locked", "draft-tokens", "accepted-tokens")})
    return json.dumps(kept, indent=1).encode()


def compare_bits(base, build):
    different = 0
    with tempfile.TemporaryDirectory(prefix="llavaov-builds-") as folder:
        folder = pathlib.Path(folder)
        names = cases.write_pictures(folder)
        for name, options in cases.CHECKPOINTS.items():
            names[name] = make_checkpoint(build, options, folder / name) if options else str(cases.ROOT / "models/camera-check")
        names["out"] = str(folder / "out.npy")
        for name, case in cases.CASES.items():
            a, b = (result(one, case, names, names["out"]) for one in (base, build))
            verdict = "same" if a == b else "DIFFERENT"
            different += a != b
            print(f"{verdict:9}  {name}: {len(a)} bytes", flush=True)
            if a != b and len(a) < 4000:
                print(a.decode(errors="replace"), b.decode(errors="replace"), sep="\n---\n")
    print(f"bits: {len(cases.CASES) - different} of {len(cases.CASES)} cases the same")
    return different == 0


# ---- instructions ----

SMALL = ["-p", "tiny", "-S", "text.layers=4", "-S", "text.hidden=256", "-S", "text.intermediate=704"]


def instructions(build, model, commands):
    """Of a whole run with these commands, on one thread."""
    line = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", build.tool, "bench", "--serve", "-m", model]
    line += ["-d", "cpu", "-t", "1", "--cpu-mask", "avx2"]
    done = subprocess.run(line, input="\n".join(commands), capture_output=True, text=True)
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or not found or done.stdout.count("\n") != len(commands) + 1:
        sys.exit(f"callgrind: exit {done.returncode}: {done.stderr.strip()[-400:]}")
    return int(found.group(1))


def compare_instructions(base, build):
    # What one more of a kind costs: starting up and loading fall out. The first one makes room, and is not counted.
    stages = {
        "encode, 1 tile": (["encode 1"], ["encode 1", "encode 1"], 1),
        "prefill, 200 tokens": (["prefill 200"], ["prefill 200", "prefill 200"], 1),
        "decoding step at 200 tokens": (["decode 200 2"], ["decode 200 2", "decode 200 10"], 10),
        "decoding step of 4 sequences": (["batch 100 1 4"], ["batch 100 9 4"], 8),
    }
    good = True
    with tempfile.TemporaryDirectory(prefix="llavaov-builds-") as folder:
        model = make_checkpoint(build, SMALL, pathlib.Path(folder) / "small")
        for name, (without, with_it, n) in stages.items():
            a, b = ((instructions(x, model, with_it) - instructions(x, model, without)) / n for x in (base, build))
            change = b / a - 1
            good &= abs(change) <= MOST_INSTRUCTIONS
            print(f"{'pass' if abs(change) <= MOST_INSTRUCTIONS else 'FAIL'}  {name}: {a:,.0f} -> {b:,.0f} ({change:+.3%})", flush=True)
    return good


# ---- time ----


class Serving:
    def __init__(self, build, model, threads):
        self.process = subprocess.Popen(
            [build.tool, "bench", "--serve", "-m", model, "-d", "cpu", "-t", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.process.stdout.readline()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("llavaov-tool bench ended early")
        return json.loads(line)["cpu_ns"] / 1e9

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare_time(base, build, arguments):
    good = True
    with tempfile.TemporaryDirectory(prefix="llavaov-builds-") as folder:
        model = arguments.model or make_checkpoint(build, ["-p", "0.5b", "-t", "bytes"], pathlib.Path(folder) / "0.5b")
        both = [Serving(one, model, arguments.threads) for one in (base, build)]
        for command in arguments.commands:
            for one in both:
                one.ask(command)
            pairs = []
            for i in range(arguments.alternations):
                order = (0, 1) if i % 2 == 0 else (1, 0)
                spent = {which: both[which].ask(command) for which in order}
                pairs.append((spent[0], spent[1]))
            ratios = sorted(a / b for a, b in pairs)
            median = statistics.median(ratios)
            good &= median >= LEAST_SPEED
            print(
                f"{'pass' if median >= LEAST_SPEED else 'FAIL'}  {command}: {statistics.median(a for a, _ in pairs):.3f} s -> "
                f"{statistics.median(b for _, b in pairs):.3f} s of processor, median ratio {median:.3f} "
                f"({ratios[len(ratios) // 4]:.3f} to {ratios[-1 - len(ratios) // 4]:.3f} in the middle half of {len(ratios)})",
                flush=True,
            )
        for one in both:
            one.close()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("build")
    parser.add_argument("parts", nargs="*", default=["bits"], help="bits, instructions, time")
    parser.add_argument("--alternations", type=int, default=20)
    parser.add_argument("--commands", nargs="+", metavar="COMMAND", help="time: of llavaov-tool bench --serve",
                        default=["encode 1", "prefill 400", "decode 400 16", "batch 64 16 4"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", help="time: a checkpoint folder of the 0.5B shapes")
    arguments = parser.parse_args()
    base, build = Build(arguments.base), Build(arguments.build)
    good = True
    for part in arguments.parts:
        if part == "bits":
            good &= compare_bits(base, build)
        elif part == "instructions":
            good &= compare_instructions(base, build)
        elif part == "time":
            good &= compare_time(base, build, arguments)
        else:
            parser.error(f"unknown part: {part}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
