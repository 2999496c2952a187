#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Counts the instructions (callgrind) of tokenizing one unbroken word and one of twice its size.
#
#     linear.sh TOKENIZER_BATCH TOKENIZER_JSON [KIB [KIND...]]
#
# Fails when the longer one, of 2 * KIB (512 by default), costs more than 2.3 times the shorter. Opening the tokenizer is
# not counted.
set -euo pipefail
here=$(dirname "$0") program=$1 tokenizer=$2 kib=${3:-256}
shift $(($# < 3 ? $# : 3))
kinds=("$@")
command -v valgrind >/dev/null || { echo 'valgrind is not installed'; exit 77; }
((${#kinds[@]})) || kinds=(same pairs letters han hangul marks spaces punctuation special)

instructions() {
    local log
    log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$tokenizer" 2>&1 >/dev/null)
    grep -oE 'refs: +[0-9,]+' <<<"$log" | tr -dc '0-9'
}

opening=$(instructions </dev/null)
failed=0
for kind in "${kinds[@]}"; do
    short=$(($(python3 "$here/words.py" "$kind" "$kib" | instructions) - opening))
    long=$(($(python3 "$here/words.py" "$kind" $((2 * kib)) | instructions) - opening))
    awk -v kind="$kind" -v short="$short" -v long="$long" -v kib="$kib" 'BEGIN {
        printf "%-12s %4d KiB %12d   %4d KiB %12d   ratio %.3f\n", kind, kib, short, 2 * kib, long, long / short
        exit !(short > 0 && long / short <= 2.3)
    }' || failed=1
done
exit $failed
