#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""camera-monitor's page in a real Chromium: 1, 4 and 16 cameras, live, changed, lost and back, with text that wants to be markup,
by keyboard, on a phone, dark and light.

    page.py CAMERA-MONITOR RTSP-SERVER [FOLDER]      FOLDER takes the screenshots
"""
import os
import re
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from program import BALL, Checks, Monitor, Server

EVIL_NAME = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>'
EVIL_LABEL = "<b id=taken>no</b>"
EVIL_PROMPT = "<script>document.title='taken'</script> Is the picture black?"
TOKEN = "0123456789abcdef0123456789abcdef"
COMMON = {"window": 2000000000, "frames": 2}


def browser(width=1280, height=900, dark=False):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                   "--no-first-run", "--window-size=%d,%d" % (width, height), "--hide-scrollbars"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_page_load_timeout(30)
    look(driver, width, height, dark)
    return driver


def look(driver, width, height, dark=False):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                           {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


def shoot(driver, folder, name):
    if folder:
        os.makedirs(folder, exist_ok=True)
        driver.save_screenshot(os.path.join(folder, name + ".png"))


class Page:
    def __init__(self, driver, monitor):
        self.driver, self.monitor = driver, monitor

    def open(self, query=""):
        self.driver.get("http://127.0.0.1:%d/%s" % (self.monitor.port("page"), query))

    def card(self, name):
        for node in self.driver.find_elements(By.TAG_NAME, "article"):
            if node.find_element(By.TAG_NAME, "h2").text == name:
                return node
        return None

    def text(self, name, css):
        node = self.card(name)
        return node.find_element(By.CSS_SELECTOR, css).text if node else None

    def until(self, true, what, seconds=40):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if true():
                    return True
            except Exception:  # what is on the page changes while it is looked at
                pass
            time.sleep(0.1)
        return False

    def pictures(self):
        return self.driver.execute_script(
            "return [...document.querySelectorAll('.view img')].filter(i => i.naturalWidth > 100).length")

    def faults(self):
        """What the browser complains of, and what was fetched from elsewhere."""
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        said = [text for text in said if "ERR_CONNECTION_REFUSED" not in text and "401" not in text]
        own = "http://127.0.0.1:%d/" % self.monitor.port("page")
        fetched = self.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        return said + [url for url in fetched if not url.startswith((own, "blob:" + own, "data:"))]


def camera(name, port, mount="mjpeg", **more):
    return {"name": name, "uri": "rtsp://127.0.0.1:%d/%s" % (port, mount), **COMMON, **more}


def config(cameras, **page):
    return {"cameras": cameras, "stall": 3, "page": {"address": "127.0.0.1:0", **page}}


def many(check, programs, port, n, folder):
    """n cameras: all are shown, with pictures and answers, and none is wider than the window."""
    program, _ = programs
    cameras = [camera("camera %02d" % i, port, prompt="Is the picture black?", choices=["yes", "no"],
                      **({"alert-on": "no"} if i == 1 else {})) for i in range(n)]
    monitor = Monitor(program, config(cameras))
    driver = browser()
    try:
        page = Page(driver, monitor)
        page.open()
        check(page.until(lambda: len(driver.find_elements(By.TAG_NAME, "article")) == n, "cards"), "%d cards" % n)
        for y in range(0, 6000, 400):  # pictures of what is seen are made
            driver.execute_script("scrollTo(0, %d)" % y)
            time.sleep(0.15)
            if y > driver.execute_script("return document.body.scrollHeight"):
                break
        check(page.until(lambda: all(a.text == "no" for a in driver.find_elements(By.CLASS_NAME, "answer")), "answers", 90),
              "%d answers" % n, [a.text for a in driver.find_elements(By.CLASS_NAME, "answer")])
        driver.execute_script("scrollTo(0, 0)")
        check(page.until(lambda: page.pictures() >= min(n, 4), "pictures"), "%d cameras: pictures" % n, page.pictures())
        check(len(driver.find_elements(By.CSS_SELECTOR, ".state.up")) == n, "%d are up" % n)
        bars = driver.execute_script("return [...document.querySelectorAll('meter')].map(m => m.value)")
        check(len(bars) == 2 * n and all(0 <= b <= 1 for b in bars), "%d bars" % (2 * n), bars)
        for width, height, dark, name in ((1280, 900, False, "light"), (1280, 900, True, "dark"), (390, 844, False, "phone"),
                                          (390, 844, True, "phone-dark")):
            look(driver, width, height, dark)
            time.sleep(0.5)
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            check(wide <= width, "%d cameras fit into %d points" % (n, width), wide)
            shoot(driver, folder, "%02d-%s" % (n, name))
        check(not page.faults(), "nothing to complain of, nothing from elsewhere", page.faults())
    finally:
        driver.quit()
        check(monitor.stop() == 0, "camera-monitor ends", monitor.said[-5:])


def live(check, programs, port, folder):
    """News, changes, a camera that goes and comes, and text that stays text."""
    program, server_program = programs
    mortal = Server(server_program, source=BALL)
    with mortal:
        gone = mortal.port
        monitor = Monitor(program, config([
            camera("gate", port, prompt="Is the picture black?", choices=["yes", "no"], **{"alert-on": "no"}),
            camera("yard", gone, prompt="What is shown?"),
            camera(EVIL_NAME, port, prompt="q", choices=["yes", EVIL_LABEL]),
            camera("two", port, questions={"black": {"prompt": "Is it black?", "choices": ["yes", "no"]},
                                           "what": {"prompt": "What is shown?"}}),
        ]))
        driver = browser()
        page = Page(driver, monitor)
        page.open()
        check(page.until(lambda: page.text("yard", ".answer") == "The picture shows a ball.", "answer"), "an answer in words",
              page.text("yard", ".answer"))
        check(page.until(lambda: page.text("gate", ".flag") == "Alert" and
                         "alarm" in page.card("gate").get_attribute("class"), "alert"), "an alert is shown")
        # Live: the timeline grows without a reload.
        ticks = lambda: len(page.card("gate").find_elements(By.CSS_SELECTOR, ".strip i"))  # noqa: E731
        before = ticks()
        check(page.until(lambda: ticks() >= before + 2, "news"), "answers come without a reload", ticks())
        src = driver.execute_script("return document.querySelector('.view img').src")
        check(page.until(lambda: driver.execute_script("return document.querySelector('.view img').src") != src, "picture"),
              "the picture moves on")
        # Text is text.
        check(page.until(lambda: EVIL_LABEL in page.text(EVIL_NAME, ".body"), "label"), "an answer's markup is text",
              page.text(EVIL_NAME, ".body"))
        check(page.card(EVIL_NAME) is not None and driver.title == "camera-monitor", "a name's markup is text", driver.title)
        # A prompt, by keyboard alone.
        card = page.card("gate")
        change = [b for b in card.find_elements(By.TAG_NAME, "button") if b.text == "Change question"][0]
        driver.execute_script("arguments[0].focus()", change)
        change.send_keys(Keys.ENTER)
        area = driver.switch_to.active_element
        check(area.tag_name == "textarea" and area.get_attribute("value") == "Is the picture black?", "the keyboard is in the question")
        area.send_keys(Keys.CONTROL, "a")
        area.send_keys(EVIL_PROMPT)
        count = len(monitor.answers("gate"))
        area.send_keys(Keys.ENTER)
        monitor.until(lambda: monitor.answers("gate")[-1]["prompt"] == EVIL_PROMPT, "the prompt reaches an answer")
        asked = [a["prompt"] for a in monitor.answers("gate")]
        # One window was open then, and one more may have been with the engine.
        check(asked.index(EVIL_PROMPT) <= count + 2 and set(asked[asked.index(EVIL_PROMPT):]) == {EVIL_PROMPT},
              "a prompt reaches the next answer", asked[count:])
        check(page.until(lambda: page.text("gate", ".ask") == EVIL_PROMPT, "prompt") and driver.title == "camera-monitor",
              "the page has it, as text", page.text("gate", ".ask"))
        check(page.until(lambda: driver.switch_to.active_element.text == "Change question", "focus"), "the keyboard is back")
        # Escape changes nothing.
        change.send_keys(Keys.ENTER)
        driver.switch_to.active_element.send_keys("nonsense", Keys.ESCAPE)
        # A prompt of one of two questions; a question in between; the switch.
        node = page.card("two").find_elements(By.TAG_NAME, "section")[1]
        [b for b in node.find_elements(By.TAG_NAME, "button") if b.text == "Change question"][0].click()
        area = node.find_element(By.TAG_NAME, "textarea")
        area.clear()
        area.send_keys("Which way does it move?")
        [b for b in node.find_elements(By.TAG_NAME, "button") if b.text == "Change"][0].click()
        monitor.until(lambda: any(a["prompt"] == "Which way does it move?" and a["question"] == "what" for a in monitor.answers("two")),
                      "a named question's prompt")
        check(any(a["prompt"] == "Is it black?" for a in monitor.answers("two")[-2:]), "the other question is as it was")
        before = len([r for r in monitor.records if "ask-id" in r])
        [b for b in page.card("yard").find_elements(By.TAG_NAME, "button") if b.text == "Ask …"][0].click()
        driver.switch_to.active_element.send_keys("Is there a ball?", Keys.ENTER)
        monitor.until(lambda: any(r.get("ask-id") and r["prompt"] == "Is there a ball?" for r in monitor.records[before:]), "it is asked")
        check(True, "a question in between is answered")
        [b for b in page.card("two").find_elements(By.TAG_NAME, "button") if b.text == "Ask now"][0].click()
        monitor.until(lambda: any(r.get("ask-id") and r.get("question") == "black" for r in monitor.records), "asked now")
        check(True, "its own question is asked now")
        [b for b in page.card("two").find_elements(By.TAG_NAME, "button") if b.text == "Switch off"][0].click()
        check(page.until(lambda: "off" in page.text("two", ".state"), "off"), "a camera is switched off", page.text("two", ".state"))
        time.sleep(3)
        count = len(monitor.answers("two"))
        time.sleep(5)
        check(len(monitor.answers("two")) == count, "and is asked nothing")
        [b for b in page.card("two").find_elements(By.TAG_NAME, "button") if b.text == "Switch on"][0].click()
        monitor.until(lambda: len(monitor.answers("two")) > count, "on again")
        check(True, "and on again")
        driver.execute_script("document.querySelector('article details').open = true")
        shoot(driver, folder, "live")
    check(page.until(lambda: page.text("yard", ".state").startswith("reconnecting"), "lost"), "a lost camera is shown",
          page.text("yard", ".state"))
    check(page.text("yard", ".reason") != "" and "old" in page.card("yard").find_element(By.CLASS_NAME, "view").get_attribute("class"),
          "with why, and its picture grey")
    driver.execute_script("arguments[0].scrollIntoView()", page.card("yard"))
    shoot(driver, folder, "lost")
    with Server(server_program, port=gone, source=BALL):
        check(page.until(lambda: page.text("yard", ".state").startswith("up"), "back", 60), "and back",
              page.text("yard", ".state"))
        check(page.until(lambda: "away 1 time" in page.text("yard", ".numbers"), "counted"), "that is counted",
              page.text("yard", ".numbers"))
        # The program goes and comes back at the same port: the page goes on by itself.
        port_before = monitor.port("page")
        cameras = [camera("gate", port, prompt="Is the picture black?", choices=["yes", "no"])]
        check(not page.faults(), "nothing to complain of, nothing from elsewhere", page.faults())
        check(monitor.stop() == 0, "camera-monitor ends", monitor.said[-5:])
        link = lambda: driver.find_element(By.ID, "link").text  # noqa: E731
        check(page.until(lambda: link().startswith("no connection"), "link"), "the page says that it has no connection", link())
        monitor = Monitor(program, {**config(cameras), "page": {"address": "127.0.0.1:%d" % port_before}})
        page.monitor = monitor
        check(page.until(lambda: link() == "live" and len(driver.find_elements(By.TAG_NAME, "article")) == 1, "back"),
              "and finds it again", link())
        driver.quit()
        check(monitor.stop() == 0, "camera-monitor ends", monitor.said[-5:])


def readme(check, programs, port, folder):
    """docs/images/page.png: three cameras, one with an alert."""
    program, server_program = programs
    source = "videotestsrc is-live=true pattern=%s ! video/x-raw,width=640,height=360,framerate=15/1"
    with Server(server_program, source=source % "ball") as ball, Server(server_program, source=source % "black") as black, \
            Server(server_program, source=source % "smpte") as bars:
        monitor = Monitor(program, config([
            camera("gate", ball.port, questions={"black": {"prompt": "Is the picture black?", "choices": ["yes", "no"], "alert-on": "yes"},
                                                 "what": {"prompt": "What is shown?"}}),
            camera("yard", black.port, prompt="Is the picture black?", choices=["yes", "no"], **{"alert-on": "yes"}),
            camera("hall", bars.port, prompt="What is shown?"),
        ]))
        driver = browser(1280, 800)
        try:
            page = Page(driver, monitor)
            page.open()
            monitor.until(lambda: all(len(monitor.answers(name)) > 24 for name in ("yard", "hall")), "answers", 90)
            check(page.until(lambda: page.pictures() == 3, "pictures"), "pictures")
            shoot(driver, folder, "page")
        finally:
            driver.quit()
            monitor.stop()


def token(check, programs, port, folder):
    """Others than this machine need the token; the browser keeps what it is exchanged for."""
    program, _ = programs
    token_file = os.path.join(folder or "/tmp", "page-token")
    with open(token_file, "w", encoding="utf-8") as file:
        file.write(TOKEN + "\n")
    monitor = Monitor(program, config([camera("gate", port, prompt="What is shown?")], address="0.0.0.0:0", **{"token-file": token_file}))
    driver = browser()
    try:
        page = Page(driver, monitor)
        articles = lambda: len(driver.find_elements(By.TAG_NAME, "article"))  # noqa: E731
        page.open()
        check("A token is needed." in driver.find_element(By.TAG_NAME, "body").text and articles() == 0, "no token: nothing is shown")
        page.open("?token=wrong-wrong-wrong-wrong")
        check("This is not the token." in driver.find_element(By.TAG_NAME, "body").text and articles() == 0, "a wrong token is refused")
        shoot(driver, folder, "token")
        driver.find_element(By.NAME, "token").send_keys(TOKEN, Keys.ENTER)
        check(page.until(lambda: articles() == 1, "card"), "the right one lets in", driver.page_source[:300])
        check(TOKEN not in driver.current_url, "and is not in the address any more", driver.current_url)
        page.open()
        check(page.until(lambda: articles() == 1 and page.text("gate", ".state").startswith("up"), "card"), "the cookie is enough")
        cookies = driver.get_cookies()
        check(len(cookies) == 1 and cookies[0]["httpOnly"] and TOKEN not in cookies[0]["value"], "it is out of scripts' reach", cookies)
        check(driver.execute_script("return document.cookie") == "", "no script sees it")
        check(TOKEN not in "".join(monitor.said), "the token is in no log")
    finally:
        driver.quit()
        check(monitor.stop() == 0, "camera-monitor ends", monitor.said[-5:])
        os.unlink(token_file)


def main():
    programs, folder = sys.argv[1:3], sys.argv[3] if len(sys.argv) > 3 else None
    parts = re.split(",", os.environ.get("PAGE_PARTS", "1,4,16,live,token"))
    check = Checks()
    with Server(programs[1], source=BALL) as steady:
        for part in parts:
            print("-- " + part, flush=True)
            if part == "live":
                live(check, programs, steady.port, folder)
            elif part == "readme":
                readme(check, programs, steady.port, folder)
            elif part == "token":
                token(check, programs, steady.port, folder)
            else:
                many(check, programs, steady.port, int(part), folder)
    print("%d failed" % check.failed)
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
