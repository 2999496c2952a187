#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What becomes of windows when servers fail: each kind of failure twenty times.

    faults.py ASK-REMOTE MODEL [CASE]...
"""
import json
import os
import socket
import subprocess
import sys
import time

from server import WORDS, Server

TIMES = 20
TEXT = "".join(WORDS)
failures = []


def expect(what, holds, more=""):
    if not holds:
        failures.append(what)
        print("FAILED: %s: %s" % (what, str(more)[:1500]))


class Bench:
    def __init__(self, program, model):
        self.program, self.model = program, model
        told = self.ask("", device="cpu")
        self.tokens = told[0]["prompt_tokens"]
        self.servers = []

    def server(self, **settings):
        server = Server(lambda request, frames: self.tokens)
        for name, value in settings.items():
            setattr(server, name, value)
        self.servers.append(server)
        return server

    def ask(self, *servers, **settings):
        urls = " ".join(server if isinstance(server, str) else server.url for server in servers)
        command = [self.program, self.model, urls or "-"]
        command += ["%s=%s" % (name.replace("_", "-"), value) for name, value in settings.items()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            raise SystemExit("%s: exit %d %s" % (command, done.returncode, done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()]


def statuses(windows):
    return [window["status"] for window in windows]


def in_turn(bench):
    """Every other request fails; without retries exactly these windows have no answer, and none is invented."""
    for manner, words, settings in (
            ("hang", "imed out", {"timeout_ms": 300}),
            ("silent", "silent", {"silence_ms": 300}),
            ("endless", "imed out", {"timeout_ms": 300}),
            ("cut", "reset", {}), ("cut-amid", "", {}), ("end-amid", "", {}),
            ("end-without-usage", "cut off", {}),
            ("408", "as told", {}), ("429", "as told", {}), ("500", "as told", {}), ("503", "as told", {}),
            ("400", "as told", {}), ("401", "remote-api-key-env", {}), ("404", "remote-model", {}),
            ("garbage", "no JSON", {}), ("garbage-stream", "no chat completion", {}), ("redirect", "redirects", {})):
        # Four at once, and four others: five failures in a row would open the breaker.
        server = bench.server(script=([manner] * 4 + ["ok"] * 4) * (TIMES // 4), pace=0.002 if manner == "endless" else 0)
        told = bench.ask(server, windows=2 * TIMES, together=4, retries=0, **settings)
        bad, good = [w for i, w in enumerate(told) if i % 8 < 4], [w for i, w in enumerate(told) if i % 8 >= 4]
        expect("%s: every other window fails" % manner, statuses(bad) == ["remote"] * TIMES and statuses(good) == ["ok"] * TIMES, told[:8])
        expect("%s: the reason" % manner, all(words in window["message"] for window in bad), bad[0])
        expect("%s: answers are the server's" % manner, all(window["text"] == TEXT for window in good))
        expect("%s: nothing more is asked" % manner, len(server.requests) == 2 * TIMES, len(server.requests))


def again(bench):
    """What another attempt helps is tried again, what it does not is not."""
    for manner in ("cut", "cut-amid", "end-amid", "end-without-usage", "408", "502", "503", "504"):
        # Four at once: five failures in a row would open the breaker.
        server = bench.server(script=([manner] * 4 + ["ok"] * 4) * (TIMES // 4))
        told = bench.ask(server, windows=TIMES, together=4, retries=2, again_ms=50)
        expect("%s: all are answered" % manner, statuses(told) == ["ok"] * TIMES, [w["message"] for w in told])
        expect("%s: with the whole text, told once" % manner,
               all(w["text"] == TEXT and "".join(w["partials"]) == TEXT for w in told), told[0])
    for manner in ("400", "500", "garbage"):
        server = bench.server(script=[manner])
        told = bench.ask(server, retries=5)
        expect("%s: one attempt" % manner, statuses(told) == ["remote"] and len(server.requests) == 1)
    server = bench.server(usual="503")
    told = bench.ask(server, retries=2)
    expect("no more than remote-retries", len(server.requests) == 3 and "attempt 3" in told[0]["message"], told)
    server = bench.server(script=["429"] * TIMES, retry_after=1)
    told = bench.ask(server, windows=TIMES, together=TIMES)
    first = max(request.time for request in server.requests[:TIMES])
    expect("429: all are answered", statuses(told) == ["ok"] * TIMES)
    expect("429: not before Retry-After", len(server.requests) == 2 * TIMES and min(
        request.time for request in server.requests[TIMES:]) - first > 0.5, [r.time - first for r in server.requests])


def late(bench):
    """No attempt goes on beyond the end of the next window."""
    server = bench.server(usual="503")
    begun = time.monotonic()
    told = bench.ask(server, retries=100, until_ms=700, again_ms=200)
    expect("given up", statuses(told) == ["remote"] and len(server.requests) <= 3, told)
    expect("in time", time.monotonic() - begun < 20 and all(window["ms"] < 2000 for window in told), told)
    server = bench.server(script=["503"], usual="hang")
    told = bench.ask(server, retries=100, until_ms=700)
    expect("a second attempt ends then, too", statuses(told) == ["remote"] and told[0]["ms"] < 5000, told)


def unfit(bench):
    for manner in ("lie", "no-usage"):
        told = bench.ask(bench.server(usual=manner), windows=TIMES)
        expect("%s: no answer" % manner, statuses(told) == ["remote-unfit"] * TIMES, told[0])
        if manner == "lie":
            expect("both numbers", "%d tokens here, and %d" % (bench.tokens, bench.tokens + 1) in told[0]["message"], told[0])
    told = bench.ask(bench.server(usual="no-done"), windows=TIMES)
    expect("a stream may end behind its usage", statuses(told) == ["ok"] * TIMES and told[0]["text"] == TEXT, told[0])
    told = bench.ask(bench.server(usual="long"), windows=3)
    expect("a long answer is taken", all(w["status"] == "ok" and w["text"] == TEXT * 1000 for w in told), told[0]["message"])


def cancelled(bench):
    slowest = 0
    for manner in ("hang", "slow", "silent", "endless"):
        server = bench.server(usual=manner, delay=30, pace=0.002)
        told = bench.ask(server, windows=TIMES, cancel_ms=20)
        expect("%s: cancelled" % manner, statuses(told) == ["cancelled"] * TIMES, told[0])
        slowest = max([slowest] + [window["ms"] for window in told])
    # The bound is 100 ms; a busy machine may hold up the whole process.
    print("cancelling took %.1f ms at most" % slowest)
    expect("at once", slowest < 2000, slowest)
    server = bench.server(usual="429", retry_after=30)
    told = bench.ask(server, windows=TIMES, cancel_ms=20, retries=100)
    expect("between attempts", statuses(told) == ["cancelled"] * TIMES, told[0])


def breaker(bench):
    server = bench.server(script=["500"] * 5)
    told = bench.ask(server, windows=5 + TIMES, retries=0)
    expect("it opens after five failures", statuses(told) == ["remote"] * 5 + ["remote-down"] * TIMES, statuses(told))
    expect("and nothing is asked then", len(server.requests) == 5 and server.looks == 0)
    server = bench.server(script=["500"] * 5)
    told = bench.ask(server, windows=30, retries=0, wait_ms=100, pause_ms=20)
    got = statuses(told)
    expect("it closes when the server is there", got[:6] == ["remote"] * 5 + ["remote-down"] and got[-1] == "ok"
           and sorted(set(got)) == ["ok", "remote", "remote-down"] and server.looks == 1, got)
    # A server that comes up later than the first look.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = bench.ask("http://127.0.0.1:%d/v1" % port, windows=12, retries=0, wait_ms=50, pause_ms=20)
    expect("nobody is there", statuses(told) == ["remote"] * 5 + ["remote-down"] * 7, statuses(told))


def two(bench):
    """One of two dies amid its work: nothing is lost."""
    good, dying = bench.server(pace=0.005), bench.server(script=["ok"] * 3, usual="cut-amid", pace=0.005)
    told = bench.ask(good, dying, windows=3 * TIMES, together=TIMES, retries=2)
    expect("nothing is lost", statuses(told) == ["ok"] * 3 * TIMES, [w["message"] for w in told if w["message"]][:1])
    expect("as one answer", all(w["text"] == TEXT and "".join(w["partials"]) == TEXT for w in told))
    first, second = bench.server(delay=0.05, usual="slow"), bench.server(delay=0.05, usual="slow")
    bench.ask(first, second, windows=TIMES, together=TIMES)
    expect("both are asked alike", abs(len(first.requests) - len(second.requests)) <= 1 and first.most_busy > 1,
           (len(first.requests), len(second.requests)))


def labels(bench):
    """Choices are computed from the server's log-probabilities alone."""
    with open(os.path.join(bench.model, "tokenizer.json"), encoding="utf-8") as file:
        words = {token: word for word, token in json.load(file)["model"]["vocab"].items()}
    server = bench.server()
    bench.ask(server, choices="yes|no")
    first = server.requests[0].body["logprob_token_ids"]
    server.top = {token: 0.02 * (i + 1) for i, token in enumerate(first)}
    server.top[0] = 1 - sum(server.top.values())
    told = bench.ask(server, choices="yes|no", windows=TIMES)
    forced = {int(token) for request in server.requests for token in request.body.get("logit_bias", {})}
    server.second = {token: {next(iter(r.body["logprob_token_ids"])): 0.75, 0: 0.25} for token in forced
                     for r in server.requests if str(token) in r.body.get("logit_bias", {})}
    told = bench.ask(server, choices="yes|no", windows=TIMES)
    share = {"yes": 0.0, "no": 0.0}
    for token in first:
        for label in share:
            if label.startswith(words[token].lower()):
                share[label] += server.top[token] * (0.75 if token in forced else 1)
    mass = sum(share.values())
    expect("the labels' probabilities", all(
        w["status"] == "ok" and abs(w["probabilities"][0] - share["yes"] / mass) < 1e-6 and
        abs(w["label_mass"] - mass) < 1e-6 and w["text"] == max(share, key=share.get) and not w["argmax_is_label"]
        for w in told), (told[0], share, mass))
    server.processed = True
    if forced:
        told = bench.ask(server, choices="yes|no")
        expect("probabilities of another kind are refused", statuses(told) == ["remote-unfit"] and "own" in told[0]["message"], told)
    server.processed, server.usual = False, "no-logprobs"
    told = bench.ask(server, choices="yes|no", windows=TIMES)
    expect("none are an error", statuses(told) == ["remote-unfit"] * TIMES and "how probable" in told[0]["message"], told[0])


class Tree:
    """What a server was asked about labels: by the text of a beginning its ids, and those that may follow it."""

    def __init__(self, words):
        self.words, self.ids, self.next = words, {"": []}, {}

    def learn(self, requests):
        for request in requests:
            body = request.body
            begun = "".join(self.words[int(token)] for token in body.get("logit_bias", {}))
            if body.get("continue_final_message"):
                begun = body["messages"][-1]["content"]
            self.next[begun] = body["logprob_token_ids"]
            for token in body["logprob_token_ids"]:
                if begun in self.ids:
                    self.ids[begun + self.words[token]] = self.ids[begun] + [token]

    def of(self, server):
        def ids_of(text):
            self.learn(server.requests[:-1])
            return self.ids.get(text, [])
        return ids_of


def long_labels(bench):
    """Labels of three tokens and more: their beginnings stand in the prompt, as the very tokens."""
    with open(os.path.join(bench.model, "tokenizer.json"), encoding="utf-8") as file:
        vocabulary = json.load(file)["model"]["vocab"]
    words = {token: word.replace("\u0120", " ") for word, token in vocabulary.items()}
    label = "a rather long label"
    server = bench.server()
    tree = Tree(words)
    server.ids_of = tree.of(server)
    told = bench.ask(server, choices="yes|" + label)
    tree.learn(server.requests)
    expect("a label is walked along", max(map(len, tree.ids.values())) > 3 and statuses(told) == ["ok"], (told, tree.ids))
    chance = {text: {token: 0.9 / len(ids) for token in ids} for text, ids in tree.next.items()}
    for text in chance:
        chance[text][0] = 0.1
    server.top = chance[""]
    server.second = {tree.ids[text][0]: chance[text] for text in chance if len(tree.ids[text]) == 1}
    server.after = {text: chance[text] for text in chance if len(tree.ids[text]) > 1}
    told = bench.ask(server, choices="yes|" + label, windows=TIMES)
    share = {"yes": 0.0, label: 0.0}
    for text, ids in tree.ids.items():
        if text.lower() in share:
            at, product = "", 1.0
            for token in ids:
                product *= chance[at][token]
                at += words[token]
            share[text.lower()] += product
    mass = sum(share.values())
    expect("its probability is the product", all(
        w["status"] == "ok" and abs(w["probabilities"][0] - share["yes"] / mass) < 1e-6 and abs(w["label_mass"] - mass) < 1e-6
        for w in told), (told[0], share, mass))
    for manner in ("no-ids", "other-ids"):
        server.usual = manner
        told = bench.ask(server, choices="yes|" + label)
        expect("%s: refused" % manner, statuses(told) == ["remote-unfit"] and "shorter labels" in told[0]["message"], told)


def documents(bench):
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "string", "maxLength": 9}},
                         "required": ["a", "b"]})
    for words, status, text in (
            (['{"a":', 'true,\n "b"', ':"x"}'], "ok", '{"a": true, "b": "x"}'),
            (['{"a":', " " * 60], "remote", ""), (["{}"], "remote", ""), (["[" * 3000], "remote", ""),
            (['{"a": true, "b": "0123456789"}'], "remote", ""), (['{"b": "x", "a": true}'], "remote", ""),
            (['{"a": true, "b": "x"} and more'], "remote", "")):
        server = bench.server(words=words)
        told = bench.ask(server, schema=schema)
        expect("%s" % words[0][:30], statuses(told) == [status] and told[0]["text"] == text
               and told[0].get("json", "") == text, told)
        asked = server.requests[0].body["response_format"]
        expect("the schema is sent", asked["json_schema"]["schema"] == json.loads(schema) and asked["type"] == "json_schema")


CASES = [labels, long_labels, documents, in_turn, again, late, unfit, cancelled, breaker, two]


def main():
    bench = Bench(sys.argv[1], sys.argv[2])
    for case in CASES:
        if len(sys.argv) > 3 and case.__name__ not in sys.argv[3:]:
            continue
        begun = time.monotonic()
        case(bench)
        print("%s: %.1f s" % (case.__name__, time.monotonic() - begun))
        for server in bench.servers:
            server.stopping.set()
        for server in bench.servers:
            server.close()
        bench.servers = []
    print("%d failures" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
