#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""camera-monitor outlives its cameras: the RTSP server is killed and started again at the same port.

    reconnect.py CAMERA-MONITOR RTSP-SERVER
"""
import json
import signal
import subprocess
import sys
import time

from gstlaunch import PATIENCE, Server, environment

SOURCE = "videotestsrc is-live=true pattern=%s ! video/x-raw,width=320,height=240,framerate=15/1"


def answers(monitor, count):
    """The next answers, as JSON objects. A line that is no answer is a fault."""
    out = []
    for _ in range(count):
        line = monitor.stdout.readline()
        if not line:
            raise SystemExit("camera-monitor ended")
        out.append(json.loads(line))
        print(out[-1]["stream"], out[-1]["prompt"], "->", out[-1]["text"], flush=True)
    return out


def main():
    program, server_program = sys.argv[1:]
    with Server(server_program, source=SOURCE % "snow") as steady:
        with Server(server_program, source=SOURCE % "ball") as mortal:
            port = mortal.port
            gone = "rtsp://127.0.0.1:%d/h264" % port
            monitor = subprocess.Popen(
                [program, "--set", "window=2000000000", "--set", "frames=4", "--stall", "3",
                 "rtsp://user:secret@127.0.0.1:%d/cam" % steady.port, "What is shown?", gone, "画面里有球吗？"],
                stdout=subprocess.PIPE, text=True, env=environment())
            seen = set()
            while len(seen) < 2:
                seen.add(answers(monitor, 1)[0]["stream"])
        # Killed. The other camera goes on, then the first comes back.
        answers(monitor, 2)
        with Server(server_program, port=port, source=SOURCE % "ball"):
            end = time.monotonic() + 60 * PATIENCE
            while answers(monitor, 1)[0]["stream"] != gone:
                if time.monotonic() > end:
                    raise SystemExit("the camera is back, but no answer came")
            monitor.send_signal(signal.SIGTERM)
            rest, _ = monitor.communicate(timeout=20 * PATIENCE)
    if "secret" in "".join(seen) or "secret" in rest:
        raise SystemExit("a password was printed")
    return monitor.returncode


if __name__ == "__main__":
    sys.exit(main())
