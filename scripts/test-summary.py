#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads meson's testlog.json: the slowest ten tests, those that failed, and one closing line."""
import json
import sys

PASSED = ("OK", "EXPECTEDFAIL")


def main():
    with open(sys.argv[1], encoding="utf-8") as log:
        tests = [json.loads(line) for line in log if line.strip()]
    print("== the slowest tests")
    for test in sorted(tests, key=lambda t: -t["duration"])[:10]:
        print("%8.2f s  %s" % (test["duration"], test["name"]))
    skipped = [t["name"] for t in tests if t["result"] == "SKIP"]
    failed = [t for t in tests if t["result"] not in PASSED + ("SKIP",)]
    if skipped:
        print("== skipped: " + ", ".join(skipped))
    for test in failed:
        print("== %s: %s" % (test["result"].lower(), test["name"]))
    line = "%d passed, %d failed" % (len(tests) - len(failed) - len(skipped), len(failed))
    print(line + (", %d skipped" % len(skipped) if skipped else ""))
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
