/* SPDX-License-Identifier: Apache-2.0 */
#include "prompts.h"
#include "properties.h"

#include <stdlib.h>
#include <string.h>

static const gchar *prompt_of(const json_t *question)
{
    const gchar *prompt = json_string_value(json_object_get(question, "prompt"));

    return prompt ? prompt : "";
}

static json_t *questions_of(const ConfigCamera *camera)
{
    const gchar *text = properties_text(camera->properties, "questions"),
                *file = properties_text(camera->properties, "questions-file");
    json_t *questions = text   ? json_loads(text, 0, NULL)
                        : file ? json_load_file(file, 0, NULL)
                               : NULL;

    if (json_is_object(questions) && json_object_size(questions) > 0)
        return questions;
    json_decref(questions);
    return NULL;
}

Prompts *prompts_new(const ConfigCamera *camera)
{
    Prompts *prompts = g_new0(Prompts, 1);
    const gchar *text =
                    camera->prompt ? camera->prompt : properties_text(camera->properties, "prompt"),
                *file = properties_text(camera->properties, "prompt-file");
    const char *name;
    json_t *question;
    guint i = 0;

    prompts->questions = questions_of(camera);
    prompts->n = prompts->questions ? (guint)json_object_size(prompts->questions) : 1;
    prompts->names = g_new0(gchar *, prompts->n + 1);
    prompts->texts = g_new0(gchar *, prompts->n + 1);
    json_object_foreach(prompts->questions, name, question)
    {
        prompts->names[i] = g_strdup(name);
        prompts->texts[i++] = g_strdup(prompt_of(question));
    }
    if (prompts->questions)
        return prompts;
    if (!text && file)
        g_file_get_contents(file, &prompts->texts[0], NULL, NULL);
    if (!prompts->texts[0])
        prompts->texts[0] = g_strdup(text);
    g_strchomp(prompts->texts[0] ? prompts->texts[0] : (gchar[]){0});
    return prompts;
}

gboolean prompts_set(Prompts *prompts, const gchar *name, const gchar *text)
{
    for (guint i = 0; i < prompts->n; i++) {
        if (g_strcmp0(prompts->names[i], name) != 0 && (name || prompts->n > 1))
            continue;
        g_free(prompts->texts[i]);
        prompts->texts[i] = g_strdup(text);
        if (prompts->questions)
            json_object_set_new(json_object_get(prompts->questions, prompts->names[i]), "prompt",
                json_string(text));
        return TRUE;
    }
    return FALSE;
}

gboolean prompts_stand_for(const Prompts *prompts, const gchar *property)
{
    if (strcmp(property, "questions-file") == 0)
        return prompts->questions != NULL;
    return strcmp(property, "prompt-file") == 0 && !prompts->questions && prompts->texts[0];
}

void prompts_apply(const Prompts *prompts, GstElement *element)
{
    if (prompts->questions) {
        char *text = json_dumps(prompts->questions, JSON_PRESERVE_ORDER);

        g_object_set(element, "questions", text, NULL);
        free(text);
    } else if (prompts->texts[0]) {
        g_object_set(element, "prompt", prompts->texts[0], NULL);
    }
}

void prompts_free(Prompts *prompts)
{
    g_strfreev(prompts->names);
    for (guint i = 0; i < prompts->n; i++)
        g_free(prompts->texts[i]);
    g_free(prompts->texts);
    json_decref(prompts->questions);
    g_free(prompts);
}
