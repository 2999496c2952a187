#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What decode=keyframes saves: processor time of pipelines that decode and ask nothing, in the shell of `meson devenv -C build`.

    decode.py [--seconds 60] [--width 1280] [--height 720] [--gop 50] [--runs 3]

The decoder's time is that of the whole process, less that of the same pipeline on the clip's first picture (loading), and less what it takes to
parse the rest and throw it away; the median of several runs. Limit: with a keyframe every two seconds 0.15 of all frames.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

# A picture that moves, with a sensor's noise.
VIDEO = ("videotestsrc pattern=smpte100 horizontal-speed=2 num-buffers={n} ! {caps} ! mixer. "
         "videotestsrc pattern=snow num-buffers={n} ! {caps} ! mixer. compositor name=mixer sink_1::alpha=0.08 ! {caps}")
CAPS = "video/x-raw,format=I420,width=%d,height=%d,framerate=25/1"
STREAMS = [
    ("H.264", "x264enc speed-preset=veryfast bitrate=4000 key-int-max=%d bframes=0 option-string=scenecut=0 ! h264parse", "h264parse"),
    ("H.264, B-frames",
     "x264enc speed-preset=veryfast bitrate=4000 key-int-max=%d bframes=3 b-adapt=false option-string=scenecut=0 ! h264parse",
     "h264parse"),
    ("H.265", "x265enc speed-preset=ultrafast bitrate=2500 key-int-max=%d option-string=bframes=0:scenecut=0 ! h265parse", "h265parse"),
    ("H.265, B-frames",
     "x265enc speed-preset=ultrafast bitrate=2500 key-int-max=%d option-string=bframes=3:b-adapt=0:scenecut=0 ! h265parse", "h265parse"),
]
# name, muxer, what is between the file and llavaov, and between that and a parser. %s: 264 or 265
WAYS = [("mp4", "mp4mux", "", "qtdemux ! "), ("ts", "mpegtsmux", "", "tsdemux ! "),
        ("RTP", "mp4mux", "qtdemux ! h%sparse ! rtph%spay config-interval=-1 ! ", "rtph%sdepay ! ")]
LLAVAOV = "llavaov enabled=false decode=%s ! fakesink"


def processor_time(line):
    """Seconds of all threads of gst-launch-1.0."""
    before = os.times()
    subprocess.run(["gst-launch-1.0", "-q"] + line.split(), check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, value in (("seconds", 20), ("width", 1280), ("height", 720), ("gop", 50), ("runs", 3)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    good = True

    def encode(n, encoder, path):
        video = VIDEO.format(n=n, caps=CAPS % (options.width, options.height))
        processor_time("%s ! %s ! matroskamux ! filesink location=%s" % (video, encoder % options.gop, path))

    def median(line, *paths):
        """Of the first path, less that of the second."""
        return statistics.median(processor_time(line % paths[0]) - processor_time(line % paths[1]) for _ in range(options.runs))

    print("| stream | keyframes | all, s | keyframes, s | of all |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, encoder, parse in STREAMS:
            clip, first = os.path.join(folder, "clip"), os.path.join(folder, "first")
            encode(options.seconds * 25, encoder, clip)
            encode(1, encoder, first)
            for way, muxer, front, behind in WAYS:
                front, behind = (text.replace("%s", parse[1:4]) for text in (front, behind))
                paths = ["%s.%s" % (path, way) for path in (clip, first)]
                for path, muxed in zip((clip, first), paths):
                    processor_time("filesrc location=%s ! matroskademux ! %s ! %s ! filesink location=%s" % (path, parse, muxer, muxed))
                parsed = median("filesrc location=%%s ! %s%s%s ! fakesink" % (front, behind, parse), *paths)
                times = [median("filesrc location=%%s ! %s%s" % (front, LLAVAOV % mode), *paths) - parsed for mode in ("all", "keyframes")]
                good &= times[1] <= 0.15 * times[0]
                print("| %s, %s | every %.1f s | %.2f | %.2f | %.3f |"
                      % (name, way, options.gop / 25, times[0], times[1], times[1] / times[0]), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
