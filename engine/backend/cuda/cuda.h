/* SPDX-License-Identifier: Apache-2.0
 * What the files of the CUDA backend share. */
#ifndef LV_CUDA_H
#define LV_CUDA_H

#include <pthread.h>

#include "backend/backend.h"
#include "backend/cuda/axis.h"
#include "backend/cuda/memory.h"
#include "backend/cuda/runtime.h"
#include "backend/rope.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

/* Small host data on its way to the device: two halves of pinned memory and of device memory, used
 * in turn; a half is taken again once the work that read it is done. */
typedef struct LvStaging {
    char *host, *device;
    LvCudaEvent *used[2]; /* recorded when a half was left */
    bool recorded[2];
    unsigned half;
    size_t at; /* in the half */
} LvStaging;

#define LV_STAGING_HALF ((size_t)8 << 20)

/* Pictures that wait for the encoder (picture.c). */
typedef struct LvPictures {
    pthread_mutex_t lock; /* of what stands until the blank line, and of sending */
    struct LvHeld *first; /* in the order of their places */
    struct LvHeld *spare; /* of pictures that are gone, with their events */
    LvAxisTables tables;

    char *host, *device; /* a picture has the same place in both */
    size_t bytes;        /* of either */
    char *between;       /* device: rows between the passes of a resize, one picture's at a time */
    size_t most;         /* that one picture may take up, there and here together */
    LvCudaEvent *read;   /* recorded behind the kernels of the picture that was read last */
} LvPictures;

/* For each tile of an encoder call: more than a frame of 1920x1080 in NV12 takes, which is 3.0 MiB
 * with weights, and 4.2 MiB with the rows between the passes. Larger pictures take the place of
 * several; those that need more than LV_PICTURE_MOST on the device (a 4K frame in NV12 needs 14.3
 * MiB) are resized on the host. */
#define LV_PICTURE_PLACE ((size_t)6 << 20)
#define LV_PICTURE_MOST ((size_t)24 << 20)

static inline size_t lv_pictures_host_bytes(uint64_t tiles)
{
    return (size_t)tiles * LV_PICTURE_PLACE;
}

static inline size_t lv_pictures_most(uint64_t tiles)
{
    const size_t bytes = lv_pictures_host_bytes(tiles);
    return bytes < LV_PICTURE_MOST ? bytes : LV_PICTURE_MOST;
}

static inline size_t lv_pictures_device_bytes(uint64_t tiles)
{
    return lv_pictures_host_bytes(tiles) + lv_pictures_most(tiles);
}

struct LvKvCache {
    uint32_t n_layers, n_kv_heads, head_dim, capacity;
    void *data;      /* launch.h */
    uint64_t serial; /* no two caches of a backend have the same */
};

/* Sequences of one decoding step, and how many sizes of such steps there are: 1, 2, 4 ... */
#define LV_STEP_MOST LV_CUDA_STEP_ROWS
#define LV_STEP_SIZES 7u

/* A kind of step: its size, and whether all its rows are greedy. */
typedef struct LvStepKind {
    size_t bytes; /* that its tensors take, or 0 before the first such step */
    LvGraph *graph;
    LvTensor scores; /* of the graph */
} LvStepKind;

/* A step that was computed before it was asked for (step.c). */
typedef struct LvFlight {
    size_t n;                       /* sequences; 0: none */
    uint64_t serials[LV_STEP_MOST]; /* of their caches */
    uint32_t positions[LV_STEP_MOST];
    int32_t ids[LV_STEP_MOST];
    bool greedy; /* all of it; otherwise how tokens were drawn: */
    LlavaovGeneration generation[LV_STEP_MOST];
    uint64_t indices[LV_STEP_MOST];
    unsigned slot; /* of LvCudaMail */
} LvFlight;

/* The step between step_begin and step_end. */
typedef enum LvStepWay {
    LV_STEP_NONE,
    LV_STEP_AHEAD,  /* it was computed before it was asked for */
    LV_STEP_REPLAY, /* a graph does all of it */
    LV_STEP_RECORD, /* what it enqueues becomes a graph */
    LV_STEP_DIRECT
} LvStepWay;

typedef struct LvCudaStep {
    LvStepWay way;
    LvDecodeStep *asked;
    LvStepKind *kind;
    const LvRun *run;           /* of the call under way */
    uint32_t end;               /* one past its last position */
    unsigned slot;              /* of LvCudaMail */
    size_t order[LV_STEP_MOST]; /* sequence i is row order[i] */
    LvTensor scores; /* not greedy: of all rows, padding included; to be freed when DIRECT */
} LvCudaStep;

/* Whether the device may still read a step's mail. */
typedef enum LvMailUse {
    LV_MAIL_FREE,
    LV_MAIL_AWAITED, /* until the event that says that the step's tokens have arrived */
    LV_MAIL_IN_USE   /* until all that is enqueued is done */
} LvMailUse;

/* Decoding steps (step.c, graph.c). */
typedef struct LvSteps {
    LvCudaStep now;     /* on the thread that holds LvCuda's lock */
    bool active;        /* its operations are being enqueued */
    bool recording;     /* what it enqueues is recorded */
    bool unrecordable;  /* something in it could not be */
    bool overlap;       /* its kernels may begin before the one ahead is done (launch.h) */
    bool behind_kernel; /* what was enqueued last in the step is a kernel of our own */
    bool graphs;        /* steps are recorded and replayed; otherwise every one is enqueued anew */
    char why[192];      /* without graphs: one clause */
    _Atomic(const char *) notice; /* it, where they were given up; written before */
    size_t n_rows;                /* of the step under way, padding included */
    uint32_t n_splits;            /* of its attention */
    int32_t ids[LV_STEP_MOST];
    LvSequence sequences[LV_STEP_MOST];

    LvCudaStepState *state; /* device */
    int32_t *tokens;        /* device [LV_STEP_MOST] */
    LvCudaMail *mail;       /* pinned */
    uint32_t n_begun;       /* as state has it once all that is enqueued is done */
    LvMailUse use[2];       /* of the mail */
    LvCudaEvent *arrived[2];
    LvFlight flight;

    const void *model; /* whose graphs they are */
    size_t n_vocab;    /* its */
    LvKvCache shape;   /* of all caches that they know */
    void *ground;      /* device: the tensors of graphs, which share it */
    size_t ground_bytes;
    LvStepKind kinds[LV_STEP_SIZES][2];
} LvSteps;

/* The tower's layers of so few tiles can be graphs (encoder.c). */
#define LV_ENCODER_MOST 2u

typedef struct LvEncoderKind {
    size_t bytes; /* that a pass of it takes, or 0 before the first */
    LvGraph *graph;
} LvEncoderKind;

/* The pass between pass_begin and pass_end. */
typedef enum LvEncoderWay { LV_ENCODER_NONE, LV_ENCODER_DIRECT, LV_ENCODER_RECORD } LvEncoderWay;

typedef struct LvEncoder {
    bool on;
    LvEncoderWay way;
    bool begun; /* the first kernel of what is recorded is there */
    const void *model;
    LvTensor given; /* the caller's rows */
    LvEncoderKind kinds[LV_ENCODER_MOST];
    void *ground; /* device: the rows and tensors of graphs, which share it */
    size_t ground_bytes;
    char why[192];
    _Atomic(const char *) notice; /* it, where graphs were given up; written before */
} LvEncoder;

typedef struct LvCuda {
    LvBackend base;
    char device[32], detail[512];
    LvRuntime *runtime;
    LvDeviceFacts facts;
    LvMemory *memory;
    bool wgmma, fused_gate; /* LvDevice */
    LvScaling fp8;          /* of products in fp8; LV_UNSCALED: there are none */
    LvDtype
        type; /* of activations, and of weights unless they stay as they are stored (weight.c) */

    /* What enqueues holds this: operations and loading may come from different threads. Recursive:
     * a step holds it around its operations. */
    pthread_mutex_t lock;
    LvStaging staging;
    LvPictures pictures;   /* has a lock of its own */
    int failed;            /* the error number after which nothing here is used any more, or 0 */
    const char *failed_in; /* the operation that met it */

    float *rope; /* [rope_positions][head_dim], device */
    uint32_t rope_positions, rope_head_dim;
    LvRope rope_made_for;
    LvCudaSequence *sequences; /* device copy of the batch under way */
    LvCudaSequence *known;     /* what it holds, host */
    size_t n_known, sequences_capacity;
    LvSteps steps;
    LvEncoder encoder;
    _Atomic uint64_t n_caches; /* opened so far */
} LvCuda;

/* [rows, cols]. */
struct LvWeight {
    size_t rows, cols;
    LvCudaWeight matrix; /* zeros between its rows; data NULL unless LINEAR or TABLE */
    LvCudaWeight narrow; /* the same as e4m3, for products in fp8 (fp8.c); data NULL: none */
    float *vector;       /* rows * cols floats, packed; NULL unless VECTOR */
    void *bias;          /* the same in the backend's type; may be `vector` itself */
};

/* Where a step's tokens go: those of the step under way, or none. */
static inline LvCudaPost lv_cuda_post(const LvCuda *cuda, bool step)
{
    return step ? (LvCudaPost){cuda->steps.mail, cuda->steps.state} : (LvCudaPost){NULL, NULL};
}

/* The first kernel of a step is on its way, alone or in a graph. */
static inline void lv_cuda_step_begun(LvCuda *cuda)
{
    cuda->steps.use[cuda->steps.n_begun % 2] = LV_MAIL_IN_USE;
    cuda->steps.n_begun++;
}

static inline LvCuda *lv_cuda(LvBackend *backend)
{
    return (LvCuda *)backend;
}

static inline size_t lv_round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* The next kernel may begin before the one ahead of it is done. Inside a step alone: its first
 * kernel begins when everything before the step is done, so that what the caches hold of earlier
 * steps can be read by all that follow, however early. */
static inline int32_t lv_cuda_overlap(const LvCuda *cuda)
{
    return cuda->steps.overlap && cuda->steps.active && cuda->steps.behind_kernel;
}

/* The same in a recorded pass of the encoder, where products of the library stand between our
 * kernels: they are kernels, too. */
static inline int32_t lv_encoder_overlap(LvCuda *cuda)
{
    const bool recorded = cuda->encoder.way == LV_ENCODER_RECORD, begun = cuda->encoder.begun;
    cuda->encoder.begun = recorded;
    return recorded && begun && cuda->steps.overlap;
}

/* Something other than a kernel of ours is enqueued. */
static inline void lv_cuda_not_kernel(LvCuda *cuda)
{
    cuda->steps.behind_kernel = false;
}

/* What a launcher of launch.h returned becomes the error number of the work that it enqueued. */
static inline int lv_cuda_launched(LvCuda *cuda, int code)
{
    cuda->steps.behind_kernel = true;
    return lv_runtime_launched(cuda->runtime, code);
}

/* ---- common.c ---- */
/* Begins an operation: takes the lock unless it fails (cancelled, or the device is lost). */
LlavaovStatus lv_cuda_begin(LvCuda *cuda, const LvRun *run);
/* Ends it: gives the lock back and turns the error number into a status; `operation` is named. */
LlavaovStatus lv_cuda_end(LvCuda *cuda, const LvRun *run, const char *operation, int code);
/* Memory that was asked for outside of an operation and did not come. `what` outlives the backend:
 * it is kept when the device turns out to be lost. */
LlavaovStatus lv_cuda_no_memory(LvCuda *cuda, LlavaovError *error, const char *what, int code);
LlavaovStatus lv_cuda_shape_error(const LvRun *run, const char *operation);

/* Under the lock: room in the staging memory, at most LV_STAGING_HALF. Work that reads the device
 * side must be enqueued before the next call. */
int lv_staging_take(LvCuda *cuda, size_t bytes, void **host, void **device);
/* The same, filled with `bytes` of from and sent. */
int lv_staging_send(LvCuda *cuda, const void *from, size_t bytes, void **device);
/* Brings at most LV_STAGING_HALF from the device and waits for them. */
int lv_cuda_fetch(LvCuda *cuda, void *to, const void *from, size_t bytes);
int lv_staging_open(LvCuda *cuda);
void lv_staging_close(LvCuda *cuda);

/* Memory for one operation; given back when the operation is enqueued, since what takes it next
 * comes later in the stream. */
int lv_cuda_scratch(LvCuda *cuda, size_t bytes, void **data);
void lv_cuda_scratch_free(LvCuda *cuda, void *data);

/* Enqueues a conversion of rows. */
int lv_cuda_enqueue_convert(LvCuda *cuda, const LvCudaConvert *args);

/* ---- rows.c ---- */
LlavaovStatus lv_cuda_tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error);
void lv_cuda_tensor_free(LvBackend *backend, LvTensor *tensor);
LlavaovStatus lv_cuda_upload(LvBackend *backend, const LvRun *run, LvTensor dst, const float *src);
LlavaovStatus lv_cuda_download(LvBackend *backend, const LvRun *run, float *dst, LvTensor src);
LlavaovStatus lv_cuda_synchronize(LvBackend *backend, const LvRun *run);
LlavaovStatus lv_cuda_op_layer_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, const LvWeight *bias, double eps);
LlavaovStatus lv_cuda_op_rms_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, double eps);
LlavaovStatus lv_cuda_op_pool_max(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    size_t n_items, uint32_t in_h, uint32_t in_w);
LlavaovStatus lv_cuda_op_pool_bilinear(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, size_t n_items, uint32_t in_h, uint32_t in_w, uint32_t out_h, uint32_t out_w);
LlavaovStatus lv_cuda_op_gather_rows(
    LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in, const uint32_t *rows);
LlavaovStatus lv_cuda_op_copy(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in);
LlavaovStatus lv_cuda_op_embed_tokens(
    LvBackend *backend, const LvRun *run, LvTensor out, const int32_t *ids, const LvWeight *table);

/* ---- weight.c ---- */
LlavaovStatus lv_cuda_weight_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight, LlavaovError *error);
void lv_cuda_weight_free(LvBackend *backend, LvWeight *weight);

/* ---- weight_narrow.c ---- */
/* Products read a weight of these parts as it is stored. */
bool lv_weight_stays(const LvHostTensor *const *parts, size_t n_parts, unsigned use);
/* Under the lock: memory for the scales and minimums of a weight whose type and size are known. */
int lv_weight_take_scales(LvCuda *cuda, LvWeight *weight);
/* Sends those of a part, which is rows from `first` on; *found = 1 once one is NaN or Inf. */
int lv_weight_send_scales(
    LvCuda *cuda, const LvWeight *weight, int32_t *found, const LvHostTensor *part, size_t first);
/* The values of rows [first, first + n) of a tensor of any type, packed. */
int lv_weight_widen(float *to, const LvHostTensor *part, size_t first, size_t n);
/* Rows from `first` on of a weight's matrix. */
LvCudaWeight lv_weight_rows(const LvWeight *weight, size_t first);

/* ---- fp8.c ---- */
/* Under the lock: makes w->narrow of w->matrix, where products in fp8 will ask for it. */
int lv_fp8_narrow(LvCuda *cuda, LvWeight *w, unsigned use);
/* Under the lock: enqueues a product with w->matrix in fp8; LV_RUNTIME_REFUSED where that is not wanted
 * or cannot be, and nothing of it is enqueued. */
int lv_fp8_multiply(LvCuda *cuda, const LvMatmul *matmul, const LvWeight *w);

/* ---- linear.c ---- */
/* Under the lock: enqueues a product with a weight of any type. */
int lv_cuda_multiply(LvCuda *cuda, const LvMatmul *matmul);
LlavaovStatus lv_cuda_op_linear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const LvWeight *bias, LvActivation activation,
    const LvTensor *residual);
LlavaovStatus lv_cuda_op_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, const LvWeight *gate_up, LvActivation activation);

LlavaovStatus lv_cuda_op_norm_linear(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, LvRmsNorm norm, const LvWeight *weight, const LvWeight *bias);
LlavaovStatus lv_cuda_op_norm_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, LvRmsNorm norm, const LvWeight *gate_up, LvActivation activation);
LlavaovStatus lv_cuda_op_norm_linear_greedy(LvBackend *backend, const LvRun *run, int32_t *tokens,
    LvTensor in, LvRmsNorm norm, const LvWeight *weight);

/* ---- patches.c ---- */
LlavaovStatus lv_cuda_op_patch_embedding(LvBackend *backend, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight,
    const LvWeight *bias, const LvWeight *position);

/* ---- picture.c ---- */
int lv_pictures_open(LvCuda *cuda, uint64_t tiles);
void lv_pictures_close(LvCuda *cuda); /* no picture is left */
LlavaovStatus lv_cuda_picture_take(LvBackend *backend, const LlavaovImage *image,
    LlavaovLayout layout, LlavaovResize resize, const LvConfig *config, LvPicture **picture,
    LlavaovError *error);
void lv_cuda_picture_free(LvBackend *backend, LvPicture *picture);
LvCudaValues lv_cuda_values(const LvPixelValues *values);
uint32_t lv_picture_tile_size(const LvPicture *picture);
/* Makes the patches of a picture's tile as `patches` describes them, whose rgb and n_tiles are not
 * read, once the picture has arrived. Under LvCuda's lock. */
int lv_picture_patches(LvCuda *cuda, LvPicture *picture, const LvCudaPatches *patches);

/* ---- cache.c ---- */
LlavaovStatus lv_cuda_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache, LlavaovError *error);
LlavaovStatus lv_cuda_kv_fork(LvBackend *backend, const LvRun *run, LvKvCache *base, uint32_t n,
    uint32_t capacity, LvKvCache **cache);
void lv_cuda_kv_close(LvBackend *backend, LvKvCache *cache);

/* ---- attention.c ---- */
LlavaovStatus lv_cuda_op_attention_full(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, size_t n_items, size_t n_tokens, uint32_t n_heads, uint32_t head_dim);
/* Under the lock: makes the rotary table reach `positions`. Where it has to grow graphs are
 * forgotten, and a long one takes the host tens of milliseconds. */
int lv_cuda_reserve_rope(LvCuda *cuda, uint32_t positions, const LvTextConfig *text);
LlavaovStatus lv_cuda_op_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
LlavaovStatus lv_cuda_op_attention_causal(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
LlavaovStatus lv_cuda_op_rope_attention(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text);

/* ---- sample.c ---- */
/* The draw looks at the tokens before. */
bool lv_cuda_has_penalty(const LvDraw *draw);
/* All n take the first maximum of the logits as they are. */
bool lv_cuda_all_greedy(const LvDraw *draws, size_t n);
/* Under the lock: enqueues the operation `sample`; tokens [rows] on the device. */
int lv_cuda_enqueue_sample(
    LvCuda *cuda, int32_t *tokens, LvTensor logits, const LvDraw *draws, LvCudaPost post);
LlavaovStatus lv_cuda_op_sample(
    LvBackend *backend, const LvRun *run, int32_t *tokens, LvTensor logits, const LvDraw *draws);

/* ---- step.c ---- */
LlavaovStatus lv_cuda_op_step_begin(LvBackend *backend, const LvRun *run, LvDecodeStep *step);
LlavaovStatus lv_cuda_op_step_end(LvBackend *backend, const LvRun *run, LvDecodeStep *step,
    LlavaovStatus computed, int32_t *tokens);

/* ---- encoder.c ---- */
LlavaovStatus lv_cuda_op_pass_begin(LvBackend *backend, const LvRun *run, LvPass *pass);
LlavaovStatus lv_cuda_op_pass_end(
    LvBackend *backend, const LvRun *run, LvPass *pass, LlavaovStatus computed);
/* Under the lock: what graphs read is about to go. */
void lv_encoder_forget(LvCuda *cuda);

/* ---- graph.c ---- */
const char *lv_cuda_op_notice(LvBackend *backend);
int lv_steps_open(LvCuda *cuda);
void lv_steps_close(LvCuda *cuda);
/* Under the lock: what graphs read is about to change or to go; or the model itself. */
void lv_steps_forget(LvCuda *cuda);
void lv_steps_forget_model(LvCuda *cuda);
/* Cannot be part of a graph: the step is enqueued without one. */
enum { LV_CUDA_NOT_RECORDABLE = -2 };

/* ---- budget.c ---- */
/* What a model with this configuration needs on a device, in bytes. */
typedef struct LvCudaNeed {
    uint64_t weights, cache, workspace;
} LvCudaNeed;
LvCudaNeed lv_cuda_need(const LvConfig *config, const uint64_t *weight_elements, LvDtype type,
    bool fp8, uint32_t tiles, uint32_t rows, uint32_t sequences);

#endif
