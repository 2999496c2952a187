# SPDX-License-Identifier: Apache-2.0
"""Runs gst-launch-1.0 lines as people type them, and reads what they print."""
import os
import re
import shlex
import signal
import subprocess
import threading

ANSWER = re.compile(r"^(/\S+): last-answer = (.*)$")


class Run:
    """What a line did: its status, its answers in order as (element path, text), and everything it printed."""

    def __init__(self, line):
        self.line, self.status, self.answers, self.output = line, None, [], []

    def texts(self):
        return [text for _, text in self.answers]

    def __str__(self):
        return "%s\n  status %s, answers %s\n  ...%s" % (self.line, self.status, self.texts(), "  ".join(self.output[-15:]))


def environment():
    """Under a sanitizer gst-launch-1.0 must load its runtime first; leaks are looked for in the test programs."""
    env = dict(os.environ, G_DEBUG="fatal-criticals")
    preload = env.pop("LLAVAOV_TEST_PRELOAD", "")
    if preload:
        env["LD_PRELOAD"] = preload
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return env


def launch(line, stop_after=None, timeout=60, options=("-v",)):
    """Runs the line (text, split as a shell does) to its end, or until it has given stop_after answers."""
    run = Run(line)
    process = subprocess.Popen(["gst-launch-1.0", *options] + shlex.split(line), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               env=environment())
    late = threading.Timer(timeout, process.kill)
    late.start()
    for text in process.stdout:
        run.output.append(text)
        found = ANSWER.match(text.rstrip("\n"))
        if found and found.group(2) not in ("(NULL)", "NULL"):
            run.answers.append((found.group(1), found.group(2)))
            if stop_after and len(run.answers) == stop_after:
                process.send_signal(signal.SIGINT)
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
