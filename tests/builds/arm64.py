#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a build for 64-bit Arm give what one for x86-64 gives? Every byte of logits and features, every token and text.

    arm64.py BUILD ARM_BUILD ROOT

BUILD runs here, as on a processor with AVX2; ARM_BUILD under qemu-aarch64 with ROOT for its system, as processors with dot and matrix
products of bytes and without. NEON's kernels make every sum in the order of AVX2's, so nothing may differ.

The cases of cases.py, and models/camera-check in every precision of the CPU. Exit code 0 when all are the same."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import cases  # noqa: E402

# What is asked of camera-check: precisions, and processors where it matters which products of bytes there are.
CPUS = {"max": ["auto", "int8", "int4", "nf4", "fp4"], "cortex-a76": ["int8", "int4"], "cortex-a53": ["auto", "int8", "int4"]}
QUESTIONS = ["What does the picture show?", "What colour is it?", "Is it moving?"]


def run(start, words, commands=()):
    done = subprocess.run([*start, *words], input="\n".join(commands), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join([*start, *words])}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def filled(line, names):
    words = []
    for word in line:
        value = names.get(word[1:-1]) if word.startswith("{") else word
        words += ["-s", value[1], value[0]] if isinstance(value, tuple) else [value]
    return words


def result(start, mask, case, names):
    """All bytes that count of what a case gives."""
    line, commands = case if isinstance(case, tuple) else (case, [])
    masked = [] if "--cpu-mask" in line else ["--cpu-mask", mask]
    words = [mask if word == "avx2" else word for word in filled(line, names)]
    out = run(start, [*masked, *words], commands)
    if "{out}" in line:
        return pathlib.Path(names["out"]).read_bytes()
    kept = []
    for text in out.splitlines():
        data = json.loads(text)
        kept.append({key: value for key, value in data.items()
                     if not re.search(r"(^|[-_])ns$", key) and key not in ("device", "locked", "draft-tokens", "accepted-tokens")})
    return json.dumps(kept, indent=1).encode()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    build, arm, root = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    tool = "tools/llavaov-tool/llavaov-tool"
    here = [str(build / tool)]
    if " avx2 " not in pathlib.Path("/proc/cpuinfo").read_text():
        here = ["qemu-x86_64", "-cpu", "max", *here]  # which has it
    counts = [0, 0]

    def compare(name, cpu, case, names):
        there = ["qemu-aarch64", "-cpu", cpu, "-L", str(root), str(arm / tool)]
        a, b = result(here, "avx2", case, names), result(there, "neon", case, names)
        counts[a == b] += 1
        print(f"{'same' if a == b else 'DIFFERENT':9}  {cpu}: {name}: {len(a)} bytes", flush=True)
        if a != b and len(a) < 4000:
            print(a.decode(errors="replace"), b.decode(errors="replace"), sep="\n---\n")

    with tempfile.TemporaryDirectory(prefix="llavaov-arm64-") as folder:
        folder = pathlib.Path(folder)
        names = cases.write_pictures(folder)
        for name, options in cases.CHECKPOINTS.items():
            names[name] = str(folder / name) if options else str(cases.ROOT / "models/camera-check")
            if options:
                run([str(build / "tests/support/make-checkpoint")], [*options, names[name]])
                run([sys.executable], [str(cases.ROOT / "tests/soak/fill_tokenizer.py"), names[name]])
        names["out"] = str(folder / "out.npy")
        for name, case in cases.CASES.items():
            if "cuda" not in (case[0] if isinstance(case, tuple) else case):
                compare(name, "max", case, names)
        for cpu, precisions in CPUS.items():
            for precision in precisions:
                line = [*cases.CPU, "--precision", precision]
                compare(f"camera-check, {precision}, logits", cpu,
                        [*line, "logits", "-m", "{camera}", "-p", QUESTIONS[0], "{clip}", "-o", "{out}"], names)
                for question in QUESTIONS if precision == "auto" else QUESTIONS[:1]:
                    compare(f"camera-check, {precision}, {question}", cpu,
                            [*line, *cases.ask(question, 24), "-m", "{camera}", "--every", "2", "{clip}"], names)
    print(f"arm64: {counts[1]} of {sum(counts)} cases the same")
    return 1 if counts[0] else 0


if __name__ == "__main__":
    sys.exit(main())
