/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/content.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "picture/same.h"

LvContent *lv_content_new(LlavaovLayout layout)
{
    LvContent *content = lv_calloc(1, sizeof *content);
    if (content) {
        content->refs = 1;
        content->layout = layout;
    }
    return content;
}

static size_t pixel_bytes(const LvContent *content)
{
    const LvTiles *tiles = &content->tiles;
    return tiles->rgb ? (size_t)tiles->n * tiles->image_size * tiles->image_size * 3 : 0;
}

/* The session's account that it stands in: it waits for the encoder, or is kept to be compared with.
 */
static uint64_t *account(LvContent *content)
{
    return content->encoded ? &content->session->kept_bytes : &content->session->tile_bytes;
}

static uint64_t bytes(const LvContent *content)
{
    return pixel_bytes(content) + (content->picture ? content->picture->bytes : 0) +
           content->payload.n;
}

/* Of those that may lose their pixels it becomes the last one, if it is one of them. */
static void set_kept(LvContent *content)
{
    LlavaovEngine *engine = content->session->engine;
    const LvTensor *rows = &content->embeddings;
    lv_list_remove(&content->in_kept);
    engine->kept_bytes -= content->kept_bytes;
    content->kept_bytes = 0;
    if (!content->encoded || !content->tiles.rgb || content->stays)
        return;
    lv_list_append(&engine->kept, &content->in_kept);
    content->kept_bytes =
        pixel_bytes(content) + (uint64_t)rows->rows * rows->stride * lv_dtype_bytes(rows->dtype);
    engine->kept_bytes += content->kept_bytes;
}

LvContentFrees lv_content_set_encoded(LvContent *content)
{
    LvContentFrees frees = {.picture = content->picture, .features = content->features};
    if (content->session)
        *account(content) -= bytes(content);
    content->picture = NULL;
    memset(&content->features, 0, sizeof content->features);
    content->encoded = true;
    if (content->session) {
        *account(content) += bytes(content);
        set_kept(content);
    }
    return frees;
}

LvContentFrees lv_content_reset(LvContent *content)
{
    LvContentFrees frees = {.features = content->features, .embeddings = content->embeddings};
    memset(&content->features, 0, sizeof content->features);
    memset(&content->embeddings, 0, sizeof content->embeddings);
    content->tiles_done = 0;
    return frees;
}

void lv_content_release(LlavaovEngine *engine, LvContentFrees *frees)
{
    if (frees->picture)
        engine->backend->ops->picture_free(engine->backend, frees->picture);
    if (frees->features.data)
        engine->backend->ops->kept_tensor_free(engine->backend, &frees->features);
    if (frees->embeddings.data)
        engine->backend->ops->kept_tensor_free(engine->backend, &frees->embeddings);
}

static void leave(LvContent *content)
{
    if (!content->session)
        return;
    *account(content) -= bytes(content);
    lv_list_remove(&content->in_kept);
    content->session->engine->kept_bytes -= content->kept_bytes;
    content->kept_bytes = 0;
    lv_list_remove(&content->in_session);
    content->session = NULL;
}

/* The reference that the session has of it, if it has one, is the caller's to drop. */
static bool take_latest(LvContent *content)
{
    LvContent **latest = content->session->latest;
    for (size_t i = 0; i < LV_LATEST_CONTENTS; i++)
        if (latest[i] == content) {
            const size_t rest = LV_LATEST_CONTENTS - 1 - i;
            memmove(latest + i, latest + i + 1, rest * sizeof *latest);
            latest[LV_LATEST_CONTENTS - 1] = NULL;
            return true;
        }
    return false;
}

LvContent *lv_content_drop(LvContent *content)
{
    if (!content)
        return NULL;
    content->refs--;
    /* What nobody shows is not kept to be encoded. */
    if (content->refs == 1 && content->session && !content->encoded && take_latest(content))
        content->refs--;
    if (content->refs > 0)
        return NULL;
    leave(content);
    return content;
}

void lv_content_free(LlavaovEngine *engine, LvContent *content)
{
    if (!content)
        return;
    LvContentFrees frees = {content->picture, content->features, content->embeddings};
    lv_content_release(engine, &frees);
    lv_tiles_free(&content->tiles);
    lv_payload_free(&content->payload);
    lv_free(content);
}

/* Lock held, dropped meanwhile. */
static void drop_now(LlavaovEngine *engine, LvContent *content)
{
    content = lv_content_drop(content);
    if (!content)
        return;
    pthread_mutex_unlock(&engine->lock);
    lv_content_free(engine, content);
    pthread_mutex_lock(&engine->lock);
}

/* ---- which one a frame shows ---- */

static bool comparable(const LvContent *a, const LvContent *b)
{
    return a && a->tiles.rgb && b->tiles.rgb && a->layout == b->layout &&
           lv_tiles_alike(&a->tiles, &b->tiles);
}

/* With the same hash; the caller compares the bytes. */
static LvContent *find_hash(LlavaovSession *session, const LvContent *made)
{
    LvContent *content;
    LV_LIST_EACH(&session->contents, LvContent, in_session, content)
    if (content->hash == made->hash && comparable(content, made))
        return content;
    return NULL;
}

/* Puts it before the others of the last few, with a reference. */
static void note_latest(LlavaovSession *session, LvContent *content, double reuse_below)
{
    LvContent **latest = session->latest, *last = latest[0], *out;
    if (!content->tiles.rgb)
        return;
    if (take_latest(content))
        content->refs--;
    if (last && last != content && last->stays) {
        last->stays = false;
        set_kept(last);
    }
    out = latest[LV_LATEST_CONTENTS - 1];
    memmove(latest + 1, latest, (LV_LATEST_CONTENTS - 1) * sizeof *latest);
    latest[0] = content;
    content->refs++;
    content->stays = reuse_below > 0;
    set_kept(content);
    drop_now(session->engine, out);
}

/* The content whose pixels have to go next, or NULL. */
static LvContent *find_oldest(LlavaovSession *session)
{
    const LlavaovEngine *engine = session->engine;
    LvContent *content;
    if (session->kept_bytes > LV_MAX_KEPT_TILE_BYTES)
        LV_LIST_EACH(&session->contents, LvContent, in_session, content)
    if (content->encoded && content->tiles.rgb)
        return content;
    /* But never the last one of all. */
    return engine->kept_bytes > LV_MAX_KEPT_BYTES &&
                   engine->kept.head.next != engine->kept.head.previous
               ? LV_LIST_FIRST(&engine->kept, LvContent, in_kept)
               : NULL;
}

static void trim(LlavaovSession *session)
{
    LlavaovEngine *engine = session->engine;
    LvContent *oldest;
    while ((oldest = find_oldest(session))) {
        LvTiles tiles = {.rgb = oldest->tiles.rgb};
        oldest->session->kept_bytes -= pixel_bytes(oldest);
        oldest->tiles.rgb = NULL;
        set_kept(oldest);
        const bool kept = take_latest(oldest);
        pthread_mutex_unlock(&engine->lock);
        lv_tiles_free(&tiles);
        pthread_mutex_lock(&engine->lock);
        if (kept)
            drop_now(engine, oldest);
    }
}

/* The nearly equal one goes first, and is the last frame's alone: what is shared then does not depend
 * on how long others were held. Nobody else takes pixels away or adds contents meanwhile. */
static LvContent *find(LlavaovSession *session, const LvContent *made, double reuse_below)
{
    LlavaovEngine *engine = session->engine;
    if (!made->tiles.rgb)
        return NULL;
    LvContent *last =
        reuse_below > 0 && comparable(session->latest[0], made) ? session->latest[0] : NULL;
    LvContent *equal = find_hash(session, made);
    if (last)
        last->refs++;
    if (equal)
        equal->refs++;
    pthread_mutex_unlock(&engine->lock);
    const bool near = last && lv_tiles_difference(&last->tiles, &made->tiles) < reuse_below;
    const bool is_equal = !near && equal && lv_tiles_equal(&equal->tiles, &made->tiles);
    pthread_mutex_lock(&engine->lock);
    if (!near)
        drop_now(engine, last);
    if (!is_equal)
        drop_now(engine, equal);
    return near ? last : is_equal ? equal : NULL;
}

LvContent *lv_content_share(LlavaovSession *session, LvContent *made, double reuse_below)
{
    LvContent *content = find(session, made, reuse_below);
    if (content) {
        drop_now(session->engine, made);
    } else {
        content = made;
        content->session = session;
        lv_list_append(&session->contents, &content->in_session);
        *account(content) += bytes(content);
    }
    note_latest(session, content, reuse_below);
    trim(session);
    return content;
}

void lv_contents_close(LlavaovSession *session)
{
    LvContent *content;
    while ((content = session->latest[0])) {
        take_latest(content);
        drop_now(session->engine, content);
    }
    LV_LIST_EACH(&session->contents, LvContent, in_session, content)
    leave(content);
}
