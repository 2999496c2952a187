/* SPDX-License-Identifier: Apache-2.0
 * What frames show: one prepared picture, encoded once for all frames of a session that show it. A
 * frame whose prepared bytes equal those of a content that the session still has shares that one, so
 * that a camera that is frozen, repeats frames or is black costs one encoder call; with
 * LlavaovFrameSource.reuse_below also one that is nearly the picture before.
 *
 * The session has what its living frames show, and the last few contents besides. To be compared
 * with, a content keeps its pixels when it is encoded. The oldest of a session lose theirs where all
 * together exceed LV_MAX_KEPT_TILE_BYTES, and those of an engine that were shown longest ago where
 * it exceeds LV_MAX_KEPT_BYTES, so that many streams keep no more than few; what no frame shows then
 * goes altogether. The last one of a stream with reuse_below stays, since what that takes for the
 * same must not depend on other streams. Pictures that the backend took (CUDA) are not compared. */
#ifndef LV_CONTENT_H
#define LV_CONTENT_H

#include "picture/picture.h"
#include "remote/payload.h"
#include "serve/session.h"

struct LvContent {
    LlavaovSession *session; /* NULL: it is not shared yet, or the session has closed */
    LvLink in_session;
    LvLink in_kept;      /* of the engine */
    uint64_t kept_bytes; /* in the engine's account */
    bool stays;          /* the last one of a stream with reuse_below */
    unsigned refs;       /* of frames, and of the session for the last few */
    LlavaovLayout layout;
    uint64_t hash; /* of tiles with pixels */
    LvTiles tiles; /* without pixels where the backend has the picture, or where they had to go */
    LvPicture *picture;  /* or NULL; until it is encoded */
    LvPayload payload;   /* device "remote": the picture as it is sent */
    bool in_slice;       /* the encoder reads and writes all that follows */
    LvTensor features;   /* LAYOUT_IMAGE between slices: of the tiles encoded so far */
    uint32_t tiles_done; /* in features */
    LvTensor embeddings; /* [tokens, H], as they enter the decoder */
    bool encoded;        /* they are complete, and nothing here changes any more but the pixels */
};

/* Empty, with one reference; NULL: no memory. */
LvContent *lv_content_new(LlavaovLayout layout);

/* The content for a frame that was prepared as `made`, whose one reference is given away: another
 * one of the session that shows the same, or made itself. The caller gets a reference. reuse_below:
 * LlavaovFrameSource.reuse_below. Lock held, dropped meanwhile; the picture thread alone, which has
 * the session pinned. */
LvContent *lv_content_share(LlavaovSession *session, LvContent *made, double reuse_below);

/* What is freed with the lock dropped when a content is encoded, or could not be. */
typedef struct LvContentFrees {
    LvPicture *picture;
    LvTensor features, embeddings;
} LvContentFrees;

/* After an encoder call: complete, or back to what was prepared. Lock held. */
LvContentFrees lv_content_set_encoded(LvContent *content);
LvContentFrees lv_content_reset(LvContent *content);
void lv_content_release(LlavaovEngine *engine, LvContentFrees *frees);

/* Drops a reference; the content, when it was the last one, for lv_content_free (lock not held); or
 * NULL. content may be NULL. Lock held. */
LvContent *lv_content_drop(LvContent *content);
void lv_content_free(LlavaovEngine *engine, LvContent *content);

/* The session closes: it has no frames any more. Lock held, dropped meanwhile. */
void lv_contents_close(LlavaovSession *session);

#endif
