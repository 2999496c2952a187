# SPDX-License-Identifier: Apache-2.0
"""What is run: the lines of viewers, the cameras and files that they look at, and the windows that are asked about."""
import dataclasses
import os
import shutil
import struct
import subprocess
import threading
import time

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models/camera-check")
CAMERA, VIEWER = "10.77.0.2", "10.77.0.1"


@dataclasses.dataclass
class Window:
    length: int = 400_000_000
    frames: int = 4
    live: bool = True
    echo: bool = True      # the fake engine, which says what it saw
    slack: float = 2.5     # steps of 100 ms that a picture may be off: rtpjitterbuffer smooths times out
    oldest: float = 3.0    # s
    tail: float = 2.0      # s that an answer may take: windows may still be open, or under way, when a run is ended
    uptime: bool = False   # frames may bear the machine's uptime for a moment
    colours: bool = False  # the picture's colour is that of its window


@dataclasses.dataclass
class Subject:
    line: object           # for gst_parse_launch(), or arguments of camera-monitor
    window: Window
    camera: list = None    # arguments of the camera program
    plugin: str = "tests/fake/engine"
    shim: bool = False
    wrong_text: bool = False  # answers may say anything


def ask(window, device="fake:", more=""):
    return "llavaov name=l device=%s prompt=q window=%d frames=%d %s" % (device, window.length, window.frames, more)


SINK = " ! fakesink name=sink sync=false"


def plugin_of(device):
    """The folder of the plugin with the real engine: the one that is installed knows no fake device."""
    return "tests/fake/device" if device.startswith("fake") else "gst"


def registry(build, plugin):
    return os.path.join(build, "tests/faults/registry-%s.bin" % os.path.basename(plugin))


def rtsp(protocol="udp", codec="h264", device="fake:", more="", source="", slack=6, **window):
    w = Window(slack=slack, **window)  # rtpjitterbuffer smooths times out, the more the busier the machine is
    line = "rtspsrc location=rtsp://%s:8554/cam protocols=%s latency=100 %s %s ! %s%s" % (
        CAMERA, protocol, source, "tcp-timeout=4000000" if protocol == "tcp" else "timeout=2000000", ask(w, device, more), SINK)
    return Subject(line, w, ["--codec", codec])


# ---- other networks

STAMPED = ("videotestsrc is-live=true pattern=black ! video/x-raw,format=I420,width=160,height=120,framerate=10/1 ! "
           "identity name=stamp ! ")
X264 = "x264enc tune=zerolatency speed-preset=ultrafast threads=1 key-int-max=5 ! "


def transport():
    """MPEG-TS over UDP, as from an encoder."""
    w = Window(slack=20)  # tsdemux guesses the times of what was lost
    return Subject("udpsrc port=5000 caps=\"video/mpegts,systemstream=true\" ! %s%s" % (ask(w), SINK), w,
                   ["--launch", STAMPED + X264 + "mpegtsmux alignment=7 ! udpsink sync=false host=%s port=5000" % VIEWER])


def multipart():
    """JPEG pictures in parts over TCP, as from cheap cameras."""
    w = Window(slack=20, oldest=6, uptime=True)  # timed as they arrive
    return Subject("tcpclientsrc host=%s port=5001 do-timestamp=true ! multipartdemux ! %s%s" % (CAMERA, ask(w), SINK), w,
                   ["--launch", STAMPED + "jpegenc ! multipartmux ! tcpserversink sync=false host=0.0.0.0 port=5001"])


def two_cameras():
    """One pipeline looks at the same camera twice."""
    w = Window(slack=20)  # TCP holds what is behind a loss
    line = " ".join("rtspsrc location=rtsp://%s:8554/cam protocols=%s latency=100 timeout=2000000 ! %s ! fakesink sync=false" % (
        CAMERA, protocol, ask(w).replace("name=l", "name=" + protocol)) for protocol in ("udp", "tcp"))
    return Subject(line, w, ["--codec", "h264"])


def monitor(codec="h264", uri="cam"):
    """camera-monitor, which comes back when its camera does."""
    w = Window()
    return Subject(["--stall", "2", "--set", "window=%d" % w.length, "--set", "frames=%d" % w.frames, "--set", "device=fake:",
                    "rtsp://%s:8554/%s" % (CAMERA, uri), "q"], w, ["--codec", codec])


# ---- files

MUXERS = {"mp4": "mp4mux", "mkv": "matroskamux", "ts": "mpegtsmux", "avi": "avimux", "jpegs": "multipartmux"}
WHERE = "videotestsrc num-buffers=60 pattern=%s ! video/x-raw,format=I420,width=160,height=120,framerate=10/1 ! identity name=%s ! "


def make_file(run, name, mark="stamp", pattern="black"):
    path = os.path.join(run.folder, name)
    kind = name.rsplit(".", 1)[1]
    coder = "jpegenc ! " if kind in ("jpegs", "avi") else "x264enc speed-preset=ultrafast threads=1 key-int-max=10 bframes=0 ! h264parse ! "
    command = [os.path.join(run.tools, "tests/faults/camera"), "--launch",
               WHERE % (pattern, mark) + coder + MUXERS[kind] + " ! filesink location=" + path]
    env = run.environment()
    env.pop("GST_TRACERS")
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    return path


def clip(run, name, sync=True, source="filesrc location=%s", tail=None, pattern="black", **window):
    """A file of six seconds. sync: as fast as it plays, so that there is time for faults."""
    w = Window(live=False, slack=1.0, **window)
    run.path = make_file(run, name, pattern=pattern)
    line = source % run.path + " ! %s%s" % (ask(w), tail or " ! fakesink name=sink sync=%s" % str(sync).lower())
    return Subject(line, w, shim=True)


# ---- the real engine

def colours(run, device="cpu", model=None, sync=False, more=""):
    """camera-check on a file whose colour changes with every window; it says which."""
    w = Window(length=500_000_000, frames=4, live=False, echo=False, colours=True)
    path = make_file(run, "colours.avi", "paint")
    line = "filesrc location=%s ! llavaov name=l device=%s %s prompt=\"What color is the picture?\" window=%d frames=%d %s ! " \
           "fakesink name=sink sync=%s" % (path, device, "model-path=" + model if model else "", w.length, w.frames, more,
                                           str(sync).lower())
    return Subject(line, w, plugin=plugin_of(device), shim=True)


def live(run, device="cpu", model=None, **window):
    """The real engine on a live source, whose answers' frames count."""
    w = Window(echo=False, **window)
    return Subject("videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=10/1 ! %s%s" % (
        ask(w, device, "model-path=" + model if model else ""), SINK), w, plugin=plugin_of(device), shim=True)


def shared(run):
    """Two live elements on one engine."""
    w = Window(echo=False)
    device = "fake:lost-after=%d" % run.random.randint(1, 3000)
    return Subject(" ".join("videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=10/1 ! %s ! fakesink sync=false" %
                            ask(w, device).replace("name=l", "name=l%d" % i) for i in (1, 2)), w, plugin=plugin_of(device), shim=True)


def model_copy(run):
    """A folder of its own, which may be spoiled."""
    folder = os.path.join(run.folder, "model")
    shutil.copytree(MODEL, folder)
    return folder


OPERATIONS = ("patch_embedding layer_norm attention_full pool_bilinear linear copy embed_tokens rms_norm rope_store "
              "attention_causal linear_gated").split()


def spoiled(run, effect, most=400):
    """A device on which one call of some operation goes wrong."""
    return "fake:%s=%s@%d" % (effect, run.random.choice(OPERATIONS), run.random.randint(1, most))


SUBJECTS = {
    "rtsp-udp": lambda run: rtsp(),
    # Behind a pause rtpjitterbuffer gives times anew, by what arrives; buffer-mode=none takes the sender's.
    "rtsp-udp-loose": lambda run: rtsp(slack=20),
    "rtsp-udp-exact": lambda run: rtsp(source="buffer-mode=none", slack=1.5),
    "rtsp-udp-shim": lambda run: dataclasses.replace(rtsp(), shim=True),
    "rtsp-udp-shim-loose": lambda run: dataclasses.replace(rtsp(slack=20), shim=True),
    "rtsp-tcp": lambda run: rtsp("tcp"),
    "rtsp-tcp-loose": lambda run: rtsp("tcp", slack=40, oldest=9),
    "jpeg-udp": lambda run: rtsp(codec="mjpeg", echo=False),
    # rtspsrc wants a sink that does not wait for a frame in PAUSED, while it asks the camera for none.
    "rtsp-udp-paused": lambda run: (lambda s: dataclasses.replace(s, line=s.line + " async=false"))(rtsp(slack=20)),
    "noise-udp": lambda run: rtsp(codec="mjpeg-noise"),
    "noise-udp-loose": lambda run: rtsp(codec="mjpeg-noise", slack=20),
    "noise-h264": lambda run: rtsp(codec="noise", echo=False),
    "gop": lambda run: rtsp(codec="gop", echo=False),
    "no-keys": lambda run: rtsp(codec="no-keys", echo=False),
    "keyframes": lambda run: rtsp(codec="gop", echo=False, length=1_500_000_000, more="decode=keyframes", tail=4.0),
    "no-keyframes": lambda run: rtsp(codec="no-keys", echo=False, more="decode=auto"),
    "audio": lambda run: rtsp(codec="audio"),
    "audio-first": lambda run: rtsp(codec="audio-first"),
    "lies-codec": lambda run: rtsp(codec="lies-codec"),
    "lies-size": lambda run: rtsp(codec="lies-size"),
    "wrap-time": lambda run: rtsp(codec="wrap-time"),
    "wrap-sequence": lambda run: rtsp(codec="wrap-sequence"),
    "slow-answers": lambda run: rtsp(device="fake:answer-ms=1000", tail=6.0),
    "two-cameras": lambda run: two_cameras(),
    "monitor": lambda run: monitor(),
    "transport": lambda run: transport(),
    "multipart": lambda run: multipart(),
    "mp4": lambda run: clip(run, "clip.mp4"),
    "mkv": lambda run: clip(run, "clip.mkv"),
    "ts": lambda run: clip(run, "clip.ts"),
    "avi": lambda run: clip(run, "clip.avi"),
    "jpegs": lambda run: clip(run, "clip.jpegs", source="filesrc location=%s ! multipartdemux ! "
                              "image/jpeg,framerate=10/1 "),
    "large": lambda run: clip(run, "clip.mkv", pattern="snow"),
    "noise-mkv": lambda run: clip(run, "clip.mkv", sync=False, echo=False),
    "noise-mp4": lambda run: clip(run, "clip.mp4", sync=False, echo=False),
    "noise-ts": lambda run: clip(run, "clip.ts", sync=False, echo=False),
    "pipe": lambda run: clip(run, "clip.ts", source="fdsrc name=%s fd=9"),
    "video-to-disk": lambda run: clip(run, "clip.mkv", tail=" ! identity sync=true ! filesink name=sink location=%s/disk/out" % run.folder),
    "text-to-disk": lambda run: clip(run, "clip.mkv", tail=" ! fakesink name=sink sync=true l.text ! application/x-json ! "
                                     "filesink buffer-mode=unbuffered location=%s/disk/out" % run.folder),
    "colours": lambda run: colours(run),
    "colours-played": lambda run: colours(run, sync=True),
    "live": lambda run: live(run),
    "live-fake": lambda run: live(run, device="fake"),
    "model": lambda run: live(run, model=model_copy(run)),
    "engine-slow": lambda run: live(run, "fake:prefill-ms=%d" % run.random.randint(300, 2000), tail=9.0),
    "engine-slow-file": lambda run: colours(run, "fake:prefill-ms=%d" % run.random.randint(50, 300)),
    "engine-stuck": lambda run: live(run, "fake:prefill-ms=100000"),
    "engine-fails": lambda run: colours(run, spoiled(run, "fail")),
    "engine-memory": lambda run: colours(run, spoiled(run, "memory")),
    "engine-nan": lambda run: colours(run, spoiled(run, "nan")),
    "engine-zero": lambda run: dataclasses.replace(colours(run, spoiled(run, "zero")), wrong_text=True),
    "engine-lost": lambda run: colours(run, "fake:lost-after=%d" % run.random.randint(1, 4000)),
    "engine-lost-live": lambda run: live(run, "fake:lost-after=%d" % run.random.randint(200, 4000)),
    "engine-lost-loading": lambda run: live(run, "fake:fail=weight_load@%d" % run.random.randint(1, 60)),
    "engine-no-open": lambda run: live(run, "fake:load-error=" + run.random.choice(("memory", "device"))),
    "engine-no-cache": lambda run: live(run, "fake:memory=kv_open@1"),
    "engine-no-tensor": lambda run: colours(run, "fake:memory=tensor_alloc@%d" % run.random.randint(1, 60)),
    "engine-shared": shared,
}


def make(name, run):
    return SUBJECTS[name](run)


# ---- steps on files

def spoil_file(run, verb, rest):
    with open(run.path, "rb") as file:
        data = bytearray(file.read())
    if verb == "cut":          # somewhere behind its first tenth, or where the table says
        share = float(rest[0]) if rest else run.random.uniform(0.1, 0.95)
        data = data[:int(len(data) * share)]
    elif verb == "zeros":
        data = bytearray(len(data))
    elif verb == "noise":      # so many bytes, behind the header
        for _ in range(int(rest[0])):
            data[run.random.randrange(len(data) // 10, len(data))] = run.random.randrange(256)
    with open(run.path, "r+b") as file:
        file.write(data)
        file.truncate(len(data))


def grow(run, share):
    """The rest of the file comes while it is read."""
    with open(run.path, "rb") as file:
        data = file.read()
    start = int(len(data) * share)
    os.truncate(run.path, start)

    def write():
        with open(run.path, "ab", buffering=0) as file:
            for at in range(start, len(data), 1880):
                file.write(data[at:at + 1880])
                time.sleep(0.01)
    threading.Thread(target=write, daemon=True).start()


def feed_pipe(run):
    """The file through a pipe, in pieces that come slowly."""
    reading, writing = os.pipe()
    run.pass_as_9 = reading
    with open(run.path, "rb") as file:
        data = file.read()

    def write():
        with open(writing, "wb", buffering=0) as pipe:
            for at in range(0, len(data), max(1, len(data) // 40)):
                time.sleep(run.random.uniform(0, 0.1))
                try:
                    pipe.write(data[at:at + max(1, len(data) // 40)])
                except OSError:
                    return
    threading.Thread(target=write, daemon=True).start()


CONTROL = ("clock", "allocations", "threads", "opens", "delay", "broken", "once")


def set_shim(run, words):
    with open(os.path.join(run.folder, "control"), "r+b") as file:
        for word in words:
            name, value = word.split("=")
            if "-" in value[1:]:
                low, high = map(int, value.split("-"))
                value = run.random.randint(low, high)
            file.seek(8 * CONTROL.index(name))
            file.write(struct.pack("q", int(value)))


def step(run, verb, rest):
    if verb in ("cut", "zeros", "noise"):
        spoil_file(run, verb, rest)
    elif verb == "grow":
        grow(run, float(rest[0]))
    elif verb == "pipe":
        feed_pipe(run)
    elif verb == "remove":
        os.unlink(run.path)
    elif verb == "shim":
        set_shim(run, rest)
    elif verb == "disk":       # of so many KiB
        os.mkdir(os.path.join(run.folder, "disk"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%sk" % rest[0], "none", os.path.join(run.folder, "disk")], check=True)
    elif verb == "model":
        change_model(os.path.join(run.folder, "model"), rest[0])
    else:
        raise ValueError("the table says \"%s\"" % verb)


def change_model(folder, how):
    weights = next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".safetensors"))
    if how == "removed":
        shutil.rmtree(folder)
        return
    with open(weights, "rb") as file:
        data = file.read()
    with open(weights + ".new", "wb") as file:
        file.write(data if how == "same" else data[:len(data) // 2])
    os.rename(weights + ".new", weights)
