/* SPDX-License-Identifier: Apache-2.0
 * runtime.h on the CPU: device memory is the heap, the stream of work is the calling thread,
 * products are plain loops. Copies beside the work are put off until somebody waits for them, so
 * that code which does not wait finds something else there. Together with kernels that the shim executes it
 * lets the whole CUDA backend run on a machine without a GPU, and lets it meet the failures that a
 * GPU rarely shows.
 *
 * Fresh memory is filled with NaN, 32 MiB of it. The environment variable LLAVAOV_STANDIN, read
 * whenever a device is opened, holds any of these words, separated by commas:
 *
 *   no-driver       no driver at all
 *   no-device       a driver, but no GPU
 *   old             a GPU of compute capability 7.5
 *   memory=MIB      the device has so much (default 4096)
 *   alloc=N         the N-th allocation of device memory (from 1) fails
 *   allocs=K        and so do those behind it, K in all
 *   pinned=N        the N-th allocation of pinned memory fails
 *   launch=N        the N-th launch, product or graph fails
 *   refuse=N        the N-th launch, product or graph is refused for its resources
 *   send=N          the N-th copy beside the work fails
 *   late            what is enqueued runs when somebody waits for it, and no sooner
 *   no-await        work does not wait for copies beside it
 *   lost=N          from the N-th launch, product or graph on nothing answers any more, which the
 *                   first copy to the host or wait tells
 *   no-graphs       nothing can be recorded
 *   graph=N         the N-th recording fails when it ends
 *   cold            what is used first takes long: models are warmed up
 *   no-overlap      a GPU of compute capability 8.0, whose kernels do not overlap
 *   no-overlap-in-graphs  a recording of kernels that do fails when it ends
 *   no-send-rows    nothing can be copied from memory of other contexts
 *   ada             a GPU of compute capability 8.9
 *   no-fp8          there are no products in fp8
 *   own-products    products go through lv_cuda_product, as what a GPU's library refuses does
 *
 * What is recorded for a graph does not run; it runs, with the arguments as they were then, each
 * time the graph is launched. Whatever a stream under capture refuses is refused here too, and
 * spoils the recording. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "standin_device.h"

StandinTotals standin_totals;

__attribute__((visibility("default"))) LvStandinCounts lv_standin_counts(void)
{
    return (LvStandinCounts){standin_totals.allocations, standin_totals.live, standin_totals.asked,
        standin_totals.launches, standin_totals.graphs, standin_totals.recorded,
        standin_totals.replayed, standin_totals.overlapped, standin_totals.sent_rows,
        standin_totals.copies, standin_totals.fp8};
}

__attribute__((visibility("default"))) void lv_standin_fail_alloc(int64_t n)
{
    lv_alloc_fail_after(n);
}

bool standin_wish(const char *name, uint64_t *value)
{
    const char *text = getenv("LLAVAOV_STANDIN");
    const size_t n = strlen(name);
    while (text && *text) {
        const size_t length = strcspn(text, ",");
        if (length >= n && memcmp(text, name, n) == 0 && (length == n || text[n] == '=')) {
            if (value && text[n] == '=')
                *value = strtoull(text + n + 1, NULL, 10);
            return true;
        }
        text += length + (text[length] == ',');
    }
    return false;
}

LlavaovStatus lv_runtime_open(
    uint32_t device, LvRuntime **runtime, LvDeviceFacts *facts, LlavaovError *error)
{
    *runtime = NULL;
    if (standin_wish("no-driver", NULL))
        return lv_fail(error, LLAVAOV_ERROR_DEVICE, "device", "there is no NVIDIA driver");
    if (standin_wish("no-device", NULL))
        return lv_fail(error, LLAVAOV_ERROR_DEVICE, "device", "there is no NVIDIA GPU");
    if (device > 0)
        return lv_fail(error, LLAVAOV_ERROR_DEVICE, "device",
            "there is no GPU %u, the GPUs of this machine are numbered 0 to 0", device);
    LvRuntime *r = lv_calloc(1, sizeof *r);
    if (!r)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a device");
    uint64_t mib = 4096;
    standin_wish("memory", &mib);
    standin_wish("alloc", &r->fail_alloc);
    r->fail_allocs = 1;
    standin_wish("allocs", &r->fail_allocs);
    standin_wish("pinned", &r->fail_pinned);
    standin_totals.asked = standin_totals.launches = standin_totals.recorded =
        standin_totals.replayed = standin_totals.overlapped = standin_totals.sent_rows =
            standin_totals.copies = standin_totals.fp8 = 0;
    standin_wish("launch", &r->fail_launch);
    standin_wish("refuse", &r->refuse_launch);
    standin_wish("lost", &r->lose_at);
    standin_wish("send", &r->fail_send);
    r->no_await = standin_wish("no-await", NULL);
    r->no_fp8 = standin_wish("no-fp8", NULL);
    r->own_products = standin_wish("own-products", NULL);
    pthread_mutex_init(&r->lock, NULL);
    r->end = &r->first;
    standin_wish("graph", &r->fail_graph);
    pthread_mutex_init(&r->pinned_lock, NULL);
    r->memory_bytes = mib << 20;
    *facts = (LvDeviceFacts){.name = "CPU stand-in",
        .major = standin_wish("old", NULL)                                       ? 7
                 : standin_wish("no-overlap", NULL) || standin_wish("ada", NULL) ? 8
                                                                                 : 9,
        .minor = standin_wish("old", NULL)   ? 5
                 : standin_wish("ada", NULL) ? 9
                                             : 0,
        .n_processors = 4,
        .starts_cold = standin_wish("cold", NULL),
        .sends_rows = !standin_wish("no-send-rows", NULL),
        .memory_bytes = r->memory_bytes};
    if (standin_wish("late", NULL) && standin_be_late() != 0) {
        lv_runtime_close(r);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a device");
    }
    *runtime = r;
    return LLAVAOV_OK;
}

void lv_runtime_close(LvRuntime *runtime)
{
    if (!runtime)
        return;
    standin_be_in_time();
    const unsigned dropped = standin_drop_copies(runtime);
    if (!runtime->no_await) /* nobody waited for them: shown as a leak */
        standin_totals.live += dropped;
    pthread_mutex_destroy(&runtime->lock);
    pthread_mutex_destroy(&runtime->pinned_lock);
    lv_free(runtime); /* what is still allocated shows as a leak */
}

const char *lv_runtime_error(int code)
{
    switch (code) {
    case LV_RUNTIME_OUT_OF_MEMORY:
        return "out of memory";
    case LAUNCH_FAILED:
        return "unspecified launch failure";
    case LV_RUNTIME_OUT_OF_RESOURCES:
        return "too many resources requested for launch";
    case DEVICE_LOST:
        return "the device does not answer";
    case NOT_SUPPORTED:
        return "operation not supported";
    case CAPTURE_REFUSED:
        return "operation not permitted when stream is capturing";
    case CAPTURE_INVALIDATED:
        return "operation failed due to a previous error during capture";
    }
    return "unknown error";
}

/* ---- work ---- */

int lv_runtime_enter(LvRuntime *runtime)
{
    return 0;
}

LvCudaStream lv_runtime_stream(LvRuntime *runtime)
{
    return NULL;
}

int lv_runtime_launched(LvRuntime *runtime, int code)
{
    runtime->launches++;
    standin_totals.launches++;
    if (runtime->launches == runtime->lose_at)
        runtime->lost = true;
    return runtime->launches == runtime->fail_launch     ? LAUNCH_FAILED
           : runtime->launches == runtime->refuse_launch ? LV_RUNTIME_OUT_OF_RESOURCES
                                                         : code;
}

int lv_runtime_synchronize(LvRuntime *runtime)
{
    const int code = standin_catch_up_all();
    return runtime->lost ? DEVICE_LOST : code ? code : standin_refused();
}
