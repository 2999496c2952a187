/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaov: the LLaVA-OneVision engine. The only public header; it compiles as C11 and as C++11.
 *
 * Objects and who owns what:
 *   LlavaovEngine   one checkpoint on one device: immutable weights, worker threads. Shared,
 *                   reference counted.
 *   LlavaovSession  one stream of frames and its requests. Made from an engine, which it keeps
 *                   alive.
 *   LlavaovFrame    one picture of a session, prepared and encoded once. Reference counted;
 *                   requests hold references.
 *   LlavaovTicket   one request under way. Reference counted.
 *
 * Structs: those that a caller makes begin with `size`, which the caller sets to the struct's
 * sizeof; all else may be zero. A later version may add members at the end: a program that was
 * built before goes on working, and the new members are zero for it. A program that was built with
 * a later header and sets members that the library does not know gets LLAVAOV_ERROR_UNSUPPORTED.
 * Structs that the library makes may grow at their end, too. LlavaovError, LlavaovIds,
 * LlavaovPhrase and LlavaovPhrases never grow.
 *
 *     LlavaovRequest request = {.size = sizeof request, .prompt = "What is shown?"};
 *
 * Thread-safety: every function may be called from any thread at any time, unless its comment says
 * otherwise. Callbacks run on engine threads with no engine lock held. They must not block for
 * long, and may call any function of this header except llavaov_session_close() and
 * llavaov_engine_unref() of their own session and engine.
 *
 * Errors: functions that can fail return a LlavaovStatus (0 is success) and fill *error when it is
 * not NULL. Nothing in this library aborts, exits or prints.
 *
 * Strings are UTF-8 and NUL-terminated unless a length stands beside them. Times are in
 * nanoseconds. Sizes of pictures are in pixels, width before height in structs.
 */
#ifndef LLAVAOV_H
#define LLAVAOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov-version.h"

/* What the library exports; everything else in it is hidden. */
#if defined(__GNUC__)
#define LLAVAOV_API __attribute__((visibility("default")))
#else
#define LLAVAOV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---- */

typedef enum LlavaovStatus {
    LLAVAOV_OK = 0,
    LLAVAOV_ERROR_NOT_FOUND = -1,    /* a file or folder that does not exist */
    LLAVAOV_ERROR_IO = -2,           /* a file that cannot be read */
    LLAVAOV_ERROR_FORMAT = -3,       /* a file whose content is broken or absurd */
    LLAVAOV_ERROR_UNSUPPORTED = -4,  /* well formed, but nothing that this build can do */
    LLAVAOV_ERROR_ARGUMENT = -5,     /* a caller's value out of its range */
    LLAVAOV_ERROR_MEMORY = -6,       /* host or device memory ran out, or a fixed bound was met */
    LLAVAOV_ERROR_DEVICE = -7,       /* the device is absent, lost, or failed an operation */
    LLAVAOV_ERROR_CONTEXT_FULL = -8, /* prompt, frames and answer do not fit the model's context */
    LLAVAOV_ERROR_CANCELLED = -9,    /* the caller cancelled */
    LLAVAOV_ERROR_NUMERIC = -10,     /* NaN or Inf in weights, features or logits */
    LLAVAOV_ERROR_INTERNAL = -11,    /* a broken promise inside the engine: a bug */
    LLAVAOV_ERROR_LATE = -12,        /* the engine did not come to a reserved window in time */
    /* Of device "remote": */
    LLAVAOV_ERROR_REMOTE = -13,      /* a server gave no answer, or none that is one */
    LLAVAOV_ERROR_REMOTE_DOWN = -14, /* none of the servers answers at present; none was asked */
    LLAVAOV_ERROR_REMOTE_UNFIT = -15 /* a server is no stand-in for the model here: it counts other
                                        tokens, or gives no probabilities. No later answer counts */
} LlavaovStatus;

/* What an error is about. */
typedef enum LlavaovAbout {
    LLAVAOV_ABOUT_NOTHING, /* or nothing that has a name: memory, a cancelled request, a bug */
    LLAVAOV_ABOUT_FILE,    /* the checkpoint's folder, a file of it, or a field in one */
    LLAVAOV_ABOUT_TENSOR,  /* of the checkpoint or of the computation */
    LLAVAOV_ABOUT_OPTION,  /* what a caller set, such as "precision" or "top-p" */
    LLAVAOV_ABOUT_DEVICE,  /* the device, or an operation on it */
    LLAVAOV_ABOUT_PICTURE,
    LLAVAOV_ABOUT_PROMPT /* prompt, system prompt or messages */
} LlavaovAbout;

/* A cause, filled where it was found. `subject` names the thing that `about` gives the kind of
 * (empty when it has no name); `message` is one sentence for a person and names the subject again
 * where that helps. */
typedef struct LlavaovError {
    LlavaovStatus status;
    LlavaovAbout about;
    char subject[256];
    char message[768];
} LlavaovError;

/* A short fixed name such as "not-found". Never NULL. */
LLAVAOV_API const char *llavaov_status_name(LlavaovStatus status);

/* The library's version, "MAJOR.MINOR.PATCH". */
LLAVAOV_API const char *llavaov_version(void);

/* ---- pictures ---- */

typedef enum LlavaovPixelFormat {
    LLAVAOV_PIXEL_I420, /* planes Y, U, V; chroma halved both ways, rounded up */
    LLAVAOV_PIXEL_NV12, /* planes Y, UV interleaved */
    LLAVAOV_PIXEL_RGB,  /* one plane, 3 bytes a pixel */
    LLAVAOV_PIXEL_BGR,
    LLAVAOV_PIXEL_RGBA, /* one plane, 4 bytes a pixel; the fourth is ignored (as PIL's
                           convert("RGB")) */
    LLAVAOV_PIXEL_BGRA,
    LLAVAOV_PIXEL_RGBX,
    LLAVAOV_PIXEL_BGRX
} LlavaovPixelFormat;

typedef enum LlavaovColorMatrix { LLAVAOV_MATRIX_BT601, LLAVAOV_MATRIX_BT709 } LlavaovColorMatrix;
typedef enum LlavaovColorRange { LLAVAOV_RANGE_LIMITED, LLAVAOV_RANGE_FULL } LlavaovColorRange;

/* Whether a picture's rows were taken at once. Interlaced pictures have two fields: the top one is
 * rows 0, 2, 4, ..., the bottom one rows 1, 3, 5, ... In I420 and NV12 the rows of the chroma
 * planes belong to the two fields in turn, too. The engine makes a progressive picture of
 * them first. */
typedef enum LlavaovScan {
    LLAVAOV_SCAN_PROGRESSIVE,
    LLAVAOV_SCAN_TOP_FIRST,    /* both fields, the top one earlier */
    LLAVAOV_SCAN_BOTTOM_FIRST, /* both fields, the bottom one earlier */
    /* One field without the rows of the other: the planes hold (height + 1) / 2 rows of a top one,
     * height / 2 (at least 1) of a bottom one, and those of chroma that go with a picture so high.
     */
    LLAVAOV_SCAN_TOP_FIELD,
    LLAVAOV_SCAN_BOTTOM_FIELD
} LlavaovScan;

/* What is done to a stored picture to show it upright; the number of EXIF is given. */
typedef enum LlavaovOrientation {
    LLAVAOV_ORIENTATION_UPRIGHT,    /* 1: nothing */
    LLAVAOV_ORIENTATION_MIRROR,     /* 2: left and right swapped */
    LLAVAOV_ORIENTATION_ROTATE_180, /* 3 */
    LLAVAOV_ORIENTATION_FLIP,       /* 4: top and bottom swapped */
    LLAVAOV_ORIENTATION_TRANSPOSE,  /* 5: rows become columns; the top left corner stays */
    LLAVAOV_ORIENTATION_ROTATE_90,  /* 6: clockwise */
    LLAVAOV_ORIENTATION_TRANSVERSE, /* 7: rows become columns; the top right corner stays */
    LLAVAOV_ORIENTATION_ROTATE_270  /* 8: clockwise */
} LlavaovOrientation;

/* Where planes lie: in the host's memory; or in a CUDA device's, of whatever context of this
 * process, when everything that writes them is done. */
typedef enum LlavaovMemory { LLAVAOV_MEMORY_HOST, LLAVAOV_MEMORY_CUDA } LlavaovMemory;

/* A picture in the caller's memory, as it is stored. Strides are in bytes and may be larger than a
 * row; matrix and range matter for YUV. All zero after `stride`: progressive and upright, on the
 * host. */
typedef struct LlavaovImage {
    LlavaovPixelFormat format;
    uint32_t width, height; /* before it is turned; of both fields */
    const uint8_t *plane[3];
    ptrdiff_t stride[3];
    LlavaovColorMatrix matrix;
    LlavaovColorRange range;
    LlavaovScan scan;
    LlavaovOrientation orientation;
    uint32_t pixel_width, pixel_height; /* shape of a stored pixel as a ratio; one is 0: square */
    LlavaovMemory memory;
} LlavaovImage;

/* Upright, progressive, square pixels, in one plane without gaps: RGB to BGRX. */
static inline LlavaovImage llavaov_image_packed(
    LlavaovPixelFormat format, uint32_t width, uint32_t height, const void *pixels)
{
    const ptrdiff_t bytes = format == LLAVAOV_PIXEL_RGB || format == LLAVAOV_PIXEL_BGR ? 3 : 4;
    const LlavaovImage image = {format, width, height, {(const uint8_t *)pixels, NULL, NULL},
        {bytes * (ptrdiff_t)width, 0, 0}, LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_LIMITED,
        LLAVAOV_SCAN_PROGRESSIVE, LLAVAOV_ORIENTATION_UPRIGHT, 0, 0, LLAVAOV_MEMORY_HOST};
    return image;
}

/* The two 8-bit resizes: torchvision's (the default of HF transformers 5.x) and Pillow's
 * (LLaVA-NeXT's own code). AUTO: the one of the code that the checkpoint's layout is for. */
typedef enum LlavaovResize {
    LLAVAOV_RESIZE_AUTO,
    LLAVAOV_RESIZE_TORCHVISION,
    LLAVAOV_RESIZE_PILLOW
} LlavaovResize;

/* How frames become tokens: VIDEO = pooled frames in time order and one newline; IMAGE = one
 * picture, any-resolution tiles; IMAGES = every frame an image of its own, padded to a square;
 * for what the reference makes of a single image in a list, ask with IMAGE. */
typedef enum LlavaovLayout {
    LLAVAOV_LAYOUT_VIDEO,
    LLAVAOV_LAYOUT_IMAGE,
    LLAVAOV_LAYOUT_IMAGES
} LlavaovLayout;

/* ---- engine ---- */

typedef struct LlavaovEngine LlavaovEngine;

typedef enum LlavaovPrecision {
    LLAVAOV_PRECISION_AUTO, /* CPU: weights as stored, arithmetic in float32. CUDA: bf16 */
    LLAVAOV_PRECISION_F32,
    LLAVAOV_PRECISION_BF16,
    LLAVAOV_PRECISION_F16,
    /* CUDA, compute capability 8.9 and newer: bf16, but of many rows the layers' products in fp8 (e4m3),
     * for which their weights are held twice. */
    LLAVAOV_PRECISION_FP8,
    /* CPU: as AUTO on weights that become bitsandbytes' four bits while they are loaded, all linear
     * ones but the head; DQ: with nested scales. */
    LLAVAOV_PRECISION_NF4,
    LLAVAOV_PRECISION_FP4,
    LLAVAOV_PRECISION_NF4_DQ,
    LLAVAOV_PRECISION_FP4_DQ,
    /* CPU: the weights of the tower's and the decoder's layers become int8 with a scale an output, and are multiplied as integers with rows of
     * int8 that are made on the fly; the rest as AUTO. */
    LLAVAOV_PRECISION_INT8,
    /* CPU: of these the decoder's become four bits in groups of 32 and are multiplied as integers; the head
     * becomes int8; the rest as INT8. */
    LLAVAOV_PRECISION_INT4
} LlavaovPrecision;

/* The names of all of them, for a sentence. */
#define LLAVAOV_PRECISION_NAMES "auto, f32, bf16, f16, fp8, nf4, fp4, nf4-dq, fp4-dq, int8 or int4"
/* "auto", "f32", ... in the order of the values; NULL for what is no precision. */
LLAVAOV_API const char *llavaov_precision_name(LlavaovPrecision precision);
/* false: no precision has this name, and *precision stays as it is. */
LLAVAOV_API bool llavaov_precision_from_name(const char *name, LlavaovPrecision *precision);

/* How frames go to a server: VIDEO as one clip, IMAGES as images of their own; AUTO: each request's
 * in its own layout. */
typedef enum LlavaovRemoteLayout {
    LLAVAOV_REMOTE_LAYOUT_AUTO,
    LLAVAOV_REMOTE_LAYOUT_VIDEO,
    LLAVAOV_REMOTE_LAYOUT_IMAGES
} LlavaovRemoteLayout;

/* What pictures are sent as: PNG loses nothing, JPEG (quality 90) takes about an eighth. */
typedef enum LlavaovRemotePicture {
    LLAVAOV_REMOTE_PICTURE_PNG,
    LLAVAOV_REMOTE_PICTURE_JPEG
} LlavaovRemotePicture;

/* Servers with the interface of OpenAI's chat completions that compute in place of this machine.
 */
typedef struct LlavaovRemoteOptions {
    size_t size;
    /* Of the interface, such as "https://host:8000/v1"; several between spaces: whichever has the
     * fewest requests gets the next one. */
    const char *url;
    const char *model; /* NULL: none is named, for servers of one */
    /* Environment variable with the key, which is read when the engine is opened; NULL: no key. */
    const char *api_key_env;
    LlavaovRemoteLayout layout;
    LlavaovRemotePicture picture;
    uint64_t timeout_ns; /* of one attempt; 0: 30 s */
    uint32_t retries;    /* attempts after the first */
    uint32_t reserved;
} LlavaovRemoteOptions;

/* Whether an engine can be opened with these, as far as that can be said without asking a server.
 * Errors: ARGUMENT about an option; UNSUPPORTED, where the build has no libcurl; MEMORY. */
LLAVAOV_API LlavaovStatus llavaov_remote_check(
    const LlavaovRemoteOptions *options, LlavaovError *error);

/* `done` of `total` bytes of weights are ready; where the device is warmed up behind them, that is
 * counted as a few bytes more. Called from the thread that opens. Return false to cancel. */
typedef bool (*LlavaovProgress)(void *data, uint64_t done, uint64_t total);

typedef struct LlavaovEngineOptions {
    size_t size;
    const char *model_path; /* checkpoint folder */
    const char *device;     /* NULL or "auto", "cpu", "cuda", "cuda:N", "remote":
                               llavaov_device_check */
    LlavaovPrecision precision;
    LlavaovResize resize;
    const char *cpu_mask;     /* NULL or "auto" = best; "baseline", "avx2", "avx512", on 64-bit Arm
                              "neon" = at most that */
    LlavaovProgress progress; /* may be NULL */
    void *progress_data;
    uint32_t threads; /* compute threads on the CPU; 0 = one per processor this process may use */
    /* What keys and values are held in. AUTO: f32 on the CPU, what is computed in on CUDA. F16 (CPU): half the
     * memory; attention computes in float32 on the nearest float16. */
    LlavaovPrecision kv_precision;
    /* For device "remote". model_path is the served checkpoint's folder, of which no weights are
     * needed: prompts are counted here, too, and must have as many tokens there. */
    const LlavaovRemoteOptions *remote;
    /* With precision INT8 or INT4: a folder, made if need be, where the quantised weights are kept and taken from the
     * next time, if the checkpoint's files are the same and nothing there is damaged; otherwise they are
     * made anew. device_detail says which. NULL: none. */
    const char *quantized_cache;
} LlavaovEngineOptions;

/* Facts about an open engine; strings live as long as the engine. */
typedef struct LlavaovEngineInfo {
    const char *model_path;
    const char *model_name;    /* last component of model_path */
    const char *device;        /* e.g. "cpu" or "cuda:0" */
    const char *device_detail; /* one line: which device was chosen and why */
    const char *precision;     /* what weights are held in, e.g. "f16" */
    uint32_t threads;
    uint32_t image_size;       /* edge of a tile, pixels */
    uint32_t tokens_per_frame; /* video layout */
    uint32_t context_length;   /* tokens: prompt and answer together */
    uint64_t weight_bytes;
    uint64_t load_ns;
    /* One line: the fields of generation_config.json that have no effect here although generate()
     * obeys them, or that are unknown. NULL: none. */
    const char *generation_notice;
} LlavaovEngineInfo;

/* Whether this is a device string, whether or not there is such a device: "auto", "cpu", "cuda",
 * "cuda:N" or "remote". Behind "auto", "cuda" and "cuda:N" options may follow, which change speed and no answer,
 * for those who measure: ";graphs=off", ";overlap=off", ";plans=timed",
 * ";attention=wgmma", ";gate=fused", ";rows=N", ";slice-us=N",
 * ";warm-ms=N". NULL and "" are "auto". Error: ARGUMENT. */
LLAVAOV_API LlavaovStatus llavaov_device_check(const char *device, LlavaovError *error);

/* Validates the whole checkpoint, then loads it. Blocks (seconds for large models); on error
 * *engine is NULL. Broken files are reported before any weight is converted. The caller owns one
 * reference.
 *
 * Weights are mapped from their files as long as the engine lives. A file that is shortened or
 * rewritten in place meanwhile changes the weights or raises SIGBUS in whoever reads them; nothing
 * here can catch that. Replace files by renaming, never in place. */
LLAVAOV_API LlavaovStatus llavaov_engine_open(
    const LlavaovEngineOptions *options, LlavaovEngine **engine, LlavaovError *error);
LLAVAOV_API LlavaovEngine *llavaov_engine_ref(LlavaovEngine *engine);
/* The last reference stops the threads and frees the weights; NULL is allowed. */
LLAVAOV_API void llavaov_engine_unref(LlavaovEngine *engine);
LLAVAOV_API const LlavaovEngineInfo *llavaov_engine_info(const LlavaovEngine *engine);

/* Since the engine was opened: calls of the encoder and the tiles in them (a video frame is one),
 * decoding steps and the requests in them, of all sessions. What failed or was cancelled counts. */
typedef struct LlavaovEngineStats {
    size_t size;
    uint64_t encoder_calls, encoder_tiles;
    uint64_t decoder_steps, decoder_rows;
    /* One clause: a feature that the device turned out to lack, which makes it slower; NULL: none.
     * It lives as long as the engine. */
    const char *notice;
} LlavaovEngineStats;
/* Error: ARGUMENT, when stats->size is not set. */
LLAVAOV_API LlavaovStatus llavaov_engine_stats(LlavaovEngine *engine, LlavaovEngineStats *stats);

/* ---- chat templates ---- */

/* What makes a prompt of a conversation: a text in Jinja that comes with the checkpoint. Immutable;
 * sessions of one engine may have different ones. */
typedef struct LlavaovChatTemplate LlavaovChatTemplate;

/* choice NULL: the one that the checkpoint folder carries, as transformers 5.x finds it (the key
 * chat_template of processor_config.json, chat_template.json, chat_template.jinja; never the
 * tokenizer's). A folder in the lmms-lab layout without one gets "qwen_1_5"; any other is refused
 * (UNSUPPORTED).
 * Else: "hub" (the form of the released -hf folders), "conversion" (that of transformers'
 * conversion script), "qwen_1_5" (that of the model's training); the name of one of the folder's
 * several templates; or a file: Jinja, or JSON with the key chat_template when its name ends in
 * ".json".
 *
 * Reads small files alone. Errors: NOT_FOUND and IO when the folder cannot be read, ARGUMENT about
 * the choice, FORMAT and UNSUPPORTED about the folder's templates. The caller owns one reference.
 */
LLAVAOV_API LlavaovStatus llavaov_chat_template_open(const char *model_path, const char *choice,
    LlavaovChatTemplate **chat_template, LlavaovError *error);
LLAVAOV_API LlavaovChatTemplate *llavaov_chat_template_ref(LlavaovChatTemplate *chat_template);
/* NULL is allowed */
LLAVAOV_API void llavaov_chat_template_unref(LlavaovChatTemplate *chat_template);
/* One clause, as long as the template lives: which one this is, and why. */
LLAVAOV_API const char *llavaov_chat_template_origin(const LlavaovChatTemplate *chat_template);

/* ---- session and frames ---- */

typedef struct LlavaovSession LlavaovSession;
typedef struct LlavaovFrame LlavaovFrame;

typedef enum LlavaovEncode {
    LLAVAOV_ENCODE_ON_ARRIVAL, /* the encoder runs as soon as it is free */
    LLAVAOV_ENCODE_ON_DEMAND   /* resized on arrival, encoded when a request needs it */
} LlavaovEncode;

/* A frame to push. Its picture is taken from the caller late, on an engine thread, so that a
 * streaming thread only hands over a reference. map is called at most once, unmap once after a
 * successful map, release exactly once after everything (also when the frame was cancelled or the
 * push failed); unmap and release may be NULL.
 *
 * *image is all zero when map is called, but for `memory`: with LLAVAOV_MEMORY_CUDA the engine would
 * rather have planes that lie there already. Who has some leaves it so; such a picture may be mapped
 * once more, then on the host. */
typedef struct LlavaovFrameSource {
    size_t size;
    LlavaovStatus (*map)(void *data, LlavaovImage *image, LlavaovError *error);
    void (*unmap)(void *data);
    void (*release)(void *data);
    void *data;
    LlavaovLayout layout; /* of the requests that will hold the frame */
    LlavaovEncode encode;
    void *frame_data; /* for LlavaovSessionOptions.on_frame */
    /* A frame whose prepared picture equals one that the session still has takes its embeddings and
     * costs no encoder call. So does one that differs from the frame before by less than this: the
     * mean absolute difference of their prepared bytes, or of the one whose embeddings that frame
     * took; 0 (off) to 255. */
    double reuse_below;
} LlavaovFrameSource;

typedef enum LlavaovFrameStage {
    LLAVAOV_FRAME_PREPARED, /* tiles are made, or the device's copy; the source has been released */
    LLAVAOV_FRAME_ENCODED,  /* embeddings are ready */
    LLAVAOV_FRAME_FAILED /* prepared or encoded no further; requests that hold it will fail with its
                            error */
} LlavaovFrameStage;

/* When the beginning of a prompt about one clip, up to its last frame, is computed. It is cut behind
 * each frame in any case, so that this changes no bit. On the CPU; with CUDA always on close. */
typedef enum LlavaovPrefill {
    /* As ON_ARRIVAL, but not where windows overlap, and after prompts that were not as expected only
     * now and then. */
    LLAVAOV_PREFILL_AUTO,
    /* As frames are encoded, while the device has nothing else to do, for a prompt that begins as the
     * session's last one. */
    LLAVAOV_PREFILL_ARRIVAL,
    LLAVAOV_PREFILL_CLOSE /* When the question comes. */
} LlavaovPrefill;

typedef struct LlavaovSessionOptions {
    size_t size;
    /* NULL = the checkpoint's own, as it was when the engine was opened; a reference is taken */
    LlavaovChatTemplate *chat_template;
    /* Told of every stage of every frame, with LlavaovFrameSource.frame_data; may be NULL. */
    void (*on_frame)(void *data, void *frame_data, LlavaovFrameStage stage);
    void *data;
    LlavaovPrefill prefill;
    uint32_t reserved;
} LlavaovSessionOptions;

/* options NULL: all as it is by default. Fails where the chat template does. */
LLAVAOV_API LlavaovStatus llavaov_session_open(LlavaovEngine *engine,
    const LlavaovSessionOptions *options, LlavaovSession **session, LlavaovError *error);
/* Cancels every frame and request of the session and returns at once; their callbacks follow. */
LLAVAOV_API void llavaov_session_cancel(LlavaovSession *session);
/* Cancels, waits until no callback of the session runs (within about 20 ms; never for another
 * session's work, nor for a call of the encoder), frees. Frames and tickets that the caller still
 * holds stay valid to unref. NULL is allowed. */
LLAVAOV_API void llavaov_session_close(LlavaovSession *session);

/* A prompt before there are frames for it. */
typedef struct LlavaovPrompt {
    size_t size;
    LlavaovLayout layout;
    uint32_t width, height; /* of the picture; for LLAVAOV_LAYOUT_IMAGE only */
    uint32_t reserved;
    size_t n_frames;
    const char *system_prompt; /* NULL = none */
    const char *text;          /* the user's */
} LlavaovPrompt;

/* Number of tokens of a whole prompt: template, frames, question. */
LLAVAOV_API LlavaovStatus llavaov_session_prompt_tokens(
    LlavaovSession *session, const LlavaovPrompt *prompt, uint32_t *tokens, LlavaovError *error);

/* Takes one frame. Returns at once; never copies or resizes on the calling thread. On success
 * *frame is a new reference of the caller's. Work on a frame whose last reference goes is dropped.
 */
LLAVAOV_API LlavaovStatus llavaov_session_push_frame(LlavaovSession *session,
    const LlavaovFrameSource *source, LlavaovFrame **frame, LlavaovError *error);
LLAVAOV_API LlavaovFrame *llavaov_frame_ref(LlavaovFrame *frame);
LLAVAOV_API void llavaov_frame_unref(LlavaovFrame *frame);

typedef struct LlavaovSessionStats {
    size_t size;
    uint64_t frames_pushed, frames_prepared, frames_encoded, frames_failed;
    uint64_t requests, answers, failures;
    uint64_t prompt_tokens, new_tokens;
    uint64_t prepare_ns, encode_ns, prefill_ns, decode_ns;
    uint64_t frames_reused; /* which took the embeddings of another frame instead */
    /* Of all answers: as in LlavaovAnswer. */
    uint64_t draft_tokens, accepted_tokens;
    uint64_t
        early_tokens; /* of prompts, computed before a question (LlavaovPrefill), in vain or not */
} LlavaovSessionStats;
/* Error: ARGUMENT, when stats->size is not set. */
LLAVAOV_API LlavaovStatus llavaov_session_stats(
    LlavaovSession *session, LlavaovSessionStats *stats);

/* ---- motion ---- */

/* What moves in front of one camera, told by small maps of its pictures' brightness: of blocks of the
 * picture, how many differ from what was there before. Light that comes and goes all over the
 * picture, or slowly, and noise do not count. Independent of any engine; not thread-safe. */
typedef struct LlavaovMotion LlavaovMotion;

typedef struct LlavaovMotionSeen {
    size_t size;
    double level; /* share of blocks that changed, 0 to 1 */
    bool moving;  /* it was min_change or more in two of the last three pictures */
    bool
        scene_change; /* nearly all of it changed at once: light switched, an infrared filter, a cut.
                         * Told once; for two seconds nothing moves then */
    uint8_t reserved[6];
    uint64_t since; /* while moving: the time of the first of these pictures */
} LlavaovMotionSeen;

/* NULL: no memory. */
LLAVAOV_API LlavaovMotion *llavaov_motion_new(void);
/* NULL is allowed */
LLAVAOV_API void llavaov_motion_free(LlavaovMotion *motion);
/* Rectangles that do not count, such as a burnt-in clock: "x,y,width,height" in thousandths of the
 * picture as it is stored, several between ';'; NULL or "": none. Error: ARGUMENT about
 * "motion-mask"; then the one before stays. */
LLAVAOV_API LlavaovStatus llavaov_motion_set_mask(
    LlavaovMotion *motion, const char *mask, LlavaovError *error);
/* What follows does not continue what was before. */
LLAVAOV_API void llavaov_motion_reset(LlavaovMotion *motion);
/* The next picture (LLAVAOV_MEMORY_HOST), shown at `time`; four a second are what it is made for. Of
 * the first second, and after a pause of more than ten, nothing is told. Error: ARGUMENT about the
 * picture. */
LLAVAOV_API LlavaovStatus llavaov_motion_look(LlavaovMotion *motion, const LlavaovImage *image,
    uint64_t time, double min_change, LlavaovMotionSeen *seen, LlavaovError *error);

/* Where the last picture had changed: side x side blocks, row by row, each 1 or 0, until the next call.
 * They overlap by half; block i of a row lies in the middle of i/side to (i + 1)/side of its width. */
LLAVAOV_API const uint8_t *llavaov_motion_blocks(const LlavaovMotion *motion, uint32_t *side);

/* ---- windows of live streams ---- */

/* A window of a live stream that the engine will come to in time. It keeps the engine alive. */
typedef struct LlavaovReservation LlavaovReservation;

/* Asks, when a window of a live stream is about to begin: it ends in `ends_in` nanoseconds, the
 * stream's next one begins in `next_begins_in`. NULL: the engine has more to do than it can, and it
 * is this stream's turn to do without an answer; its frames need not be pushed. The least served
 * stream is taken on first; streams that ask for less than their share get all of it. A stream
 * whose windows may wait (a file) does not ask. Never blocks. */
LLAVAOV_API LlavaovReservation *llavaov_session_reserve(
    LlavaovSession *session, uint64_t ends_in, uint64_t next_begins_in);
/* There will be no request for the window, or llavaov_session_ask failed. The session may be
 * closed. NULL is allowed. */
LLAVAOV_API void llavaov_reservation_free(LlavaovReservation *reservation);

/* ---- requests ---- */

/* Token ids, and sequences of them, in the memory of whoever made the struct. */
typedef struct LlavaovIds {
    const int32_t *ids;
    size_t n;
} LlavaovIds;

/* `bias` is added to the score of the last id wherever the others stand right before it. */
typedef struct LlavaovPhrase {
    LlavaovIds ids;
    float bias;
} LlavaovPhrase;

typedef struct LlavaovPhrases {
    const LlavaovPhrase *phrases;
    size_t n;
} LlavaovPhrases;

/* Settings of HF transformers' generate() under its names, beyond those of LlavaovGeneration, with
 * its meaning and order. All zero: none. Ids outside the vocabulary match nothing. */
typedef struct LlavaovRules {
    size_t size;
    /* eos_token_id: what ends an answer; n 0: the checkpoint's ids and the end of the template's
     * turn. */
    LlavaovIds stop_tokens;
    uint32_t max_length;     /* prompt and answer together; counts where max_new_tokens is 0 */
    uint32_t min_length;     /* no stop token before prompt and answer are so long */
    uint32_t min_new_tokens; /* the same for the answer alone */
    uint32_t no_repeat_ngram_size, encoder_no_repeat_ngram_size;
    bool remove_invalid_values; /* what the others exclude may be favoured by decay again */
    bool exponential_decay;
    bool renormalize_logits; /* where tokens are drawn, as those further down */
    bool reserved;
    LlavaovPhrases sequence_bias;
    LlavaovPhrases bad_words;          /* bias: -INFINITY */
    double encoder_repetition_penalty; /* of ids that are not in the prompt; 0 or 1: off */
    LlavaovIds forced_bos, forced_eos; /* the first id of a prompt of one; the last of an answer */
    int64_t decay_start;               /* new tokens */
    double decay_factor;
    LlavaovIds suppress_tokens, begin_suppress_tokens;
    /* These act where tokens are drawn (temperature > 0). */
    double top_h, min_p, typical_p, epsilon_cutoff, eta_cutoff; /* 0: off */
} LlavaovRules;

/* Members of LlavaovGeneration whose value is the checkpoint's: what generate() would take from its
 * generation_config.json or, where it has none, from config.json. */
typedef enum LlavaovSetting {
    LLAVAOV_SETTING_MAX_NEW_TOKENS = 1 << 0, /* 256 where the checkpoint names no length */
    LLAVAOV_SETTING_TEMPERATURE = 1 << 1,    /* 0 unless it says do_sample */
    LLAVAOV_SETTING_TOP_K = 1 << 2,          /* 50 where it names none, as the library */
    LLAVAOV_SETTING_TOP_P = 1 << 3,
    LLAVAOV_SETTING_REPETITION_PENALTY = 1 << 4,
    LLAVAOV_SETTING_RULES = 1 << 5,
    LLAVAOV_SETTING_ALL = (1 << 6) - 1
} LlavaovSetting;

/* Decoding. temperature 0 is greedy; top_k 0, top_p 1 and repetition_penalty 1 are off. Order and
 * meaning are those of HF transformers' generate(): penalty, rules, temperature, top-k, top-p,
 * draw. */
typedef struct LlavaovGeneration {
    size_t size;
    uint32_t max_new_tokens;
    uint32_t top_k;
    double temperature;
    double top_p;
    double repetition_penalty;
    uint64_t seed;
    /* NULL: none. llavaov_session_ask copies it with all its arrays, which together hold at most
     * 262,144 ids. */
    const LlavaovRules *rules;
    uint32_t as_checkpoint; /* a set of LlavaovSetting: these members are not read */
    /* Not 0: one token a step. Otherwise a greedy answer goes on by several where it repeats what the
     * session's earlier answers to the same question say, which changes no token; on the CPU. */
    uint32_t without_drafts;
} LlavaovGeneration;

/* Greedy, 64 new tokens, nothing of the checkpoint's but the ids that end an answer. */
static inline LlavaovGeneration llavaov_generation_default(void)
{
    const LlavaovGeneration generation = {sizeof(LlavaovGeneration), 64, 0, 0, 1, 1, 0, NULL, 0, 0};
    return generation;
}

/* Everything as the checkpoint says; seed 0. */
static inline LlavaovGeneration llavaov_generation_checkpoint(void)
{
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 256;
    generation.as_checkpoint = LLAVAOV_SETTING_ALL;
    return generation;
}

/* What `asked` comes to on this checkpoint: *settled, whose size is set before, has no as_checkpoint
 * left; its rules are asked's or live as long as the engine, and a max_new_tokens of 0 leaves the
 * length to their max_length. Errors: ARGUMENT (a value of the caller's), FORMAT (one of the
 * checkpoint's, named by file and field, with which generate() fails too). */
LLAVAOV_API LlavaovStatus llavaov_engine_generation(const LlavaovEngine *engine,
    const LlavaovGeneration *asked, LlavaovGeneration *settled, LlavaovError *error);

/* ---- choices ---- */

/* How else a label may be spelled; the probabilities of all spellings of a label are added up. */
typedef enum LlavaovVariant {
    LLAVAOV_VARIANT_CASE = 1 << 0,  /* with the case of its first character changed: Yes for yes */
    LLAVAOV_VARIANT_SPACE = 1 << 1, /* behind a space */
    LLAVAOV_VARIANT_ALL = (1 << 2) - 1
} LlavaovVariant;

/* Labels of which one is the answer. Nothing is generated: what counts is how probable the model
 * finds it that its answer begins with each label. Where a label begins with another one ("no
 * person", "no"), the shorter one counts where the longer one does not follow. */
typedef struct LlavaovChoices {
    size_t size;
    /* 2 to 64 labels of at most 16 tokens between '|', such as "yes|no"; white space around them
     * does not count. Their order changes no bit of the answer. */
    const char *labels;
    uint32_t variants; /* a set of LlavaovVariant; what another label spells itself is no variant */
    /* Not 0: "Answer with one of: no, yes." is added to the prompt in a line of its own, in the
     * order of the labels' bytes. Not for a request with messages. */
    uint32_t hint;
    double temperature; /* > 0: divides the logarithms of the probabilities before they are
                           normalised; makes them as reliable as they say, and changes no order */
    double min_mass;    /* 0 to 1: with a label_mass below it the answer is not valid */
} LlavaovChoices;

/* Both cases, no hint, temperature 1, min_mass 0.05. */
static inline LlavaovChoices llavaov_choices_default(const char *labels)
{
    const LlavaovChoices choices = {
        sizeof(LlavaovChoices), labels, LLAVAOV_VARIANT_CASE, 0, 1, 0.05};
    return choices;
}

/* Whether the engine's model can be asked with these; engine NULL: as far as that can be said
 * without one. Errors: ARGUMENT about "choices", "choices-variants", "choices-temperature" or
 * "choices-min-mass". */
LLAVAOV_API LlavaovStatus llavaov_choices_check(
    const LlavaovEngine *engine, const LlavaovChoices *choices, LlavaovError *error);

/* Which of `choices`, written as LlavaovChoices.labels, `labels` names, written in the same way: bit i
 * for the i-th, in the order in which choices are given; *n is how many choices there are. `option` is
 * what errors call `labels`. Errors: ARGUMENT about "choices" or about the option, also where a label
 * is there twice or none of the choices; MEMORY. */
LLAVAOV_API LlavaovStatus llavaov_choices_select(const char *choices, const char *labels,
    const char *option, uint64_t *selected, size_t *n, LlavaovError *error);

/* What the model makes of labels; arrays are in the order in which these were given. */
typedef struct LlavaovChosen {
    const char *const *labels;
    const double *logprobs; /* ln P(label), of all answers there are; temperature plays no part */
    const double *probabilities; /* among the labels, with the temperature: they sum to 1 */
    size_t n;
    size_t winner;     /* the likeliest label; its text is the answer's */
    double confidence; /* probabilities[winner] */
    double label_mass; /* the sum of all P(label): how much of the model's mind is on the labels */
    bool argmax_is_label; /* left alone it would begin with a label, token by token the likeliest */
    bool valid;           /* label_mass >= min_mass */
    const char *wanted; /* what it would begin with: up to a label's end, or the first token that is
                            no label's */
} LlavaovChosen;

/* ---- histories ---- */

/* A conversation up to an answer, to ask on: what was asked about which frames, what was answered, and
 * the keys and values that were computed for it. Immutable; any number of requests may go on from one,
 * at the same time too. It keeps its engine and its frames.
 *
 * The prompt of a request that goes on is what the chat template makes of the whole conversation. The
 * keys and values of the ids that it begins with are taken over; where the template prints earlier
 * turns otherwise than it did (as the released ones do: "assistant \n" for "assistant\n"), the rest is
 * computed anew. Where it prints them as it did, the answer keeps the tokens that were generated, also if
 * its text would be cut into others. */
typedef struct LlavaovHistory LlavaovHistory;

LLAVAOV_API LlavaovHistory *llavaov_history_ref(LlavaovHistory *history);
/* NULL is allowed. The last reference frees it: as llavaov_engine_unref() for its engine. */
LLAVAOV_API void llavaov_history_unref(LlavaovHistory *history);
/* Gives the memory of its keys and values back; a request that goes on from it computes them anew. */
LLAVAOV_API void llavaov_history_trim(LlavaovHistory *history);

/* ---- answers that are JSON ---- */

/* A JSON schema, compiled: an answer to it is one document that it describes, in one spelling (one
 * space behind ":" and ",", all fields in the order of the schema), whole before max_new_tokens. The
 * errors name what is not supported. Immutable and independent of any engine. */
typedef struct LlavaovJsonSchema LlavaovJsonSchema;

/* What counts where a schema names no maxLength and no maxItems (or a least one above it). */
#define LLAVAOV_JSON_MAX_LENGTH 200
#define LLAVAOV_JSON_MAX_ITEMS 16

/* Errors are about the option "json-schema" and name the place as a JSON pointer: ARGUMENT (no
 * schema, or one that no document fits), UNSUPPORTED (a keyword or a bound beyond what is
 * supported; nothing is ignored). The caller owns one reference. */
LLAVAOV_API LlavaovStatus llavaov_json_schema_open(
    const char *text, LlavaovJsonSchema **schema, LlavaovError *error);
LLAVAOV_API LlavaovJsonSchema *llavaov_json_schema_ref(LlavaovJsonSchema *schema);
/* NULL is allowed */
LLAVAOV_API void llavaov_json_schema_unref(LlavaovJsonSchema *schema);

/* The number of tokens that an answer to the schema needs at least: what max_new_tokens must allow.
 * Takes a moment the first time that an engine is asked about any schema. Errors: UNSUPPORTED, when
 * the checkpoint's tokenizer has no tokens for single bytes; MEMORY. */
LLAVAOV_API LlavaovStatus llavaov_engine_json_tokens(
    LlavaovEngine *engine, const LlavaovJsonSchema *schema, uint32_t *tokens, LlavaovError *error);

/* What the model makes of a value of a document that an enum or a boolean lists (or null, where that
 * may stand there, too). Events are the tokens that spell a value, a string's without the quote at
 * its end, behind what was written before the token that decided. */
typedef struct LlavaovJsonValue {
    const char *path;          /* a JSON pointer to it in the document; "" is the document itself */
    const char *const *values; /* all that may stand there, as JSON, sorted by their bytes */
    const double *logprobs;    /* ln P(value); neither settings nor the schema play a part */
    const double *probabilities; /* among the values: they sum to 1 */
    size_t n;
    size_t written;    /* values[written] is in the document; not always the likeliest */
    double confidence; /* probabilities[written] */
    double label_mass; /* the sum of all P(value) */
} LlavaovJsonValue;

/* ---- the answer ---- */

typedef enum LlavaovFinishReason {
    LLAVAOV_FINISH_STOP,     /* the model ended its answer, or a JSON document is complete */
    LLAVAOV_FINISH_LENGTH,   /* max_new_tokens, or the context is full */
    LLAVAOV_FINISH_CANCELLED /* status is not OK: ERROR_CANCELLED, or what failed; text holds what
                                there was */
} LlavaovFinishReason;

/* The result of one request; valid only during on_done. status != OK: error is filled,
 * finish_reason is FINISH_CANCELLED, text is what there was. A cancelled request has the status
 * ERROR_CANCELLED. */
typedef struct LlavaovAnswer {
    LlavaovStatus status;
    LlavaovError error;
    LlavaovFinishReason finish_reason;
    const char *text; /* valid UTF-8 */
    size_t text_bytes;
    const int32_t *tokens;     /* the new tokens, stop token included */
    const int32_t *prompt_ids; /* prompt_tokens of them; NULL: it failed before there were any */
    uint32_t new_tokens, prompt_tokens;
    uint64_t first_token_ns; /* from llavaov_session_ask to the first token */
    uint64_t total_ns;       /* from llavaov_session_ask to now */
    /* Time spent computing; encode: of this request's frames, whenever; decode: its share of steps
     * that served several requests. */
    uint64_t encode_ns, prefill_ns, decode_ns;
    /* Of a request with choices that was answered; else NULL. There are no new tokens then, and
     * text is the winner's label. */
    const LlavaovChosen *chosen;
    /* With a json_schema and status OK: the document, which is `text`; else NULL. */
    const char *json;
    /* It was closed early: the model would have written on, but max_new_tokens left just enough to
     * close it. */
    bool truncated;
    /* Of the document's listed values, in its order; those with one value or with more than 64, and
     * those of more than 20 tokens, are left out. */
    const LlavaovJsonValue *const *json_values;
    size_t n_json_values;
    /* Of the request's frames: with the embeddings of another frame (LlavaovFrameSource.reuse_below)
     */
    uint32_t frames_reused;
    uint32_t cached_tokens; /* of the prompt's, taken over from the request's history */
    /* Of a request with keep_history that was answered: the conversation with this answer. Take a
     * reference to keep it. NULL otherwise, and where there is no memory for it. */
    LlavaovHistory *history;
    /* Tokens that were guessed from earlier answers (LlavaovGeneration.without_drafts), and how many
     * of them were right: so many decoding steps less. */
    uint32_t draft_tokens, accepted_tokens;
    uint32_t early_tokens; /* of the prompt's, computed before the question (LlavaovPrefill) */
} LlavaovAnswer;

/* A picture or a clip of a conversation. */
typedef struct LlavaovVisual {
    size_t size; /* the same in all elements of an array */
    /* Of its frames: VIDEO, any number >= 1 in time order; IMAGE (any resolution) or IMAGES (padded
     * to a square), exactly one. */
    LlavaovLayout layout;
    uint32_t reserved;
    LlavaovFrame *const *frames;
    size_t n_frames;
} LlavaovVisual;

/* One of several questions about the same frames; members as in LlavaovRequest. */
typedef struct LlavaovQuestion {
    size_t size; /* the same in all elements of an array */
    const char *prompt;
    const LlavaovGeneration *generation;
    const LlavaovChoices *choices;
    LlavaovJsonSchema *json_schema;
    void (*on_done)(void *data, const LlavaovAnswer *answer);
    void (*on_text)(void *data, const char *text, size_t bytes);
    void *data;
} LlavaovQuestion;

typedef struct LlavaovRequest {
    size_t size;
    const char *prompt;        /* user text: never becomes a special token */
    const char *system_prompt; /* NULL = none; what the template makes of that is its own */
    /* In time order; references are taken; may be empty for a question about text alone. */
    LlavaovFrame *const *frames;
    size_t n_frames;
    void (*on_done)(void *data, const LlavaovAnswer *answer); /* exactly once */
    /* Whole characters as they come; may be NULL. */
    void (*on_text)(void *data, const char *text, size_t bytes);
    void *data;
    const LlavaovGeneration *generation; /* copied; NULL: llavaov_generation_default() */
    LlavaovLayout layout; /* what the frames were pushed with; IMAGE takes exactly one frame */
    uint32_t reserved;
    /* Not NULL: a whole conversation instead of the members above, which must be zero. JSON in the
     * form of OpenAI and transformers:
     *   [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "..."}]}, ...]
     * with parts of type text, image (or image_url) and video in any order; content that is a
     * string counts as one part of text. All of it is the user's: nothing in it becomes a special
     * token. Where parts say "image" or "url", that is not looked at: */
    const char *messages;
    /* one for each part of type image and video, in their order (transformers pads several images
     * of one conversation, LAYOUT_IMAGES, and tiles a single one, LAYOUT_IMAGE) */
    const LlavaovVisual *visuals;
    size_t n_visuals;
    /* NULL, or the window's, of this session; becomes the engine's when llavaov_session_ask
     * succeeds. If nothing has been computed for the request half a second and half a window (1 to
     * 2 s) after the window's end, it ends with ERROR_LATE. */
    LlavaovReservation *reservation;
    /* NULL, or copied: the answer is one of these labels, and generation must be NULL. */
    const LlavaovChoices *choices;
    /* NULL, or what the answer must be; a reference is taken. Tokens that the schema refuses are
     * excluded after penalty and rules, before temperature, top-k and top-p. Where the rules leave
     * none that it allows, they do not count for that token; stop tokens end nothing before the
     * document is complete. ARGUMENT: max_new_tokens is less than llavaov_engine_json_tokens. */
    LlavaovJsonSchema *json_schema;
    /* Not NULL: 1 to 32 questions, each with an answer of its own, in place of prompt, messages and
     * all members that LlavaovQuestion has, which must be zero. What their prompts have in common up
     * to the end of the frames is computed once, and then they are answered together; on the CPU each
     * gets the bits that it would get alone. answer->prefill_ns and decode_ns are a question's share.
     * The ticket is that of all; reservation, frames and system_prompt are, too. */
    const LlavaovQuestion *questions;
    size_t n_questions;
    /* Not NULL: prompt is one more turn of this conversation, which is of a session of the same engine,
     * and of this session if it has frames; frames (or none) are those of the new turn. system_prompt
     * and messages must be NULL. A reference is taken. */
    LlavaovHistory *history;
    uint32_t keep_history; /* not 0: the answer comes with its history */
    uint32_t reserved_end;
} LlavaovRequest;

typedef struct LlavaovTicket LlavaovTicket;

/* Queues a question. Strings and the array are copied. ticket may be NULL. Argument errors are
 * returned here; all others arrive in on_done. */
LLAVAOV_API LlavaovStatus llavaov_session_ask(LlavaovSession *session,
    const LlavaovRequest *request, LlavaovTicket **ticket, LlavaovError *error);
/* on_done follows with ERROR_CANCELLED and FINISH_CANCELLED, unless the answer is complete already.
 */
LLAVAOV_API void llavaov_ticket_cancel(LlavaovTicket *ticket);
LLAVAOV_API void llavaov_ticket_unref(LlavaovTicket *ticket);

/* Asks once and waits for the answer, in a session of its own. The images become the request's
 * frames in their order, and are read until it returns; the request's frames, visuals, questions, on_done and
 * reservation must be zero. On success *answer is the text, for the caller to free(); otherwise
 * NULL. Never from a callback of the engine. Errors: those of llavaov_session_ask and of its
 * answers. */
LLAVAOV_API LlavaovStatus llavaov_engine_ask(LlavaovEngine *engine, const LlavaovRequest *request,
    const LlavaovImage *images, size_t n_images, char **answer, LlavaovError *error);

#ifdef __cplusplus
}
#endif
#endif
