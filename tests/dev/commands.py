#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `./dev` does on machines that are not this one: a Debian without packages, without sudo, with a sudo that wants a
password; a system that is not Debian; with and without a CUDA compiler and a GPU. Commands that would install or build only
write down that they were called.

    commands.py SOURCE
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

REAL = ["bash", "sh", "env", "dirname", "mkdir", "sed", "head", "tail", "tr", "cat", "grep"]
WRITES_DOWN = '#!/bin/sh\necho "$(basename "$0") $*" >>"$LOG"\n'
BASENAME = '#!/bin/sh\nset -- "${1##*/}"\necho "$1"\n'
DEBIAN = {
    "dpkg-query": "#!/bin/sh\ncase \" $HAVE \" in *\" $4 \"*|*\" all \"*) printf 'install ok installed' ;; esac\n",
    "apt-get": WRITES_DOWN,
}
TOOLKIT = '#!/bin/sh\necho "cuda-toolkit $*" >>"$LOG"\n[ "$NVCC" = yes ] || [ "$1" = --fetch ] && echo /toolkit\n'


class Machine:
    """A copy of the script, whose PATH holds what is named here and nothing else."""

    def __init__(self, source, folder, commands, user="0", **environment):
        self.root = pathlib.Path(folder)
        self.log = self.root / "log"
        self.log.touch()
        commands = {"meson": WRITES_DOWN + '[ "$1" != setup ] || { mkdir -p build; : >build/build.ninja; }\n', "ninja": WRITES_DOWN, "basename": BASENAME,
                    "id": "#!/bin/sh\necho %s\n" % user, **commands}
        (self.root / "bin").mkdir()
        for name in REAL:
            (self.root / "bin" / name).symlink_to(shutil.which(name))
        for name, text in {**{"bin/" + name: text for name, text in commands.items() if text},
                           "scripts/cuda-toolkit": TOOLKIT}.items():
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        shutil.copy(source / "dev", self.root)
        shutil.copy(source / "meson_options.txt", self.root)
        self.environment = {"PATH": str(self.root / "bin"), "LOG": str(self.log), "HOME": str(self.root), **environment}

    def dev(self, *arguments):
        done = subprocess.run(["bash", str(self.root / "dev"), *arguments], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        calls = self.log.read_text().splitlines()
        self.log.write_text("")
        return done.returncode, done.stdout, calls


def names(source, name):
    return re.search(r"^%s=\(\s*([^)]*)\)" % name, (source / "dev").read_text(), re.M).group(1).split()


def installs(calls):
    return [call for call in calls if re.match(r"apt-get|sudo|cuda-toolkit --fetch", call)]


def main():
    source = pathlib.Path(sys.argv[1])
    packages = names(source, "packages")
    folders = tempfile.TemporaryDirectory()

    def machine(commands, **how):
        return Machine(source, tempfile.mkdtemp(dir=folders.name), commands, **how)

    # Nothing may be installed: all that is missing is listed, nothing is attempted, whatever the command.
    asks = '#!/bin/sh\necho "sudo $*" >>"$LOG.asked"\nexit 1\n'
    for commands, words in (({**DEBIAN}, "no sudo"), ({**DEBIAN, "sudo": asks}, "wants a password")):
        for command in ("setup", "test", "demo"):
            status, said, calls = machine(commands, user="1000", HAVE="gcc", NVCC="no").dev(command)
            assert status == 1 and words in said, (command, said)
            assert all(name in said.split() for name in packages if name != "gcc") and "gcc" not in said.split(), said
            assert not installs(calls) and not any(call.startswith(("meson", "ninja")) for call in calls), calls
            assert command == "demo" or "python3-venv" in said, said
    for command in ("setup", "test", "demo"):
        status, said, calls = machine({"meson": None, "ninja": None}, HAVE="", NVCC="no").dev(command)
        assert status == 1 and "not Debian" in said, said
        assert all(name in said for name in ("meson", "ninja", "pkg-config", "cmocka.pc", "gstreamer-1.0.pc")), said
        assert not installs(calls), calls

    # Where it may, it is installed.
    status, said, calls = machine(DEBIAN, HAVE="gcc", NVCC="no").dev("setup")
    assert status == 0 and len(installs(calls)) == 3, (said, calls)
    assert all(name in installs(calls)[1].split() for name in packages[1:] + ["python3-venv"]), calls

    # build installs nothing, and says what would.
    status, said, calls = machine(DEBIAN, HAVE="", NVCC="no").dev("build")
    assert status == 1 and "./dev setup" in said and not installs(calls), (said, calls)
    status, said, calls = machine({"meson": None}, HAVE="", NVCC="yes").dev("build")
    assert status == 1 and "./dev setup" in said and not installs(calls), (said, calls)
    every = re.search(r"'gpu-architectures'.*\[(.*)\]", (source / "meson_options.txt").read_text()).group(1)
    every = every.replace("'", "").replace(" ", "")
    assert every.count(",") > 3, every
    for gpu, arguments, wanted in ((None, [], "90a"), ("8.9", [], "89"), ("9.0", [], "90a"), ("12.0", [], "120"),
                                   ("8.9", ["--cuda", "all"], every), (None, ["--cuda", "80,86"], "80,86")):
        smi = {"nvidia-smi": "#!/bin/sh\necho %s\n" % gpu} if gpu else {}
        status, said, calls = machine({**DEBIAN, **smi}, HAVE="", NVCC="yes").dev("build", *arguments)
        setups = [call for call in calls if call.startswith("meson setup")]
        assert "ninja -C build" in calls, calls
        assert setups == ["meson setup build -Dcuda=auto -Dgpu-architectures=" + wanted], (gpu, arguments, setups)
        assert status == 0 and not installs(calls), (said, calls)
    status, said, calls = machine(DEBIAN, HAVE="", NVCC="no").dev("build", "--cuda", "none")
    assert status == 0 and "meson setup build -Dcuda=disabled" in calls, (said, calls)

    # The demo builds what it runs.
    status, said, calls = machine(DEBIAN, HAVE="all", NVCC="yes").dev("demo")
    assert status == 0 and not installs(calls), (said, calls)
    assert calls[:2] == ["meson setup build -Dcuda=disabled", "ninja -C build gst/libgstllavaov.so"], calls
    assert re.match(r"meson devenv .*demo/demo\.py", calls[2]) and len(calls) == 3, calls
    print("commands as they should be")


main()
