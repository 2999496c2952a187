# SPDX-License-Identifier: Apache-2.0
"""Talks to tests/text/tokenizer-batch: many requests at once, answers in their order."""
import array
import struct
import subprocess
import threading


class Server:
    def __init__(self, program, tokenizer_json):
        self.process = subprocess.Popen([program, tokenizer_json], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, operation, payloads):
        """bytes in, bytes (or None: refused) out."""

        def write():
            for payload in payloads:
                self.process.stdin.write(operation.encode() + struct.pack("<I", len(payload)) + payload)
            self.process.stdin.write(b"f" + struct.pack("<I", 0))
            self.process.stdin.flush()

        thread = threading.Thread(target=write)
        thread.start()
        answers = []
        for _ in range(len(payloads)):
            (n,) = struct.unpack("<I", self.read(4))
            answers.append(None if n == 0xFFFFFFFF else self.read(n))
        thread.join()
        return answers

    def read(self, n):
        data = self.process.stdout.read(n)
        if len(data) != n:
            raise RuntimeError("tokenizer-batch ended")
        return data

    def ids(self, operation, texts):
        return [None if a is None else array.array("i", a).tolist()
                for a in self.ask(operation, [t.encode() for t in texts])]

    def texts(self, operation, lists):
        return [None if a is None else a.decode() for a in self.ask(operation, [array.array("i", x).tobytes() for x in lists])]

    def nfc(self, texts):
        return [None if a is None else a.decode() for a in self.ask("n", [t.encode() for t in texts])]

    def classes(self):
        return self.ask("c", [b""])[0]
