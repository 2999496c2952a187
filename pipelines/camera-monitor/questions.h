/* SPDX-License-Identifier: Apache-2.0
 * Questions on standard input: a JSON object a line, with the fields of docs/asking.md and, as "camera", the name of the one that is
 * asked; without it all are.
 */
#ifndef QUESTIONS_H
#define QUESTIONS_H

#include <gst/gst.h>
#include <jansson.h>

/* The fields of docs/asking.md out of an object of JSON, which may have "camera" beside them. To be freed. */
GstStructure *questions_fields(json_t *question);

/* camera NULL: all. */
typedef void (*QuestionsAsk)(gpointer data, const gchar *camera, const GstStructure *fields);

/* Reads on the thread of the default main context, until the input ends. What is no question is said on standard error. */
void questions_read(QuestionsAsk ask, gpointer data);

/* Of a JSON object, or, where it begins with another character than '{', of a prompt. NULL: it has been said what is wrong. */
GstStructure *questions_read_text(const gchar *text);

#endif
