#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first minutes on a machine with an NVIDIA GPU, in three parts that each fit a short visit:
#
#   tests/gpu/first_run.sh A         360 s at most: device, kernels, equal bits, ceilings, bench, parity, HF prefill
#   tests/gpu/first_run.sh B         180 s at most: arrival, 100 streams, and what was compared once more
#   tests/gpu/first_run.sh C         540 s at most: hardware counters, memory checker, HF encode, 7B
#   tests/gpu/first_run.sh pack [BUILD]   copies what A, B and C run from a build folder into build-first/, stripped and
#                                    with the libraries that a bare machine lacks; to be done before, where there is no GPU.
#                                    build-first/packed.tar.gz holds it too, where less is to be carried
#
# Every line has a limit of its own and cannot keep the next ones. After each, $OUT (build-first/out without it) holds
# gpu-check.json and first-run.log, and table.md at the end. Rows that passed are not done again: an earlier gpu-check.json is looked for in
# $OUT, in build-first/ and in the current folder, and counts where device and sources are the same. What is in build-first/
# is used where it runs here, and otherwise built (build-gpu/).
#
#   FIRST_RUN_LEFT=SECONDS     what is left of the visit: B wants 270, C 540
#   FIRST_RUN_REHEARSAL=BUILD  without a GPU: that build's programs, small, on the CPU stand-in
#   FIRST_RUN_CLOCK=PERCENT    all times are scaled: a rehearsal of the clock
#   FIRST_RUN_ONLY=PATTERN     of the rows, those that match
#
# Exit code: 0 all passed or were skipped, 1 something failed or was not reached, 2 usage, 3 no GPU or too little time.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD bundle=$PWD/build-first

say() { printf '%s\n' "$*"; }

# ---- what is carried ----

programs=(tools/llavaov-tool/llavaov-tool tests/support/make-checkpoint tests/model/test-golden tests/module/test-module
    tests/module/test-pictures engine/backend/cuda/llavaov-cuda.so
    tests/gpu/gpu-{rows,attention,gated,picture,quantise,sample,step,ceilings,patches,few,arrival,streams})

pack() {
    local build=${1:-build-cuda} file library lib=$bundle/lib
    rm -rf "$bundle"
    mkdir -p "$lib"
    for file in "${programs[@]}" $(cd "$build" && ls tests/module/*.so); do
        case "$file" in *standin* | *mock*) continue ;; esac
        if [ ! -f "$build/$file" ]; then
            say "pack: $build has no $file" >&2
            continue
        fi
        mkdir -p "$bundle/$(dirname "$file")"
        strip -o "$bundle/$file" "$build/$file"
    done
    # Beyond libc and the compiler's own: what a bare machine may lack.
    while read -r library; do
        cp -L "$library" "$lib/" && strip "$lib/$(basename "$library")"
    done < <(find "$bundle" -type f -perm -u+x -exec ldd {} + 2>/dev/null |
        sed -n 's/.*=> \(\/[^ ]*lib\(jansson\|cmocka\)\.so[^ ]*\) .*/\1/p' | sort -u)
    find "$bundle" -type f -exec objdump -T {} + 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1 | cut -d_ -f2 >"$bundle/glibc"
    sources >"$bundle/sources"
    tar -czf "$bundle.tar.gz" -C "$bundle" . && mv "$bundle.tar.gz" "$bundle/packed.tar.gz"
    say "build-first: $(du -sm "$bundle" | cut -f1) MiB, $(find "$bundle" -type f | wc -l) files, needs glibc $(cat "$bundle/glibc"), sources $(cat "$bundle/sources")"
}

# As check.py names them.
sources() {
    python3 -c 'import sys; sys.path.insert(0, "tests/gpu"); sys.dont_write_bytecode = True; import machine; print(machine.sources())' 2>/dev/null ||
        find engine kernels -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12
}

# ---- the clock, in milliseconds ----

clock=${FIRST_RUN_CLOCK:-100}
now() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000 - start_ms))
}
start_ms=0
start_ms=$(now)
scaled() { echo $(($1 * 10 * clock)); } # seconds of the plan
seconds_of() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# ---- rows: a file each, NAME with / as %, one line of JSON ----

quoted() { tr -d '\000-\010\013-\037' <<<"$1" | tr '\n\t' '  ' | sed 's/\\/\\\\/g; s/"/\\"/g; s/ *$//' | cut -c1-400; }

put_row() { # NAME GOOD MILLISECONDS FACTS
    local file=$rows/${1//\//%} facts=$4
    printf '{"good": %s, "seconds": %s, "date": "%s", "sources": "%s"%s}\n' "$2" "$(seconds_of "$3")" "$(date -u +%F)" "$version" \
        "${facts:+, $facts}" >"$file.new" && mv "$file.new" "$file"
}

# All rows so far to $OUT, each file whole at any time; one at a time, or a row would be overwritten by an older set without it.
publish() {
    local file first=1
    {
        flock -w 10 9
        {
            printf '{"device": "%s", "compute_capability": "%s", "date": "%s", "sources": "%s", "driver": "%s", "rows": {' \
                "$device" "$capability" "$(date -u +%F)" "$version" "$driver"
            for file in "$rows"/*; do
                case "$file" in *.new | *'*') continue ;; esac
                ((first)) || printf ','
                first=0
                file=${file##*/}
                printf '\n"%s": %s' "${file//%//}" "$(cat "$rows/$file")"
            done
            printf '\n}}\n'
        } >"$out/.new.json" && mv "$out/.new.json" "$out/gpu-check.json"
    } 9>>"$scratch/publish.lock"
}

table() {
    local file name row state
    say "$device, compute capability $capability, driver $driver; part $part, $(seconds_of "$(now)") s"
    say ''
    say '| row | | s | |'
    say '|---|---|---|---|'
    for file in "$rows"/*; do
        case "$file" in *.new | *'*') continue ;; esac
        name=${file##*/}
        row=$(cat "$file")
        case "$row" in *'"skipped": true'*) state=skipped ;; '{"good": true'*) state=pass ;; *) state=FAIL ;; esac
        say "| ${name//%//} | $state | $(sed 's/.*"seconds": \([0-9.]*\).*/\1/' <<<"$row") | $(sed 's/^{"good": [a-z]*, "seconds": [0-9.]*, "date": "[^"]*", "sources": "[^"]*"\(, \)\{0,1\}//; s/}$//; s/"//g; s/|/\//g' <<<"$row" | cut -c1-200) |"
    done
}

# Earlier rows of the same device and sources that passed.
take_earlier() {
    local from line name
    for from in "$out/gpu-check.json" "$bundle/gpu-check.json" gpu-check.json; do
        [ -f "$from" ] && grep -qF "{\"device\": \"$device\"," "$from" || continue
        while IFS= read -r line; do
            [[ $line =~ ^\"([A-Za-z0-9_./-]+)\":\ (\{\"good\":\ true,.*\"sources\":\ \"$version\".*\}),?$ ]] || continue
            name=${BASH_REMATCH[1]//\//%}
            [ -f "$rows/$name" ] || printf '%s\n' "${BASH_REMATCH[2]}" >"$rows/$name"
        done <"$from"
        say "   rows that passed before come from $from"
        return
    done
}

skip() { # NAME REASON
    wanted "$1" || return 0
    put_row "$1" false 0 "\"skipped\": true, \"message\": \"$(quoted "$2")\""
    say "   skip  $1  $2"
    publish
}

wanted() { [[ -z ${FIRST_RUN_ONLY:-} || $1 =~ $FIRST_RUN_ONLY ]]; }

# line UNTIL LIMIT NAME COMMAND...: a row, or several where the command says `ROW NAME JSON`. UNTIL: of the part's clock.
line() {
    local until limit=$2 name=$3 began output code left row facts good
    until=$(scaled "$1")
    shift 3
    wanted "$name" || return 0
    if [ -f "$rows/${name//\//%}" ] && grep -q '^{"good": true' "$rows/${name//\//%}"; then
        say "   done  $name"
        return 0
    fi
    began=$(now)
    left=$((until - began))
    limit=$(scaled "$limit")
    ((left < limit)) && limit=$left
    if ((limit < 10 * clock)); then
        put_row "$name" false 0 '"message": "not reached: no time was left"'
        say "   ----  $name  not reached"
        publish
        return 1
    fi
    output=$scratch/${name//\//%}
    # In a group of its own, so that nothing that it started stays.
    setsid timeout -k 2 "$(printf '%d.%03d' $((limit / 1000)) $((limit % 1000)))" "$BASH" "$root/tests/gpu/first_run.sh" do "$@" >"$output" 2>&1 </dev/null &
    local process=$!
    echo "$process" >"$output.pid"
    wait "$process"
    code=$?
    kill -KILL -- "-$process" 2>/dev/null
    rm -f "$output.pid"
    if [ "$1" = bench ]; then
        row=$(summary "$2" <"$output") || ((code = code ? code : 1))
        printf '%s\n' "$row" >>"$output"
    fi
    {
        say "==== $name at $(seconds_of "$began") s: $*"
        tail -c 200000 "$output"
        say "==== exit code $code"
    } >>"$log"
    while IFS=' ' read -r _ row facts; do
        facts=${facts#\{}
        put_row "$row" true "$(($(now) - began))" "${facts%\}}"
        say "   pass  $row  {$facts"
    done < <(grep -a '^ROW ' "$output")
    facts=
    [ "$1" = bench ] || facts=$(grep -a '^{.*}$' "$output" | tail -n 1)
    facts=${facts#\{}
    facts=${facts%\}}
    row=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$output" | tail -n 1)
    [ -z "$row" ] || facts="\"tests\": $row"
    row=$(sed -n 's/^kernels overlap: \(o[nf]*\)$/\1/p' "$output" | tail -n 1)
    [ -z "$row" ] || facts="$facts, \"overlap\": \"$row\""
    good=true
    if ((code)); then
        good=false
        row=$(complaint "$output")
        ((code == 124 || code == 137)) && row="not done after $(seconds_of "$limit") s; it said: $row"
        ((code == 77)) && good=false
        facts="\"code\": $code, \"message\": \"$(quoted "$row")\"${facts:+, }$facts"
        ((code == 77)) && facts="\"skipped\": true, $facts"
    fi
    put_row "$name" "$good" "$(($(now) - began))" "$facts"
    say "[$(seconds_of "$(now)") s] $( ((code == 77)) && echo skip || { ((code)) && echo FAIL || echo pass; })  $name  ${facts:0:300}"
    publish
    ((code == 0))
}

complaint() {
    grep -a -m 1 -E '^\[  ERROR   \] --- [^[]|^cannot:|rror: |refused|denied|ERR_' "$1" || grep -av '^ROW ' "$1" | tail -n 1
}

# ---- where things are ----

program() { echo "$build/$1"; }
have() { [ -x "$(program "$1")" ] || [ -f "$(program "$1")" ]; }

# The carried programs run here: their libraries are found, and glibc is new enough.
bundle_runs() {
    [ -d "$bundle/tools" ] || [ ! -f "$bundle/packed.tar.gz" ] || tar -xzf "$bundle/packed.tar.gz" -C "$bundle"
    [ -x "$bundle/tools/llavaov-tool/llavaov-tool" ] || { say "there is no build-first/; pack makes it"; return 1; }
    local needs has
    needs=$(cat "$bundle/glibc" 2>/dev/null || echo 0) has=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$needs" "$has" | sort -V | tail -n 1)" != "$has" ]; then
        say "build-first/ needs glibc $needs, here is $has"
        return 1
    fi
    LD_LIBRARY_PATH=$bundle/lib "$bundle/tools/llavaov-tool/llavaov-tool" --help >/dev/null 2>&1 || { say 'build-first/ does not run here'; return 1; }
}

find_cublaslt() {
    [ -n "${LLAVAOV_CUBLASLT:-}" ] && return
    local found
    found=$(ldconfig -p 2>/dev/null | sed -n 's/.*libcublasLt\.so\.13 .*=> //p' | head -n 1)
    [ -n "$found" ] || found=$(timeout 10 find / -xdev -name libcublasLt.so.13 -not -path '/proc/*' 2>/dev/null | head -n 1)
    [ -n "$found" ] && export LLAVAOV_CUBLASLT=$found
}

versions() {
    nvidia-smi 2>&1 | head -n 15
    getconf GNU_LIBC_VERSION
    nproc
    for file in "${programs[@]}"; do
        have "$file" || echo "lacks $file"
        ldd "$(program "$file")" 2>/dev/null | grep 'not found'
    done
    printf '{"driver": "%s", "cpus": %s, "cublaslt": "%s", "module": "%s", "glibc": "%s"}\n' "$driver" "$(nproc)" "${LLAVAOV_CUBLASLT:-by its name}" \
        "$LLAVAOV_CUDA_MODULE" "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)"
}

build_here() {
    python3 -c 'import sys; sys.exit(0)' && meson setup build-gpu -Dgstreamer=disabled -Dcuda=enabled -Dgpu-architectures=90a &&
        ninja -C build-gpu -k 0 "${programs[@]}" && sources >build-gpu/sources
}

# Random weights, kept in the build folder; the name comes when it is whole.
checkpoint() { # PRESET SHARDS
    local folder=$build/random-$1-1
    [ -d "$folder" ] && return
    rm -rf "$folder.new"
    "$(program tests/support/make-checkpoint)" -p "$1" -d bf16 -s 1 -t bytes -n "$2" "$folder.new" && mv "$folder.new" "$folder"
}

model() {
    local i
    for ((i = 0; i < 600; i++)); do
        [ -d "$build/random-$preset-1" ] && break
        sleep 0.1
    done
    echo "$build/random-$preset-1"
}

# ---- measuring ----

# bench PREFIX LINES: what one engine is asked for; summary makes rows of it.
bench() {
    printf '%b' "$2" | "$(program tools/llavaov-tool/llavaov-tool)" bench --serve -m "$(model)" -d "cuda${options:-}" ${precision:+--precision "$precision"}
}

# summary PREFIX: the medians of a bench's lines, a row for each kind, also where it was ended under way. A notice fails:
# what is measured from there on is not what a user would have.
summary() {
    awk -v prefix="$1" -v picture="${picture/ /x}" '
        function field(name,   at) { at = match($0, "\"" name "\": \"?[^,}\"]+"); if (!at) return ""
            at = substr($0, RSTART, RLENGTH); sub(/.*: "?/, "", at); return at }
        function median(key, name,   n, i, j, t, v) { # the first is for warming up, where there are more
            n = 0
            for (i = (count[key] > 1) ? 1 : 0; i < count[key]; i++) v[n++] = value[key, name, i]
            for (i = 1; i < n; i++) for (j = i; j > 0 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
            return v[int(n / 2)] / 1e6 }
        /"notice"/ && !bad { print "error: " field("notice"); bad = 1 }
        /^{.*"ns".*}$/ && !bad { key = field("what") "|" field("a") "|" field("b") "|" field("n")
            if (!(key in count)) order[kinds++] = key
            at = count[key]++ + 0; value[key, "ns", at] = field("ns"); value[key, "copy", at] = field("with_copy_ns") }
        END { for (k = 0; k < kinds; k++) { split(order[k], p, "|"); ms = median(order[k], "ns")
                if (p[1] == "frames" && p[2] == 1) printf "ROW %s/frame {\"frame_ms\": %.4f, \"with_copy_ms\": %.4f, \"picture\": \"%s\", \"runs\": %d}\n", prefix, ms, median(order[k], "copy"), picture, count[order[k]]
                else if (p[1] == "frames") printf "ROW %s/encode {\"ours_ms\": %.4f, \"tiles\": %d, \"runs\": %d}\n", prefix, ms / p[2], p[2], count[order[k]]
                else if (p[1] == "prefill") printf "ROW %s/prefill {\"ours_ms\": %.4f, \"tokens\": %d, \"runs\": %d}\n", prefix, ms, p[2], count[order[k]]
                else if (p[1] == "batch") batches = batches sprintf("%s\"batch_%s_ms\": %.4f", batches ? ", " : "", p[4], ms / p[3])
                else printf "ROW %s/%s {\"ours_ms\": %.4f, \"runs\": %d}\n", prefix, p[1], ms / p[3], count[order[k]] }
            if (batches) printf "ROW %s/batch {%s}\n", prefix, batches
            exit bad || !kinds }'
}

repeated() { # N LINE
    local i
    for ((i = 0; i < $1; i++)); do printf '%s\\n' "$2"; done
}

everything() { # fewer runs of what is only compared
    local n=$1 size
    repeated "$many" "frames 1 $picture"
    repeated "$n" "frames $tiles $tile_size $tile_size"
    repeated "$n" "prefill $context"
    repeated "$n" "decode $context $tokens"
    repeated "$n" "drawn $context $tokens"
    for size in $batches; do repeated "$few" "batch $context $tokens $size"; done
}

# The same tokens each time and in each way.
equal() {
    local line kinds
    line=$(repeated 5 "decode $equal_context $equal_tokens")
    for way in '' ';overlap=off' ';graphs=off'; do
        printf '%b' "$line" | "$(program tools/llavaov-tool/llavaov-tool)" bench --serve -m "$(model)" -d "cuda$way" || return 1
    done | tee "$scratch/equal"
    kinds=$(grep -o '"tokens": "[0-9a-f]*"' "$scratch/equal" | sort | uniq -c)
    say "$kinds"
    [ "$(grep -c '"tokens"' "$scratch/equal")" = 15 ] && [ "$(wc -l <<<"$kinds")" = 1 ] || { say "error: 15 runs did not give the same tokens: $kinds"; return 1; }
    printf '{"runs": 15, "tokens": %s}\n' "$equal_tokens"
}

ceilings() {
    "$(program tests/gpu/gpu-ceilings)" | tee "$scratch/ceilings" || return 1
    awk -F'"bf16_product_tflops": ' '/tflops/ { if ($2 + 0 < 600) { print "error: a bf16 product at " ($2 + 0) " TFLOP/s: cuBLASLt is not used as it should"; exit 1 } }' "$scratch/ceilings"
}

hf() {
    python3 -c 'import numpy, torch, transformers' 2>/dev/null || { say 'cannot: python3 has no numpy, torch or transformers'; return 77; }
    python3 tests/gpu/hf.py "$build" "$@"
}

counters() { # KERNEL PROGRAM ARGUMENTS
    command -v ncu >/dev/null || { say 'cannot: there is no ncu'; return 77; }
    ncu --target-processes all -k "regex:$1" -c 3 --section SpeedOfLight --section Occupancy --section WarpStateStats "${@:2}" || return 77
}

memcheck() {
    local tool
    tool=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) || { say 'cannot: there is no compute-sanitizer'; return 77; }
    local code output=$scratch/memcheck
    "$tool" --tool memcheck --error-exitcode 9 "$(program tests/gpu/gpu-attention)" 2>&1 | tee "$output"
    code=${PIPESTATUS[0]}
    # Errors that it found, and tests that failed, are failures; where it did not come that far it was refused.
    ((code == 0 || code == 9)) || grep -q -e 'ERROR SUMMARY' -e '^\[  FAILED  \]' "$output" || return 77
    return "$code"
}

kernel_tests() { # UNTIL
    local name
    for name in rows attention gated picture quantise sample step; do
        if [ -n "$rehearsal" ]; then
            line "$1" 45 "kernels/$name" "$build/tests/cuda/test-cuda-$name" "$(case $name in rows) echo gate ;; attention) echo rope ;; picture) echo patches ;; sample) echo argmax ;; step) echo tokens_are_posted ;; gated | quantise) echo what_does_not_fit_is_refused ;; esac)" &
        else
            line "$1" 45 "kernels/$name" "$(program "tests/gpu/gpu-$name")" &
        fi
    done
    # In the rehearsal the module is the stand-in, which test-module does not take for one.
    line "$1" 45 parity/module "$(program tests/module/test-module)" "$build/tests/module" $([ -n "$rehearsal" ] || echo "$LLAVAOV_CUDA_MODULE") &
    line "$1" 45 parity/golden-f32 "$(program tests/model/test-golden)" tests/golden cuda &
    line "$1" 45 parity/pictures "$(program tests/module/test-pictures)" $([ -z "$rehearsal" ] || echo "$LLAVAOV_CUDA_MODULE") &
    wait_lines
}

# The lines in the background, not the checkpoint.
wait_lines() {
    local job
    for job in $(jobs -p); do [ "$job" = "${making:-}" ] || wait "$job"; done
}

gpu_only() { # UNTIL LIMIT NAME PROGRAM [FUNCTION]
    if [ -n "$rehearsal" ]; then
        skip "$3" 'a rehearsal has no GPU'
    elif have "$4"; then
        line "$1" "$2" "$3" "${5:-$(program "$4")}"
    else
        skip "$3" "this build has no $4"
    fi
}

# ---- the parts ----

part_A() {
    say '== 1: device, versions, linkage; random weights in the background'
    checkpoint "$preset" 4 >"$scratch/checkpoint" 2>&1 &
    making=$!
    line 75 20 first/versions versions
    say '== 2: kernels and module, in parallel'
    kernel_tests 120
    say '== 3: equal bits'
    line 150 60 first/equal equal
    say '== 4: alone on the device'
    gpu_only 175 25 bench/ceilings tests/gpu/gpu-ceilings ceilings
    gpu_only 175 15 bench/patches tests/gpu/gpu-patches
    gpu_only 175 15 bench/few tests/gpu/gpu-few
    say '== 5: bench'
    line 215 40 bench/all bench bench "$(everything "$some")"
    options=';overlap=off' line 230 20 bench/overlap-off bench overlap-off "$(repeated 5 "decode $context $tokens")"
    options=';graphs=off' line 242 15 bench/graphs-off bench graphs-off "$(repeated 5 "decode $context $tokens")"
    options=";rows=$((context + 1))" line 250 12 bench/one-chunk bench one-chunk "$(repeated 5 "prefill $context")"
    options=";encoder=graph" line 256 10 bench/encoder-graph bench encoder-graph "$(repeated "$many" "frames 1 $picture")"
    precision=fp8 line 268 14 bench/fp8 bench fp8 "$(repeated 5 "prefill $context")$(repeated "$few" "frames $tiles $tile_size $tile_size")"
    say '== 6: parity'
    line 315 60 parity/0.5b-seed-1 hf parity 1 --frames $hf_frames $hf_options
    line 330 30 parity/demo hf demo --clips "$clips" $hf_device
    say '== 7: HF prefill'
    line 355 60 bench/prefill-hf hf bench prefill --patience 15 $hf_options
}

part_B() {
    say '== arrival and streams'
    checkpoint "$preset" 4 >"$scratch/checkpoint" 2>&1
    line 40 30 bench/arrival "$(program tests/gpu/gpu-arrival)" "$(model)" cuda $arrival
    line 95 55 streams/100 "$(program tests/gpu/gpu-streams)" "$(model)" cuda $streams
    say '== once more'
    line 115 20 bench/again bench again "$(repeated "$some" "decode $context $tokens")$(repeated "$some" "frames 1 $picture")"
    options=';overlap=off' line 135 20 bench/again-overlap-off bench again-overlap-off "$(repeated 7 "decode $context $tokens")"
    options=';graphs=off' line 155 20 bench/again-graphs-off bench again-graphs-off "$(repeated 7 "decode $context $tokens")"
    options=';encoder=graph' line 165 15 bench/again-encoder-graph bench again-encoder-graph "$(repeated "$many" "frames 1 $picture")"
    options=';plans=timed' line 176 20 bench/again-timed-plans bench again-timed-plans \
        "$(repeated "$few" "frames 1 $picture")$(repeated "$few" "frames $tiles $tile_size $tile_size")$(repeated "$few" "prefill $context")$(repeated "$few" "decode $context $tokens")"
}

part_C() {
    local kernel
    say '== counters'
    checkpoint "$preset" 4 >"$scratch/checkpoint" 2>&1
    for kernel in attention_decode linear_few attention_many gated; do
        line 130 30 "counters/$kernel" counters "$kernel" "$(program tools/llavaov-tool/llavaov-tool)" generate -m "$(model)" -d cuda -N 4 -p "What is shown?"
    done
    line 240 110 sanitize/memcheck-attention memcheck
    line 370 130 bench/encode-hf hf bench encode --patience 30 $hf_options
    line 530 160 bench/7b hf bench 7b $hf_options
}

# ---- main ----

if [ "${1:-}" = do ]; then # one line's work, in a process of its own that can be ended with all that it starts
    shift
    "$@"
    exit
fi
part=${1:-}
case "$part" in
A) ends=360 least=0 ;;
B) ends=180 least=270 ;;
C) ends=540 least=540 ;;
pack)
    pack "${2:-}"
    exit
    ;;
*)
    sed -n '3,25s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
if [ -n "${FIRST_RUN_LEFT:-}" ] && ((FIRST_RUN_LEFT < least)); then
    say "first run: part $part wants $least s, $FIRST_RUN_LEFT are left; nothing was done"
    exit 3
fi
set -a # for the lines' processes
rehearsal=${FIRST_RUN_REHEARSAL:-}
preset=0.5b context=6303 tokens=32 batches='8 64' picture='1920 1080' tiles=32 tile_size=384 clips=40
equal_context=512 equal_tokens=256 arrival='' streams='100 30 8' hf_options='' hf_device='' hf_frames='1 8' many=15 some=7 few=3
device='' capability='' driver=unknown
if [ -n "$rehearsal" ]; then
    build=$(cd "$rehearsal" && pwd) || exit 2
    device='CPU stand-in' capability=9.0 driver=none
    export LLAVAOV_CUDA_MODULE=$build/tests/module/llavaov-cuda-standin.so
    preset=tiny context=20 tokens=2 batches='2' picture='64 48' tiles=2 tile_size=56 clips=4 equal_context=8 equal_tokens=3
    arrival='0 1 3' streams='1 9 1 20' hf_frames=1 many=1 some=2 few=1
    hf_device="--device cuda" hf_options="--device cuda --torch-device cpu --preset tiny --context 20 --tokens 2"
else
    IFS=, read -r device capability driver < <(nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv,noheader 2>/dev/null | head -n 1)
    capability=${capability# } driver=${driver# }
    if [ -z "$device" ] || [ -z "$capability" ]; then
        say 'first run: there is no NVIDIA GPU on this machine (nvidia-smi finds none); nothing was done'
        exit 3
    fi
fi
out=${OUT:-$bundle/out} scratch=$(mktemp -d)
rows=$scratch/rows log=$out/first-run.log
mkdir -p "$out" "$rows"
touch "$scratch/begun"
end_all() {
    local file
    for file in "$scratch"/*.pid; do [ -f "$file" ] && kill -KILL -- "-$(cat "$file")" 2>/dev/null; done
    for file in $(jobs -p); do kill "$file" 2>/dev/null; done
    publish
    [ -f "$out/table.md" ] && [ "$out/table.md" -nt "$scratch/begun" ] || table >"$out/table.md"
    rm -rf "$scratch"
}
trap end_all EXIT
trap 'say "first run: told to end"; exit 1' TERM INT HUP
say "== $device, compute capability $capability, driver $driver; part $part"
if [ -z "$rehearsal" ]; then
    if reason=$(bundle_runs); then
        build=$bundle
        export LD_LIBRARY_PATH=$bundle/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    else
        build=$root/build-gpu
    fi
    export LLAVAOV_CUDA_MODULE=$build/engine/backend/cuda/llavaov-cuda.so
    find_cublaslt
fi
version=$(cat "$build/sources" 2>/dev/null || sources)
set +a
take_earlier
if [ "$build" = "$root/build-gpu" ]; then
    say "   $reason: building here"
    line "$((ends / 2))" 150 first/build build_here
fi
publish
"part_$part"
say ''
table | tee "$out/table.md"
python3 tests/gpu/check.py --table --results "$out/gpu-check.json" 2>/dev/null | tee -a "$out/table.md"
say "part $part ended after $(seconds_of "$(now)") s, of $(seconds_of "$(scaled "$ends")"); $out/gpu-check.json"
for file in "$rows"/*; do
    grep -q -e '^{"good": true' -e '"skipped": true' "$file" || exit 1
done
