#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Broken configurations: each is refused with its line, the place as a JSON pointer and a reason. Where the module jsonschema is
there, it agrees about what the schema alone refuses.

    config.py CAMERA-MONITOR SCHEMA
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None

# Line 3 is the first camera's name, line 4 its prompt; {0} goes in behind that, {1} is the second camera, {2} the rest.
TEXT = """{"cameras": [
  {"uri": "rtsp://user:geheim@127.0.0.1/x",
   "name": "gate",
   "prompt": "q"%s
  }%s
 ]%s
}
"""
# What is put where, and the line, the pointer and what is said. By the schema.
IN_CAMERA = [
    ('"enabled": 1', 5, "/cameras/0/enabled", "expected boolean"), ('"enabled": "yes"', 5, "/cameras/0/enabled", "expected boolean"),
    ('"stall": 0', 5, "/cameras/0/stall", "less than 1"), ('"stall": "x"', 5, "/cameras/0/stall", "expected integer"),
    ('"stall": 1.5', 5, "/cameras/0/stall", "expected integer"), ('"properties": []', 5, "/cameras/0/properties", "expected object"),
    ('"questions": 3', 5, "/cameras/0/questions", "expected object or string"),
    ('"questions": ["a"]', 5, "/cameras/0/questions", "expected object or string"), ('"stall": 99999', 5, "/cameras/0/stall", "more than"),
    ('"properties": null', 5, "/cameras/0/properties", "expected object"),
]
SECOND = [
    ("3", 6, "/cameras/1", "expected object"), ('"x"', 6, "/cameras/1", "expected object"), ("[]", 6, "/cameras/1", "expected object"),
    ("{}", 6, "/cameras/1", '"uri" is missing'), ('{"uri": 1}', 6, "/cameras/1/uri", "expected string"),
    ('{"uri": "gate"}', 6, "/cameras/1/uri", "not a URI"), ('{"uri": ""}', 6, "/cameras/1/uri", "not a URI"),
    ('{"uri": "a:b", "prompt": []}', 6, "/cameras/1/prompt", "expected string"),
    ('{"uri": "a:b", "name": ""}', 6, "/cameras/1/name", "empty"), ('{"uri": "a:b", "name": "a\\nb"}', 6, "/cameras/1/name", "control"),
    ('{"uri": "a:b",\n "name": 7}', 7, "/cameras/1/name", "expected string"),
]
REST = [
    ('"camera": []', 7, "/camera", "there is no"), ('"sinks": {}', 7, "/sinks", "expected array"), ('"sinks": [1]', 7, "/sinks/0", "expected"),
    ('"sinks": ["x"]', 7, "/sinks/0", "not an address of a sink"), ('"sinks": ["ftp://a/b"]', 7, "/sinks/0", "not an address of a sink"),
    ('"sinks": [{}]', 7, "/sinks/0", '"url" is missing'), ('"sinks": [{"url": "mqtt://a", "usr": "x"}]', 7, "/sinks/0/usr", "there is no"),
    ('"sinks": [{"url": "mqtt://a", "topic": "a/#"}]', 7, "/sinks/0/topic", "not names between"),
    ('"sinks": [{"url": "mqtt://a", "records": "some"}]', 7, "/sinks/0/records", "not one of"),
    ('"sinks": ["file:/a",\n {"url": "mqtt://a", "user": ""}]', 8, "/sinks/1/user", "empty"),
    ('"sinks": [%s]' % ",".join('"file:/%d"' % i for i in range(17)), 7, "/sinks", "more than 16"),
    ('"spool": "x"', 7, "/spool", "expected object"), ('"spool": {}', 7, "/spool", '"path" is missing'),
    ('"spool": {"path": "/x", "bytes": 1}', 7, "/spool/bytes", "less than 65536"),
    ('"spool": {"path": "/x", "size": 1}', 7, "/spool/size", "there is no"),
    ('"spool": {"path": "/x",\n "seconds": 0}', 8, "/spool/seconds", "less than 1"),
    ('"homeassistant": 1', 7, "/homeassistant", "expected boolean or object"),
    ('"homeassistant": {"prefix": "a+"}', 7, "/homeassistant/prefix", "not names"),
    ('"metrics": {"address": "9466"}', 7, "/metrics/address", "not HOST:PORT"), ('"metrics": {"names": "x"}', 7, "/metrics/names", "not one of"),
    ('"metrics": {"port": 1}', 7, "/metrics/port", "there is no"), ('"page": {}', 7, "/page", '"address" is missing'),
    ('"page": {"address": "a:b"}', 7, "/page/address", "not HOST:PORT"), ('"engine": []', 7, "/engine", "expected object"),
    ('"sinks": ["mqtt:"]', 7, "/sinks/0", "not an address"), ('"stall": -1', 7, "/stall", "less than 1"), ('"properties": "window=1"', 7, "/properties", "expected object"),
]
# By the element, and by what the parts are to each other.
BY_PROGRAM = [
    (0, '"windo": 4', 5, "/cameras/0/windo", "no such property"), (0, '"window": "soon"', 5, "/cameras/0/window", "not a value"),
    (0, '"window": 5', 5, "/cameras/0/window", "range"), (0, '"choices": ["a", 1]', 5, "/cameras/0/choices", "no list of texts"),
    (0, '"choices": ["a|b"]', 5, "/cameras/0/choices", "no list of texts"), (0, '"frames": 0', 5, "/cameras/0/frames", "range"),
    (0, '"trigger": "never"', 5, "/cameras/0/trigger", "not a value"), (0, '"stream-name": "x"', 5, "/cameras/0/stream-name", "`name`"),
    (0, '"properties": {\n "alert-confirm": 0}', 6, "/cameras/0/properties/alert-confirm", "range"),
    (0, '"questions": {"a": {"prompt": "x"}}', 5, "/cameras/0/questions", "one only"),
    (0, '"alert-on": "yes"', 5, "/cameras/0/alert-on", "no choices"),
    (0, '"choices": "yes|no",\n "alert-on": "fire"', 6, "/cameras/0/alert-on", 'no label "fire"'),
    (0, '"json-schema": {"type": "x"}', 5, "/cameras/0/json-schema", "json-schema"),
    (1, '{"uri": "a:b"}', 6, "/cameras/1", '"prompt" is missing'), (1, '{"uri": "a:b",\n "name": "gate", "prompt": "q"}', 7, "/cameras/1/name", "another camera"),
    (1, '{"uri": "a:b", "questions": {}}', 6, "/cameras/1", "questions"),
    (2, '"sinks": ["file:/a", "file:/a"]', 7, "/sinks/1", "another sink"),
    (2, '"sinks": ["mqtt://"]', 7, "/sinks/0", "has no host"), (2, '"sinks": ["mqtt://h/a"]', 7, "/sinks/0", "has no path"),
    (2, '"sinks": [{"url": "http://h", "secret-env": "NO_SUCH_VARIABLE"}]', 7, "/sinks/0/secret-env", "is not set"),
    (2, '"sinks": [{"url": "http://h", "secret-env": "A", "secret-file": "b"}]', 7, "/sinks/0/secret-file", "one of them only"),
    (2, '"sinks": [{"url": "mqtt://h",\n "password-file": "/no/such"}]', 8, "/sinks/0/password-file", "No such file"),
    (2, '"homeassistant": true', 7, "/homeassistant", "needs a sink"), (2, '"engine": {"precison": "f32"}', 7, "/engine/precison", "no such property"),
    (2, '"page": {"address": "127.0.0.1:1", "token-file": "/no/such"}', 7, "/page/token-file", "No such file"),
]
WHOLE = [("", 1, "", ""), ("{", 1, "", ""), ("3", 1, "", ""), ('{"cameras": []}', 1, "", "no camera"), ("[]\n]", 2, "", "end of file"),
         ('[{"uri": "a:b", "uri": "a:c"}]', 1, "", "duplicate"), ("{}", 1, "", '"cameras" is missing'), ("[" * 100 + "]" * 100, 1, "", ""),
         ('[\n\n{"uri": "a:b" "prompt"}]', 3, "", "")]
GOOD = ["", ', "sinks": ["file:/a", {"url": "http://h/x", "name": "b"}]', ', "stall": 5, "engine": {"precision": "f32"}',
        ', "sinks": ["kafka://me:geheim@a:1,b:2/t", "kafka://[::1]:1/t"]',
        ', "homeassistant": {"prefix": "ha"}, "sinks": ["mqtts://h:8883"]', ', "spool": {"path": "/x", "bytes": 65536}', ', "metrics": {"names": "vllm"}']


def text_of(where, what):
    parts = ["", "", ""]
    parts[where] = ",\n " + what
    return TEXT % tuple(parts)


def cases():
    """(text, line, pointer, reason, whether the schema refuses it)."""
    for where, table in enumerate((IN_CAMERA, SECOND, REST)):
        for what, *rest in table:
            yield (text_of(where, what), *rest, True)
    for where, what, *rest in BY_PROGRAM:
        yield (text_of(where, what), *rest, False)
    for text, *rest in WHOLE:
        yield (text, *rest, None)
    for more in GOOD:
        yield (TEXT % ("", "", more), 0, "", "", False)


def run(program, folder, number, case):
    text, line, pointer, reason, by_schema = case
    path = os.path.join(folder, "%d.json" % number)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    found = subprocess.run([program, "--check", "--config", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if line == 0:
        good = found.returncode == 0 and not found.stderr
    else:
        good = found.returncode == 2 and any(
            said.startswith("camera-monitor: %s:%d: %s" % (path, line, pointer)) and reason in said for said in found.stderr.splitlines())
    if jsonschema and by_schema is not None:
        good &= SCHEMA.is_valid(json.loads(text)) != by_schema
    return None if good and "geheim" not in found.stderr else (text, line, pointer, reason, found.returncode, found.stderr)


def main():
    global SCHEMA  # pylint: disable=global-statement
    program, schema = sys.argv[1:]
    if jsonschema:
        with open(schema, encoding="utf-8") as file:
            SCHEMA = jsonschema.Draft202012Validator(json.load(file))
    table = list(cases())
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [found for found in pool.map(lambda pair: run(program, folder, *pair), enumerate(table)) if found]
    for found in wrong:
        print("FAIL %s\n  wanted line %d, %s, %s\n  status %s: %s" % found)
    print("%d configurations, %d broken ones, %d not as they should be" % (len(table), len(table) - len(GOOD), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
