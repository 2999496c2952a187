# SPDX-License-Identifier: Apache-2.0
"""The engine's template interpreter as a child process (tests/text/jinja_batch.c)."""
import json
import os
import struct
import subprocess


class Refused(Exception):
    """The engine's error; .status is its code's number."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Server:
    def __init__(self, build):
        self.process = subprocess.Popen(
            [os.path.join(build, "tests/text/jinja-batch")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def _ask(self, operation, payload):
        self.process.stdin.write(operation + struct.pack("<I", len(payload)) + payload + b"f" + struct.pack("<I", 0))
        self.process.stdin.flush()
        head = self._read(5)
        text = self._read(struct.unpack("<I", head[1:])[0])
        if head[0]:
            raise Refused(-head[0], text.decode("utf-8", "replace"))
        return text

    def _read(self, n):
        data = self.process.stdout.read(n)
        if len(data) != n:
            raise RuntimeError(f"jinja-batch ended: {self.process.wait()}")
        return data

    def compile(self, source):
        self._ask(b"c", source.encode())

    def render(self, variables, now=None):
        """The text, and its spans as [(text, whether it is the user's)]."""
        request = {"variables": variables}
        if now is not None:
            t = now.timetuple()
            request["now"] = [t.tm_year, t.tm_mon, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, t.tm_wday, t.tm_yday]
        text = self._ask(b"r", json.dumps(request).encode())
        spans, end = [], 0
        for _ in range(struct.unpack("<I", self._read(4))[0]):
            start, n, user = struct.unpack("<IIB", self._read(9))
            assert start == end and n > 0 and (not spans or spans[-1][1] != bool(user)), "spans"
            spans.append((text[start : start + n].decode(), bool(user)))
            end = start + n
        assert end == len(text), "spans"
        return text.decode(), spans
