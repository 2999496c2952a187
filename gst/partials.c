/* SPDX-License-Identifier: Apache-2.0 */
#include "partials.h"

static void
forget (GstLlavaovPartials * partials, GstLlavaovPartial * partial)
{
  if (partial->window == NULL)
    return;
  partials->n_new -= partial->is_new;
  partial->window = NULL;
  partial->is_new = partial->told = FALSE;
  g_string_free (g_steal_pointer (&partial->text), TRUE);
}

void
gst_llavaov_partials_clear (GstLlavaovPartials * partials)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (partials->each); i++)
    forget (partials, &partials->each[i]);
  g_clear_pointer (&partials->last, g_free);
}

void
gst_llavaov_partials_set_interval (GstLlavaovPartials * partials,
    guint64 interval)
{
  partials->interval = interval;
}

gboolean
gst_llavaov_partials_add (GstLlavaovPartials * partials,
    const GstLlavaovWindow * window, const gchar * text, gsize bytes)
{
  GstLlavaovPartial *partial = &partials->each[window->question_index];

  if (partial->window != window) {
    forget (partials, partial);
    partial->window = window;
    partial->text = g_string_new (NULL);
  }
  g_string_append_len (partial->text, text, bytes);
  if (partial->is_new)
    return FALSE;
  partial->is_new = TRUE;
  return partials->n_new++ == 0;
}

void
gst_llavaov_partials_end (GstLlavaovPartials * partials,
    const GstLlavaovWindow * window)
{
  GstLlavaovPartial *partial = &partials->each[window->question_index];

  if (partial->window != window)
    return;
  if (partial->told)
    g_clear_pointer (&partials->last, g_free);
  forget (partials, partial);
}

gint64
gst_llavaov_partials_due (const GstLlavaovPartials * partials)
{
  if (partials->n_new == 0)
    return 0;
  return partials->posted_at ? partials->posted_at +
      (gint64) (partials->interval / 1000) : 1;
}

GstStructure *
gst_llavaov_partials_take (GstLlavaovPartials * partials, gint64 now,
    const gchar * stream)
{
  GstLlavaovPartial *next = NULL;
  GstStructure *message;
  guint i;

  if (partials->n_new == 0 || now < gst_llavaov_partials_due (partials))
    return NULL;
  for (i = 0; i < G_N_ELEMENTS (partials->each); i++)
    if (partials->each[i].is_new && (next == NULL ||
            partials->each[i].posted_at < next->posted_at))
      next = &partials->each[i];
  message = gst_structure_new (GST_LLAVAOV_PARTIAL_NAME,
      "stream", G_TYPE_STRING, stream,
      "seq", G_TYPE_UINT64, next->window->seq, NULL);
  if (next->window->question)
    gst_structure_set (message, "question", G_TYPE_STRING,
        next->window->question, NULL);
  if (next->window->ask_id)
    gst_structure_set (message, "ask-id", G_TYPE_UINT64,
        next->window->ask_id, NULL);
  gst_structure_set (message,
      "prompt", G_TYPE_STRING, next->window->prompt,
      "text", G_TYPE_STRING, next->text->str,
      "first", G_TYPE_BOOLEAN, !next->told, NULL);
  next->told = TRUE;
  next->is_new = FALSE;
  next->posted_at = partials->posted_at = now;
  partials->n_new--;
  g_free (partials->last);
  partials->last = next->window->question ? g_strdup_printf ("%s: %s",
      next->window->question, next->text->str) : g_strdup (next->text->str);
  return message;
}

gchar *
gst_llavaov_partials_last (const GstLlavaovPartials * partials)
{
  return g_strdup (partials->last);
}
