/* SPDX-License-Identifier: Apache-2.0
 * generate, choose: one answer through the public interface, as an application would get it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/try.h"
#include "serve/session.h"
#include "tool.h"

typedef struct Waiting {
    const ToolOptions *options;
    const LvTokenizer *tokenizer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    LlavaovStatus status;
    LlavaovError *error;
    json_t *answer;
    char *text;
    LlavaovHistory *history; /* a reference, or NULL */
} Waiting;

/* What is asked, for showing it with the answer. */
typedef struct Asked {
    LlavaovJsonSchema *json_schema; /* or NULL */
    const LlavaovChatTemplate *chat_template;
    const LvConversation *conversation; /* NULL: it goes on from a history */
} Asked;

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

/* The prompt and the answer as one text without special tokens, as processor.decode() gives
 * generate()'s result; NULL when there is no memory for it. */
static json_t *whole_text(const LvTokenizer *tokenizer, const LlavaovAnswer *a)
{
    const size_t n = (size_t)a->prompt_tokens + a->new_tokens;
    int32_t *ids = lv_alloc(n, sizeof *ids);
    char *text = NULL;
    size_t bytes = 0;
    json_t *json = NULL;
    if (!ids)
        return NULL;
    memcpy(ids, a->prompt_ids, a->prompt_tokens * sizeof *ids);
    memcpy(ids + a->prompt_tokens, a->tokens, a->new_tokens * sizeof *ids);
    if (lv_tokenizer_decode(tokenizer, ids, n, true, &text, &bytes, NULL) == LLAVAOV_OK)
        json = json_stringn(text, bytes);
    lv_free(text);
    lv_free(ids);
    return json;
}

static void on_done(void *data, const LlavaovAnswer *a)
{
    static const char *const reasons[] = {"stop", "length", "cancelled"};
    Waiting *w = data;
    json_t *answer = json_pack("{s:o s:s s:o s:i s:i s:i s:i s:I s:I s:I s:I s:I}", "text",
        json_stringn(a->text, a->text_bytes), "finish-reason", reasons[a->finish_reason], "tokens",
        tool_json_ids(a->tokens, a->new_tokens), "prompt-tokens", (int)a->prompt_tokens,
        "new-tokens", (int)a->new_tokens, "draft-tokens", (int)a->draft_tokens, "accepted-tokens",
        (int)a->accepted_tokens, "first-token-ns", (json_int_t)a->first_token_ns, "total-ns",
        (json_int_t)a->total_ns, "encode-ns", (json_int_t)a->encode_ns, "prefill-ns",
        (json_int_t)a->prefill_ns, "decode-ns", (json_int_t)a->decode_ns);
    if (a->json) {
        json_object_set_new(answer, "json", json_string(a->json));
        json_object_set_new(answer, "truncated", json_boolean(a->truncated));
    }
    if (a->status == LLAVAOV_OK && !a->chosen)
        json_object_set_new(answer, "generated-text", whole_text(w->tokenizer, a));
    LlavaovStatus status = a->chosen ? tool_add_chosen(answer, a->chosen)
                           : a->json ? tool_add_json_values(answer, a)
                                     : LLAVAOV_OK;
    if (w->options->n_then)
        json_object_set_new(answer, "cached-tokens", json_integer(a->cached_tokens));
    pthread_mutex_lock(&w->lock);
    w->history = a->history ? llavaov_history_ref(a->history) : NULL;
    w->status = a->status;
    if (a->status != LLAVAOV_OK)
        *w->error = a->error;
    else if (status != LLAVAOV_OK)
        w->status = lv_fail(w->error, status, NULL, "no memory for the result");
    w->answer = answer;
    w->text = lv_strdup(a->text);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* "generated-text": prompt and answer as one text, without special tokens. */
static LlavaovStatus add_whole_text(
    const ToolOptions *o, const Asked *asked, const char *text, json_t *answer, LlavaovError *error)
{
    char *prompt;
    LlavaovStatus status =
        tool_prompt_text(o, asked->chat_template, asked->conversation, &prompt, error);
    if (status != LLAVAOV_OK)
        return status;
    const size_t bytes = strlen(prompt) + strlen(text) + 1;
    char *whole = lv_alloc(bytes, 1);
    if (whole)
        snprintf(whole, bytes, "%s%s", prompt, text);
    if (!whole || json_object_set_new(answer, "generated-text", json_string(whole)) != 0)
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the result");
    lv_free(whole);
    lv_free(prompt);
    return status;
}

/* Asks and prints the answer; *history (or NULL) is the caller's to unref. */
static LlavaovStatus ask_once(const ToolOptions *o, LlavaovSession *session, const Asked *asked,
    LlavaovRequest request, LlavaovHistory **history, LlavaovError *error)
{
    Waiting w = {.options = o,
        .tokenizer = session->engine->tokenizer,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .error = error};
    LlavaovStatus status;
    request.generation = o->choices.labels ? NULL : &o->generation;
    request.choices = o->choices.labels ? &o->choices : NULL;
    request.json_schema = asked->json_schema;
    request.on_text = o->stream ? on_text : NULL;
    request.on_done = on_done;
    request.data = &w;
    request.keep_history = o->n_then > 0;
    *history = NULL;
    LV_TRY(llavaov_session_ask(session, &request, NULL, error));
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    *history = w.history;
    LV_TRY(w.status);
    if (o->json) {
        if (!request.choices && asked->conversation)
            LV_TRY(add_whole_text(o, asked, w.text ? w.text : "", w.answer, error));
        LV_TRY(tool_print_json(o, json_incref(w.answer), error));
    } else {
        printf("%s\n", o->stream || !w.text ? "" : w.text);
        if (request.choices)
            tool_print_chosen(w.answer);
    }
done:
    json_decref(w.answer);
    lv_free(w.text);
    return status;
}

/* ... and what goes on from it. */
static LlavaovStatus ask(const ToolOptions *o, LlavaovSession *session, const Asked *asked,
    LlavaovRequest request, LlavaovError *error)
{
    const Asked on = {.json_schema = asked->json_schema, .chat_template = asked->chat_template};
    LlavaovHistory *history, *next;
    LlavaovStatus status = ask_once(o, session, asked, request, &history, error);
    for (uint32_t i = 0; i < o->n_then && status == LLAVAOV_OK; i++) {
        const LlavaovRequest follow_up = {
            .size = sizeof follow_up, .prompt = o->then[i], .history = history};
        if (!history) {
            status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a conversation");
            break;
        }
        status = ask_once(o, session, &on, follow_up, &next, error);
        llavaov_history_unref(history);
        history = next;
    }
    llavaov_history_unref(history);
    return status;
}

/* Pushes pictures; *n counts the frames. */
static LlavaovStatus push(LlavaovSession *session, const LlavaovImage *images, size_t n_images,
    LlavaovLayout layout, LlavaovFrame **frames, size_t *n, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < n_images && status == LLAVAOV_OK; i++) {
        const LlavaovFrameSource source = {.size = sizeof source,
            .map = map_picture,
            .data = (void *)&images[i],
            .layout = layout,
            .encode = LLAVAOV_ENCODE_ON_DEMAND};
        status = llavaov_session_push_frame(session, &source, &frames[*n], error);
        *n += status == LLAVAOV_OK;
    }
    return status;
}

static void drop(LlavaovFrame **frames, size_t n)
{
    for (size_t i = 0; i < n; i++)
        llavaov_frame_unref(frames[i]);
    lv_free(frames);
}

/* One answer about n pictures, printed. */
static LlavaovStatus answer(const ToolOptions *o, LlavaovSession *session,
    const LlavaovChatTemplate *chat_template, LlavaovJsonSchema *json_schema,
    const LlavaovImage *images, size_t n, LlavaovError *error)
{
    const bool video = o->layout == LLAVAOV_LAYOUT_VIDEO;
    LvConversation conversation = {0};
    const Asked asked = {json_schema, chat_template, &conversation};
    LlavaovStatus status;
    size_t n_frames = 0;
    LlavaovFrame **frames = lv_calloc(n, sizeof *frames);
    if (!frames)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for frames"));
    LV_TRY(lv_conversation_ask(
        o->system, o->prompt, video ? 0 : n, video && n > 0, &conversation, error));
    LV_TRY(push(session, images, n, tool_layout_for(o, n), frames, &n_frames, error));
    const LlavaovRequest request = {.size = sizeof request,
        .layout = tool_layout_for(o, n),
        .frames = frames,
        .n_frames = n_frames,
        .system_prompt = o->system,
        .prompt = o->prompt};
    LV_TRY(ask(o, session, &asked, request, error));
done:
    lv_conversation_free(&conversation);
    drop(frames, n_frames);
    return status;
}

/* The answer to a conversation, printed. */
static LlavaovStatus answer_messages(const ToolOptions *o, LlavaovSession *session,
    const LlavaovChatTemplate *chat_template, LlavaovJsonSchema *json_schema,
    const ToolMessages *messages, LlavaovError *error)
{
    const Asked asked = {json_schema, chat_template, &messages->conversation};
    const size_t n_visuals = messages->conversation.n_media;
    LlavaovStatus status;
    size_t n_frames = 0, n = 0;
    for (size_t i = 0; i < n_visuals; i++)
        n += messages->pictures[i].n;
    LlavaovFrame **frames = lv_calloc(n, sizeof *frames);
    LlavaovVisual *visuals = lv_alloc(n_visuals, sizeof *visuals);
    if (!frames || !visuals)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for frames"));
    for (size_t i = 0; i < n_visuals; i++) {
        const ToolPictures *pictures = &messages->pictures[i];
        visuals[i] = (LlavaovVisual){.size = sizeof(LlavaovVisual),
            .layout = messages->conversation.media[i].video ? LLAVAOV_LAYOUT_VIDEO
                                                            : messages->image_layout,
            .frames = frames + n_frames,
            .n_frames = pictures->n};
        LV_TRY(push(
            session, pictures->images, pictures->n, visuals[i].layout, frames, &n_frames, error));
    }
    const LlavaovRequest request = {.size = sizeof request,
        .messages = messages->text,
        .visuals = visuals,
        .n_visuals = n_visuals};
    LV_TRY(ask(o, session, &asked, request, error));
done:
    lv_free(visuals);
    drop(frames, n_frames);
    return status;
}

/* --json-schema, compiled. */
static LlavaovStatus read_schema(
    const ToolOptions *o, LlavaovJsonSchema **schema, LlavaovError *error)
{
    char *text;
    size_t bytes;
    LlavaovStatus status = lv_file_read(o->schema_file, LV_MAX_SCHEMA_BYTES, &text, &bytes, error);
    if (status == LLAVAOV_OK)
        status = llavaov_json_schema_open(text, schema, error);
    lv_free(text);
    return status;
}

static LlavaovStatus answer_all(const ToolOptions *o, LlavaovError *error)
{
    ToolPictures pictures = {0};
    ToolMessages messages = {0};
    LlavaovSessionOptions session_options = {.size = sizeof session_options};
    LlavaovEngine *engine = NULL;
    LlavaovSession *session = NULL;
    LlavaovJsonSchema *json_schema = NULL;
    LlavaovStatus status;
    if (!o->prompt && !o->messages_file)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "prompt",
            "--prompt or --messages is wanted"));
    if (o->messages_file && o->n_arguments > 0)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "with --messages the pictures are those that the messages name"));
    if (o->schema_file)
        LV_TRY(read_schema(o, &json_schema, error));
    LV_TRY(tool_open_template(o, &session_options.chat_template, error));
    if (o->messages_file)
        LV_TRY(tool_read_messages(o, &messages, error));
    LV_TRY(tool_read_pictures(o, &pictures, error));
    if (o->every && (pictures.n == 0 || pictures.n % o->every != 0))
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "every",
            "%zu pictures cannot be divided into windows of %u", pictures.n, o->every));
    if ((o->every || o->n_then) && o->out)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            o->every ? "every" : "then", "several answers go to standard output"));
    LV_TRY(tool_open_engine(o, &engine, error));
    LV_TRY(llavaov_session_open(engine, &session_options, &session, error));
    if (o->messages_file) {
        LV_TRY(answer_messages(
            o, session, session_options.chat_template, json_schema, &messages, error));
        goto done;
    }
    const size_t each = o->every ? o->every : pictures.n;
    size_t at = 0;
    do { /* also about no picture at all */
        LV_TRY(answer(o, session, session_options.chat_template, json_schema, pictures.images + at,
            each, error));
        at += each;
    } while (at < pictures.n);
done:
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    llavaov_chat_template_unref(session_options.chat_template);
    llavaov_json_schema_unref(json_schema);
    tool_free_pictures(&pictures);
    tool_free_messages(&messages);
    return status;
}

static LlavaovStatus contradiction(LlavaovError *error, const char *option, const char *text)
{
    return lv_fail_about(
        error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, option, "%s: %s", option, text);
}

LlavaovStatus tool_generate(const ToolOptions *o, LlavaovError *error)
{
    if (o->choices.labels)
        return contradiction(error, "choices", "generate does not choose; choose does");
    return answer_all(o, error);
}

LlavaovStatus tool_choose(const ToolOptions *o, LlavaovError *error)
{
    if (!o->choices.labels)
        return contradiction(error, "choices", "labels are wanted, such as --choices 'yes|no'");
    if (o->own || o->greedy)
        return contradiction(error, "choices",
            "nothing is generated, so that max-new-tokens, greedy, temperature, top-k, top-p and "
            "repetition-penalty have no meaning");
    LlavaovStatus status = llavaov_choices_check(NULL, &o->choices, error);
    return status == LLAVAOV_OK ? answer_all(o, error) : status;
}
