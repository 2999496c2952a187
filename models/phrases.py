# SPDX-License-Identifier: Apache-2.0
"""The committed questions: phrasings/KIND.LANGUAGE.txt, one a line.

A line that begins with "~ " was kept out of training."""
import os

from truth import KINDS, LANGUAGES

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "phrasings")


def load():
    """{(kind, language): (trained phrasings, unseen phrasings)}"""
    out = {}
    for kind in KINDS:
        for lang in LANGUAGES:
            with open(os.path.join(FOLDER, "%s.%s.txt" % (kind, lang)), encoding="utf-8") as f:
                lines = [line.rstrip("\n") for line in f if line.strip()]
            out[kind, lang] = ([t for t in lines if not t.startswith("~ ")],
                               [t[2:] for t in lines if t.startswith("~ ")])
    return out
