#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one page of docs/howto as a reader would: every line of its sh blocks, in order, in one shell.

    howto.py ROOT BUILD PAGE
    howto.py ROOT BUILD --self-test

    ```sh      each line must end with 0; one with "# Ctrl-C ends it" is interrupted once the output below it has come;
               behind a block that ends with "&" that output is waited for
    ```text    what the sh block above prints: these lines in this order, "..." standing for anything, any number of lines too
    ```python  the file named last before it, as `name.py`; every statement in it must be run by the lines behind it
    ```c       the same

A block of any other kind, and one that is indented instead of fenced, is an error: it would not be run. The shell starts in a
folder that holds the repository with BUILD as build/, so nothing is built or installed. The ports 8554, 8088 and 8089 are replaced by free ones.
"""
import ast
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from gstlaunch import Display

ROOT, BUILD, PAGE = (os.path.abspath(argument) for argument in sys.argv[1:4])
STUBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stubs")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
INTERRUPTED = "# Ctrl-C ends it"
DONE = "howto-line-ended:"
SECONDS = 150  # a line


class Wrong(Exception):
    pass


def blocks(text):
    """(kind, text, line number, the file named before it) of every block."""
    outside = FENCE.sub(lambda match: re.sub(r"[^\n]", "", match.group()), text)
    indented = re.search(r"\n\n(?: {4}|\t)\S", outside)
    if indented or "```" in outside:
        raise Wrong("line %d: a block that is not fenced" % (outside.count("\n", 0, (indented or re.search("```", outside)).end()) + 1))
    for match in FENCE.finditer(text):
        named = re.findall(r"`([\w-]+\.(?:py|c))`", text[:match.start()])
        yield match.group(1), match.group(2), text.count("\n", 0, match.start()) + 1, named[-1] if named else None


class Marked(ast.NodeTransformer):
    """A program whose every statement first writes its line's number into a file."""

    def __init__(self, log):
        self.log, self.numbers = log, set()

    def generic_visit(self, node):
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                self.numbers.update(statement.lineno for statement in statements)
                setattr(node, name, [part for statement in statements for part in (self.mark(statement), statement)])
        return node

    def mark(self, statement):
        call = ast.parse("open(%r, 'a').write('%d\\n')" % (self.log, statement.lineno)).body[0]
        return ast.copy_location(call, statement)


class Python:
    """A python block as a file that remembers which of its lines were run."""

    def __init__(self, path, content):
        self.log, self.content = path + ".lines", content.splitlines()
        marked = Marked(self.log)
        with open(path, "w", encoding="utf-8") as file:
            file.write(ast.unparse(ast.fix_missing_locations(marked.visit(ast.parse(content)))))
        self.numbers = marked.numbers

    def not_run(self):
        ran = set()
        if os.path.exists(self.log):
            with open(self.log, encoding="ascii") as file:
                ran = {int(number) for number in file}
        return [self.content[number - 1] for number in sorted(self.numbers - ran)]


class C:
    """A c block as a file. stubs/cc compiles it so that gcov knows which of its lines were run."""

    def __init__(self, path, content):
        self.path = path
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    def not_run(self):
        folder, name = os.path.split(self.path)
        notes = [found for found in os.listdir(folder) if found.endswith(name[:-1] + "gcda")]
        if not notes:
            return ["all of it"]
        text = subprocess.run(["gcov", "--stdout", notes[0]], cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
        return re.findall(r"^ *#####: *\d+:(.*)$", text, re.M)


def matches(pattern, output):
    """How many of the pattern's lines have come, in order."""
    wanted = [line.strip() for line in pattern.splitlines() if line.strip() not in ("", "...")]
    came = 0
    for line in output:
        if came < len(wanted) and re.fullmatch(".*".join(map(re.escape, wanted[came].split("..."))), line.strip()):
            came += 1
    return came, wanted


class Shell:
    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        cwd=folder, env=environment, text=True, errors="replace", start_new_session=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def type(self, line, shown):
        """Runs a line and returns what it prints; interrupts it when it says so and the output shown has come."""
        # What an interactive shell started by the line reads next is ours, too: its end is told by the line behind it.
        self.process.stdin.write("%s\nprintf '\\n%s%%d\\n' $?\n" % (line, DONE))
        self.process.stdin.flush()
        output, end, interrupted = [], time.monotonic() + SECONDS, False
        while True:
            try:
                text = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise Wrong("%s\ndid not end within %d s:\n%s" % (line, SECONDS, "".join(output[-30:]))) from None
            if text is None:
                raise Wrong("%s\nended the shell:\n%s" % (line, "".join(output[-30:])))
            if text.startswith(DONE):
                status = int(text[len(DONE):])
                if status and not (interrupted and status in (1, 128 + signal.SIGINT)):
                    raise Wrong("%s\nended with %d:\n%s" % (line, status, "".join(output[-30:])))
                return output
            output.append(text)
            if line.rstrip().endswith(INTERRUPTED) and not interrupted:
                came, wanted = matches(shown, output)
                if came == len(wanted):
                    self.interrupt()
                    interrupted = True

    def wait(self, shown, output):
        """For what a program in the background prints."""
        end = time.monotonic() + SECONDS
        while True:
            came, wanted = matches(shown, output)
            if came == len(wanted) or time.monotonic() > end:
                return
            try:
                output.append(self.lines.get(timeout=0.5) or "")
            except queue.Empty:
                pass

    def interrupt(self):
        """Ctrl-C, for the program that is farthest from the shell."""
        process = self.process.pid
        while True:
            with open("/proc/%d/task/%d/children" % (process, process), encoding="ascii") as file:
                children = file.read().split()
            if not children:
                break
            process = int(children[-1])
        os.kill(process, signal.SIGINT)

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def repository(folder):
    """What the reader has: a clone that is built. Two programs write beside themselves, so they are copied."""
    for name in os.listdir(ROOT):
        if name in ("dev", "demo"):
            copy = shutil.copytree if os.path.isdir(os.path.join(ROOT, name)) else shutil.copy
            copy(os.path.join(ROOT, name), os.path.join(folder, name))
        elif not name.startswith(".") and not name.startswith(("build", "demo-out")):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.symlink(BUILD, os.path.join(folder, "build"))


def run(folder, text, display):
    environment = dict(os.environ, LLAVAOV_CUDA="disabled", PATH=STUBS + ":" + os.environ["PATH"], SHELL="/bin/bash",
                       HOWTO_BUILD=BUILD, HOME=folder, MESON_DISABLE_PS1_OVERRIDE="1")
    for name in ("LLAVAOV_MODEL", "GST_PLUGIN_PATH", "GST_PLUGIN_PATH_1_0", "DISPLAY", "WAYLAND_DISPLAY"):
        environment.pop(name, None)
    if display:
        environment["DISPLAY"] = display
    found = list(blocks(text))
    files = {}
    shell = Shell(folder, environment)
    try:
        for i, (kind, content, number, named) in enumerate(found):
            where = "%s:%d" % (os.path.relpath(PAGE, ROOT), number)
            if kind in ("python", "c"):
                if not named or not named.endswith(".py" if kind == "python" else ".c"):
                    raise Wrong("%s: no file is named before this block" % where)
                files[where] = (Python if kind == "python" else C)(os.path.join(folder, named), content)
            elif kind == "text":
                if not i or found[i - 1][0] != "sh":
                    raise Wrong("%s: this output has no command" % where)
            elif kind == "sh":
                shown = found[i + 1][1] if i + 1 < len(found) and found[i + 1][0] == "text" else ""
                output, start = [], time.monotonic()
                for line in content.replace("\\\n", " ").splitlines():
                    output += shell.type(line, shown)
                if content.rstrip().endswith("&"):
                    shell.wait(shown, output)
                came, wanted = matches(shown, output)
                if came < len(wanted):
                    raise Wrong("%s: this did not come: %s\nbut this:\n%s" % (where, wanted[came], "".join(output[-60:])))
                print("ok   %s: %.1f s" % (where, time.monotonic() - start), flush=True)
            else:
                raise Wrong("%s: a block of kind '%s' is not run by anything" % (where, kind))
        for where, program in files.items():
            if program.not_run():
                raise Wrong("%s: never run:\n%s" % (where, "\n".join(program.not_run())))
    finally:
        shell.close()


PLANTED = [  # (page, what must be said of it, or None: nothing)
    ("```sh\necho one\necho two\n```\n```text\no...\n...\ntwo\n```\n", None),
    ("```sh\ntrue; false\n```\n", "ended with 1"),
    ("```sh\necho one\n```\n```text\ntwo\n```\n", "this did not come: two"),
    ("```sh\necho one; echo two\n```\n```text\ntwo\none\n```\n", "this did not come: one"),
    ("```sh\nexit\n```\n", "ended the shell"),
    ("a\n\n    gst-launch-1.0\n", "line 3: a block that is not fenced"),
    ("```json\n{}\n```\n", "a block of kind 'json' is not run"),
    ("```text\none\n```\n", "this output has no command"),
    ("```python\npass\n```\n", "no file is named"),
    ("`x.py`\n```python\nif True:\n    print(1)\n```\n```sh\npython3 x.py\n```\n", None),
    ("`x.py`\n```python\nif True:\n    print(1)\nelse:\n    print(2)\n```\n```sh\npython3 x.py\n```\n", "never run:\n    print(2)"),
    ("`x.py`\n```python\nprint(1)\n```\n", "never run:\nprint(1)"),
    ("`x.c`\n```c\nint main(int n, char **v)\n{\n    if (n > 1)\n        return 1;\n    return 0;\n}\n```\n"
     "```sh\ncc x.c -o x\n./x\n```\n", "never run:\n        return 1;"),
    ("```sh\nbash -c 'echo on; sleep 100'  # Ctrl-C ends it\n```\n```text\non\n```\n", None),
]


def self_test():
    """Plants one fault of each kind and sees that it is found."""
    failed = False
    for text, wanted in PLANTED:
        said = "nothing"
        with tempfile.TemporaryDirectory(prefix="llavaov-howto-") as folder:
            try:
                run(folder, text, None)
            except Wrong as wrong:
                said = str(wrong)
        if (wanted or "nothing") not in said:
            print("%s\n  wanted: %s\n  said: %s" % (text, wanted, said))
            failed = True
    return failed


def main():
    if "--self-test" in sys.argv:
        return self_test()
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    for port in ("8554", "8088", "8089"):
        text = text.replace(port, str(free_port()))
    with tempfile.TemporaryDirectory(prefix="llavaov-howto-") as folder:
        repository(folder)
        try:
            if "import gi" in text and subprocess.run(["/usr/bin/python3", "-c", "import gi"], stderr=subprocess.DEVNULL).returncode:
                print("skip: no python3-gi")
                return 77
            if "autovideosink" in text:
                if not shutil.which("Xvfb"):
                    print("skip: no Xvfb for a line with a window")
                    return 77
                with Display() as display:
                    run(folder, text, display)
            else:
                run(folder, text, None)
        except Wrong as wrong:
            print("FAIL %s: %s" % (os.path.relpath(PAGE, ROOT), wrong))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
