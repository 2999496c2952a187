/* SPDX-License-Identifier: Apache-2.0
 * generate: one answer through the public interface, as an application would get it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/try.h"
#include "tool.h"

typedef struct Waiting {
    const ToolOptions *options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    LlavaovStatus status;
    LlavaovError *error;
    json_t *answer;
    char *text;
} Waiting;

static LlavaovStatus map_picture(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = *(const LlavaovImage *)data;
    return LLAVAOV_OK;
}

static void on_text(void *data, const char *text, size_t bytes)
{
    fwrite(text, 1, bytes, stdout);
    fflush(stdout);
}

static void on_done(void *data, const LlavaovAnswer *a)
{
    static const char *const reasons[] = {"stop", "length", "cancelled"};
    Waiting *w = data;
    json_t *answer = json_pack("{s:o s:s s:o s:i s:i s:I s:I s:I s:I s:I}", "text",
        json_stringn(a->text, a->text_bytes), "finish-reason", reasons[a->finish_reason], "tokens",
        tool_json_ids(a->tokens, a->new_tokens), "prompt-tokens", (int)a->prompt_tokens,
        "new-tokens", (int)a->new_tokens, "first-token-ns", (json_int_t)a->first_token_ns,
        "total-ns", (json_int_t)a->total_ns, "encode-ns", (json_int_t)a->encode_ns, "prefill-ns",
        (json_int_t)a->prefill_ns, "decode-ns", (json_int_t)a->decode_ns);
    pthread_mutex_lock(&w->lock);
    w->status = a->status;
    if (a->status != LLAVAOV_OK)
        *w->error = a->error;
    w->answer = answer;
    w->text = lv_strdup(a->text);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* One answer about n pictures, printed. */
static LlavaovStatus answer(const ToolOptions *o, LlavaovSession *session,
    const LlavaovImage *images, size_t n, LlavaovError *error)
{
    Waiting w = {.options = o,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .error = error};
    LlavaovStatus status = LLAVAOV_OK;
    size_t n_frames = 0;
    LlavaovFrame **frames = lv_calloc(n, sizeof *frames);
    if (!frames)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for frames"));
    for (; n_frames < n; n_frames++) {
        const LlavaovFrameSource source = {.map = map_picture, .data = (void *)&images[n_frames]};
        LV_TRY(llavaov_session_push_frame(
            session, &source, o->layout, LLAVAOV_ENCODE_ON_DEMAND, NULL, &frames[n_frames], error));
    }
    const LlavaovRequest request = {.layout = o->layout,
        .frames = frames,
        .n_frames = n_frames,
        .system_prompt = o->system,
        .prompt = o->prompt,
        .generation = o->generation,
        .on_text = o->stream ? on_text : NULL,
        .on_done = on_done,
        .data = &w};
    LV_TRY(llavaov_session_ask(session, &request, NULL, error));
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    LV_TRY(w.status);
    if (o->json)
        LV_TRY(tool_print_json(o, json_incref(w.answer), error));
    else
        printf("%s\n", o->stream || !w.text ? "" : w.text);
done:
    json_decref(w.answer);
    lv_free(w.text);
    for (size_t i = 0; i < n_frames; i++)
        llavaov_frame_unref(frames[i]);
    lv_free(frames);
    return status;
}

LlavaovStatus tool_generate(const ToolOptions *o, LlavaovError *error)
{
    const LlavaovEngineOptions options = {.model_path = o->model,
        .device = o->device,
        .precision = o->precision,
        .resize = o->resize,
        .threads = o->threads,
        .cpu_mask = o->cpu_mask};
    ToolPictures pictures = {0};
    LlavaovEngine *engine = NULL;
    LlavaovSession *session = NULL;
    LlavaovStatus status;
    if (!o->prompt)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "prompt", "--prompt is wanted"));
    LV_TRY(tool_read_pictures(o, &pictures, error));
    if (o->every && (pictures.n == 0 || pictures.n % o->every != 0))
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "every",
            "%zu pictures cannot be divided into windows of %u", pictures.n, o->every));
    if (o->every && o->out)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "every",
            "the answers about several windows go to standard output"));
    LV_TRY(llavaov_engine_open(&options, &engine, error));
    const char *notice = llavaov_engine_info(engine)->generation_notice;
    if (notice && !o->greedy)
        fprintf(stderr, "llavaov-tool: warning: %s\n", notice);
    LV_TRY(llavaov_session_open(engine, NULL, &session, error));
    const size_t each = o->every ? o->every : pictures.n;
    size_t at = 0;
    do { /* also about no picture at all */
        LV_TRY(answer(o, session, pictures.images + at, each, error));
        at += each;
    } while (at < pictures.n);
done:
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    tool_free_pictures(&pictures);
    return status;
}
