#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rule of ./dev soak load on memory: what wanders is flat, what leaks is not."""
import random
import unittest

import load


def wander(seconds, mean, amount, seed):
    """Follows the number of windows under way, which changes within seconds."""
    chance, at, series = random.Random(seed), 0.0, []
    for _ in range(seconds):
        at = 0.7 * at + chance.gauss(0, amount)
        series.append(mean + at)
    return series


class Memory(unittest.TestCase):
    def test_what_wanders_is_flat(self):
        for seed in range(200):
            self.assertTrue(load.is_flat(wander(60, 130, 1.5, seed)), seed)

    def test_the_first_moment_does_not_count(self):
        self.assertTrue(load.is_flat([90, 100] + wander(58, 130, 1.5, 1)))
        self.assertTrue(load.is_flat(wander(59, 130, 1.5, 1) + [160]))

    def test_a_leak_is_found(self):
        for a_minute in (25, 50, 200):
            for seed in range(200):
                series = [v + a_minute * i / 60 for i, v in enumerate(wander(60, 130, 1.5, seed))]
                self.assertFalse(load.is_flat(series), (a_minute, seed))

    def test_what_fills_up_is_found(self):
        filling = [875 + 673 * min(i / 50, 1) for i in range(60)]  # as what was kept of every stream did
        self.assertFalse(load.is_flat(filling))


class Rounds(unittest.TestCase):
    def test_the_median_counts(self):
        runs = [{"load": times, "answers_per_s": rate} for times, rate in
                ((1, 40), (2, 38), (2, 20), (1, 60), (1, 41), (2, 39))]
        self.assertEqual([load.of_load(runs, which, "answers_per_s") for which in (1, 2)], [41, 38])


if __name__ == "__main__":
    unittest.main()
