/* SPDX-License-Identifier: Apache-2.0
 * The one reader of device strings: DEVICE[;OPTION=VALUE]...
 *
 *   auto              the first GPU, or the CPU where there is none that can be used
 *   cpu
 *   cuda, cuda:N      GPU number N; 0
 *   remote            none: servers compute (serve/remote.h)
 *
 * Options of cuda, and of auto where it comes to a GPU, for those who measure (docs/cuda.md):
 *
 *   graphs=on|off     decoding steps are recorded and replayed
 *   overlap=on|off    kernels of a step overlap
 *   attention=mma|wgmma  attention of many rows by warps, or by groups of them (compute capability 9.0)
 *   gate=apart|fused  of many rows gate and up are a product and a pass behind it, or one kernel
 *   encoder=launches|graph  the tower of one or two tiles launch by launch, or as a graph of overlapping
 *                     kernels with products that are cut along their inner dimension
 *   plans=first|timed products take the library's first proposal, or the fastest of eight (cublaslt.h)
 *   rows=N            rows of a prefill chunk, 1 to 65536
 *   slice-us=N        how long a slice may be that a decoding step waits for, in microseconds; 0: not
 *                     bounded
 *   warm-ms=N         how long a model is warmed up when it opens, in milliseconds; 0: not at all */
#ifndef LV_DEVICE_H
#define LV_DEVICE_H

#include "llavaov.h"

typedef enum LvDeviceKind {
    LV_DEVICE_AUTO,
    LV_DEVICE_CPU,
    LV_DEVICE_CUDA,
    LV_DEVICE_REMOTE
} LvDeviceKind;

/* A number that was not given. */
#define LV_DEVICE_UNSET UINT32_MAX

typedef struct LvDevice {
    LvDeviceKind kind;
    uint32_t number; /* of the GPU */
    bool no_graphs, no_overlap, timed_plans, wgmma, fused_gate, encoder_graph;
    uint32_t rows, slice_us, warm_ms; /* or LV_DEVICE_UNSET */
} LvDevice;

/* text NULL or empty: "auto". Error: ARGUMENT, naming the part that is not understood. */
LlavaovStatus lv_device_parse(const char *text, LvDevice *device, LlavaovError *error);

#endif
