#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of camera-monitor's page that are slow on purpose: a byte of a request every second, a body that never ends, a connection
that is kept and not used. Each is ended in its time, and nobody else waits for it.

    slow.py CAMERA-MONITOR
"""
import socket
import sys
import time

from program import Checks, Monitor, request

HEAD = b"POST /api/prompt HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


def connect(port, data=b""):
    one = socket.create_connection(("127.0.0.1", port), 10)
    one.sendall(data)
    one.setblocking(False)
    return one


def is_ended(one, data):
    try:
        one.send(data)
        return one.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def main():
    check = Checks()
    monitor = Monitor(sys.argv[1], {"cameras": [{"name": "gate", "uri": "rtsp://127.0.0.1:1/x", "prompt": "q"}], "page": {"address": "127.0.0.1:0"}})
    port = monitor.port("page")
    begin = time.monotonic()
    slow = {"a header a byte at a time": (connect(port, b"GET / HTTP/1.1\r\nX-Long: "), b"x"),
            "a body a byte at a time": (connect(port, HEAD), b" "), "nothing at all": (connect(port), b"")}
    answers = 0
    while slow and time.monotonic() - begin < 40:
        time.sleep(1)
        begun = time.monotonic()
        answers += request(port, "/")[0] == 200 and time.monotonic() - begun < 2
        for name in list(slow):
            one, data = slow[name]
            if is_ended(one, data):
                took = time.monotonic() - begin
                check(10 < took < 30, "%s: ended after %.0f s" % (name, took))
                one.close()
                del slow[name]
    check(not slow, "all are ended", list(slow))
    check(answers > 15, "others are answered all the while", answers)
    check(b'llavaov_http_ended_total{server="page"} 3\n' in request(port, "/metrics")[2], "that is counted")
    check(monitor.stop() == 0, "camera-monitor ends", monitor.said[-5:])
    print("%d failed" % check.failed)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
