#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks that need an NVIDIA GPU: `./dev gpu-check [STAGE...] [--again]`, or `--table` for what has been measured.

    build      configures and compiles build-gpu for this GPU
    kernels    every kernel against float64 on the GPU; a launch that fails
    parity     goldens, the demo model against the CPU, random 0.5B weights against HF (needs torch and transformers)
    sanitize   the kernels under compute-sanitizer
    bench      ceilings first; then the stages, alternating with HF's variants where torch is there
    streams    cameras at 1 fps on one engine, through the engine's own driver
    faults     takes all of the GPU's memory, then makes it fault: only when named, last, and on a GPU that nobody else uses

Without names: all but the last, in this order. Every stage ends within 8 minutes; what was not reached is reported, and the same line
goes on there: rows that passed are in build-gpu/gpu-check.json, which is written after each, and hold until the engine or
the kernels change. --again does the stages named from their first row on. What a row's figures must be is in acceptance.py;
a table of all closes every run.
Exit code: 0 all good, 1 something failed or could not run, 3 there is no GPU.
"""
import argparse
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import acceptance
import machine

ROOT = machine.ROOT
BUILD = ROOT / "build-gpu"
RESULTS = BUILD / "gpu-check.json"
LOG = BUILD / "gpu-check.log"
MODULE = BUILD / "engine/backend/cuda/llavaov-cuda.so"
STAGES = ("build", "kernels", "parity", "sanitize", "bench", "streams")
NAMED_ONLY = ("faults",)
DESTRUCTIVE = ("memory_that_is_missing_at_open", "memory_that_runs_out_under_way", "a_lost_device")
STAGE_SECONDS = 8 * 60
ROW_SECONDS = 150  # of programs that need far less: a kernel that never ends would take the stage's time again and again
ARCHITECTURES = ("80", "86", "87", "89", "90a", "100", "120")
NO_GPU = 3


class OutOfTime(Exception):
    pass


class Stage:
    """One stage's rows; a row's function returns (good, facts)."""

    least = 5  # seconds; with less left nothing is started

    def __init__(self, name, results):
        self.name, self.results = name, results
        self.end = time.monotonic() + STAGE_SECONDS
        self.row_end = self.end

    def left(self):
        seconds = min(self.end, self.row_end) - time.monotonic()
        if seconds < self.least:
            raise OutOfTime("nothing yet")
        return seconds

    def run(self, *line, env=None, quiet=False):
        """(exit code, output) of a command that may last as long as the stage. All of it goes to LOG; the end is shown
        when it fails, unless it is quiet."""
        seconds = self.left()
        try:
            process = subprocess.Popen([str(x) for x in line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
                                       env={**os.environ, **(env or {})}, cwd=ROOT)  # fmt: skip
        except OSError as error:
            return 127, str(error)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            output = end(process)
            self.log(line, output, "ended: its time was up")
            raise OutOfTime(last_line(output)) from None
        except BaseException:
            end(process)
            raise
        if process.returncode < 0:
            output += f"\nended by {signal.Signals(-process.returncode).name}"
        self.log(line, output, f"exit code {process.returncode}")
        if process.returncode and not quiet:
            print("\n".join(f"      {text}" for text in the_end_of(output)), flush=True)
        return process.returncode, output

    def log(self, line, output, result):
        if BUILD.is_dir():
            with LOG.open("a") as file:
                file.write(f"==== {self.name}: {' '.join(str(x) for x in line)}\n{output}\n==== {result}\n")

    def row(self, name, function, seconds=None):
        """Does what has not been done. One that may hang has a limit of its own, so that those after it are reached."""
        key = f"{self.name}/{name}"
        rows = self.results["rows"]
        sources = self.results["sources"]
        if rows.get(key, {}).get("good") and rows[key].get("sources") == sources and self.name != "build":
            print(f"   done  {key}", flush=True)
            return True
        start = time.monotonic()
        self.row_end = start + (seconds or STAGE_SECONDS)
        try:
            self.left()
            good, facts = function()
        except OutOfTime as reason:
            if self.end - time.monotonic() < self.least:
                print(f"   ----  {key}  not done when the stage's time ended; it said: {reason}", flush=True)
                raise
            good, facts = False, {"message": f"not done after {seconds} s; it said: {reason}"}
        except Exception as error:  # a row that breaks is a row that fails
            good, facts = False, {"message": f"{type(error).__name__}: {error}"}
        met, figures = acceptance.judge(key, facts)
        good = good and met
        facts = {**facts, **({"figures": figures} if figures else {})}
        rows[key] = {"good": good, "seconds": round(time.monotonic() - start, 1), "date": today(), "sources": sources, **facts}
        save(self.results)
        print(f"   {'pass' if good else 'FAIL'}  {key}  {json.dumps(facts)}", flush=True)
        return good


def end(process):
    """Ends a command with all that it started; what it had printed."""
    output = ""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except OSError:
            break
        try:
            output = process.communicate(timeout=10)[0] or output
        except (subprocess.TimeoutExpired, ValueError):
            pass
    return output


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def the_end_of(output, n=12):
    """Its last lines; of a Python program that broke, what it says last."""
    lines = output.strip().splitlines() or ["it said nothing"]
    return lines[-1:] if any(text.startswith("Traceback ") for text in lines) else lines[-n:]


def last_line(output):
    return the_end_of(output)[-1]


def json_of(text):
    """The last line that is an object; where there is none, the end of the text as its message."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        return {"message": " ".join(the_end_of(text))[-400:]}


def earlier(device):
    """The results so far, where they are this device's."""
    try:
        results = json.loads(RESULTS.read_text())
        return results if results["device"] == device and isinstance(results["rows"], dict) else {"rows": {}}
    except (OSError, ValueError, KeyError, TypeError):
        return {"rows": {}}


def save(results):
    BUILD.mkdir(exist_ok=True)
    scratch = RESULTS.with_suffix(".new")
    scratch.write_text(json.dumps(results, indent=1) + "\n")
    scratch.replace(RESULTS)


def architecture_of(capability):
    """The newest one that this GPU runs."""
    value = int(capability.replace(".", ""))
    fitting = [a for a in ARCHITECTURES if int(a.rstrip("a")) <= value and int(a.rstrip("a")) // 10 == value // 10]
    return fitting[-1] if fitting else ARCHITECTURES[0]


# ---- the stages ----


def build(stage, gpu):
    def configure():
        code, out = stage.run("scripts/cuda-toolkit", "--fetch", quiet=True)
        if code:
            return False, {"message": last_line(out)}
        if not (BUILD / "build.ninja").exists():
            code, out = stage.run("meson", "setup", BUILD, "-Dgstreamer=disabled", "-Dcuda=enabled",
                                  f"-Dgpu-architectures={architecture_of(gpu[1])}")  # fmt: skip
        return code == 0, {} if code == 0 else {"message": "meson: " + " ".join(out.split("\n")[-4:])}

    def compile_all():
        # What can be built is: a program that cannot does not keep the others from their rows.
        code, out = stage.run("ninja", "-C", BUILD, "-k", 0)
        return code == 0, {"architecture": architecture_of(gpu[1]), **({} if code == 0 else {"message": last_line(out)})}

    return stage.row("configure", configure) and stage.row("compile", compile_all)


def complaint(output):
    """What the first cmocka test that failed said; versions of cmocka mark it differently."""
    marked = plain = None
    for text in output.splitlines():
        said = text.removeprefix("[  ERROR   ] --- ")
        if text.startswith("[ RUN "):
            marked = plain = None
        elif text.startswith("[  FAILED  ]") and (marked or plain):
            return marked or plain
        elif said.strip() and not said.startswith("["):
            marked, plain = (marked or said, plain) if said != text else (marked, plain or said)
    return last_line(output)


def cmocka_row(stage, *line):
    def run():
        code, out = stage.run(*line, env=machine.environment(), quiet=True)
        passed = [text.split()[3] for text in out.splitlines() if text.startswith("[  PASSED  ]")]
        facts = {"tests": int(passed[-1]) if passed else 0}
        if code:
            failed = [text[12:].strip() for text in out.splitlines() if text.startswith("[  FAILED  ]") and ":" not in text]
            facts["message"] = complaint(out)
            facts["failed"] = sorted(set(failed))
        return code == 0 and bool(passed), facts

    return run


def kernels(stage, gpu):
    names = ("rows", "attention", "gated", "picture", "quantise", "sample", "step")
    good = [stage.row(name, cmocka_row(stage, BUILD / "tests/gpu" / f"gpu-{name}"), ROW_SECONDS) for name in names]
    good.append(stage.row("launch-fault", faults_row(stage, "a_failing_launch"), ROW_SECONDS))
    return all(good)


def faults_row(stage, *names):
    return cmocka_row(stage, BUILD / "tests/gpu/gpu-faults", BUILD / "tests/gpu/llavaov-cuda-faults.so", ROOT / "models/camera-check",
                      *names)  # fmt: skip


def faults(stage, gpu):
    """Nothing that others have on the GPU may be there: their work would be without memory, or lost."""

    def run():
        others = machine.others_on_gpu()
        if others:
            return False, {"message": f"not on a GPU that others use: {others}"}
        return faults_row(stage, *DESTRUCTIVE)()

    return stage.row("faults", run, ROW_SECONDS)


def hf(stage, *arguments):
    def run():
        lacking = machine.lacking("numpy", *(["torch", "transformers"] if arguments[0] == "parity" else []))
        if lacking:
            return False, {"message": f"{sys.executable} has no {', '.join(lacking)}"}
        code, out = stage.run(sys.executable, "tests/gpu/hf.py", BUILD, *arguments, env=machine.environment())
        facts = json_of(out)
        return code == 0 and facts.keys() != {"message"}, facts

    return run


def parity(stage, gpu):
    good = [stage.row("module", cmocka_row(stage, BUILD / "tests/module/test-module", BUILD / "tests/module",
                                           MODULE), ROW_SECONDS)]  # fmt: skip
    good.append(stage.row("golden-f32", cmocka_row(stage, BUILD / "tests/model/test-golden", "tests/golden", "cuda"), ROW_SECONDS))
    good.append(stage.row("pictures", cmocka_row(stage, BUILD / "tests/module/test-pictures"), ROW_SECONDS))
    good.append(stage.row("demo", hf(stage, "demo")))
    seeds = range(1, acceptance.SEEDS + 1)
    for seed in seeds:
        good.append(stage.row(f"0.5b-seed-{seed}", hf(stage, "parity", seed)))
    for frames in acceptance.FRAMES:
        good.append(stage.row(f"pooled-{frames}-frames", pooled(stage, [f"parity/0.5b-seed-{seed}" for seed in seeds], frames)))
    return all(good)


def pooled(stage, keys, frames):
    """Of the rows of all seeds, which are measured before."""

    def run():
        seeds = [stage.results["rows"].get(key, {}).get(str(frames)) for key in keys]
        if not all(seeds):
            return False, {"message": f"{sum(map(bool, seeds))} of {len(seeds)} seeds have been measured"}
        return True, acceptance.pooled(seeds)

    return run


def sanitize(stage, gpu):
    tool = machine.sanitizer() or "compute-sanitizer"

    def under(check, name):
        def run():
            code, out = stage.run(tool, "--tool", check, "--error-exitcode", "9", BUILD / "tests/gpu" / f"gpu-{name}",
                                  env=machine.environment(), quiet=True)  # fmt: skip
            if code == 0:
                return True, {}
            said = [line for line in out.splitlines() if line.startswith("=====")]
            return False, {"code": code, "message": " ".join(said[:4]) if said else out.strip()[:400]}

        return run

    checks, names = ("memcheck", "synccheck", "racecheck"), ("rows", "attention", "gated", "picture", "quantise", "sample", "step")
    return all([stage.row(f"{check}-{name}", under(check, name), STAGE_SECONDS // 2) for check in checks for name in names])


def bench(stage, gpu):
    def program(name, *arguments):
        def run():
            code, out = stage.run(BUILD / "tests/gpu" / name, *arguments, env=machine.environment())
            facts = json_of(out)
            return code == 0 and "message" not in facts, facts

        return run

    def arrival():
        return program("gpu-arrival", random_checkpoint(stage), "cuda")()

    good = [stage.row(name, program(f"gpu-{name}"), ROW_SECONDS) for name in ("ceilings", "patches", "few")]
    # What stands alone comes first: HF's compilers take most of the time.
    for part in ("frame", "batch"):
        good.append(stage.row(part, hf(stage, "bench", part)))
    good.append(stage.row("arrival", arrival, ROW_SECONDS))
    for part in ("graphs", "encode", "prefill", "decode", "7b"):
        good.append(stage.row(part, hf(stage, "bench", part)))
    return all(good)


def random_checkpoint(stage):
    """The folder of random weights that hf.py's rows use too."""
    folder = BUILD / "random-0.5b-1"
    if not folder.exists():
        scratch = folder.with_suffix(".new")
        code, out = stage.run(BUILD / "tests/support/make-checkpoint", "-p", "0.5b", "-d", "bf16", "-t", "bytes", scratch)
        if code:
            raise RuntimeError(last_line(out))
        scratch.rename(folder)
    return folder


def streams(stage, gpu):
    def cameras(name, n, join):
        def run():
            code, out = stage.run(BUILD / "tests/gpu/gpu-streams", random_checkpoint(stage), "cuda", n, 60, join,
                                  env=machine.environment(), quiet=True)  # fmt: skip
            facts = json_of(out)
            # More streams than must be served are an aim: such a row tells, and does not fail.
            return "message" not in facts and (code == 0 or f"streams/{name}" in acceptance.AIMS_ALONE), facts

        return run

    rows = (("100", 100, 8), ("100-together", 100, 1), ("200", 200, 8), ("450", 450, 8))
    return all([stage.row(name, cameras(name, n, join)) for name, n, join in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES + NAMED_ONLY))
    parser.add_argument("--again", action="store_true", help="rows that are done are run again")
    parser.add_argument("--table", action="store_true", help="prints what has been measured, and measures nothing")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="of --table: another gpu-check.json")
    arguments = parser.parse_args()
    if arguments.table:
        there = arguments.results.exists()
        print("\n".join(acceptance.table(json.loads(arguments.results.read_text()))) if there else "gpu-check: nothing measured yet")
        return 0
    wanted = arguments.stages or list(STAGES)
    wanted.sort(key=lambda name: name in NAMED_ONLY)  # those last
    unknown = [name for name in wanted if name not in STAGES + NAMED_ONLY]
    if unknown:
        parser.error(f"unknown stage: {unknown[0]}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("gpu-check: told to end"))  # with what it started
    # Tools of the environment that this interpreter belongs to come first.
    if sys.prefix != sys.base_prefix:
        os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    gpu = machine.find_gpu()
    if not gpu:
        print("gpu-check: there is no NVIDIA GPU on this machine (neither nvidia-smi nor the driver finds one); nothing was checked")
        return NO_GPU
    results = earlier(gpu[0])
    if arguments.again:
        results["rows"] = {key: row for key, row in results["rows"].items() if key.split("/")[0] not in wanted}
    results.update(device=gpu[0], compute_capability=gpu[1], date=today(), **machine.facts())
    print(f"== {gpu[0]}, compute capability {gpu[1]}, driver {results['driver']}, nvcc {results['nvcc']}")
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
        if not good and name == "build" and not MODULE.exists():
            break
    print("\n".join(["", *acceptance.table(results), ""]))
    print(f"{len(wanted) - len(failed)} passed, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}; {RESULTS}, {LOG}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
