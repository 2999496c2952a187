# SPDX-License-Identifier: Apache-2.0
"""What the CUDA backend is to reach, and the judging of what was measured. Nothing here needs a GPU.

A row of gpu-check is a name such as "bench/prefill" with a dict of facts. FIGURES says which of its numbers are judged, by
which must and which aim; judge() adds them to the facts, table() puts them into one table in the order of the goals.
"""
import math
from typing import NamedTuple

# The goals by number: title of the table's rows.
GOALS = {
    2: "kernels on a GPU against float64, and under compute-sanitizer",
    3: "parity on a GPU",
    4: "preprocessing",
    5: "tower, bf16, batch 32",
    6: "one NV12 frame on the device to 196 embeddings",
    7: "prefill of 6,303 tokens, 0.5B bf16, alone",
    8: "decode, 0.5B bf16, 6.3k context",
    9: "a 6.3k prefill arriving during batch-8 decode",
    10: "7B shapes, random weights",
    11: "streams: 1080p NV12 at 1 fps, 8-frame windows, 32 tokens",
    12: "faults",
}
SEEDS = 5
FRAMES = (1, 8, 32)


class Figure(NamedTuple):
    goal: int
    row: str
    field: str  # of the row's facts; dots lead into them
    what: str
    unit: str
    must: float | None  # the most allowed, or the least where more is better; None: reported only
    aim: float | None = None
    more: bool = False  # more is better


FIGURES = [
    *(
        figure
        for frames in FRAMES
        for figure in (
            Figure(3, f"parity/pooled-{frames}-frames", "bf16_features_times_hf", f"{frames} frames, bf16 features", "x HF's", 1.1),
            Figure(3, f"parity/pooled-{frames}-frames", "bf16_logits_times_hf", f"{frames} frames, bf16 logits", "x HF's", 1.1),
            Figure(3, f"parity/pooled-{frames}-frames", "f32_features_of_allowed", f"{frames} frames, float32 features", "of what is allowed", 1.0),
            Figure(3, f"parity/pooled-{frames}-frames", "f32_logits_sigma", f"{frames} frames, float32 logits", "sigma", 1e-3),
            Figure(3, f"parity/pooled-{frames}-frames", "tokens_differ", f"{frames} frames, float32 answers with other tokens", "answers", 0),
        )
    ),
    Figure(3, "parity/demo", "f32_differ", "demo model, float32: other tokens than the CPU's", "clips", 0),
    Figure(3, "parity/demo", "bf16_same", "demo model, bf16: the same answers", "of all", 0.99, more=True),
    Figure(4, "bench/patches", "us", "1080p NV12 to patches", "us", 60, 20),
    Figure(5, "bench/encode", "ours_ms", "per frame", "ms", 1.40, 1.1),
    Figure(5, "bench/encode", "times_best", "against the best of HF's variants", "x", 1.0, 1.3, more=True),
    Figure(6, "bench/frame", "frame_ms", "1080p, on the device", "ms", 2.2, 1.6),
    Figure(6, "bench/frame", "with_copy_ms", "1080p, from the caller's memory", "ms", None),
    Figure(7, "bench/prefill", "ours_ms", "time", "ms", 16, 11.5),
    Figure(7, "bench/prefill", "times_best", "against the best of HF's variants", "x", 1.5, more=True),
    Figure(8, "bench/decode", "ours_ms", "batch 1, per token", "ms", 0.75, 0.47),
    Figure(8, "bench/decode", "times_eager", "batch 1 against HF eager", "x", 15, more=True),
    Figure(8, "bench/decode", "times_static", "batch 1 against HF static cache + compile", "x", 1.5, more=True),
    Figure(8, "bench/batch", "batch_8_ms", "batch 8, per step", "ms", 1.0, 0.75),
    Figure(8, "bench/batch", "batch_64_ms", "batch 64, per step", "ms", 3.2, 2.5),
    Figure(9, "bench/arrival", "prompt.delay_ms", "longest delay of a step", "ms", 5, 2),
    Figure(9, "bench/arrival", "prompt.took_ms", "the prompt's own time meanwhile", "ms", None),
    Figure(9, "bench/arrival", "frames.delay_ms", "longest delay of a step by 32 arriving frames", "ms", None),
    Figure(10, "bench/7b", "prefill_ms", "prefill of 6,303 tokens", "ms", 165, 130),
    Figure(10, "bench/7b", "decode_ms", "decode, per token", "ms", 6.4, 5.4),
    *(
        figure
        for name, n, must in (("100", "100", True), ("100-together", "100 whose windows end together", True), ("200", "200", False), ("450", "450", False))
        for figure in (
            Figure(11, f"streams/{name}", "dropped", f"{n} streams, windows dropped or not answered", "windows", 0 if must else None, 0),
            Figure(11, f"streams/{name}", "p99_s", f"{n} streams, answer, 99 %", "s", 1.0 if must else None, 1.0),
            Figure(11, f"streams/{name}", "resident_grows_mib", f"{n} streams, host memory grows by", "MiB", 16 if must else None, 16),
            Figure(11, f"streams/{name}", "device_grows_mib", f"{n} streams, device memory grows by", "MiB", 64 if must else None, 64),
            Figure(11, f"streams/{name}", "cpu_per_stream", f"{n} streams, host processors per stream", "", None),
        )
    ),
]  # fmt: skip

# Goals that are a row passed or failed as a whole, by the row's name or its beginning.
WHOLE = [(2, "kernels/"), (2, "sanitize/"), (3, "parity/module"), (3, "parity/golden-f32"), (4, "parity/pictures"), (12, "kernels/launch-fault"), (12, "faults/faults")]
# Rows whose musts are not judged: a row of aims alone must not make its stage fail.
AIMS_ALONE = ("streams/200", "streams/450")


def value_of(facts, field):
    """The number, or None where it was not measured."""
    for name in field.split("."):
        facts = facts.get(name) if isinstance(facts, dict) else None
    if isinstance(facts, bool) or not isinstance(facts, (int, float)) or not math.isfinite(facts):
        return None
    return facts


def met(value, bound, more):
    return value is not None and (value >= bound if more else value <= bound)


def judge(row, facts):
    """(every must of the row is met, {what: its figure, must, aim and whether they are met})."""
    good, figures = True, {}
    for f in FIGURES:
        if f.row != row:
            continue
        value = value_of(facts, f.field)
        if "1080p" in f.what and facts.get("picture", "1920x1080") != "1920x1080":
            value = None  # a rehearsal's small picture is no figure of this
        entry = {"figure": value, "unit": f.unit}
        if f.must is not None:
            entry |= {"must": f.must, "met": met(value, f.must, f.more)}
            good = good and entry["met"]
        if f.aim is not None:
            entry |= {"aim": f.aim, "aim_met": met(value, f.aim, f.more)}
        figures[f.what] = entry
    return good, figures


# ---- pooling over seeds ----


def pooled(seeds):
    """Facts of all seeds with one number of frames together: relative L2 distances of sums of squares.

    seeds: for each seed {"f32": {...}, "bf16": {...}, "hf_bf16": {...}, ...}, with {"error": sum of squared differences from
    HF in float32, "power": sum of squares of that} for "features" and "logits" in each, and the float32 facts of its own.
    """
    facts = {"seeds": len(seeds)}
    for part in ("features", "logits"):
        distance = {}
        for side in ("f32", "bf16", "hf_bf16"):
            error = sum(s[side][part]["error"] for s in seeds)
            power = sum(s[side][part]["power"] for s in seeds)
            distance[side] = math.sqrt(error / power) if power > 0 else math.inf
            facts[f"{side}_{part}"] = distance[side]
        facts[f"bf16_{part}_times_hf"] = distance["bf16"] / distance["hf_bf16"] if distance["hf_bf16"] > 0 else math.inf
    # float32 is judged seed by seed: the worst of them stands here.
    facts["f32_features_of_allowed"] = max(s["f32_features_of_allowed"] for s in seeds)
    facts["f32_logits_sigma"] = max(s["f32_logits_sigma"] for s in seeds)
    facts["tokens_differ"] = sum(s["tokens_differ"] for s in seeds)
    facts["tokens_excused"] = sum(s["tokens_excused"] for s in seeds)
    return facts


# ---- the table ----


def shown(value):
    if value is None:
        return ""
    if value == 0 or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def verdict(facts, entry):
    if entry["figure"] is None:
        return "not measured"
    if not entry.get("met", True):
        return "MISSED"
    if "aim" in entry:
        return "aim met" if entry["aim_met"] else "must met" if "met" in entry else "aim missed"
    return "met" if "met" in entry else "-"


def with_unit(value, unit):
    return f"{shown(value)} {unit}".strip() if value is not None else ""


def table(results):
    """Lines of markdown: every figure of the goals beside its must and aim, and the rows that pass or fail as a whole."""
    rows = results.get("rows", {})
    lines = [f"{results.get('device', 'no GPU')}, compute capability {results.get('compute_capability', '?')}", ""]
    lines += ["| # | what | measured | must | aim | |", "|---|---|---|---|---|---|"]
    for goal, title in GOALS.items():
        for number, prefix in WHOLE:
            if number != goal:
                continue
            own = {whole for _, whole in WHOLE}
            names = [name for name in rows if name == prefix or (prefix.endswith("/") and name.startswith(prefix) and name not in own)]
            failed = [name for name in names if not rows[name].get("good")]
            said = f"{len(names) - len(failed)} of {len(names)} rows passed" if names else ""
            if failed:
                said += ": failed " + ", ".join(name.split("/", 1)[1] for name in failed)
            end = "not measured" if not names else "MISSED" if failed else "met"
            lines.append(f"| {goal} | {title}: {prefix.rstrip('/')} | {said} | all | | {end} |")
        for f in (f for f in FIGURES if f.goal == goal):
            facts = rows.get(f.row, {})
            entry = judge(f.row, facts)[1][f.what]
            lines.append(f"| {goal} | {title}: {f.what} | {with_unit(entry['figure'], f.unit)} | {with_unit(f.must, f.unit)} | "
                         f"{with_unit(f.aim, f.unit)} | {verdict(facts, entry)} |")  # fmt: skip
    ceilings = rows.get("bench/ceilings", {})
    if "bf16_product_tflops" in ceilings:
        lines += ["", f"Ceilings: bf16 product of 8192 x 8192 x 8192 {ceilings['bf16_product_tflops']} TFLOP/s, copy on the device "
                      f"{ceilings['copy_read_and_write_tbytes']} TB/s (read and write)."]  # fmt: skip
    dates = sorted({row["date"] for row in rows.values() if "date" in row})
    if dates:
        lines += ["", f"Measured {dates[0]}" + (f" to {dates[-1]}." if dates[-1] != dates[0] else ".")]
    return lines
