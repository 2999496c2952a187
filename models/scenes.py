# SPDX-License-Identifier: Apache-2.0
"""Scenes of the camera check: seed -> parameters -> gst-launch-1.0 text.

    scene = make(seed)               # a dict, JSON-able
    pipeline(scene)                  # "videotestsrc ... ! ... ! video/x-raw,format=I420,..."
    pipeline(scene, seconds=8)       # with num-buffers

Standard library only; shared by the renderer, the demo clip and the tests.
The true answers come from truth.py."""
import random

from truth import COLOURS, TEXTURED

SIZES = ((160, 120), (176, 144), (320, 180), (320, 240), (352, 288), (480, 270), (426, 240),
         (480, 360), (640, 360), (640, 480), (640, 480), (800, 600), (854, 480), (960, 540),
         (1024, 576), (1280, 720), (1280, 960), (1920, 1080))
RATES = (5, 6, 8, 10, 12, 15, 20, 24, 25, 30, 30, 50)
BARS = ("smpte", "smpte75", "smpte100", "smpte-rp-219")
CHECKERS = ("checkers-1", "checkers-2", "checkers-4", "checkers-8")
PLAIN = ("black", "white", "red", "green", "blue")
CLASSES = ("ball", "plain", "bars", "snow", "checkers", "circular", "zone-plate", "gamut",
           "bar", "pinwheel", "spokes", "gradient", "colors", "blink", "foreign")
WEIGHTS = (42, 12, 8, 5, 4, 3, 4, 3, 3, 5, 5, 3, 3, 6, 4)
FOREIGN = ("goom", "goom2k1", "wavescope", "spacescope", "synaescope", "spectrascope", "page")
WORDS = ("river stone winter paper lamp engine garden window letter cloud train harbour bread "
         "mirror orange night market silver forest music bridge summer").split()


def luma(name):
    r, g, b = COLOURS[name][:3]
    return 0.299 * r + 0.587 * g + 0.114 * b


def argb(name):
    return "0xff%02x%02x%02x" % COLOURS[name][:3]


def colour_pair(rng):
    """Ball and background: at least 60 of 255 apart in luma (truth.md)."""
    while True:
        if rng.random() < 0.3:
            return "white", "black"
        fg, bg = rng.sample(sorted(COLOURS), 2)
        if rng.random() < 0.25:
            bg = "black"
        if abs(luma(fg) - luma(bg)) >= 60:
            return fg, bg


def make(seed, pattern=None, size=None, fps=None, plainly=False):
    """A scene from a seed. plainly: no codec, overlay, brightness or contrast."""
    rng = random.Random("scene-%s" % (seed,))
    p = pattern or rng.choices(CLASSES, WEIGHTS)[0]
    w, h = size or rng.choice(SIZES)
    s = {"seed": seed, "pattern": p, "gst": p, "width": w, "height": h,
         "fps": fps or rng.choice(RATES), "fg": None, "bg": None, "props": "", "blur": 0.0,
         "brightness": 0.0, "contrast": 1.0, "overlay": None, "codec": None}
    if p == "ball":
        s["fg"], s["bg"] = colour_pair(rng)
        s["motion"] = rng.choices(("wavy", "sweep", "hsweep", "hstrip", "vstrip", "still"),
                                  (34, 9, 9, 20, 18, 12))[0]
        s["strip"] = rng.randrange(0, (h if s["motion"] == "hstrip" else w) - 40, 2)
        s["still"] = (rng.randrange(0, w - 40, 2), rng.randrange(0, h - 40, 2))
        if s["motion"] == "still" and rng.random() < 0.3:
            s["still"] = ((w - 40) // 4 * 2, (h - 40) // 4 * 2)
    elif p == "plain":
        if rng.random() < 0.4:
            s["gst"] = s["fg"] = rng.choice(PLAIN)
        else:
            s["gst"], s["fg"] = "solid-color", rng.choice(sorted(COLOURS))
            if rng.random() < 0.12:
                s["gst"], s["fg"] = "zone-plate", "grey"      # no coefficients: flat grey
    elif p == "bars":
        s["gst"] = rng.choice(BARS)
    elif p == "checkers":
        s["gst"] = rng.choice(CHECKERS)
    elif p == "zone-plate":
        s["gst"] = rng.choice(("zone-plate", "zone-plate", "chroma-zone-plate"))
        k = rng.choice((10, 15, 20, 20, 25, 30))
        s["props"] = "kx2=%d ky2=%d kt=%d" % (k, k, rng.choice((0, 1, 1, 3)))
    elif p == "blink":
        s["fg"], s["bg"] = ("white", "black") if rng.random() < 0.75 else colour_pair(rng)
    elif p in ("pinwheel", "spokes"):
        s["props"] = "kt=%d" % rng.choice((0, 0, 3, 10, 30))
    elif p == "foreign":                         # pictures that are no test patterns
        s["gst"], s["fg"], s["bg"] = rng.choice(FOREIGN), *colour_pair(rng)
        s["props"] = " ".join(rng.choice(WORDS) for _ in range(rng.randint(20, 60)))
    if p in TEXTURED and rng.random() < 0.4:
        s["blur"] = round(rng.uniform(0.015, 0.03), 4)       # sigma, of the width
    if plainly:
        return s
    if rng.random() < 0.35:
        s["brightness"] = round(rng.uniform(-0.1, 0.1), 3)
        s["contrast"] = round(rng.uniform(0.8, 1.2), 3)
    if h >= 240 and rng.random() < 0.25:
        s["overlay"] = (rng.choice(("clockoverlay", "timeoverlay")), rng.choice(("left", "center", "right")),
                        rng.choice(("top", "bottom")))
    r = rng.random()
    if r < 0.5:
        s["codec"] = ("h264", rng.randint(18, 36))
    elif r < 0.68:
        s["codec"] = ("jpeg", rng.randint(40, 95))
    return s


def caps(s, size=None):
    w, h = size or (s["width"], s["height"])
    return "video/x-raw,format=I420,width=%d,height=%d,framerate=%d/1,pixel-aspect-ratio=1/1" % (w, h, s["fps"])


def source(s, buffers=-1):
    """The picture alone, without effects and codec."""
    n = "num-buffers=%d" % buffers
    colours = ""
    if s["fg"] and s["gst"] in ("ball", "blink", "solid-color"):
        colours = " foreground-color=" + argb(s["fg"])
        if s["bg"]:
            colours += " background-color=" + argb(s["bg"])
    if s["pattern"] == "foreign" and s["gst"] == "page":
        return ("videotestsrc %s pattern=solid-color foreground-color=%s ! %s ! textoverlay text=\"%s\" color=%d "
                "font-desc=\"Sans 26\" halignment=left valignment=top line-alignment=left wrap-mode=word shaded-background=false ! %s"
                % (n, argb(s["bg"]), caps(s), s["props"], int(argb(s["fg"]), 16), caps(s)))
    if s["pattern"] == "foreign":
        return ("audiotestsrc %s samplesperbuffer=%d wave=%s ! %s ! videorate ! videoconvert ! videoscale ! %s"
                % (n, 44100 // s["fps"], ("pink-noise", "sine", "ticks")[len(s["props"]) % 3], s["gst"], caps(s)))
    if s["pattern"] == "ball" and s["motion"] in ("hstrip", "vstrip", "still"):
        w, h = s["width"], s["height"]
        if s["motion"] == "hstrip":
            size, at = (w, 40), (0, s["strip"])
        elif s["motion"] == "vstrip":
            size, at = (40, h), (s["strip"], 0)
        else:
            size, at = (40, 40), s["still"]
        name = "mix%s" % str(s["seed"]).replace("-", "_")
        return ("videotestsrc %s pattern=solid-color foreground-color=%s ! %s ! %s.sink_0 "
                "videotestsrc %s pattern=ball%s ! %s ! %s.sink_1 "
                "compositor name=%s sink_1::xpos=%d sink_1::ypos=%d ! %s"
                % (n, argb(s["bg"]), caps(s), name, n, colours, caps(s, size), name,
                   name, at[0], at[1], caps(s)))
    motion = " motion=%s" % s["motion"] if s["pattern"] == "ball" else ""
    text = "videotestsrc %s pattern=%s%s%s %s" % (n, s["gst"], colours, motion, s["props"])
    if s["blur"]:      # gaussianblur's sigma ends at 20 pixels: blur small, then scale up
        w = min(s["width"], 480)
        h = max(2, s["height"] * w // s["width"] // 2 * 2)
        return ("%s ! %s ! videoconvert ! gaussianblur sigma=%.2f ! videoconvert ! videoscale ! %s"
                % (text.strip(), caps(s, (w, h)), s["blur"] * w, caps(s)))
    return "%s ! %s" % (text.strip(), caps(s))


def effects(s):
    """Brightness, contrast, clock; empty or ending in ' ! '."""
    text = ""
    if s["brightness"] or s["contrast"] != 1.0:
        text += "videobalance brightness=%s contrast=%s ! " % (s["brightness"], s["contrast"])
    if s["overlay"]:
        text += "%s halignment=%s valignment=%s ! " % tuple(s["overlay"])
    return text


def codec(s):
    """Encoder and decoder; empty or ending in ' ! '."""
    if not s["codec"]:
        return ""
    if s["codec"][0] == "jpeg":
        return "jpegenc quality=%d ! jpegdec ! videoconvert ! " % s["codec"][1]
    return ("x264enc pass=qual quantizer=%d speed-preset=superfast tune=zerolatency key-int-max=50 ! "
            "h264parse ! avdec_h264 ! videoconvert ! " % s["codec"][1])


def pipeline(s, seconds=None, stride=1):
    """Everything up to raw I420 frames, ready for ' ! llavaov ...'.

    stride > 1 keeps every stride-th frame before the codec (the renderer's)."""
    buffers = -1 if seconds is None else max(1, round(seconds * s["fps"]))
    if stride > 1:
        thin = caps(s).replace("framerate=%d/1" % s["fps"], "framerate=%d/%d" % (s["fps"], stride))
        more = effects(s) + codec(s)
        return "%s ! videorate drop-only=true ! %s%s" % (source(s, buffers), thin, " ! " + more + thin if more else "")
    more = effects(s) + codec(s)
    return source(s, buffers) + (" ! " + more + caps(s) if more else "")
