/* SPDX-License-Identifier: Apache-2.0 */
#include "questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct QuestionsReader {
    QuestionsAsk ask;
    gpointer data;
} QuestionsReader;

typedef struct QuestionsLine {
    QuestionsReader *reader;
    char *text;
} QuestionsLine;

static void set_list(GValue *value, const json_t *list)
{
    const json_t *item;
    size_t i;

    g_value_init(value, GST_TYPE_ARRAY);
    json_array_foreach(list, i, item)
    {
        GValue text = G_VALUE_INIT;

        g_value_init(&text, G_TYPE_STRING);
        g_value_set_string(&text, json_string_value(item));
        gst_value_array_append_and_take_value(value, &text);
    }
}

static void set_field(GstStructure *fields, const char *key, const json_t *json)
{
    GValue value = G_VALUE_INIT;

    if (json_is_integer(json)) {
        g_value_init(&value, G_TYPE_INT64);
        g_value_set_int64(&value, json_integer_value(json));
    } else if (json_is_real(json)) {
        g_value_init(&value, G_TYPE_DOUBLE);
        g_value_set_double(&value, json_real_value(json));
    } else if (json_is_boolean(json)) {
        g_value_init(&value, G_TYPE_BOOLEAN);
        g_value_set_boolean(&value, json_is_true(json));
    } else if (json_is_array(json)) {
        set_list(&value, json);
    } else if (!json_is_null(json)) {
        char *text = json_is_object(json) ? json_dumps(json, JSON_PRESERVE_ORDER) : NULL;

        g_value_init(&value, G_TYPE_STRING);
        g_value_set_string(&value, text ? text : json_string_value(json));
        free(text);
    }
    if (G_IS_VALUE(&value))
        gst_structure_take_value(fields, key, &value);
}

/* A name that a structure has had stays in memory for good: what strangers make up must not become one. Properties' names
 * are there already. */
static const char *known_name(const char *key)
{
    static const char *const own[] = {"prompt", "from", "history", "follows", "question"};

    for (guint i = 0; i < G_N_ELEMENTS(own); i++)
        if (strcmp(own[i], key) == 0)
            return key;
    return g_quark_try_string(key) ? key : "unknown-field";
}

GstStructure *questions_fields(json_t *question)
{
    GstStructure *fields = gst_structure_new_empty("ask");
    const char *key;
    json_t *value;

    json_object_foreach(question, key, value)
    {
        if (strcmp(key, "camera") != 0)
            set_field(fields, known_name(key), value);
    }
    return fields;
}

/* Of one question; NULL: it has been said what is wrong. */
static json_t *read_object(const gchar *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(root))
        return root;
    g_printerr("camera-monitor: no question: %s\n", root ? "a JSON object is wanted" : error.text);
    json_decref(root);
    return NULL;
}

GstStructure *questions_read_text(const gchar *text)
{
    GstStructure *fields;
    json_t *root;

    if (*text != '{')
        return gst_structure_new("ask", "prompt", G_TYPE_STRING, text, NULL);
    root = read_object(text);
    fields = root ? questions_fields(root) : NULL;
    json_decref(root);
    return fields;
}

static void take_line(QuestionsReader *reader, const gchar *line)
{
    json_t *root = read_object(line);
    GstStructure *fields;

    if (!root)
        return;
    fields = questions_fields(root);
    reader->ask(reader->data, json_string_value(json_object_get(root, "camera")), fields);
    gst_structure_free(fields);
    json_decref(root);
}

static gboolean on_line(gpointer data)
{
    QuestionsLine *line = data;

    take_line(line->reader, line->text);
    return G_SOURCE_REMOVE;
}

static void line_free(gpointer data)
{
    QuestionsLine *line = data;

    free(line->text);
    g_free(line);
}

/* A thread of its own, which a line that has only begun holds up; it ends with the input or the program. */
static gpointer read_lines(gpointer data)
{
    char *text = NULL;
    size_t room = 0;

    while (getline(&text, &room, stdin) >= 0) {
        QuestionsLine *line = g_new(QuestionsLine, 1);

        *line = (QuestionsLine){data, text};
        text = NULL;
        room = 0;
        if (*g_strstrip(line->text))
            g_idle_add_full(G_PRIORITY_DEFAULT, on_line, line, line_free);
        else
            line_free(line);
    }
    free(text);
    return NULL;
}

void questions_read(QuestionsAsk ask, gpointer data)
{
    static QuestionsReader reader;

    reader = (QuestionsReader){ask, data};
    g_thread_unref(g_thread_new("questions", read_lines, &reader));
}
