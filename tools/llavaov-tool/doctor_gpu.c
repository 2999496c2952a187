/* SPDX-License-Identifier: Apache-2.0
 * doctor: an NVIDIA GPU, its driver, and what computes on it. */
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/module.h"
#include "doctor.h"

/* The first driver that CUDA 13 runs with. */
#define OLDEST_DRIVER 580
#define MODULE "sudo apt install gstreamer1.0-llavaov-cuda"

/* Without a GPU there are answers, too, unless one is asked for. */
static bool wanted(const Doctor *doctor)
{
    return doctor->device && strncmp(doctor->device, "cuda", 4) == 0;
}

/* A display or compute device of NVIDIA's on the bus. */
static bool on_bus(const Doctor *doctor)
{
    char pattern[PATH_MAX];
    glob_t found;
    bool is_there = false;
    snprintf(pattern, sizeof pattern, "%s/sys/bus/pci/devices/*", doctor->root);
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc && !is_there; i++) {
        char path[PATH_MAX], vendor[16], class[16];
        const char *device = found.gl_pathv[i] + strlen(doctor->root);
        snprintf(path, sizeof path, "%s/vendor", device);
        if (!doctor_read(doctor, path, vendor, sizeof vendor) || strncmp(vendor, "0x10de", 6) != 0)
            continue;
        snprintf(path, sizeof path, "%s/class", device);
        is_there = doctor_read(doctor, path, class, sizeof class) && strncmp(class, "0x03", 4) == 0;
    }
    globfree(&found);
    return is_there;
}

static int load_driver(const void *unused)
{
    (void)unused;
    return dlopen("libcuda.so.1", RTLD_NOW) ? 0 : 1;
}

/* The kernel's side: false where nothing further is to be expected. */
static bool check_driver(Doctor *doctor)
{
    char text[512], unused[512];
    const char *number;
    int version = 0;
    const bool library = doctor_call(load_driver, NULL, unused, sizeof unused, NULL);
    if (doctor_has(doctor, "/dev/dxg") || doctor_has(doctor, "/dev/nvmap"))
        return true; /* Windows' or a Jetson's driver, which is another */
    if (!doctor_read(doctor, "/proc/driver/nvidia/version", text, sizeof text)) {
        if (doctor_has(doctor, "/.dockerenv") || doctor_has(doctor, "/run/.containerenv"))
            doctor_trouble(doctor, wanted(doctor), "docker run --gpus all ...",
                "This machine has an NVIDIA GPU, which this container may not use.");
        else if (doctor_has(doctor, "/sys/module/nouveau"))
            doctor_trouble(doctor, wanted(doctor),
                "sudo apt install nvidia-driver firmware-misc-nonfree && sudo reboot",
                "The GPU is driven by nouveau, which does not compute; NVIDIA's own driver is "
                "wanted, %d or later.",
                OLDEST_DRIVER);
        else if (library)
            doctor_trouble(doctor, wanted(doctor), "sudo modprobe nvidia",
                "NVIDIA's driver is installed, and its kernel module is not loaded.");
        else
            doctor_trouble(doctor, wanted(doctor), "sudo apt install nvidia-driver",
                "This machine has an NVIDIA GPU, and NVIDIA's driver is not installed (%d or later "
                "is wanted).",
                OLDEST_DRIVER);
        return false;
    }
    number = strstr(text, "Module  ");
    if (number && sscanf(number, "Module %d", &version) == 1 && version < OLDEST_DRIVER) {
        doctor_trouble(doctor, wanted(doctor), "sudo apt install --upgrade nvidia-driver",
            "NVIDIA's driver %d is too old for CUDA 13: %d or later is wanted.", version,
            OLDEST_DRIVER);
        return false;
    }
    return true;
}

static bool check_nodes(Doctor *doctor)
{
    static const char *const nodes[] = {"/dev/nvidiactl", "/dev/nvidia0"};
    char path[PATH_MAX];
    if (doctor_has(doctor, "/dev/dxg") || doctor_has(doctor, "/dev/nvmap"))
        return true;
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", doctor->root, nodes[i]);
        if (!doctor_has(doctor, nodes[i])) {
            doctor_trouble(doctor, wanted(doctor), "sudo nvidia-modprobe -c 0 -u",
                "There is no device file %s, by which programs reach the GPU.", nodes[i]);
            return false;
        }
        if (access(path, R_OK | W_OK) != 0) {
            doctor_trouble(doctor, wanted(doctor), "sudo usermod -aG video,render $USER",
                "You may not use %s; its group may.", nodes[i]);
            return false;
        }
    }
    return true;
}

/* Opens the first GPU, as the engine would. */
static int open_module(const void *unused)
{
    const LvBackendOptions options = {.device = "cuda"};
    LvBackend *backend = NULL;
    LlavaovError error = {0};
    (void)unused;
    if (lv_backend_cuda_open(&options, &backend, &error) == LLAVAOV_OK) {
        printf("%s", backend->info.detail);
        return 0;
    }
    printf("%s", error.message);
    return 1;
}

static void check_module(Doctor *doctor)
{
    char said[2048], *text = said;
    int status = 0;
    if (doctor_call(open_module, NULL, said, sizeof said, &status)) {
        doctor_good("GPU: %s", said);
        return;
    }
    if (strncmp(text, "device \"cuda\": ", 15) == 0)
        text += 15;
    if (status < 0)
        doctor_trouble(doctor, wanted(doctor), "device=cpu",
            "Opening the GPU %s (signal %d); until it does, compute on the processor.",
            status == -9 ? "takes more than ten seconds" : "crashes", -status);
    else if (strstr(text, "LLAVAOV_CUDA_MODULE"))
        doctor_trouble(
            doctor, wanted(doctor), "unset LLAVAOV_CUDA_MODULE", "The GPU is not used: %s", text);
    else if (strstr(text, "is not installed"))
        doctor_trouble(doctor, wanted(doctor), MODULE, "The GPU is not used: %s", text);
    else if (strstr(text, "has no CUDA backend"))
        doctor_trouble(doctor, wanted(doctor), "meson setup --reconfigure build -Dcuda=enabled",
            "The GPU is not used: %s.", text);
    else if (strstr(text, "another build"))
        doctor_trouble(doctor, wanted(doctor),
            "sudo apt install --reinstall gstreamer1.0-llavaov-cuda libllavaov0",
            "The GPU is not used: %s", text);
    else if (strstr(text, "LLAVAOV_CUBLASLT"))
        doctor_trouble(
            doctor, wanted(doctor), "unset LLAVAOV_CUBLASLT", "The GPU is not used: %s", text);
    else if (strstr(text, "cuBLASLt"))
        doctor_trouble(doctor, wanted(doctor),
            "pip install nvidia-cublas && export LLAVAOV_CUBLASLT=$(python3 -c 'import "
            "nvidia.cu13 as n; print(n.__path__[0])')/lib/libcublasLt.so.13",
            "The GPU is not used, cuBLASLt of CUDA 13 is missing: %s", text);
    else if (strstr(text, "cannot be loaded"))
        doctor_trouble(doctor, wanted(doctor),
            "sudo apt install --reinstall gstreamer1.0-llavaov-cuda", "The GPU is not used: %s",
            text);
    else
        doctor_trouble(doctor, wanted(doctor), "nvidia-smi", "The GPU is not used: %s", text);
}

void doctor_gpu(Doctor *doctor)
{
    const bool there = on_bus(doctor) || doctor_has(doctor, "/proc/driver/nvidia/version") ||
                       doctor_has(doctor, "/dev/nvidiactl") || doctor_has(doctor, "/dev/nvmap") ||
                       doctor_has(doctor, "/dev/dxg");
    if (doctor->device && strcmp(doctor->device, "cpu") == 0)
        return;
    if (!there && wanted(doctor))
        doctor_trouble(doctor, wanted(doctor), "device=cpu", "This machine has no NVIDIA GPU.");
    else if (!there)
        doctor_good("There is no NVIDIA GPU: answers are computed on the processor.");
    else if (check_driver(doctor) && check_nodes(doctor))
        check_module(doctor);
}
