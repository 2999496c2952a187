/* SPDX-License-Identifier: Apache-2.0
 * runtime.h on an NVIDIA GPU. The runtime library is part of the module; cuBLASLt is opened once a
 * device has been found. */
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "backend/cuda/cublaslt.h"
#include "backend/cuda/runtime.h"
#include "base/alloc.h"
#include "base/status.h"

#define EVENT_FLAGS (cudaEventDisableTiming | cudaEventBlockingSync)
/* How long a wait looks before it sleeps, with cores to spare and without: steps and slices of two
 * milliseconds follow each other under load, and each would begin later by the waking. */
#define LOOKING_NS 2500000u
#define LOOKING_SHORT_NS 200000u
#define MANY_CORES 8
/* Kernels are loaded when they are first used, and each graph takes some memory too. */
#define RESERVED ((uint64_t)256 << 20)

/* Of the driver, which is not linked. */
typedef struct Driver {
    __typeof__(cuCtxGetCurrent) *current;
    __typeof__(cuPointerGetAttribute) *attribute;
    __typeof__(cuMemcpy3DPeerAsync) *copy;
} Driver;

struct LvRuntime {
    int device;
    Driver driver; /* all or none */
    cudaStream_t stream, copies;
    cudaEvent_t done;    /* of the stream, for lv_runtime_synchronize */
    uint64_t looking_ns; /* of a wait */
    void *workspace;
    LvLt *lt;
    LvLtTimer timer;
    cudaEvent_t timing[2];
    char refused[128]; /* the first product that cuBLASLt did not take */
    _Atomic(const char *) notice;
};

struct LvCudaEvent {
    cudaEvent_t event;
};

struct LvGraph {
    cudaGraphExec_t exec;
};

const char *lv_runtime_error(int code)
{
    return code >= LV_LT_ERRORS ? lv_lt_error(code) : cudaGetErrorString((cudaError_t)code);
}

/* ---- opening ---- */

static LlavaovStatus count_devices(uint32_t wanted, LlavaovError *error)
{
    int n = 0;
    cudaError_t code = cudaGetDeviceCount(&n);
    if (code == cudaErrorInsufficientDriver || code == cudaErrorStubLibrary)
        return lv_fail_about(error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, "device",
            "there is no NVIDIA driver, or one too old for CUDA %d.%d", CUDART_VERSION / 1000,
            CUDART_VERSION % 1000 / 10);
    if (code == cudaErrorNoDevice || (code == cudaSuccess && n == 0))
        return lv_fail_about(
            error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, "device", "there is no NVIDIA GPU");
    if (code != cudaSuccess)
        return lv_fail_about(error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, "device",
            "looking for GPUs: %s (error %d)", cudaGetErrorString(code), (int)code);
    if (wanted >= (uint32_t)n)
        return lv_fail_about(error, LLAVAOV_ERROR_DEVICE, LLAVAOV_ABOUT_DEVICE, "device",
            "there is no GPU %u, the GPUs of this machine are numbered 0 to %d", wanted, n - 1);
    return LLAVAOV_OK;
}

static cudaError_t read_facts(int device, LvDeviceFacts *facts)
{
    int driver = 0;
    struct cudaDeviceProp properties;
    cudaError_t code = cudaGetDeviceProperties(&properties, device);
    if (code == cudaSuccess)
        code = cudaDriverGetVersion(&driver);
    if (code != cudaSuccess)
        return code;
    *facts = (LvDeviceFacts){.major = (uint32_t)properties.major,
        .minor = (uint32_t)properties.minor,
        .n_processors = (uint32_t)properties.multiProcessorCount,
        .driver = (uint32_t)driver,
        .memory_bytes = properties.totalGlobalMem,
        .reserved_bytes = RESERVED,
        .starts_cold = true};
    snprintf(facts->name, sizeof facts->name, "%.127s", properties.name);
    return cudaSuccess;
}

static void *driver_function(const char *name)
{
    void *function = NULL;
    enum cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    const cudaError_t code =
        cudaGetDriverEntryPointByVersion(name, &function, 4000, cudaEnableDefault, &found);
    cudaGetLastError(); /* or a later launch would report it */
    return code == cudaSuccess && found == cudaDriverEntryPointSuccess ? function : NULL;
}

static void find_driver(LvRuntime *runtime, LvDeviceFacts *facts)
{
    const Driver driver = {.current = driver_function("cuCtxGetCurrent"),
        .attribute = driver_function("cuPointerGetAttribute"),
        .copy = driver_function("cuMemcpy3DPeerAsync")};
    facts->sends_rows = driver.current && driver.attribute && driver.copy;
    if (facts->sends_rows)
        runtime->driver = driver;
}

/* A kernel runs at all: the module may have been built without code for this GPU. The one of a
 * product, which must not be missing when there is no memory left to load it. */
static int try_kernel(LvRuntime *runtime)
{
    static const LvDtype types[] = {LV_F32, LV_BF16};
    char *in = runtime->workspace;
    int code = lv_runtime_zero(runtime, in, 256);
    for (int i = 0; i < 2 && code == 0; i++)
        code = lv_cuda_product(
            runtime->stream, &(LvCudaProduct){.out = in + 128,
                                 .in = in,
                                 .weight = {.data = in, .stride = 1, .type = types[i]},
                                 .rows = 1,
                                 .cols = 1,
                                 .inner = 1,
                                 .out_stride = 1,
                                 .in_stride = 1,
                                 .type = types[i],
                                 .out_type = types[i]});
    return code == 0 ? lv_runtime_synchronize(runtime) : code;
}

LlavaovStatus lv_runtime_open(
    uint32_t device, LvRuntime **runtime_out, LvDeviceFacts *facts, LlavaovError *error)
{
    *runtime_out = NULL;
    LlavaovStatus status = count_devices(device, error);
    if (status != LLAVAOV_OK)
        return status;
    LvRuntime *runtime = lv_calloc(1, sizeof *runtime);
    if (!runtime)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a device");
    runtime->device = (int)device;
    runtime->looking_ns =
        sysconf(_SC_NPROCESSORS_ONLN) < MANY_CORES ? LOOKING_SHORT_NS : LOOKING_NS;
    const char *what = "opening the GPU";
    cudaError_t code = cudaSetDevice(runtime->device);
    if (code == cudaSuccess)
        code = read_facts(runtime->device, facts);
    if (code == cudaSuccess)
        code = cudaStreamCreateWithFlags(&runtime->stream, cudaStreamNonBlocking);
    if (code == cudaSuccess)
        code = cudaStreamCreateWithFlags(&runtime->copies, cudaStreamNonBlocking);
    if (code == cudaSuccess)
        code = cudaEventCreateWithFlags(&runtime->done, EVENT_FLAGS);
    if (code == cudaSuccess)
        find_driver(runtime, facts);
    if (code == cudaSuccess)
        code = cudaMalloc(&runtime->workspace, LV_RUNTIME_WORKSPACE);
    if (code == cudaSuccess) {
        what = "running a first kernel";
        code = (cudaError_t)try_kernel(runtime);
    }
    if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorUnsupportedPtxVersion ||
        code == cudaErrorInvalidKernelImage || code == cudaErrorInvalidDeviceFunction)
        status = lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_DEVICE, "device",
            "this build has no code for %s, compute capability %u.%u", facts->name, facts->major,
            facts->minor);
    else if (code != cudaSuccess)
        status = lv_fail_about(error,
            code == cudaErrorMemoryAllocation ? LLAVAOV_ERROR_MEMORY : LLAVAOV_ERROR_DEVICE,
            LLAVAOV_ABOUT_DEVICE, "device", "%s: %s (error %d)", what, cudaGetErrorString(code),
            (int)code);
    else
        status = lv_lt_open(runtime->workspace, &runtime->lt, error);
    if (status != LLAVAOV_OK) {
        lv_runtime_close(runtime);
        return status;
    }
    *runtime_out = runtime;
    return LLAVAOV_OK;
}

void lv_runtime_close(LvRuntime *runtime)
{
    if (!runtime)
        return;
    cudaSetDevice(runtime->device);
    if (runtime->copies)
        cudaStreamSynchronize(runtime->copies);
    if (runtime->stream)
        cudaStreamSynchronize(runtime->stream);
    lv_lt_close(runtime->lt);
    cudaFree(runtime->workspace);
    for (int i = 0; i < 2; i++)
        if (runtime->timing[i])
            cudaEventDestroy(runtime->timing[i]);
    if (runtime->done)
        cudaEventDestroy(runtime->done);
    if (runtime->copies)
        cudaStreamDestroy(runtime->copies);
    if (runtime->stream)
        cudaStreamDestroy(runtime->stream);
    lv_free(runtime);
}

/* ---- memory ---- */

int lv_runtime_memory(LvRuntime *runtime, uint64_t *free_bytes)
{
    size_t free_now = 0, total;
    cudaError_t code = cudaSetDevice(runtime->device);
    if (code == cudaSuccess)
        code = cudaMemGetInfo(&free_now, &total);
    *free_bytes = free_now;
    return (int)code;
}

int lv_runtime_alloc(LvRuntime *runtime, size_t bytes, void **data)
{
    cudaError_t code = cudaSetDevice(runtime->device);
    if (code == cudaSuccess)
        code = cudaMalloc(data, bytes);
    if (code == cudaErrorMemoryAllocation)
        cudaGetLastError(); /* or a later launch would report it */
    return (int)code;
}

void lv_runtime_free(LvRuntime *runtime, void *data)
{
    if (cudaSetDevice(runtime->device) == cudaSuccess)
        cudaFree(data);
}

int lv_runtime_alloc_pinned(LvRuntime *runtime, size_t bytes, void **data)
{
    cudaError_t code = cudaSetDevice(runtime->device);
    if (code == cudaSuccess)
        code = cudaHostAlloc(data, bytes, cudaHostAllocMapped);
    if (code == cudaErrorMemoryAllocation)
        cudaGetLastError();
    return (int)code;
}

void lv_runtime_free_pinned(LvRuntime *runtime, void *data)
{
    if (data && cudaSetDevice(runtime->device) == cudaSuccess)
        cudaFreeHost(data);
}

/* ---- work ---- */

int lv_runtime_enter(LvRuntime *runtime)
{
    return (int)cudaSetDevice(runtime->device);
}

LvCudaStream lv_runtime_stream(LvRuntime *runtime)
{
    return runtime->stream;
}

int lv_runtime_to_device(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    return (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, runtime->stream);
}

int lv_runtime_to_host(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    return (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, runtime->stream);
}

int lv_runtime_copy_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows)
{
    if (rows == 0 || row_bytes == 0)
        return 0;
    if (rows == 1 || (to_pitch == row_bytes && from_pitch == row_bytes))
        return (int)cudaMemcpyAsync(
            to, from, row_bytes * rows, cudaMemcpyDeviceToDevice, runtime->stream);
    return (int)cudaMemcpy2DAsync(
        to, to_pitch, from, from_pitch, row_bytes, rows, cudaMemcpyDeviceToDevice, runtime->stream);
}

int lv_runtime_zero(LvRuntime *runtime, void *data, size_t bytes)
{
    return (int)cudaMemsetAsync(data, 0, bytes, runtime->stream);
}

int lv_runtime_launched(LvRuntime *runtime, int code)
{
    return code;
}

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Looks for a while, then sleeps: being woken takes tens of microseconds, which short waits would
 * notice; looking all the time would take a core for as long as the device is busy. */
static cudaError_t wait_for(const LvRuntime *runtime, cudaEvent_t event)
{
    const uint64_t start = nanoseconds();
    cudaError_t code = cudaEventQuery(event);
    while (code == cudaErrorNotReady && nanoseconds() - start < runtime->looking_ns) {
        sched_yield(); /* to who wants the core, or the driver's lock */
        code = cudaEventQuery(event);
    }
    cudaGetLastError(); /* "not ready" is remembered as one */
    return code == cudaErrorNotReady ? cudaEventSynchronize(event) : code;
}

int lv_runtime_synchronize(LvRuntime *runtime)
{
    cudaError_t code = cudaEventRecord(runtime->done, runtime->stream);
    return (int)(code == cudaSuccess ? wait_for(runtime, runtime->done) : code);
}

int lv_runtime_event_open(LvRuntime *runtime, LvCudaEvent **event_out)
{
    LvCudaEvent *event = lv_calloc(1, sizeof *event);
    if (!event)
        return LV_RUNTIME_OUT_OF_MEMORY;
    cudaError_t code = cudaSetDevice(runtime->device);
    if (code == cudaSuccess)
        code = cudaEventCreateWithFlags(&event->event, EVENT_FLAGS);
    if (code != cudaSuccess) {
        lv_free(event);
        return (int)code;
    }
    *event_out = event;
    return 0;
}

void lv_runtime_event_close(LvRuntime *runtime, LvCudaEvent *event)
{
    if (cudaSetDevice(runtime->device) == cudaSuccess)
        cudaEventDestroy(event->event);
    lv_free(event);
}

int lv_runtime_event_record(LvRuntime *runtime, LvCudaEvent *event)
{
    return (int)cudaEventRecord(event->event, runtime->stream);
}

int lv_runtime_event_wait(LvRuntime *runtime, LvCudaEvent *event)
{
    cudaError_t code = cudaSetDevice(runtime->device);
    return (int)(code == cudaSuccess ? wait_for(runtime, event->event) : code);
}

int lv_runtime_send(LvRuntime *runtime, void *to, const void *from, size_t bytes, LvCudaEvent *sent)
{
    cudaError_t code = cudaSetDevice(runtime->device);
    if (code == cudaSuccess)
        code = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, runtime->copies);
    if (code == cudaSuccess)
        code = cudaEventRecord(sent->event, runtime->copies);
    return (int)code;
}

/* A copy between contexts: another one's memory is no operand of a kernel here. Memory of a pool has
 * none, and is any's. */
int lv_runtime_send_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows, LvCudaEvent *sent)
{
    const Driver *driver = &runtime->driver;
    CUcontext own = NULL, owner = NULL;
    cudaError_t code = driver->copy ? cudaSetDevice(runtime->device) : cudaErrorNotSupported;
    if (code == cudaSuccess && (driver->current(&own) != CUDA_SUCCESS ||
                                   driver->attribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT,
                                       (CUdeviceptr)from) != CUDA_SUCCESS))
        code = cudaErrorInvalidValue;
    if (code != cudaSuccess)
        return (int)code;
    const CUDA_MEMCPY3D_PEER copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
        .srcDevice = (CUdeviceptr)from,
        .srcContext = owner ? owner : own,
        .srcPitch = from_pitch,
        .srcHeight = rows,
        .dstMemoryType = CU_MEMORYTYPE_DEVICE,
        .dstDevice = (CUdeviceptr)to,
        .dstContext = own,
        .dstPitch = to_pitch,
        .dstHeight = rows,
        .WidthInBytes = row_bytes,
        .Height = rows,
        .Depth = 1};
    /* The driver's numbers are the runtime's. */
    code = (cudaError_t)driver->copy(&copy, (CUstream)runtime->copies);
    return (int)(code == cudaSuccess ? cudaEventRecord(sent->event, runtime->copies) : code);
}

int lv_runtime_await(LvRuntime *runtime, LvCudaEvent *sent)
{
    return (int)cudaStreamWaitEvent(runtime->stream, sent->event, 0);
}

/* ---- graphs ---- */

/* Calls of other threads that take memory need not wait for the end. */
int lv_runtime_capture_begin(LvRuntime *runtime)
{
    cudaError_t code = cudaStreamBeginCapture(runtime->stream, cudaStreamCaptureModeThreadLocal);
    if (code != cudaSuccess)
        cudaGetLastError(); /* or a later launch would report it */
    return (int)code;
}

int lv_runtime_capture_end(LvRuntime *runtime, LvGraph **graph_out)
{
    cudaGraph_t recorded = NULL;
    LvGraph *graph = NULL;
    cudaError_t code = cudaStreamEndCapture(runtime->stream, &recorded);
    if (graph_out)
        *graph_out = NULL;
    if (code == cudaSuccess && graph_out) {
        graph = lv_calloc(1, sizeof *graph);
        code = graph ? cudaGraphInstantiate(&graph->exec, recorded, 0) : cudaErrorMemoryAllocation;
    }
    if (recorded)
        cudaGraphDestroy(recorded);
    if (code != cudaSuccess) {
        lv_free(graph);
        cudaGetLastError();
        return (int)code;
    }
    if (graph_out)
        *graph_out = graph;
    return 0;
}

bool lv_runtime_not_recordable(int code)
{
    return code == cudaErrorNotPermitted || code == cudaErrorNotSupported ||
           (code >= cudaErrorStreamCaptureUnsupported && code <= cudaErrorStreamCaptureWrongThread);
}

int lv_runtime_graph_launch(LvRuntime *runtime, LvGraph *graph)
{
    return (int)cudaGraphLaunch(graph->exec, runtime->stream);
}

void lv_runtime_graph_close(LvRuntime *runtime, LvGraph *graph)
{
    if (!graph)
        return;
    if (cudaSetDevice(runtime->device) == cudaSuccess)
        cudaGraphExecDestroy(graph->exec);
    lv_free(graph);
}

/* Nothing that was enqueued has failed. While it is recorded nothing runs. */
static bool is_whole(LvRuntime *runtime)
{
    enum cudaStreamCaptureStatus capture;
    if (cudaStreamIsCapturing(runtime->stream, &capture) != cudaSuccess)
        return false;
    if (capture != cudaStreamCaptureStatusNone)
        return true;
    const cudaError_t code = cudaStreamQuery(runtime->stream);
    cudaGetLastError(); /* "not ready" is remembered as one */
    return code == cudaSuccess || code == cudaErrorNotReady;
}

/* ---- timing ---- */

static bool is_recording(const LvRuntime *runtime)
{
    enum cudaStreamCaptureStatus capture;
    return cudaStreamIsCapturing(runtime->stream, &capture) != cudaSuccess ||
           capture != cudaStreamCaptureStatusNone;
}

static int timer_alloc(void *data, size_t bytes, void **memory)
{
    return is_recording(data) ? (int)cudaErrorNotPermitted : lv_runtime_alloc(data, bytes, memory);
}

static void timer_free(void *data, void *memory)
{
    lv_runtime_free(data, memory);
}

static int timer_begin(void *data)
{
    const LvRuntime *runtime = data;
    return (int)cudaEventRecord(runtime->timing[0], runtime->stream);
}

static int timer_end(void *data, float *milliseconds)
{
    const LvRuntime *runtime = data;
    cudaError_t code = cudaEventRecord(runtime->timing[1], runtime->stream);
    if (code == cudaSuccess)
        code = cudaEventSynchronize(runtime->timing[1]);
    if (code == cudaSuccess)
        code = cudaEventElapsedTime(milliseconds, runtime->timing[0], runtime->timing[1]);
    return (int)code;
}

int lv_runtime_time_products(LvRuntime *runtime)
{
    cudaError_t code = cudaSetDevice(runtime->device);
    for (int i = 0; i < 2 && code == cudaSuccess; i++)
        code = cudaEventCreate(&runtime->timing[i]);
    runtime->timer = (LvLtTimer){runtime, timer_alloc, timer_free, timer_begin, timer_end};
    if (code == cudaSuccess)
        lv_lt_time_plans(runtime->lt, &runtime->timer);
    return (int)code;
}

/* What cuBLASLt does not take, or cannot load its kernel for, is slow, but comes; in fp8 the caller
 * has another way. */
int lv_runtime_matmul(LvRuntime *runtime, const LvMatmul *m)
{
    int code = lv_lt_matmul(runtime->lt, runtime->stream, m);
    if (code == 0 || (code != LV_LT_REFUSED && !is_whole(runtime)))
        return code;
    if (!runtime->notice) {
        snprintf(runtime->refused, sizeof runtime->refused, "%s: %s: [%zu, %zu] by [%zu, %zu]",
            m->type == LV_E4M3 ? "products in bf16 instead of fp8" : "slow products",
            lv_runtime_error(code), m->rows, m->inner, m->cols, m->inner);
        runtime->notice = runtime->refused;
    }
    if (m->type == LV_E4M3)
        return LV_RUNTIME_REFUSED;
    const LvCudaProduct product = lv_matmul_product(m);
    return lv_cuda_product(runtime->stream, &product);
}

const char *lv_runtime_notice(LvRuntime *runtime)
{
    return runtime->notice;
}
