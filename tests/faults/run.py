#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The farm of faults: every scenario of the table, many times, side by side.

    run.py [--build FOLDER] [--times N] [--jobs N] [--seed N] [--tests] [--kind KIND] [--write] [NAME...]

--times: runs of each (20); --tests: only those marked for ./dev test; --write: puts the outcomes into docs/reliability.md.
Ends with 0 when no run failed, with 77 when this system lets nothing of what was asked for run."""
import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import signal
import subprocess
import sys
import time

import subjects
import table

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, "../../docs/reliability.md")
BEGIN, END = "<!-- outcomes: ./dev faults --write -->", "<!-- end -->"
NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
LIMIT = 120
# Kinds that need namespaces; the others run as they are.
APART = ("net", "disk")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(HERE, "../../build"))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=3 * (os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--kind", action="append")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*")
    return parser.parse_args()


def forbidden():
    """Why namespaces cannot be had here, or nothing."""
    probe = subprocess.run(NAMESPACES + ["sh", "-c", "ip link set lo up && ip tuntap add mode tap name probe && mount -t tmpfs none /mnt"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return probe.stdout.strip() or "status %d" % probe.returncode if probe.returncode else None


def make_registries(build):
    """Once, before many processes would make them together."""
    for plugin in ("gst", "tests/fake/device", "tests/fake/engine"):
        env = dict(os.environ, GST_PLUGIN_PATH_1_0=os.path.join(build, plugin), GST_REGISTRY=subjects.registry(build, plugin))
        subprocess.run(["gst-inspect-1.0", "llavaov"], env=env, check=True, stdout=subprocess.DEVNULL)


def run_once(row, seed, build):
    command = [sys.executable, os.path.join(HERE, "scenario.py"), row.name, str(seed), build]
    if row.kind in APART:
        command = NAMESPACES + command
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"outcome": [], "faults": ["the run did not end within %d s" % LIMIT], "answers": 0, "told": 0}
    try:
        return json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        return {"outcome": [], "faults": ["the run itself failed: " + errors[-2000:]], "answers": 0, "told": 0}


def in_words(results):
    """How many runs came to what."""
    counts = collections.Counter(" and ".join(r["outcome"]) or "nothing" for r in results)
    return "; ".join("%d %s" % (n, what) for what, n in counts.most_common())


HEAD = ["| scenario | kind | what happens | must come | came to | unrecovered | when |", "|---|---|---|---|---|---|---|"]


def line_of(row, some):
    return "| %s | %s | %s | %s | %s | %d of %d | %s |" % (row.name, row.kind, row.what, row.must_text, in_words(some),
                                                          sum(bool(r["faults"]) for r in some), len(some), datetime.date.today().isoformat())


def write(results):
    """Puts the outcomes into the document. Of scenarios that did not run this time what stands there stays."""
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    before, after = text.index(BEGIN), text.index(END)
    old = {line.split("|")[1].strip(): line for line in text[before:after].splitlines() if line.startswith("| ")}
    lines = [line_of(row, results[row.name]) if row.name in results else old.get(row.name) for row in table.read().values()]
    lines = [line for line in lines if line]
    counts = [tuple(map(int, line.split("|")[6].split(" of "))) for line in lines]
    total = "%d scenarios, %d runs, **%d unrecovered**." % (len(lines), sum(n for _, n in counts), sum(bad for bad, _ in counts))
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(text[:before] + "\n".join([BEGIN, "", total, ""] + HEAD + lines) + "\n\n" + text[after:])


def main():
    options = arguments()
    build = os.path.abspath(options.build)
    rows = [row for row in table.read().values() if (not options.names or row.name in options.names)
            and (not options.tests or row.in_tests) and (not options.kind or row.kind in options.kind)]
    why = forbidden()
    if why and any(row.kind in APART for row in rows):
        skipped = [row.name for row in rows if row.kind in APART]
        rows = [row for row in rows if row.kind not in APART]
        print("SKIPPED, since there are no namespaces to be had here (%s): %s" % (why, ", ".join(skipped)))
    if not rows:
        return 77
    make_registries(build)
    start, results = time.monotonic(), collections.defaultdict(list)
    # Not one scenario after another: what is alike would meet itself.
    tasks = [(row, seed) for seed in range(options.seed, options.seed + options.times) for row in rows]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(run_once, row, seed, build): (row, seed) for row, seed in tasks}
        for future in concurrent.futures.as_completed(futures):
            (row, seed), result = futures[future], future.result()
            results[row.name].append(result)
            for fault in result["faults"]:
                print("FAIL %s, seed %d: %s" % (row.name, seed, fault), flush=True)
    for row in rows:
        bad = sum(bool(r["faults"]) for r in results[row.name])
        calls = sum(r.get("failed_calls", 0) for r in results[row.name])
        print("%s %-16s %s%s" % ("FAIL" if bad else "PASS", row.name, in_words(results[row.name]),
                                 "; %d calls failed" % calls if calls else ""))
    failed = sum(bool(r["faults"]) for some in results.values() for r in some)
    seconds = time.monotonic() - start
    print("%d scenarios, %d runs in %.0f s, %d unrecovered" % (len(rows), len(tasks), seconds, failed))
    if options.write:
        write(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
