# SPDX-License-Identifier: Apache-2.0
"""What is run: the lines of viewers, the cameras and files that they look at, and the windows that are asked about."""
import dataclasses

CAMERA, VIEWER = "10.77.0.2", "10.77.0.1"


@dataclasses.dataclass
class Window:
    length: int = 400_000_000
    frames: int = 4
    live: bool = True
    echo: bool = True      # the scripted engine, which says what it saw
    slack: float = 2.5     # steps of 100 ms that a picture may be off: rtpjitterbuffer smooths times out
    oldest: float = 3.0    # s


@dataclasses.dataclass
class Subject:
    line: str
    window: Window
    camera: list = None    # arguments of the camera program
    engine: str = "scripted"


def ask(window, device="fake:", more=""):
    return "llavaov name=l device=%s prompt=q window=%d frames=%d %s" % (device, window.length, window.frames, more)


SINK = " ! fakesink name=sink sync=false"


def rtsp(protocol="udp", codec="h264", device="fake:", more="", source="", **window):
    w = Window(**window)
    line = "rtspsrc location=rtsp://%s:8554/cam protocols=%s latency=100 %s %s ! %s%s" % (
        CAMERA, protocol, source, "tcp-timeout=4000000" if protocol == "tcp" else "timeout=2000000", ask(w, device, more), SINK)
    return Subject(line, w, ["--codec", codec])


SUBJECTS = {
    "rtsp-udp": lambda run: rtsp(),
    # Behind a pause rtpjitterbuffer gives times anew, by what arrives; buffer-mode=none takes the sender's.
    "rtsp-udp-loose": lambda run: rtsp(slack=20),
    "rtsp-udp-exact": lambda run: rtsp(source="buffer-mode=none", slack=1.5),
    "rtsp-tcp": lambda run: rtsp("tcp"),
    "jpeg-udp": lambda run: rtsp(codec="mjpeg"),
    "noise-udp": lambda run: rtsp(codec="mjpeg-noise"),
    "audio": lambda run: rtsp(codec="audio"),
    "audio-first": lambda run: rtsp(codec="audio-first"),
}


def make(name, run):
    return SUBJECTS[name](run)


def step(run, verb, rest):
    raise ValueError("the table says \"%s\"" % verb)
