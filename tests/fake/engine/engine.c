/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <string.h>

#include "base/status.h"
#include "schema/json_schema.h"

static gint n_opened; /* engines ever opened in this process */

static LlavaovStatus read_script(LlavaovEngine *engine, const gchar *device, LlavaovError *error)
{
    const FakeKey keys[] = {{"load-ms", FAKE_NUMBER, &engine->load_ms},
        {"stuck-ms", FAKE_NUMBER, &engine->stuck_ms},
        {"encode-ms", FAKE_NUMBER, &engine->encode_ms},
        {"answer-ms", FAKE_NUMBER, &engine->answer_ms}, {"text-ms", FAKE_NUMBER, &engine->text_ms},
        {"context", FAKE_NUMBER, &engine->context}, {"every", FAKE_NUMBER, &engine->every},
        {"load-error", FAKE_STATUS, &engine->load_error},
        {"ask-error", FAKE_STATUS, &engine->ask_error}, {"slow", FAKE_TEXT, engine->slow}, {0}};

    engine->context = 4096;
    engine->every = 1;
    return fake_is_device(device) ? fake_read(device, keys, NULL, NULL, error) : LLAVAOV_OK;
}

/* The names of what has no options are taken, too: elements have them when no test says otherwise. */
LlavaovStatus llavaov_device_check(const char *device, LlavaovError *error)
{
    if (!device || !*device || fake_is_device(device) || !strcmp(device, "cpu") ||
        !strcmp(device, "auto"))
        return LLAVAOV_OK;
    return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_DEVICE, "device",
        "device=\"%s\": no such device", device);
}

LlavaovStatus llavaov_remote_check(const LlavaovRemoteOptions *options, LlavaovError *error)
{
    return LLAVAOV_OK;
}

/* Takes its time, and fails where it should. */
static LlavaovStatus load(
    LlavaovEngine *engine, const LlavaovEngineOptions *options, LlavaovError *error)
{
    guint step;

    g_usleep(engine->stuck_ms * 1000);
    for (step = 0; step <= 10; step++) {
        if (options->progress && !options->progress(options->progress_data, step, 10))
            return lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "cancelled");
        g_usleep(engine->load_ms * 100);
        if (step == 5 && engine->load_error)
            return lv_fail(error, engine->load_error, "model.safetensors",
                "model.safetensors: tensor broken.weight is not there");
    }
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_engine_open(
    const LlavaovEngineOptions *options, LlavaovEngine **result, LlavaovError *error)
{
    LlavaovEngine *engine = g_new0(LlavaovEngine, 1);
    LlavaovStatus status = read_script(engine, options->device, error);

    *result = NULL;
    engine->refs = 1;
    engine->model_path = g_strdup(options->model_path);
    engine->device = g_strdup(options->device);
    if (status == LLAVAOV_OK)
        status = load(engine, options, error);
    if (status != LLAVAOV_OK) {
        llavaov_engine_unref(engine);
        return status;
    }
    engine->info.model_path = engine->model_path;
    engine->info.model_name = "fake";
    engine->info.device = "cpu";
    g_snprintf(
        engine->detail, sizeof(engine->detail), "engine %d", g_atomic_int_add(&n_opened, 1) + 1);
    engine->info.device_detail = engine->detail;
    engine->info.precision = "f32";
    engine->info.generation_notice = "nobody, somebody";
    engine->info.context_length = engine->context;
    engine->info.load_ns = 1 + engine->load_ms * G_GUINT64_CONSTANT(1000000);
    *result = engine;
    return LLAVAOV_OK;
}

LlavaovEngine *llavaov_engine_ref(LlavaovEngine *engine)
{
    g_atomic_int_inc(&engine->refs);
    return engine;
}

void llavaov_engine_unref(LlavaovEngine *engine)
{
    if (engine == NULL || !g_atomic_int_dec_and_test(&engine->refs))
        return;
    g_free(engine->model_path);
    g_free(engine->device);
    g_free(engine);
}

const LlavaovEngineInfo *llavaov_engine_info(const LlavaovEngine *engine)
{
    return &engine->info;
}

LlavaovStatus llavaov_engine_generation(const LlavaovEngine *engine, const LlavaovGeneration *asked,
    LlavaovGeneration *settled, LlavaovError *error)
{
    *settled = *asked;
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_engine_stats(LlavaovEngine *engine, LlavaovEngineStats *stats)
{
    *stats = (LlavaovEngineStats){.notice = *engine->slow ? engine->slow : NULL};
    return LLAVAOV_OK;
}

/* As if every byte were a token. */
LlavaovStatus llavaov_engine_json_tokens(
    LlavaovEngine *engine, const LlavaovJsonSchema *schema, uint32_t *tokens, LlavaovError *error)
{
    *tokens = lv_json_schema_program(schema)->steps[0].rest;
    return LLAVAOV_OK;
}

/* ---- chat templates ---- */

struct LlavaovChatTemplate {
    gint refs;
    gchar *origin;
};

LlavaovStatus llavaov_chat_template_open(
    const char *model_path, const char *choice, LlavaovChatTemplate **result, LlavaovError *error)
{
    if (choice && !strcmp(choice, "missing"))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "chat-template",
            "chat-template=\"missing\": no such file");
    *result = g_new0(LlavaovChatTemplate, 1);
    (*result)->refs = 1;
    (*result)->origin = g_strdup(choice ? choice : "the fake's own");
    return LLAVAOV_OK;
}

LlavaovChatTemplate *llavaov_chat_template_ref(LlavaovChatTemplate *chat_template)
{
    g_atomic_int_inc(&chat_template->refs);
    return chat_template;
}

void llavaov_chat_template_unref(LlavaovChatTemplate *chat_template)
{
    if (!chat_template || !g_atomic_int_dec_and_test(&chat_template->refs))
        return;
    g_free(chat_template->origin);
    g_free(chat_template);
}

const char *llavaov_chat_template_origin(const LlavaovChatTemplate *chat_template)
{
    return chat_template->origin;
}
