#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/text/data/jinja.json: what transformers' environment renders.

    python tests/text/make_jinja_golden.py BUILD_DIR     # in the environment of tests/parity/requirements.txt

conversations  variables of 12 random conversations
templates      for each of tests/text/templates: the FNV-1a hash of each conversation's text; null where it refuses
expressions    random templates, and what they render (null: they refuse) with the variables "generated". Those that the
               interpreter says it does not support are left out: that is what BUILD_DIR is for; nothing else of it is used
"""
import json
import pathlib
import random
import signal
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import jinja as parity  # noqa: E402
import jinja_expressions  # noqa: E402
from jinja_conversations import Conversations  # noqa: E402
from jinja_server import Refused, Server  # noqa: E402


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{value:016x}"


def supported(server, source):
    try:
        server.compile(source)
        mine = parity.ours(server, jinja_expressions.VARIABLES)
        # A literal's failing slice is undefined in jinja2, because it is evaluated while compiling.
        return mine[0] not in ("unsupported", "bound") and "not subscriptable" not in mine[1] and "'slice'" not in mine[1]
    except Refused as error:
        return error.status not in (parity.UNSUPPORTED, parity.MEMORY)


def main():
    warnings.filterwarnings("ignore")
    signal.signal(signal.SIGALRM, parity.too_long)
    server = Server(sys.argv[1])
    makes = Conversations(random.Random(12))
    conversations = [makes.variables() for _ in range(12)]
    templates = {}
    for path in sorted((HERE / "templates").glob("*.jinja")):
        results = [parity.reference(path.read_text(), variables) for variables in conversations]
        templates[path.name] = [fnv(text) if kind == "ok" else None for kind, text in results]
    maker, expressions = jinja_expressions.Maker(random.Random(34)), []
    while len(expressions) < 700:
        source = maker.template() if len(expressions) % 7 == 0 else "{{ " + maker.expression(3) + " }}"
        kind, text = parity.reference(source, jinja_expressions.VARIABLES)
        comparable = kind != "too long" and " at 0x" not in text and "'slice'" not in text and supported(server, source)
        # One refusal in four is enough.
        if comparable and (kind == "ok" or maker.random.random() < 0.25):
            expressions.append([source, text if kind == "ok" else None])
    data = {"conversations": conversations, "templates": templates, "generated": jinja_expressions.VARIABLES, "expressions": expressions}
    (HERE / "data/jinja.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
