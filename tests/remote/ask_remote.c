/* SPDX-License-Identifier: Apache-2.0
 * Asks servers about windows of a few frames, and tells in JSON what became of each, a line a window.
 *
 *     ask-remote MODEL URL [NAME=NUMBER|NAME=TEXT]...
 *
 * windows, frames, together (how many at once), retries, timeout-ms, silence-ms, again-ms (before a second attempt), wait-ms (from a look at a server that is
 * down to the next), until-ms (a window that ends at once, and the next one then), cancel-ms, pause-ms (between windows),
 * choices, schema, device. */
#define _GNU_SOURCE /* usleep */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/engine.h"

#define MAX_TOGETHER 64
#define MS UINT64_C(1000000)

typedef struct Window {
    json_t *told, *partials;
    uint64_t asked, cancelled, done_at;
    bool done;
} Window;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint8_t pixels[24 * 32 * 3];

static const char *text_of(int argc, char **argv, const char *name, const char *usual)
{
    const size_t n = strlen(name);
    for (int i = 3; i < argc; i++)
        if (!strncmp(argv[i], name, n) && argv[i][n] == '=')
            return argv[i] + n + 1;
    return usual;
}

static uint64_t number(int argc, char **argv, const char *name, uint64_t usual)
{
    const char *text = text_of(argc, argv, name, NULL);
    return text ? strtoull(text, NULL, 10) : usual;
}

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = llavaov_image_packed(LLAVAOV_PIXEL_RGB, 32, 24, pixels);
    return LLAVAOV_OK;
}

static void on_text(void *data, const char *text, size_t bytes)
{
    Window *w = data;
    pthread_mutex_lock(&lock);
    json_array_append_new(w->partials, json_stringn(text, bytes));
    pthread_mutex_unlock(&lock);
}

static void add_chosen(json_t *told, const LlavaovChosen *chosen)
{
    json_t *all = json_array();
    for (size_t i = 0; i < chosen->n; i++)
        json_array_append_new(all, json_real(chosen->probabilities[i]));
    json_object_set_new(told, "probabilities", all);
    json_object_set_new(told, "label_mass", json_real(chosen->label_mass));
    json_object_set_new(told, "wanted", json_string(chosen->wanted));
    json_object_set_new(told, "argmax_is_label", json_boolean(chosen->argmax_is_label));
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Window *w = data;
    pthread_mutex_lock(&lock);
    w->done_at = lv_now_ns();
    w->told = json_pack("{s:s, s:s, s:s, s:i, s:i, s:O}", "status",
        llavaov_status_name(answer->status), "text", answer->text, "message",
        answer->status == LLAVAOV_OK ? "" : answer->error.message, "prompt_tokens",
        (int)answer->prompt_tokens, "new_tokens", (int)answer->new_tokens, "partials", w->partials);
    json_object_set_new(w->told, "finish",
        json_string(answer->finish_reason == LLAVAOV_FINISH_STOP     ? "stop"
                    : answer->finish_reason == LLAVAOV_FINISH_LENGTH ? "length"
                                                                     : "cancelled"));
    if (answer->json)
        json_object_set_new(w->told, "json", json_string(answer->json));
    if (answer->chosen)
        add_chosen(w->told, answer->chosen);
    w->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void fail(const LlavaovError *error)
{
    printf("{\"status\": \"%s\", \"message\": \"%s\"}\n", llavaov_status_name(error->status),
        error->message);
    exit(0);
}

static LlavaovTicket *ask(LlavaovSession *session, Window *w, int argc, char **argv)
{
    static unsigned n_asked;
    const size_t n = number(argc, argv, "frames", 2);
    LlavaovFrame *frames[128];
    LlavaovTicket *ticket = NULL;
    LlavaovError error;
    const char *labels = text_of(argc, argv, "choices", NULL),
               *schema = text_of(argc, argv, "schema", NULL);
    LlavaovChoices choices = llavaov_choices_default(labels);
    LlavaovRequest request = {.size = sizeof request,
        .prompt = "What is shown?",
        .frames = frames,
        .n_frames = n,
        .on_done = on_done,
        .on_text = labels ? NULL : on_text,
        .data = w,
        .choices = labels ? &choices : NULL};
    if (number(argc, argv, "until-ms", 0))
        request.reservation =
            llavaov_session_reserve(session, 0, number(argc, argv, "until-ms", 0) * MS);
    for (size_t i = 0; i < n; i++) {
        pixels[0] = (uint8_t)++n_asked;
        const LlavaovFrameSource source = {.size = sizeof source, .map = map};
        if (llavaov_session_push_frame(session, &source, &frames[i], &error) != LLAVAOV_OK)
            fail(&error);
    }
    if (schema && llavaov_json_schema_open(schema, &request.json_schema, &error) != LLAVAOV_OK)
        fail(&error);
    *w = (Window){.partials = json_array(), .asked = lv_now_ns()};
    if (llavaov_session_ask(session, &request, &ticket, &error) != LLAVAOV_OK)
        fail(&error);
    llavaov_json_schema_unref(request.json_schema);
    for (size_t i = 0; i < n; i++)
        llavaov_frame_unref(frames[i]);
    return ticket;
}

static void tell(Window *w)
{
    pthread_mutex_lock(&lock);
    while (!w->done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    const uint64_t since = w->cancelled ? w->cancelled : w->asked;
    json_object_set_new(w->told, "ms", json_real((double)(w->done_at - since) / (double)MS));
    json_dumpf(w->told, stdout, 0);
    printf("\n");
    fflush(stdout);
    json_decref(w->told);
    json_decref(w->partials);
}

int main(int argc, char **argv)
{
    const LlavaovRemoteOptions remote = {.size = sizeof remote,
        .url = argv[2],
        .timeout_ns = number(argc, argv, "timeout-ms", 30000) * MS,
        .retries = (uint32_t)number(argc, argv, "retries", 2)};
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = argv[1],
        .device = text_of(argc, argv, "device", "remote"),
        .remote = &remote};
    LlavaovEngine *engine;
    LlavaovSession *session;
    LlavaovError error;
    if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK ||
        llavaov_session_open(engine, NULL, &session, &error) != LLAVAOV_OK)
        fail(&error);
    const uint64_t wait = number(argc, argv, "wait-ms", 60000) * MS;
    if (engine->remote)
        lv_remote_set_times(engine->remote,
            &(LvRemoteTimes){1000 * MS, number(argc, argv, "silence-ms", 10000) * MS,
                number(argc, argv, "again-ms", 20) * MS, wait, 4 * wait});
    const size_t n = number(argc, argv, "windows", 1), together = number(argc, argv, "together", 1);
    const uint64_t cancel = number(argc, argv, "cancel-ms", 0);
    for (size_t done = 0; done < n; done += together) {
        static Window windows[MAX_TOGETHER];
        LlavaovTicket *tickets[MAX_TOGETHER];
        for (size_t i = 0; i < together; i++)
            tickets[i] = ask(session, &windows[i], argc, argv);
        if (cancel)
            usleep((useconds_t)(1000 * cancel));
        for (size_t i = 0; i < together; i++) {
            if (cancel) {
                windows[i].cancelled = lv_now_ns();
                llavaov_ticket_cancel(tickets[i]);
            }
            tell(&windows[i]);
            llavaov_ticket_unref(tickets[i]);
        }
        usleep((useconds_t)(1000 * number(argc, argv, "pause-ms", 0)));
    }
    llavaov_session_close(session);
    llavaov_engine_unref(engine);
    return 0;
}
