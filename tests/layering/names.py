# SPDX-License-Identifier: Apache-2.0
"""What a C file defines and mentions, read without a compiler.

The sources are formatted alike and hold no declarations that a scan of what stands outside of braces cannot read, so
the tests need neither libclang nor ctags.
"""
import re

COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
DEFINE = re.compile(r"\s*#\s*define\s+(\w+)")
GUARD = re.compile(r"\s*#\s*ifndef\s+(\w+)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
ATTRIBUTE = re.compile(r"\b(?:__attribute__|_Alignas|alignas)\s*\((?:[^()]|\([^()]*\))*\)")
WORD = re.compile(r"[A-Za-z_]\w*")
MENTION = re.compile(r"(?:(?:\.|->)\s*)?[A-Za-z_]\w*")
TAG = re.compile(r"^(?:template\s*<[^<>]*>\s*)?(?:(?:typedef|static|const)\s+)*(struct|union|enum)\b\s*(\w*)$")
OPAQUE = re.compile(r"^typedef\s+(?:struct|union)\s+(\w+)\s+(\w+)$")
CALLED = re.compile(r"\b(\w+)\s*\(")
STATIC = re.compile(r"\bstatic\b|\bLV_INLINE\b|\bLV_KERNEL\w*|^template\b|^LV_SPECIAL\b")
HEADERS = (".h", ".cuh", ".inc")
SOURCES = (".c", ".cu") + HEADERS
FUNCTION, VARIABLE, TYPE, CONSTANT, MACRO = "function", "variable", "type", "constant", "macro"


def mentions(code):
    """The names in it that are no member's."""
    return {word for word in MENTION.findall(code) if word[0] not in ".-"}


def chunks(code):
    """(what stands before a brace or semicolon, the braces' content or None, what stands behind them)."""
    at = 0
    while True:
        stop = re.compile(r"[;{}]").search(code, at)
        if not stop:
            return
        head, at = code[at:stop.start()].strip(), stop.end()
        if stop.group() == ";":
            yield head, None, ""
        elif stop.group() == "{":
            begin, depth = at, 1
            while depth and at < len(code):
                depth += {"{": 1, "}": -1}.get(code[at], 0)
                at += 1
            body, tail = code[begin:at - 1], ""
            if TAG.match(head) or head.endswith("="):
                end = code.find(";", at)
                end = len(code) if end < 0 else end
                tail, at = code[at:end], end + 1
            yield head, body, tail.strip()


class Source:
    """defines: {name: kind}; shared: those of them that other files can see; opaque: types without a body;
    used: every name it mentions, those aside that it only declares."""

    def __init__(self, path, text):
        self.path = path
        self.header = path.endswith(HEADERS)
        self.defines, self.shared, self.opaque, self.used = {}, set(), set(), set()
        self.includes = [name for kind, name in INCLUDE.findall(text) if kind == '"']
        code = COMMENT.sub(lambda m: '""' if m.group()[0] in "\"'" else " ", text)
        directives = [d for d in DIRECTIVE.findall(code) if not INCLUDE.match(d)]
        guard = GUARD.match(directives[0]) if directives and self.header else None
        self.guard = guard.group(1) if guard else None
        for directive in directives:
            define = DEFINE.match(directive)
            if define and define.group(1) != self.guard:
                self._add(define.group(1), MACRO, self.header)
            self.used |= mentions(directive[define.end():] if define else directive)
        code = ATTRIBUTE.sub(" ", DIRECTIVE.sub("", code))
        code = re.sub(r'\bextern\s+""\s*\{', " ", code)
        for head, body, tail in chunks(code):
            declared = self._read(head, body, tail)
            self.used |= (mentions(head) | mentions(tail)) - declared
            self.used |= mentions(body or "")

    def _add(self, name, kind, shared):
        self.defines[name] = kind
        if shared:
            self.shared.add(name)

    def _read(self, head, body, tail):
        """Takes down what a chunk defines; gives the names that it declares without a definition."""
        shared = self.header or not STATIC.search(head)
        tag = TAG.match(head)
        if body is not None and tag:
            return self._type(head, tag, body, tail)
        if head.startswith("typedef"):
            head = re.sub(r"\s*__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", "", head)
            opaque = OPAQUE.match(head)
            if opaque:
                self.opaque.add(opaque.group(2))
                return {opaque.group(2)}
            pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", head)
            name = pointer or re.search(r"(\w+)\s*(?:\(.*|\[.*)?$", head, re.S)
            self._add(name.group(1), TYPE, self.header)
            return set()
        # int (*const table[])(int) = {...} is read like: int table[] = {...}
        head = re.sub(r"\(\s*\*[\s\w]*?(\w+\s*(?:\[[^\]]*\])*)\s*\)\s*\([^()]*\)", r"\1", head)
        value = re.search(r"(?<![=!<>])=(?!=)", head) is not None
        call = None if value else CALLED.search(head)
        if body is not None and call:
            if call.group(1).upper() != call.group(1):
                self._add(call.group(1), FUNCTION, shared)
            return set()
        if call and call.group(1) in ("_Static_assert", "static_assert"):
            return set()
        if call:
            return {call.group(1)} | set(re.findall(r",\s*(\w+)\s*\(", head))
        names = re.findall(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?:,|=|$)", head.split("=")[0] + ("=" if value else ""))
        if " " not in head or tag or not names:
            return set()
        if head.startswith("extern") or not value and self.header:
            return set(names)
        self._add(names[-1], VARIABLE, shared)
        return set()

    def _type(self, head, tag, body, tail):
        names = set() if not tag.group(2) else {tag.group(2)}
        if head.startswith("typedef"):
            names |= set(WORD.findall(tail)[:1])
        elif tail:
            variable = re.match(r"(?:const\s+)?\**(\w+)", tail)
            self._add(variable.group(1), VARIABLE, self.header or not STATIC.search(head))
        for name in names:
            self._add(name, TYPE, self.header)
        if tag.group(1) == "enum":
            for item in re.sub(r"\([^()]*\)", "", body).split(","):
                for name in WORD.findall(item)[:1]:
                    self._add(name, CONSTANT, self.header)
        return set()


class Tree:
    """The sources of some folders, and who sees whose names."""

    def __init__(self, texts, resolve):
        """texts: {path: text}; resolve(path, name): the path that an include means, or None."""
        self.files = {path: Source(path, text) for path, text in texts.items()}
        self.includes = {}
        for path, source in self.files.items():
            targets = {resolve(path, name) for name in source.includes}
            self.includes[path] = {target for target in targets if target in self.files}
        self.visible = {path: self._reach(path) for path in self.files}
        self.defined = {}
        for path, source in self.files.items():
            for name in source.shared:
                self.defined.setdefault(name, []).append(path)

    def _reach(self, path):
        seen, todo = set(), [path]
        while todo:
            for target in self.includes[todo.pop()] - seen:
                seen.add(target)
                todo.append(target)
        return seen

    def uses(self, path):
        """(file, name) of every function and variable of others that a file mentions."""
        source = self.files[path]
        for name in source.used - set(source.defines):
            for other in self.defined.get(name, ()):
                kind = self.files[other].defines[name]
                seen = other in self.visible[path] or not self.files[other].header and len(self.defined[name]) == 1
                if kind in (FUNCTION, VARIABLE) and seen and other != path:
                    yield other, name
