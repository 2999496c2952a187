/* SPDX-License-Identifier: Apache-2.0
 * Plugins that cannot be loaded, and a CUDA module that finds no cuBLASLt: what doctor is shown. */
#ifdef WANTS_GONE
/* Of a library that its folder has not (any more). */
int lv_gone(void);
int lv_wants_gone(void);
int lv_wants_gone(void)
{
    return lv_gone();
}
#elif defined GONE
int lv_gone(void);
int lv_gone(void)
{
    return 0;
}
#elif defined CRASHES
static void __attribute__((constructor)) crash(void)
{
    __builtin_trap();
}
#elif defined MODULE
#include "backend/module.h"

#include "base/status.h"

__attribute__((visibility("default"))) const LvModule *lv_cuda_module(void);

static LlavaovStatus open_none(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
        "%s" MODULE, lv_device_label(options->device).text);
}

const LvModule *lv_cuda_module(void)
{
    static const LvModule module = {
        LLAVAOV_VERSION, sizeof(LvBackendOps), sizeof(LvBackendOptions), open_none};
    return &module;
}
#endif
