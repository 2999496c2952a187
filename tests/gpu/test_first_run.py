#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""first_run.sh with programs that answer at once, hang, fail or tell lies: what it has is always there, and it goes on there."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "first_run.sh"
TOOL = r"""
case "$1" in bench) ;; *) exit 0 ;; esac
echo '{"what": "ready", "threads": 1@NOTICE@}'
while read -r what a b c; do
    token=1
    case "$*" in *";overlap=off"*) token=@TOKEN@ ;; esac
    case "$what" in
    frames) echo "{\"what\": \"frames\", \"a\": $a, \"ns\": 2000000, \"cpu_ns\": 1, \"with_copy_ns\": 3000000}" ;;
    batch) echo "{\"what\": \"batch\", \"a\": $a, \"b\": $b, \"n\": $c, \"ns\": 4000000, \"cpu_ns\": 1, \"tokens\": \"1\"}" ;;
    *) echo "{\"what\": \"$what\", \"a\": $a, \"b\": ${b:-0}, \"ns\": 8000000, \"cpu_ns\": 1, \"tokens\": \"$token\"}" ;;
    esac
done
"""
PASSES = "echo '[  PASSED  ] 3 test(s).'\n"
HANGS = "echo begun; echo $$ >>\"$0.pids\"; sleep 1000\n"
STREAMS = """echo '{"windows": 9, "answers": 9}'\n"""
PROGRAMS = {
    "tools/llavaov-tool/llavaov-tool": TOOL.replace("@NOTICE@", "").replace("@TOKEN@", "1"),
    "tests/support/make-checkpoint": 'for last; do :; done; mkdir -p "$last"\n',
    "tests/module/test-module": PASSES, "tests/model/test-golden": PASSES, "tests/module/test-pictures": PASSES,
    "tests/gpu/gpu-arrival": STREAMS, "tests/gpu/gpu-streams": STREAMS,
    **{f"tests/cuda/test-cuda-{name}": PASSES for name in ("rows", "attention", "picture", "sample", "step", "gated", "quantise")},
}  # fmt: skip


def alive(number):
    try:
        return pathlib.Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class FirstRun(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.out, self.build = self.folder / "out", self.folder / "build"
        for name, text in PROGRAMS.items():
            self.program(name, text)
        (self.build / "sources").write_text("one\n")
        self.program("../bin/python3", "exit 1\n")  # a bare machine's: nothing of HF's is there

    def program(self, name, text):
        path = self.build / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def start(self, *arguments, **environment):
        environment = {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "OUT": str(self.out),
                       "FIRST_RUN_REHEARSAL": str(self.build), **environment}  # fmt: skip
        return subprocess.Popen([SCRIPT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env=environment)  # fmt: skip

    def run_part(self, *arguments, **environment):
        process = self.start(*arguments, **environment)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def rows(self):
        return json.loads((self.out / "gpu-check.json").read_text())["rows"]

    def test_all_that_is_measured_comes_back(self):
        code, said = self.run_part("A")
        self.assertEqual(code, 0, said)
        rows = self.rows()
        self.assertEqual(rows["bench/frame"] | {"frame_ms": 2, "with_copy_ms": 3, "picture": "64x48"}, rows["bench/frame"])
        self.assertEqual(rows["bench/decode"]["ours_ms"], 4)  # of two tokens
        self.assertEqual(rows["bench/batch"]["batch_2_ms"], 2)
        self.assertEqual(rows["bench/drawn"]["ours_ms"], 4)
        self.assertEqual(rows["kernels/rows"]["tests"], 3)
        self.assertTrue(rows["parity/0.5b-seed-1"]["skipped"])
        self.assertIn("no numpy, torch or transformers", rows["parity/0.5b-seed-1"]["message"])
        self.assertLessEqual(len(list(self.out.iterdir())), 8)
        self.assertIn("| kernels/rows | pass |", (self.out / "table.md").read_text())

    def test_nothing_that_hangs_keeps_the_rest(self):
        self.program("tests/cuda/test-cuda-attention", HANGS)
        self.program("tests/model/test-golden", "echo 'error: no memory'; exit 1\n")
        code, said = self.run_part("A", FIRST_RUN_CLOCK="5", FIRST_RUN_ONLY="kernels/.*|parity/golden-f32|first/equal")
        rows = self.rows()
        self.assertEqual(code, 1, said)
        self.assertIn("not done after", rows["kernels/attention"]["message"])
        self.assertIn("begun", rows["kernels/attention"]["message"])
        self.assertEqual(rows["parity/golden-f32"]["message"], "error: no memory")
        self.assertTrue(rows["first/equal"]["good"], said)
        numbers = (self.build / "tests/cuda/test-cuda-attention.pids").read_text().split()
        self.assertFalse([number for number in numbers if alive(number)])

    def test_when_all_hang_the_part_ends(self):
        for name in PROGRAMS:
            if "make-checkpoint" not in name:
                self.program(name, HANGS)
        code, said = self.run_part("B", FIRST_RUN_CLOCK="2", FIRST_RUN_LEFT="270")
        self.assertEqual(code, 1)
        self.assertIn("part B ended", said)
        self.assertFalse([name for name, row in self.rows().items() if row["good"]])
        self.assertIn("not done after", self.rows()["streams/100"]["message"])

    def test_killed_in_the_middle_it_goes_on_there(self):
        some = {"FIRST_RUN_ONLY": "kernels/.*|first/equal"}
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                self.setUp()
                self.program("tests/cuda/test-cuda-attention", HANGS)
                began, out = self.build / "tests/cuda/test-cuda-attention.pids", self.out / "gpu-check.json"
                process = self.start("A", **some)
                while not (began.exists() and out.exists() and "kernels/rows" in out.read_text()):
                    self.assertIsNone(process.poll())
                    time.sleep(0.05)
                process.send_signal(number)
                if number == signal.SIGKILL:  # and what it leaves behind goes with the machine
                    os.killpg(os.getpgid(int(began.read_text())), number)
                process.communicate(timeout=60)
                self.assertEqual(process.returncode, 1 if number == signal.SIGTERM else -number)
                self.assertTrue(self.rows()["kernels/rows"]["good"])
                self.assertFalse([pid for pid in began.read_text().split() if alive(pid)])
                self.program("tests/cuda/test-cuda-attention", PASSES)
                code, said = self.run_part("A", **some)
                self.assertEqual(code, 0, said)
                self.assertIn("done  kernels/rows", said)
                self.assertNotIn("done  kernels/attention", said)
                (self.build / "sources").write_text("two\n")
                self.assertNotIn("done  ", self.run_part("A", **some)[1])

    def test_other_tokens_and_slow_products_fail_their_rows(self):
        self.program("tools/llavaov-tool/llavaov-tool", TOOL.replace("@NOTICE@", "").replace("@TOKEN@", "2"))
        self.assertEqual(self.run_part("A", FIRST_RUN_ONLY="first/equal")[0], 1)
        self.assertIn("did not give the same tokens", self.rows()["first/equal"]["message"])
        self.program("tools/llavaov-tool/llavaov-tool", TOOL.replace("@NOTICE@", ', "notice": "slow products"').replace("@TOKEN@", "1"))
        self.assertEqual(self.run_part("A", FIRST_RUN_ONLY="bench/all")[0], 1)
        self.assertIn("slow products", self.rows()["bench/all"]["message"])

    def test_what_a_machine_refuses_is_skipped(self):
        self.program("../bin/ncu", "echo '==ERROR== ERR_NVGPUCTRPERM'; exit 1\n")
        code, said = self.run_part("C", FIRST_RUN_ONLY="counters/gated")
        self.assertEqual(code, 0, said)
        self.assertTrue(self.rows()["counters/gated"]["skipped"])
        self.assertIn("ERR_NVGPUCTRPERM", self.rows()["counters/gated"]["message"])

    def test_a_memory_checker_is_skipped_where_it_is_refused_alone(self):
        self.program("tests/gpu/gpu-attention", PASSES)
        cases = (("echo '========= Error: this process may not attach to the device'; exit 1\n", "skipped"),
                 ("echo '========= ERROR SUMMARY: 3 errors'; exit 9\n", "failed"),
                 ("shift 4; exec sh \"$@\"\n".replace("shift 4", "while [ $# -gt 1 ]; do shift; done"), "passed"))  # fmt: skip
        for text, wanted in cases:
            with self.subTest(wanted):
                self.setUp()
                self.program("tests/gpu/gpu-attention", PASSES)
                self.program("../bin/compute-sanitizer", text)
                code, said = self.run_part("C", FIRST_RUN_ONLY="sanitize/memcheck")
                row = self.rows()["sanitize/memcheck-attention"]
                self.assertEqual((row["good"], row.get("skipped", False)), (wanted == "passed", wanted == "skipped"), said)
                self.assertEqual(code, 1 if wanted == "failed" else 0)
                if wanted == "skipped":
                    self.assertIn("may not attach", row["message"])

    def test_too_little_time_starts_nothing(self):
        code, said = self.run_part("B", FIRST_RUN_LEFT="269")
        self.assertEqual(code, 3)
        self.assertIn("wants 270 s", said)
        self.assertFalse(self.out.exists())
        self.assertEqual(self.run_part("D")[0], 2)


if __name__ == "__main__":
    unittest.main()
