#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten who look all the time, with pictures, for as long as they like: the live video does not notice. Four cameras run with nobody
looking, then with ten event streams that are read and ten more that are not, each of the first asking for every picture a second;
of both halves frames, windows and drops are counted.

    clients.py CAMERA-MONITOR RTSP-SERVER [SECONDS-A-HALF]
"""
import re
import socket
import sys
import threading
import time
import urllib.parse

from program import BALL, Checks, Monitor, Server, request

CAMERAS = 4


def counts(port):
    """Sums over all cameras, and of answers' latency the sum."""
    text = request(port, "/metrics")[2].decode()
    return {name: sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(name + r"(\{|$| )", line))
            for name in ("llavaov_frames_seen_total", "llavaov_windows_total", "llavaov_dropped_windows_total", "llavaov_answers_total",
                         "llavaov_failed_windows_total", "llavaov_answer_latency_seconds_sum", "llavaov_answer_latency_seconds_count",
                         "llavaov_stream_reconnects_total", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds")}


class Looker(threading.Thread):
    def __init__(self, port, names):
        super().__init__(daemon=True)
        self.port, self.names, self.going, self.bytes, self.pictures = port, names, True, 0, 0
        self.one = stream(port)
        self.one.settimeout(0.2)

    def run(self):
        after = dict.fromkeys(self.names, "0")
        due = time.monotonic()
        while self.going:
            try:
                self.bytes += len(self.one.recv(65536))
            except TimeoutError:
                pass
            if time.monotonic() < due:
                continue
            due += 1
            for name in self.names:
                status, headers, body = request(self.port, "/picture?camera=%s&after=%s" % (urllib.parse.quote(name), after[name]), timeout=20)
                if status == 200:
                    after[name] = headers["X-Picture"]
                    self.pictures += 1
                    assert body[:2] == b"\xff\xd8", body[:20]


def stream(port):
    one = socket.create_connection(("127.0.0.1", port), 10)
    one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return one


def half(port, seconds):
    before = counts(port)
    time.sleep(seconds)
    after = counts(port)
    return {name: after[name] - before[name] for name in after}, after


def main():
    program, server_program = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 60
    check = Checks()
    names = ["camera %d" % i for i in range(CAMERAS)]
    with Server(server_program, source=BALL) as server:
        monitor = Monitor(program, {"page": {"address": "127.0.0.1:0"}, "cameras": [
            {"name": name, "uri": "rtsp://127.0.0.1:%d/mjpeg" % server.port, "prompt": "Is the picture black?", "choices": ["yes", "no"],
             "window": 2000000000, "frames": 2} for name in names]})
        port = monitor.port("page")
        monitor.until(lambda: len({r["stream"] for r in monitor.answers()}) == CAMERAS, "all answer")
        time.sleep(5)
        alone, level = half(port, seconds)
        memory_before = level["process_resident_memory_bytes"]
        lookers = [Looker(port, names) for _ in range(10)]
        deaf = [stream(port) for _ in range(10)]
        for looker in lookers:
            looker.start()
        time.sleep(5)
        watched, level = half(port, seconds)
        for looker in lookers:
            looker.going = False
        for looker in lookers:
            looker.join(30)
        pictures = sum(looker.pictures for looker in lookers)
        check(all(looker.bytes > 1000 for looker in lookers), "all were told")
        check(pictures > 10 * CAMERAS * seconds / 3, "%d pictures were sent" % pictures)
        for one in deaf:
            one.close()
        status = monitor.stop()
    for name in alone:
        print("     %-42s %12.2f alone %12.2f watched" % (name, alone[name], watched[name]))
    frames = [half_["llavaov_frames_seen_total"] for half_ in (alone, watched)]
    check(abs(frames[1] - frames[0]) <= max(0.02 * frames[0], 15 * CAMERAS), "frames: as many", frames)
    check(abs(watched["llavaov_windows_total"] - alone["llavaov_windows_total"]) <= 2 * CAMERAS, "windows: as many")
    check(watched["llavaov_dropped_windows_total"] <= alone["llavaov_dropped_windows_total"], "none dropped for it")
    check(alone["llavaov_stream_reconnects_total"] + watched["llavaov_stream_reconnects_total"] == 0, "no camera was lost")
    check(level["process_resident_memory_bytes"] - memory_before < 32 << 20, "bounded memory", (memory_before, level))
    check(status == 0, "camera-monitor ends", monitor.said[-5:])
    print("%d failed" % check.failed)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
