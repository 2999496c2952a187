#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the linker and ptxas made of the module for NVIDIA GPUs.

    check_module.py MODULE ARCHITECTURES LOG...

It exports one name and needs libc alone, so that loading it asks nothing of a machine. Every kernel is there for every
architecture (comma separated), and none keeps registers in memory (the logs are those of nvcc -Xptxas -v).
"""
import pathlib
import re
import subprocess
import sys

ALLOWED = {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libgcc_s.so.1"}
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\w+)'")
SPILL = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_file(module):
    names = [line.split()[-1] for line in output("nm", "-D", "--defined-only", module).splitlines()]
    if names != ["lv_cuda_module"]:
        yield "exported names are %s" % names
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", module)):
        if name not in ALLOWED and not name.startswith("ld-linux"):
            yield "the module needs %s" % name


def read_log(text):
    """(kernel, architecture, bytes spilled) of every kernel that the log tells of."""
    entry = None
    for line in text.splitlines():
        found = ENTRY.search(line)
        if found:
            entry = found.groups()
        found = SPILL.search(line)
        if found and entry:
            yield (*entry, int(found[1]) + int(found[2]))
            entry = None


def check_logs(logs, wanted):
    kernels = {}
    for log in logs:
        for kernel, architecture, spilled in read_log(pathlib.Path(log).read_text()):
            kernels.setdefault(kernel, set()).add(architecture)
            if spilled:
                yield "%s for sm_%s spills %d bytes" % (kernel, architecture, spilled)
    if not kernels:
        yield "the logs tell of no kernel"
    for kernel, have in kernels.items():
        for architecture in sorted(wanted - have):
            yield "%s is missing for sm_%s" % (kernel, architecture)
    print("%d kernels, %d architectures" % (len(kernels), len(wanted)))


def self_test():
    log = """ptxas info    : Compiling entry function 'f' for 'sm_80'
ptxas info    : Function properties for f
    0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads"""
    return list(read_log(log)) == [("f", "80", 12)]


def main():
    module, architectures, *logs = sys.argv[1:]
    faults = [] if self_test() else ["the logs are not understood"]
    faults += check_file(module)
    faults += check_logs(logs, set(architectures.split(",")))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
