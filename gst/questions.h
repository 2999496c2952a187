/* SPDX-License-Identifier: Apache-2.0
 *
 * The property questions: a JSON object whose keys are names and whose values are objects of properties. Pure functions.
 */
#ifndef GST_LLAVAOV_QUESTIONS_H
#define GST_LLAVAOV_QUESTIONS_H

#include <jansson.h>

#include "settings.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_MAX_QUESTIONS 32
#define GST_LLAVAOV_MAX_QUESTION_NAME 64

typedef struct
{
  gchar *name;                  /* or NULL */
  GstLlavaovSettings settings;  /* the element's, with the question's own in place */
} GstLlavaovQuestion;

/* The questions that the settings ask, in their order, of GstLlavaovQuestion; NULL: there is only prompt. FALSE: error is filled, and
 * names the question and the property. What is wrong with a property's value in itself is not said here. */
gboolean gst_llavaov_questions_of (const GstLlavaovSettings * settings,
    GPtrArray ** questions, LlavaovError * error);

/* Replaces settings->questions with the content of questions-file, if that is set. FALSE: error is filled. */
gboolean gst_llavaov_questions_read (GstLlavaovSettings * settings,
    LlavaovError * error);

/* The same, with prompt as one question without a name where there are none; NULL: error is filled. */
GPtrArray *gst_llavaov_questions_or_prompt (const GstLlavaovSettings *
    settings, LlavaovError * error);

/* Whether what can be said of all questions without a model is right; without questions it is. FALSE: error is filled. */
gboolean gst_llavaov_questions_check (const GstLlavaovSettings * settings,
    LlavaovError * error);

/* One question: whether it may have this name; its own properties, from the members of `object`; whether what can be said of them
 * without a model is right. FALSE: error is filled, about "ask" where the question has no name. */
gboolean gst_llavaov_question_is_name (const gchar * name);
gboolean gst_llavaov_question_set (GstLlavaovQuestion * question,
    json_t * object, LlavaovError * error);
gboolean gst_llavaov_question_check (const GstLlavaovQuestion * question,
    LlavaovError * error);

/* Puts the question's name before what is wrong with one of its properties. */
void gst_llavaov_question_blame (const gchar * name, LlavaovError * error);

G_END_DECLS

#endif
