# SPDX-License-Identifier: Apache-2.0
"""A cable between two network namespaces that loses, repeats, reorders, delays, holds and throttles packets, or is cut.

Its ends are TAP devices, so that it takes whatever the kernel sends, and needs no queueing discipline of the kernel's."""
import fcntl
import heapq
import os
import select
import struct
import threading
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
# What may be set, in both directions; -out and -in behind a name: only what the viewer, or the camera, sends.
SETTINGS = {
    "loss": 0.0,       # share of packets that do not arrive
    "repeat": 0.0,     # share that arrives twice
    "reorder": 0.0,    # share that arrives 60 ms late, behind those that follow
    "delay": 0.0,      # s
    "jitter": 0.0,     # s, at most, on top
    "hold": 0.0,       # 1: nothing arrives until it is 0 again, then all at once
    "cut": 0.0,        # 1: nothing arrives, nobody is told
    "rate": 0.0,       # bytes a second, 0 = no limit; what waits longer than a second is lost
    "large": 0.0,      # 1: packets of more than 1,000 bytes do not arrive
}


def open_tap(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


class Wire:
    def __init__(self, names, random):
        self.ends = [open_tap(name) for name in names]
        self.random = random
        self.settings = [dict(SETTINGS), dict(SETTINGS)]  # of what comes from ends[0], from ends[1]
        self.held, self.late, self.busy, self.number = [[], []], [], [0.0, 0.0], 0
        self.lock = threading.Lock()
        self.wake = os.pipe()
        self.closed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def set(self, name, value):
        directions = (0, 1)
        if name.endswith("-out") or name.endswith("-in"):
            name, way = name.rsplit("-", 1)
            directions = (0,) if way == "out" else (1,)
        if name not in SETTINGS:
            raise ValueError("a wire has no " + name)
        with self.lock:
            for direction in directions:
                self.settings[direction][name] = value
        os.write(self.wake[1], b".")

    def close(self):
        self.closed = True
        os.write(self.wake[1], b".")
        self.thread.join()
        for descriptor in self.ends + list(self.wake):
            os.close(descriptor)

    def _later(self, direction, packet, at):
        self.number += 1
        heapq.heappush(self.late, (at, self.number, direction, packet))

    def _take(self, direction, packet):
        now, s, chance = time.monotonic(), self.settings[direction], self.random.random
        if s["cut"] or chance() < s["loss"] or (s["large"] and len(packet) > 1000):
            return
        if s["hold"]:
            self.held[direction].append(packet)
            return
        at = now + s["delay"] + s["jitter"] * chance()
        if chance() < s["reorder"]:
            at += 0.06
        if s["rate"]:
            start = max(self.busy[direction], now)
            if start > now + 1:
                return
            self.busy[direction] = start + len(packet) / s["rate"]
            at += self.busy[direction] - now
        self._later(direction, packet, at)
        if chance() < s["repeat"]:
            self._later(direction, packet, at)

    def _run(self):
        while not self.closed:
            with self.lock:
                left = self.late[0][0] - time.monotonic() if self.late else 1.0
            ready, _, _ = select.select(self.ends + [self.wake[0]], [], [], max(0, left))
            with self.lock:
                if self.wake[0] in ready:
                    os.read(self.wake[0], 100)
                for direction, end in enumerate(self.ends):
                    if end in ready:
                        self._read(direction, end)
                    if not self.settings[direction]["hold"]:
                        for packet in self.held[direction]:
                            self._later(direction, packet, 0)
                        self.held[direction].clear()
                while self.late and self.late[0][0] <= time.monotonic():
                    _, _, direction, packet = heapq.heappop(self.late)
                    self._write(self.ends[1 - direction], packet)

    def _read(self, direction, end):
        try:
            for _ in range(64):
                self._take(direction, os.read(end, 65536))
        except OSError:
            pass

    @staticmethod
    def _write(end, packet):
        try:
            os.write(end, packet)
        except OSError:  # an interface that is down
            pass
