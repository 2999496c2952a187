/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/backend.h"

#include <string.h>

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

LlavaovStatus lv_backend_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    const char *device = options->device && *options->device ? options->device : "auto";
    if (strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0)
        return lv_backend_cpu_open(options, backend, error);
    if (is_cuda(device))
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "device",
            "device \"%s\": this build has no CUDA backend; use \"cpu\" or \"auto\"", device);
    if (strncmp(device, "fake:", 5) == 0 || strcmp(device, "fake") == 0)
        return lv_backend_fake_open(options, backend, error);
    return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "device",
        "device \"%s\" is not known; use \"auto\", \"cpu\", \"cuda\" or \"cuda:N\"", device);
}
