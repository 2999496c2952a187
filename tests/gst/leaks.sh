#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs pipelines under GStreamer's leaks tracer: no object, buffer, event or message may outlive them.
#
#     leaks.sh [PLUGIN]    the file of llavaovoverlay, where it is built
lines=0
failed=0

try() {
    lines=$((lines + 1))
    log=$(GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 timeout 60 gst-launch-1.0 "$@" 2>&1)
    if printf '%s\n' "$log" | grep -q 'CRITICAL\|object-alive, '; then
        # The tracer's own format line names "object-alive, type-name=(string)%s".
        leaks=$(printf '%s\n' "$log" | grep 'CRITICAL\|object-alive, ' | grep -v 'new format string')
        if [ -n "$leaks" ]; then
            printf 'leaked by: %s\n%s\n' "$*" "$leaks"
            failed=1
        fi
    fi
}

raw="videotestsrc num-buffers=40 ! video/x-raw,width=64,height=48,framerate=10/1"
ask="llavaov device=fake: window=1000000000 frames=2"
# shellcheck disable=SC2086
{
    try $raw ! $ask ! fakesink
    try $raw ! $ask meta-mode=sticky ! fakesink
    try $raw ! $ask sampling=clip ! fakesink
    try $raw ! jpegenc ! $ask name=l ! fakesink l.text ! webvttenc ! fakesink
    try $raw ! $ask name=l ! fakesink l.text ! application/x-json ! fakesink
    try $raw ! tee name=t t. ! queue ! $ask ! fakesink t. ! queue ! $ask meta-mode=sticky ! fakesink
    try videotestsrc is-live=true num-buffers=30 ! llavaov device=fake:answer-ms=300 window=100000000 ! fakesink
    try videotestsrc num-buffers=1 ! pngenc ! $ask ! fakesink
    try $raw ! $ask trigger=motion+event lookback=500000000 max-interval=1000000000 stream-tokens=true ! fakesink
    try $raw ! jpegenc ! $ask trigger=motion lookback=500000000 max-interval=1000000000 ! fakesink
    try videotestsrc is-live=true pattern=ball num-buffers=60 ! llavaov device=fake:text-ms=5 trigger=motion lookback=50000000 window=100000000 frames=2 stream-tokens=true ! fakesink
    try $raw ! x264enc key-int-max=10 bframes=2 b-adapt=false ! h264parse ! matroskamux ! $ask decode=keyframes ! fakesink
    try $raw ! x264enc key-int-max=40 intra-refresh=true ! h264parse ! $ask window=500000000 decode=auto ! fakesink
    try $raw ! $ask enabled=false ! fakesink
    if [ -n "$1" ]; then
        try --gst-plugin-load="$1" $raw ! $ask ! llavaovoverlay ! fakesink
        try --gst-plugin-load="$1" $raw,format=NV12 ! $ask meta-mode=sticky ! llavaovoverlay ! llavaovoverlay position=top ! videoconvert ! fakesink
    fi
    try $raw ! llavaov precision=int3 ! fakesink
    try $raw ! llavaov device=fake:load-error=io ! fakesink
    try $raw ! llavaov device=fake:ask-error=numeric window=1000000000 ! fakesink
    try $raw ! llavaov device=fake:load-ms=3000 ! fakesink
}
echo "$lines pipelines"
exit $failed
