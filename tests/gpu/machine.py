# SPDX-License-Identifier: Apache-2.0
"""What gpu-check finds on the machine that it runs on: its GPU, the versions, the libraries, the sources' state."""
import ctypes
import functools
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# A row holds as long as these are what they were when it passed.
PROVEN = ("engine", "kernels")
# cuDeviceGetAttribute's numbers.
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76


def output_of(*line):
    """What a command printed, or None where it cannot run or fails."""
    try:
        done = subprocess.run([str(x) for x in line], capture_output=True, text=True, errors="replace", timeout=60, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()


def gpu_by_smi():
    said = output_of("nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader")
    if not said or "," not in said:
        return None
    name, capability = (part.strip() for part in said.splitlines()[0].rsplit(",", 1))
    return (name, capability) if capability.replace(".", "").isdigit() else None


def gpu_by_driver():
    """The driver itself is asked: containers have it more often than nvidia-smi."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, major, minor, name = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetName(name, len(name), device):
        return None
    for value, number in ((major, CAPABILITY_MAJOR), (minor, CAPABILITY_MINOR)):
        if cuda.cuDeviceGetAttribute(ctypes.byref(value), number, device):
            return None
    return name.value.decode(errors="replace"), f"{major.value}.{minor.value}"


def others_on_gpu():
    """What nvidia-smi says of programs that compute on the first GPU, in one line; "" where there are none. Where it cannot
    say, whether there are, it is taken that there are."""
    said = output_of("nvidia-smi", "-i", "0", "--query-compute-apps=pid,process_name", "--format=csv,noheader")
    return "nvidia-smi does not tell" if said is None else "; ".join(said.split("\n")) if said else ""


def find_gpu():
    """(name, compute capability) of the first GPU, or None."""
    return gpu_by_smi() or gpu_by_driver()


@functools.lru_cache(maxsize=1)
def toolkit():
    """The lines of scripts/cuda-toolkit: root, runtime's folder, version, nvcc, cublasLt.h's folder, cuBLASLt; or none."""
    return (output_of("scripts/cuda-toolkit") or "").splitlines()


def environment():
    """For programs that open the module; what the caller's environment names comes first. cuBLASLt is named to it alone: a folder in LD_LIBRARY_PATH would give torch that
    folder's libraries too, of other versions than its own."""
    values = {"LLAVAOV_CUDA_MODULE": str(ROOT / "build-gpu/engine/backend/cuda/llavaov-cuda.so")}
    if len(toolkit()) > 5:
        values["LLAVAOV_CUBLASLT"] = toolkit()[5]
    return {name: os.environ.get(name, value) for name, value in values.items()}


def sanitizer():
    """The path of compute-sanitizer, or None."""
    roots = [pathlib.Path(line) for line in toolkit()[:1]]
    roots += [pathlib.Path(folder) / "nvidia/cu13" for folder in sys.path if folder]
    roots.append(pathlib.Path("/usr/local/cuda"))
    places = [root / part / "compute-sanitizer" for root in roots for part in ("bin", "compute-sanitizer")]
    return shutil.which("compute-sanitizer") or next((str(path) for path in places if path.is_file()), None)


def lacking(*packages):
    """Those that this interpreter does not have."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def sources():
    """One number for the sources whose work the rows prove."""
    seen = hashlib.sha256()
    for folder in PROVEN:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                seen.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return seen.hexdigest()[:12]


def facts():
    """What a reader of the results wants to know of the machine."""
    driver = output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    commit = output_of("git", "-c", f"safe.directory={ROOT}", "rev-parse", "HEAD")
    changed = output_of("git", "-c", f"safe.directory={ROOT}", "status", "--porcelain", "--untracked-files=no")
    return {
        "driver": driver.splitlines()[0] if driver else "unknown",
        "nvcc": toolkit()[2] if len(toolkit()) > 2 else "none",
        "cublaslt": toolkit()[5] if len(toolkit()) > 5 else "by its name",
        "module": environment()["LLAVAOV_CUDA_MODULE"],
        "python": sys.version.split()[0],
        "commit": (commit or "unknown") + (" with changes" if changed else ""),
        "sources": sources(),
        "cpus": os.cpu_count(),
    }
