#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Grafana dashboard asks for metrics that there are, with labels that they have; and the text of metrics is as it must be.

    dashboard.py TEST-METRICS DASHBOARD
"""
import json
import re
import subprocess
import sys

NAME = re.compile(r"\b((?:llavaov|process)_[a-z0-9_]+)\b(?:\{([^}]*)\})?")
LABELLED = re.compile(r'([a-z_]+)="((?:\\.|[^"\\\n])*)"(?:,|$)')
SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$")
# v1/metrics/buckets.py of vLLM 0.32.0.
VLLM = {
    "vllm:time_to_first_token_seconds": "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 160.0 640.0 "
                                        "2560.0 +Inf",
    "vllm:inter_token_latency_seconds": "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 +Inf",
}
LATENCY = "0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 240.0 480.0 960.0 1920.0 7680.0 +Inf"
for stem in ("e2e_request_latency", "request_queue_time", "request_inference_time", "request_prefill_time", "request_decode_time"):
    VLLM["vllm:%s_seconds" % stem] = LATENCY
PLAIN = ["vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:prompt_tokens_total", "vllm:generation_tokens_total",
         "vllm:request_success_total"]


def parse(text):
    """({family: type}, {sample's name: [labels]}); what is no metric, or stands apart from its family, is an error."""
    types, samples, family, order = {}, {}, None, []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in types, "twice: " + family
            order.append(family)
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family, line
            types[family] = line.split(" ")[3]
        else:
            found = SAMPLE.match(line)
            assert found, line
            name, labels = found.group(1), found.group(2) or ""
            whole = "".join(m.group(0) for m in LABELLED.finditer(labels))
            assert whole == labels, line
            assert name == family or types[family] == "histogram" and name in [family + s for s in ("_bucket", "_sum", "_count")], line
            pairs = tuple((m.group(1), m.group(2)) for m in LABELLED.finditer(labels))
            assert pairs not in samples.setdefault(name, []), "twice: " + line
            samples[name].append(pairs)
            float(found.group(3).replace("Inf", "inf"))
    return types, samples


def main():
    text = subprocess.run([sys.argv[1], "--text", "3"], stdout=subprocess.PIPE, text=True, check=True).stdout
    types, samples = parse(text)
    wrong = ["%s: %s" % (name, "is not there") for name in PLAIN + list(VLLM) if name not in types]
    wrong += ["%s is a family of vLLM's too many" % name for name in types if name.startswith("vllm:") and name not in PLAIN + list(VLLM)]
    for name, bounds in VLLM.items():
        found = " ".join(dict(pairs)["le"] for pairs in samples[name + "_bucket"])
        if found != bounds:
            wrong.append("%s: buckets %s" % (name, found))
    with open(sys.argv[2], encoding="utf-8") as file:
        board = json.load(file)
    exprs = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    exprs += [(v["name"], v["definition"]) for v in board["templating"]["list"] if v["type"] == "query"]
    for title, expr in exprs:
        names = NAME.findall(expr)
        if not names:
            wrong.append("%s: no metric in %s" % (title, expr))
        for name, matchers in names:
            labels = {label for pairs in samples.get(name, []) for label, _ in pairs}
            if name not in samples:
                wrong.append("%s: there is no %s" % (title, name))
            for label in re.findall(r"([a-z_]+)=~?\"", matchers):
                if label not in labels:
                    wrong.append("%s: %s has no label %s" % (title, name, label))
        for label in re.findall(r"by \(([a-z_, ]+)\)", expr):
            for one in label.split(", "):
                if not any(one == name for m, _ in names for pairs in samples.get(m, []) for name, _ in pairs):
                    wrong.append("%s: no label %s" % (title, one))
    places = [tuple(panel["gridPos"][k] for k in "xywh") for panel in board["panels"]]
    for i, (x, y, w, h) in enumerate(places):
        for ox, oy, ow, oh in places[:i]:
            if x < ox + ow and ox < x + w and y < oy + oh and oy < y + h or x + w > 24:
                wrong.append("panels overlap: %s" % board["panels"][i]["title"])
    used = {name for _, expr in exprs for name, _ in NAME.findall(expr)}
    print("%d families, %d expressions of %d metrics" % (len(types), len(exprs), len(used)))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
