#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What documents and comments cite is there.

    documents.py ROOT              exit 1 and one line, FILE:LINE, per citation that does not resolve
    documents.py ROOT --self-test  plants one wrong citation of each kind in memory and sees that it is found

In README.md, CONTRIBUTING.md, docs, models/*.md and pipelines/*/README*: relative links, files, symbols with our prefixes, commands of
./dev and llavaov-tool, names of meson tests; no paragraph of more than 8 lines. In comments: documents with their sections, files,
symbols, commands, tests. A heading "Sources" opens a part about other repositories, where paths are not ours.
"""
import glob
import os
import re
import sys

FOLDERS = ("demo", "docs", "engine", "gst", "kernels", "models", "pipelines", "scripts", "subprojects", "tests", "tools")
CODE = (".c", ".h", ".cu", ".py", ".sh", ".build")
# Where a file may be named from, besides the root and its own folder: where quoted includes are looked up.
ROOTS = ("", "engine", "kernels", "gst")
# Folders that commands make; what is in them is known by its name in a build file, a script or ./dev.
MADE = ("build", "build-asan", "build-gpu", "demo-out", ".cache")

# What a reader takes in at once.
PARAGRAPH = 8
MOST_LINES = {"docs/architecture.md": 120}

ITEM = re.compile(r" *(?:[*-]|\d+\.) ")
HEADING = re.compile(r"^(#+) (.*)$", re.M)
LINK = re.compile(r"\]\(([^()\s]+)\)")
SPAN = re.compile(r"`([^`\n]+)`")
TOP = "|".join(FOLDERS + tuple(re.escape(m) for m in MADE))
# A path of ours anywhere in a text ...
OURS = re.compile(r"(?<![\w/.*+<-])((?:%s)/[\w./*+-]*)" % TOP)
# ... or, as a span alone, a file by its name or from one of ROOTS.
NAMED = re.compile(r"^(?:[\w-]+/)*[\w.-]+\.(?:c|h|cu|sh)$")
SYMBOL = re.compile(r"(?<![\w/.-])((?:gst_llavaov|llavaov|lv|GST_LLAVAOV|LLAVAOV|LV)_\w+\b"
                    r"|(?:GstLlavaov|Llavaov|Lv)[A-Z]\w*(?:\.\w+)?)")
CALL = re.compile(r"`(?!lv_|llavaov_|gst_llavaov_)([a-z]\w*_\w*)\([^`\n]*\)`")
COMMAND = re.compile(r"(?<![\w/.])\./dev ([a-z][\w-]*)")
WORDS = re.compile(r"(?:`|^ {4,})\./dev ([a-z][\w-]*)((?: +-?-?[a-z][\w-]*)+)", re.M)
MESON_TEST = re.compile(r"\bmeson test((?: +[\w.=/-]+)+)")
# A command of the tool, in a span or on a line of its own.
TOOL = re.compile(r"(?:`|^ {4,}|tool/)llavaov-tool ([a-z][\w-]*)", re.M)
ONE_TEST = re.compile(r"\btest `([\w-]+)`")
CHAPTER = r"\d+(?:\.\d+)?"
CITED = re.compile(r"\b((?:docs/)?[\w-]+\.md)\b(?:\s+(%s(?:(?:,| to| and)\s+%s)*)(?![\w.]*\w))?" % (CHAPTER, CHAPTER))
WORD = re.compile(r"[A-Za-z_]\w*")
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
C_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"')
OTHER_COMMENT = re.compile(r'^[ \t]*#[^\n]*|"""(?:.*?)"""', re.S | re.M)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def slug(heading):
    """What a heading is called in links, as GitHub and GitLab do."""
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def blanked(match):
    """The match as blanks: what stays keeps its lines."""
    return re.sub(r"[^\n]", " ", match.group())


class Tree:
    """The sources of a repository, and what they define."""

    def __init__(self, root):
        self.root = root
        self.documents = {os.path.relpath(path, root): read(path) for pattern in (
            "README.md", "CONTRIBUTING.md", "docs/*.md", "docs/howto/*.md", "models/*.md", "pipelines/*/README*")
            for path in sorted(glob.glob(os.path.join(root, pattern)))}
        self.sources = {"dev": read(os.path.join(root, "dev"))}
        for folder in FOLDERS:
            for place, folders, names in os.walk(os.path.join(root, folder)):
                folders[:] = [f for f in folders if not f.startswith((".", "packagecache", "__pycache__"))]
                for name in names:
                    path = os.path.join(place, name)
                    if name.endswith(CODE) or (folder == "scripts" and "." not in name):
                        self.sources[os.path.relpath(path, root)] = read(path)
        self.sources["meson.build"] = read(os.path.join(root, "meson.build"))
        self.sources.pop("tests/documents/documents.py", None)  # it names what does not exist
        self.names = {os.path.basename(path) for path in self.sources}
        self.words = set()
        for path, text in self.sources.items():
            self.words.update(WORD.findall(C_COMMENT.sub(" ", text) if path.endswith((".c", ".h", ".cu")) else text))
        self.commands = set(re.findall(r"^([a-z][a-z0-9-]*)\) ?", self.sources["dev"].split('case "$command" in')[-1], re.M)) | {"help"}
        self.tools = set(re.findall(r'\{"([\w-]+)", tool_', self.sources.get("tools/llavaov-tool/main.c", "")))
        quoted = set()
        for path, text in self.sources.items():
            if path.endswith("meson.build"):
                quoted.update(re.findall(r"'([\w.-]+)'", text))
        self.quoted = quoted
        self.sections = {path: {m.group(2).split()[0].rstrip(".") for m in HEADING.finditer(text) if m.group(2).strip()}
                         for path, text in self.documents.items()}

    def has_word(self, command, word):
        """A part, a stage or a test that a command of ./dev takes: a word of ./dev or of what the command starts."""
        if command == "test":
            return self.has_test(word)
        dev = self.sources["dev"]
        block = "".join(re.findall(r"^%s(?:\(\) \{\n.*?^\}|\).*?;;)" % re.escape(command), dev, re.M | re.S))
        texts = [block] + [read(path) for cited in re.findall(r"\b(?:tests|scripts|demo)/[\w./-]+", block)
                           for path in [os.path.join(self.root, cited)] if os.path.isfile(path)]
        return any(re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(word), text) for text in texts)

    def has_file(self, cited, folder=""):
        parts = re.sub(r"\bNAME\b", "*", cited.rstrip("/")).split("/")
        if parts[0] in MADE:
            name = parts[-1].split(".")[0]
            return len(parts) == 1 or any(name in text for path, text in self.sources.items()
                                          if path.endswith(("meson.build", ".py", ".sh")) or path == "dev" or
                                          path.startswith("scripts/"))
        if any(glob.glob(os.path.join(self.root, place, *parts)) for place in ROOTS + (folder,)):
            return True
        # A program that is built there.
        build = os.path.join(*parts[:-1], "meson.build") if len(parts) > 1 else ""
        return "'%s'" % parts[-1] in self.sources.get(build, "")

    def has_symbol(self, cited):
        if cited.endswith("_"):
            return any(word.startswith(cited) for word in self.words)
        return all(word in self.words for word in cited.split("."))

    def has_test(self, name):
        """A name that a build file writes, whole or put together of two, as 'gst-' + name."""
        return name in self.quoted or any(name[:i] in self.quoted and name[i:] in self.quoted for i in range(1, len(name)))


def ours(text):
    """Without what is said of other repositories: the part under a heading "Sources"."""
    at = 0
    for match in HEADING.finditer(text):
        if match.group(2).split(" ", 1)[-1] == "Sources":
            rest = HEADING.search(text, match.end())
            while rest and len(rest.group(1)) > len(match.group(1)):
                rest = HEADING.search(text, rest.end())
            at = rest.start() if rest else len(text)
            text = text[:match.start()] + re.sub(r"[^\n]", " ", text[match.start():at]) + text[at:]
    return text


def comments(path, text):
    """Its comments, each on its lines; decoration at the beginning of one becomes blank."""
    parts, end = [], 0
    if path.endswith((".c", ".h", ".cu")):
        found = C_COMMENT.finditer(C_TEXT.sub(blanked, text))
    else:
        found = OTHER_COMMENT.finditer(text)
    for match in found:
        parts += ["\n" * text.count("\n", end, match.start()), " ", text[match.start():match.end()]]
        end = match.end()
    return re.sub(r"^[ \t]*(?:\*+|//+|#+)", " ", "".join(parts), flags=re.M)


def of_length(path, text):
    """Paragraphs that are too long to be read; code blocks, tables and headings are none, each item of a list is one."""
    lines, start, fenced = text.split("\n"), None, False
    if path in MOST_LINES and len(lines) - 1 > MOST_LINES[path]:
        yield 0, "more than %d lines" % MOST_LINES[path]
    for i, line in enumerate(lines + [""]):
        fenced ^= line.startswith("```")
        outside = fenced or not line.strip() or line.startswith(("```", "|", "#", "    "))
        if start is not None and (outside or ITEM.match(line)):
            if i - start > PARAGRAPH:
                yield sum(len(before) + 1 for before in lines[:start]), "a paragraph of more than %d lines" % PARAGRAPH
            start = None
        if start is None and not outside:
            start = i


def of_symbols(tree, text):
    for match in SYMBOL.finditer(text):
        if not tree.has_symbol(match.group(1)):
            yield match.start(), "no source has a symbol %s" % match.group(1)


def of_commands(tree, text, comment=False):
    for match in COMMAND.finditer(text):
        if match.group(1) not in tree.commands:
            yield match.start(), "./dev has no command %s" % match.group(1)
    for match in () if comment else WORDS.finditer(text):
        command, words = match.group(1), match.group(2).split()
        for word in words if command in tree.commands else ():
            if not tree.has_word(command, word):
                yield match.start(), "./dev %s has no %s" % (command, word)
    for match in TOOL.finditer(text):
        if match.group(1) not in tree.tools:
            yield match.start(), "llavaov-tool has no command %s" % match.group(1)
    for match in ONE_TEST.finditer(text):
        if not tree.has_test(match.group(1)):
            yield match.start(), "no build file has a test %s" % match.group(1)
    for match in MESON_TEST.finditer(text):
        names = match.group(1).split()
        for i, name in enumerate(names):
            if not name.startswith("-") and not (i and names[i - 1] in ("-C", "--suite")) and not tree.has_test(name):
                yield match.start(), "no build file has a test %s" % name


def of_document(tree, path, text):
    """Pairs: place in the text, sentence."""
    folder = os.path.dirname(path)
    yield from of_length(path, text)
    for match in LINK.finditer(text):
        target, _, place = match.group(1).partition("#")
        if "://" in target:
            continue
        if target and not os.path.exists(os.path.join(tree.root, folder, target)):
            yield match.start(), "the link to %s leads nowhere" % target
        elif place:
            linked = tree.documents.get(os.path.normpath(os.path.join(folder, target)) if target else path, text)
            if place not in [slug(heading.group(2)) for heading in HEADING.finditer(linked)]:
                yield match.start(), "%s has no heading #%s" % (target or path, place)
    text = ours(text)
    for match in OURS.finditer(text):
        cited = match.group(1).rstrip(".")
        if not tree.has_file(cited, folder):
            yield match.start(), "there is no %s" % cited
    for match in SPAN.finditer(text):
        cited = match.group(1)
        made = path.startswith("docs/howto/") and "/" not in cited  # by a block of that page, as tests/live/howto.py sees
        if NAMED.match(cited) and not made and not OURS.match(cited) and not tree.has_file(cited, folder) and \
                not ("/" not in cited and cited in tree.names):
            yield match.start(), "there is no %s" % cited
    yield from of_symbols(tree, text)
    for match in CALL.finditer(text):
        if not tree.has_symbol(match.group(1)):
            yield match.start(), "no source has a function %s" % match.group(1)
    yield from of_commands(tree, text)
    yield from of_sections(tree, path, text, links=False)


def of_sections(tree, path, text, links=True):
    for match in CITED.finditer(text):
        name = match.group(1)
        places = ("", "docs", os.path.dirname(path)) if links else ("docs", os.path.dirname(path))
        document = next((p for p in (os.path.normpath(os.path.join(place, name)) for place in places)
                         if p in tree.documents), None)
        if document is None:
            known = "/" in name or match.group(2)  # else it may be a file that a program writes
            if links and known and not os.path.exists(os.path.join(tree.root, os.path.dirname(path), name)):
                yield match.start(), "there is no document %s" % name
            continue
        for section in re.findall(CHAPTER, match.group(2) or ""):
            if section not in tree.sections[document]:
                yield match.start(), "%s has no section %s" % (document, section)


def of_source(tree, path, text):
    """Of a source's comments."""
    for match in OURS.finditer(text):
        cited = match.group(1).rstrip(".")
        if not cited.endswith(".md") and not tree.has_file(cited, os.path.dirname(path)):
            yield match.start(), "there is no %s" % cited
    yield from of_symbols(tree, text)
    yield from of_commands(tree, text, comment=True)
    yield from of_sections(tree, path, text)


def faults(tree, path, text, document):
    text = text if document else comments(path, text)
    for at, sentence in (of_document if document else of_source)(tree, path, text):
        yield "%s:%d: %s" % (path, text.count("\n", 0, at) + 1, sentence)


MAP = "docs/architecture.md"
UNNAMED = ("plugin",)  # registers, and nothing else


def of_map(tree, text):
    """Every folder of the engine and every file of the element stands on the map."""
    rooms = {path.split("/")[1] for path in tree.sources if path.startswith("engine/") and path.count("/") > 1}
    files = {path[len("gst/"):-len(".c")] for path in tree.sources if path.startswith("gst/") and path.endswith(".c")}
    for name in sorted(rooms | files - set(UNNAMED)):
        if "`%s`" % name not in text:
            yield "%s:1: %s is not on the map" % (MAP, name)


def every_fault(tree):
    yield from of_map(tree, tree.documents[MAP])
    for path, text in tree.documents.items():
        yield from faults(tree, path, text, True)
    for path, text in tree.sources.items():
        yield from faults(tree, path, text, False)


PLANTED = [  # (document?, path, text, what must be said of it, or None: nothing)
    (True, "docs/x.md", "\n[a](model.md) and [b](../nowhere/b.md)", "docs/x.md:2: the link to ../nowhere/b.md leads nowhere"),
    (True, "docs/x.md", "a\n" * 8 + "\n* b\n" * 9 + "1. c\n" * 9 + "| d\n" * 9 + "```\n" + "e\n" * 9 + "```\n", None),
    (True, "docs/x.md", "\n" + "a\n" * 9, "docs/x.md:2: a paragraph of more than 8 lines"),
    (True, "docs/x.md", "* b\n" + "  a\n" * 8, "docs/x.md:1: a paragraph of more than 8 lines"),
    (True, "docs/architecture.md", "\n" * 121, "docs/architecture.md:1: more than 120 lines"),
    (True, "docs/x.md", "# One, two\n[a](#one-two) and [b](elements.md#answers)", None),
    (True, "docs/x.md", "[b](elements.md#answer)", "docs/x.md:1: elements.md has no heading #answer"),
    (True, "docs/x.md", "see engine/model/towers.c", "docs/x.md:1: there is no engine/model/towers.c"),
    (True, "docs/x.md", "see `model/tower.h`, `color.h`, `tests/gst/test_*.c`, `engine/text/NAME`", None),
    (True, "docs/x.md", "see `model/towers.h`", "docs/x.md:1: there is no model/towers.h"),
    (True, "docs/howto/x.md", "see `colour.c`\n#include <gst/gst.h>", None),
    (True, "docs/howto/x.md", "see `model/towers.h`", "docs/howto/x.md:1: there is no model/towers.h"),
    (True, "docs/x.md", "see `colour.h`", "docs/x.md:1: there is no colour.h"),
    (True, "docs/x.md", "see `build/pipelines/camera-monitor/camera-monitors`",
     "docs/x.md:1: there is no build/pipelines/camera-monitor/camera-monitors"),
    (True, "docs/x.md", "`llavaov_engine_open` of `LvBackendOps.linear`, `LLAVAOV_ERROR_*`", None),
    (True, "docs/x.md", "`llavaov_engine_opens`", "docs/x.md:1: no source has a symbol llavaov_engine_opens"),
    (True, "docs/x.md", "`lv_tower_runs()`", "docs/x.md:1: no source has a symbol lv_tower_runs"),
    (True, "docs/x.md", "`gst_llavaov_nothing`", "docs/x.md:1: no source has a symbol gst_llavaov_nothing"),
    (True, "docs/x.md", "LLAVAOV_NOTHING", "docs/x.md:1: no source has a symbol LLAVAOV_NOTHING"),
    (True, "docs/x.md", "`LV_MAX_NOTHING`", "docs/x.md:1: no source has a symbol LV_MAX_NOTHING"),
    (True, "docs/x.md", "`LvBackendOps.nothing_at_all`", "docs/x.md:1: no source has a symbol LvBackendOps.nothing_at_all"),
    (True, "docs/x.md", "`kv_borrow(cache, tokens)`", "docs/x.md:1: no source has a function kv_borrow"),
    (True, "docs/x.md", "`./dev parity`, and `./dev partiy`", "docs/x.md:1: ./dev has no command partiy"),
    (True, "docs/x.md", "`./dev parity jinja`, `./dev test rope`, `./dev fmt --check`, `./dev soak --quick latency busy`", None),
    (True, "docs/x.md", "`./dev soak latencies`", "docs/x.md:1: ./dev soak has no latencies"),
    (True, "docs/x.md", "`./dev test ropes`", "docs/x.md:1: ./dev test has no ropes"),
    (True, "docs/x.md", "`llavaov-tool inspect DIR`, `build/tools/llavaov-tool/llavaov-tool --help`", None),
    (True, "docs/x.md", "`llavaov-tool inspects DIR`", "docs/x.md:1: llavaov-tool has no command inspects"),
    (False, "tests/x.py", "# ./dev partiy", "tests/x.py:1: ./dev has no command partiy"),
    (True, "docs/x.md", "the test `layerings`", "docs/x.md:1: no build file has a test layerings"),
    (True, "docs/x.md", "`meson test -C build layering gst-callbacks`", None),
    (True, "docs/x.md", "`meson test layering layerings`", "docs/x.md:1: no build file has a test layerings"),
    (True, "docs/x.md", "# Sources\n`src/Resample.c`\n# More\n`Resample.c`", "docs/x.md:4: there is no Resample.c"),
    (False, "engine/x.c", "/* docs/model.md 3.5 to\n * 3.9. */", None),
    (False, "engine/x.c", "\n/* docs/model.md 3.5 to\n * 3.99. */", "engine/x.c:2: docs/model.md has no section 3.99"),
    (False, "engine/x.c", "// models.md 3.5", "engine/x.c:1: there is no document models.md"),
    (False, "engine/x.c", 'puts("/* docs/nothing.md */"); /* tests/gst/y.c */', "engine/x.c:1: there is no tests/gst/y.c"),
    (False, "tests/x.py", "# tests/live/rtsp-server, tests/live/rtsp-servers", "tests/x.py:1: there is no tests/live/rtsp-servers"),
    (False, "engine/x.c", "int lv_x; /* lv_tower_run and\n * lv_tower_runs */", "engine/x.c:2: no source has a symbol lv_tower_runs"),
    (False, "tests/x.py", '"""docs/model.md 99"""', "tests/x.py:1: docs/model.md has no section 99"),
    (False, "tests/x.py", "a = 1\n  # docs/nothing.md", "tests/x.py:2: there is no document docs/nothing.md"),
]


def self_test(tree):
    found = list(of_map(tree, tree.documents[MAP].replace("`worker`", "").replace("`serve`", "")))
    failed = found != [MAP + ":1: serve is not on the map", MAP + ":1: worker is not on the map"]
    if failed:
        print("of a map without serve and worker this is said: %s" % found)
    for document, path, text, wanted in PLANTED:
        found = list(faults(tree, path, text, document))
        if found != ([wanted] if wanted else []):
            print("%r\n  wanted %s\n  found  %s" % (text, wanted, found))
            failed = True
    return failed


def main():
    tree = Tree(sys.argv[1])
    if "--self-test" in sys.argv:
        sys.exit(self_test(tree))
    found = list(every_fault(tree))
    print("\n".join(found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
