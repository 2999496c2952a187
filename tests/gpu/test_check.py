#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gpu-check's own logic, without a GPU: rows that break, rows that hang, what is resumed and what is done again."""
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import check  # noqa: E402
import machine  # noqa: E402


def alive(number):
    """Whether the process, which may be on its way out, lives on."""
    for _ in range(100):
        try:
            if pathlib.Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX":
                return False
        except OSError:
            return False
        time.sleep(0.1)
    return True


class Rows(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        check.BUILD, check.RESULTS, check.LOG = (self.folder / name for name in ("", "gpu-check.json", "gpu-check.log"))
        self.results = {"device": "GPU", "sources": "1", "rows": {}}
        self.said = io.StringIO()
        stack = contextlib.ExitStack()
        stack.enter_context(contextlib.redirect_stdout(self.said))
        self.addCleanup(stack.close)

    def stage(self, seconds=60, name="kernels"):
        stage = check.Stage(name, self.results)
        stage.end = time.monotonic() + seconds
        return stage

    def written(self):
        return json.loads(check.RESULTS.read_text())["rows"]

    def test_a_row_that_breaks_is_a_failing_row(self):
        stage = self.stage()
        self.assertFalse(stage.row("broken", lambda: 1 / 0))
        self.assertTrue(stage.row("next", lambda: (True, {"n": 3})))
        self.assertIn("ZeroDivisionError", self.written()["kernels/broken"]["message"])
        self.assertEqual(self.written()["kernels/next"]["n"], 3)

    def test_what_passed_is_not_done_again_until_the_sources_change(self):
        done = []
        for _ in range(2):
            self.assertTrue(self.stage().row("one", lambda: (done.append(1) is None, {})))
        self.assertEqual(len(done), 1)
        self.results["sources"] = "2"
        self.stage().row("one", lambda: (done.append(1) is None, {}))
        self.assertEqual(len(done), 2)
        self.stage().row("two", lambda: (False, {}))
        self.assertTrue(self.stage().row("two", lambda: (True, {})))

    def test_building_is_always_done(self):
        done = []
        for _ in range(2):
            self.stage(name="build").row("compile", lambda: (done.append(1) is None, {}))
        self.assertEqual(len(done), 2)

    def test_the_end_of_the_time_leaves_no_process_and_no_mark(self):
        note = self.folder / "number"
        stage = self.stage(seconds=1)
        stage.least = 0
        line = ("sh", "-c", f"sleep 100 & echo $! >{note}; wait")
        with self.assertRaises(check.OutOfTime):
            stage.row("slow", lambda: (stage.run(*line)[0] == 0, {}))
        self.assertFalse(alive(int(note.read_text())))
        self.assertNotIn("kernels/slow", self.results["rows"])
        self.assertIn("kernels/slow", self.said.getvalue())

    def test_a_row_that_hangs_does_not_keep_the_next_ones(self):
        stage = self.stage()
        stage.least = 0
        self.assertFalse(stage.row("hangs", lambda: (stage.run("sh", "-c", "echo begun; sleep 100")[0] == 0, {}), 0.5))
        self.assertTrue(stage.row("next", lambda: (stage.run("true")[0] == 0, {})))
        self.assertEqual(self.written()["kernels/hangs"]["message"], "not done after 0.5 s; it said: begun")
        self.assertIn("begun", check.LOG.read_text())

    def test_a_missing_tool_and_a_crash_are_told(self):
        code, said = self.stage().run("/no/such/tool")
        self.assertEqual(code, 127)
        self.assertIn("/no/such/tool", said)
        code, said = self.stage().run("sh", "-c", "kill -SEGV $$")
        self.assertNotEqual(code, 0)
        self.assertIn("SIGSEGV", said)
        code, said = self.stage().run(sys.executable, "-c", "import json; json.loads('')")
        self.assertIn("JSONDecodeError", check.last_line(said))
        self.assertNotIn("Traceback", self.said.getvalue())
        self.assertIn("Traceback", check.LOG.read_text())

    def test_results_of_another_device_or_a_torn_file_are_not_taken(self):
        self.stage().row("one", lambda: (True, {}))
        self.assertIn("kernels/one", check.earlier("GPU")["rows"])
        self.assertEqual(check.earlier("other GPU")["rows"], {})
        for text in ("", "[]", '{"rows": 1}', '{"device": "GPU", "rows": ['):
            check.RESULTS.write_text(text)
            self.assertEqual(check.earlier("GPU")["rows"], {})

    def test_a_failing_program_is_named_by_its_tests(self):
        program = self.folder / "program"
        program.write_text("#!/bin/sh\necho '[  PASSED  ] 2 test(s).'\necho '[  ERROR   ] --- 3 is not 4'\n"
                           "echo '[  FAILED  ] tests: 1 test(s), listed below:'\necho '[  FAILED  ] edges'\nexit 1\n")
        program.chmod(0o755)
        good, facts = check.cmocka_row(self.stage(), program)()
        self.assertFalse(good)
        self.assertEqual(facts, {"tests": 2, "message": "3 is not 4", "failed": ["edges"]})


    def test_what_a_test_said_is_found_in_either_style(self):
        new = "[ RUN      ] a\nseed 3\n[       OK ] a\n[ RUN      ] b\n[  ERROR   ] --- bad\n[   LINE   ] --- c:1\n[  FAILED  ] b"
        old = "[ RUN      ] b\nERROR: bad\n[  ERROR   ] --- [   LINE   ] --- c:1: error: Failure!\n[  FAILED  ] b\n"
        self.assertEqual(check.complaint(new), "bad")
        self.assertEqual(check.complaint(old), "ERROR: bad")
        self.assertEqual(check.complaint("starts\nended by SIGSEGV"), "ended by SIGSEGV")


class Machine(unittest.TestCase):
    def test_the_gpu_is_what_nvidia_smi_says(self):
        with tempfile.TemporaryDirectory() as folder:
            tool = pathlib.Path(folder) / "nvidia-smi"
            path = os.environ["PATH"]
            self.addCleanup(os.environ.__setitem__, "PATH", path)
            os.environ["PATH"] = f"{folder}:{path}"
            for says, wanted in (("echo 'NVIDIA H100 80GB HBM3, 9.0'", ("NVIDIA H100 80GB HBM3", "9.0")),
                                 ("echo 'No devices were found'", None), ("echo 'GPU, [N/A]'", None), ("exit 9", None)):  # fmt: skip
                tool.write_text(f"#!/bin/sh\n{says}\n")
                tool.chmod(0o755)
                self.assertEqual(machine.gpu_by_smi(), wanted)

    def test_a_gpu_that_others_use_is_left_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            tool = pathlib.Path(folder) / "nvidia-smi"
            path = os.environ["PATH"]
            self.addCleanup(os.environ.__setitem__, "PATH", path)
            os.environ["PATH"] = f"{folder}:{path}"
            for says, told in (("true", ""), ("echo '7, python'", "7, python"), ("exit 9", "nvidia-smi does not tell")):
                tool.write_text(f"#!/bin/sh\n{says}\n")
                tool.chmod(0o755)
                self.assertEqual(machine.others_on_gpu(), told)
        self.assertNotIn("faults", check.STAGES)

    def test_architectures(self):
        for capability, wanted in (("8.0", "80"), ("8.9", "89"), ("9.0", "90a"), ("10.3", "100"), ("12.1", "120"), ("7.5", "80")):
            self.assertEqual(check.architecture_of(capability), wanted)


if __name__ == "__main__":
    unittest.main()
