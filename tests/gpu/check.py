#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks that need an NVIDIA GPU: `./dev gpu-check [STAGE...] [--again]`.

    build      configures and compiles build-gpu for this GPU
    kernels    every kernel against float64 on the GPU
    parity     goldens, the demo model against the CPU, random 0.5B weights against HF (needs torch and transformers)
    sanitize   the kernels under compute-sanitizer
    bench      ceilings first; then the stages, alternating with HF's variants where torch is there
    streams    cameras at 1 fps on one engine, through the engine's own driver

Without names: all, in this order. Every stage ends within 8 minutes; what was not reached is reported, and the same line
goes on there: rows that are done are in build-gpu/gpu-check.json, which is written after each. --again forgets them.
Exit code: 0 all good, 1 something failed or could not run, 3 there is no GPU.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-gpu"
RESULTS = BUILD / "gpu-check.json"
STAGES = ("build", "kernels", "parity", "sanitize", "bench", "streams")
STAGE_SECONDS = 8 * 60
ARCHITECTURES = ("80", "86", "87", "89", "90a", "100", "120")
NO_GPU = 3


class OutOfTime(Exception):
    pass


class Stage:
    """One stage's rows; a row's function returns (good, facts)."""

    def __init__(self, name, results):
        self.name, self.results = name, results
        self.end = time.monotonic() + STAGE_SECONDS

    def left(self):
        seconds = self.end - time.monotonic()
        if seconds < 5:
            raise OutOfTime
        return seconds

    def run(self, *line, env=None, quiet=False):
        """(exit code, output) of a command that may last as long as the stage."""
        try:
            done = subprocess.run([str(x) for x in line], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=self.left(), env={**os.environ, **(env or {})}, cwd=ROOT)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise OutOfTime from None
        except OSError as error:
            return 127, str(error)
        if done.returncode and not quiet:
            print(done.stdout[-3000:])
        return done.returncode, done.stdout

    def row(self, name, function):
        key = f"{self.name}/{name}"
        rows = self.results["rows"]
        if rows.get(key, {}).get("good"):
            print(f"   done  {key}")
            return True
        self.left()
        start = time.monotonic()
        good, facts = function()
        rows[key] = {"good": good, "seconds": round(time.monotonic() - start, 1), "date": today(), **facts}
        save(self.results)
        print(f"   {'pass' if good else 'FAIL'}  {key}  {json.dumps(facts)}", flush=True)
        return good


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def save(results):
    BUILD.mkdir(exist_ok=True)
    scratch = RESULTS.with_suffix(".new")
    scratch.write_text(json.dumps(results, indent=1) + "\n")
    scratch.replace(RESULTS)


def find_gpu():
    """(name, compute capability) of the first GPU, or None."""
    try:
        done = subprocess.run(["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"], capture_output=True,
                              text=True, timeout=60)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    line = done.stdout.strip().splitlines()
    if done.returncode or not line:
        return None
    name, capability = (part.strip() for part in line[0].rsplit(",", 1))
    return name, capability


def architecture_of(capability):
    """The newest one that this GPU runs."""
    value = int(capability.replace(".", ""))
    fitting = [a for a in ARCHITECTURES if int(a.rstrip("a")) <= value and int(a.rstrip("a")) // 10 == value // 10]
    return fitting[-1] if fitting else ARCHITECTURES[0]


def environment():
    """For programs that open the module; cuBLAS is where the toolkit is, or with torch."""
    found = subprocess.run([ROOT / "scripts/cuda-toolkit"], capture_output=True, text=True)
    folders = found.stdout.split("\n")[1:2]
    for folder in map(pathlib.Path, sys.path):
        folders += [str(p) for p in folder.glob("nvidia/cu13/lib")] + [str(p) for p in folder.glob("nvidia/cublas/lib")]
    return {
        "LLAVAOV_CUDA_MODULE": str(BUILD / "engine/backend/cuda/llavaov-cuda.so"),
        "LD_LIBRARY_PATH": ":".join([f for f in folders if f] + [os.environ.get("LD_LIBRARY_PATH", "")]),
    }


# ---- the stages ----


def build(stage, gpu):
    def configure():
        code, out = stage.run("scripts/cuda-toolkit", "--fetch", quiet=True)
        if code:
            return False, {"message": out.strip().splitlines()[-1] if out.strip() else "no CUDA toolkit"}
        if not (BUILD / "build.ninja").exists():
            code, out = stage.run("meson", "setup", BUILD, "-Dgstreamer=disabled", "-Dcuda=enabled",
                                  f"-Dgpu-architectures={architecture_of(gpu[1])}")  # fmt: skip
        return code == 0, {} if code == 0 else {"message": "meson: " + " ".join(out.split("\n")[-4:])}

    def compile_all():
        code, out = stage.run("ninja", "-C", BUILD)
        return code == 0, {"architecture": architecture_of(gpu[1])}

    return stage.row("configure", configure) and stage.row("compile", compile_all)


def cmocka_row(stage, *line):
    def run():
        code, out = stage.run(*line, env=environment())
        passed = [text.split()[3] for text in out.splitlines() if text.startswith("[  PASSED  ]")]
        return code == 0 and bool(passed), {"tests": int(passed[-1]) if passed else 0}

    return run


def kernels(stage, gpu):
    names = ("rows", "attention", "picture", "sample")
    return all([stage.row(name, cmocka_row(stage, BUILD / "tests/gpu" / f"gpu-{name}")) for name in names])


def hf(stage, *arguments):
    def run():
        code, out = stage.run(sys.executable, "tests/gpu/hf.py", BUILD, *arguments, env=environment())
        lines = [line for line in out.splitlines() if line.startswith("{")]
        facts = json.loads(lines[-1]) if lines else {"message": out.strip()[-400:]}
        return code == 0 and bool(lines), facts

    return run


def parity(stage, gpu):
    good = [stage.row("module", cmocka_row(stage, BUILD / "tests/module/test-module", BUILD / "tests/module",
                                           BUILD / "engine/backend/cuda/llavaov-cuda.so"))]  # fmt: skip
    good.append(stage.row("golden-f32", cmocka_row(stage, BUILD / "tests/model/test-golden", "tests/golden", "cuda")))
    good.append(stage.row("pictures", cmocka_row(stage, BUILD / "tests/module/test-pictures")))
    good.append(stage.row("demo", hf(stage, "demo")))
    for frames in (1, 8, 32):
        for seed in range(1, 6):
            good.append(stage.row(f"0.5b-{frames}-frames-seed-{seed}", hf(stage, "parity", frames, seed)))
    return all(good)


def sanitize(stage, gpu):
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"

    def under(check, name):
        def run():
            code, out = stage.run(tool, "--tool", check, "--error-exitcode", "9", BUILD / "tests/gpu" / f"gpu-{name}",
                                  env=environment(), quiet=True)  # fmt: skip
            if code == 0:
                return True, {}
            said = [line for line in out.splitlines() if line.startswith("=====")]
            return False, {"code": code, "message": " ".join(said[:4]) if said else out.strip()[:400]}

        return run

    pairs = [(check, name) for check in ("memcheck", "racecheck") for name in ("rows", "attention", "picture", "sample")]
    return all([stage.row(f"{check}-{name}", under(check, name)) for check, name in pairs])


def bench(stage, gpu):
    def ceilings():
        code, out = stage.run(BUILD / "tests/gpu/gpu-ceilings", env=environment())
        return code == 0, json.loads(out) if code == 0 else {"message": out.strip()[-400:]}

    def program(name):
        def run():
            code, out = stage.run(BUILD / "tests/gpu" / name, env=environment())
            lines = [line for line in out.splitlines() if line.startswith("{")]
            return code == 0, json.loads(lines[-1]) if lines else {"message": out.strip()[-400:]}

        return run

    good = [stage.row("ceilings", ceilings), stage.row("patches", program("gpu-patches")), stage.row("few", program("gpu-few"))]
    for part in ("frame", "encode", "prefill", "decode", "batch", "graphs", "7b"):
        good.append(stage.row(part, hf(stage, "bench", part)))
    return all(good)


def streams(stage, gpu):
    def cameras(n):
        def run():
            folder = BUILD / "random-0.5b"
            if not (folder / "model.safetensors").exists():
                folder.mkdir(exist_ok=True)
                code, out = stage.run(BUILD / "tests/support/make-checkpoint", "-p", "0.5b", "-d", "bf16", "-t", "bytes", folder)
                if code:
                    return False, {"message": out.strip()[-400:]}
            code, out = stage.run(BUILD / "tests/gpu/gpu-streams", folder, "cuda", n, 60, env=environment(), quiet=True)
            lines = [line for line in out.splitlines() if line.startswith("{")]
            facts = json.loads(lines[-1]) if lines else {"message": out.strip()[-400:]}
            return code == 0 and bool(lines) and facts["p99_s"] <= 1, facts

        return run

    return stage.row("100", cameras(100)) and all([stage.row(str(n), cameras(n)) for n in (200, 450)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--again", action="store_true", help="rows that are done are run again")
    arguments = parser.parse_args()
    wanted = arguments.stages or list(STAGES)
    unknown = [name for name in wanted if name not in STAGES]
    if unknown:
        parser.error(f"unknown stage: {unknown[0]}")
    gpu = find_gpu()
    if not gpu:
        print("gpu-check: there is no NVIDIA GPU on this machine (nvidia-smi finds none); nothing was checked")
        return NO_GPU
    results = {"rows": {}}
    if RESULTS.exists() and not arguments.again:
        results = json.loads(RESULTS.read_text())
    results.update(device=gpu[0], compute_capability=gpu[1])
    print(f"== {gpu[0]}, compute capability {gpu[1]}")
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        try:
            good = globals()[name](Stage(name, results), gpu)
        except OutOfTime:
            print(f"   {name}: stopped after {STAGE_SECONDS // 60} minutes; the same line goes on from here")
            good = False
        if not good:
            failed.append(name)
        if not good and name == "build":
            break
    print(f"{len(wanted) - len(failed)} passed, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}; {RESULTS}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
