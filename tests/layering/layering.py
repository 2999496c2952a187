#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes point down only: pipelines -> gst -> engine -> kernels (docs/architecture.md).

    layering.py ROOT              exit 1 and one line per include that points the wrong way
    layering.py ROOT --self-test  breaks every rule once in memory and sees that it is found
"""
import os
import re
import sys

# What a file of each layer may include from the repository, by path prefix ...
LAYERS = {
    "kernels": ("kernels/",),
    "engine": ("engine/", "kernels/"),
    "tools": ("tools/", "engine/"),
    "gst": ("gst/", "engine/llavaov.h"),
    "pipelines": ("pipelines/",),
}
# ... and which folders of the system it may not.
FOREIGN = re.compile(r"^(gst/|glib|gio/|gobject|gmodule|json-glib)")
CUDA = re.compile(r"^(cuda|cublas|nvrtc|nvml)")
CUDA_PLACES = ("kernels/cuda/", "engine/backend/cuda/")
WITHOUT_GLIB = ("kernels", "engine", "tools")
# The engine's modules, lowest first; a module includes itself and those before it.
MODULES = (("base",), ("checkpoint",), ("text", "picture"), ("backend",), ("model",), ("serve",))
PUBLIC = re.compile(r"^std(bool|def|int)\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
# Where quoted includes are looked up, besides the file's own folder.
ROOTS = ("engine", "kernels", "gst", "")


def resolve(root, path, name):
    """The file in the repository that a quoted include means, or None (generated)."""
    for folder in (os.path.dirname(path),) + ROOTS:
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate.replace(os.sep, "/")
    return None


def module_level(path):
    parts = path.split("/")
    for level, names in enumerate(MODULES):
        if len(parts) > 2 and parts[1] in names:
            return level
    return None


def faults(root, path, text):
    layer = path.split("/")[0]
    for kind, name in INCLUDE.findall(text):
        if layer in WITHOUT_GLIB and FOREIGN.match(name):
            yield "%s includes %s: this layer knows no GLib and no GStreamer" % (path, name)
        if CUDA.match(name) and not path.startswith(CUDA_PLACES) and resolve(root, path, name) is None:
            yield "%s includes %s: CUDA's types stay in kernels/cuda and in the CUDA backend" % (path, name)
        if path == "engine/llavaov.h" and not PUBLIC.match(name):
            yield "%s includes %s: the public header stands alone" % (path, name)
        if kind == "<":
            continue
        target = resolve(root, path, name)
        if target is None:
            continue
        if not target.startswith(LAYERS[layer]):
            yield "%s includes %s: not a layer below" % (path, target)
        elif layer == "engine" and target.startswith("engine/"):
            own, other = module_level(path), module_level(target)
            same = path.split("/")[1] == target.split("/")[1]
            if own is not None and other is not None and not same and other >= own:
                yield "%s includes %s: not a module below" % (path, target)


def sources(root):
    for layer in LAYERS:
        for folder, _, names in os.walk(os.path.join(root, layer)):
            for name in names:
                if name.endswith((".c", ".h", ".cu", ".cuh", ".inc")):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def self_test(root):
    wrong = {
        "kernels/x.c": '#include "base/status.h"',
        "engine/base/x.c": '#include "checkpoint/config.h"',
        "engine/base/y.c": "#include <glib.h>",
        "engine/text/x.c": "#include <cuda_runtime.h>",
        "engine/backend/x.c": "#include <cublasLt.h>",
        "engine/picture/x.c": '#include "backend/backend.h"',
        "engine/llavaov.h": "#include <stdio.h>",
        "gst/x.c": '#include "base/status.h"',
        "pipelines/x.c": '#include "llavaov.h"',
    }
    missed = [path for path, text in wrong.items() if not list(faults(root, path, text))]
    right = {"gst/x.c": '#include "llavaov.h"', "engine/model/x.c": '#include "backend/backend.h"'}
    missed += [path for path, text in right.items() if list(faults(root, path, text))]
    for path in missed:
        print("the rule for this line has no effect: %s" % path)
    return missed


def main():
    root = sys.argv[1]
    if "--self-test" in sys.argv:
        return 1 if self_test(root) else 0
    found = count = 0
    for path in sources(root):
        count += 1
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            for fault in faults(root, path, file.read()):
                print(fault)
                found += 1
    print("%d files, %d includes that point the wrong way" % (count, found))
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
