# SPDX-License-Identifier: Apache-2.0
"""camera-monitor and cameras for it, for the checks in this folder."""
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
from gstlaunch import PATIENCE, Server, environment  # noqa: E402,F401

BALL = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1"


class Monitor:
    """camera-monitor with a configuration; `page` and `metrics` are ports. Records are read as they come."""

    def __init__(self, program, config, *options):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "cameras.json")
        self.write(config)
        self.records, self.said, self.ports = [], [], {}
        self.process = subprocess.Popen([program, "--config", self.path, *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment())
        self.threads = [threading.Thread(target=self.read, args=(stream, take), daemon=True)
                        for stream, take in ((self.process.stdout, self.take_record), (self.process.stderr, self.take_line))]
        for thread in self.threads:
            thread.start()

    def write(self, config):
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(config, file)

    @staticmethod
    def read(stream, take):
        for line in stream:
            take(line)

    def take_record(self, line):
        self.records.append(json.loads(line))

    def take_line(self, line):
        self.said.append(line)
        found = re.match(r"camera-monitor: (page|metrics) at port (\d+) ", line)
        if found:
            self.ports[found.group(1)] = int(found.group(2))

    def port(self, what):
        self.until(lambda: what in self.ports, "%s is served" % what)
        return self.ports[what]

    def until(self, true, what, seconds=30):
        end = time.monotonic() + seconds * PATIENCE
        while not true():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("never: %s\n%s" % (what, "".join(self.said[-20:])))
            time.sleep(0.05)

    def answers(self, stream=None):
        return [r for r in self.records if "text" in r and stream in (None, r["stream"])]

    def stop(self):
        """Its exit status, of which 0 is good."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "killed"
        for thread in self.threads:
            thread.join(5)
        self.folder.cleanup()
        return self.process.returncode


def request(port, path, method="GET", body=None, headers=None, host=None, timeout=10):
    """(status, headers, body) of a request whose Host may be any."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * PATIENCE)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or "127.0.0.1:%d" % port)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


class Checks:
    """Counts what is wrong, and says it."""

    def __init__(self):
        self.failed = 0

    def __call__(self, good, what, found=""):
        print("%s %s%s" % ("ok  " if good else "FAIL", what, "" if good else "\n     %s" % (found,)), flush=True)
        self.failed += not good
        return good
