#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The library as others have it: installed into an empty folder, found by pkg-config alone, linked shared and static, from
C and from C++, and used by programs that were built with an earlier and with a later header.

    library.py BUILD SOURCE MODEL
"""
import os
import re
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror", "-pedantic"]
C, CXX = ["cc", "-std=c11"], ["c++", "-x", "c++", "-std=c++11"]
# The last member that the earlier header knows of each struct.
FIRST = {"LlavaovEngineOptions": "model_path", "LlavaovSessionOptions": "size", "LlavaovFrameSource": "encode",
         "LlavaovRequest": "generation", "LlavaovGeneration": "repetition_penalty", "LlavaovRules": "stop_tokens",
         "LlavaovPrompt": "text", "LlavaovVisual": "n_frames", "LlavaovSessionStats": "requests",
         "LlavaovEngineStats": "encoder_tiles", "LlavaovChoices": "min_mass", "LlavaovQuestion": "data",
         "LlavaovMotionSeen": "level", "LlavaovRemoteOptions": "url"}
STRUCT = re.compile(r"^typedef struct (\w+) \{\n((?:(?!\}).*\n)*)\} \w+;", re.M)


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def earlier(header):
    """The header with nothing but the first members of each struct."""
    def cut(match):
        last = FIRST.get(match.group(1))
        if last is None:
            return match.group(0)
        end = re.search(r"\b%s\b[^;\n]*;[^\n]*\n" % last, match.group(2)).end()
        return "typedef struct %s {\n%s} %s;" % (match.group(1), match.group(2)[:end], match.group(1))
    header = STRUCT.sub(cut, header)
    # The functions of the header as they would have been.
    header = re.sub(r"(sizeof\(LlavaovGeneration\), 64, 0, 0, 1, 1)[^}]*\}", r"\1}", header)
    return re.sub(r"^static inline LlavaovGeneration llavaov_generation_checkpoint.*?^\}", "", header, flags=re.M | re.S)


def later(header):
    """The header with a member more at their ends."""
    return re.sub(r"^\} (%s);" % "|".join(FIRST), r"    uint64_t of_tomorrow;\n} \1;", header, flags=re.M)


class Place:
    """An installation below a folder, and programs that know nothing else."""

    def __init__(self, build, folder):
        self.folder, self.root = folder, os.path.join(folder, "root")
        run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", self.root)
        pc = os.path.dirname(run("find", self.root, "-name", "llavaov.pc").strip())
        self.libraries = os.path.dirname(pc)
        self.archive = os.path.join(self.libraries, "libllavaov.a")
        self.header = run("find", self.root, "-name", "llavaov.h").strip()
        self.environment = dict(os.environ, PKG_CONFIG_PATH=pc, PKG_CONFIG_SYSROOT_DIR=self.root)
        for name in ("LLAVAOV_MODEL", "LLAVAOV_CUDA_MODULE", "LD_LIBRARY_PATH"):
            self.environment.pop(name, None)

    def package(self, *what):
        return run("pkg-config", *what, "llavaov", env=self.environment).split()

    def build(self, name, compiler, source, *extra, static=False):
        program = os.path.join(self.folder, name)
        libraries = self.package("--libs", *(["--static"] if static else []))
        if static:
            libraries[libraries.index("-lllavaov")] = "-l:libllavaov.a"
        run(*compiler, *WARNINGS, *extra, source, "-o", program, *self.package("--cflags"), *libraries)
        return program

    def ask(self, program, *arguments, shared=True):
        environment = dict(self.environment, **({"LD_LIBRARY_PATH": self.libraries} if shared else {}))
        return run(program, *arguments, env=environment)


def check_example(place, source, model):
    picture = os.path.join(place.folder, "red.ppm")
    with open(picture, "wb") as file:
        file.write(b"P6\n32 24\n255\n" + bytes((230, 20, 20)) * 32 * 24)
    # Out of reach of the repository's own headers.
    example = os.path.join(place.folder, "ask-image.c")
    run("cp", os.path.join(source, "pipelines", "ask-image", "ask-image.c"), example)
    question = (model, picture, "What colour is the picture?")
    program = place.build("in-c", C, example)
    answer = place.ask(program, *question)
    assert answer.strip(), "no answer"
    assert re.search(r"NEEDED.*\[libllavaov\.so\.0\]", run("readelf", "-d", program))
    assert place.ask(place.build("in-cxx", CXX, example), *question) == answer
    program = place.build("static", C, example, static=True)
    assert "libllavaov" not in run("readelf", "-d", program)
    assert place.ask(program, *question, shared=False) == answer
    # Beside the functions of another library that begins as ours do inside.
    other = os.path.join(place.folder, "other.c")
    inside = sorted(set(re.findall(r"^[0-9a-f]+ t (lv_\w+)$", run("nm", place.archive), re.M)))
    assert len(inside) > 300, "names inside the library: %s" % inside
    with open(other, "w", encoding="utf-8") as file:
        file.writelines("void %s(void);\nvoid %s(void) {}\n" % (name, name) for name in inside)
    program = place.build("beside", C, example, other, static=True)
    assert place.ask(program, *question, shared=False) == answer
    print("C, C++ and static, beside %d names of another library: %s" % (len(inside), answer.strip()))


def check_names(place):
    names = set(re.findall(r"^[0-9a-f]+ \w (\S+)$", run("nm", "-g", "--defined-only", place.archive), re.M))
    with open(place.header, encoding="utf-8") as file:
        declared = set(re.findall(r"^LLAVAOV_API .*\b(llavaov_\w+)\(", file.read(), re.M))
    assert names == declared, "seen from outside, or missing: %s" % (names ^ declared)
    print("libllavaov.a: %d names, those of llavaov.h" % len(names))


def check_versions(place, source, model):
    with open(os.path.join(source, "engine", "llavaov.h"), encoding="utf-8") as file:
        header = file.read()
    known = {name for name, members in STRUCT.findall(header) if members.startswith("    size_t size;")}
    assert known == set(FIRST), "a struct that can grow is not looked at: %s" % (known ^ set(FIRST))
    answers = set()
    for version, change in ((-1, earlier), (0, str), (1, later)):
        include = os.path.join(place.folder, "include%d" % version)
        os.mkdir(include)
        with open(os.path.join(include, "llavaov.h"), "w", encoding="utf-8") as file:
            file.write(change(header))
        program = place.build("abi%d" % version, C, os.path.join(source, "tests", "install", "abi.c"), "-I" + include,
                              "-DVERSION=%d" % version)
        answers.add(place.ask(program, model))
    assert len(answers) == 1 and answers.pop().startswith("0 "), answers
    print("earlier, today's and later header: the same answer")
    private = re.findall(r"\b(?:engine|kernels|gst|tests|docs)/\S+|(?<![\w-])(?!std|llavaov-version)[\w-]+\.h\b", header)
    assert not private, "llavaov.h speaks of %s" % private


def main():
    build, source, model = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        place = Place(build, folder)
        check_example(place, source, model)
        check_names(place)
        check_versions(place, source, model)


main()
