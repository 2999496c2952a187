#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""camera-monitor as a service, with real cameras on loopback: readiness, watchdog and reload against a stand-in for systemd's
socket, cameras that a reload does not touch, an end within two seconds with everything in the spool, refused credentials.

    service.py CAMERA-MONITOR RTSP-SERVER
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "live"))
import places  # noqa: E402
from gstlaunch import PATIENCE, Server, environment  # noqa: E402

SOURCE = "videotestsrc is-live=true pattern=%s ! video/x-raw,width=320,height=240,framerate=15/1"
FAST = {"window": 500000000, "frames": 2, "max-pending": 64, "choices": ["yes", "no"]}
SECRET = "dasgeheimwort"


def check(good, what, found=""):
    print("%s %s" % ("ok  " if good else "FAIL", what), flush=True)
    if not good:
        print("    %s" % (found,), flush=True)
        check.failed = True
    return good


check.failed = False


class Monitor:
    """camera-monitor and what it says: records by their cameras, datagrams to systemd, standard error."""

    def __init__(self, program, *arguments, notify=None, more=None):
        self.records, self.errors, self.notices = [], [], []
        env = dict(environment(), **(more or {}))
        if notify:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(notify)
            env.update(NOTIFY_SOCKET=notify.replace("\0", "@"), WATCHDOG_USEC="200000")
            threading.Thread(target=self.listen, daemon=True).start()
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self.readers = [threading.Thread(target=self.read, args=pair, daemon=True) for pair in
                        ((self.process.stdout, self.records), (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()

    def listen(self):
        while True:
            self.notices.extend(self.socket.recv(4096).decode().split("\n"))

    @staticmethod
    def read(file, into):
        for line in file:
            into.append(json.loads(line) if line.startswith("{") else line.rstrip("\n"))

    def of(self, camera):
        return [record for record in self.records if record["stream"] == camera and "text" in record]

    def wait(self, what, why, seconds=30):
        end = time.monotonic() + seconds * PATIENCE
        while not what():
            if time.monotonic() > end or self.process.poll() is not None:
                check(False, why, "%s\n    status %s, notices %s" % ("\n    ".join(self.errors[-12:]), self.process.poll(), self.notices[-5:]))
                return False
            time.sleep(0.01)
        return True

    def end(self, how=signal.SIGTERM):
        """Its status, and the seconds that it took."""
        start = time.monotonic()
        self.process.send_signal(how)
        status = self.process.wait(60 * PATIENCE)
        took = time.monotonic() - start
        for reader in self.readers:
            reader.join()
        return status, took


def write(path, content):
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def spooled(folder):
    """The records of the spool's files."""
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jsonl"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found += [json.loads(line)["record"] for line in file]
    return found


def service(program, folder, uris):
    path, spool, out = (os.path.join(folder, name) for name in ("config.json", "spool", "out.jsonl"))
    gate = {"name": "gate", "uri": uris[0], "prompt": "Is the picture black?", **FAST}
    yard = {"name": "yard", "uri": uris[1], "prompt": "Is the picture black?", **FAST}
    config = {"cameras": [gate, yard], "sinks": ["file://" + out, "http://user:%s@127.0.0.1:%d/away" % (SECRET, places.free_port())],
              "spool": {"path": spool}}
    write(path, config)
    monitor = Monitor(program, "--config", path, notify="\0camera-monitor-%d" % os.getpid())
    monitor.wait(lambda: "READY=1" in monitor.notices, "it is ready")
    monitor.wait(lambda: len(monitor.of("gate")) >= 3 and len(monitor.of("yard")) >= 1, "cameras answer")
    check(monitor.notices.count("WATCHDOG=1") >= 3, "it pats the watchdog", monitor.notices)
    # What changed is started anew, what did not is not touched.
    config["cameras"] = [gate, dict(yard, prompt="What is shown?", choices=None), dict(yard, name="new")]
    write(path, config)
    monitor.process.send_signal(signal.SIGHUP)
    monitor.wait(lambda: monitor.notices.count("READY=1") == 2, "it is ready again")
    check("RELOADING=1" in monitor.notices and any(line.startswith("MONOTONIC_USEC=") for line in monitor.notices), "it says that it reloads",
          monitor.notices)
    before = len(monitor.of("gate"))
    monitor.wait(lambda: len(monitor.of("gate")) >= before + 3 and monitor.of("new") and
                 any(record["prompt"] == "What is shown?" for record in monitor.of("yard")), "the new cameras answer, too")
    # A broken one changes nothing.
    config["cameras"][0] = dict(gate, windo=1)
    write(path, config)
    monitor.process.send_signal(signal.SIGHUP)
    monitor.wait(lambda: monitor.notices.count("READY=1") == 3, "it goes on with a broken configuration")
    check(any("config.json:" in line and "/cameras/0/windo" in line for line in monitor.errors), "and says what is broken", monitor.errors)
    before = len(monitor.of("gate"))
    monitor.wait(lambda: len(monitor.of("gate")) >= before + 2, "cameras go on")
    status, took = monitor.end()
    check(status == 0 and took < 2 * PATIENCE, "it ends within two seconds", (status, took))
    check("STOPPING=1" in monitor.notices, "it says that it ends", monitor.notices)
    answers = monitor.of("gate")
    check([record["seq"] for record in answers] == list(range(len(answers))), "gate has every window, without a start in between",
          [record["seq"] for record in answers])
    times = [record["running-time"] for record in answers]
    check(all(b - a == FAST["window"] for a, b in zip(times, times[1:])) and answers[-1]["dropped-windows"] == 0, "and no frame is missing",
          times)
    keys = [record["key"] for record in monitor.records]
    with open(out, encoding="utf-8") as file:
        delivered = [json.loads(line)["key"] for line in file]
    check(set(keys) <= set(delivered) and len(set(delivered)) == len(delivered), "the file has every record once", len(keys))
    waiting = [record["key"] for record in spooled(spool)]
    check(set(keys) <= set(waiting), "and so has the spool, for the sink that is away", (len(keys), len(waiting)))
    check(not any(SECRET in line for line in monitor.errors), "no password is said", monitor.errors)


def refused(program, folder, uri):
    port = places.free_port()
    hook = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "hook.py"), str(port), os.path.join(folder, "hook")])
    places.wait_for(lambda: places.answers(port))
    monitor = Monitor(program, "--sink", "http://me:%s@127.0.0.1:%d/401?token=%s" % (SECRET, port, SECRET), "--set", "window=500000000",
                      "--set", "frames=1", uri, "q")
    try:
        status = monitor.process.wait(60 * PATIENCE)
    except subprocess.TimeoutExpired:
        status = None
        places.kill(monitor.process)
    for reader in monitor.readers:
        reader.join()
    check(status == 3 and any("refuses the credentials" in line for line in monitor.errors), "refused credentials end it with 3",
          (status, monitor.errors))
    check(not any(SECRET in line for line in monitor.errors), "without a password said", monitor.errors)
    places.kill(hook)


def main():
    program, server = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, Server(server, source=SOURCE % "black") as one, Server(server, source=SOURCE % "ball") as two:
        uris = ["rtsp://127.0.0.1:%d/h264" % one.port, "rtsp://127.0.0.1:%d/h264" % two.port]
        service(program, folder, uris)
        refused(program, folder, uris[0])
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
