/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/question.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"
#include "model/try.h"
#include "serve/frame.h"

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
}

static LlavaovStatus check_visual(const LlavaovVisual *visual, bool video, size_t index,
    size_t frames_before, LlavaovError *error)
{
    if ((unsigned)visual->layout > LLAVAOV_LAYOUT_IMAGES ||
        video != (visual->layout == LLAVAOV_LAYOUT_VIDEO))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "layout",
            "visual %zu stands for %s and cannot have layout %d", index,
            video ? "a video" : "an image", (int)visual->layout);
    if (visual->n_frames == 0 || (!video && visual->n_frames > 1))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "frames",
            "visual %zu has %zu frames, %s", index, visual->n_frames,
            video ? "a video needs one at least" : "an image has one");
    if (visual->n_frames > LV_MAX_FRAMES_PER_REQUEST - frames_before)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "frames",
            "more than %u frames in one request", LV_MAX_FRAMES_PER_REQUEST);
    return LLAVAOV_OK;
}

static LlavaovStatus add_visual(LvQuestion *q, const LlavaovVisual *visual)
{
    q->visuals[q->n_visuals++] = (LvQuestionVisual){visual->layout, q->n_frames, visual->n_frames};
    memcpy(q->frames + q->n_frames, visual->frames, visual->n_frames * sizeof *q->frames);
    q->n_frames += visual->n_frames;
    return LLAVAOV_OK;
}

/* All of an array have the first one's size. */
static LlavaovStatus read_visual(
    const LlavaovRequest *request, size_t index, LlavaovVisual *visual, LlavaovError *error)
{
    const char *visuals = (const char *)request->visuals;
    return lv_struct_read(
        visual, sizeof *visual, visuals + index * request->visuals->size, "LlavaovVisual", error);
}

/* A conversation with its visuals. */
static LlavaovStatus read_messages(
    const LlavaovRequest *request, LvQuestion *q, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    LlavaovVisual visual;
    size_t n_frames = 0;
    if (request->prompt || request->system_prompt || request->n_frames > 0)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "messages stand in place of prompt, system prompt and frames, not beside them"));
    LV_TRY(lv_conversation_parse(
        request->messages, strlen(request->messages), "messages", &q->conversation, error));
    if (q->conversation.n_media != request->n_visuals)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "the messages hold %zu pictures and clips, %zu are given", q->conversation.n_media,
            request->n_visuals));
    for (size_t i = 0; i < request->n_visuals; i++) {
        LV_TRY(read_visual(request, i, &visual, error));
        LV_TRY(check_visual(&visual, q->conversation.media[i].video, i, n_frames, error));
        n_frames += visual.n_frames;
    }
    q->visuals = lv_alloc(request->n_visuals, sizeof *q->visuals);
    q->frames = lv_calloc(n_frames, sizeof *q->frames);
    if (!q->visuals || !q->frames)
        LV_TRY(no_memory(error));
    for (size_t i = 0; i < request->n_visuals; i++) {
        LV_TRY(read_visual(request, i, &visual, error));
        LV_TRY(add_visual(q, &visual));
    }
done:
    return status;
}

static LlavaovStatus check_frames(
    const LlavaovRequest *request, size_t n_before, LlavaovError *error)
{
    const size_t n = request->n_frames;
    if (n > LV_MAX_FRAMES_PER_REQUEST - n_before)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "frames",
            "%zu frames, at most %u in one request", n + n_before, LV_MAX_FRAMES_PER_REQUEST);
    if (request->layout == LLAVAOV_LAYOUT_IMAGE && n > 1)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "frames",
            "the image layout takes one frame, not %zu", n);
    return LLAVAOV_OK;
}

/* Those of the request behind those of its history. */
static LlavaovStatus add_visuals(const LlavaovRequest *request, size_t n_visuals, LvQuestion *q)
{
    const bool video = request->layout == LLAVAOV_LAYOUT_VIDEO;
    const LlavaovHistory *before = request->history;
    const size_t n_before = before ? before->n_visuals : 0,
                 n_frames = before ? before->n_frames : 0;
    q->visuals = lv_alloc(n_before + n_visuals, sizeof *q->visuals);
    q->frames = lv_calloc(n_frames + request->n_frames, sizeof *q->frames);
    if (!q->visuals || !q->frames)
        return LLAVAOV_ERROR_MEMORY;
    for (size_t i = 0; i < n_before; i++)
        q->visuals[q->n_visuals++] = before->visuals[i];
    for (size_t i = 0; i < n_frames; i++)
        q->frames[q->n_frames++] = before->frames[i];
    for (size_t i = 0; i < n_visuals; i++) {
        const LlavaovVisual visual = {.layout = request->layout,
            .frames = request->frames + i,
            .n_frames = video ? request->n_frames : 1};
        add_visual(q, &visual);
    }
    return LLAVAOV_OK;
}

/* One more question of a conversation. */
static LlavaovStatus read_follow_up(
    const LlavaovRequest *request, LvQuestion *q, LlavaovError *error)
{
    const LlavaovHistory *before = request->history;
    const bool video = request->layout == LLAVAOV_LAYOUT_VIDEO;
    const size_t n_visuals = video ? request->n_frames > 0 : request->n_frames;
    LlavaovStatus status = LLAVAOV_OK;
    if (!request->prompt || request->system_prompt || request->messages || request->n_visuals > 0)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "history",
            "with history there is a prompt, which goes on from there, and no system prompt and no "
            "messages"));
    LV_TRY(check_frames(request, before->n_frames, error));
    LV_TRY(lv_conversation_continue(&before->conversation, request->prompt, video ? 0 : n_visuals,
        video ? n_visuals : 0, &q->conversation, error));
    q->history = llavaov_history_ref(request->history);
    if (add_visuals(request, n_visuals, q) != LLAVAOV_OK)
        LV_TRY(no_memory(error));
done:
    return status;
}

/* One question about frames of one layout. */
static LlavaovStatus read_prompt(const LlavaovRequest *request, LvQuestion *q, LlavaovError *error)
{
    const bool video = request->layout == LLAVAOV_LAYOUT_VIDEO;
    const size_t n = request->n_frames;
    const size_t n_visuals = video ? n > 0 : n;
    LlavaovStatus status = LLAVAOV_OK;
    if (!request->prompt)
        LV_TRY(lv_fail_about(
            error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "prompt", "there is no prompt"));
    if (request->n_visuals > 0)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "visuals",
            "visuals are for a request with messages"));
    LV_TRY(check_frames(request, 0, error));
    LV_TRY(lv_conversation_ask(request->system_prompt, request->prompt, video ? 0 : n,
        video ? n_visuals : 0, &q->conversation, error));
    if (add_visuals(request, n_visuals, q) != LLAVAOV_OK)
        LV_TRY(no_memory(error));
done:
    return status;
}

LlavaovStatus lv_question_read(
    const LlavaovRequest *request, LvQuestion *question, LlavaovError *error)
{
    *question = (LvQuestion){0};
    LlavaovStatus status = request->history    ? read_follow_up(request, question, error)
                           : request->messages ? read_messages(request, question, error)
                                               : read_prompt(request, question, error);
    if (status != LLAVAOV_OK)
        lv_question_free(question);
    return status;
}

LlavaovStatus lv_question_check_frames(
    const LvQuestion *question, const LlavaovSession *session, LlavaovError *error)
{
    for (size_t i = 0; i < question->n_visuals; i++) {
        const LvQuestionVisual *visual = &question->visuals[i];
        for (size_t k = visual->first; k < visual->first + visual->n; k++) {
            if (question->frames[k]->session != session)
                return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "frames",
                    "frame %zu belongs to another session", k);
            if (question->frames[k]->layout != visual->layout)
                return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "layout",
                    "frame %zu was pushed with another layout", k);
        }
    }
    return LLAVAOV_OK;
}

void lv_question_free(LvQuestion *question)
{
    lv_conversation_free(&question->conversation);
    lv_free(question->visuals);
    lv_free(question->frames);
    llavaov_history_unref(question->history);
    *question = (LvQuestion){0};
}

void lv_rendered_free(LvRendered *rendered)
{
    lv_free(rendered->text);
    lv_tokens_free(&rendered->ids);
    *rendered = (LvRendered){0};
}

/* Takes the text. */
static LlavaovStatus keep_rendered(
    LvRendered *rendered, LvJinjaText *text, const LvTokens *ids, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    rendered->text = text->text;
    rendered->bytes = text->bytes;
    text->text = NULL;
    for (size_t i = 0; i < ids->n && status == LLAVAOV_OK; i++)
        status = lv_tokens_append(&rendered->ids, ids->ids[i], error);
    return status;
}

static LlavaovStatus render(const LlavaovEngine *engine, const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, const LlavaovHistory *history, LvTokens *ids,
    LvRendered *rendered, LlavaovError *error)
{
    LvJinjaText text = {0};
    LlavaovStatus status;
    LV_TRY(lv_chat_template_render(chat_template, conversation, &text, error));
    if (history)
        LV_TRY(lv_history_tokenize(history, engine->tokenizer, chat_template, &text, ids, error));
    else
        LV_TRY(lv_chat_tokenize(engine->tokenizer, chat_template, &text, ids, error));
    if (ids->n == 0)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "chat-template",
            "the chat template renders an empty prompt (%s)",
            llavaov_chat_template_origin(chat_template)));
    if (rendered)
        LV_TRY(keep_rendered(rendered, &text, ids, error));
done:
    lv_jinja_text_free(&text);
    return status;
}

LlavaovStatus lv_question_ids(const LlavaovEngine *engine, const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, const LvChatVisual *visuals, size_t n_visuals,
    LvTokens *ids, size_t *order, LlavaovError *error)
{
    LlavaovStatus status = render(engine, chat_template, conversation, NULL, ids, NULL, error);
    return status == LLAVAOV_OK ? lv_chat_expand(ids, lv_placeholders(engine->model->config),
                                      visuals, n_visuals, order, error)
                                : status;
}

/* Of a video that has its newline at the end. */
static bool ends_in_newline(const LvConfig *config, const LvQuestionVisual *visual)
{
    return visual->layout == LLAVAOV_LAYOUT_VIDEO && config->video_newline == LV_NEWLINE_END;
}

static uint32_t count_rows(
    const LvConfig *config, const LvQuestion *question, const LvQuestionVisual *visual)
{
    size_t rows = ends_in_newline(config, visual);
    for (size_t i = visual->first; i < visual->first + visual->n; i++)
        rows += question->frames[i]->content->embeddings.rows;
    return (uint32_t)rows;
}

LlavaovStatus lv_question_prompt(const LlavaovEngine *engine,
    const LlavaovChatTemplate *chat_template, const LvQuestion *question, LvTokens *ids,
    LvTensor *pieces, LvPrompt *prompt, LvRendered *rendered, LlavaovError *error)
{
    const LvPlaceholders placeholders = lv_placeholders(engine->model->config);
    const size_t n_visuals = question->n_visuals;
    LlavaovStatus status = LLAVAOV_OK;
    size_t n = 0;
    LvChatVisual *visuals = lv_alloc(n_visuals, sizeof *visuals);
    size_t *order = lv_alloc(n_visuals, sizeof *order);
    if (!visuals || !order)
        LV_TRY(no_memory(error));
    for (size_t i = 0; i < n_visuals; i++)
        visuals[i] = (LvChatVisual){question->visuals[i].layout == LLAVAOV_LAYOUT_VIDEO,
            count_rows(engine->model->config, question, &question->visuals[i])};
    LV_TRY(render(
        engine, chat_template, &question->conversation, question->history, ids, rendered, error));
    LV_TRY(lv_chat_expand(ids, placeholders, visuals, n_visuals, order, error));
    for (size_t i = 0; i < n_visuals; i++) {
        const LvQuestionVisual *visual = &question->visuals[order[i]];
        for (size_t k = visual->first; k < visual->first + visual->n; k++)
            pieces[n++] = question->frames[k]->content->embeddings;
        if (ends_in_newline(engine->model->config, visual))
            pieces[n++] = engine->model->newline;
    }
    *prompt = (LvPrompt){.ids = ids->ids,
        .n = ids->n,
        .image_token = n_visuals ? placeholders.image : -1,
        .video_token = n_visuals ? placeholders.video : -1,
        .visual = {pieces, n}};
done:
    lv_free(visuals);
    lv_free(order);
    return status;
}
