/* SPDX-License-Identifier: Apache-2.0
 * Linked with --wrap=lv_runtime_launched: what the launchers return passes through here. */
#include "fault_module.h"

#include <stdatomic.h>

#include "backend/cuda/runtime.h"

#define LAUNCH_FAILED 719 /* cudaErrorLaunchFailure */

static atomic_int armed, left;

int __real_lv_runtime_launched(LvRuntime *runtime, int code);
int __wrap_lv_runtime_launched(LvRuntime *runtime, int code);

__attribute__((visibility("default"))) void lv_fault_arm(LvFault fault, int after)
{
    atomic_store(&armed, fault);
    atomic_store(&left, after);
}

int __wrap_lv_runtime_launched(LvRuntime *runtime, int code)
{
    code = __real_lv_runtime_launched(runtime, code);
    if (code != 0 || atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1)
        return code;
    if (atomic_load(&armed) == LV_FAULT_LAUNCH)
        return LAUNCH_FAILED;
    char *const nothing = (char *)0x100000;
    return lv_cuda_convert(lv_runtime_stream(runtime),
        &(LvCudaConvert){nothing, 256, LV_F32, nothing + 0x100000, 256, LV_BF16, 256, 256});
}
