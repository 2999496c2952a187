#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes point down only: pipelines -> gst -> engine -> kernels (docs/architecture.md). Within a folder no files use
each other in a circle, and a name means one thing.

    layering.py ROOT              exit 1 and one line for each include that points the wrong way, circle and twin
    layering.py ROOT --self-test  breaks every rule once, in memory or in a copy of a few folders, and sees that it is
                                  found

known.txt lists what is still to be opened: a line for a circle names its files, one for a twin its name. Lines may only
go: a circle that is not part of one listed, and a line for what is gone, are errors.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from names import INCLUDE, SOURCES, Tree
from rooms import circles, twins

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
MODULES = (("base",), ("checkpoint",), ("text", "picture"), ("choices", "backend", "remote"), ("model",), ("schema",), ("serve",))
PUBLIC = re.compile(r"^(std(bool|def|int)|llavaov-version)\.h$")
# Where circles are refused, and whose types only must not repeat those of the rest.
ROOMS = ("engine/", "gst/", "kernels/", "tools/")
TESTS = ("tests/",)
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


def sources(root, layers):
    for layer in layers:
        for folder, _, names in os.walk(os.path.join(root, layer)):
            for name in names:
                if name.endswith(SOURCES):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def read_known(root):
    """({name of a listed twin}, [files of a listed circle])"""
    path = os.path.join(root, "tests/layering/known.txt")
    lines = read(root, path).splitlines() if os.path.isfile(path) else []
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return ({line[1] for line in words if line[0] == "twin"},
            [set(line[1:]) for line in words if line[0] == "circle"])


def house(root):
    """One line for each circle and each twin that is not listed, and for each listed one that is gone."""
    tree = Tree({path: read(root, path) for path in sources(root, tuple(LAYERS) + ("tests",))},
                lambda path, name: resolve(root, path, name))
    known_twins, known_circles = read_known(root)
    in_circles = set()
    for nodes, edges in circles(tree):
        if not nodes[0].startswith(ROOMS):
            continue
        in_circles |= set(nodes)
        if not any(set(nodes) <= known for known in known_circles):
            yield "a circle of files: %s" % " ".join(nodes)
            for a, b, names in edges:
                yield "    %s uses %s: %s" % (a, b, " ".join(names[:5]) + (" ..." if len(names) > 5 else ""))
    found = twins(tree, TESTS)
    for name, paths in found:
        if name not in known_twins:
            yield "one name for two things: %s in %s" % (name, " and ".join(paths))
    for name in sorted(known_twins - {name for name, _ in found}):
        yield "tests/layering/known.txt: %s is no twin any more: take it out" % name
    for path in sorted(set().union(*known_circles) - in_circles):
        yield "tests/layering/known.txt: %s is in no circle any more: take it out" % path


# What is planted in a copy of a few folders, and what must be said of it.
COPIED = ("engine/base", "engine/picture", "engine/llavaov.h", "kernels/ops.h")
PLANTED = {
    "a circle of two files": ({
        "engine/picture/one.h": "int lv_one(int n);",
        "engine/picture/one.c": '#include "picture/one.h"\n#include "picture/two.h"\n'
                                "int lv_one(int n)\n{\n    return n ? lv_two(n) : 0;\n}",
        "engine/picture/two.h": "int lv_two(int n);",
        "engine/picture/two.c": '#include "picture/two.h"\n#include "picture/one.h"\n'
                                "int lv_two(int n)\n{\n    return lv_one(n - 1);\n}",
    }, "a circle of files: engine/picture/one engine/picture/two"),
    "a circle through a header and a table": ({
        "kernels/one.h": "static inline int lv_one(int n)\n{\n    return n + 1;\n}",
        "kernels/one.c": '#include "one.h"\n#include "three.h"\nint lv_start(void)\n{\n    return lv_threes[0](1);\n}',
        "kernels/two.h": "int lv_two(int n);",
        "kernels/two.c": '#include "two.h"\n#include "one.h"\nint lv_two(int n)\n{\n    return lv_one(n);\n}',
        "kernels/three.h": "extern int (*const lv_threes[])(int);",
        "kernels/three.c": '#include "three.h"\n#include "two.h"\nint (*const lv_threes[])(int) = {lv_two};',
    }, "a circle of files: kernels/one kernels/three kernels/two"),
    "headers that include each other": ({
        "gst/one.h": '#include "two.h"', "gst/two.h": '#include "one.h"',
    }, "a circle of files: gst/one gst/two"),
    "two structs in headers": ({
        "gst/one.h": "typedef struct _GstOne {\n    int n;\n} GstOne;",
        "gst/two.h": "typedef struct {\n    char c;\n} GstOne;",
    }, "one name for two things: GstOne in gst/one.h and gst/two.h"),
    "a struct behind another's opaque one": ({
        "engine/picture/one.h": "typedef struct LvOne LvOne;",
        "engine/picture/one.c": '#include "picture/one.h"\nstruct LvOne {\n    int n;\n};',
        "engine/base/two.h": "typedef struct LvOne {\n    char c;\n} LvOne;",
    }, "one name for two things: LvOne in engine/base/two.h and engine/picture/one.c"),
    "two structs inside of files": ({
        "engine/base/one.c": "typedef struct Task {\n    int n;\n} Task;",
        "engine/picture/two.c": "struct Task {\n    int n;\n};",
    }, "one name for two things: Task in engine/base/one.c and engine/picture/two.c"),
    "two typedefs": ({
        "engine/base/one.h": "typedef int LvOne;", "engine/picture/two.h": "typedef void (*LvOne)(int n);",
    }, "one name for two things: LvOne in engine/base/one.h and engine/picture/two.h"),
    "two functions": ({
        "engine/base/one.c": "int lv_one(void)\n{\n    return 1;\n}",
        "engine/picture/two.h": "static inline int lv_one(void)\n{\n    return 2;\n}",
    }, "one name for two things: lv_one in engine/base/one.c and engine/picture/two.h"),
    "a test's struct of an engine's name": ({
        "engine/base/one.h": "typedef struct LvOne {\n    int n;\n} LvOne;",
        "tests/base/test.c": "typedef struct LvOne {\n    char c;\n} LvOne;",
    }, "one name for two things: LvOne in engine/base/one.h and tests/base/test.c"),
    "a listed circle that is open": ({
        "tests/layering/known.txt": "circle engine/picture/color engine/picture/resize",
    }, "engine/picture/color is in no circle any more"),
}
# ... and what looks alike and is allowed.
ALLOWED = {
    "engine/base/opaque.h": "typedef struct LvOpaque LvOpaque;\nint lv_opaque(LvOpaque *o);",
    "engine/picture/body.c": '#include "base/opaque.h"\nstruct LvOpaque {\n    int n;\n};\n'
                             "static int help(void)\n{\n    return 1;\n}",
    "engine/text/body.c": '#include "base/opaque.h"\nstruct LvOpaque {\n    char c;\n};\n'
                          "static int help(void)\n{\n    return 2;\n}",
    "engine/picture/member.c": "typedef struct Table {\n    int (*help)(void);\n} Table;\n"
                               "int lv_member(const Table *t)\n{\n    return t->help();\n}",
}


def self_test_house(root):
    missed = []
    for what, (files, wanted) in list(PLANTED.items()) + [("nothing", (ALLOWED, None))]:
        with tempfile.TemporaryDirectory() as copy:
            for path in COPIED:
                target = os.path.join(copy, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                (shutil.copytree if os.path.isdir(os.path.join(root, path)) else shutil.copy)(
                    os.path.join(root, path), target)
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(copy, path)), exist_ok=True)
                with open(os.path.join(copy, path), "w", encoding="utf-8") as file:
                    file.write(text + "\n")
            run = subprocess.run([sys.executable, os.path.abspath(__file__), copy], stdout=subprocess.PIPE, text=True)
        if (run.returncode, wanted is None) not in ((0, True), (1, False)) or wanted and wanted not in run.stdout:
            missed.append("%s planted: exit %d\n%s" % (what, run.returncode, run.stdout))
    return missed


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
    missed += self_test_house(root)
    for path in missed:
        print("the rule for this line has no effect: %s" % path)
    return missed


def main():
    root = sys.argv[1]
    if "--self-test" in sys.argv:
        return 1 if self_test(root) else 0
    found = count = 0
    for path in sources(root, LAYERS):
        count += 1
        for fault in faults(root, path, read(root, path)):
            print(fault)
            found += 1
    wrong = list(house(root))
    for line in wrong:
        print(line)
    known_twins, known_circles = read_known(root)
    print("%d files, %d includes that point the wrong way, %d new circles and twins, %d circles and %d twins to be opened"
          % (count, found, len([line for line in wrong if line[0] != " "]), len(known_circles), len(known_twins)))
    return 1 if found or wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
