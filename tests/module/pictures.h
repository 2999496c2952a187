/* SPDX-License-Identifier: Apache-2.0
 * An engine on the CUDA backend whose encoder can be watched and held up, and frames for it. */
#ifndef PICTURES_H
#define PICTURES_H

#include "serve/frame.h"
#include "standin_test.h"

#define TILE 56
#define TILE_BYTES (TILE * TILE * 3)

/* ---- the engine ---- */

/* Where an encoder call is held: before its first operation, behind it. */
typedef enum Hold { HOLD_NONE, HOLD_BEFORE, HOLD_AFTER } Hold;

typedef struct Watch {
    LlavaovEngine *engine;
    LlavaovSession *session;
    LvBackendOps ops;
    const LvBackendOps *real;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool deny; /* the backend takes no picture */
    Hold hold; /* of the next encoder call */
    bool reached;
    unsigned held, released;         /* holds so far, and how many of them are over */
    unsigned calls, pictures, tiles; /* that came to the encoder */
} Watch;
extern Watch watch;

/* Group setup: the model, in random_model. */
int write_picture_model(void **state);

/* `wishes`: of the stand-in (standin.c). */
LlavaovStatus try_engine(
    LlavaovPrecision precision, LlavaovResize resize, const char *wishes, LlavaovError *error);
void open_engine(LlavaovPrecision precision, LlavaovResize resize, const char *wishes);
/* Nothing is left on the device. */
void close_engine(void);
/* One that has seen no picture. */
void renew_session(void);

void hold_next(Hold hold);
void wait_held(void);
void let_go(void);

/* ---- frames ---- */

/* `number` varies pixels, gaps between rows, matrix and range. */
typedef struct Kind {
    LlavaovPixelFormat format;
    uint32_t width, height;
    unsigned number;
} Kind;

typedef struct Shot {
    LlavaovImage image;
    uint8_t *pixels[3];
    LlavaovFrame *frame;
    bool prepared, encoded, failed;
} Shot;

/* A session's callback; a frame's data is its Shot. */
void on_frame(void *data, void *frame_data, LlavaovFrameStage stage);

/* Noise. */
void draw(Shot *shot, Kind kind);
/* What the backend keeps is its own: unmapping frees the pixels. */
LlavaovFrameSource source_of(Shot *shot);

/* Draws and pushes. */
void push(Shot *shot, Kind kind, LlavaovLayout layout, LlavaovEncode encode);
void push_to(
    LlavaovSession *session, Shot *shot, Kind kind, LlavaovLayout layout, LlavaovEncode encode);
/* A frame that the encoder stops at; let_go() lets it go on. */
void push_held(Shot *shot, Hold hold);
void drop(Shot *shot);

/* No callback of the session runs or will; with `threads`, no other thread works for it or at a
 * call of the encoder either. A frame that is dropped now is freed here. */
void wait_quiet(bool threads);
void wait_prepared(Shot *shot);
void wait_settled(Shot *shot);

/* Its embeddings once they are there, to be freed; the frame goes. */
float *embeddings(Shot *shot, size_t *n);
/* Bytes of the session's frames that wait to be encoded. */
uint64_t waiting(void);

/* Encodes the pictures in one call, `taken` of them by the backend itself. */
enum { MOST_KINDS = 6 };
void encode_all(const Kind *kinds, size_t n, LlavaovLayout layout, unsigned taken, float **values,
    size_t *sizes);

#endif
