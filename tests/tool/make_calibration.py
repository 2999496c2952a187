#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/tool/calibration.json: judged answers, and what numpy makes of them for tests/tool/calibrate.py.

    make_calibration.py [FILE]

The temperature is the one on a fine grid of its logarithm, refined three times, whose mean -ln p(truth) is least; the calibration error is that
of 15 bins of equal width, by np.digitize. Needs numpy (.cache/parity)."""
import json
import pathlib
import sys

import numpy as np

LEAST, MOST, BINS = 0.01, 100.0, 15


def softmax(logprobs, temperature):
    scaled = logprobs / temperature
    scaled = np.exp(scaled - scaled.max())
    return scaled / scaled.sum()


def loss(answers, temperature):
    return float(np.mean([-np.log(max(softmax(l, temperature)[t], 1e-300)) for l, t in answers]))


def best(answers):
    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(6):
        grid = np.linspace(low, high, 201)
        at = int(np.argmin([loss(answers, t) for t in np.exp(grid)]))
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, 200)]
    return float(np.exp((low + high) / 2))


def calibration_error(answers, temperature):
    shares = [softmax(l, temperature) for l, _ in answers]
    confidence = np.array([s.max() for s in shares])
    right = np.array([int(np.argmax(l)) == t for l, t in answers], float)
    bins = np.minimum(np.digitize(confidence, np.linspace(0, 1, BINS + 1)) - 1, BINS - 1)
    return float(sum(abs((confidence - right)[bins == b].sum()) for b in range(BINS)) / len(answers))


def draw(rng, n, labels, true_temperature, mass):
    """Answers whose truth is drawn from their own probabilities at a temperature: that one is to be found."""
    answers = []
    for _ in range(n):
        k = int(rng.integers(2, labels + 1))
        logits = rng.normal(0, 3, k)
        logprobs = np.log(softmax(logits, 1) * rng.uniform(mass, 1))
        answers.append((np.round(logprobs, 6), int(rng.choice(k, p=softmax(logprobs, true_temperature)))))
    return answers


def case(name, answers, ends=False):
    """ends: nothing but an end of the temperature's range is best."""
    found = None if ends else best(answers)
    right = sum(int(np.argmax(l)) == t for l, t in answers)
    numbers = {"answers": len(answers), "right": right, "log-loss-before": loss(answers, 1), "calibration-error-before": calibration_error(answers, 1)}
    if not ends:
        numbers |= {"choices-temperature": found, "log-loss-after": loss(answers, found), "calibration-error-after": calibration_error(answers, found)}
    return {"name": name, "logprobs": [l.tolist() for l, _ in answers], "truth": [t for _, t in answers], "numbers": numbers}


def main():
    rng = np.random.default_rng(14)
    cases = [
        case("overconfident", draw(rng, 300, 2, 2.5, 0.9)),
        case("underconfident", draw(rng, 300, 4, 0.5, 0.9)),
        case("calibrated, little mass", draw(rng, 400, 6, 1.0, 0.001)),
        case("far off", draw(rng, 200, 3, 12.0, 0.5)),
        case("one answer, wrong, of three", [(np.array([-0.1, -2.5, -4.0]), 1), (np.array([-0.2, -1.9, -5.0]), 0)]),
        case("two labels alike", [(np.array([-1.0, -1.0]), 0), (np.array([-0.5, -1.5]), 0), (np.array([-0.5, -1.5]), 0), (np.array([-0.5, -1.5]), 1)]),
        case("all right", [(np.array([-0.3, -1.6]), 0), (np.array([-3.0, -0.1]), 1)], ends=True),
        case("all wrong", [(np.array([-0.3, -1.6]), 1), (np.array([-3.0, -0.1]), 0)], ends=True),
    ]  # fmt: skip
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("calibration.json"))
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


if __name__ == "__main__":
    main()
