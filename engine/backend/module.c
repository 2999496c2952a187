/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* secure_getenv, dladdr */
#include "backend/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

#define FILE_NAME "llavaov-cuda.so"
#define N_PLACES 2

typedef struct Places {
    const char *named; /* the only place to look, from LLAVAOV_CUDA_MODULE, or NULL */
    char path[N_PLACES][PATH_MAX];
    size_t n;
} Places;

static void add(Places *places, const char *folder, size_t n, const char *rest)
{
    if (!n || n > PATH_MAX || places->n == N_PLACES)
        return;
    int length = snprintf(places->path[places->n], PATH_MAX, "%.*s%s", (int)n, folder, rest);
    if (length > 0 && length < PATH_MAX)
        places->n++;
}

/* In the library this code is in LIBDIR, wherever that has been moved to; in a program that has the
 * engine in itself it is anywhere, and the installation's own folder is looked at. */
static void find_places(Places *places)
{
    const char *named = secure_getenv("LLAVAOV_CUDA_MODULE");
    if (named && *named) {
        places->named = named;
        add(places, named, strlen(named), "");
        return;
    }
    Dl_info info;
    if (dladdr((void *)(uintptr_t)&find_places, &info) && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        if (slash)
            add(places, info.dli_fname, (size_t)(slash - info.dli_fname), "/llavaov/" FILE_NAME);
    }
    add(places, LV_MODULE_FOLDER, strlen(LV_MODULE_FOLDER), "/" FILE_NAME);
}

static const char *first_existing(const Places *places)
{
    for (size_t i = 0; i < places->n; i++)
        if (access(places->path[i], F_OK) == 0)
            return places->path[i];
    return NULL;
}

static LlavaovStatus none_found(const char *label, const Places *places, LlavaovError *error)
{
    const char *hint = *label ? "; use \"cpu\" or \"auto\"" : "";
    if (places->named)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%sthere is no CUDA module %s, which LLAVAOV_CUDA_MODULE names%s", label, places->named,
            hint);
    if (!LV_MODULE_BUILT || !places->n)
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%sthis build has no CUDA backend%s", label, hint);
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
        "%sthe CUDA backend is not installed, %s is missing%s", label, places->path[places->n - 1],
        hint);
}

LlavaovStatus lv_backend_cuda_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    const LvDeviceLabel label = lv_device_label(options->device);
    Places places = {0};
    find_places(&places);
    const char *path = first_existing(&places);
    if (!path)
        return none_found(label.text, &places, error);

    /* Never unloaded: a driver's threads may outlive the last backend. */
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!object) {
        const char *reason = dlerror();
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%sthe CUDA module cannot be loaded: %s", label.text, reason ? reason : path);
    }
    LvModuleFunction function = (LvModuleFunction)(uintptr_t)dlsym(object, LV_MODULE_SYMBOL);
    const LvModule *module = function ? function() : NULL;
    if (!module || strcmp(module->version, LLAVAOV_VERSION) != 0 ||
        module->ops_bytes != sizeof(LvBackendOps) ||
        module->options_bytes != sizeof(LvBackendOptions))
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "%s%s belongs to another build of llavaov", label.text, path);
    return module->open(options, backend, error);
}
