/* SPDX-License-Identifier: Apache-2.0 */
#include "histories.h"

void
gst_llavaov_histories_init (GstLlavaovHistories * histories)
{
  memset (histories, 0, sizeof (*histories));
  g_queue_init (&histories->asked);
}

static void
entry_clear (GstLlavaovHistoryEntry * entry)
{
  llavaov_history_unref (g_steal_pointer (&entry->history));
  g_clear_pointer (&entry->window, gst_llavaov_window_free);
}

static void
drop_oldest (GstLlavaovHistories * histories)
{
  GstLlavaovHistoryEntry *entry = g_queue_pop_head (&histories->asked);

  entry_clear (entry);
  g_free (entry);
}

void
gst_llavaov_histories_clear (GstLlavaovHistories * histories)
{
  while (histories->asked.length)
    drop_oldest (histories);
  entry_clear (&histories->window);
  histories->warm_until = 0;
}

static void
entry_take (GstLlavaovHistoryEntry * entry, GstLlavaovWindow * window)
{
  entry_clear (entry);
  entry->id = window->ask_id;
  entry->history = g_steal_pointer (&window->made);
  entry->window = gst_llavaov_window_copy_frames (window);
}

static void
cool (GstLlavaovHistories * histories)
{
  GstLlavaovHistoryEntry *newest = g_queue_peek_tail (&histories->asked);

  if (newest && histories->warm_until)
    llavaov_history_trim (newest->history);
  histories->warm_until = 0;
}

void
gst_llavaov_histories_take (GstLlavaovHistories * histories,
    GstLlavaovWindow * window, gint64 now)
{
  if (window->ask_id == 0 && histories->warm_until &&
      now >= histories->warm_until)
    cool (histories);
  if (window->made == NULL)
    return;
  if (window->ask_id == 0) {
    entry_take (&histories->window, window);
    histories->window_until = now + GST_LLAVAOV_HISTORY_LEAST;
    return;
  }
  cool (histories);
  if (histories->asked.length == GST_LLAVAOV_MAX_HISTORIES)
    drop_oldest (histories);
  g_queue_push_tail (&histories->asked, g_new0 (GstLlavaovHistoryEntry, 1));
  entry_take (g_queue_peek_tail (&histories->asked), window);
  histories->warm_until = now + GST_LLAVAOV_HISTORY_WARM;
}

void
gst_llavaov_histories_yield (GstLlavaovHistories * histories, gint64 now)
{
  if (now >= histories->window_until)
    entry_clear (&histories->window);
}

static const GstLlavaovHistoryEntry *
find (const GstLlavaovHistories * histories, guint64 id)
{
  const GList *walk;

  for (walk = histories->asked.head; walk; walk = walk->next) {
    const GstLlavaovHistoryEntry *entry = walk->data;

    if (entry->id == id)
      return entry;
  }
  return NULL;
}

gboolean
gst_llavaov_histories_have (const GstLlavaovHistories * histories, guint64 id)
{
  return find (histories, id) != NULL;
}

guint64
gst_llavaov_histories_newest (const GstLlavaovHistories * histories)
{
  return histories->asked.tail ?
      ((const GstLlavaovHistoryEntry *) histories->asked.tail->data)->id : 0;
}

/* Whether all frames of `window` are among those of `of`. */
static gboolean
has_frames (const GstLlavaovWindow * of, const GstLlavaovWindow * window)
{
  guint i;

  for (i = 0; i < window->samples->len; i++)
    if (!g_ptr_array_find (of->samples, window->samples->pdata[i], NULL))
      return FALSE;
  return TRUE;
}

/* The question has the frames of the conversation, and behind them its own, if they are others. */
static void
follow (const GstLlavaovHistoryEntry * entry, GstLlavaovWindow * question)
{
  const gint64 asked_at = question->last_arrival;
  GPtrArray *own;
  guint i;

  question->history = llavaov_history_ref (entry->history);
  if (has_frames (entry->window, question)) {
    gst_llavaov_window_set_frames (question, entry->window);
    question->n_before = question->samples->len;
    question->state = GST_LLAVAOV_WINDOW_WAITING;
    question->last_arrival = asked_at;
    question->ask_from = "history";
    return;
  }
  own = g_steal_pointer (&question->samples);
  question->samples = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_llavaov_sample_unref);
  for (i = 0; i < entry->window->samples->len; i++)
    g_ptr_array_add (question->samples,
        gst_llavaov_sample_ref (entry->window->samples->pdata[i]));
  question->n_before = question->samples->len;
  for (i = 0; i < own->len; i++)
    g_ptr_array_add (question->samples, gst_llavaov_sample_ref (own->pdata[i]));
  g_ptr_array_unref (own);
}

gboolean
gst_llavaov_histories_follow_window (const GstLlavaovHistories * histories,
    GstLlavaovWindow * question)
{
  if (histories->window.history == NULL)
    return FALSE;
  follow (&histories->window, question);
  return TRUE;
}

gboolean
gst_llavaov_histories_follow (const GstLlavaovHistories * histories,
    GstLlavaovWindow * question)
{
  const GstLlavaovHistoryEntry *entry = find (histories, question->follows_id);

  if (entry)
    follow (entry, question);
  return entry != NULL;
}
