/* SPDX-License-Identifier: Apache-2.0
 * The few calls of a GPU's runtime that the CUDA backend makes, without a type of that runtime in
 * sight. Two implementations: runtime_cuda.c with cublaslt.c on a GPU, and tests/module/standin.c
 * on the CPU, which lets the whole backend run where there is none.
 *
 * One LvRuntime is one device with one stream of work in order and one of copies. Functions that
 * return an int give 0 or an error number of the implementation, which lv_runtime_error turns into
 * words.
 *
 * Threads: memory may be taken and given back by any thread; everything that enqueues work by one
 * thread at a time. A thread that launches kernels calls lv_runtime_enter before. */
#ifndef LV_CUDA_RUNTIME_H
#define LV_CUDA_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cuda/launch.h"
#include "llavaov.h"

typedef struct LvRuntime LvRuntime;
typedef struct LvCudaEvent LvCudaEvent; /* a point in a stream that can be waited for */

typedef struct LvDeviceFacts {
    char name[128];
    uint32_t major, minor; /* compute capability */
    uint32_t n_processors;
    uint32_t driver; /* 1000 * major + 10 * minor of the CUDA version it supports */
    uint64_t memory_bytes;
    uint64_t reserved_bytes; /* that the runtime and its libraries may still take for themselves */
    bool starts_cold;        /* what is used for the first time takes long */
    bool sends_rows;         /* lv_runtime_send_rows is there */
} LvDeviceFacts;

/* The device with this number. LLAVAOV_ERROR_DEVICE: no driver, no device or not this number;
 * LLAVAOV_ERROR_UNSUPPORTED: a device or a library that does not serve. Messages are one clause
 * that can follow "device ...: ". */
LlavaovStatus lv_runtime_open(
    uint32_t device, LvRuntime **runtime, LvDeviceFacts *facts, LlavaovError *error);
void lv_runtime_close(LvRuntime *runtime); /* NULL is allowed */

const char *lv_runtime_error(int code);
/* The device is whole, it only has no room (cudaErrorMemoryAllocation), or a kernel needs more
 * registers or threads than it gives to one (cudaErrorLaunchOutOfResources). After every other
 * error nothing can be trusted. */
enum { LV_RUNTIME_OUT_OF_MEMORY = 2, LV_RUNTIME_OUT_OF_RESOURCES = 701 };

/* ---- memory ---- */
int lv_runtime_memory(LvRuntime *runtime, uint64_t *free_bytes);
int lv_runtime_alloc(LvRuntime *runtime, size_t bytes, void **data); /* 256-byte aligned */
void lv_runtime_free(LvRuntime *runtime, void *data);
/* Page-locked memory of the host, which kernels may read and write in place, at the same address. */
int lv_runtime_alloc_pinned(LvRuntime *runtime, size_t bytes, void **data);
void lv_runtime_free_pinned(LvRuntime *runtime, void *data);

/* ---- work in the stream ---- */
int lv_runtime_enter(LvRuntime *runtime);
LvCudaStream lv_runtime_stream(LvRuntime *runtime);
/* Host memory of a copy is pinned. */
int lv_runtime_to_device(LvRuntime *runtime, void *to, const void *from, size_t bytes);
int lv_runtime_to_host(LvRuntime *runtime, void *to, const void *from, size_t bytes);
int lv_runtime_copy_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows); /* both on the device; pitches in bytes */
int lv_runtime_zero(LvRuntime *runtime, void *data, size_t bytes);
/* What a launcher of launch.h returned: passed through, or replaced by a failure that a test wants
 * here. */
int lv_runtime_launched(LvRuntime *runtime, int code);
/* Waits for all that was enqueued and reports a failure among it. */
int lv_runtime_synchronize(LvRuntime *runtime);

int lv_runtime_event_open(LvRuntime *runtime, LvCudaEvent **event);
void lv_runtime_event_close(LvRuntime *runtime, LvCudaEvent *event);
int lv_runtime_event_record(LvRuntime *runtime, LvCudaEvent *event);
int lv_runtime_event_wait(LvRuntime *runtime, LvCudaEvent *event); /* the host waits; any thread */

/* ---- copies beside the work ---- */
/* Enqueues a copy from pinned memory in the stream of copies, which runs while the other one
 * computes, and records the event behind it. Any thread, also while another enqueues work. */
int lv_runtime_send(
    LvRuntime *runtime, void *to, const void *from, size_t bytes, LvCudaEvent *sent);
/* The same from memory of a device, of whatever context of this process; pitches in bytes. */
int lv_runtime_send_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows, LvCudaEvent *sent);
/* Work that is enqueued from now on begins after what was sent before the event. */
int lv_runtime_await(LvRuntime *runtime, LvCudaEvent *sent);

/* ---- graphs ---- */

/* Work that was recorded once and can be enqueued again and again at the price of one launch, with
 * the arguments that it was recorded with. */
typedef struct LvGraph LvGraph;

/* From begin to end what the calling thread enqueues is recorded and does not run. Waiting, taking
 * memory and copies from memory that is not pinned are refused then; nothing else of the runtime
 * may be called. end gives the graph, or with NULL for it forgets what was recorded; where begin
 * succeeded, end must follow. An error of either leaves nothing behind and the device whole. */
int lv_runtime_capture_begin(LvRuntime *runtime);
int lv_runtime_capture_end(LvRuntime *runtime, LvGraph **graph);
/* The error number says that something cannot be recorded, not that it failed. */
bool lv_runtime_not_recordable(int code);
int lv_runtime_graph_launch(LvRuntime *runtime, LvGraph *graph);
/* Also while it is under way. NULL is allowed. */
void lv_runtime_graph_close(LvRuntime *runtime, LvGraph *graph);

/* ---- products ---- */
/* GELU may be a few 2^-11 off: of use where the result is rounded to bf16. */
typedef enum LvMatmulTail { LV_TAIL_NONE, LV_TAIL_GELU_TANH } LvMatmulTail;

/* lv_runtime_matmul of E4M3: there is none of this product, nothing was enqueued. */
enum { LV_RUNTIME_REFUSED = -3 };

/* out [rows, cols] = tail(in [rows, inner] . weight [cols, inner]^T + bias) + addend. Sums are in
 * float32. tail and addend are not used together. */
typedef struct LvMatmul {
    void *out;
    const void *in;
    LvCudaWeight weight; /* of `type` */
    const void *bias;    /* [cols] in out_type, or NULL */
    const void *addend;  /* as out, same stride; may be out; or NULL */
    size_t rows, cols, inner;
    size_t out_stride, in_stride; /* elements */
    LvDtype type;                 /* of in: F32, BF16 or E4M3 */
    LvDtype out_type;             /* the same, or F32; of E4M3 BF16 */
    LvMatmulTail tail;
    uint32_t cuts; /* the inner dimension in so many parts, where the library can; 0: as it likes */
    const float *in_scales; /* of E4M3, as the weight's: [rows] with LV_SCALE_ROW, or [1] with
                               LV_SCALE_TENSOR, 16-byte aligned */
} LvMatmul;
/* The same for a kernel of ours, which takes weights of other types too. */
static inline LvCudaProduct lv_matmul_product(const LvMatmul *m)
{
    return (LvCudaProduct){.out = m->out,
        .in = m->in,
        .weight = m->weight,
        .bias = m->bias,
        .addend = m->addend,
        .rows = m->rows,
        .cols = m->cols,
        .inner = m->inner,
        .out_stride = m->out_stride,
        .in_stride = m->in_stride,
        .type = m->type,
        .out_type = m->out_type,
        .function = m->tail == LV_TAIL_NONE ? LV_CUDA_NONE : LV_CUDA_GELU_TANH};
}

/* Device memory that products may use, part of what a backend needs. */
#define LV_RUNTIME_WORKSPACE ((uint64_t)32 << 20)
int lv_runtime_matmul(LvRuntime *runtime, const LvMatmul *matmul);
/* From now on each shape's algorithm is the fastest of some, tried when it is first seen, which takes
 * time and may give other bits in another run. Without it the library's first proposal. */
int lv_runtime_time_products(LvRuntime *runtime);
/* What made products slow, in one clause, or NULL. Any thread; the text stays until close. */
const char *lv_runtime_notice(LvRuntime *runtime);

#endif
