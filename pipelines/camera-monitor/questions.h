/* SPDX-License-Identifier: Apache-2.0
 * Questions on standard input: a JSON object a line, with the fields of docs/asking.md and, as "camera", the name of the one that is
 * asked; without it all are.
 */
#ifndef QUESTIONS_H
#define QUESTIONS_H

#include <gst/gst.h>

/* camera NULL: all. */
typedef void (*QuestionsAsk)(gpointer data, const gchar *camera, const GstStructure *fields);

/* Reads on the thread of the default main context, until the input ends. What is no question is said on standard error. */
void questions_read(QuestionsAsk ask, gpointer data);

#endif
