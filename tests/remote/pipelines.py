#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""device=remote in pipelines, against a server that does as it is told (server.py).

    pipelines.py            in an environment where gst-launch-1.0 finds the plugin
"""
import os
import re
import shutil
import ssl
import struct
import subprocess
import sys
import tempfile

from server import Server

KEY = "sk-secret-0123456789abcdef"
SOURCE = "videotestsrc num-buffers=%d %s ! video/x-raw,width=320,height=240,framerate=30/1 ! llavaov name=it %s ! fakesink"
failures = []


class Run:
    def __init__(self, settings, seconds=8, env=None, live=False):
        environment = {**os.environ, "LLAVAOV_API_KEY": "", **(env or {})}
        preload = environment.pop("LLAVAOV_TEST_PRELOAD", "")
        if preload:
            environment["LD_PRELOAD"] = preload
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        done = subprocess.run(["gst-launch-1.0", "-v", "-m", "--no-fault"] + (SOURCE % (30 * seconds, "is-live=true" if live else "", settings)).split(),
                              capture_output=True, text=True, timeout=60, env=environment, check=False)
        self.text, self.errors, self.code = done.stdout, done.stdout + done.stderr, done.returncode

    def answers(self):
        return [re.sub(r"\\(.)", r"\1", text) for text in re.findall(
            r'\(element\): llavaov-answer,.*?, text=\(string\)("(?:[^"\\]|\\.)*"|[^,"]*)', self.text)]

    def number(self, name):
        return int(re.search(r"llavaov-answer,.*?%s=\(uint\)(\d+)" % name, self.text).group(1))


def expect(what, holds, more=""):
    if not holds:
        failures.append(what)
        print("FAILED: %s %s" % (what, str(more)[-2000:]))


def certificate(server, tokens):
    """A server whose certificate nobody vouches for is not asked."""
    if not shutil.which("openssl"):
        print("skip: no openssl")
        return
    with tempfile.TemporaryDirectory() as folder:
        pem = os.path.join(folder, "server.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", pem,
                        "-out", pem + ".crt"], check=True, capture_output=True)
        secure = Server(lambda request, frames: tokens)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem + ".crt", pem)
        secure.http.socket = context.wrap_socket(secure.http.socket, server_side=True)
        url = secure.url.replace("http:", "https:")
        run = Run("device=remote remote-url=" + url)
        expect("an unknown certificate is refused", "certificate cannot be verified" in run.errors and not run.answers()
               and not secure.requests, run.errors)
        run = Run("device=remote remote-url=" + url, env={"SSL_CERT_FILE": pem + ".crt"})
        expect("a known one is not", len(run.answers()) == 1, run.errors)
        secure.close()


def main():
    local = Run("device=cpu")
    tokens = local.number("prompt-tokens")
    server = Server(lambda request, frames: tokens)
    remote = "device=remote remote-url=%s " % server.url

    run = Run(remote + "remote-model=fake", seconds=16)
    expect("an answer for each window", run.answers() == ['"A red ball rolls."'] * 2, run.errors)
    expect("as many tokens as locally", run.number("prompt-tokens") == tokens)
    seen = server.requests[-1]
    expect("eight frames of PNG", len(seen.frames) == 8 and all(f[:8] == b"\x89PNG\r\n\x1a\n" for f in seen.frames))
    expect("the model's name", seen.body["model"] == "fake" and "Authorization" not in seen.headers)
    expect("frames as one video", [part["type"] for message in seen.body["messages"] for part in message["content"]]
           == ["video_url", "text"], seen.body["messages"][0]["content"][1:])
    png = seen.size

    Run(remote + "remote-picture=jpeg")
    seen = server.requests[-1]
    expect("eight frames of JPEG", len(seen.frames) == 8 and all(f[:2] == b"\xff\xd8" for f in seen.frames))
    expect("which are smaller", seen.size < png, (seen.size, png))

    server.usual = "lie"
    run = Run(remote, seconds=24)
    expect("one error with both numbers", run.errors.count("%d tokens here, and %d on the server" % (tokens, tokens + 1))
           and run.errors.count("ERROR: from element") == 1 and not run.answers(), run.errors)
    server.usual = "no-usage"
    run = Run(remote)
    expect("no count is an error", "how many tokens the prompt had" in run.errors and not run.answers(), run.errors)

    # The key goes to the server, and nowhere else.
    server.usual = "ok"
    with tempfile.TemporaryDirectory() as folder:
        env = {"LLAVAOV_API_KEY": KEY, "GST_DEBUG": "*:9", "GST_DEBUG_DUMP_DOT_DIR": folder, "GST_DEBUG_NO_COLOR": "1"}
        log = os.path.join(folder, "log")
        server.script = ["echo-key", "ok"]
        run = Run(remote, seconds=16, env=dict(env, GST_DEBUG_FILE=log))
        expect("it was sent", server.requests[-1].headers.get("Authorization") == "Bearer " + KEY)
        expect("the server's own words of it are not told", "HTTP 401" in run.errors and "no such key" in run.errors,
               run.errors)
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                expect("no key in %s" % name, KEY[:12] not in file.read())
        expect("no key on the terminal", KEY[:12] not in run.errors)
        expect("there was a dot file and a log", len(os.listdir(folder)) >= 2, os.listdir(folder))

    # Images: of their own, or one in its own size. What a prompt has here decides how many tokens are right.
    for settings, kind, frames, size in (("layout=images frames=3", "image_url", 3, None),
                                         ("remote-layout=images frames=3", "image_url", 3, None),
                                         ("layout=image frames=1", "image_url", 1, (320, 240))):
        count = Run("device=cpu " + settings.replace("remote-layout", "layout")).number("prompt-tokens")
        server.tokens = lambda request, frames, count=count: count
        run = Run(remote + settings)
        seen = server.requests[-1]
        expect("%s: answered" % settings, len(run.answers()) == 1, run.errors)
        expect("%s: pictures" % settings, len(seen.frames) == frames and [
            part["type"] for message in seen.body["messages"] for part in message["content"]].count(kind) == frames)
        expect("%s: in its size" % settings, size is None or struct.unpack(">II", seen.frames[0][16:24]) == size)
    run = Run(remote + "remote-layout=video layout=images", seconds=24)
    expect("another layout is one error", run.errors.count("ERROR: from element") == 1 and "goes with layout=video" in run.errors,
           run.errors)
    server.tokens = lambda request, frames: tokens

    certificate(server, tokens)

    # Windows of a live stream while no server is there: the first say why, the rest are dropped at once.
    server.usual = "500"
    run = Run(remote + "window=100000000 frames=2 remote-retries=0", seconds=3, live=True)
    lost = re.findall(r"\(qos\):[^\n]*reason=\(string\)([\w-]+)", run.text)
    expect("five windows say what the server says", run.errors.count("as told: 500") >= 5 and not run.answers(), run.errors)
    expect("then they are dropped", lost.count("remote-down") > 3, lost)
    expect("and the stream goes on", "ERROR" not in run.errors, run.errors)

    for settings, words in (
            ("device=remote", "remote-url"),
            ("device=remote remote-url=ftp://x/v1", "http:// or https://"),
            ("device=remote remote-url=http://me:secret@x/v1", "remote-api-key-env"),
            ("device=remote remote-url=file:///etc/passwd", "http:// or https://"),
            ("device=remote remote-url=http://", "names no host"),
            ("device=remote remote-url=http://x/v1?key=1", "query"),
            ("device=remote;rows=3 remote-url=http://x/v1", "no options")):
        run = Run(settings)
        expect("%s is refused" % settings, words in run.errors and not run.answers() and "secret" not in run.errors.split(
            "ERROR")[-1], run.errors)
    server.close()
    print("%d failures" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
