#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records are delivered at least once and in order, whatever is killed at random moments: the program (its spool stays), the
network, the broker. Duplicates have the same key and are the same; memory and descriptors stay flat.

    kills.py DELIVER KAFKA-MOCK [--kills N] [--seed N] [PLACE...]

N kills of each place: file, webhook, mqtt, kafka, all at the same time.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import places

# More than that would grow with the number of records or kills.
MOST_RSS_KB = 60 << 10
MOST_DESCRIPTORS = 40


class Run:
    def __init__(self, name, place, program, folder, seed):
        self.name, self.place, self.program = name, place, program
        self.spool = os.path.join(folder, name + "-spool")
        self.log = open(os.path.join(folder, name + ".log"), "ab")
        self.random = random.Random("%s %d" % (name, seed))
        self.next = 0
        self.rss = self.descriptors = 0
        self.counts = {}
        self.wrong = []
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "--spool", self.spool, "--from", str(self.next), "--every", "20000", "--stay", self.place.url],
                                        stdout=subprocess.PIPE, stderr=self.log)
        self.reader = threading.Thread(target=self.read, args=(self.process,), daemon=True)
        self.reader.start()

    def read(self, process):
        for line in process.stdout:
            if line.endswith(b"\n"):
                self.next = int(line) + 1

    def look(self):
        try:
            with open("/proc/%d/status" % self.process.pid, encoding="utf-8") as file:
                status = dict(line.split(":", 1) for line in file)
            self.rss = max(self.rss, int(status["VmRSS"].split()[0]))
            self.descriptors = max(self.descriptors, len(os.listdir("/proc/%d/fd" % self.process.pid)))
        except (OSError, KeyError):
            pass

    def end(self, how):
        self.process.send_signal(how)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.wrong.append("does not end")
            places.kill(self.process)
            return
        self.reader.join()
        if status not in (0, -signal.SIGKILL, -how):
            self.wrong.append("ended with %d" % status)

    def sleep(self, most):
        time.sleep(self.random.uniform(0.01, most))

    def kill(self):
        what = self.random.choice(self.place.kills)
        self.counts[what] = self.counts.get(what, 0) + 1
        self.look()
        if what == "program":
            self.end(signal.SIGKILL)
            self.start()
        else:
            getattr(self.place, what + "_down")()
            self.sleep(0.1)
            getattr(self.place, what + "_up")()

    def run(self, kills):
        try:
            for _ in range(kills):
                self.sleep(1.2)
                self.kill()
            self.sleep(1.2)
            self.end(signal.SIGTERM)
            self.finish()
        except BaseException as error:  # pylint: disable=broad-except
            self.wrong.append(repr(error))
            places.kill(self.process)

    def finish(self):
        """What is left in the spool; then what has arrived is judged."""
        rest = subprocess.run([self.program, "--spool", self.spool, "--count", "0", self.place.url], stderr=subprocess.PIPE, timeout=120)
        if b" waiting 0 " not in rest.stderr or rest.returncode != 0:
            self.wrong.append("left in the spool: %r" % rest.stderr)
        wanted = list(range(self.next))
        end = time.monotonic() + 20
        while len({json.loads(line)["seq"] for line in self.place.lines()}) < self.next and time.monotonic() < end:
            time.sleep(0.1)
        seen, order = {}, []
        for line in self.place.lines():
            record = json.loads(line)
            if record["key"] in seen:
                if seen[record["key"]] != line:
                    self.wrong.append("two records with the key %s" % record["key"])
            else:
                seen[record["key"]] = line
                order.append(record["seq"])
        self.duplicates = len(self.place.lines()) - len(seen)
        if order != wanted:
            missing = sorted(set(wanted) - set(order))
            self.wrong.append("missing %s; %s" % (missing[:10], "order kept" if order == sorted(order) else "out of order"))
        if self.rss > MOST_RSS_KB or self.descriptors > MOST_DESCRIPTORS:
            self.wrong.append("%d KB, %d descriptors" % (self.rss, self.descriptors))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("deliver")
    parser.add_argument("kafka_mock")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("places", nargs="*", default=["file", "webhook", "mqtt", "kafka"])
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for name in options.places:
            if name == "mqtt" and not (shutil.which("mosquitto_sub") and os.path.exists(places.MOSQUITTO)):
                print("skip mqtt: mosquitto and mosquitto-clients are not here")
                continue
            place = {"file": places.File, "webhook": places.Webhook, "mqtt": places.Mqtt}.get(name)
            place = place(folder) if place else places.Kafka(folder, options.kafka_mock)
            runs.append(Run(name, place, options.deliver, folder, options.seed))
        threads = [threading.Thread(target=run.run, args=(options.kills,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for run in runs:
            run.place.close()
            print("%s %s: %d records, %d twice, killed %s; at most %d KB and %d descriptors" % (
                "FAIL" if run.wrong else "ok  ", run.name, run.next, getattr(run, "duplicates", -1),
                ", ".join("%s %d" % item for item in sorted(run.counts.items())), run.rss, run.descriptors))
            for line in run.wrong:
                print("    " + line)
            failed |= bool(run.wrong)
            if run.wrong:
                with open(os.path.join(folder, run.name + ".log"), errors="replace", encoding="utf-8") as file:
                    print("".join("    | " + line for line in file.readlines()[-15:]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
