#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Home Assistant's side of camera-monitor, through a real mosquitto: discovery, states, availability, and commands whose effect
comes back. With the module homeassistant (2025.4 or later) its own schemas judge every payload of discovery.

    home.py CAMERA-MONITOR RTSP-SERVER [--payloads FILE]
    home.py --judge FILE      in Python with homeassistant
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = "videotestsrc is-live=true pattern=black ! video/x-raw,width=320,height=240,framerate=15/1"


async def judge(path):
    """By homeassistant's own validation: of the device, then of each entity on its platform."""
    import importlib
    from homeassistant.core import HomeAssistant
    from homeassistant.helpers import frame
    frame.async_setup(HomeAssistant(tempfile.gettempdir()))  # templates need one
    from homeassistant.components.mqtt import abbreviations, schemas
    with open(path, encoding="utf-8") as file:
        payloads = json.load(file)
    wrong = 0
    for payload in payloads:
        def long(value, table):
            return {table.get(key, key): item for key, item in value.items()}
        device = long(payload, abbreviations.ABBREVIATIONS)
        device["device"] = long(device["device"], abbreviations.DEVICE_ABBREVIATIONS)
        device["origin"] = long(device["origin"], abbreviations.ORIGIN_ABBREVIATIONS)
        device["availability"] = [long(item, abbreviations.ABBREVIATIONS) for item in device["availability"]]
        device["components"] = {name: long(item, abbreviations.ABBREVIATIONS) for name, item in device["components"].items()}
        for item in device["components"].values():
            if "availability" in item:
                item["availability"] = [long(one, abbreviations.ABBREVIATIONS) for one in item["availability"]]
        schemas.MQTT_ORIGIN_INFO_SCHEMA(device["origin"])
        schemas.MQTT_ENTITY_DEVICE_INFO_SCHEMA(device["device"])
        for name, item in device["components"].items():
            platform = importlib.import_module("homeassistant.components.mqtt." + item["platform"])
            config = {key: value for key, value in item.items() if key != "platform"}
            config.update(device=device["device"], origin=device["origin"])
            config.setdefault("availability", device["availability"])
            try:
                platform.DISCOVERY_SCHEMA(config)
                print("ok   %s: %s" % (name, item["platform"]))
            except Exception as error:  # pylint: disable=broad-except
                wrong += 1
                print("FAIL %s: %s" % (name, error))
    return 1 if wrong or not payloads else 0


class Broker:
    """mosquitto, and everything that is published on it: the latest of each topic, and all of them."""

    def __init__(self, folder):
        self.port = places.free_port()
        config = os.path.join(folder, "mosquitto.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("listener %d 127.0.0.1\nallow_anonymous true\n" % self.port)
        self.process = subprocess.Popen([places.MOSQUITTO, "-c", config], stderr=subprocess.DEVNULL)
        places.wait_for(lambda: places.answers(self.port))
        self.latest, self.all, self.subscribers = {}, [], []
        self.watch("#")

    def watch(self, topic):
        self.subscribers.append(subprocess.Popen(["mosquitto_sub", "-p", str(self.port), "-t", topic, "-F", "%r %t %p"], stdout=subprocess.PIPE, text=True))
        threading.Thread(target=self.read, args=(self.subscribers[-1],), daemon=True).start()

    def read(self, subscriber):
        for line in subscriber.stdout:
            retained, topic, payload = line.rstrip("\n").split(" ", 2)
            self.latest[topic] = payload
            self.all.append((retained, topic, payload))

    def publish(self, topic, payload):
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-q", "1", "-t", topic, "-m", payload], check=True)

    def close(self):
        for process in self.subscribers + [self.process]:
            places.kill(process)


def main():
    program, server = sys.argv[1:3]
    failed = []

    def want(what, why, seconds=20):
        end = time.monotonic() + seconds * PATIENCE
        while not what() and time.monotonic() < end:
            time.sleep(0.02)
        print("%s %s" % ("ok  " if what() else "FAIL", why), flush=True)
        if not what():
            failed.append(why)

    if not (shutil.which("mosquitto_sub") and os.path.exists(places.MOSQUITTO)):
        print("mosquitto and mosquitto-clients are not here")
        return 77
    with tempfile.TemporaryDirectory() as folder, Server(server, source=SOURCE) as camera:
        broker = Broker(folder)
        config = {"cameras": [
            {"name": "Front door", "uri": "rtsp://127.0.0.1:%d/h264" % camera.port, "window": 1000000000, "frames": 2,
             "questions": {"black": {"prompt": "Is the picture black?", "choices": ["yes", "no"], "alert-on": "yes"},
                           "what": {"prompt": "What is shown?", "max-new-tokens": 8}}}],
            "sinks": ["mqtt://127.0.0.1:%d" % broker.port], "homeassistant": True}
        path = os.path.join(folder, "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        with open(os.path.join(folder, "errors"), "w", encoding="utf-8") as errors:
            monitor = subprocess.Popen([program, "--config", path], stdout=subprocess.DEVNULL, stderr=errors, env=environment())
        try:
            latest = broker.latest
            want(lambda: any(topic.startswith("homeassistant/device/") for topic in latest), "the device is announced")
            topic = next(topic for topic in latest if topic.startswith("homeassistant/device/"))
            device = json.loads(latest[topic])
            base = "llavaov/" + topic.split("/")[2][len("llavaov_"):]
            parts = device["cmps"]
            want(lambda: latest.get("llavaov/available") == "online" and latest.get(base + "/available") == "online", "both are available")
            want(lambda: latest.get(parts["black_alert"]["stat_t"]) == "ON", "the alert is on")
            want(lambda: "text" in json.loads(latest.get(parts["what"]["stat_t"], "{}")), "the sensor has its answer")
            want(lambda: latest.get(parts["black_prompt"]["stat_t"]) == "Is the picture black?", "the prompt is shown")
            broker.publish(parts["what_prompt"]["cmd_t"], "Is the camera all right?")
            want(lambda: latest.get(parts["what_prompt"]["stat_t"]) == "Is the camera all right?", "another prompt is shown")
            want(lambda: json.loads(latest[parts["what"]["stat_t"]])["prompt"] == "Is the camera all right?", "and reaches the next answer")
            broker.publish(parts["camera_ask"]["cmd_t"], "Is it night?")
            want(lambda: json.loads(latest.get(parts["camera_asked"]["stat_t"], "{}")).get("prompt") == "Is it night?", "a question is answered")
            broker.publish(parts["camera_enabled"]["cmd_t"], "OFF")
            want(lambda: latest.get(parts["camera_enabled"]["stat_t"]) == "OFF", "it is switched off")
            time.sleep(1.5)
            before = len(broker.all)
            time.sleep(2.5)
            want(lambda: not any(message[1] == base + "/answer" for message in broker.all[before:]), "and says nothing")
            broker.publish(parts["camera_enabled"]["cmd_t"], "ON")
            want(lambda: any(message[1] == base + "/answer" for message in broker.all[before:]), "on, it answers again")
            for junk in (("nobody/enabled/set", "ON"), (base[8:] + "/enabled/set", "maybe"), (base[8:] + "/x/prompt/set", "q"), (base[8:] + "/ask", '{"prompt": 3'),
                         (base[8:] + "/ask", "{}" * 20000)):
                broker.publish("llavaov/" + junk[0], junk[1])
            before = len(broker.all)
            broker.publish("homeassistant/status", "online")
            want(lambda: any(message[1] == topic for message in broker.all[before:]), "Home Assistant starts, and is told again")
            announced = [message for message in broker.all if message[1] == topic]
            want(lambda: all(message[0] == "0" for message in announced), "what is announced is not retained")
            before = len(broker.all)
            broker.watch("llavaov/#")
            want(lambda: ("1", parts["black_alert"]["stat_t"], "ON") in broker.all[before:], "states are")
            monitor.send_signal(signal.SIGKILL)
            want(lambda: latest.get("llavaov/available") == "offline", "its will says that it is gone")
        finally:
            places.kill(monitor)
            broker.close()
        if failed:
            with open(os.path.join(folder, "errors"), encoding="utf-8") as file:
                print(file.read()[-3000:])
        if "--payloads" in sys.argv:
            with open(sys.argv[sys.argv.index("--payloads") + 1], "w", encoding="utf-8") as file:
                json.dump([device], file)
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "--judge":
        import asyncio
        sys.exit(asyncio.run(judge(sys.argv[2])))
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "live"))
    import places
    from gstlaunch import PATIENCE, Server, environment
    sys.exit(main())
