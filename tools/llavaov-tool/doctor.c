/* SPDX-License-Identifier: Apache-2.0
 * doctor: what an installation lacks, and what to type. */
#include "doctor.h"

#include <stdio.h>

#include "base/status.h"
#include "llavaov-version.h"
#include "tool.h"

LlavaovStatus tool_doctor(const ToolOptions *o, LlavaovError *error)
{
    Doctor doctor = {
        .root = o->n_arguments ? o->arguments[0] : "", .model = o->model, .device = o->device};
    if (o->n_arguments > 1)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "doctor",
            "doctor takes one argument at most: what /dev, /proc and /sys are below");
    doctor_good("llavaov " LLAVAOV_VERSION);
    doctor_gstreamer(&doctor);
    doctor_model(&doctor);
    doctor_gpu(&doctor);
    if (doctor.n_wrong)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "doctor", "%u %s wrong", doctor.n_wrong,
            doctor.n_wrong == 1 ? "thing is" : "things are");
    printf("Nothing is wrong.\n");
    return LLAVAOV_OK;
}
