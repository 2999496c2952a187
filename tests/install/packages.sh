#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian packages in a root that has nothing else of ours: an answer without a word about settings, nothing that warns, an upgrade,
# and nothing left behind. As root, in a root that is thrown away (scripts/root).
#
#   packages.sh FOLDER [OLDER-FOLDER]
set -euo pipefail

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

as_user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=/usr/bin:/bin HOME=/tmp/somebody LANG=C.UTF-8 "$@"
}

install() {
    apt-get -q -y --no-install-recommends install "$@" >/tmp/apt.log 2>&1 || {
        tail -n 20 /tmp/apt.log
        fail "install $*"
    }
}

# silent COMMAND...: it says nothing on stderr and ends well; its output is kept in /tmp/said.
silent() {
    as_user "$@" >/tmp/said 2>/tmp/complained || fail "$*: $(cat /tmp/complained)"
    [ ! -s /tmp/complained ] || fail "$* says: $(cat /tmp/complained)"
}

works() {
    local element
    rm -rf /tmp/somebody
    mkdir -m 777 /tmp/somebody
    for element in llavaov llavaovelement llavaovoverlay; do
        silent gst-inspect-1.0 "$element"
        grep -q "Version  *$1" /tmp/said || fail "$element is not of version $1"
    done
    as_user gst-inspect-1.0 --print-blacklist 2>&1 | grep -i llavaov && fail 'blacklisted'
    silent gst-launch-1.0 -v videotestsrc num-buffers=300 ! llavaov ! fakesink
    grep 'last-answer = ' /tmp/said || fail 'no answer'
    silent gst-launch-1.0 videotestsrc num-buffers=300 ! llavaov ! llavaovoverlay ! fakesink
    silent llavaov-tool inspect -m /usr/share/llavaov/models/camera-check
    silent camera-monitor --help
    silent llavaov-tool doctor
    grep -q WRONG /tmp/said && fail "doctor: $(cat /tmp/said)"
    true
}

newer=$(echo "$(realpath "$1")"/*.deb)
apt-get -q update >/tmp/apt.log 2>&1 || fail 'update'
if [ -n "${2:-}" ]; then
    # shellcheck disable=SC2086
    install $(echo "$(realpath "$2")"/*.deb)
    works 0
    older=$(dpkg-query -W -f '${Version}' libllavaov0)
fi
# shellcheck disable=SC2086
install $newer
works 0
version=$(dpkg-query -W -f '${Version}' libllavaov0)
if [ -n "${2:-}" ]; then
    dpkg --compare-versions "$older" lt "$version" || fail "$version does not follow $older"
    echo "from $older to $version"
fi
names=$(for file in $newer; do dpkg-deb -f "$file" Package; done)
# shellcheck disable=SC2086
[ -z "$(dpkg-query -W -f '${Version}\n' $names | grep -vxF "$version")" ] || fail 'versions differ'
files=$(for name in $names; do dpkg -L "$name"; done | sort -u | while read -r path; do [ -d "$path" ] || echo "$path"; done)
dpkg --remove --force-depends gstreamer1.0-llavaov >/dev/null 2>&1
as_user llavaov-tool doctor >/tmp/said 2>&1 && fail 'doctor finds nothing wrong without the plugin'
grep -A1 'plugin is not installed' /tmp/said | grep -q 'sudo apt install gstreamer1.0-llavaov' || fail "doctor: $(cat /tmp/said)"
# shellcheck disable=SC2086
apt-get -q -y purge $names >/tmp/apt.log 2>&1 || fail 'purge'
for path in $files; do
    [ ! -e "$path" ] || fail "left: $path"
done
dpkg -l | grep -i llavaov && fail 'dpkg still knows of it'
find / -xdev \( -path /home -o -path /proc -o -path /sys -o -path /tmp -o -path '/var/cache/apt/*' -o -path '/var/log/*' \) -prune \
    -o \( -iname '*llavaov*' -o -iname '*camera-monitor*' -o -iname '*camera-check*' \) -print | grep . && fail 'left behind'
echo "installed, answered, purged: $version"
