/* SPDX-License-Identifier: Apache-2.0
 * The questions of a camera by name, and their prompts as they are now.
 */
#ifndef PROMPTS_H
#define PROMPTS_H

#include "config.h"

#include <gst/gst.h>
#include <jansson.h>

typedef struct Prompts {
    guint n;
    gchar **names;     /* NULL-terminated; of a camera with one prompt only {NULL} */
    gchar **texts;     /* n of them; NULL: the element's own */
    json_t *questions; /* of the property `questions`; NULL: there is one prompt */
} Prompts;

/* Of what is no valid `questions` there is one prompt: the element says what is wrong with it. */
Prompts *prompts_new(const ConfigCamera *camera);
/* FALSE: no such question. name NULL: the only one. */
gboolean prompts_set(Prompts *prompts, const gchar *name, const gchar *text);
/* The property is of no use beside them: what its file says is known. */
gboolean prompts_stand_for(const Prompts *prompts, const gchar *property);
/* Into the element's `prompt` or `questions`. */
void prompts_apply(const Prompts *prompts, GstElement *element);
void prompts_free(Prompts *prompts);

#endif
