#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What shared objects export: the library the functions of its header, which its package lists, the plugin its two. In neither is a
# fake of the tests.
#
#   exports.sh HEADER SYMBOLS LIBRARY [PLUGIN]
set -eu
names() {
    nm -D --defined-only "$1" | awk '{ print $3 }' | sort
}
# only LIST PATTERN WHAT: each line of the list is of that form.
only() {
    if printf '%s\n' "$1" | grep -Ev "$2"; then
        echo "^ exported by $3"
        exit 1
    fi
}
header=$1 listed=$2
shift 2
for file in "$@"; do
    symbols=$(nm "$file")
    case $symbols in *lv_*| *gst_*) ;; *) echo "$file has no symbols to look at"; exit 1 ;; esac
    if printf '%s\n' "$symbols" | grep -i '[ _]fake_'; then
        echo "^ in $file"
        exit 1
    fi
done
exported=$(names "$1")
only "$exported" '^llavaov_[a-z_]+$' "$1"
[ "$exported" = "$(sed -n 's/^ \(llavaov_[a-z_]*\)@.*/\1/p' "$listed" | sort)" ] || { echo "$listed lists others than $1 exports"; exit 1; }
declared=$(sed -n 's/^LLAVAOV_API .*\(llavaov_[a-z_]*\)(.*/\1/p' "$header" | sort -u)
[ -n "$declared" ]
for name in $declared; do
    printf '%s\n' "$exported" | grep -qx "$name" || { echo "$1 lacks $name"; exit 1; }
done
[ $# -lt 2 ] || only "$(names "$2")" '^gst_plugin_[a-z_]+$' "$2"
