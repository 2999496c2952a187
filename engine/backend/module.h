/* SPDX-License-Identifier: Apache-2.0
 * A backend in a shared object, opened at run time so that the library itself does not depend on
 * drivers or libraries that only some machines have.
 *
 * The module exports one function, LV_MODULE_SYMBOL of type LvModuleFunction, and nothing else. It
 * works only with the build it belongs to: another version, or tables of another size, are refused
 * before any of its code runs. */
#ifndef LV_MODULE_H
#define LV_MODULE_H

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"

typedef struct LvModule {
    const char *version; /* LLAVAOV_VERSION */
    size_t ops_bytes, options_bytes;
    /* As lv_backend_open for one device of this module's family. LLAVAOV_ERROR_DEVICE: no driver or
     * no such device; _UNSUPPORTED: a device or a library that this module does not support. */
    LlavaovStatus (*open)(
        const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);
} LvModule;

typedef const LvModule *(*LvModuleFunction)(void);
#define LV_MODULE_SYMBOL "lv_cuda_module"

/* Finds the module, loads it and opens a backend. It looks for the file named by the environment
 * variable LLAVAOV_CUDA_MODULE, and nowhere else when that is set; otherwise for
 * llavaov/llavaov-cuda.so in the folder that this code was loaded from, then in the library folder
 * of the installation. LLAVAOV_ERROR_UNSUPPORTED if there is none. The module stays loaded. */
LlavaovStatus lv_backend_cuda_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);

/* The beginning of error messages about a device that the user named. It is empty for "auto": there
 * the message is only a clause, which the CPU's detail line gives as the reason for the
 * fallback. */
typedef struct LvDeviceLabel {
    char text[320];
} LvDeviceLabel;

static inline LvDeviceLabel lv_device_label(const char *device)
{
    LvDeviceLabel label = {""};
    if (device && *device && strcmp(device, "auto") != 0 && strncmp(device, "auto;", 5) != 0)
        snprintf(label.text, sizeof label.text, "device \"%.300s\": ", device);
    return label;
}

#endif
