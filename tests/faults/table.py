# SPDX-License-Identifier: Apache-2.0
"""Reads the table of scenarios."""
import dataclasses
import os


@dataclasses.dataclass
class Row:
    name: str
    kind: str
    subject: str
    steps: list       # of lists of words
    must: list        # of sets of words: one of them has to come
    must_text: str
    what: str
    in_tests: bool


def read():
    rows = {}
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "table"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            name, kind, subject, steps, must, what = (part.strip() for part in line.split("|"))
            in_tests, name = name.startswith("*"), name.lstrip("*")
            if name in rows:
                raise ValueError("%s is in the table twice" % name)
            rows[name] = Row(name, kind, subject, [s.split() for s in steps.split(";")],
                             [set(way.split(" and ")) - {"any"} for way in must.split(" or ")], must, what, in_tests)
    return rows
