/* SPDX-License-Identifier: Apache-2.0
 * How an operation begins and ends, what it says when it fails, and the staging memory. */
#include "backend/cuda/cuda.h"

#include <string.h>

/* ---- beginning and ending ---- */

static LlavaovStatus lost(LvCuda *cuda, LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, cuda->device,
        "%s: %s failed: %s (error %d); the device is not used any more", cuda->device,
        cuda->failed_in, lv_runtime_error(cuda->failed), cuda->failed);
}

static LlavaovStatus note_failure(
    LvCuda *cuda, LlavaovError *error, const char *operation, int code)
{
    if (!cuda->failed) {
        cuda->failed = code;
        cuda->failed_in = operation;
    }
    return lost(cuda, error);
}

/* The device is whole, but full. */
static LlavaovStatus full(LvCuda *cuda, LlavaovError *error, const char *what)
{
    const LvMemoryUse use = lv_memory_use(cuda->memory);
    uint64_t free_bytes = 0;
    if (lv_runtime_memory(cuda->runtime, &free_bytes) != 0)
        free_bytes = 0;
    const double mib = 1 << 20;
    return lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_DEVICE, cuda->device,
        "%s: no memory for %s: %.1f MiB are in use here, %.1f MiB are free of %.1f MiB",
        cuda->device, what, (double)use.used / mib, (double)free_bytes / mib,
        (double)cuda->facts.memory_bytes / mib);
}

LlavaovStatus lv_cuda_begin(LvCuda *cuda, const LvRun *run)
{
    if (lv_cancelled(run->cancel))
        return lv_fail(run->error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
    pthread_mutex_lock(&cuda->lock);
    LlavaovStatus status = LLAVAOV_OK;
    int code;
    if (cuda->failed)
        status = lost(cuda, run->error);
    else if ((code = lv_runtime_enter(cuda->runtime)) != 0)
        status = note_failure(cuda, run->error, "choosing the device", code);
    if (status != LLAVAOV_OK)
        pthread_mutex_unlock(&cuda->lock);
    return status;
}

LlavaovStatus lv_cuda_end(LvCuda *cuda, const LvRun *run, const char *operation, int code)
{
    LlavaovStatus status = LLAVAOV_OK;
    if (code == LV_RUNTIME_OUT_OF_MEMORY)
        status = full(cuda, run->error, operation);
    else if (cuda->steps.recording &&
             (code == LV_CUDA_NOT_RECORDABLE || lv_runtime_not_recordable(code))) {
        cuda->steps.unrecordable = true;
        status = lv_fail_about(run->error, LLAVAOV_ERROR_INTERNAL, LLAVAOV_ABOUT_DEVICE, operation,
            "%s cannot be part of a graph", operation);
    } else if (code == LV_CUDA_BAD_ARGUMENT)
        status = lv_fail_about(run->error, LLAVAOV_ERROR_INTERNAL, LLAVAOV_ABOUT_DEVICE, operation,
            "%s: no kernel takes these operands", operation);
    else if (code == LV_RUNTIME_OUT_OF_RESOURCES)
        status = lv_fail_about(run->error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, operation,
            "%s: %s: %s (error %d): its kernel was built for more registers or threads than this "
            "GPU gives a block; build the module with this GPU among gpu-architectures",
            cuda->device, operation, lv_runtime_error(code), code);
    else if (code != 0)
        status = note_failure(cuda, run->error, operation, code);
    pthread_mutex_unlock(&cuda->lock);
    return status;
}

LlavaovStatus lv_cuda_no_memory(LvCuda *cuda, LlavaovError *error, const char *what, int code)
{
    if (code == LV_RUNTIME_OUT_OF_MEMORY)
        return full(cuda, error, what);
    pthread_mutex_lock(&cuda->lock);
    LlavaovStatus status = note_failure(cuda, error, what, code);
    pthread_mutex_unlock(&cuda->lock);
    return status;
}

LlavaovStatus lv_cuda_shape_error(const LvRun *run, const char *operation)
{
    return lv_fail_about(run->error, LLAVAOV_ERROR_INTERNAL, LLAVAOV_ABOUT_DEVICE, operation,
        "%s: operands do not fit together", operation);
}

int lv_cuda_scratch(LvCuda *cuda, size_t bytes, void **data)
{
    return lv_memory_take(cuda->memory, bytes, false, data);
}

void lv_cuda_scratch_free(LvCuda *cuda, void *data)
{
    lv_memory_give(cuda->memory, data);
}

int lv_cuda_enqueue_convert(LvCuda *cuda, const LvCudaConvert *args)
{
    return lv_cuda_launched(cuda, lv_cuda_convert(lv_runtime_stream(cuda->runtime), args));
}

/* ---- staging ---- */

int lv_staging_open(LvCuda *cuda)
{
    LvStaging *staging = &cuda->staging;
    void *host = NULL, *device = NULL;
    int code = lv_runtime_alloc_pinned(cuda->runtime, 2 * LV_STAGING_HALF, &host);
    staging->host = host;
    if (code == 0)
        code = lv_memory_take(cuda->memory, 2 * LV_STAGING_HALF, true, &device);
    staging->device = device;
    for (int i = 0; i < 2 && code == 0; i++)
        code = lv_runtime_event_open(cuda->runtime, &staging->used[i]);
    return code;
}

void lv_staging_close(LvCuda *cuda)
{
    LvStaging *staging = &cuda->staging;
    for (int i = 0; i < 2; i++)
        if (staging->used[i])
            lv_runtime_event_close(cuda->runtime, staging->used[i]);
    lv_memory_give(cuda->memory, staging->device);
    lv_runtime_free_pinned(cuda->runtime, staging->host);
    *staging = (LvStaging){0};
}

int lv_staging_take(LvCuda *cuda, size_t bytes, void **host, void **device)
{
    LvStaging *staging = &cuda->staging;
    if (bytes > LV_STAGING_HALF)
        return LV_CUDA_BAD_ARGUMENT;
    if (cuda->steps.recording) /* the next replay would find something else there */
        return LV_CUDA_NOT_RECORDABLE;
    lv_cuda_not_kernel(cuda); /* a copy follows */
    if (bytes > LV_STAGING_HALF - staging->at) {
        int code = lv_runtime_event_record(cuda->runtime, staging->used[staging->half]);
        if (code != 0)
            return code;
        staging->recorded[staging->half] = true;
        staging->half ^= 1;
        staging->at = 0;
        if (staging->recorded[staging->half])
            code = lv_runtime_event_wait(cuda->runtime, staging->used[staging->half]);
        if (code != 0)
            return code;
    }
    const size_t at = staging->half * LV_STAGING_HALF + staging->at;
    *host = staging->host + at;
    *device = staging->device + at;
    staging->at = lv_round_up(staging->at + bytes, 256);
    return 0;
}

int lv_staging_send(LvCuda *cuda, const void *from, size_t bytes, void **device)
{
    void *host;
    int code = lv_staging_take(cuda, bytes, &host, device);
    if (code != 0 || bytes == 0)
        return code;
    memcpy(host, from, bytes);
    return lv_runtime_to_device(cuda->runtime, *device, host, bytes);
}

int lv_cuda_fetch(LvCuda *cuda, void *to, const void *from, size_t bytes)
{
    void *host, *device;
    int code = lv_staging_take(cuda, bytes, &host, &device);
    if (code == 0)
        code = lv_runtime_to_host(cuda->runtime, host, from, bytes);
    if (code == 0)
        code = lv_runtime_synchronize(cuda->runtime);
    if (code == 0)
        memcpy(to, host, bytes);
    return code;
}
