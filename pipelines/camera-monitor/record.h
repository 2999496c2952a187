/* SPDX-License-Identifier: Apache-2.0
 * An answer or an alert as it leaves the program: the element's JSON line with "key" in it, which is
 * the same whenever the record is delivered again.
 */
#ifndef RECORD_H
#define RECORD_H

#include <glib.h>
#include <jansson.h>

typedef enum RecordKind {
    RECORD_ANSWER,
    RECORD_ALERT, /* raised or cleared */
} RecordKind;

/* Does not change once it is made; any thread may hold a reference and read it. */
typedef struct Record {
    gint references; /* atomic */
    RecordKind kind;
    const gchar *stream, *question; /* question NULL: the camera's only one; both of json */
    gchar *key; /* stream/utc-start/seq/question, and of what is not a window's answer what it is */
    json_t *json; /* an object: docs/elements.md#answers, docs/alerts.md#what-is-said, and "key" */
    gchar *line;  /* the same as text, without a newline */
    gsize length;
} Record;

/* Of a line of the element; NULL: it is no such line. */
Record *record_new(const gchar *line, gsize length);
/* Of the line of a record. */
Record *record_read(const gchar *line, gsize length);
Record *record_ref(Record *record);
void record_unref(Record *record);

#endif
