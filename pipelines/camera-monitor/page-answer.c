/* SPDX-License-Identifier: Apache-2.0 */
#include "page-answer.h"

#include <stdlib.h>
#include <string.h>

#define MOST_TEXT 600
#define MOST_CHOICES 8

static json_t *short_text(const gchar *text, glong most)
{
    gchar *valid, *cut;
    json_t *json;

    if (!text)
        return json_null();
    valid = g_utf8_make_valid(text, -1);
    if (g_utf8_strlen(valid, -1) > most) {
        cut = g_utf8_substring(valid, 0, most - 1);
        g_free(valid);
        valid = g_strconcat(cut, "…", NULL);
        g_free(cut);
    }
    json = json_string(valid);
    g_free(valid);
    return json;
}

static gchar *dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    gchar *copy = g_strdup(text ? text : "null");

    free(text);
    json_decref(json);
    return copy;
}

gchar *page_quote(const gchar *text, glong most)
{
    return dump(short_text(text, most));
}

/* The likeliest, in the order in which they were written. */
static json_t *choices_of(const json_t *record)
{
    const json_t *choices = json_object_get(record, "choices");
    const json_t *probabilities = json_object_get(record, "probabilities");
    size_t n = MIN(json_array_size(choices), json_array_size(probabilities));
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        gdouble probability = json_number_value(json_array_get(probabilities, i));
        size_t rank = 0;

        for (size_t k = 0; k < n; k++) {
            gdouble other = json_number_value(json_array_get(probabilities, k));

            rank += other > probability || (other == probability && k < i);
        }
        if (rank < MOST_CHOICES)
            json_array_append_new(list,
                json_pack("[o, f]", short_text(json_string_value(json_array_get(choices, i)), 80),
                    probability));
    }
    return list;
}

static void copy(json_t *to, const char *as, const json_t *record, const char *field)
{
    json_t *value = json_object_get(record, field);

    if (json_is_string(value))
        json_object_set_new(to, as, short_text(json_string_value(value), MOST_TEXT));
    else if (json_is_number(value) || json_is_boolean(value))
        json_object_set(to, as, value);
}

gchar *page_answer_json(const json_t *record, guint64 number, gint64 at)
{
    static const char *const copied[][2] = {{"question", "question"}, {"text", "text"},
        {"confidence", "confidence"}, {"valid", "valid"}, {"alert", "alert"},
        {"event", "alert-event"}, {"finish", "finish-reason"}, {"ask", "ask-id"}};
    json_t *answer = json_object(), *latency = json_object_get(record, "answer-latency");

    json_object_set_new(answer, "id", json_integer((json_int_t)number));
    json_object_set_new(answer, "at", json_integer(at));
    for (guint i = 0; i < G_N_ELEMENTS(copied); i++)
        copy(answer, copied[i][0], record, copied[i][1]);
    if (json_object_get(record, "ask-id"))
        copy(answer, "prompt", record, "prompt");
    if (json_is_integer(latency))
        json_object_set_new(
            answer, "latency", json_real((double)json_integer_value(latency) / 1e6));
    if (json_array_size(json_object_get(record, "choices")) > 0)
        json_object_set_new(answer, "choices", choices_of(record));
    return dump(answer);
}
