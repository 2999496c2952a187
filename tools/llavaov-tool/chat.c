/* SPDX-License-Identifier: Apache-2.0
 * template, and what other commands need of conversations. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "model/try.h"
#include "tool.h"

LlavaovStatus tool_open_template(
    const ToolOptions *o, LlavaovChatTemplate **chat_template, LlavaovError *error)
{
    *chat_template = NULL;
    if (!o->model)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model",
            "a checkpoint folder is wanted: -m DIR");
    LlavaovStatus status =
        llavaov_chat_template_open(o->model, o->chat_template, chat_template, error);
    if (status == LLAVAOV_OK)
        fprintf(stderr, "chat template: %s\n", llavaov_chat_template_origin(*chat_template));
    return status;
}

static LlavaovStatus ids_of(const LlavaovChatTemplate *chat_template, LvTokenizer *tokenizer,
    LvPlaceholders placeholders, const LvConversation *conversation, const LvChatVisual *visuals,
    LvJinjaText *text, LvTokens *ids, LlavaovError *error)
{
    LlavaovStatus status;
    LV_TRY(lv_chat_prepare(tokenizer, placeholders, error));
    LV_TRY(lv_chat_template_render(chat_template, conversation, text, error));
    LV_TRY(lv_chat_tokenize(tokenizer, chat_template, text, ids, error));
    LV_TRY(lv_chat_expand(ids, placeholders, visuals, conversation->n_media, NULL, error));
done:
    return status;
}

LlavaovStatus tool_prompt_ids(const ToolOptions *o, LvTokenizer *tokenizer,
    LvPlaceholders placeholders, const char *prompt, const LvChatVisual *visuals, size_t n_visuals,
    LvTokens *ids, LlavaovError *error)
{
    LlavaovChatTemplate *chat_template = NULL;
    LvConversation conversation = {0};
    LvJinjaText text = {0};
    const size_t n_videos = n_visuals > 0 && visuals[0].video ? n_visuals : 0;
    LlavaovStatus status;
    LV_TRY(tool_open_template(o, &chat_template, error));
    LV_TRY(lv_conversation_ask(
        o->system, prompt, n_visuals - n_videos, n_videos, &conversation, error));
    LV_TRY(
        ids_of(chat_template, tokenizer, placeholders, &conversation, visuals, &text, ids, error));
done:
    lv_jinja_text_free(&text);
    lv_conversation_free(&conversation);
    llavaov_chat_template_unref(chat_template);
    return status;
}

LlavaovStatus tool_prompt_text(const ToolOptions *o, const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, char **decoded, LlavaovError *error)
{
    LvTokenizer *tokenizer = NULL;
    LvJinjaText text = {0};
    LvTokens ids = {0};
    size_t bytes;
    LlavaovStatus status;
    *decoded = NULL;
    LV_TRY(tool_open_tokenizer(o, &tokenizer, error));
    LV_TRY(lv_chat_template_render(chat_template, conversation, &text, error));
    LV_TRY(lv_chat_tokenize(tokenizer, chat_template, &text, &ids, error));
    LV_TRY(lv_tokenizer_decode(tokenizer, ids.ids, ids.n, true, decoded, &bytes, error));
done:
    lv_tokens_free(&ids);
    lv_jinja_text_free(&text);
    if (tokenizer)
        lv_tokenizer_close(tokenizer);
    return status;
}

/* ---- template ---- */

/* Those of config.json; a folder without one has those of its tokenizer. */
static LlavaovStatus read_placeholders(const ToolOptions *o, const LvTokenizer *tokenizer,
    LvPlaceholders *placeholders, LlavaovError *error)
{
    char path[4096], *text = NULL;
    size_t bytes;
    LvConfig config;
    if (snprintf(path, sizeof path, "%s/config.json", o->model) >= (int)sizeof path)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model",
            "the folder's name is too long");
    LlavaovStatus status = lv_file_read(path, LV_MAX_CONFIG_BYTES, &text, &bytes, error);
    if (status == LLAVAOV_ERROR_NOT_FOUND) {
        lv_error_clear(error);
        *placeholders = (LvPlaceholders){lv_tokenizer_added_token(tokenizer, "<image>"),
            lv_tokenizer_added_token(tokenizer, "<video>")};
        if (placeholders->image >= 0 && placeholders->video >= 0)
            return LLAVAOV_OK;
        return lv_fail(error, LLAVAOV_ERROR_NOT_FOUND, path,
            "%s: no such file, and the tokenizer has no <image> and <video>", path);
    }
    if (status == LLAVAOV_OK)
        status = lv_config_parse(text, bytes, path, &config, error);
    lv_free(text);
    if (status == LLAVAOV_OK) {
        *placeholders = lv_placeholders(&config);
        lv_config_free(&config);
    }
    return status;
}

static LlavaovStatus read_file(const char *path, char **text, size_t *bytes, LlavaovError *error)
{
    return lv_file_read(path, LV_MAX_MESSAGES_BYTES, text, bytes, error);
}

static LlavaovStatus check_choice(const ToolOptions *o, LlavaovError *error)
{
    if (o->messages_file && (o->prompt || o->system || o->n_images || o->n_videos))
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, "messages",
            "--messages stands in place of --prompt, --system, --images and --videos");
    return LLAVAOV_OK;
}

static LlavaovStatus print_prompt(const ToolOptions *o, const char *origin, const LvJinjaText *text,
    const LvTokens *ids, LlavaovError *error)
{
    json_t *prompt = json_stringn(text->text, text->bytes), *list = tool_json_ids(ids->ids, ids->n);
    if (o->json || o->out)
        return tool_print_json(o,
            json_pack("{s:s s:o s:o}", "template", origin, "prompt", prompt, "ids", list), error);
    char *quoted = prompt ? json_dumps(prompt, JSON_ENCODE_ANY) : NULL;
    if (quoted)
        printf("%s\n", quoted);
    free(quoted);
    json_decref(prompt);
    return tool_print_json(o, list, error);
}

LlavaovStatus tool_template(const ToolOptions *options, LlavaovError *error)
{
    ToolOptions o = *options;
    if (o.n_arguments > 0)
        o.model = o.arguments[0];
    LlavaovChatTemplate *chat_template = NULL;
    LvTokenizer *tokenizer = NULL;
    LvConversation conversation = {0};
    LvChatVisual *visuals = NULL;
    LvPlaceholders placeholders;
    LvJinjaText text = {0};
    LvTokens ids = {0};
    char *json = NULL;
    size_t bytes;
    LlavaovStatus status;
    LV_TRY(check_choice(&o, error));
    LV_TRY(tool_open_template(&o, &chat_template, error));
    LV_TRY(tool_open_tokenizer(&o, &tokenizer, error));
    LV_TRY(read_placeholders(&o, tokenizer, &placeholders, error));
    if (o.messages_file) {
        LV_TRY(read_file(o.messages_file, &json, &bytes, error));
        LV_TRY(lv_conversation_parse(json, bytes, o.messages_file, &conversation, error));
    } else {
        LV_TRY(lv_conversation_ask(
            o.system, o.prompt ? o.prompt : "", o.n_images, o.n_videos, &conversation, error));
    }
    visuals = lv_alloc(conversation.n_media, sizeof *visuals);
    if (!visuals)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt"));
    for (size_t i = 0; i < conversation.n_media; i++)
        visuals[i] = (LvChatVisual){conversation.media[i].video, 1};
    LV_TRY(
        ids_of(chat_template, tokenizer, placeholders, &conversation, visuals, &text, &ids, error));
    LV_TRY(print_prompt(&o, llavaov_chat_template_origin(chat_template), &text, &ids, error));
done:
    lv_tokens_free(&ids);
    lv_jinja_text_free(&text);
    lv_free(visuals);
    lv_conversation_free(&conversation);
    lv_free(json);
    if (tokenizer)
        lv_tokenizer_close(tokenizer);
    llavaov_chat_template_unref(chat_template);
    return status;
}

/* ---- pictures of a conversation ---- */

static LlavaovStatus read_medium(
    const ToolOptions *o, const LvMedium *medium, ToolPictures *pictures, LlavaovError *error)
{
    const char *what = medium->video ? "video" : "image", *source = medium->source;
    if (!source)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, o->messages_file,
            "%s: a part of type %s names no file (\"path\")", o->messages_file, what);
    if (strncmp(source, "file://", 7) == 0)
        source += 7;
    else if (strncmp(source, "data:", 5) == 0 || strstr(source, "://"))
        return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_PROMPT,
            o->messages_file, "%s: \"%.128s\" is no local file", o->messages_file, source);
    ToolOptions one = *o;
    char *arguments[1] = {(char *)source};
    one.arguments = arguments;
    one.n_arguments = 1;
    LlavaovStatus status = tool_read_pictures(&one, pictures, error);
    if (status == LLAVAOV_OK && !medium->video && pictures->n != 1)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, source,
            "%s holds %zu pictures, and an image is one", source, pictures->n);
    return status;
}

LlavaovStatus tool_read_messages(const ToolOptions *o, ToolMessages *messages, LlavaovError *error)
{
    size_t bytes;
    memset(messages, 0, sizeof *messages);
    LlavaovStatus status = check_choice(o, error);
    if (status == LLAVAOV_OK)
        status = read_file(o->messages_file, &messages->text, &bytes, error);
    return status == LLAVAOV_OK ? tool_parse_messages(o, messages, error) : status;
}

LlavaovStatus tool_parse_messages(const ToolOptions *o, ToolMessages *messages, LlavaovError *error)
{
    LvConversation *conversation = &messages->conversation;
    size_t n_images = 0;
    LlavaovStatus status;
    if (!messages->text)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for messages"));
    LV_TRY(lv_conversation_parse(
        messages->text, strlen(messages->text), o->messages_file, conversation, error));
    messages->pictures = lv_calloc(conversation->n_media, sizeof *messages->pictures);
    if (!messages->pictures)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for pictures"));
    for (size_t i = 0; i < conversation->n_media; i++) {
        LV_TRY(read_medium(o, &conversation->media[i], &messages->pictures[i], error));
        n_images += !conversation->media[i].video;
    }
    /* As transformers' processor has it for one conversation, unless --layout says otherwise. */
    messages->image_layout = o->layout != LLAVAOV_LAYOUT_VIDEO ? o->layout
                             : n_images == 1                   ? LLAVAOV_LAYOUT_IMAGE
                                                               : LLAVAOV_LAYOUT_IMAGES;
done:
    if (status != LLAVAOV_OK)
        tool_free_messages(messages);
    return status;
}

void tool_free_messages(ToolMessages *messages)
{
    for (size_t i = 0; messages->pictures && i < messages->conversation.n_media; i++)
        tool_free_pictures(&messages->pictures[i]);
    lv_free(messages->pictures);
    lv_conversation_free(&messages->conversation);
    lv_free(messages->text);
    memset(messages, 0, sizeof *messages);
}
