#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the CUDA kernels on purpose, one line at a time, and sees that a test notices.

    mutations.py CXX KERNELS WORK LIBRARY...

Each mutation replaces a text that occurs once in a file of KERNELS (kernels/cuda), compiles that one kernel with the shim
and links it before the libraries of tests and kernels: the test named with it must fail. Exit 1 where one survives, where
its text is gone, or where it does not build."""
import os
import shutil
import subprocess
import sys
import time

FLAGS = ["-x", "c++", "-std=gnu++17", "-O0", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-fno-exceptions", "-fno-rtti",
         "-fno-threadsafe-statics", "-w"]
TIMEOUT = 60

# What is broken, the kernel that is compiled, the file that is changed, its text and what replaces it, the program and the
# test that must notice.
MUTATIONS = (
    ("the causal mask lets one key too many through",
     "attention_tensor.cu", "attention_tile.h",
     ">= seen)", "> seen)", "attention", "prefill"),
    ("a warp's second sixteen queries see what its first see",
     "attention_tensor.cu", "attention_tile.h",
     "row + 16 * m + 8 * r", "row + 8 * r", "attention", "prefill"),
    ("keys are read before all of them have arrived",
     "attention_tensor.cu", "attention_tensor.cu",
     "*values = keys + TileRow<D>::tile / 2;\n        lv_copy_wait<0>();\n        __syncthreads();",
     "*values = keys + TileRow<D>::tile / 2;\n        lv_copy_wait<0>();", "attention", "full"),
    ("keys are overwritten while other warps still read them",
     "attention_tensor.cu", "attention_tensor.cu",
     "*values = keys + TileRow<D>::tile / 2;\n        lv_copy_wait<0>();\n        __syncthreads();",
     "*values = keys + TileRow<D>::tile / 2;\n        lv_copy_wait<0>();\n        lv_shim_barrier();\n        if (first + 2 * TILE_KEYS < s.end_key)\n"
     "            copy_tile<D>(tile_at<D>(tiles, first), s, stride, first + 2 * TILE_KEYS);", "attention", "full"),
    ("a copy of a cache is not waited for",
     "attention_decode.cu", "attention_decode.cu",
     "lv_copy_wait<Size<D>::stages - 1>()", "lv_copy_wait<Size<D>::stages>()", "attention", "decode"),
    ("a row behind the last key is taken along",
     "attention_tensor.cu", "attention_tile.h",
     "row + n < left;", "row + n <= left;", "attention", "full"),
    ("the last eight columns of values are those of other keys",
     "attention_tensor.cu", "attention_tile.h",
     "odd + k % 2 * 2", "odd", "attention", "full"),
    ("the last eight columns of queries are those of other queries",
     "attention_tensor.cu", "attention_tile.h",
     "q.half + 2 * m", "q.half", "attention", "full"),
    ("a row is divided by another's sum of weights",
     "attention_tensor.cu", "attention_tile.h",
     "state.ones ? 2 * r : 0", "0", "attention", "prefill"),
    ("the tiles behind those in halves are counted from the wrong one",
     "attention_tensor.cu", "attention_tensor.cu",
     "(i - halves / 2)", "(i - halves)", "attention", "prefill"),
    ("warps join their results before all have written them",
     "attention_decode.cu", "attention_decode.cu",
     "    __syncthreads();\n    for (uint32_t i = threadIdx.x; i < w.n_queries", "    for (uint32_t i = threadIdx.x; i < w.n_queries",
     "attention", "decode"),
    ("the newest key is looked for in the cache",
     "attention_decode.cu", "attention_decode_load.h",
     "w->end_key == n_keys ? w->end_key - 1 : w->end_key", "w->end_key == n_keys ? w->end_key : w->end_key", "attention", "decode_rotating"),
    ("the newest key is not stored",
     "attention_decode.cu", "attention_decode_load.h",
     "w->stores = a.rope && first == 0", "w->stores = a.rope && first != 0", "attention", "decode_rotating"),
    ("queries are read before the kernel ahead has written them",
     "attention_decode.cu", "attention_decode.cu",
     "        lv_wait_previous();\n    }\n    if (!here)", "    }\n    if (!here)", "attention", "decode_rotating"),
    ("splits are joined before the kernel ahead has written them",
     "attention_join.cu", "attention_join.cu",
     "    lv_wait_previous();\n    if (n == 0)", "    if (n == 0)", "attention", "decode"),
    ("a tile of keys is replaced while it is in use",
     "attention_plain.cu", "attention_plain.cu",
     "first += TILE_KEYS) {\n        __syncthreads();", "first += TILE_KEYS) {", "attention", "full"),
    ("the last span of a cache is left out",
     "attention_join.cu", "attention_join.cu",
     "sequence.position / split_keys(a) + 1", "(sequence.position + 1) / split_keys(a)", "attention", "decode"),
    ("a replayed step reads the length that it was recorded with",
     "attention_decode.cu", "attention_span.h",
     "a.keys_at ? lv_load_fresh(a.keys_at) : a.keys_per_split", "a.keys_per_split", "attention", "decode"),
    ("a padded row attends and writes",
     "attention_join.cu", "attention_join.cu",
     "sequence.n_rows ? sequence.position /", "true ? sequence.position /", "attention", "decode"),
    ("a padded row stores its key",
     "attention.cu", "attention.cu",
     "row - b.sequences[i].first_row < b.sequences[i].n_rows", "row - b.sequences[i].first_row < b.sequences[i].n_rows + !b.sequences[i].n_rows", "attention", "rope"),
    ("keys are rotated the other way",
     "attention.cu", "attention.cu",
     "y * cosine[m] + x * sine[m]", "y * cosine[m] - x * sine[m]", "attention", "rope"),
    ("values are stored with the stride of another head",
     "attention.cu", "attention.cu",
     "values[i / b.head_dim * head_size + i % b.head_dim]", "values[i]", "attention", "rope"),
    ("the block's sums are read before they are written",
     "norm.cu", "warp.h",
     "    __syncthreads();\n    LV_UNROLL\n    for (int i = 0; i < N; i++) {\n        sums[i] = 0;",
     "    LV_UNROLL\n    for (int i = 0; i < N; i++) {\n        sums[i] = 0;", "rows", "layer_norm"),
    ("the variance is the unbiased one",
     "norm.cu", "norm.cu",
     "sums[1] / (float)cols", "sums[1] / (float)(cols - 1)", "rows", "rms_norm"),
    ("the partner of a gate is not normed",
     "few.cu", "few.cu",
     "*partner *= factor;", "", "rows", "few"),
    ("a product reads its input before the kernel ahead has written it",
     "few.cu", "few.cu",
     "    lv_wait_previous();\n    if (writes", "    if (writes", "rows", "few"),
    ("a product adds what was there before the kernel ahead had written the residual",
     "few.cu", "few.cu",
     "    lv_wait_previous();\n    if (writes && !S::gated)\n        addends.residual = lv_few_residual<T>(a, row, col);",
     "    if (writes && !S::gated)\n        addends.residual = lv_few_residual<T>(a, row, col);\n    lv_wait_previous();", "rows", "few"),
    ("a product on tensor cores reads its input before the kernel ahead has written it",
     "few_tensor.cu", "few_tensor.cu",
     "    lv_wait_previous();\n    if (writes", "    if (writes", "rows", "few"),
    ("threads without a result do not wait for the kernel ahead",
     "few_tensor.cu", "few_tensor.cu",
     "    lv_wait_previous();\n    if (writes", "    if (writes)\n        lv_wait_previous();\n    if (writes", "rows", "few"),
    ("the best is looked for before the kernel ahead has written the input",
     "few.cu", "few.cu",
     "    lv_wait_previous();\n    while", "    while", "sample", "best"),
    ("the parts' best are joined before the kernel ahead has written them",
     "sample.cu", "sample.cu",
     "    lv_wait_previous();\n", "", "sample", "best"),
    ("what bf16 drops of a normed input is dropped",
     "few_tensor.cu", "few_tensor.cu",
     "        multiply_step<S>(sums, rest, w.at[d]);\n", "", "rows", "few"),
    ("the norm's scale of the first columns serves all",
     "few.cu", "few.cu",
     "a.norm_scale + k + 4 * i", "a.norm_scale + 4 * i", "rows", "few"),
    ("scores are compared before they are rounded",
     "few.cu", "few_output.h",
     "lv_widen(lv_narrow<T>(x))", "x", "sample", "best"),
    ("the best of a block is joined before all warps have written theirs",
     "few.cu", "few.cu",
     "        __syncthreads();\n        if (threadIdx.x < S::results", "        if (threadIdx.x < S::results", "sample", "best"),
    ("the squares of a row come from the first warp alone",
     "few_tensor.cu", "few_tensor.cu",
     "squares += parts[w].squares", "squares = parts[0].squares", "rows", "few"),
    ("the sums of the first round are joined again",
     "few_tensor.cu", "few_tensor.cu",
     "join<S>(a, now, &score)", "join<S>(a, parts, &score)", "sample", "best_of_many"),
    ("the last step of columns is taken whole",
     "few_tensor.cu", "few_tensor.cu",
     "k < a.inner ? lv_load_constant(from)", "true ? lv_load_constant(from)", "rows", "few"),
    ("of many parts only the first are joined",
     "sample.cu", "sample.cu",
     "i < a.n_parts; i += THREADS", "i < a.n_parts && i < THREADS; i += THREADS", "sample", "best_of_many"),
    ("the tail of the last row is dropped",
     "pointwise.cu", "pointwise.cu",
     "(pieces + THREADS - 1) / THREADS", "pieces / THREADS", "rows", "gate"),
    ("the residual's rows do not repeat",
     "pointwise.cu", "pointwise.cu",
     "p.row % a.residual_rows * a.residual_stride", "p.row * a.residual_stride", "rows", "epilogue"),
    ("a gate whose function is known goes without it",
     "pointwise.cu", "arithmetic.h",
     "return x * lv_sigmoid<T>(x);", "return x;", "rows", "gate"),
    ("the exponent of a gate has the other sign",
     "pointwise.cu", "arithmetic.h",
     "lv_exp2(-1.4426950408889634f * x)", "lv_exp2(1.4426950408889634f * x)", "rows", "gate"),
    ("GELU in its tanh form is the quick one",
     "pointwise.cu", "arithmetic.h",
     "lv_sigmoid<T>(1.5957691216057308f * (x + 0.044715f * x * x * x))", "lv_sigmoid<T>(1.702f * x)", "rows", "epilogue"),
    ("every word of a stored vector is its first",
     "move.cu", "element.h",
     "lv_word_of(values + i * each)", "lv_word_of(values)", "rows", "gather"),
    ("the second of two elements in a word is dropped",
     "move.cu", "element.h",
     "(uint32_t)pair[1].bits << 16 | pair[0].bits", "pair[0].bits", "rows", "gather"),
    ("a device is told of a kernel at every launch",
     "sample.cu", "launcher.h",
     "& bit)\n            return 0;", "& bit)\n            break;", "sample", "told_once"),
    ("the lower row of a map is found with its height",
     "pool.cu", "pool.cu",
     "y.second * a.in_w * a.in_stride", "y.second * a.in_h * a.in_stride", "rows", "pool"),
    ("the columns behind a product's last are added up",
     "product.cu", "product.cu",
     " && k + col < inner;", ";", "rows", "product"),
    ("operands are replaced while others still multiply them",
     "product.cu", "product.cu",
     "        __syncthreads();\n    }\n    LV_UNROLL", "    }\n    LV_UNROLL", "rows", "product"),
    ("an index one too large is taken",
     "move.cu", "move.cu",
     "from < a.in_rows", "from <= a.in_rows", "rows", "gather"),
    ("the resize cuts instead of rounding",
     "picture.cu", "picture.cu",
     "(sums[c] + (1 << (axis.precision - 1))) >> axis.precision", "sums[c] >> axis.precision", "picture", "picture"),
    ("NV12's chroma is read a sample too far",
     "picture.cu", "picture.cu",
     "x / 2 : x / 2 * 2", "x / 2 : x", "picture", "picture"),
    ("the row is filtered before it is complete",
     "picture.cu", "picture.cu",
     "    __syncthreads();\n", "", "picture", "picture"),
    ("of equal scores the last wins",
     "sample.cu", "best.h",
     "a.id < b.id", "a.id > b.id", "sample", "argmax"),
    ("a border score of top-k is dropped",
     "draw.cu", "draw.cu",
     "p.scores[i] < least", "p.scores[i] <= least", "sample", "sample"),
    ("of a row's blocks only the first is summed up",
     "draw.cu", "draw_row.h",
     "b < job.blocks; b++)\n        sum +=", "b < 1; b++)\n        sum +=", "sample", "sample"),
    ("the histogram of the first warp serves all",
     "draw.cu", "draw.cu",
     "sum += p.shared->bins[w][threadIdx.x];", "sum += p.shared->bins[0][threadIdx.x];", "sample", "sample"),
    ("masses lose their carry",
     "draw.cu", "draw_border.h",
     "(uint32_t)n < before", "(uint32_t)n < 0", "sample", "masses_are_exact"),
    ("masses lose their upper half",
     "draw.cu", "draw_border.h",
     "lv_count(high, (uint32_t)(n >> 32) + carry)", "lv_count(high, carry)", "sample", "sample"),
    ("the scan of the bins is read before it is whole",
     "draw.cu", "draw_border.h",
     "        scan[at] += other;\n        __syncthreads();\n    }", "        scan[at] += other;\n    }", "sample", "sample"),
    ("equal scores of the blocks before are forgotten",
     "draw.cu", "draw.cu",
     "before += b < p.block ? p.state->equal[b] : 0;", "", "sample", "ties"),
    ("bins are not cleared for the next call",
     "draw.cu", "draw.cu",
     "p.state->counts[pass][threadIdx.x] = 0;", "", "sample", "sample"),
    ("a kernel of drawing reads before the one ahead is done",
     "draw.cu", "draw_row.h",
     "    lv_wait_previous();\n    return part_of(", "    return part_of(", "sample", "sample"),
    ("of head size 72 the next head's columns are taken along",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "row < left && col * 8 < HEAD", "row < left", "attention", "full"),
    ("a row behind the last key is taken along by a group",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "row < left && col", "row <= left && col", "attention", "full"),
    ("the second group asks what the first does",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "*queries = all + group * Wide<HEAD>::queries", "*queries = all", "attention", "prefill"),
    ("keys of a group are overwritten while they are read",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "lv_wgmma_visible();\n        __syncthreads();", "lv_wgmma_visible();", "attention", "full"),
    ("a group's tile is not masked where its last queries see all of it",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "whole = idle ? 0 : visible_end(s, first_query)", "whole = idle ? 0 : visible_end(s, last - 1)", "attention", "prefill"),
    ("values of a group are those of other columns",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "values + k * 2 * CORE, core, column", "values + k * 2 * CORE, column, core", "attention", "full"),
    ("up is read where gate lies",
     "gated_product.cu", "gated_product.cu",
     "copy_operand(to->up, a.up,", "copy_operand(to->up, a.gate,", "gated", "gated_product"),
    ("a step of depth is used before it has arrived",
     "gated_product.cu", "gated_product.cu",
     "lv_copy_wait<STAGES - 2>()", "lv_copy_wait<STAGES - 1>()", "gated", "gated_product"),
    ("a step of depth is overwritten while it is read",
     "gated_product.cu", "gated_product.cu",
     "        __syncthreads(); /* all", "        /* all", "gated", "gated_product"),
    ("what lies behind a row is part of its depth",
     "gated_product.cu", "gated_product.cu",
     "&& k + col < inner", "", "gated", "gated_product"),
    ("infinity makes a row's scale",
     "quantise.cu", "quantise.cu",
     "greatest = is_finite(x[i]) ? fmaxf(greatest, fabsf(x[i])) : greatest;", "greatest = fmaxf(greatest, fabsf(x[i]));", "quantise", "quantise"),
    ("negative elements do not count for a scale",
     "quantise.cu", "quantise.cu",
     "fmaxf(greatest, fabsf(x[i]))", "fmaxf(greatest, x[i])", "quantise", "quantise"),
    ("infinity becomes the greatest number",
     "quantise.cu", "quantise.cu",
     "return is_finite(x) ? x * inverse : lv_bits_float(0x7FC00000u);", "return x * inverse;", "quantise", "quantise"),
    ("the greatest is looked for before all warps have theirs",
     "quantise.cu", "quantise.cu",
     "    __syncthreads();\n    LV_UNROLL\n    for (unsigned w", "    LV_UNROLL\n    for (unsigned w", "quantise", "quantise"),
    ("the greatest of a row is the first warp's",
     "quantise.cu", "quantise.cu",
     "x = fmaxf(x, scratch[w]);", "x = fmaxf(x, scratch[0]);", "quantise", "quantise"),
    ("the second two of four codes stand where the first do",
     "quantise.cu", "quantise.cu",
     "scaled(x[4 * i + 2], inverse)", "scaled(x[4 * i], inverse)", "quantise", "quantise"),
    ("two codes of a pair change places",
     "quantise.cu", "quantise.cu",
     "lv_e4m3_from_float(second) << 8 | lv_e4m3_from_float(first)", "lv_e4m3_from_float(first) << 8 | lv_e4m3_from_float(second)",
     "quantise", "quantise"),
    ("a row is scaled by its scale instead of its inverse",
     "quantise.cu", "quantise.cu",
     "inverse = 1.0f / scale", "inverse = scale", "quantise", "quantise"),
    ("of many rows the first make the scale of all",
     "quantise.cu", "quantise.cu",
     "row < a.rows; row += THREADS", "row < a.rows && row < THREADS; row += THREADS", "quantise", "quantise"),
    ("every row takes a scale of its own where there is one for all",
     "quantise.cu", "quantise.cu",
     "write_row(a, a.scales[0])", "write_row(a, lv_e4m3_scale(a.greatest[blockIdx.x]))", "quantise", "quantise"),
    ("the last columns of a wide row stay as they were",
     "quantise.cu", "quantise.cu",
     "at < a.cols; at += THREADS * WIDTH) {\n        float x[WIDTH];\n        uint32_t words", "at < a.cols && at < THREADS * WIDTH; at += THREADS * WIDTH) {\n        float x[WIDTH];\n        uint32_t words",
     "quantise", "quantise"),
    ("a norm reads its row before the product ahead has written it",
     "norm.cu", "norm.cu",
     "    lv_let_next_start();\n    lv_wait_previous();\n    const T *in = (const T *)a.in + blockIdx.x * a.in_stride;\n    T *out = (T *)a.out + blockIdx.x * a.out_stride;\n    float x[CHUNKS]",
     "    lv_let_next_start();\n    const T *in = (const T *)a.in + blockIdx.x * a.in_stride;\n    T *out = (T *)a.out + blockIdx.x * a.out_stride;\n    float x[CHUNKS]",
     "rows", "layer_norm"),
    ("attention on tensor cores reads before the product ahead has written",
     "attention_tensor.cu", "attention_tensor.cu",
     "    lv_wait_previous();\n", "", "attention", "full"),
    ("attention by warp groups reads before the product ahead has written",
     "attention_wgmma.cu", "attention_wgmma.cu",
     "    lv_wait_previous();\n", "", "attention", "full"),
    ("plain attention reads before the product ahead has written",
     "attention_plain.cu", "attention_plain.cu",
     "    lv_wait_previous();\n", "", "attention", "full"),
    ("a step reads the mail of the step before",
     "step.cu", "step.cu",
     "&a.mail->step[number % 2]", "&a.mail->step[1 - number % 2]", "step", "rows_begin_a_step"),
    ("the first block alone begins the next step",
     "step.cu", "step.cu",
     "!= gridDim.x - 1)", "!= 0)", "step", "rows_begin_a_step"),
    ("those who have read are not counted anew",
     "step.cu", "step.cu",
     "    state->n_readers = 0;\n", "", "step", "rows_begin_a_step"),
    ("a step takes the host's ids for the tokens of the one before",
     "step.cu", "step.cu",
     "? a.tokens[row] :", "? from_host(&from->ids[row]) :", "step", "rows_begin_a_step"),
    ("threads copy a row before its id is there",
     "step.cu", "step.cu",
     "    }\n    __syncthreads();\n    if (threadIdx.x == 0)\n        count_step", "    }\n    if (threadIdx.x == 0)\n        count_step",
     "step", "rows_begin_a_step"),
    ("an id behind the table is looked up",
     "step.cu", "step.cu",
     "if (id < a.table_rows)", "if (id <= a.table_rows)", "step", "rows_begin_a_step"),
    ("part of a sequence stays behind",
     "step.cu", "step.cu",
     "sizeof *to / sizeof(uint32_t)", "sizeof *to / sizeof(uint32_t) - 1", "step", "rows_begin_a_step"),
    ("tokens are posted with those of the next step",
     "sample.cu", "post.h",
     "(post.state->n_begun - 1) % 2", "post.state->n_begun % 2", "step", "tokens_are_posted"),
    ("drawn tokens are not posted",
     "draw.cu", "post.h",
     "if (post.mail)", "if (false)", "step", "tokens_are_posted"),
    ("a draw begins at the row's first block",
     "draw.cu", "draw.cu",
     "below += row.state->drawn[block++];", "block++;", "sample", "sample"),
)


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                          errors="replace", **options)


def verdict(cxx, kernels, folder, libraries, mutation):
    """None where the test noticed; otherwise what went wrong."""
    _, kernel, file, old, new, program, test = mutation
    shutil.rmtree(folder, ignore_errors=True)  # an earlier list's headers would be included
    os.makedirs(folder)
    for name in {kernel, file}:
        with open(os.path.join(kernels, name), encoding="utf-8") as source:
            text = source.read()
        if name == file:
            if text.count(old) != 1:
                return "its text occurs %d times in %s" % (text.count(old), file)
            text = text.replace(old, new)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as changed:
            changed.write(text)
    # Quoted includes look beside the including file first: a header that others include must be found here by all.
    if file != kernel:
        for name in os.listdir(kernels):
            target = os.path.join(folder, name)
            if name.endswith(".h") and name != file and not os.path.exists(target):
                os.symlink(os.path.join(kernels, name), target)
    program_file, built = os.path.join(folder, "test"), os.path.join(folder, "kernel.o")
    done = run([cxx, *FLAGS, "-I", folder, "-I", kernels, "-c", os.path.join(folder, kernel), "-o", built])
    if done.returncode == 0:
        tests = [library for library in libraries if "test-cuda-" + program in library]
        others = [library for library in libraries if "test-cuda-" not in library]
        done = run([cxx, "-o", program_file, built, *tests, "-Wl,--start-group", *others, "-Wl,--end-group", "-lcmocka",
                    "-ljansson", "-lpthread", "-lm"])
    if done.returncode:
        return "it does not build:\n" + done.stdout
    try:
        done = run([program_file, test], timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return None
    if "Running 1 test" not in done.stdout:
        return "test %s of %s did not run:\n%s" % (test, program, done.stdout)
    return None if done.returncode else "test %s of %s passes" % (test, program)


def main():
    cxx, kernels, work, libraries = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    failures = 0
    for number, mutation in enumerate(MUTATIONS):
        start = time.monotonic()
        wrong = verdict(cxx, kernels, os.path.join(work, str(number)), libraries, mutation)
        failures += wrong is not None
        print("%-8s %s (%s, %.1f s)%s" % ("noticed" if wrong is None else "SURVIVED", mutation[0], mutation[2],
                                         time.monotonic() - start, "" if wrong is None else ": " + wrong), flush=True)
    print("%d mutations, %d not noticed" % (len(MUTATIONS), failures))
    return 1 if failures or not MUTATIONS else 0


if __name__ == "__main__":
    sys.exit(main())
