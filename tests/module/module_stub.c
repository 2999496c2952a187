/* SPDX-License-Identifier: Apache-2.0
 * A module as another version of the engine would have left it behind; and one with no device. */
#include "backend/module.h"

#include "base/status.h"

__attribute__((visibility("default"))) const LvModule *lv_cuda_module(void);

static LlavaovStatus open_none(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error)
{
    *backend = NULL;
    return lv_fail_about(error, MODULE_STATUS, LLAVAOV_ABOUT_DEVICE, "device",
        "%snothing to open here", lv_device_label(options->device).text);
}

const LvModule *lv_cuda_module(void)
{
    static const LvModule module = {
        MODULE_VERSION, sizeof(LvBackendOps), sizeof(LvBackendOptions), open_none};
    return &module;
}
