/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/backend.h"

#include <string.h>

#include "backend/module.h"
#include "base/status.h"

static bool is_cuda(const char *device)
{
    if (strncmp(device, "cuda", 4) != 0)
        return false;
    if (device[4] == '\0')
        return true;
    return device[4] == ':' && device[5] != '\0' &&
           strspn(device + 5, "0123456789") == strlen(device + 5);
}

/* Falls back to the CPU, and says why, where the GPU, its driver or the module is missing. Every
 * other failure (not enough memory, a bad value) is the caller's to handle. */
static LlavaovStatus open_auto(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    LlavaovError why = {0};
    LlavaovStatus status = lv_backend_cuda_open(options, backend, &why);
    if (status == LLAVAOV_ERROR_UNSUPPORTED || status == LLAVAOV_ERROR_DEVICE) {
        LvBackendOptions cpu = *options;
        cpu.why_cpu = why.message;
        return lv_backend_cpu_open(&cpu, backend, error);
    }
    if (status != LLAVAOV_OK && error)
        *error = why;
    return status;
}

LlavaovStatus lv_backend_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    const char *device = options->device && *options->device ? options->device : "auto";
    if (strcmp(device, "auto") == 0)
        return open_auto(options, backend, error);
    if (strcmp(device, "cpu") == 0)
        return lv_backend_cpu_open(options, backend, error);
    if (is_cuda(device))
        return lv_backend_cuda_open(options, backend, error);
    if (strncmp(device, "fake:", 5) == 0 || strcmp(device, "fake") == 0)
        return lv_backend_fake_open(options, backend, error);
    return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_DEVICE, "device",
        "device \"%s\" is not known; use \"auto\", \"cpu\", \"cuda\" or \"cuda:N\"", device);
}
