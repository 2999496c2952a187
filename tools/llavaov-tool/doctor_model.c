/* SPDX-License-Identifier: Apache-2.0
 * doctor: the folder with the model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"
#include "inspect.h"

#define GIB (1024. * 1024 * 1024)

/* Where the model's name comes from decides what to type. */
static void blame_place(Doctor *doctor, const char *folder, const char *what)
{
    const char *variable = getenv("LLAVAOV_MODEL");
    if (!doctor->model)
        doctor_wrong(doctor, "sudo apt install llavaov-model-camera-check",
            "The model that is used when none is named, %s, %s.", folder, what);
    else if (variable && strcmp(variable, folder) == 0)
        doctor_wrong(doctor, "unset LLAVAOV_MODEL", "The model that LLAVAOV_MODEL names, %s, %s.",
            folder, what);
    else
        doctor_wrong(doctor, "llavaov-tool doctor --model FOLDER",
            "The model that --model names, %s, %s.", folder, what);
}

static void blame_content(Doctor *doctor, const LlavaovError *reason, const char *folder)
{
    char command[PATH_MAX + 64];
    if (strstr(reason->message, "Git LFS"))
        snprintf(command, sizeof command, "git -C %s lfs pull", folder);
    else if (!doctor->model)
        snprintf(
            command, sizeof command, "sudo apt install --reinstall llavaov-model-camera-check");
    else if (reason->status == LLAVAOV_ERROR_NOT_FOUND || reason->status == LLAVAOV_ERROR_IO ||
             reason->status == LLAVAOV_ERROR_FORMAT)
        snprintf(command, sizeof command, "hf download REPOSITORY --local-dir %s", folder);
    else
        snprintf(command, sizeof command, "llavaov-tool inspect %s", folder);
    doctor_wrong(doctor, command, "The model would not run: %s", reason->message);
}

static void check_memory(const Inspection *inspection, const char *folder)
{
    const InspectionMemory memory = inspection_memory(inspection);
    const uint64_t wanted = memory.weights + memory.cache + memory.encoder;
    if (memory.available && wanted > memory.available)
        doctor_note("precision=int8",
            "The model takes %.1f GiB, and %.1f are free: it may be slow, or be killed. With 8 "
            "bits "
            "a weight it is smaller.",
            (double)wanted / GIB, (double)memory.available / GIB);
    else
        doctor_good("The model %s would run.", folder);
}

void doctor_model(Doctor *doctor)
{
    const char *folder = doctor->model ? doctor->model : LV_DEFAULT_MODEL;
    struct stat status;
    Inspection inspection;
    if (stat(folder, &status) != 0) {
        blame_place(doctor, folder, errno == EACCES ? "may not be read by you" : "is not there");
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        blame_place(doctor, folder, "is a file; the folder that holds it is wanted");
        return;
    }
    inspection_make(&inspection, folder, NULL);
    for (size_t i = 0; i < inspection.reasons.n; i++)
        blame_content(doctor, &inspection.reasons.reason[i], folder);
    if (!inspection.reasons.n)
        check_memory(&inspection, folder);
    inspection_free(&inspection);
}
