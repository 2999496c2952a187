/* SPDX-License-Identifier: Apache-2.0
 * The boundary between the model and a device: one table of operations.
 *
 * The model (engine/model) is written once against this table. A backend owns device memory and
 * weights and executes the operations; it may fuse, pack, quantise and reorder behind them. All
 * matrices are row-major; activations have the backend's activation dtype (float32 on the CPU, bf16
 * on CUDA); "[rows, cols]" below is a LvTensor's shape.
 *
 * Execution: operations of one LvRun are executed in order. They may be asynchronous (CUDA
 * streams); `download`, `sample`, `norm_linear_greedy` and `synchronize` wait. An operation's
 * cancel flag is polled inside anything over 20 ms; a cancelled operation returns
 * LLAVAOV_ERROR_CANCELLED and leaves its output undefined.
 *
 * Threads: one thread at a time executes operations on one backend (the scheduler's). weight_load,
 * tensor_alloc, kept_tensor_alloc, kv_open and their opposites may be called from any thread.
 *
 * Aliasing: an output may not overlap an input unless the operation says so.
 */
#ifndef LV_BACKEND_H
#define LV_BACKEND_H

#include "backend/device.h"
#include "base/cancel.h"
#include "base/tensor.h"
#include "checkpoint/config.h"
#include "llavaov.h"

typedef struct LvBackend LvBackend;
typedef struct LvWeight LvWeight;   /* a weight in the form the backend wants it */
typedef struct LvKvCache LvKvCache; /* keys and values of one sequence, all layers */

/* The context of a sequence of operations. */
typedef struct LvRun {
    const LvCancel *cancel; /* may be NULL */
    LlavaovError *error;    /* filled by an operation that fails; may be NULL */
    /* The step that the operations belong to (step_begin), or NULL. */
    const struct LvDecodeStep *step;
    /* The rows are those of several passes, each of at most LV_SHORT_ROWS rows. On the CPU each row
     * has the bits that it has in its own pass. */
    bool short_passes;
} LvRun;

#define LV_SHORT_ROWS 32u

typedef enum LvWeightUse {
    LV_WEIGHT_LINEAR = 1, /* [out, in] operand of linear operations */
    LV_WEIGHT_TABLE = 2,  /* rows are gathered (embeddings); combine with LINEAR for a tied head */
    LV_WEIGHT_VECTOR = 4, /* bias, norm scale, position table: used in float32 */
    /* With LINEAR: of a layer of the tower or the decoder. What a precision below the activations'
     * is for. */
    LV_WEIGHT_LAYER = 8,
    /* With LINEAR: a precision that quantises linear weights leaves it as it is stored (the head, the
     * patch embedding). */
    LV_WEIGHT_EXEMPT = 16,
    LV_WEIGHT_DECODER = 32, /* with LAYER: of the decoder */
    LV_WEIGHT_HEAD = 64     /* with LINEAR: the head */
} LvWeightUse;

/* A picture that a backend keeps until it is encoded; backend-specific data follows. */
typedef struct LvPicture {
    size_t bytes; /* of host memory in use */
} LvPicture;

/* One tile for the encoder: pixels in host memory, or a picture that the backend has taken. */
typedef struct LvTile {
    const uint8_t *rgb; /* 8-bit RGB, image_size^2 * 3 bytes HWC, or NULL */
    LvPicture *picture;
    /* What the bytes become; NULL: LV_PIXEL_VALUES_RELEASED. Of pixels in host memory only. */
    const LvPixelValues *values;
} LvTile;

/* One sequence's part of a batch of rows. */
typedef struct LvSequence {
    LvKvCache *cache;
    uint32_t first_row; /* of this batch */
    uint32_t n_rows;
    /* Tokens in the cache before these rows = absolute position of the first of them. */
    uint32_t position;
    /* One past the last position of the forward pass that these rows are part of; 0: they are all
     * of it. Some rotary embeddings depend on it (rope.h). */
    uint32_t pass_end;
} LvSequence;

typedef struct LvBatch {
    const LvSequence *sequences;
    size_t n_sequences;
} LvBatch;

/* How one sequence's next token is drawn from its logits (model/sampler.h). */
typedef struct LvDraw {
    const LlavaovGeneration *generation;
    uint64_t index;      /* draws made before; used when temperature > 0 */
    const uint8_t *seen; /* flags of all ids, host; used when repetition_penalty != 1 */
} LvDraw;

/* out = in * rsqrt(mean(in^2) + eps) * scale per row. */
typedef struct LvRmsNorm {
    const LvWeight *scale; /* VECTOR */
    double eps;
} LvRmsNorm;

/* A decoding step: one token more for each of some sequences. */
typedef struct LvDecodeStep {
    /* What is asked for; sequence i has one row, row i. Nothing here changes before step_end. */
    const LvBatch *batch;
    const int32_t *ids;  /* [sequences] host: the tokens of these rows, inside the vocabulary */
    const LvDraw *draws; /* [sequences] */
    size_t n_vocab;
    const void *model; /* whose operations they are: another one computes other things */
    /* The caller expects to go on with the same sequences, and nothing else waits for the backend:
     * it may compute the next step before the caller knows this one's tokens. A step computed in
     * vain costs time and has no other effect. */
    bool ahead;

    /* By step_begin: what the operations are called with. The batch may end in rows of padding:
     * sequences with n_rows 0. */
    bool replayed; /* they are not called: what they would do is on its way */
    bool greedy; /* all draws are, without a penalty: they end in norm_linear_greedy, otherwise: */
    LvTensor scores; /* [rows, n_vocab], where the logits go */
    LvBatch rows;
    const int32_t *row_ids;
    /* By step_end: nothing has come of it; the step is to begin again. */
    bool again;
} LvDecodeStep;

/* The layers that work on the rows of some items, the vision tower's on those of tiles: the same
 * operations in every call of as many items. */
typedef struct LvPass {
    const void *model; /* whose layers they are */
    size_t n_items;
    LvTensor rows; /* that they read and write; by pass_begin: where */
    bool replayed; /* by pass_begin: they are not called, what they would do is on its way */
    bool again;    /* by pass_end: nothing has come of it; the pass is to begin again */
} LvPass;

typedef struct LvBackendInfo {
    const char *device; /* "cpu", "cuda:0" */
    const char *detail; /* one line for people: what was chosen and why */
    LvDtype activation_dtype;
    uint32_t threads;
    /* Tiles that one encoder call should hold for best speed. On the CPU the bits of a tile's rows
     * do not depend on the others or on their number, as long as a tile has more than 32 of them.
     */
    uint32_t preferred_tiles;
    uint32_t preferred_rows; /* rows of one prefill chunk */
    /* What a prefill chunk or an encoder call may take while a decoding step waits for it, in
     * operations (a multiply-add is two) of products and attention: about 2 ms of prefill
     * (serve/chunk.h). 0: the preferred sizes then, too, so that results do not depend on who else
     * is served; where it is set, rows that are cut into other chunks or calls may round
     * differently. */
    double slice_flops;
    /* Sequences of one decoding step. On the CPU the bits of a row of a batch of up to so many rows
     * do not depend on the others or on their number. On other devices the same batch gives the
     * same bits. */
    uint32_t preferred_sequences;
    /* A batch of up to so many rows gives each row the bits that it has in a step of its own, also
     * where a sequence has several of them. 0: not known, or not so. */
    uint32_t exact_rows;
    /* Several sequences of a batch may be ways on from one place: of one cache and one position, each
     * with rows of its own, of which it sees none of the others'. What the cache holds from that
     * position on is undefined afterwards. */
    bool shared_caches;
    /* How long a model may be warmed up before its first request (model/warm.h), for backends that
     * load kernels, choose algorithms and record steps on first use. 0: not at all. */
    uint32_t warm_ms;
    bool
        cuda_pictures; /* picture_take takes planes in CUDA memory, and is done with them at once */
} LvBackendInfo;

typedef struct LvBackendOps {
    void (*close)(LvBackend *backend);

    /* ---- memory ---- */
    /* Uninitialised [rows, cols] in the activation dtype. */
    LlavaovStatus (*tensor_alloc)(
        LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error);
    void (*tensor_free)(LvBackend *backend, LvTensor *tensor);
    /* The same for a tensor that outlives many passes, apart from theirs. */
    LlavaovStatus (*kept_tensor_alloc)(
        LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error);
    void (*kept_tensor_free)(LvBackend *backend, LvTensor *tensor);
    /* float32 host rows (packed: cols floats a row) to and from a tensor. */
    LlavaovStatus (*upload)(LvBackend *backend, const LvRun *run, LvTensor dst, const float *src);
    LlavaovStatus (*download)(LvBackend *backend, const LvRun *run, float *dst, LvTensor src);
    LlavaovStatus (*synchronize)(LvBackend *backend, const LvRun *run);

    /* Loads n_parts tensors stacked along their first dimension (e.g. q, k and v projections) as
     * one weight. `use` is a set of LvWeightUse. The backend may keep pointers into the parts: the
     * checkpoint outlives its weights. Values are checked: NaN or Inf gives LLAVAOV_ERROR_NUMERIC
     * naming the tensor. */
    LlavaovStatus (*weight_load)(LvBackend *backend, const LvHostTensor *const *parts,
        size_t n_parts, unsigned use, LvWeight **weight, LlavaovError *error);
    void (*weight_free)(LvBackend *backend, LvWeight *weight);

    /* Room for `capacity` tokens. */
    LlavaovStatus (*kv_open)(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
        uint32_t head_dim, uint32_t capacity, LvKvCache **cache, LlavaovError *error);
    /* A cache for `capacity` tokens that begins with the first n of `base`, n <= capacity. These are
     * read where they are (CPU) or copied (CUDA), as far as they are base's own; in either case base
     * may be closed, and what it holds of them does not change any more. Rows follow from n on. */
    LlavaovStatus (*kv_fork)(LvBackend *backend, const LvRun *run, LvKvCache *base, uint32_t n,
        uint32_t capacity, LvKvCache **cache);
    void (*kv_close)(LvBackend *backend, LvKvCache *cache);

    /* ---- pictures: optional, both members or none ---- */
    /* Copies a picture (accepted by lv_image_check, in display orientation; in CUDA memory only where
     * the info says so) that patch_embedding will turn into a single tile, with the integers of lv_picture_prepare for the layout VIDEO or
     * IMAGES. LLAVAOV_OK with *picture NULL: the backend does not take it or has no room now; its
     * tile is made on the host. May be called from any thread, also during an operation, and does
     * not wait for one. Error: MEMORY. */
    LlavaovStatus (*picture_take)(LvBackend *backend, const LlavaovImage *image,
        LlavaovLayout layout, LlavaovResize resize, const LvConfig *config, LvPicture **picture,
        LlavaovError *error);
    /* NULL is allowed. Waits until the device has read the picture. One that was in a
     * patch_embedding is freed by the thread that executes operations. */
    void (*picture_free)(LvBackend *backend, LvPicture *picture);

    /* ---- vision ---- */
    /* out [n_tiles * grid^2, H] = patches . weight^T + bias + position; pixels become what
     * the tile's or the picture's LvPixelValues say. Tiles in host memory are free when it returns,
     * pictures are kept. Patch element order: channel, row, column. weight [H, 3 * patch^2], bias
     * VECTOR [H] or NULL, position VECTOR [grid^2, H]. */
    LlavaovStatus (*patch_embedding)(LvBackend *backend, const LvRun *run, LvTensor out,
        const LvTile *tiles, size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight,
        const LvWeight *bias, const LvWeight *position);
    /* out = (in - mean) / sqrt(variance + eps) * scale + bias per row; may be in place. */
    LlavaovStatus (*layer_norm)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        const LvWeight *scale, const LvWeight *bias, double eps);
    /* Softmax attention without a mask inside each of n_items groups of n_tokens rows. qkv [n_items
     * * n_tokens, 3 * n_heads * head_dim] = queries, keys, values; out [same rows, n_heads *
     * head_dim]; scale head_dim^-0.5. */
    LlavaovStatus (*attention_full)(LvBackend *backend, const LvRun *run, LvTensor out,
        LvTensor qkv, size_t n_items, size_t n_tokens, uint32_t n_heads, uint32_t head_dim);
    /* Bilinear interpolation of n_items maps [in_h * in_w, C] -> [out_h * out_w, C]
     * (docs/model.md 3.9).
     */
    LlavaovStatus (*pool_bilinear)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        size_t n_items, uint32_t in_h, uint32_t in_w, uint32_t out_h, uint32_t out_w);

    /* The greatest of every 2 x 2 of n_items maps [in_h * in_w, C] -> [in_h/2 * in_w/2, C]; the
     * last row or column of an odd map counts for nothing. in_h, in_w >= 2. */
    LlavaovStatus (*pool_max)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        size_t n_items, uint32_t in_h, uint32_t in_w);

    /* ---- shared ---- */
    /* out [rows, N] = activation(in [rows, K] . weight^T [K, N] + bias) + residual. bias and
     * residual may be NULL; residual may be out itself. */
    LlavaovStatus (*linear)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        const LvWeight *weight, const LvWeight *bias, LvActivation activation,
        const LvTensor *residual);
    /* Row i of out = row rows[i] of in (host indices). */
    LlavaovStatus (*gather_rows)(
        LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in, const uint32_t *rows);
    /* out = in, same shape. */
    LlavaovStatus (*copy)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in);

    /* ---- text ---- */
    /* Row i of out = row ids[i] of a TABLE weight. ids are inside the table (the caller checks). */
    LlavaovStatus (*embed_tokens)(LvBackend *backend, const LvRun *run, LvTensor out,
        const int32_t *ids, const LvWeight *table);
    /* out = in * rsqrt(mean(in^2) + eps) * scale per row; may be in place. */
    LlavaovStatus (*rms_norm)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        const LvWeight *scale, double eps);
    /* Rotates queries and keys of qkv [rows, (n_heads + 2 n_kv_heads) * head_dim] in place
     * (half/half pairs, docs/model.md 5.3) by their absolute positions, and stores keys and values
     * in the caches' layer. */
    LlavaovStatus (*rope_store)(LvBackend *backend, const LvRun *run, LvTensor qkv,
        const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
    /* Causal grouped-query attention of every row's queries over its sequence's cache, rows of this
     * batch included, in a sliding layer over the last lv_text_window keys of it. out [rows,
     * n_heads * head_dim]; scale head_dim^-0.5. */
    LlavaovStatus (*attention_causal)(LvBackend *backend, const LvRun *run, LvTensor out,
        LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
    /* out [rows, I] = activation(in . gate^T) * (in . up^T); gate_up holds gate then up, [2 I, K].
     */
    LlavaovStatus (*linear_gated)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        const LvWeight *gate_up, LvActivation activation);
    /* Optional; where it is NULL, and for draws that are not lv_generation_simple (model/rules.h),
     * which come neither here nor to norm_linear_greedy and step_begin, the model downloads the
     * logits and samples on the host. tokens[i] (host) = the token drawn by draws[i] from row i of
     * logits [n, vocab_size] with the rules and the random stream of model/sampler.h, or -1 where a
     * row or what its temperature makes of it is not finite. Among equal scores at the border of
     * top-p the lower ids are dropped first. The logits are undefined afterwards. Waits. */
    LlavaovStatus (*sample)(LvBackend *backend, const LvRun *run, int32_t *tokens, LvTensor logits,
        const LvDraw *draws);

    /* ---- several of the above in one: optional, all members or none ----
     * Any operands that the single operations take; the model composes these where they are NULL
     * (model/fused.h). What passes between the parts may keep more digits than a tensor does. */
    /* out = linear(rms_norm(in), weight, bias) */
    LlavaovStatus (*norm_linear)(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
        LvRmsNorm norm, const LvWeight *weight, const LvWeight *bias);
    /* out = linear_gated(rms_norm(in), gate_up, activation) */
    LlavaovStatus (*norm_linear_gated)(LvBackend *backend, const LvRun *run, LvTensor out,
        LvTensor in, LvRmsNorm norm, const LvWeight *gate_up, LvActivation activation);
    /* rope_store, then attention_causal. qkv is undefined afterwards. */
    LlavaovStatus (*rope_attention)(LvBackend *backend, const LvRun *run, LvTensor out,
        LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text);
    /* tokens[i] (host) = what `sample` gives for row i of norm_linear(in, norm, weight, NULL) when
     * it is greedy and has no repetition penalty: the first maximum of the same logits, which need
     * not be written; -1 where one of them is not finite. Waits. */
    LlavaovStatus (*norm_linear_greedy)(LvBackend *backend, const LvRun *run, int32_t *tokens,
        LvTensor in, LvRmsNorm norm, const LvWeight *weight);

    /* Optional, both or none; with those above. A decoding step of at most preferred_sequences
     * sequences: the model calls step_begin, unless it says `replayed` the operations that take
     * row_ids and rows to the scores or to norm_linear_greedy, and in any case, with their status,
     * step_end, on the same thread and with no other operation between. The LvRun of the operations
     * has the step; embed_tokens is called with row_ids, rope_attention with rows, and
     * norm_linear_greedy with NULL: its tokens stay with the step. They depend on nothing but their
     * arguments, so that the backend may keep what they enqueue and repeat it with other ids,
     * positions and caches, as long as no weight is freed.
     *
     * step_end waits: tokens [sequences] (host) as `sample` gives them, unless it says `again`.
     * CANCELLED from either: nothing has changed but cache rows that the step's repetition writes
     * again. When step_begin fails there is no step to end. */
    LlavaovStatus (*step_begin)(LvBackend *backend, const LvRun *run, LvDecodeStep *step);
    LlavaovStatus (*step_end)(LvBackend *backend, const LvRun *run, LvDecodeStep *step,
        LlavaovStatus computed, int32_t *tokens);

    /* Optional, both or none. Around the operations of a pass, which depend on nothing but the rows
     * and the weights, take all else that they need between the two, and are called unless it says
     * `replayed`; pass_end, with their status, on the same thread and with no other operation between.
     * The backend may keep what they enqueue and repeat it. When pass_begin fails there is no pass to
     * end. */
    LlavaovStatus (*pass_begin)(LvBackend *backend, const LvRun *run, LvPass *pass);
    LlavaovStatus (*pass_end)(
        LvBackend *backend, const LvRun *run, LvPass *pass, LlavaovStatus computed);

    /* Optional: one clause about a feature that the device turned out to lack after it was opened,
     * which makes it slower but not wrong; NULL where there is none. It lives as long as the
     * backend. Any thread. */
    const char *(*notice)(LvBackend *backend);
} LvBackendOps;

/* Every backend's state begins with this. */
struct LvBackend {
    const LvBackendOps *ops;
    LvBackendInfo info;
};

typedef struct LvBackendOptions {
    const char *device; /* as LlavaovEngineOptions.device */
    LvDevice parsed;    /* lv_backend_open makes it of `device`, but for an extra backend */
    LlavaovPrecision precision, kv_precision;
    uint32_t threads;
    const char *cpu_mask;
    /* What the model will need, for a device whose memory is checked up front; NULL and 0: not
     * known. */
    const LvConfig *config;
    const uint64_t *weight_elements; /* of all tensors that are loaded, by type; with config */
    const char *why_cpu; /* why "auto" took the CPU, for its detail line; NULL: nothing was tried */
} LvBackendOptions;

/* Chooses and opens a backend by its device name. */
LlavaovStatus lv_backend_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);
/* The CPU backend (engine/backend/cpu_open.c). A CUDA device is in a module of its own:
 * engine/backend/module.h. */
LlavaovStatus lv_backend_cpu_open(
    const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);
/* A backend that a program linking the engine adds to those above. The library adds none (no_extra.c),
 * tests a fake one (tests/fake/device/device.h). */
typedef struct LvExtraBackend {
    bool (*is_device)(const char *device); /* whether the string names it; NULL: no backend */
    LlavaovStatus (*open)(
        const LvBackendOptions *options, LvBackend **backend, LlavaovError *error);
} LvExtraBackend;
extern const LvExtraBackend lv_extra_backend;

#endif
