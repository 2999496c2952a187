#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`llavaov-tool doctor` on installations that are broken on purpose: the sentence and the command that each must bring.

    doctor.py TOOL MODEL PLUGIN LIBRARY STUBS MODULES

LIBRARY is the engine's. STUBS and MODULES are folders with shared objects that are broken. Nothing of the system is changed: GStreamer finds its plugins in
folders of links, and a machine's devices are files below a folder.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOOL, MODEL, PLUGIN, LIBRARY, STUBS, MODULES = (pathlib.Path(argument).resolve() for argument in sys.argv[1:7])
LIBRARY = LIBRARY.parent
REGISTRY = pathlib.Path("/nowhere")
NAME = "libgstllavaov.so"
VARIABLES = ("GST_PLUGIN_PATH", "GST_PLUGIN_PATH_1_0", "GST_PLUGIN_SYSTEM_PATH", "GST_PLUGIN_SYSTEM_PATH_1_0", "GST_REGISTRY", "GST_REGISTRY_1_0",
             "GST_REGISTRY_UPDATE", "LLAVAOV_MODEL", "LLAVAOV_CUDA_MODULE", "LLAVAOV_CUBLASLT", "XDG_DATA_HOME", "XDG_CACHE_HOME")
SYSTEM = pathlib.Path(next(
    line.split()[1] for line in subprocess.run(["gst-inspect-1.0", "fakesink"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    if line.split()[:1] == ["Filename"])).parent


class Machine:
    """An installation in which nothing is wrong, for one case to break."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.plugins, self.devices, self.home = (self.folder / name for name in ("plugins", "devices", "home"))
        for made in (self.plugins, self.devices, self.home):
            made.mkdir()
        self.environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        self.environment.update(HOME=str(self.home), LLAVAOV_MODEL=str(MODEL), GST_PLUGIN_PATH=str(self.plugins),
                                GST_REGISTRY=str(self.folder / "registry.bin"), LC_ALL="C.UTF-8")
        self.arguments = []
        (self.plugins / NAME).symlink_to(PLUGIN)
        if REGISTRY.exists(): # what the system has is not looked at anew each time
            shutil.copy2(REGISTRY, self.folder / "registry.bin")
        self.libraries = self.folder / "libraries"
        self.libraries.mkdir()
        self.set(LD_LIBRARY_PATH="%s:%s" % (self.libraries, LIBRARY))

    def set(self, **variables):
        for name, value in variables.items():
            self.environment.pop(name, None)
            if value is not None:
                self.environment[name] = str(value)

    def plugin(self, stub):
        """Another file in the plugin's place."""
        (self.plugins / NAME).unlink()
        shutil.copy(stub, self.plugins / NAME)

    def elements(self, *without):
        """GStreamer's own plugins, but for some."""
        own = self.folder / "own"
        own.mkdir()
        for path in SYSTEM.glob("*.so"):
            if path.name[len("libgst"):-len(".so")] in ("coreelements", "playback", "videoconvert", "videoconvertscale", "jpeg") and \
                    path.name[len("libgst"):-len(".so")] not in without:
                (own / path.name).symlink_to(path)
        self.set(GST_PLUGIN_SYSTEM_PATH=own)

    def program(self, name, text):
        """A program that is found before all others."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("#!/bin/sh\n" + text)
        (folder / name).chmod(0o755)
        self.set(PATH="%s:%s" % (folder, self.environment["PATH"]))

    def model(self, change):
        copy = self.folder / "model"
        shutil.copytree(MODEL, copy)
        change(copy)
        self.set(LLAVAOV_MODEL=copy)

    def device(self, path, text=""):
        path = self.devices / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def gpu(self, driver=None, nodes=True):
        self.device("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n")
        self.device("sys/bus/pci/devices/0000:01:00.0/class", "0x030000\n")
        if driver:
            self.device("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  %s  Tue\n" % driver)
            for node in ("nvidiactl", "nvidia0") if nodes else ():
                self.device("dev/" + node)

    def doctor(self):
        command = [str(TOOL), "doctor", str(self.devices)] + self.arguments
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=str(self.folder))
        return done.returncode, done.stdout


def no_programs(m):
    m.set(PATH=m.folder / "nothing")


def old_gstreamer(m):
    m.program("gst-inspect-1.0", "echo 'GStreamer 1.18.4'")


def lame_inspect(m):
    m.program("gst-inspect-1.0", "echo 'symbol lookup error: undefined symbol: gst_x'; exit 1")


def elsewhere(m):
    m.set(GST_PLUGIN_PATH=None)


def nowhere(m):
    """Without a build around it: the usual places are looked at from where the program is."""
    m.set(GST_PLUGIN_PATH=None)
    (m.folder / "there" / "bin").mkdir(parents=True)
    shutil.copy(TOOL, m.folder / "there" / "bin" / "llavaov-tool")
    m.tool = m.folder / "there" / "bin" / "llavaov-tool"


def hidden_system(m):
    m.set(GST_PLUGIN_SYSTEM_PATH=m.folder / "nothing")


def library_gone(m):
    m.plugin(STUBS / "wants-gone.so")
    # Whoever built it may look where it was built: the library lies elsewhere than there.
    data = (m.plugins / NAME).read_bytes().replace(b"libgone.so", b"libgonf.so")
    (m.plugins / NAME).write_bytes(data)


def own_library_gone(m):
    m.set(LD_LIBRARY_PATH=None)


def blacklisted(m):
    """Its library comes back after GStreamer has tried in vain."""
    library_gone(m)
    subprocess.run(["gst-inspect-1.0", "fakesink"], env=m.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    shutil.copy(STUBS / "libgone.so", m.libraries / "libgonf.so")


def not_updated(m):
    plugin = (m.plugins / NAME).rename(m.folder / NAME)
    subprocess.run(["gst-inspect-1.0", "fakesink"], env=m.environment, stdout=subprocess.DEVNULL, check=True)
    plugin.rename(m.plugins / NAME)
    m.set(GST_REGISTRY_UPDATE="no")


def other_version(m):
    real = shutil.which("gst-inspect-1.0")
    m.program("gst-inspect-1.0", 'if [ "$1" = llavaov ]; then echo "  Filename    /opt/old/libgstllavaov.so"; echo "  Version    0.0.9"; exit 0; fi\n'
                                 'exec %s "$@"\n' % real)


def pointer(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 1812345678\n" % 7)


def other_model(folder):
    config = json.loads((folder / "config.json").read_text())
    config.update(model_type="qwen2", architectures=["Qwen2ForCausalLM"])
    (folder / "config.json").write_text(json.dumps(config))


def model_file(m):
    m.set(LLAVAOV_MODEL=MODEL / "model.safetensors")


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:10000])


def module(path):
    def break_it(m):
        m.gpu("580.95.05")
        m.set(LLAVAOV_CUDA_MODULE=path)
    return break_it


def nouveau(m):
    m.gpu()
    m.device("sys/module/nouveau/version")


def container(m):
    m.gpu()
    m.device(".dockerenv")


def not_loaded(m):
    m.gpu()
    shutil.copy(STUBS / "libgone.so", m.libraries / "libcuda.so.1")


def wanted_gpu(m):
    m.arguments = ["--device", "cuda"]


# name, how it is broken, a part of the sentence, of the command
CASES = [
    ("no GStreamer", no_programs, "There is no program gst-inspect-1.0", "sudo apt install gstreamer1.0-tools"),
    ("an old GStreamer", old_gstreamer, "too old (1.18; 1.20 is wanted", "sudo apt full-upgrade"),
    ("a GStreamer that does not start", lame_inspect, "gst-inspect-1.0 does not run: symbol lookup error", "sudo apt install --reinstall gstreamer1.0-tools"),
    ("the plugin is not installed", nowhere, "the plugin is not installed", "sudo apt install gstreamer1.0-llavaov"),
    ("the plugin lies elsewhere", elsewhere, "where GStreamer does not look", "export GST_PLUGIN_PATH=%s" % PLUGIN.parent),
    ("GStreamer's own path is replaced", hidden_system, "does not find its own elements", "unset GST_PLUGIN_SYSTEM_PATH_1_0 GST_PLUGIN_SYSTEM_PATH"),
    ("the engine's library is gone", own_library_gone, "its library is not found: libllavaov.so.0", "&& sudo ldconfig"),
    ("a library of the plugin is gone", library_gone, "a library that it needs is not found", "sudo apt install --reinstall gstreamer1.0-llavaov"),
    ("a plugin for another library", lambda m: m.plugin(STUBS / "wants-symbol.so"), "belongs to another version of a library", "&& rm "),
    ("a plugin that crashes", lambda m: m.plugin(STUBS / "crashes.so"), "crashes while it is loaded", "sudo apt install --reinstall gstreamer1.0-llavaov"),
    ("a damaged plugin", lambda m: m.plugin(MODEL / "config.json"), "damaged or for another machine", "sudo apt install --reinstall"),
    ("blacklisted", blacklisted, "on its blacklist", "type: rm "),
    ("an old registry", not_updated, 'GST_REGISTRY_UPDATE is "no"', "unset GST_REGISTRY_UPDATE"),
    ("two versions", other_version, "another version than this program, 0.0.9 from /opt/old", "unset GST_PLUGIN_PATH"),
    ("no decodebin", lambda m: m.elements("playback"), "no element decodebin", "sudo apt install gstreamer1.0-plugins-base"),
    ("no such model", lambda m: m.set(LLAVAOV_MODEL="/nowhere"), "LLAVAOV_MODEL names, /nowhere, is not there", "unset LLAVAOV_MODEL"),
    ("the bundled model is not installed", lambda m: m.set(LLAVAOV_MODEL=None), "used when none is named", "sudo apt install llavaov-model-camera-check"),
    ("a model's file", model_file, "is a file; the folder", "unset LLAVAOV_MODEL"),
    ("a model without weights", lambda m: m.model(lambda f: (f / "model.safetensors").unlink()), "The model would not run", "hf download"),
    ("a model of pointers", lambda m: m.model(pointer), "Git LFS", "lfs pull"),
    ("a model that is cut off", lambda m: m.model(cut), "model.safetensors", "hf download"),
    ("no GPU", wanted_gpu, "has no NVIDIA GPU", "device=cpu"),
    ("another kind of model", lambda m: m.model(other_model), "qwen2", "llavaov-tool inspect"),
]
# Wrong with --device cuda, else a note.
GPU = [
    ("no driver", lambda m: m.gpu(), "driver is not installed", "sudo apt install nvidia-driver"),
    ("nouveau", nouveau, "driven by nouveau", "firmware-misc-nonfree"),
    ("a container", container, "this container may not use", "--gpus all"),
    ("a driver that is not loaded", not_loaded, "kernel module is not loaded", "sudo modprobe nvidia"),
    ("an old driver", lambda m: m.gpu("535.183.01"), "driver 535 is too old", "sudo apt install --upgrade nvidia-driver"),
    ("no device files", lambda m: m.gpu("580.95.05", nodes=False), "no device file /dev/nvidiactl", "nvidia-modprobe"),
    ("no such CUDA module", module("/nowhere.so"), "LLAVAOV_CUDA_MODULE names", "unset LLAVAOV_CUDA_MODULE"),
    ("a CUDA module of another build", module(MODULES / "other-build.so"), "another build", "--reinstall gstreamer1.0-llavaov-cuda"),
    ("a damaged CUDA module", module(MODULES / "not-a-module.so"), "cannot be loaded", "--reinstall gstreamer1.0-llavaov-cuda"),
    ("no cuBLASLt", module(STUBS / "no-cublaslt.so"), "cuBLASLt of CUDA 13 is missing", "nvidia-cublas"),
]
# What is not wrong, but missed by some.
NOTES = [
    ("no decoders", lambda m: m.elements(), "H.264 is not decoded", "sudo apt install gstreamer1.0-libav"),
    ("no cameras", lambda m: m.elements(), "cameras are not opened by RTSP", "sudo apt install gstreamer1.0-plugins-good"),
]


def look(break_it):
    global TOOL
    with tempfile.TemporaryDirectory(prefix="llavaov-doctor-") as folder:
        machine, own = Machine(folder), TOOL
        break_it(machine)
        TOOL = getattr(machine, "tool", TOOL)
        try:
            return machine.doctor()
        finally:
            TOOL = own


def check(name, break_it, sentence, command, is_wrong):
    """One thing is broken: it is said to be, and nothing else is."""
    status, said = look(break_it)
    lines = said.splitlines()
    found = [i for i, line in enumerate(lines) if line.startswith("WRONG  " if is_wrong else "note   ") and sentence in line]
    good = status == is_wrong and any(command in lines[i + 1] for i in found) and sum(line.startswith("WRONG") for line in lines) == is_wrong
    print("%s %s" % ("ok  " if good else "FAIL", name))
    if not good:
        print("     exit %d\n%s" % (status, said))
    return good


def with_cuda(break_it):
    def both(m):
        break_it(m)
        m.arguments = ["--device", "cuda"]
    return both


def main():
    global REGISTRY
    with tempfile.TemporaryDirectory(prefix="llavaov-doctor-") as folder:
        REGISTRY = pathlib.Path(folder) / "registry.bin"
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        subprocess.run(["gst-inspect-1.0", "fakesink"], env=dict(environment, GST_REGISTRY=str(REGISTRY)), stdout=subprocess.DEVNULL, check=True)
        return check_all()


def check_all():
    status, said = look(lambda m: None)
    results = [status == 0 and "Nothing is wrong." in said and "WRONG" not in said]
    if not results[0]:
        print("FAIL nothing broken: exit %d\n%s" % (status, said))
    results += [check(*case, True) for case in CASES]
    results += [check(*case, False) for case in NOTES + GPU]
    results += [check(name + ", which is asked for", with_cuda(break_it), *rest, True) for name, break_it, *rest in GPU]
    print("%d ways to be broken, %d failures" % (len(CASES + NOTES + GPU), results.count(False)))
    return 0 if all(results) else 1


sys.exit(main())
