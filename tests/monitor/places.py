# SPDX-License-Identifier: Apache-2.0
"""Places that records are delivered to, which can be killed: each runs, is away, comes back, and says which records it has."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise SystemExit("waited in vain")
        time.sleep(0.005)


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


class Wire:
    """A TCP port in front of another one. cut() breaks what goes through and refuses what comes, mend() lets it through again."""

    def __init__(self, to):
        self.to = to
        self.up = True
        self.pairs = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            try:
                if not self.up:
                    raise OSError
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.up = False
        with self.lock:
            for pair in self.pairs:
                for end in pair:
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            self.pairs.clear()

    def mend(self):
        self.up = True


class Place:
    """broker_down() and broker_up() may be missing: such a place lives as long as the test."""
    kills = ("network", "program")

    def lines(self):
        with open(self.out, "rb") as file:
            return [line for line in file.read().split(b"\n") if line.startswith(b"{") and line.endswith(b"}")]


class File(Place):
    kills = ("program",)

    def __init__(self, folder):
        self.out = os.path.join(folder, "answers.jsonl")
        self.url = "file://" + self.out

    def lines(self):
        return super().lines() if os.path.exists(self.out) else []

    def close(self):
        pass


class Webhook(Place):
    kills = ("network", "program", "broker")

    def __init__(self, folder):
        self.out = os.path.join(folder, "hook.out")
        open(self.out, "wb").close()
        self.port = free_port()
        self.wire = Wire(self.port)
        self.url = "http://127.0.0.1:%d/hook" % self.wire.port
        self.broker_up()

    def network_down(self):
        self.wire.cut()

    def network_up(self):
        self.wire.mend()

    def broker_down(self):
        kill(self.server)

    def broker_up(self):
        self.server = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "hook.py"), str(self.port), self.out])
        wait_for(lambda: answers(self.port))

    def close(self):
        kill(self.server)


class Mqtt(Place):
    kills = ("network", "program", "broker")

    def __init__(self, folder):
        self.out = os.path.join(folder, "mqtt.out")
        self.port = free_port()
        self.config = os.path.join(folder, "mosquitto.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n" % self.port)
        self.wire = Wire(self.port)
        self.url = "mqtt://127.0.0.1:%d" % self.wire.port
        self.broker_up()

    def network_down(self):
        self.wire.cut()

    def network_up(self):
        self.wire.mend()

    def broker_down(self):
        self.wire.cut()
        kill(self.broker)
        time.sleep(0.1)  # what it was sent it still writes
        kill(self.subscriber)
        self.file.close()

    def broker_up(self):
        """The subscriber is there before the program can be."""
        self.broker = subprocess.Popen([MOSQUITTO, "-c", self.config], stderr=subprocess.DEVNULL)
        wait_for(lambda: answers(self.port))
        port = ["-h", "127.0.0.1", "-p", str(self.port)]
        subprocess.run(["mosquitto_pub", *port, "-r", "-t", "llavaov/x/answer", "-m", "ready"], check=True)
        self.file = open(self.out, "ab")
        before = os.path.getsize(self.out)
        self.subscriber = subprocess.Popen(
            ["mosquitto_sub", *port, "-q", "0", "-t", "llavaov/+/answer", "-t", "llavaov/+/alert"], stdout=self.file,
            stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.getsize(self.out) > before)
        subprocess.run(["mosquitto_pub", *port, "-r", "-t", "llavaov/x/answer", "-n"], check=True)
        self.wire.mend()

    def close(self):
        kill(self.subscriber)
        kill(self.broker)


class Kafka(Place):
    def __init__(self, folder, program):
        self.out = os.path.join(folder, "kafka.out")
        self.file = open(self.out, "wb")
        self.cluster = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=self.file, stderr=subprocess.DEVNULL, text=True)
        wait_for(lambda: os.path.getsize(self.out) > 0)
        with open(self.out, encoding="utf-8") as file:
            self.url = "kafka://%s/llavaov" % file.readline().strip()

    def tell(self, word):
        self.cluster.stdin.write(word + "\n")
        self.cluster.stdin.flush()

    def network_down(self):
        self.tell("down")

    def network_up(self):
        self.tell("up")

    def close(self):
        kill(self.cluster)
        self.file.close()
