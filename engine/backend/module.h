/* SPDX-License-Identifier: Apache-2.0
 * A backend in a shared object of its own, opened at run time: so that nothing here needs a driver
 * or a library that only some machines have.
 *
 * The module exports one function, LV_MODULE_SYMBOL of type LvModuleFunction, and nothing else. It
 * belongs to exactly the build that it was made with: another version, or tables of another size,
 * are refused before anything of it runs. */
#ifndef LV_MODULE_H
#define LV_MODULE_H

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"

typedef struct LvModule {
    const char *version; /* LLAVAOV_VERSION */
    size_t ops_bytes, options_bytes;
    /* As lv_backend_open for one device of this module's family. LLAVAOV_ERROR_DEVICE: no driver or
     * no such device; _UNSUPPORTED: a device or a library that this module cannot use. */
    LlavaovStatus (*open)(
        const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);
} LvModule;

typedef const LvModule *(*LvModuleFunction)(void);
#define LV_MODULE_SYMBOL "lv_cuda_module"

/* Looks for the module, opens it and asks it for a backend. Looked for are: the file that the
 * environment variable LLAVAOV_CUDA_MODULE names, and nothing else when it is set; otherwise
 * llavaov/llavaov-cuda.so in the folder that this code was loaded from, then in the library folder
 * of the installation. Where there is none: LLAVAOV_ERROR_UNSUPPORTED. The
 * module stays in memory. */
LlavaovStatus lv_backend_cuda_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);

/* How messages about a device begin that the user asked for. With "auto" they are the clause behind
 * it: the CPU's detail line says with it why the CPU was taken. */
typedef struct LvDeviceLabel {
    char text[320];
} LvDeviceLabel;

static inline LvDeviceLabel lv_device_label(const char *device)
{
    LvDeviceLabel label = {""};
    if (device && *device && strcmp(device, "auto") != 0)
        snprintf(label.text, sizeof label.text, "device \"%.300s\": ", device);
    return label;
}

#endif
