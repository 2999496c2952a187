# SPDX-License-Identifier: Apache-2.0
"""A server with OpenAI's chat completions that does as it is told, for tests: it answers, or it is slow, hangs, cuts
off, refuses, sends garbage, counts wrongly, gives no log-probabilities, never ends.

    server = Server(tokens=lambda frames: 50 + 9 * frames)
    server.script = ["429", "ok"]     # what the next requests get; then `usual`

Nothing but the standard library.
"""
import base64
import json
import math
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = ("A", " red", " ball", " rolls", ".")


class Broken(Exception):
    """The connection ends here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, kind="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, message, headers=()):
        self.reply(status, json.dumps({"error": {"message": message}}).encode(), headers=headers)

    def cut(self):
        """As a server that dies: a reset, not an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Broken

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, value):
        text = value if isinstance(value, str) else json.dumps(value)
        self.chunk(("data: %s\n\n" % text).encode())

    def begin_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (Broken, ConnectionError, ValueError):
            self.close_connection = True

    def do_GET(self):
        server = self.server.owner
        with server.lock:
            server.looks += 1
        if server.dead:
            self.cut()
        self.reply(200, json.dumps({"data": [{"id": "fake"}]}).encode())

    def do_POST(self):
        server = self.server.owner
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        frames = frames_of(request)
        with server.lock:
            server.requests.append(Seen(self.path, dict(self.headers), request, frames, len(body)))
            manner = server.script.pop(0) if server.script else server.usual
            server.busy += 1
            server.most_busy = max(server.busy, server.most_busy)
        try:
            if server.dead:
                self.cut()
            self.answer(server, request, frames, manner)
        finally:
            with server.lock:
                server.busy -= 1

    def answer(self, server, request, frames, manner):
        if manner == "hang":
            server.wait(60)
            self.cut()
        if manner == "slow":
            server.wait(server.delay)
        if manner == "cut":
            self.cut()
        if manner == "garbage":
            return self.reply(200, b"\x00<html>\xff\xfe{{{", "application/json")
        if manner == "garbage-stream":
            return self.reply(200, b"data: {\"choices\": 7}\n\ndata: \xff\xff\n\n", "text/event-stream")
        if manner == "redirect":
            return self.reply(307, b"", headers=[("Location", "http://127.0.0.1:1/v1/chat/completions")])
        if manner == "echo-key":
            return self.refuse(401, "no such key: %s" % self.headers.get("Authorization"))
        if manner.isdigit():
            headers = [("Retry-After", str(server.retry_after))] if manner == "429" else []
            return self.refuse(int(manner), "as told: %s" % manner, headers)
        tokens = server.tokens(request, len(frames)) + (1 if manner == "lie" else 0)
        words = server.words if manner != "long" else server.words * 1000
        usage = {"prompt_tokens": tokens, "completion_tokens": len(words), "total_tokens": tokens + len(words)}
        if manner == "no-usage":
            usage = None
        begun, ids = "", []
        if request.get("continue_final_message"):
            begun = request["messages"][-1]["content"]
            ids = server.ids_of(begun)
            usage["prompt_tokens"] += len(ids)
        if not request.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "".join(words)}, "finish_reason": "stop"}
            if request.get("logprobs") and manner != "no-logprobs":
                choice["logprobs"] = server.logprobs(request, begun)
            whole = {"choices": [choice], "usage": usage}
            if request.get("return_token_ids") and manner != "no-ids":
                whole["prompt_token_ids"] = [0] * tokens + (ids if manner != "other-ids" else ids[:-1] + [0])
            return self.reply(200, json.dumps(whole).encode())
        self.begin_events()
        self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for index, word in enumerate(words):
            if manner == "cut-amid" and index == 2:
                self.cut()
            if manner == "end-amid" and index == 2:
                self.chunk(b"")
                self.close_connection = True
                return None
            if manner == "silent" and index == 2:
                server.wait(60)
                self.cut()
            self.event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
            server.wait(server.pace)
        while manner == "endless" and not server.stopping.is_set():
            self.event({"choices": [{"index": 0, "delta": {"content": " and"}, "finish_reason": None}]})
            server.wait(server.pace)
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        if manner == "no-done":  # as transformers serve
            last["usage"] = usage
        self.event(last)
        if manner == "end-without-usage":
            self.close_connection = True
        elif manner != "no-done":
            self.event({"choices": [], "usage": usage})
            self.event("[DONE]")
        self.chunk(b"")
        return None


class Seen:
    def __init__(self, path, headers, body, frames, size):
        self.path, self.headers, self.body, self.frames, self.size = path, headers, body, frames, size
        self.time = time.monotonic()


def frames_of(request):
    """The bytes of all pictures and frames, in their order."""
    found = []
    for message in request["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] in ("image_url", "video_url"):
                url = part[part["type"]]["url"]
                head, _, data = url.partition(",")
                if not head.endswith(";base64"):
                    raise ValueError(head)
                found += [base64.b64decode(piece, validate=True) for piece in data.split(",")]
    return found


class Http(ThreadingHTTPServer):
    request_queue_size = 128  # connections that come at once; with 5 some would wait for a second
    daemon_threads = True


class Server:
    def __init__(self, tokens, port=0):
        self.tokens, self.words, self.usual, self.script = tokens, WORDS, "ok", []
        self.delay, self.pace, self.retry_after, self.dead = 0.5, 0, 1, False
        self.top, self.second, self.after, self.processed = {0: 1.0}, {}, {}, False
        self.ids_of = lambda text: []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.requests, self.looks, self.busy, self.most_busy = [], 0, 0, 0
        self.http = Http(("127.0.0.1", port), Handler)
        self.http.owner = self
        self.port = self.http.server_address[1]
        self.url = "http://127.0.0.1:%d/v1" % self.port
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def wait(self, seconds):
        if seconds:
            self.stopping.wait(seconds)

    def logprobs(self, request, begun):
        """As vLLM has them: of the model's own scores, for the token that was written and those that were asked for. `top`:
        the probabilities of first tokens, by a first token those of the second, and `after` by the text of several that of the next."""
        wanted = request.get("logprob_token_ids", [])
        forced = [int(token) for token in request.get("logit_bias", {})]
        positions, top = [], self.after.get(begun, {0: 1.0}) if begun else self.top
        for position in range(request["max_tokens"]):
            written = forced[0] if forced else max(top, key=top.get)
            told = dict(top)
            if forced and position == 0 and self.processed:
                told[written] = 1.0
            positions.append({
                "token": "token_id:%d" % written, "logprob": math.log(told.get(written, 1e-9)),
                "top_logprobs": [{"token": "token_id:%d" % token, "logprob": math.log(told.get(token, 1e-9))}
                                 for token in wanted]})
            top = self.second.get(written, {0: 1.0})
        return {"content": positions}

    def close(self):
        self.stopping.set()
        self.http.shutdown()
        self.http.server_close()
