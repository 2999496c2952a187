/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's graphs, and its stream when it is late. */
#include <stdlib.h>
#include <string.h>

#include "shim/shim.h"
#include "standin_device.h"

static int record_kernel(void *data, const LvShimLaunch *launch);

/* One thing that was enqueued, with a copy of its arguments. */
typedef struct Node {
    struct Node *next;
    int (*run)(const void *args);
    max_align_t args[];
} Node;

struct LvGraph {
    Node *first, **end;
    bool spoilt;
};

/* What this thread records, for lack of a stream that could hold it; and what it has enqueued and
 * nobody has waited for, where work is late. */
static _Thread_local LvGraph *recording, *late;
static _Thread_local uint64_t n_marks, n_reached;

int standin_refused(void)
{
    if (!recording)
        return 0;
    recording->spoilt = true;
    return CAPTURE_REFUSED;
}

static int append(int (*run)(const void *args), const void *args, size_t bytes)
{
    LvGraph *to = recording ? recording : late;
    Node *node = malloc(sizeof *node + bytes);
    if (!node) {
        to->spoilt = true;
        return LV_RUNTIME_OUT_OF_MEMORY;
    }
    node->next = NULL;
    node->run = run;
    memcpy(node->args, args, bytes);
    *to->end = node;
    to->end = &node->next;
    return 0;
}

int standin_enqueue(int (*run)(const void *args), const void *args, size_t bytes)
{
    return recording || late ? append(run, args, bytes) : run(args);
}

/* ---- late ---- */

int standin_be_late(void)
{
    late = calloc(1, sizeof *late);
    if (!late)
        return LV_RUNTIME_OUT_OF_MEMORY;
    late->end = &late->first;
    n_marks = n_reached = 0;
    lv_shim_record(record_kernel, NULL);
    return 0;
}

static int reach(const void *args)
{
    n_reached = *(const uint64_t *)args;
    return 0;
}

uint64_t standin_mark(void)
{
    if (!late || recording)
        return 0;
    n_marks++;
    append(reach, &n_marks, sizeof n_marks);
    return n_marks;
}

/* Kernels that are run here are launched, not recorded. */
int standin_catch_up(uint64_t mark)
{
    int code = 0;
    if (!late || recording)
        return 0;
    lv_shim_record(NULL, NULL);
    while (late->first && n_reached < mark) {
        Node *node = late->first;
        late->first = node->next;
        const int result = node->run(node->args);
        code = code ? code : result;
        free(node);
    }
    if (!late->first)
        late->end = &late->first;
    lv_shim_record(record_kernel, NULL);
    return code;
}

int standin_catch_up_all(void)
{
    return standin_catch_up(UINT64_MAX);
}

void standin_be_in_time(void)
{
    if (!late)
        return;
    standin_catch_up_all();
    free(late);
    late = NULL;
    lv_shim_record(NULL, NULL);
}

/* ---- recording ---- */

static int run_kernel(const void *args)
{
    LvShimLaunch launch = *(const LvShimLaunch *)args;
    standin_totals.overlapped += launch.overlapped != 0;
    launch.args =
        (const max_align_t *)args + (sizeof launch + sizeof(max_align_t) - 1) / sizeof(max_align_t);
    return lv_shim_run(&launch);
}

/* The launch, and from the next aligned place on its arguments. */
static int record_kernel(void *data, const LvShimLaunch *launch)
{
    const size_t at =
        (sizeof *launch + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    char *both = malloc(at + launch->args_bytes);
    if (!both)
        return LV_RUNTIME_OUT_OF_MEMORY;
    memcpy(both, launch, sizeof *launch);
    memcpy(both + at, launch->args, launch->args_bytes);
    int code = append(run_kernel, both, at + launch->args_bytes);
    if (launch->overlapped && standin_wish("no-overlap-in-graphs", NULL))
        recording->spoilt = true;
    free(both);
    return code;
}

static void free_graph(LvGraph *graph)
{
    while (graph->first) {
        Node *node = graph->first;
        graph->first = node->next;
        free(node);
    }
    free(graph);
}

int lv_runtime_capture_begin(LvRuntime *runtime)
{
    if (standin_wish("no-graphs", NULL))
        return NOT_SUPPORTED;
    if (recording)
        return standin_refused();
    recording = calloc(1, sizeof *recording);
    if (!recording)
        return LV_RUNTIME_OUT_OF_MEMORY;
    recording->end = &recording->first;
    lv_shim_record(record_kernel, NULL);
    return 0;
}

int lv_runtime_capture_end(LvRuntime *runtime, LvGraph **graph)
{
    LvGraph *recorded = recording;
    recording = NULL;
    lv_shim_record(late ? record_kernel : NULL, NULL);
    if (graph)
        *graph = NULL;
    int code = ++runtime->captures == runtime->fail_graph ? LV_RUNTIME_OUT_OF_MEMORY
               : recorded->spoilt                         ? CAPTURE_INVALIDATED
                                                          : 0;
    if (code == 0 && graph) {
        *graph = recorded;
        standin_totals.graphs++;
        standin_totals.recorded++;
    } else {
        free_graph(recorded);
    }
    return code;
}

bool lv_runtime_not_recordable(int code)
{
    return code == NOT_SUPPORTED || code == CAPTURE_REFUSED || code == CAPTURE_INVALIDATED;
}

/* Kernels that overlap run as late as they may (shim.h). */
static int run_graph(const void *args)
{
    const LvGraph *graph = *(LvGraph *const *)args;
    int code = 0;
    lv_shim_hold(1);
    for (const Node *node = graph->first; node && code == 0; node = node->next) {
        if (node->run != run_kernel)
            code = lv_shim_drain();
        code = code == 0 ? node->run(node->args) : code;
    }
    lv_shim_hold(0);
    const int drained = lv_shim_drain();
    return code == 0 ? drained : code;
}

int lv_runtime_graph_launch(LvRuntime *runtime, LvGraph *graph)
{
    int code = standin_refused();
    standin_totals.replayed++;
    if (code == 0)
        code = standin_enqueue(run_graph, &graph, sizeof graph);
    return lv_runtime_launched(runtime, code);
}

void lv_runtime_graph_close(LvRuntime *runtime, LvGraph *graph)
{
    if (!graph)
        return;
    standin_catch_up_all();
    standin_totals.graphs--;
    free_graph(graph);
}
