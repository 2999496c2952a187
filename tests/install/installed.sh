#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The installed plugin works by itself: it finds the model that was installed with it, and knows no fake device.
#
#   installed.sh BUILD GST_PLUGINS_DIR
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
meson install -C "$1" --no-rebuild --quiet --destdir "$folder/root"
plugin=$(find "$folder/root" -name libgstllavaov.so)

# Only what the line needs: looking through all of GStreamer's plugins would take longer than the test.
mkdir "$folder/plugins"
for name in coreelements videotestsrc; do
    ln -s "$2/libgst$name.so" "$folder/plugins/"
done
unset LLAVAOV_MODEL GST_PLUGIN_PATH
export GST_REGISTRY_1_0="$folder/registry.bin" GST_PLUGIN_SYSTEM_PATH_1_0="$folder/plugins"
export GST_PLUGIN_PATH_1_0="${plugin%/*}"
gst-launch-1.0 -m videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=64,height=48 ! \
    llavaov max-new-tokens=1 ! fakesink >"$folder/said" 2>&1 || { cat "$folder/said"; exit 1; }
grep -q 'llavaov-answer.*model=(string)camera-check' "$folder/said" || { cat "$folder/said"; exit 1; }

if gst-launch-1.0 videotestsrc num-buffers=2 ! llavaov device=fake: ! fakesink >"$folder/said" 2>&1 ||
    ! grep -q '^ERROR: from element .*device="fake:": "fake:" is not understood' "$folder/said"; then
    cat "$folder/said"
    exit 1
fi
