# SPDX-License-Identifier: Apache-2.0
"""Runs llavaov-tool."""
import json
import pathlib
import subprocess
import tempfile

import numpy as np


class ToolError(Exception):
    pass


class Tool:
    def __init__(self, build, folder=None, options=()):
        self.path = str(pathlib.Path(build) / "tools" / "llavaov-tool" / "llavaov-tool")
        self.temporary = tempfile.TemporaryDirectory(prefix="llavaov-parity-")
        self.folder = pathlib.Path(folder or self.temporary.name)
        self.options = list(options)

    def run(self, command, *arguments):
        line = [self.path, command, *self.options, *map(str, arguments)]
        done = subprocess.run(line, capture_output=True)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(line)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def refusal(self, command, *arguments):
        """The one line that a failing command says; None when it succeeds."""
        done = subprocess.run([self.path, command, *self.options, *map(str, arguments)], capture_output=True)
        if done.returncode < 0:
            raise ToolError(f"{command} ends by signal {-done.returncode}")
        return done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}" if done.returncode else None

    def json(self, command, *arguments):
        return json.loads(self.run(command, *arguments))

    def array(self, command, *arguments):
        out = self.folder / "out.npy"
        self.run(command, *arguments, "-o", out)
        return np.load(out)

    def save(self, name, array):
        path = self.folder / name
        np.save(path, np.ascontiguousarray(array))
        return path
