# SPDX-License-Identifier: Apache-2.0
"""Counts the cases of a comparison in which one side or both may refuse a configuration."""


class Tally:
    """Of every case: its failures, and a fact, which is "both" where both sides run."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.total = self.failed = self.ran = 0

    def add(self, title, case, failures, fact):
        """Prints what failed; gives "runs" or "fails"."""
        self.total += 1
        self.failed += bool(failures)
        self.ran += fact == "both"
        if self.verbose:
            print(f"  {case.name}: {fact}")
        for text in failures:
            print(f"FAIL {title}, {case.name}: {text}", flush=True)
        return "runs" if fact == "both" else "fails"

    def __str__(self):
        return (f"{self.total - self.failed} of {self.total} cases agree "
                f"({self.ran} run, {self.total - self.ran} are refused)")  # fmt: skip

    @property
    def good(self):
        return self.total > 0 and not self.failed
