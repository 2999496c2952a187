# SPDX-License-Identifier: Apache-2.0
"""Runs gst-launch-1.0 lines as people type them, and reads what they print; a camera and a display for them."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading

ANSWER = re.compile(r"^(/\S+): last-answer = (.*)$")
ERROR = re.compile(r"^ERROR: from element (/\S+): ")
# How much longer things may take under a sanitizer; what ./dev asan tells meson.
PATIENCE = 8 if os.environ.get("LLAVAOV_TEST_PRELOAD") else 1


class Run:
    """What a line did: its status, its answers in order as (element path, text), and everything it printed. errors:
    paths of the elements that reported one; late_errors: of those that did after the line was told to stop."""

    def __init__(self, line):
        self.line, self.status, self.answers, self.output = line, None, [], []
        self.errors, self.late_errors, self.stopped = [], [], False

    def read(self, text):
        self.output.append(text)
        found = ANSWER.match(text.rstrip("\n"))
        if found and found.group(2) not in ("(NULL)", "NULL"):
            self.answers.append((found.group(1), found.group(2)))
        found = ERROR.match(text)
        if found:
            (self.late_errors if self.stopped else self.errors).append(found.group(1))

    def texts(self):
        return [text for _, text in self.answers]

    def ended_well(self):
        """Whether it ended without a fault. gst-launch-1.0 counts errors until its pipeline is NULL, and rtspsrc reports
        one when its farewell (PAUSE, TEARDOWN) meets a server that is slow or has closed the connection: that says nothing
        about a line that was told to stop. Every other element's error counts to the end."""
        if self.errors or not all(path.rsplit("/", 1)[1].startswith("GstRTSPSrc:") for path in self.late_errors):
            return False
        return self.status == (1 if self.late_errors else 0)

    def __str__(self):
        telling = [text for text in self.output if ": stats = " not in text]
        return "%s\n  status %s, answers %s\n  ...%s" % (self.line, self.status, self.texts(), "  ".join(telling[-15:]))


def environment():
    """Under a sanitizer gst-launch-1.0 must load its runtime first; leaks are looked for in the test programs."""
    env = dict(os.environ, G_DEBUG="fatal-criticals")
    preload = env.pop("LLAVAOV_TEST_PRELOAD", "")
    if preload:
        env["LD_PRELOAD"] = preload
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env


def launch(line, stop_after=None, timeout=60, options=("-v",), more=None):
    """Runs the line (text, split as a shell does) to its end, or until it has given stop_after answers; more: variables of
    its environment."""
    run = Run(line)
    process = subprocess.Popen(["gst-launch-1.0", *options] + shlex.split(line), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               env=dict(environment(), **(more or {})))
    late = threading.Timer(timeout * PATIENCE, process.kill)
    late.start()
    for text in process.stdout:
        run.read(text)
        if stop_after and len(run.answers) >= stop_after and not run.stopped:
            process.send_signal(signal.SIGINT)
            run.stopped = True
    run.status = process.wait()
    late.cancel()
    return run


class Server:
    """tests/live/rtsp-server as a context manager; port 0 takes any free one."""

    def __init__(self, program, port=0, source=None):
        self.command = [program, "--port", str(port)] + (["--source", source] if source else [])
        self.process = self.port = None

    def __enter__(self):
        env = environment()
        env.pop("G_DEBUG")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=env)
        line = self.process.stdout.readline().split()
        if len(line) != 2:
            raise RuntimeError("the RTSP server did not start")
        self.port = int(line[1])
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Display:
    """An X server without XVideo; None where there is no Xvfb."""

    def __enter__(self):
        self.process = None
        if not shutil.which("Xvfb"):
            return None
        self.process = subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp",
                                         "-noreset"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return ":" + self.process.stdout.readline().strip()

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
