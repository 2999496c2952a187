#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""camera-monitor's metrics and Debian's Prometheus: promtool has nothing to say, Prometheus scrapes both servers, one of them with
a token, every question of the dashboard is understood and answered, and 100 streams are scraped in 5 ms.

    prometheus.py CAMERA-MONITOR RTSP-SERVER TEST-METRICS DASHBOARD
"""
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from program import BALL, Checks, Monitor, Server, request

TOKEN = "0123456789abcdef-0123456789abcdef"
# What has samples only where something happened.
MAY_BE_EMPTY = re.compile(r"> 0$")
CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
scrape_configs:
- job_name: metrics
  static_configs: [{targets: ['127.0.0.1:%d']}]
- job_name: page
  authorization: {credentials_file: %s}
  static_configs: [{targets: ['127.0.0.1:%d']}]
"""


def promtool(text):
    run = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run.returncode, run.stdout


class Prometheus:
    def __init__(self, folder, config):
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")  # closed with the program
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = "http://127.0.0.1:%d" % free.getsockname()[1]
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=" + path, "--storage.tsdb.path=" + os.path.join(folder, "data"),
             "--web.listen-address=" + self.url[7:]], stdout=self.log, stderr=self.log)

    def get(self, path, **query):
        with urllib.request.urlopen(self.url + path + "?" + urllib.parse.urlencode(query), timeout=10) as reply:
            return json.load(reply)["data"]

    def query(self, text):
        return self.get("/api/v1/query", query=text)["result"]

    def until(self, true, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if true():
                    return True
            except OSError:
                pass
            time.sleep(0.2)
        self.log.seek(0)
        print("never: %s\n%s" % (what, self.log.read()[-2000:]))
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def hundred(check, test_metrics):
    """The text of 100 streams, as it is made; and that promtool takes it, but for vLLM's names, which have colons."""
    text = subprocess.run([test_metrics, "--text", "100"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ours = "".join(line + "\n" for line in text.splitlines() if "vllm:" not in line)
    check(promtool(ours) == (0, ""), "promtool: 100 streams are clean", promtool(ours)[1][:500])
    said = promtool(text)[1].splitlines()
    check(len(said) == 12 and all("should not contain ':'" in line for line in said), "and of vLLM's names only the colons are complained of", said)
    times = [subprocess.run([test_metrics, "--time", "100"], stdout=subprocess.PIPE, text=True, check=True).stdout for _ in range(5)]
    milliseconds = statistics.median(float(re.search(r"([\d.]+) ms", line).group(1)) for line in times)
    check(milliseconds <= 5, "100 streams in 5 ms: %.2f" % milliseconds, times)
    print("     " + times[0].strip())


def main():
    program, server_program, test_metrics, dashboard = sys.argv[1:]
    check = Checks()
    hundred(check, test_metrics)
    with open(dashboard, encoding="utf-8") as file:
        board = json.load(file)
    with Server(server_program, source=BALL) as server, tempfile.TemporaryDirectory() as folder:
        token_file = os.path.join(folder, "token")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(TOKEN)
        cameras = [{"name": 'gate "1"\\', "uri": "rtsp://127.0.0.1:%d/mjpeg" % server.port, "prompt": "Is the picture black?", "choices": ["yes", 'n"o'],
                    "alert-on": 'n"o', "window": 1000000000, "frames": 2},
                   {"name": "yard", "uri": "rtsp://127.0.0.1:%d/mjpeg" % server.port, "prompt": "What is shown?", "window": 1000000000, "frames": 2}]
        file_path = os.path.join(folder, "llavaov.prom")
        monitor = Monitor(program, {"cameras": cameras, "page": {"address": "0.0.0.0:0", "token-file": token_file},
                                    "metrics": {"address": "127.0.0.1:0", "file": file_path}})
        scraped, page = monitor.port("metrics"), monitor.port("page")
        prometheus = Prometheus(folder, CONFIG % (scraped, token_file, page))
        try:
            check(prometheus.until(lambda: len(prometheus.query("up == 1")) == 2, "up"), "both are scraped",
                  [(t["health"], t["lastError"]) for t in prometheus.get("/api/v1/targets")["activeTargets"]])
            check(prometheus.until(lambda: len(prometheus.query('rate(llavaov_answers_total{job="metrics",finish_reason="stop"}[10s]) > 0')) == 2, "rate"),
                  "answers are counted")
            time.sleep(5)
            status, headers, body = request(scraped, "/metrics")
            check(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), "the type", headers)
            check(promtool(body.decode()) == (0, ""), "promtool: clean", promtool(body.decode())[1])
            with open(file_path, encoding="utf-8") as file:
                text = file.read()
            check(promtool(text) == (0, "") and "llavaov_stream_up" in text and text.endswith("\n"), "promtool: the file is clean")
            for panel in board["panels"]:
                for target in panel["targets"]:
                    expr = target["expr"].replace("$stream", ".*").replace("[5m]", "[20s]")
                    found = prometheus.query(expr)
                    check(found or MAY_BE_EMPTY.search(expr), "%s: %d series" % (panel["title"], len(found)), expr)
            names = {r["metric"]["stream"] for r in prometheus.query("llavaov_stream_up")}
            check(names == {'gate "1"\\', "yard"}, "names come through as they are", names)
            answers = len(monitor.answers())
            stored = sum(float(r["value"][1]) for r in prometheus.query('sum(llavaov_answers_total{job="metrics"})'))
            check(answers - 6 <= stored <= len(monitor.answers()), "as many as there were records", (answers, stored))
            took = [float(r["value"][1]) for r in prometheus.query("max_over_time(scrape_duration_seconds[10s])")]
            print("     Prometheus' scrapes took at most %s s" % ", ".join("%.4f" % t for t in took))
        finally:
            prometheus.stop()
            check(monitor.stop() == 0, "camera-monitor ends", monitor.said[-5:])
        check(not os.path.exists(file_path), "and its file with it")
    print("%d failed" % check.failed)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
