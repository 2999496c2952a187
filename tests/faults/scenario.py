#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One run of one scenario, in namespaces of its own (run.py starts it there):

    scenario.py NAME SEED TOOLS

TOOLS: a folder of the build. The last line is JSON: {"outcome", "faults": [...], "seconds"}; before it, with --verbose, all
that the viewer said."""
import json
import os
import queue
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import judge
import subjects
import table
from wire import Wire

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 25      # s for what must come
LIMIT = 90         # s for a whole run; run.py kills it a little later


class Wrong(Exception):
    pass


def call(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Program:
    """A program whose standard input takes commands. Its lines come with prefix `to` into a function."""

    def __init__(self, command, env, on_line, prefix=(), pass_fds=()):
        self.process = subprocess.Popen(list(prefix) + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, errors="replace", env=env, pass_fds=pass_fds)
        self.errors = []
        self.threads = [threading.Thread(target=self._read, args=(self.process.stdout, on_line), daemon=True),
                        threading.Thread(target=self._read, args=(self.process.stderr, self.errors.append), daemon=True)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream, on_line):
        for line in stream:
            on_line(line)

    def say(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except OSError:
            pass

    def wait(self, seconds):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        for thread in self.threads:
            thread.join(5)
        return status


class Run:
    def __init__(self, row, seed, tools):
        self.row, self.tools, self.random = row, tools, random.Random("%s %s" % (row.name, seed))
        self.events, self.arrived, self.lock = [], queue.Queue(), threading.Lock()
        self.camera = self.viewer = self.wire = self.holder = None
        self.folder = tempfile.mkdtemp(prefix="faults-")
        self.path = self.pass_as_9 = None  # the file that is looked at; a descriptor that the viewer gets as 9
        self.subject = subjects.make(row.subject, self)
        self.monitor = isinstance(self.subject.line, list)
        self.since = 0                     # monotonic ns: the last step of the fault
        self.began = None                  # ... and the first

    # ---- the place

    def open_net(self):
        call("ip", "link", "set", "lo", "up")
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        self.wire = Wire(("near", "far"), self.random)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink("/proc/%d/ns/net" % self.holder.pid) == own:
            time.sleep(0.002)
        call("ip", "link", "set", "far", "netns", str(self.holder.pid))
        call("ip", "addr", "add", subjects.VIEWER + "/24", "dev", "near")
        call("ip", "link", "set", "near", "up")
        self.far("ip", "link", "set", "lo", "up")
        self.far("ip", "addr", "add", subjects.CAMERA + "/24", "dev", "far")
        self.far("ip", "link", "set", "far", "up")

    def far(self, *command):
        call("nsenter", "-t", str(self.holder.pid), "-n", *command)

    def environment(self, plugin="tests/fake/engine"):
        env = dict(os.environ, GST_TRACERS="leaks", G_DEBUG="fatal-criticals", GST_DEBUG_NO_COLOR="1")
        env["GST_PLUGIN_PATH_1_0"] = os.path.join(self.tools, plugin)
        env["GST_REGISTRY"] = subjects.registry(self.tools, plugin)
        env["GST_REGISTRY_UPDATE"] = "no"
        env["LLAVAOV_MODEL"] = os.path.join(HERE, "../../models/camera-check")
        return env

    def start_camera(self):
        ready = threading.Event()
        prefix = ["nsenter", "-t", str(self.holder.pid), "-n"] if self.holder else []
        env = self.environment()
        env.pop("G_DEBUG")
        env.pop("GST_TRACERS")
        self.camera = Program([os.path.join(self.tools, "tests/faults/camera")] + self.subject.camera, env,
                              lambda line: ready.set(), prefix)
        if not ready.wait(20):
            raise Wrong("the camera did not start: " + "".join(self.camera.errors[-3:]))

    def start(self):
        with open(os.path.join(self.folder, "control"), "wb") as file:
            file.write(bytes(4096))
        if self.row.kind == "net":
            self.open_net()
        if self.subject.camera:
            self.start_camera()
        while self.row.steps and self.row.steps[0][0] == "early":
            self.step(self.row.steps.pop(0)[1:])
        env, line = self.environment(self.subject.plugin), self.subject.line
        if self.subject.shim:
            env.update(LD_PRELOAD=os.path.join(self.tools, "tests/faults/libfaults-shim.so"), FAULTS_DISK=self.folder,
                       FAULTS_CONTROL=os.path.join(self.folder, "control"))
        command = [os.path.join(self.tools, "tests/faults/viewer"), line]
        if isinstance(line, list):
            command = [os.path.join(self.tools, "pipelines/camera-monitor/camera-monitor")] + line
        prefix = [] if self.pass_as_9 is None else ["sh", "-c", "exec 9<&%d; exec \"$@\"" % self.pass_as_9, "sh"]
        self.viewer = Program(command, env, self.hear, prefix, () if self.pass_as_9 is None else (self.pass_as_9,))
        if self.pass_as_9 is not None:
            os.close(self.pass_as_9)

    def hear(self, line):
        try:
            event = json.loads(line)
        except ValueError:
            event = {"e": "noise", "text": line}
        if "e" not in event:  # an answer of camera-monitor
            event = {"e": "answer", "by": event["stream"], "text": event["text"], "start": event["running-time"],
                     "stream": event["stream-time"], "duration": event["duration"], "times": event["frame-times"],
                     "at": time.monotonic_ns()}
        with self.lock:
            self.events.append(event)
        self.arrived.put(event)

    # ---- what has come

    def has(self, condition):
        with self.lock:
            return any(map(condition, self.events))

    def wait_for(self, condition, seconds=PATIENCE):
        """Whether it came to hold of some event, in time, before the viewer ended."""
        end = time.monotonic() + seconds
        while not self.has(condition):
            if time.monotonic() > end or self.has(lambda e: e["e"] == "end") or self.viewer.process.poll() is not None:
                return self.has(condition)
            try:
                self.arrived.get(timeout=0.1)
            except queue.Empty:
                pass
        return True

    def outcome(self):
        """What has come since the fault, in the table's words."""
        with self.lock:
            events = list(self.events)
        found = set()
        length = self.subject.window.length
        # Of a file only when it was answered is known.
        if self.since and sum(e["e"] == "answer" and (e["base"] + e["start"] if self.subject.window.live and "base" in e else
                                                      e["at"] - 2 * length) > self.since for e in events) >= 2:
            found.add("recovers")
        if self.began and any(e["e"] == "told" and e["at"] >= self.began for e in events):
            found.add("told")
        if any(e["e"] == "error" for e in events):
            found.add("error")
        if any(e["e"] == "eos" for e in events):
            found.add("eos")
        if any(e["e"] == "answer" for e in events):
            found.add("answers")
        return found

    def satisfied(self):
        found = self.outcome()
        return any(way <= found for way in self.row.must)

    # ---- the fault

    def step(self, words):
        verb, rest = words[0], words[1:]
        if verb == "first":
            if not self.wait_for(lambda e: e["e"] == "answer"):
                raise Wrong("no first answer")
        elif verb == "R":
            time.sleep(self.random.uniform(0, float(rest[0]) if rest else 1.2))
        elif verb == "sleep":
            time.sleep(float(rest[0]))
        elif verb == "wire":
            for word in rest:
                name, value = word.split("=")
                self.wire.set(name, float(value))
        elif verb in ("camera", "viewer"):
            self.tell_program(verb, rest)
        elif verb == "address":
            self.change_address(rest[0], subjects.VIEWER if rest[0] == "viewer" else subjects.CAMERA, rest[1])
        elif verb == "address-of":
            self.change_address(*rest)
        elif verb == "link":
            call("ip", "link", "set", "near", rest[0])
        else:
            subjects.step(self, verb, rest)

    def tell_program(self, which, words):
        program = getattr(self, which)
        signals = {"stop": signal.SIGSTOP, "cont": signal.SIGCONT, "kill": signal.SIGKILL, "term": signal.SIGTERM}
        if words[0] in signals:
            program.process.send_signal(signals[words[0]])
            if words[0] == "kill":
                program.process.wait()
        elif words[0] == "start":
            self.start_camera()
        elif words[0] == "start-as":
            self.subject.camera = ["--codec", words[1]]
            self.start_camera()
        else:
            program.say(" ".join(words))

    def change_address(self, whose, old, new):
        run, device = (call, "near") if whose == "viewer" else (self.far, "far")
        run("ip", "addr", "add", new + "/24", "dev", device)
        run("ip", "addr", "del", old + "/24", "dev", device)
        if whose != "viewer":  # the other address is a secondary one, and goes with the first
            subprocess.run(["nsenter", "-t", str(self.holder.pid), "-n", "ip", "addr", "add", new + "/24", "dev", device], stderr=subprocess.DEVNULL)

    def play(self):
        self.began = time.monotonic_ns()
        for number, words in enumerate(self.row.steps):
            self.step(words)
            if words[0] in ("first", "R") and self.since == 0:
                self.began = time.monotonic_ns()
        self.since = time.monotonic_ns()
        end = time.monotonic() + PATIENCE
        while not self.satisfied() and time.monotonic() < end and self.viewer.process.poll() is None:
            if self.has(lambda e: e["e"] in ("error", "eos")):
                break
            try:
                self.arrived.get(timeout=0.1)
            except queue.Empty:
                pass
        self.quit()

    def quit(self):
        if self.monitor:
            self.viewer.process.terminate()
        else:
            self.viewer.say("quit")

    # ---- the end

    def faults(self):
        status = self.viewer.wait(30)
        if status is None:
            yield "hangs:\n" + self.stacks()
            return
        ends = [e for e in self.events if e["e"] == "end"]
        if status != 0 or not (ends or self.monitor):
            yield "ended with %d: %s" % (status, "".join(self.viewer.errors[-8:]))
            return
        yield from judge.left(ends[0]) if ends else ()
        yield from judge.wrong(self.events, self.subject, self.since)
        if not self.satisfied():
            yield "came to \"%s\", not %s" % (" ".join(sorted(self.outcome())) or "nothing", self.row.must_text)

    def failed_calls(self):
        """How many calls the shim let fail."""
        with open(os.path.join(self.folder, "control"), "rb") as file:
            return sum(struct.unpack("10q", file.read(80))[7:])

    def stacks(self):
        if not shutil.which("gdb"):
            return "(no gdb to print stacks with)"
        return subprocess.run(["gdb", "-batch", "-p", str(self.viewer.process.pid), "-ex", "thread apply all bt 20"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def close(self):
        for program in (self.viewer, self.camera):
            if program and program.process.poll() is None:
                program.process.kill()
        if self.wire:
            self.wire.close()
        if self.holder:
            self.holder.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    name, seed, tools = sys.argv[1:4]
    start, faults = time.monotonic(), []
    run = Run(table.read()[name], seed, os.path.abspath(tools))
    try:
        run.start()
        run.play()
        faults = list(run.faults())
    except Wrong as error:
        faults = [str(error)]
        if run.viewer:
            run.quit()
            faults += run.faults()
    finally:
        if "--verbose" in sys.argv:
            for event in run.events:
                print(json.dumps(event))
            print("".join(run.viewer.errors) if run.viewer else "")
            print("".join(run.camera.errors) if run.camera else "")
        failed = run.failed_calls() if run.subject.shim else 0
        run.close()
    print(json.dumps({"outcome": sorted(run.outcome()), "faults": faults, "seconds": round(time.monotonic() - start, 1),
                      "answers": sum(e["e"] == "answer" for e in run.events), "told": sum(e["e"] == "told" for e in run.events), "failed_calls": failed}))


if __name__ == "__main__":
    main()
