#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live streams from half to ten times what the machine can serve (soak-load, each in a process of its
own), after measuring that. Prints a table, PASS or FAIL for each of the acceptance's rules, and writes
the runs and a plot. With --rounds each load has several runs, in alternating order, and what is answered a second is their
median: a machine's own speed changes from minute to minute by as much as what is asked of the plateau.

    tests/soak/load.py [--seconds N] [--settle N] [--loads 1,2] [--rounds N] [--json FILE] [--plot FILE.svg] [--unequal]
                       [--pictures N] [--leak BYTES] [--set PROPERTY=VALUE]... [--probe N | --capacity WINDOWS/S]
    tests/soak/load.py --from FILE --plot FILE.svg      the table and the plot of an earlier run
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys

PROGRAM = "build/tests/soak/soak-load"
WINDOW = 4.0
LOADS = (0.5, 1, 1.25, 2, 10)
PROBE = 400

# The bound of resident memory, in MiB (docs/scheduling.md has the formula).
KEPT = 64         # of pictures shown last (LV_MAX_KEPT_BYTES)
STREAM = 0.5      # one stream: its element, its thread, its session, its newest frame
# A frame is a picture, or a tile and embeddings, never both but while it is being prepared.
FRAME = max(640 * 360 * 1.5, 192 * 192 * 3 + 49 * 128 * 4) / 2**20
LAST = 8 * 49 * 128 * 4 / 2**20  # embeddings of a stream's last window
ANSWER = 20.0     # seconds that an answer can be followed though later windows are dropped
LATE = 3.0        # seconds after its end at which a window is given up


def bound(run, capacity):
    """Resident before, streams, and the windows under way with their frames."""
    windows = min(2 * run["streams"], capacity * (WINDOW + LATE))
    last = min(run["streams"], capacity * max(WINDOW, ANSWER))
    return run["base_mb"] + 16 + KEPT + STREAM * run["streams"] + windows * 8 * FRAME + last * LAST


def grown(series):
    """What resident memory grew by while it was counted: the median of the last third less that of the first. It
    wanders with the windows under way, so a peak over one moment says nothing; what leaks lifts a whole third."""
    third = max(len(series) // 3, 1)
    return statistics.median(series[-third:]) - statistics.median(series[:third])


def is_flat(series):
    return grown(series) <= 4 + 0.02 * statistics.median(series)


def measure(streams, seconds, settle, *more):
    out = subprocess.run(
        [PROGRAM, "--streams", str(streams), "--seconds", str(seconds), "--settle", str(settle), *more],
        check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout
    return json.loads(out.splitlines()[-1])


def of_load(runs, load, key):
    """The median over the rounds."""
    return statistics.median(r[key] for r in runs if r["load"] == load)


def judge(runs, capacity):
    loads = sorted({r["load"] for r in runs})
    answered = {load: of_load(runs, load, "answers_per_s") for load in loads}
    best = max([*answered.values(), capacity])
    at = {key: of_load(runs, 1, key) for key in ("latency_p99_ms", "frame_p50_ms")}
    failed = 0

    def verdict(passed, text):
        nonlocal failed
        failed += not passed
        print("PASS" if passed else "FAIL", text)

    for load in loads:
        if load > 1:
            verdict(answered[load] >= 0.9 * best, f"{load}: {answered[load] / best:.2f} of the best answered (0.9)")
    for r in runs:
        load = r["load"]
        if load > 1:
            verdict(r["latency_p99_ms"] <= 2 * at["latency_p99_ms"],
                    f"{load}: p99 {r['latency_p99_ms'] / max(at['latency_p99_ms'], 1):.2f} of that at capacity (2)")
        mean = r["equal_answers"] / r["equal_streams"]
        apart = max(0.25 * mean, 1)
        verdict(math.floor(mean - apart) <= r["fewest"] and r["most"] <= math.ceil(mean + apart),
                f"{load}: {r['fewest']} to {r['most']} answers a stream, mean {mean:.1f} (25 %, or one)")
        turn = max(WINDOW, r["seconds"] / mean if mean else math.inf)
        # From answer to answer: one may come at once and the next late.
        longest = 2 * turn + r["latency_p99_ms"] / 1e3
        verdict(r["longest_s"] <= longest, f"{load}: longest {r['longest_s']:.1f} s, fair turn {turn:.1f} s (2)")
        verdict(r["resident_mb"] <= bound(r, capacity),
                f"{load}: resident {r['resident_mb']:.0f} MB, bound {bound(r, capacity):.0f} MB")
        series = r["resident_series_mb"]
        verdict(is_flat(series), f"{load}: grown {grown(series):.1f} MB after settling (4 MB and 2 %)")
        verdict(r["untold"] == 0, f"{load}: {r['untold']} drops untold, {r['dropped']} told")
        verdict(r["frame_p50_ms"] <= 2 * max(at["frame_p50_ms"], 0.02),
                f"{load}: a frame passes in {r['frame_p50_ms']:.3f} ms (median), {r['frame_p999_ms']:.2f} ms (99.9 %)")
    return failed


def table(runs):
    print("| load | streams | asked windows/s | answered/s | told as dropped | latency p50, p99 | "
          "answers of a stream | longest without | resident |")
    print("|---|---|---|---|---|---|---|---|---|")
    for r in runs:
        print(f"| {r['load']} | {r['streams']} | {r['asked_per_s']:.1f} | {r['answers_per_s']:.1f} | {r['dropped']} | "
              f"{r['latency_p50_ms']:.0f}, {r['latency_p99_ms']:.0f} ms | {r['fewest']} to {r['most']} | "
              f"{r['longest_s']:.1f} s | {min(r['resident_series_mb']):.0f} to {r['resident_mb']:.0f} MB |")


def plot(runs, path):
    """Answered windows a second and the latency's p99 over what is asked, as SVG."""
    keys = ("asked_per_s", "answers_per_s", "latency_p99_ms")
    runs = [{key: of_load(runs, load, key) for key in keys} for load in sorted({r["load"] for r in runs})]
    width, height, left, bottom, top = 640, 360, 60, 50, 30
    low, high = math.log(runs[0]["asked_per_s"]), math.log(runs[-1]["asked_per_s"])
    most = 1.25 * max(r["answers_per_s"] for r in runs)
    late = 1.25 * max(r["latency_p99_ms"] for r in runs)

    def x(r):
        return left + (math.log(r["asked_per_s"]) - low) / (high - low) * (width - 2 * left)

    def line(key, scale, colour):
        points = [(x(r), height - bottom - r[key] / scale * (height - bottom - top)) for r in runs]
        path_ = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>' for a, b in points)
        marks = "".join(f'<text x="{a:.1f}" y="{b - 8:.1f}" text-anchor="middle" fill="{colour}">{r[key]:.0f}</text>'
                        for (a, b), r in zip(points, runs))
        return f'<polyline points="{path_}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}{marks}'

    ticks = "".join(f'<text x="{x(r):.1f}" y="{height - bottom + 18}" text-anchor="middle">{r["asked_per_s"]:.0f}</text>'
                    for r in runs)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
                   f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>'
                   f'<path d="M{left} {top}V{height - bottom}H{width - left}" fill="none" stroke="black"/>{ticks}'
                   f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">windows asked for a second '
                   f'(0.5, 1, 1.25, 2 and 10 times the capacity)</text>'
                   f'<text x="{left}" y="18" fill="#1f77b4">answered a second</text>'
                   f'<text x="{width - left}" y="18" text-anchor="end" fill="#d62728">latency, 99 %, ms</text>'
                   f'{line("answers_per_s", most, "#1f77b4")}{line("latency_p99_ms", late, "#d62728")}</svg>\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--settle", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", default="build/load.json")
    parser.add_argument("--plot")
    parser.add_argument("--unequal", action="store_true", help="one stream with 32 frames, one with long answers")
    parser.add_argument("--probe", type=int, default=PROBE, help="streams to measure the capacity with (400)")
    parser.add_argument("--capacity", type=float, help="windows/s, as an earlier run measured them")
    parser.add_argument("--pictures", default="0", help="each stream shows so many in turn (0: none is shown twice)")
    parser.add_argument("--leak", default="0", help="bytes for each dropped window, to see that it is caught")
    parser.add_argument("--set", action="append", default=[], help="a property of every element")
    parser.add_argument("--loads", default=",".join(map(str, LOADS)), help="times the capacity; 1 has to be among them")
    parser.add_argument("--from", dest="earlier")
    options = parser.parse_args()
    if options.earlier:
        with open(options.earlier, encoding="utf-8") as file:
            capacity, runs = json.load(file)
    else:
        more = ["--pictures", options.pictures, "--leak", options.leak]
        more += [word for value in options.set for word in ("--set", value)]
        capacity = options.capacity or measure(
            options.probe, max(options.seconds // 3, 5), options.settle, *more)["answers_per_s"]
        if capacity == 0:
            sys.exit("load: nothing was answered: the machine is too busy with something else")
        print(f"capacity: {capacity:.1f} windows/s, {capacity * WINDOW:.0f} streams", flush=True)
        runs = []
        loads = list(map(float, options.loads.split(",")))
        for load in (load for i in range(options.rounds) for load in loads[::-1 if i % 2 else 1]):
            streams = max(round(capacity * WINDOW * load), 3)
            run = measure(streams, options.seconds, options.settle, *more, *(["--unequal"] if options.unequal else []))
            runs.append({"load": load, **run})
            print(json.dumps(runs[-1]), flush=True)
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([capacity, runs], file, indent=1)
    table(runs)
    if options.plot:
        plot(runs, options.plot)
    return 1 if judge(runs, capacity) else 0


if __name__ == "__main__":
    sys.exit(main())
