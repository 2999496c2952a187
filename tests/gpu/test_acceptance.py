#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The judging of gpu-check, without a GPU: what meets a must, what is pooled over seeds, and the table."""
import contextlib
import io
import json
import math
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import acceptance  # noqa: E402
import check  # noqa: E402
import machine  # noqa: E402


def seed(bf16, hf, power=100.0, of_allowed=0.5, differ=0):
    """With these relative distances."""
    sides = {"f32": 1e-6, "bf16": bf16, "hf_bf16": hf}
    facts = {side: {part: {"error": d * d * power, "power": power} for part in ("features", "logits")} for side, d in sides.items()}
    return {**facts, "f32_features_of_allowed": of_allowed, "f32_logits_sigma": 1e-4, "tokens_differ": differ, "tokens_excused": 0}


class Judging(unittest.TestCase):
    def test_a_frame_of_another_size_is_no_figure_of_1080p(self):
        for picture, figure in (("1920x1080", 1.5), ("64x48", None)):
            facts = {"frame_ms": 1.5, "with_copy_ms": 1.7, "picture": picture}
            figures = acceptance.judge("bench/frame", facts)[1]
            self.assertEqual([entry["figure"] for entry in figures.values()], [figure, figure and 1.7])

    def test_less_is_better(self):
        good, figures = acceptance.judge("bench/patches", {"us": 60})
        self.assertTrue(good)
        self.assertEqual(figures["1080p NV12 to patches"], {"figure": 60, "unit": "us", "must": 60, "met": True, "aim": 20, "aim_met": False})
        self.assertFalse(acceptance.judge("bench/patches", {"us": 60.01})[0])

    def test_more_is_better(self):
        facts = {"ours_ms": 0.4, "times_eager": 15, "times_static": 1.5}
        good, figures = acceptance.judge("bench/decode", facts)
        self.assertTrue(good)
        self.assertTrue(figures["batch 1, per token"]["aim_met"])
        for name, low in (("times_eager", 14.9), ("times_static", 1.49)):
            self.assertFalse(acceptance.judge("bench/decode", {**facts, name: low})[0])

    def test_what_was_not_measured_is_not_met(self):
        for facts in ({}, {"us": None}, {"us": "59"}, {"us": True}, {"us": math.nan}, {"us": math.inf}):
            good, figures = acceptance.judge("bench/patches", facts)
            self.assertFalse(good)
            self.assertIsNone(figures["1080p NV12 to patches"]["figure"])

    def test_a_row_of_aims_does_not_fail(self):
        facts = {"dropped": 7, "p99_s": 3.0}
        self.assertFalse(acceptance.judge("streams/100", facts)[0])
        for row in acceptance.AIMS_ALONE:
            good, figures = acceptance.judge(row, facts)
            self.assertTrue(good)
            self.assertFalse(any(figure.get("aim_met") for figure in figures.values()))

    def test_a_figure_within_a_figure(self):
        self.assertTrue(acceptance.judge("bench/arrival", {"prompt": {"delay_ms": 5, "took_ms": 30}, "frames": {}})[0])
        self.assertFalse(acceptance.judge("bench/arrival", {"prompt": {"delay_ms": 5.1}})[0])
        self.assertFalse(acceptance.judge("bench/arrival", {"prompt": 1})[0])

    def test_a_row_that_nothing_is_asked_of(self):
        self.assertEqual(acceptance.judge("bench/few", {"step_1": 3}), (True, {}))


class Pooling(unittest.TestCase):
    def test_sums_of_squares_are_pooled_not_ratios(self):
        # One seed is far worse than HF and small, the other the other way round: weights are the sums.
        facts = acceptance.pooled([seed(0.02, 0.01, power=1), seed(0.01, 0.01, power=99)])
        self.assertAlmostEqual(facts["bf16_logits"], math.sqrt((4e-4 + 99e-4) / 100))
        self.assertAlmostEqual(facts["hf_bf16_logits"], 0.01)
        self.assertAlmostEqual(facts["bf16_logits_times_hf"], math.sqrt(1.03))
        self.assertTrue(acceptance.judge("parity/pooled-8-frames", facts)[0])

    def test_above_the_limit(self):
        facts = acceptance.pooled([seed(0.0111, 0.01)] * 5)
        self.assertFalse(acceptance.judge("parity/pooled-1-frames", facts)[0])

    def test_float32_is_judged_by_the_worst_seed(self):
        good = [seed(0.01, 0.01)] * 4
        self.assertFalse(acceptance.judge("parity/pooled-32-frames", acceptance.pooled([*good, seed(0.01, 0.01, of_allowed=1.1)]))[0])
        self.assertFalse(acceptance.judge("parity/pooled-32-frames", acceptance.pooled([*good, seed(0.01, 0.01, differ=1)]))[0])
        self.assertTrue(acceptance.judge("parity/pooled-32-frames", acceptance.pooled([*good, seed(0.01, 0.01)]))[0])

    def test_nothing_to_divide_by(self):
        facts = acceptance.pooled([seed(0.01, 0.0)])
        self.assertFalse(acceptance.judge("parity/pooled-1-frames", facts)[0])


class Table(unittest.TestCase):
    def row(self, lines, text):
        found = [line for line in lines if text in line]
        self.assertEqual(len(found), 1, text)
        return [cell.strip() for cell in found[0].strip("|").split("|")]

    def test_goals_stand_in_order_with_must_and_aim(self):
        rows = {"bench/patches": {"us": 30.0, "good": True, "date": "2026-11-22"}, "kernels/rows": {"good": True},
                "kernels/sample": {"good": False}, "faults/faults": {"good": True}, "bench/batch": {"batch_8_ms": 1.2, "batch_64_ms": 2.4, "date": "2026-11-23"},
                "bench/ceilings": {"bf16_product_tflops": 700.5, "copy_read_and_write_tbytes": 2.9}}  # fmt: skip
        lines = acceptance.table({"device": "H100", "compute_capability": "9.0", "rows": rows})
        self.assertIn("H100", lines[0])
        self.assertEqual(self.row(lines, "1080p NV12 to patches"), ["4", "preprocessing: 1080p NV12 to patches", "30 us", "60 us", "20 us", "must met"])
        self.assertEqual(self.row(lines, "batch 8, per step")[-1], "MISSED")
        self.assertEqual(self.row(lines, "batch 64, per step")[-1], "aim met")
        self.assertEqual(self.row(lines, ": kernels |")[2:], ["1 of 2 rows passed: failed sample", "all", "", "MISSED"])
        self.assertEqual(self.row(lines, "faults: faults/faults")[2:], ["1 of 1 rows passed", "all", "", "met"])
        self.assertEqual(self.row(lines, "batch 1, per token")[-1], "not measured")
        goals = [int(line.split("|")[1]) for line in lines if line.startswith("|") and line.split("|")[1].strip().isdigit()]
        self.assertEqual(goals, sorted(goals))
        self.assertEqual(sorted(set(goals)), sorted(acceptance.GOALS))
        self.assertIn("700.5 TFLOP/s", "\n".join(lines))
        self.assertEqual(lines[-1], "Measured 2026-11-22 to 2026-11-23.")

    def test_of_nothing(self):
        self.assertTrue(all("MISSED" not in line for line in acceptance.table({})))

    def test_every_figure_has_a_line_of_its_own(self):
        lines = acceptance.table({"rows": {}})
        for figure in acceptance.FIGURES:
            self.row(lines, f"{acceptance.GOALS[figure.goal]}: {figure.what} |")


# What the programs of each row print last, on a GPU that does everything well.
STREAMS = {"windows": 700, "answers": 700, "dropped": 0, "p99_s": 0.2, "resident_grows_mib": 0.1, "device_grows_mib": 0,
           "cpu_per_stream": 0.01}  # fmt: skip
SAID = {
    "gpu-ceilings": {"bf16_product_tflops": 700.0, "copy_read_and_write_tbytes": 3.0},
    "gpu-patches": {"us": 19.0},
    "gpu-few": {"step_1": {"us": 400.0}},
    "gpu-arrival": {"prompt": {"delay_ms": 1.9, "took_ms": 30.0}, "frames": {"delay_ms": 3.0}},
    "gpu-streams": STREAMS,
    "demo": {"clips": 400, "f32_differ": 0, "bf16_differ": 1, "bf16_same": 0.9975},
    "parity": {str(frames): seed(0.01, 0.01) for frames in acceptance.FRAMES},
    "frame": {"frame_ms": 1.5, "with_copy_ms": 1.7},
    "batch": {"batch_8_ms": 0.7, "batch_64_ms": 2.4},
    "graphs": {"batch_1_graph_ms": 0.4},
    "encode": {"ours_ms": 1.0, "times_best": 1.4},
    "prefill": {"ours_ms": 11.0, "times_best": 2.0},
    "decode": {"ours_ms": 0.4, "times_eager": 60.0, "times_static": 4.0},
    "7b": {"prefill_ms": 120.0, "decode_ms": 5.0},
}


def said(stage, *line, env=None, quiet=False):
    words = [str(word) for word in line]
    for name in words[::-1]:
        name = pathlib.Path(name).name
        if name in SAID:
            return 0, "a line before\n" + json.dumps(SAID[name]) + "\n"
    return 0, "[  PASSED  ] 3 test(s).\n"


class Stages(unittest.TestCase):
    def run_all(self, run):
        results = {"device": "H100", "compute_capability": "9.0", "sources": "1", "rows": {}}
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            build = pathlib.Path(folder)
            (build / "random-0.5b-1").mkdir()
            for patch in (mock.patch.object(check, "BUILD", build), mock.patch.object(check, "RESULTS", build / "results.json"),
                          mock.patch.object(check.Stage, "run", run), mock.patch.object(machine, "environment", lambda: {}),
                          mock.patch.object(machine, "lacking", lambda *names: []), mock.patch.object(machine, "sanitizer", lambda: "sanitizer"),
                          mock.patch.object(machine, "others_on_gpu", lambda: ""),
                          contextlib.redirect_stdout(io.StringIO())):  # fmt: skip
                stack.enter_context(patch)
            good = {name: getattr(check, name)(check.Stage(name, results), ("H100", "9.0")) for name in check.STAGES + check.NAMED_ONLY if name != "build"}
        return good, results

    def test_every_goal_is_measured_by_some_row(self):
        good, results = self.run_all(said)
        self.assertEqual(good, dict.fromkeys(good, True))
        lines = acceptance.table(results)
        self.assertFalse([line for line in lines if "not measured" in line or "MISSED" in line])
        for figure in acceptance.FIGURES:
            self.assertIsNotNone(acceptance.value_of(results["rows"][figure.row], figure.field), figure)

    def test_aims_alone_fail_no_stage_and_musts_do(self):
        def slower(stage, *line, **_):
            few = "gpu-streams" in str(line[0]) and line[3] != 100
            return (1, json.dumps({**STREAMS, "dropped": 9})) if few else said(stage, *line)

        good, results = self.run_all(slower)
        self.assertTrue(good["streams"])
        self.assertTrue(any("aim missed" in line for line in acceptance.table(results)))

        def late(stage, *line, **_):
            return (0, json.dumps({**STREAMS, "p99_s": 1.1})) if "gpu-streams" in str(line[0]) else said(stage, *line)

        self.assertFalse(self.run_all(late)[0]["streams"])

    def test_a_seed_that_is_missing_leaves_nothing_pooled(self):
        def broken(stage, *line, **_):
            return (1, "no memory") if line[-2:] == ("parity", 3) else said(stage, *line)

        good, results = self.run_all(broken)
        self.assertFalse(good["parity"])
        self.assertIn("4 of 5 seeds", results["rows"]["parity/pooled-8-frames"]["message"])


if __name__ == "__main__":
    unittest.main()
