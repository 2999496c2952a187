/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/session.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"
#include "model/try.h"
#include "picture/layout.h"
#include "serve/frame.h"
#include "serve/question.h"
#include "serve/request.h"

LlavaovStatus llavaov_session_open(LlavaovEngine *engine, const LlavaovSessionOptions *given,
    LlavaovSession **session_out, LlavaovError *error)
{
    *session_out = NULL;
    LlavaovSessionOptions options = {0};
    if (given) {
        LlavaovStatus status =
            lv_struct_read(&options, sizeof options, given, "LlavaovSessionOptions", error);
        if (status != LLAVAOV_OK)
            return status;
    }
    LlavaovChatTemplate *chat_template =
        options.chat_template ? options.chat_template : engine->chat_template;
    if (!chat_template) {
        if (error)
            *error = engine->template_error;
        return engine->template_error.status;
    }
    LlavaovSession *session = lv_calloc(1, sizeof *session);
    if (!session)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a session");
    session->chat_template = llavaov_chat_template_ref(chat_template);
    session->engine = lv_engine_keep(engine);
    session->on_frame = options.on_frame;
    session->arrival.mode = options.prefill;
    session->data = options.data;
    lv_list_init(&session->frames);
    lv_list_init(&session->contents);
    lv_list_init(&session->to_prepare);
    lv_list_init(&session->to_encode);
    lv_list_init(&session->requests);
    lv_list_init(&session->events);
    lv_admission_stream_init(&session->admission);
    pthread_mutex_lock(&engine->lock);
    lv_list_append(&engine->sessions, &session->in_engine);
    pthread_mutex_unlock(&engine->lock);
    *session_out = session;
    return LLAVAOV_OK;
}

static void cancel_all(LlavaovSession *session)
{
    if (session->arrival.growing)
        lv_cancel_request(&session->engine->slice.cancel);
    LlavaovTicket *request;
    LV_LIST_EACH(&session->requests, LlavaovTicket, in_session, request)
    lv_request_cancel(request);
    LlavaovFrame *frame;
    LV_LIST_EACH(&session->frames, LlavaovFrame, in_session, frame)
    lv_frame_cancel(frame);
}

void llavaov_session_cancel(LlavaovSession *session)
{
    pthread_mutex_lock(&session->engine->lock);
    cancel_all(session);
    pthread_mutex_unlock(&session->engine->lock);
}

void llavaov_session_close(LlavaovSession *session)
{
    if (!session)
        return;
    LlavaovEngine *engine = session->engine;
    pthread_mutex_lock(&engine->lock);
    session->closing = true;
    cancel_all(session);
    while (session->working > 0 || session->delivering || !lv_list_empty(&session->events)) {
        if (!session->delivering && !lv_list_empty(&session->events))
            lv_event_deliver(session);
        else
            pthread_cond_wait(&engine->idle, &engine->lock);
    }
    /* What callers still hold becomes an empty shell; what is in a slice will by its end. */
    while (!lv_list_empty(&session->frames)) {
        LlavaovFrame *frame = LV_LIST_FIRST(&session->frames, LlavaovFrame, in_session);
        LvDeferredFrees frees = {0};
        if (!frame->in_slice)
            frees = lv_frame_detach(frame);
        lv_list_remove(&frame->in_session);
        frame->session = NULL;
        pthread_mutex_unlock(&engine->lock);
        lv_frame_release(engine, &frees);
        pthread_mutex_lock(&engine->lock);
    }
    lv_contents_close(session);
    lv_drafts_close(&session->drafts);
    lv_arrival_close(&session->arrival);
    lv_admission_leave(&engine->admission, &session->admission);
    lv_list_remove(&session->in_active);
    lv_list_remove(&session->in_pictures);
    lv_list_remove(&session->in_engine);
    pthread_mutex_unlock(&engine->lock);
    llavaov_chat_template_unref(session->chat_template);
    lv_free(session);
    llavaov_engine_unref(engine);
}

LlavaovStatus llavaov_session_stats(LlavaovSession *session, LlavaovSessionStats *stats)
{
    pthread_mutex_lock(&session->engine->lock);
    const LlavaovSessionStats all = session->stats;
    pthread_mutex_unlock(&session->engine->lock);
    return lv_struct_write(stats, &all, sizeof all, "LlavaovSessionStats", NULL);
}

LlavaovStatus llavaov_session_prompt_tokens(
    LlavaovSession *session, const LlavaovPrompt *given, uint32_t *tokens, LlavaovError *error)
{
    LlavaovPrompt prompt;
    LlavaovStatus status = lv_struct_read(&prompt, sizeof prompt, given, "LlavaovPrompt", error);
    if (status != LLAVAOV_OK)
        return status;
    const LlavaovLayout layout = prompt.layout;
    const size_t n_frames = prompt.n_frames;
    const LlavaovEngine *engine = session->engine;
    const LvConfig *config = engine->model->config;
    LvConversation conversation = {0};
    LvTokens ids = {0};
    LvChatVisual *visuals = NULL;
    if (n_frames > LV_MAX_FRAMES_PER_REQUEST)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "frames",
            "%zu frames, at most %u in one request", n_frames, LV_MAX_FRAMES_PER_REQUEST));
    if (!prompt.text)
        LV_TRY(lv_fail_about(
            error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "prompt", "there is no prompt"));
    const bool video = layout == LLAVAOV_LAYOUT_VIDEO;
    const size_t n_visuals = video ? n_frames > 0 : n_frames;
    if (n_visuals > 0)
        LV_TRY(lv_layout_check(config, layout, error));
    LvAnyresPlan plan = {0};
    if (layout == LLAVAOV_LAYOUT_IMAGE && n_visuals > 0)
        LV_TRY(lv_anyres_plan(config, prompt.width, prompt.height, &plan, error));
    const uint64_t each = video                            ? lv_video_tokens(config, n_frames)
                          : layout == LLAVAOV_LAYOUT_IMAGE ? plan.n_tokens
                                                           : lv_multi_image_tokens(config);
    /* The placeholders of one visual are one id repeated, so one of each stands for all. */
    visuals = lv_alloc(n_visuals, sizeof *visuals);
    if (!visuals)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt"));
    for (size_t i = 0; i < n_visuals; i++)
        visuals[i] = (LvChatVisual){video, 1};
    LV_TRY(lv_conversation_ask(prompt.system_prompt, prompt.text, video ? 0 : n_visuals,
        video ? n_visuals : 0, &conversation, error));
    LV_TRY(lv_question_ids(
        engine, session->chat_template, &conversation, visuals, n_visuals, &ids, NULL, error));
    const uint64_t total = ids.n + n_visuals * (each - 1);
    *tokens = total > UINT32_MAX ? UINT32_MAX : (uint32_t)total;
done:
    lv_tokens_free(&ids);
    lv_conversation_free(&conversation);
    lv_free(visuals);
    return status;
}
