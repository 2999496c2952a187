/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_source.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/config.h"
#include "checkpoint/json.h"
#include "text/chat_folder.h"

static LlavaovStatus take_builtin(LvChatFinder *f, const char *name)
{
    const char *text = lv_chat_builtin(name);
    char file[32];
    snprintf(file, sizeof file, "(%s)", name);
    return lv_chat_found(f, lv_strdup(text), strlen(text), file);
}

static LlavaovStatus is_original_layout(LvChatFinder *f, bool *original)
{
    char *path = lv_chat_path(f->folder, "config.json"), *text = NULL;
    size_t bytes;
    if (!path)
        return lv_chat_no_memory(f);
    LvConfig config;
    LlavaovStatus status = lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status == LLAVAOV_OK) {
        status = lv_config_parse(text, bytes, path, &config, f->error);
        lv_free(text);
    }
    if (status == LLAVAOV_OK) {
        *original = config.original_layout;
        lv_config_free(&config);
    }
    lv_free(path);
    return status;
}

static LlavaovStatus find_default(LvChatFinder *f)
{
    LvChatSource *source = f->source;
    LlavaovStatus status = lv_chat_take_own(f, "default");
    if (status != LLAVAOV_OK)
        return status;
    if (source->text) {
        const char *slash = strrchr(source->file, '/');
        snprintf(source->why, sizeof source->why, "%.120s, the checkpoint's own",
            slash ? slash + 1 : source->file);
        return LLAVAOV_OK;
    }
    bool original = false;
    status = is_original_layout(f, &original);
    if (status != LLAVAOV_OK)
        return status;
    if (!original)
        return lv_fail(f->error, LLAVAOV_ERROR_UNSUPPORTED, LV_CHAT_SUBJECT,
            "%s holds no chat template (processor_config.json, chat_template.json or "
            "chat_template.jinja): set chat-template to a file, or to hub, conversion or qwen_1_5",
            f->folder);
    snprintf(source->why, sizeof source->why,
        "qwen_1_5, since the checkpoint is in the lmms-lab layout and holds none");
    return take_builtin(f, "qwen_1_5");
}

/* ---- the user's choice ---- */

/* Reports an error as one about the user's choice. */
static LlavaovStatus blame_choice(LvChatFinder *f, LlavaovStatus status)
{
    if (!f->error || status == LLAVAOV_ERROR_MEMORY)
        return status;
    char cause[sizeof f->error->message];
    snprintf(cause, sizeof cause, "%s", f->error->message);
    return lv_fail_about(f->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, LV_CHAT_SUBJECT,
        LV_CHAT_SUBJECT "=\"%.160s\": %.560s", f->choice, cause);
}

LlavaovStatus lv_chat_source_parse(
    const char *text, size_t bytes, const char *file, LvChatSource *source, LlavaovError *error)
{
    *source = (LvChatSource){0};
    LvChatFinder f = {NULL, file, source, error};
    LlavaovStatus status = lv_chat_take_text(&f, text, bytes, file);
    if (status != LLAVAOV_OK)
        lv_chat_source_free(source);
    return status;
}

static LlavaovStatus take_chosen_file(LvChatFinder *f)
{
    char *text;
    size_t bytes;
    LlavaovStatus status = lv_file_read(f->choice, LV_MAX_CONFIG_BYTES, &text, &bytes, f->error);
    if (status != LLAVAOV_OK)
        return status;
    status = lv_chat_take_text(f, text, bytes, f->choice);
    lv_free(text);
    return status;
}

static LlavaovStatus find_chosen(LvChatFinder *f)
{
    LvChatSource *source = f->source;
    if (!*f->choice)
        return lv_fail_about(f->error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            LV_CHAT_SUBJECT, LV_CHAT_SUBJECT "=\"\": a file, or hub, conversion or qwen_1_5");
    if (lv_chat_builtin(f->choice)) {
        snprintf(source->why, sizeof source->why, "%s, as chosen", f->choice);
        return take_builtin(f, f->choice);
    }
    LlavaovStatus status = take_chosen_file(f);
    if (status == LLAVAOV_OK) {
        snprintf(source->why, sizeof source->why, "%.200s, as chosen", f->choice);
        return LLAVAOV_OK;
    }
    LlavaovError ignored;
    LvChatFinder own = *f;
    own.error = &ignored;
    if (!strchr(f->choice, '/') && lv_chat_take_own(&own, f->choice) == LLAVAOV_OK &&
        source->text) {
        lv_error_clear(f->error);
        snprintf(source->why, sizeof source->why, "the checkpoint's %.120s, as chosen", f->choice);
        return LLAVAOV_OK;
    }
    return blame_choice(f, status);
}

LlavaovStatus lv_chat_source_find(
    const char *folder, const char *choice, LvChatSource *source, LlavaovError *error)
{
    *source = (LvChatSource){0};
    LlavaovError own; /* blame_choice reads it */
    lv_error_clear(&own);
    LvChatFinder f = {folder, choice, source, &own};
    LlavaovStatus status = choice ? find_chosen(&f) : find_default(&f);
    if (status != LLAVAOV_OK) {
        lv_chat_source_free(source);
        if (error)
            *error = own;
    }
    return status;
}

void lv_chat_source_free(LvChatSource *source)
{
    lv_free(source->text);
    lv_free(source->file);
    *source = (LvChatSource){0};
}
