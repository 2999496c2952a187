# SPDX-License-Identifier: Apache-2.0
"""A webhook: hook.py PORT FILE. A record is in the file before it is acknowledged. The paths /STATUS answer with that status."""
import hashlib
import hmac
import http.server
import os
import sys

SECRET = os.environ.get("HOOK_SECRET", "").encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path[1:].split("?")[0]
        status = int(path) if path.isdigit() else 204
        if SECRET and self.headers["X-Llavaov-Signature-256"] != "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest():
            status = 401
        if status == 204:
            os.write(OUT, body + b"\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


if __name__ == "__main__":
    OUT = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
