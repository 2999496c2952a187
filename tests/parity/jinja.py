#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The template interpreter against transformers' own environment (jinja2).

    python tests/parity/jinja.py BUILD_DIR [--conversations 2000] [--expressions 20000] [--statements 10000] [--seed 1]

Templates: every one of tests/text/templates (written by hand in the manner of the model families that their names tell) and the
published one beside the checkout, where it is, times the conversations of jinja_conversations.py: texts must be equal, and
where one refuses, both must; what the user wrote must stay marked as the user's. Random expressions and statements
(jinja_expressions.py) run through both. What the interpreter says it does not support is counted and listed, never equal.
"""
import argparse
import collections
import copy
import datetime
import json
import pathlib
import random
import signal
import sys
import warnings

import jinja_expressions
from jinja_conversations import Conversations
from jinja_server import Refused, Server
from transformers.utils.chat_template_utils import _alias_reasoning_fields, _compile_jinja_template

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOW = datetime.datetime(2024, 7, 26, 12, 30, 5)
UNSUPPORTED, MEMORY, FORMAT, ARGUMENT = -4, -6, -3, -5
PRIVATE = "\ue000"  # only users write it


class TooLong(Exception):
    pass


def too_long(*_):
    raise TooLong()


def reference(source, variables):
    """("ok", text) or ("error", why)."""
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        template = _compile_jinja_template(source)
        template.globals["strftime_now"] = NOW.strftime
        text = template.render(**copy.deepcopy(variables))  # jinja2's indent changes a list that it is given
        text.encode()
        return "ok", text
    except TooLong:
        return "too long", ""
    except Exception as error:  # noqa: BLE001: whatever Python raises is a refusal
        return "error", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def ours(server, variables):
    try:
        text, spans = server.render(variables, NOW)
        return "ok", text, spans
    except Refused as error:
        kinds = {UNSUPPORTED: "unsupported", MEMORY: "bound"}
        return kinds.get(error.status, "error"), str(error), []


class Tally:
    def __init__(self, what):
        self.what, self.counts, self.shown, self.unsupported = what, collections.Counter(), 0, collections.Counter()

    def wrong(self, source, theirs, mine):
        self.counts["DIFFERENT"] += 1
        self.shown += 1
        if self.shown <= 5:
            print(f"  {self.what}: {source!r}\n    theirs {str(theirs)[:400]!r}\n    ours   {str(mine)[:400]!r}")

    def report(self):
        print(f"{self.what}: " + ", ".join(f"{n} {k}" for k, n in sorted(self.counts.items())))
        for message, n in self.unsupported.most_common(12):
            print(f"    {n} unsupported: {message}")
        return self.counts["DIFFERENT"] + self.counts["UNMARKED"]


def compare(tally, source, theirs, mine):
    kind, text = theirs
    if kind == "too long" or (kind == "ok" and " at 0x" in text):
        tally.counts["not comparable"] += 1
    elif mine[0] in ("unsupported", "bound"):
        tally.counts[mine[0]] += 1
        tally.unsupported[mine[1].split(": ", 1)[-1][:90]] += mine[0] == "unsupported"
    elif kind == mine[0] and (kind == "error" or text == mine[1]):
        tally.counts["equal" if kind == "ok" else "both refuse"] += 1
    elif kind == "ok" and "not subscriptable" in mine[1] or "unhashable type: 'slice'" in mine[1]:
        tally.counts["folded constants"] += 1  # jinja2 turns a literal's failing slice into undefined while it compiles
    else:
        tally.wrong(source, theirs, mine)


def templates(server, seed, conversations):
    """Every template on every conversation."""
    sources = {path.stem: path.read_text() for path in sorted((ROOT / "tests/text/templates").glob("*.jinja"))}
    for path in sorted((ROOT.parent / "shared/hub").glob("*/*/chat_template.json")):
        sources["published " + path.parent.name] = json.loads(path.read_text())["chat_template"]
    makes = Conversations(random.Random(seed))
    inputs = [makes.variables() for _ in range(conversations)]
    tally, rendered = Tally("templates"), collections.Counter()
    for name, source in sources.items():
        server.compile(source)
        for variables in inputs:
            variables = dict(variables, messages=_alias_reasoning_fields(variables["messages"]))
            mine = ours(server, variables)
            compare(tally, (name, variables), reference(source, variables), mine)
            rendered[name] += mine[0] == "ok"
            if any(PRIVATE in text and not user for text, user in mine[2]):
                tally.counts["UNMARKED"] += 1
                print(f"  {name}: the user's words became the template's: {variables}")
    least = rendered.most_common()[-1]
    print(f"{len(sources)} templates x {len(inputs)} conversations; {least[0]} rendered least often: {least[1]}")
    return tally.report() + (least[1] == 0)


def generated(server, seed, count, statements):
    maker = jinja_expressions.Maker(random.Random(seed))
    tally = Tally("statements" if statements else "expressions")
    for _ in range(count):
        source = maker.template() if statements else "{{ " + maker.expression(3) + " }}"
        theirs = reference(source, jinja_expressions.VARIABLES)
        try:
            server.compile(source)
            mine = ours(server, jinja_expressions.VARIABLES)
        except Refused as error:
            mine = ("unsupported" if error.status == UNSUPPORTED else "bound" if error.status == MEMORY else "error", str(error), [])
        compare(tally, source, theirs, mine)
    return tally.report()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--expressions", type=int, default=20000)
    parser.add_argument("--statements", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    signal.signal(signal.SIGALRM, too_long)
    server = Server(arguments.build)
    failed = templates(server, arguments.seed, arguments.conversations)
    failed += generated(server, arguments.seed, arguments.expressions, False)
    failed += generated(server, arguments.seed, arguments.statements, True)
    print("everything agrees" if not failed else f"{failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
