#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Probabilities of the listed values of JSON answers (enum, const, boolean, or null) against HF transformers in float32.

    python tests/parity/json_values.py BUILD_DIR [--only TEXT] [--quick] [--verbose]

Random checkpoints of several shapes and the bundled one answer to schemas, greedily and drawn. Where a document's listed values are is found
here from the schema and the text; the token that decides one is the token in which the values first differ. What stood before that
token, and then the tokens of each value, are run through the library's model at once (teacher-forced); a value's probability is that of its
tokens, a string's without its last quote, less what goes on to another value (choices.py). Ours differs by at most 1e-3 in its
logarithm; probabilities sum to 1 and follow from the logarithms, the written value is the document's, and nothing is missing. Exit code 0
when all of that holds.
"""
import argparse
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
from transformers import AutoProcessor, LlavaOnevisionForConditionalGeneration

import checkpoints
from choices import SHAPES, TOLERANCE, Count, ball, encode, expected, log_probabilities
from model import Case, hf_inputs, picture
from tool import Tool

SCHEMAS = [
    {"type": "boolean"},
    {"enum": ["yes", "no", "not sure", "now"]},
    {"enum": [1, 12, 123, 2, -4, 2.5]},
    {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    {"type": "object", "properties": {"moving": {"type": "boolean"}, "color": {"enum": ["red", "green", "blue", "dark red"]},
                                      "n": {"type": "integer", "minimum": 0, "maximum": 9}, "door": {"enum": ["door open", "door closed"]}}},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "object", "properties": {
        "a/b~": {"enum": ["猫", "狗", "没有"]}, "in": {"type": "array", "items": {"enum": ["x", "xy", "y"]}, "maxItems": 2}}}},
    {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"ok": {"anyOf": [{"enum": ["a\"b", "a\nb", "<|im_end|>"]}, {"type": "null"}]},
                                                                  "fixed": {"const": "one"}, "text": {"type": "string", "maxLength": 6},
                                                                  "last": {"type": "boolean"}}}]},
]  # fmt: skip


def spell(value):
    return json.dumps(value, ensure_ascii=False).encode()


def listed(schema):
    """All values that may stand here, spelled and sorted; None: they are not listed."""
    if "anyOf" in schema:
        inner = [s for s in schema["anyOf"] if s != {"type": "null"}]
        values = listed(inner[0])
        return sorted(values + [b"null"]) if values else None
    if "enum" in schema or "const" in schema:
        return sorted(map(spell, schema.get("enum", [schema.get("const")])))
    return [b"false", b"true"] if schema.get("type") == "boolean" else None


def places(schema, text, at, path, found):
    """Reads the value at `at`; returns its end. found: (path, at, values)."""
    values = listed(schema)
    if values:
        here = max((v for v in values if text.startswith(v, at)), key=len)
        if len(values) > 1:
            found.append((path, at, values))
        return at + len(here)
    if "anyOf" in schema:
        if text.startswith(b"null", at):
            return at + 4
        return places(next(s for s in schema["anyOf"] if s != {"type": "null"}), text, at, path, found)
    if schema["type"] == "object":
        for name, inner in schema["properties"].items():
            at += 1 + (text[at : at + 1] == b",") + len(spell(name)) + 2
            at = places(inner, text, at, path + "/" + name.replace("~", "~0").replace("/", "~1"), found)
        return at + 1 + (not schema["properties"])
    if schema["type"] == "array":
        index = 0
        at += 1
        while text[at : at + 1] != b"]":
            at += 2 * (index > 0)
            at = places(schema["items"], text, at, f"{path}/{index}", found)
            index += 1
        return at + 1
    rest = text[at:].decode()
    return at + len(rest[: json.JSONDecoder().raw_decode(rest)[1]].encode())


def content(value):
    return value[:-1] if value.startswith(b'"') else value


def shared(values):
    """Bytes that all begin with, less than any has."""
    n = 0
    while all(len(content(v)) > n + 1 and v[n] == values[0][n] for v in values):
        n += 1
    return n


def check(tool, folder, model, processor, prompt, case, schema_file, schema, options):
    """(failures, the greatest difference, values)"""
    ids, extra = prompt
    files = [tool.save(f"picture-{i}.npy", p) for i, p in enumerate(case.pictures)]
    ours = tool.json("generate", "-m", folder, "-l", case.layout, "--resize", "torchvision", "-j", "-p", case.prompt,
                     "--json-schema", schema_file, *options, *files)  # fmt: skip
    text, tokens = ours["json"].encode(), ours["tokens"]
    backend = processor.tokenizer.backend_tokenizer
    pieces = [token_bytes(backend, t) for t in tokens]
    starts = np.cumsum([0] + list(map(len, pieces)))
    found, failures, worst = [], [], 0.0
    if places(schema, text, 0, "", found) != len(text):
        failures.append("the document does not follow its schema")
    got = ours["json-values"]
    if [v["path"] for v in got] != [f[0] for f in found]:
        failures.append(f"values at {[v['path'] for v in got]}, not at {[f[0] for f in found]} of {text.decode()}")
        return failures, worst, 0
    for value, (path, at, values) in zip(got, found):
        decided = at + shared(values)
        first = int(np.searchsorted(starts, decided, side="right")) - 1
        begin = int(starts[first])
        rests = [text[begin:at] + content(v) if begin <= at else content(v)[begin - at :] for v in values]
        spelled = {encode(processor, rest.decode()): v for rest, v in zip(rests, values)}
        logs = log_probabilities(model, ids + tokens[:first], extra, list(spelled))
        if value["values"] != [v.decode() for v in values]:
            failures.append(f"{path}: values {value['values']}")
            continue
        for v, log in zip(values, value["logprobs"]):
            difference = abs(log - expected(spelled, logs, v))
            worst = max(worst, difference)
            if not difference <= TOLERANCE:
                failures.append(f"{path} {v}: {log:.6f}, not {expected(spelled, logs, v):.6f}")
        mass, probabilities = np.exp(value["logprobs"]), np.array(value["probabilities"])
        written = max((v for v in values if text.startswith(v, at)), key=len)
        if value["value"] != written.decode() or abs(value["confidence"] - probabilities[values.index(written)]) > 1e-8:
            failures.append(f"{path}: {value['value']} is not what was written")
        if abs(probabilities.sum() - 1) > 1e-8 or abs(mass.sum() - value["label-mass"]) > 1e-7 or np.abs(mass / mass.sum() - probabilities).max() > 1e-6:
            failures.append(f"{path}: sums")
    return failures, worst, len(got)


def token_bytes(backend, token):
    if not hasattr(token_bytes, "table"):
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        odd = [b for b in range(256) if b not in printable]
        token_bytes.table = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(odd)}
    return bytes(token_bytes.table[c] for c in backend.id_to_token(token))


def run(tool, folder, place, name, model, processor, cases, seeds, count):
    before, n_values = count.cases, 0
    worst, count.worst = count.worst, 0.0
    for number, case in enumerate(cases):
        prompt = hf_inputs(processor, case)
        for i, schema in enumerate(SCHEMAS):
            schema_file = pathlib.Path(folder) / f"schema-{i}.json"
            schema_file.write_text(json.dumps(schema))
            for seed in range(seeds):
                # Penalties and temperature have no part in what is said of values.
                options = [["--greedy"], ["--temperature", "1.5", "--seed", str(seed)],
                           ["--temperature", "0.7", "--seed", str(seed), "--repetition-penalty", "1.3"]][(seed + number) % 3]  # fmt: skip
                failures, difference, n = check(tool, place, model, processor, prompt, case, schema_file, schema, ["-N", "120", *options])
                n_values += n
                count.add(f"{name} {case.name} schema {i} seed {seed}", failures, difference)
    print(f"{name:16} {count.cases - before:4} answers, {n_values} values  ln P {count.worst:.1e}", flush=True)
    count.worst = max(worst, count.worst)
    return n_values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--only", help="shapes whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="a few shapes")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    started, count, values = time.time(), Count(arguments.verbose), 0
    rng = np.random.default_rng(2)
    with tempfile.TemporaryDirectory(prefix="llavaov-parity-") as folder:
        tool = Tool(arguments.build)
        for shape in SHAPES[::4] if arguments.quick else SHAPES:
            if arguments.only and arguments.only not in shape.name:
                continue
            place = pathlib.Path(folder) / shape.name
            model, processor = checkpoints.write(shape, place)
            cases = [Case("text", "video", [], "Which one?"), Case("image", "image", [picture(rng, shape.image + 17, 2 * shape.image)], "Is it there?")]
            values += run(tool, folder, place, shape.name, model, processor, cases, 3, count)
        if not arguments.only or arguments.only in "camera-check":
            place = pathlib.Path(__file__).resolve().parents[2] / "models" / "camera-check"
            model = LlavaOnevisionForConditionalGeneration.from_pretrained(place, dtype="float32").eval()
            values += run(tool, folder, place, "camera-check", model, AutoProcessor.from_pretrained(place),
                          [Case("ball", "video", ball(2), "Is the picture black?")], 3, count)  # fmt: skip
    print(f"json-values: {count.cases} answers with {values} values, {count.failed} failed, greatest difference of ln P {count.worst:.1e}; "
          f"{time.time() - started:.0f} s")  # fmt: skip
    return bool(count.failed) or values == 0


if __name__ == "__main__":
    sys.exit(main())
