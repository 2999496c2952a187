/* SPDX-License-Identifier: Apache-2.0
 * Prompts of conversations over stdin and stdout, for comparing them with the reference in bulk.
 *
 *     chat_batch FOLDER      a folder with a tokenizer and the small files around it
 *
 * A line of input is JSON: {"template": a choice or null, "messages": [...]}. A line of output is
 * {"prompt": "...", "ids": [...]}, with one id for each placeholder, or {"error": "..."}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "text/chat.h"

/* The template in use, which is that of the line before more often than not. */
typedef struct Current {
    char choice[1024];
    LlavaovChatTemplate *chat_template;
} Current;

static LlavaovStatus choose(
    Current *current, const char *folder, const char *choice, LlavaovError *error)
{
    if (current->chat_template && strcmp(current->choice, choice ? choice : "") == 0)
        return LLAVAOV_OK;
    llavaov_chat_template_unref(current->chat_template);
    snprintf(current->choice, sizeof current->choice, "%s", choice ? choice : "");
    return llavaov_chat_template_open(folder, choice, &current->chat_template, error);
}

static LlavaovStatus encode(const LvTokenizer *tokenizer, const LlavaovChatTemplate *chat_template,
    const char *messages, LvJinjaText *text, LvTokens *ids, LlavaovError *error)
{
    LvConversation conversation;
    LlavaovStatus status =
        lv_conversation_parse(messages, strlen(messages), "messages", &conversation, error);
    if (status == LLAVAOV_OK)
        status = lv_chat_template_render(chat_template, &conversation, text, error);
    if (status == LLAVAOV_OK)
        status = lv_chat_tokenize(tokenizer, chat_template, text, ids, error);
    lv_conversation_free(&conversation);
    return status;
}

static json_t *answer(
    const LvTokenizer *tokenizer, Current *current, const char *folder, const json_t *request)
{
    LlavaovError error = {0};
    LvJinjaText text = {0};
    LvTokens ids = {0};
    json_t *reply = json_object(), *list = json_array();
    char *messages = json_dumps(json_object_get(request, "messages"), JSON_ENCODE_ANY);
    LlavaovStatus status =
        choose(current, folder, json_string_value(json_object_get(request, "template")), &error);
    if (status == LLAVAOV_OK)
        status = encode(tokenizer, current->chat_template, messages, &text, &ids, &error);
    if (status == LLAVAOV_OK) {
        for (size_t i = 0; i < ids.n; i++)
            json_array_append_new(list, json_integer(ids.ids[i]));
        json_object_set_new(reply, "prompt", json_stringn(text.text, text.bytes));
        json_object_set(reply, "ids", list);
    } else {
        json_object_set_new(reply, "error", json_string(error.message));
    }
    free(messages);
    json_decref(list);
    lv_jinja_text_free(&text);
    lv_tokens_free(&ids);
    return reply;
}

int main(int argc, char **argv)
{
    LvTokenizer *tokenizer = NULL;
    LlavaovError error = {0};
    if (argc != 2 || lv_tokenizer_open_folder(argv[1], &tokenizer, &error) != LLAVAOV_OK) {
        fprintf(stderr, "chat_batch: %s\n", argc == 2 ? error.message : "give one folder");
        return 1;
    }
    Current current = {.chat_template = NULL};
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL);
        json_t *reply = answer(tokenizer, &current, argv[1], request);
        json_dumpf(reply, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(reply);
        json_decref(request);
    }
    free(line);
    llavaov_chat_template_unref(current.chat_template);
    lv_tokenizer_close(tokenizer);
    return 0;
}
