#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may ask camera-monitor what over HTTP, what it makes of nonsense, and that it stays bounded: hosts, origins, tokens, bodies,
a thousand connections, clients that are slow, more who look than there is room for.

    access.py CAMERA-MONITOR
"""
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time

from program import PATIENCE, Checks, Monitor, environment, request

TOKEN = "0123456789abcdef-0123456789abcdef"
SECRET = "hunter2-is-secret"
# It is never there, so it stays.
GATE = {"name": "gate", "uri": "rtsp://admin:%s@127.0.0.1:1/cam" % SECRET, "prompt": "Is the picture black?"}
TWO = {"name": "two", "uri": "rtsp://127.0.0.1:1/cam", "questions": {"person": {"prompt": "a"}, "what": {"prompt": "b"}}}
JSON = {"Content-Type": "application/json"}


def post(port, path, body, **more):
    return request(port, path, "POST", body, {**JSON, **more.pop("headers", {})}, **more)[0]


def hosts(check, port):
    for host, wanted in (("127.0.0.1:%d" % port, 200), ("localhost:%d" % port, 200), ("LOCALHOST", 200), ("[::1]:%d" % port, 200),
                         ("127.0.0.1", 200), ("localhost:80", 200), ("evil.example", 403), ("evil.example:%d" % port, 403),
                         ("127.0.0.1.evil.example", 403), ("localhost.evil.example", 403), ("127.0.0.1@evil.example", 403),
                         ("evil.example#localhost", 403), ("", 403), ("[::1", 403), ("[::2]", 403), ("10.0.0.1", 403), ("0.0.0.0", 403),
                         ("localhost:99999", 403), ("localhost:", 403), ("2130706433", 403)):
        for path in ("/", "/events", "/picture?camera=gate", "/metrics"):
            if wanted == 200 and path == "/events":
                continue  # has no end
            status = request(port, path, host=host)[0] if host else request(port, path, host=" ")[0]
            good = status == wanted or wanted == 200 and status == 204 or not host and status == 400
            if not good or path == "/":
                check(good, "Host %r, %s: %d" % (host, path, wanted), status)


def origins(check, port):
    body = {"camera": "gate", "prompt": "Is it dark?"}
    own = "http://127.0.0.1:%d" % port
    for headers, wanted in (({}, 200), ({"Origin": own}, 200), ({"Origin": own, "Sec-Fetch-Site": "same-origin"}, 200),
                            ({"Sec-Fetch-Site": "none"}, 200), ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403),
                            ({"Origin": "http://127.0.0.1:%d" % (port + 1)}, 403), ({"Origin": "http://127.0.0.1"}, 403),
                            ({"Origin": own + ".evil.example"}, 403), ({"Origin": own, "Sec-Fetch-Site": "cross-site"}, 403),
                            ({"Sec-Fetch-Site": "same-site"}, 403), ({"Content-Type": "text/plain"}, 415),
                            ({"Content-Type": "application/x-www-form-urlencoded"}, 415)):
        status = post(port, "/api/prompt", body, headers=headers)
        check(status == wanted, "%s: %d" % (headers, wanted), status)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"):
        status = request(port, "/api/prompt", method)[0]
        check(status in (405, 400, 501), method + " is refused", status)
    check(request(port, "/api/prompt", "GET")[0] == 404 and request(port, "/", "HEAD")[0] == 200, "GET changes nothing, HEAD looks")


def bodies(check, port):
    long = "x" * 16385
    for path, body, wanted in (
            ("/api/prompt", {"camera": "gate", "question": None, "prompt": "Is it dark?"}, 200),
            ("/api/prompt", {"camera": "two", "question": "what", "prompt": "Is it dark?"}, 200),
            ("/api/prompt", {"camera": "two", "prompt": "Is it dark?"}, 404),
            ("/api/prompt", {"camera": "two", "question": "else", "prompt": "Is it dark?"}, 404),
            ("/api/prompt", {"camera": "none", "prompt": "x"}, 404), ("/api/prompt", {"camera": "gate"}, 400),
            ("/api/prompt", {"camera": "gate", "prompt": ""}, 400), ("/api/prompt", {"camera": "gate", "prompt": long}, 400),
            ("/api/prompt", {"camera": "gate", "prompt": 1}, 400), ("/api/prompt", {"camera": 1, "prompt": "x"}, 400),
            ("/api/prompt", {"camera": "gate", "question": [], "prompt": "x"}, 400), ("/api/prompt", [], 400),
            ("/api/prompt", b"", 400), ("/api/prompt", b"{", 400), ("/api/prompt", b'{"camera":"gate","camera":"two","prompt":"x"}', 400),
            ("/api/prompt", b'{"camera":"gate","prompt":"\xff\xfe"}', 400), ("/api/prompt", b'{"camera":"gate","prompt":"a\\u0000b"}', 400),
            ("/api/prompt", b"[" * 60000, 400), ("/api/prompt", b'{"camera":"gate","prompt":"' + b"x" * 70000 + b'"}', 413),
            ("/api/enabled", {"camera": "gate", "enabled": False}, 200), ("/api/enabled", {"camera": "gate", "enabled": True}, 200),
            ("/api/enabled", {"camera": "gate", "enabled": 1}, 400), ("/api/enabled", {"camera": "gate"}, 400),
            ("/api/ask", {"camera": "gate", "prompt": "What?", "choices": ["a", "b"], "history": True}, 202),
            ("/api/ask", {"camera": "gate", "prompt": {"a": [1]}, "max-new-tokens": 1e300}, 202),
            ("/api/ask", {"camera": "gate", "Prompt": "x"}, 400), ("/api/ask", {"camera": "gate", "a=b": "x"}, 400),
            ("/api/ask", {"camera": "gate", "prompt": long}, 400), ("/api/ask", dict({"camera": "gate"}, **{"a" * i: 1 for i in range(1, 40)}), 400),
            ("/api/else", {"camera": "gate"}, 404), ("/", {"camera": "gate"}, 404)):
        status = post(port, path, body)
        check(status == wanted, "%s %s: %d" % (path, str(body)[:60], wanted), status)
    for path, wanted in (("/../../etc/passwd", (404,)), ("/%2e%2e/etc/passwd", (404,)), ("//evil.example/", (404,)), ("/" + "x" * 30000, (404, 414, 431, 400)),
                         ("/picture", (404,)), ("/picture?camera=else", (404,)), ("/picture?camera=gate&after=-1", (204, 404)),
                         ("/picture?camera=" + "%00" * 50, (404,)), ("/%ff%fe", (404,)), ("/?token=" + TOKEN, (200,))):
        status = request(port, path)[0]
        check(status in wanted, "%s: %s" % (path[:40], wanted), status)


def invented(check, port, monitor):
    """Names that nobody has heard of leave nothing behind."""
    before = None
    for i in range(600):
        number = "".join(chr(97 + i // 26 ** digit % 26) for digit in range(3))
        body = {"camera": "gate", **{number + chr(97 + k) + "x" * 1000: 1 for k in range(20)}}
        status = post(port, "/api/ask", body)
        if status != 202:
            return check(False, "a question of unknown fields", status)
        if i == 200:
            before = memory(monitor)
    # A sanitizer keeps freed memory for a while.
    return check(memory(monitor) - before < (1 if PATIENCE == 1 else 300) << 20, "unknown names leave nothing behind", memory(monitor) - before)


def nonsense(check, port, monitor):
    """Bytes that are no request, and requests cut off anywhere."""
    random.seed(7)
    whole = (b"POST /api/prompt HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n"
             b'{"camera":"gate","prompt":"Is it dark?"}' % port)
    for i in range(150):
        data = bytearray(whole[:random.randrange(len(whole))] if i % 2 else whole)
        for _ in range(random.randrange(1, 12)):
            data[random.randrange(len(data))] = random.randrange(256)
        if i % 10 == 0:
            data = bytearray(random.randbytes(3000))
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            one.sendall(data)
            if i % 3 == 0:
                one.shutdown(socket.SHUT_WR)
                one.settimeout(0.2)
                try:
                    one.recv(4096)
                except OSError:
                    pass
    check(request(port, "/")[0] == 200 and monitor.process.poll() is None, "150 kinds of nonsense")
    with socket.create_connection(("127.0.0.1", port), 5) as one:
        head = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 400) for i in range(100)) + b"\r\n"
        try:
            one.sendall(head)
            check(one.recv(100).split(b" ")[1] in (b"431", b"413", b"400"), "headers without end")
        except OSError:
            check(True, "headers without end")


def descriptors(monitor):
    return len(os.listdir("/proc/%d/fd" % monitor.process.pid))


def memory(monitor):
    with open("/proc/%d/statm" % monitor.process.pid, encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def crowd(check, port, monitor):
    """A thousand who connect and say nothing, or only the beginning, for as long as they like: who asks is answered."""
    request(port, "/metrics")
    before, held = memory(monitor), []
    begin = time.monotonic()
    for i in range(1000):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        held.append(one)
        if i % 100 == 99:
            time.sleep(0.05)
            for other in held[::3]:
                try:
                    other.send(b"GET / HTTP/1.1\r\nX: ")
                except OSError:
                    pass
            begun = time.monotonic()
            check(request(port, "/", timeout=15)[0] == 200, "%d connections: an answer" % (i + 1))
            if time.monotonic() - begun > 10:
                check(False, "an answer within 10 s", time.monotonic() - begun)
    check(descriptors(monitor) < 256 + 60, "bounded descriptors", descriptors(monitor))
    check(memory(monitor) - before < PATIENCE * 24 << 20, "bounded memory", memory(monitor) - before)
    print("     a thousand connections: %.1f s, %d descriptors, %d KB more" % (
        time.monotonic() - begin, descriptors(monitor), (memory(monitor) - before) // 1024))
    for one in held:
        one.close()


def streams(check, port, monitor):
    """64 may look at once; each is told all. Then it ends, at once."""
    open_streams = []
    refused = 0
    for _ in range(70):
        one = socket.create_connection(("127.0.0.1", port), 10)
        one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if b" 503 " in one.recv(20):
            refused += 1
            one.close()
        else:
            open_streams.append(one)
    check(len(open_streams) == 64 and refused == 6, "64 look, 6 must not", (len(open_streams), refused))
    check(post(port, "/api/prompt", {"camera": "gate", "prompt": "Is there news?"}) == 200, "a change")
    told = 0
    for one in open_streams:
        one.settimeout(10)
        text = b""
        try:
            while b"Is there news?" not in text:
                text += one.recv(65536)
            told += 1
        except OSError:
            pass
    check(told == 64, "all are told", told)
    begin = time.monotonic()
    check(monitor.stop() == 0 and time.monotonic() - begin < 4 * PATIENCE, "it ends while they look", (time.monotonic() - begin, monitor.said[-3:]))
    for one in open_streams:
        one.close()


def with_token(check, program):
    """Other addresses than loopback ones: nothing without the token."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "token")
        with open(path, "w", encoding="ascii") as file:
            file.write(TOKEN + "\n")
        monitor = Monitor(program, {"cameras": [GATE], "page": {"address": "0.0.0.0:0", "token-file": path}, "metrics": {"address": "0.0.0.0:00"}})  # another address
        port, metrics = monitor.port("page"), monitor.port("metrics")
        status, headers, body = request(port, "/?token=" + TOKEN)
        cookie = headers.get("Set-Cookie", "").split(";")[0]
        check(status == 303 and headers.get("Location") == "/" and TOKEN not in str(headers), "the token is exchanged", (status, headers))
        check(all(word in headers.get("Set-Cookie", "") for word in ("HttpOnly", "SameSite=Lax", "Path=/")), "for a cookie", headers)
        secure = request(port, "/?token=" + TOKEN, headers={"X-Forwarded-Proto": "https"})[1].get("Set-Cookie", "")
        check(secure.endswith("; Secure"), "behind TLS for TLS alone", secure)
        bearer = "Bearer " + TOKEN
        for target, wanted in ((port, 200), (metrics, 404)):
            for given, good in (({}, False), ({"Authorization": bearer}, True), ({"Authorization": "bearer " + TOKEN}, True),
                                ({"Authorization": bearer + "x"}, False), ({"Authorization": bearer[:-1]}, False), ({"Authorization": "Bearer "}, False),
                                ({"Authorization": "Basic " + TOKEN}, False), ({"Cookie": cookie + "x"}, False), ({"Cookie": cookie.split("=")[0] + "=" + TOKEN}, False),
                                ({"Cookie": "a=b; %s ; c=d" % cookie}, target == port), ({"Cookie": ";" * 1000}, False)):
                status = request(target, "/", headers=given)[0]
                if status == 431 and len(str(given)) > 1000:
                    continue  # more than a request may have
                check(status == (wanted if good else 401), "%s: %s" % ("page" if target == port else "metrics", str(given)[:60]), status)
        for host in ("cameras.example", "evil.example:1"):
            check(request(port, "/", headers={"Authorization": bearer}, host=host)[0] == 200, "with the token under any name: " + host)
        body = {"camera": "gate", "prompt": "Is it dark?"}
        for headers, wanted in (({}, 401), ({"Authorization": bearer}, 200), ({"Cookie": cookie}, 200), ({"Cookie": cookie, "Origin": "https://evil.example"}, 403),
                                ({"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}, 403)):
            check(post(port, "/api/prompt", body, headers=headers) == wanted, "change with %s" % str(headers)[:70])
        check(request(port, "/api/prompt?token=" + TOKEN, "POST", body, JSON)[0] == 401, "a token in the address changes nothing")
        shown = [request(port, path, headers={"Authorization": bearer})[2].decode() for path in ("/", "/metrics")]
        shown.append(events(port, bearer))
        monitor.stop()
        everything = "".join(monitor.said) + "".join(shown) + json.dumps(monitor.records)
        check("gate" in everything and TOKEN not in everything and SECRET not in everything, "no secret in pages, metrics, events and logs")


def events(port, bearer):
    with socket.create_connection(("127.0.0.1", port), 10) as one:
        one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n" % bearer.encode())
        text = b""
        while b'"answers":[' not in text:
            text += one.recv(65536)
        return text.decode()


def refusals(check, program):
    """What is not served is said, and nothing starts."""
    with tempfile.TemporaryDirectory() as folder:
        for text, name in (("short\n", "short"), ("with a blank inside it\n", "blank"), ("x" * 600, "long")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for options, wanted in ((["--http", "0.0.0.0:0"], "give a token"), (["--http", ":0"], "give a token"), (["--metrics", "[::]:0"], "give a token"),
                                    (["--http", "192.0.2.1:0", "--http-token-file", os.path.join(folder, "short")], "16 to 512"),
                                    (["--http", "127.0.0.1:0", "--http-token-file", os.path.join(folder, "blank")], "no blanks"),
                                    (["--http", "127.0.0.1:0", "--http-token-file", os.path.join(folder, "long")], "16 to 512"),
                                    (["--http", "127.0.0.1:%d" % taken.getsockname()[1]], "in use"),
                                    (["--http", "camera.example:80"], "HOST:PORT"), (["--http", "127.0.0.1:99999"], "HOST:PORT"), (["--metrics", "x"], "HOST:PORT")):
                run = subprocess.run([program, *options, "rtsp://127.0.0.1:1/x", "q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30 * PATIENCE,
                                     env=environment())
                check(run.returncode == 2 and wanted in run.stderr, "%s: %s" % (" ".join(options)[:50], wanted), (run.returncode, run.stderr[:300]))


def main():
    program = sys.argv[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    check = Checks()
    refusals(check, program)
    with_token(check, program)
    monitor = Monitor(program, {"cameras": [GATE, TWO], "page": {"address": "127.0.0.1:0"}})
    port = monitor.port("page")
    monitor.until(lambda: any(line.startswith("two: ") for line in monitor.said), "both have been tried")
    hosts(check, port)
    origins(check, port)
    bodies(check, port)
    invented(check, port, monitor)
    nonsense(check, port, monitor)
    crowd(check, port, monitor)
    streams(check, port, monitor)
    print("%d failed" % check.failed)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
