/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/backend.h"

#include "backend/module.h"
#include "base/status.h"

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

static bool is_extra(const char *device)
{
    return lv_extra_backend.is_device && lv_extra_backend.is_device(device);
}

LlavaovStatus llavaov_device_check(const char *device, LlavaovError *error)
{
    LvDevice parsed;
    return is_extra(device) ? LLAVAOV_OK : lv_device_parse(device, &parsed, error);
}

LlavaovStatus lv_backend_open(
    const LvBackendOptions *given, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    if (is_extra(given->device))
        return lv_extra_backend.open(given, backend, error);
    LvBackendOptions options = *given;
    LlavaovStatus status = lv_device_parse(given->device, &options.parsed, error);
    if (status != LLAVAOV_OK)
        return status;
    switch (options.parsed.kind) {
    case LV_DEVICE_AUTO:
        return open_auto(&options, backend, error);
    case LV_DEVICE_CPU:
        return lv_backend_cpu_open(&options, backend, error);
    case LV_DEVICE_CUDA:
        return lv_backend_cuda_open(&options, backend, error);
    case LV_DEVICE_REMOTE:
        break;
    }
    return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL, "a device of no kind");
}
