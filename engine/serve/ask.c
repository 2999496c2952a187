/* SPDX-License-Identifier: Apache-2.0
 * One question and its answer, for callers that have nothing else to do meanwhile. */
#include <pthread.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"
#include "llavaov.h"

struct AskCall;

typedef struct AskImage {
    const LlavaovImage *image;
    struct AskCall *waiting;
} AskImage;

typedef struct AskCall {
    void (*on_text)(void *data, const char *text, size_t bytes);
    void *data;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t held; /* pictures that may still be read */
    bool done;
    LlavaovStatus status;
    LlavaovError *error; /* may be NULL */
    char *text;
} AskCall;

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = *((const AskImage *)data)->image;
    return LLAVAOV_OK;
}

static void release(void *data)
{
    AskCall *waiting = ((const AskImage *)data)->waiting;
    pthread_mutex_lock(&waiting->lock);
    waiting->held--;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

static void on_text(void *data, const char *text, size_t bytes)
{
    const AskCall *waiting = data;
    waiting->on_text(waiting->data, text, bytes);
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    AskCall *waiting = data;
    pthread_mutex_lock(&waiting->lock);
    waiting->status = answer->status;
    if (answer->status != LLAVAOV_OK) {
        if (waiting->error)
            *waiting->error = answer->error;
    } else if (!(waiting->text = lv_strdup(answer->text)))
        waiting->status =
            lv_fail(waiting->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer");
    waiting->done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

static LlavaovStatus ask(LlavaovSession *session, LlavaovRequest *request, AskImage *pictures,
    LlavaovFrame **frames, AskCall *waiting)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < request->n_frames && status == LLAVAOV_OK; i++) {
        const LlavaovFrameSource source = {.size = sizeof source,
            .map = map,
            .release = release,
            .data = &pictures[i],
            .layout = request->layout};
        pthread_mutex_lock(&waiting->lock);
        waiting->held++;
        pthread_mutex_unlock(&waiting->lock);
        status = llavaov_session_push_frame(session, &source, &frames[i], waiting->error);
    }
    if (status == LLAVAOV_OK)
        status = llavaov_session_ask(session, request, NULL, waiting->error);
    if (status != LLAVAOV_OK)
        return status;
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->done)
        pthread_cond_wait(&waiting->changed, &waiting->lock);
    pthread_mutex_unlock(&waiting->lock);
    return waiting->status;
}

LlavaovStatus llavaov_engine_ask(LlavaovEngine *engine, const LlavaovRequest *given,
    const LlavaovImage *images, size_t n_images, char **answer, LlavaovError *error)
{
    LlavaovRequest request;
    LlavaovSession *session = NULL;
    *answer = NULL;
    LlavaovStatus status = lv_struct_read(&request, sizeof request, given, "LlavaovRequest", error);
    if (status != LLAVAOV_OK)
        return status;
    if (request.frames || request.n_frames || request.on_done || request.reservation ||
        request.visuals || request.questions)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL,
            "llavaov_engine_ask makes the frames and on_done of a request itself, and takes no "
            "visuals, no questions and no reservation");
    AskCall waiting = {.on_text = request.on_text, .data = request.data, .error = error};
    LlavaovFrame **frames = lv_calloc(n_images, sizeof *frames);
    AskImage *pictures = lv_calloc(n_images, sizeof *pictures);
    if (!frames || !pictures) {
        lv_free(frames);
        lv_free(pictures);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for %zu pictures", n_images);
    }
    for (size_t i = 0; i < n_images; i++)
        pictures[i] = (AskImage){&images[i], &waiting};
    request.frames = n_images ? frames : NULL;
    request.n_frames = n_images;
    request.on_done = on_done;
    request.on_text = request.on_text ? on_text : NULL;
    request.data = &waiting;
    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.changed, NULL);
    status = llavaov_session_open(engine, NULL, &session, error);
    if (status == LLAVAOV_OK)
        status = ask(session, &request, pictures, frames, &waiting);
    for (size_t i = 0; i < n_images; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(session);
    pthread_mutex_lock(&waiting.lock);
    while (waiting.held)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    pthread_cond_destroy(&waiting.changed);
    pthread_mutex_destroy(&waiting.lock);
    lv_free(frames);
    lv_free(pictures);
    *answer = waiting.text;
    return status;
}
