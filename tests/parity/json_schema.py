#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers by JSON schema against llguidance and jsonschema.

    python tests/parity/json_schema.py BUILD_DIR [--answers 100000] [--states 200] [--random 40]

Schemas: those of tests/schema/schemas.json, and random ones.
Masks: on the way of random answers, with Qwen2's vocabulary, every token that is allowed here is allowed by llguidance for the
same schema (x-guidance without flexible white space, this engine's defaults spelled out), but zeros behind the last digit of a fraction,
which llguidance refuses at some bounds ("2.50" where the maximum is 2.5); what llguidance allows beyond that are escapes, and numbers of
more digits, with exponents or "-0" (docs/json.md).
Within, the masks are those that trying every token by itself gives.
Answers: those of models that know nothing are valid by jsonschema and closed, none of more tokens than its limit.
Keywords: every one of the 2020-12 drafts that is not supported is refused by name.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import jsonschema
import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from tokenizers import Tokenizer

from tokenizer import llava_tokenizer_json

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ANNOTATIONS = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment"}
SUPPORTED = ANNOTATIONS | {"type", "enum", "const", "anyOf", "properties", "required", "additionalProperties", "items",
                           "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"}


def random_schema(rng, depth=0):
    kind = rng.choice(["object", "array", "string", "integer", "number", "boolean", "null", "enum", "const", "option"]
                      if depth < 3 else ["string", "integer", "number", "boolean", "enum"])
    if kind == "object":
        names = rng.sample(["a", "b", "name", "box", "ä/~", "state of the door", "x\"y"], rng.randint(0, 4))
        return {"type": "object", "properties": {n: random_schema(rng, depth + 1) for n in names},
                "required": names[:rng.randint(0, len(names))], "additionalProperties": False}
    if kind == "array":
        schema = {"type": "array", "items": random_schema(rng, depth + 1)}
        if rng.random() < 0.5:
            schema["minItems"] = rng.randint(0, 3)
        if rng.random() < 0.7:
            schema["maxItems"] = rng.randint(schema.get("minItems", 0), 5)
        return schema
    if kind == "string":
        schema = {"type": "string"}
        if rng.random() < 0.4:
            schema["minLength"] = rng.randint(0, 12)
        if rng.random() < 0.7:
            schema["maxLength"] = rng.randint(schema.get("minLength", 0), 40)
        return schema
    if kind in ("integer", "number"):
        low = rng.choice([0, -1, -50, 3, 1000, -0.5, 0.25, -123456])
        high = low + rng.choice([0, 1, 2, 7, 100, 0.5, 12345, 1e6])
        schema = {"type": kind}
        if kind == "integer":
            low, high = int(low), int(low) + int(high - low)
        if rng.random() < 0.7:
            schema["minimum"] = low
        if rng.random() < 0.7:
            schema["maximum"] = high
        return schema
    if kind == "enum":
        return {"enum": rng.sample(["yes", "no", "not sure", "", "n", "日本", "a\nb", 1, 12, 123, -4, 2.5, True, None], rng.randint(1, 6))}
    if kind == "const":
        return {"const": rng.choice(["fixed", 7, False, None, "\"quoted\""])}
    if kind == "option":
        inner = random_schema(rng, 2)
        while "anyOf" in inner or None in inner.get("enum", []) or inner.get("type") == "null" or inner.get("const", 0) is None:
            inner = random_schema(rng, 2)
        return {"anyOf": rng.sample([inner, {"type": "null"}], 2)}
    return {"type": kind}


def spelled_out(schema):
    """The same for others: this engine's defaults, all fields, no further ones."""
    schema = dict(schema)
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        return schema
    if "anyOf" in schema:
        schema["anyOf"] = [spelled_out(s) for s in schema["anyOf"]]
    elif kind == "object":
        schema["properties"] = {name: spelled_out(s) for name, s in schema["properties"].items()}
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
    elif kind == "array":
        schema["items"] = spelled_out(schema["items"])
        schema.setdefault("maxItems", max(16, schema.get("minItems", 0)))
    elif kind == "string":
        schema.setdefault("maxLength", max(200, schema.get("minLength", 0)))
    return schema


def matcher_for(tokenizer, schema):
    schema = dict(spelled_out(schema))
    schema["x-guidance"] = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "coerce_one_of": True}
    return LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(json.dumps(schema)))


NUMBER = re.compile(r"-?[0-9.eE+-]*$")


def explain(prefix, token):
    """Why a token that llguidance allows is refused here: "escape", "number", or None."""
    text = prefix + token
    inside = escaped = False
    literal = ""
    reasons = set()
    for at, byte in enumerate(text):
        c = chr(byte)
        if inside:
            if escaped:
                escaped = False
                if c not in "\"\\nrt" and at >= len(prefix):
                    reasons.add("escape")
            elif c == "\\":
                escaped = True
            elif c == '"':
                inside = False
            continue
        if c == '"':
            inside = True
        if c in "0123456789.eE+-":
            literal += c
            digits = sum(d.isdigit() for d in literal)
            if at >= len(prefix) and (digits > 15 or "e" in literal.lower() or literal.startswith("-0")
                                      or (digits == 15 and c == ".")):
                reasons.add("number")
        else:
            # a number that ends as -0 or -0.0
            if at >= len(prefix) and literal.startswith("-") and not literal.strip("-0."):
                reasons.add("number")
            literal = ""
    return min(reasons) if reasons else None


def adds_zeros(prefix, token):
    """The token writes nothing but zeros behind the last digit of a number's fraction, which change no value."""
    number = re.search(rb"-?[0-9]+(\.[0-9]*)?$", prefix)
    return bool(number and re.match(rb"(?:0+|0*\Z|0*(?=[,}\]]))" if number.group(1) else rb"\.0*\Z", token))


def token_bytes(tokenizer, n):
    return [tokenizer.decode_bytes([i]) for i in range(n)]


def compare_masks(build, tokenizer_file, hf, schemas, states):
    n_hf = hf.get_vocab_size()
    eos = hf.token_to_id("<|im_end|>")
    tokenizer = LLTokenizer(hf.to_str(), n_vocab=n_hf, eos_token=eos)
    process = subprocess.Popen([build / "tests/schema/json-batch", "masks", str(states), "7", tokenizer_file],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    spelled = token_bytes(tokenizer, n_hf)
    special = np.array([tokenizer.is_special_token(i) for i in range(n_hf)])
    counts = {"states": 0, "tokens": 0, "forced": 0, "zeros": 0, "escape": 0, "number": 0}
    faults = []
    for schema in schemas:
        process.stdin.write(json.dumps(schema).encode() + b"\n")
        process.stdin.flush()
        start = matcher_for(tokenizer, schema)
        if start.is_error():
            faults.append(f"llguidance refuses {json.dumps(schema)}: {start.get_error()}")
        matcher, before, lost = start.deep_copy(), [], None
        while True:
            line = process.stdout.readline()
            if not line:
                sys.exit("json-batch ended early")
            if line == b"end\n":
                break
            ids = [int(x) for x in line.split()][1:]
            n = int(tokens_of(build, tokenizer_file))
            ours = np.frombuffer(process.stdout.read(n), np.uint8).astype(bool)
            if start.is_error() or (lost and ids[:len(lost)] == lost):
                continue
            if ids[:len(before)] != before or len(ids) < len(before):
                matcher, before = start.deep_copy(), []
            if not matcher.consume_tokens(ids[len(before):]):
                if not adds_zeros(b"".join(spelled[i] for i in ids[:-1]), spelled[ids[-1]]):
                    faults.append(f"llguidance refuses {ids} of {json.dumps(schema)}")
                lost = ids
                continue
            lost = None
            before = ids
            bits = allocate_token_bitmask(1, n_hf)
            fill_next_token_bitmask(matcher, bits)
            theirs = np.unpackbits(bits.view(np.uint8), bitorder="little")[:n_hf].astype(bool)
            m = min(n, n_hf)
            ours, theirs = ours[:m], theirs[:m] & ~special[:m]
            prefix = b"".join(spelled[i] for i in ids)
            for i in np.flatnonzero(ours & ~theirs):
                # Where a text is forced its mask holds the tokens of that text alone; others may be consumed.
                if matcher.validate_tokens([int(i)]) == 1:
                    counts["forced"] += 1
                    continue
                if adds_zeros(prefix, spelled[i]):
                    counts["zeros"] += 1
                    continue
                faults.append(f"{prefix!r} {spelled[i]!r} of {json.dumps(schema)}: allowed here, not by llguidance")
            for i in np.flatnonzero(theirs & ~ours):
                reason = explain(prefix, spelled[i])
                if reason:
                    counts[reason] += 1
                else:
                    faults.append(f"{prefix!r} {spelled[i]!r} of {json.dumps(schema)}: refused here for no reason")
            counts["states"] += 1
            counts["tokens"] += int(ours.sum())
    process.stdin.close()
    process.wait()
    return counts, faults


def tokens_of(build, tokenizer_file, cache={}):
    """Size of a mask."""
    if tokenizer_file not in cache:
        cache[tokenizer_file] = subprocess.run([build / "tests/schema/json-batch", "size", "0", "0", tokenizer_file],
                                               capture_output=True, text=True, check=True).stdout
    return cache[tokenizer_file]


def compare_with_trying(build, tokenizer_file, schemas):
    """Masks are made of a whole vocabulary at once; the plain way is to try every token. (schemas, faults)"""
    lines = "".join(json.dumps(s) + "\n" for s in schemas)
    out = subprocess.run([build / "tests/schema/json-batch", "compare", "40", "3", tokenizer_file],
                         input=lines, capture_output=True, text=True, check=True).stdout.split()
    return len(out), [f"token {o} of {json.dumps(s)}" for o, s in zip(out, schemas, strict=True) if o != "same"]


def check_answers(build, schemas, n):
    """(answers, truncated, faults)"""
    each = -(-n // len(schemas))
    process = subprocess.Popen([build / "tests/schema/json-batch", "answers", str(each), "1",
                                ROOT / "tests/text/data/tokenizer.json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    faults, truncated, total = [], 0, 0
    for schema in schemas:
        process.stdin.write(json.dumps(schema).encode() + b"\n")
        process.stdin.flush()
        validator = jsonschema.Draft202012Validator(spelled_out(schema))
        for _ in range(each):
            row = json.loads(process.stdout.readline())
            total += 1
            truncated += row["truncated"]
            try:
                value = json.loads(row["text"])
                wrong = next(validator.iter_errors(value), None)
            except ValueError as error:
                wrong = error
            if wrong or row["failed"] or row["tokens"] > row["limit"]:
                faults.append(f"{row} of {json.dumps(schema)}: {wrong}")
    process.stdin.close()
    process.wait()
    return total, truncated, faults


def keywords_of_drafts():
    import jsonschema_specifications
    names = set()
    for uri in jsonschema_specifications.REGISTRY:
        if "2020-12" in uri:
            names |= set(jsonschema_specifications.REGISTRY.contents(uri).get("properties", {}))
    return names


def check_keywords(build):
    names = sorted(keywords_of_drafts() - SUPPORTED)
    schemas = [{"type": "object", "properties": {"a": {"type": "string", name: True}}} for name in names]
    lines = "".join(json.dumps(s) + "\n" for s in schemas)
    out = subprocess.run([build / "tests/schema/json-batch", "check"], input=lines, capture_output=True, text=True, check=True).stdout
    faults = [f"{name}: {line}" for name, line in zip(names, out.splitlines(), strict=True)
              if f"#/properties/a/{name}: " not in line]
    return names, faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--answers", type=int, default=100000)
    parser.add_argument("--states", type=int, default=200)
    parser.add_argument("--random", type=int, default=40)
    arguments = parser.parse_args()
    rng = random.Random(5)
    schemas = json.loads((ROOT / "tests/schema/schemas.json").read_text()) + [random_schema(rng) for _ in range(arguments.random)]
    failed = False

    names, faults = check_keywords(arguments.build)
    print(f"keywords: {len(names)} of the 2020-12 drafts refused by name, {len(faults)} faults")
    failed |= report(faults) or len(names) < 20

    total, truncated, faults = check_answers(arguments.build, schemas, arguments.answers)
    print(f"answers: {total} of {len(schemas)} schemas ({truncated} truncated), {len(faults)} faults")
    failed |= report(faults)

    with tempfile.TemporaryDirectory() as folder:
        hf = Tokenizer.from_str(llava_tokenizer_json())
        file = pathlib.Path(folder) / "tokenizer.json"
        file.write_text(llava_tokenizer_json(), encoding="utf-8")
        n, faults = compare_with_trying(arguments.build, file, schemas)
        print(f"masks: as trying every token, 40 states of {n} schemas, {len(faults)} faults")
        failed |= report(faults)
        counts, faults = compare_masks(arguments.build, file, hf, schemas, arguments.states)
    print(f"masks: {counts['states']} states of {len(schemas)} schemas, {counts['tokens']} tokens allowed, each by llguidance, too; "
          f"({counts['forced']} not in its masks, where text is forced, but taken; {counts['zeros']} zeros behind a fraction at a bound are not); it allows {counts['escape']} more with other escapes and {counts['number']} with other numbers; {len(faults)} faults")
    failed |= report(faults)
    sys.exit(failed)


def report(faults):
    for fault in faults[:20]:
        print("   ", fault[:600])
    return bool(faults)


if __name__ == "__main__":
    main()
