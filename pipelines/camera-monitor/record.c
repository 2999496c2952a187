/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

static const gchar *text_of(const json_t *json, const char *name)
{
    const gchar *text = json_string_value(json_object_get(json, name));

    return text ? text : "";
}

static json_int_t number_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static gchar *key_of(const json_t *json, RecordKind kind)
{
    GString *key = g_string_new(text_of(json, "stream"));

    g_string_append_printf(key, "/%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT "/%s",
        number_of(json, kind == RECORD_ALERT ? "utc-since" : "utc-start"), number_of(json, "seq"),
        text_of(json, "question"));
    if (kind == RECORD_ALERT)
        g_string_append_printf(key, "/%s", text_of(json, "state"));
    if (json_object_get(json, "ask-id"))
        g_string_append_printf(key, "/ask-%" JSON_INTEGER_FORMAT, number_of(json, "ask-id"));
    return g_string_free(key, FALSE);
}

static Record *take(json_t *json, gchar *line, gsize length)
{
    Record *record = g_new0(Record, 1);

    record->references = 1;
    record->json = json;
    record->kind = json_is_string(json_object_get(json, "state")) ? RECORD_ALERT : RECORD_ANSWER;
    record->stream = text_of(json, "stream");
    record->question = json_string_value(json_object_get(json, "question"));
    record->line = line;
    record->length = length;
    return record;
}

static json_t *read_object(const gchar *line, gsize length)
{
    json_t *json = json_loadb(line, length, 0, NULL);

    if (json_is_object(json) && json_is_string(json_object_get(json, "stream")))
        return json;
    json_decref(json);
    return NULL;
}

Record *record_new(const gchar *line, gsize length)
{
    json_t *json = read_object(line, length), *key;
    Record *record;
    GString *text;
    char *quoted;

    while (length > 0 && g_ascii_isspace(line[length - 1]))
        length--;
    if (!json || length < 2 || line[length - 1] != '}') {
        json_decref(json);
        return NULL;
    }
    record = take(json, NULL, 0);
    record->key = key_of(json, record->kind);
    key = json_string(record->key);
    json_object_set_new(json, "key", key);
    quoted = json_dumps(key, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    /* The numbers as the element wrote them. */
    text = g_string_new_len(line, (gssize)length - 1);
    g_string_append_printf(text, ",\"key\":%s}", quoted ? quoted : "\"\"");
    free(quoted);
    record->length = text->len;
    record->line = g_string_free(text, FALSE);
    return record;
}

Record *record_read(const gchar *line, gsize length)
{
    json_t *json = read_object(line, length);
    Record *record;

    if (!json)
        return NULL;
    record = take(json, g_strndup(line, length), length);
    record->key = g_strdup(text_of(json, "key"));
    return record;
}

Record *record_ref(Record *record)
{
    g_atomic_int_inc(&record->references);
    return record;
}

void record_unref(Record *record)
{
    if (!g_atomic_int_dec_and_test(&record->references))
        return;
    json_decref(record->json);
    g_free(record->key);
    g_free(record->line);
    g_free(record);
}
