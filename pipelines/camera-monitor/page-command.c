/* SPDX-License-Identifier: Apache-2.0 */
#include "page-command.h"

#include <string.h>

static gboolean read_prompt(PageCommand *command, const gchar **wrong)
{
    const json_t *question = json_object_get(command->json, "question");

    command->question = json_string_value(question);
    command->prompt = json_string_value(json_object_get(command->json, "prompt"));
    if (question && !json_is_null(question) && !command->question)
        *wrong = "\"question\" is no text";
    else if (!command->prompt || !*command->prompt)
        *wrong = "\"prompt\" is no text";
    else if (strlen(command->prompt) > PAGE_MOST_PROMPT)
        *wrong = "\"prompt\" is too long";
    return *wrong == NULL;
}

static gboolean read_enabled(PageCommand *command, const gchar **wrong)
{
    const json_t *enabled = json_object_get(command->json, "enabled");

    command->enabled = json_is_true(enabled);
    if (!json_is_boolean(enabled))
        *wrong = "\"enabled\" is true or false";
    return *wrong == NULL;
}

/* Of the element's own values: it says itself what it does not take. */
static gboolean read_ask(PageCommand *command, const gchar **wrong)
{
    const char *key;
    json_t *value;

    if (json_object_size(command->json) > 32)
        *wrong = "too many members";
    json_object_foreach(command->json, key, value)
    {
        if (!*key || strspn(key, "abcdefghijklmnopqrstuvwxyz-") != strlen(key))
            *wrong = "a member is no field of a question";
        if (json_is_string(value) && strlen(json_string_value(value)) > PAGE_MOST_PROMPT)
            *wrong = "a text is too long";
    }
    return *wrong == NULL;
}

static const struct {
    const gchar *path;
    PageCommandKind kind;
    gboolean (*read)(PageCommand *command, const gchar **wrong);
} commands[] = {
    {"/api/prompt", PAGE_PROMPT, read_prompt},
    {"/api/enabled", PAGE_ENABLED, read_enabled},
    {"/api/ask", PAGE_ASK, read_ask},
};

gboolean page_command_read(PageCommand *command, const gchar *path, const gchar *body, gsize length,
    guint *status, gchar **wrong)
{
    const gchar *what = NULL;
    json_error_t error;
    guint i = 0;

    memset(command, 0, sizeof(*command));
    *wrong = NULL;
    *status = 404;
    while (i < G_N_ELEMENTS(commands) && strcmp(commands[i].path, path) != 0)
        i++;
    if (i == G_N_ELEMENTS(commands)) {
        *wrong = g_strdup("There is no such thing here.");
        return FALSE;
    }
    *status = 400;
    command->kind = commands[i].kind;
    command->json = json_loadb(body, length, JSON_REJECT_DUPLICATES, &error);
    command->camera = json_string_value(json_object_get(command->json, "camera"));
    if (!command->json)
        what = error.text;
    else if (!json_is_object(command->json))
        what = "an object is wanted";
    else if (!command->camera)
        what = "\"camera\" is no text";
    else if (commands[i].read(command, &what))
        return TRUE;
    *wrong = g_strdup(what);
    page_command_clear(command);
    return FALSE;
}

void page_command_clear(PageCommand *command)
{
    json_decref(command->json);
    command->json = NULL;
}
