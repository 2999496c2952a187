#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The project configures without jansson, cmocka, GStreamer and a network, out of the archives in subprojects/packagecache,
# and what is built from them serves: their own interface inside, nothing of it outside.
#
#   bundled.sh SOURCE USE_C MESON...
set -eu
source=$1 use=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# A copy of what git holds of subprojects/: an archive that was unpacked earlier would hide a broken one.
mkdir -p "$folder/source/subprojects"
for entry in "$source"/*; do
    case "${entry##*/}" in
    build* | subprojects | demo-out) ;;
    *) ln -s "$entry" "$folder/source/" ;;
    esac
done
cp -R "$source"/subprojects/*.wrap "$source/subprojects/packagecache" "$source/subprojects/packagefiles" \
    "$folder/source/subprojects/"

# The proxy is a port that nobody serves: a download would fail.
export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 no_proxy=
"$@" setup "$folder/build" "$folder/source" --force-fallback-for=jansson,cmocka -Dgstreamer=disabled -Dcuda=disabled \
    >"$folder/said" 2>&1 || { cat "$folder/said"; exit 1; }
cd "$folder/build"
jansson=$(ninja -t targets all | sed -n 's/^\(.*libjansson\.a\):.*/\1/p')
cmocka=$(ninja -t targets all | sed -n 's/^\(.*libcmocka\.a\):.*/\1/p')
ninja "$jansson" "$cmocka" >"$folder/said" 2>&1 || { cat "$folder/said"; exit 1; }
if grep -i 'warning' "$folder/said"; then
    echo 'the libraries compile with warnings'
    exit 1
fi

sources=$folder/source/subprojects
set -- -I"${jansson%/*}" -I"$(echo "$sources"/jansson-*/src)" -I"$(echo "$sources"/cmocka-*/include)" "$use" "$jansson" "$cmocka"
${CC:-cc} -o use "$@"
./use
# In a shared object, as the plugin is one, they are not to be seen.
${CC:-cc} -shared -fPIC -o use.so "$@"
if nm -D --defined-only use.so | grep -E ' (json|cm|_cm|jsonp|cmocka)_'; then
    echo 'these are exported'
    exit 1
fi
