#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llavaov-tool's manual page has the commands and options of --help, with their arguments, and no others.

    manual.py TOOL PAGE
"""
import re
import subprocess
import sys


def of_help(text):
    options = re.findall(r"^  (?:(-\S), |    )--([\w-]+)(?:=(\S+))?", text, re.M)
    commands = text[text.index("COMMAND is one of"):text.index("FILE is")]
    return set(options), set(re.findall(r"^  ([a-z][a-z-]*)", commands, re.M))


def of_page(text):
    plain = re.sub(r"\\f[BIR]", "", text).replace("\\-", "-")
    commands, options = plain.split(".SH COMMANDS\n")[1].split(".SH OPTIONS\n")
    options = options.split(".SH ")[0]
    return (set(re.findall(r"^\.TP\n(?:(-\S), )?--([\w-]+)(?:=(\S+))?$", options, re.M)),
            set(re.findall(r"^\.TP\n([a-z-]+)", commands, re.M)))


def main():
    tool, page = sys.argv[1:]
    shown = subprocess.run([tool, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    with open(page, encoding="utf-8") as file:
        wanted, found = of_help(shown), of_page(file.read())
    assert len(wanted[0]) > 30 and len(wanted[1]) > 10, wanted
    for what, a, b in zip(("options", "commands"), wanted, found):
        assert a == b, "%s: only in --help %s, only in the page %s" % (what, sorted(a - b), sorted(b - a))
    print("%d options and %d commands in both" % (len(wanted[0]), len(wanted[1])))


main()
