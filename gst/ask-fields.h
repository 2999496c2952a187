/* SPDX-License-Identifier: Apache-2.0
 *
 * A question that the application asks, as the fields of a structure: those of a question of `questions`, and
 *     question   string    its name in the answer; with `questions` and without a prompt, the one of that name
 *     from       string    the frames that it is about: last or now
 *     history    boolean   it goes on from an earlier answer
 *     follows    uint64    to the question of this id, which it goes on from
 * Pure functions.
 */
#ifndef GST_LLAVAOV_ASK_FIELDS_H
#define GST_LLAVAOV_ASK_FIELDS_H

#include "questions.h"

G_BEGIN_DECLS

typedef enum
{
  GST_LLAVAOV_ASK_ANY,          /* of the window that was closed last, else of the open one */
  GST_LLAVAOV_ASK_LAST,
  GST_LLAVAOV_ASK_NOW
} GstLlavaovAskFrom;

typedef struct
{
  gchar *name;                  /* or NULL */
  GstLlavaovAskFrom from;
  gboolean history;
  guint64 follows;              /* or 0 */
  GstLlavaovSettings settings;  /* prompt and its like; no alert, no questions */
} GstLlavaovAskFields;

/* fields (NULL: there are none): what the element asks itself is `settings`. Where there is a prompt, choices and schema of the
 * element do not count; the rest is as the element has it where no field says otherwise. FALSE: error is filled, and nothing is to
 * be cleared. */
gboolean gst_llavaov_ask_fields_read (const GstStructure * fields,
    const GstLlavaovSettings * settings, GstLlavaovAskFields * ask,
    LlavaovError * error);
void gst_llavaov_ask_fields_clear (GstLlavaovAskFields * ask);

G_END_DECLS

#endif
