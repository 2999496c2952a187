/* SPDX-License-Identifier: Apache-2.0 */
#include "asks.h"

void
gst_llavaov_asks_init (GstLlavaovAsks * asks)
{
  memset (asks, 0, sizeof (*asks));
  g_queue_init (&asks->waiting);
}

void
gst_llavaov_asks_clear (GstLlavaovAsks * asks)
{
  GstLlavaovWindow *window;

  while ((window = g_queue_pop_head (&asks->waiting)))
    gst_llavaov_window_free (window);
  g_clear_pointer (&asks->last, gst_llavaov_window_free);
  asks->window_next = FALSE;
}

void
gst_llavaov_asks_keep (GstLlavaovAsks * asks, const GstLlavaovWindow * window)
{
  if (window->samples->len == 0)
    return;
  g_clear_pointer (&asks->last, gst_llavaov_window_free);
  asks->last = gst_llavaov_window_copy_frames (window);
}

void
gst_llavaov_asks_drop (GstLlavaovAsks * asks, const GstLlavaovWindow * window)
{
  if (asks->last && asks->last->seq <= window->seq)
    g_clear_pointer (&asks->last, gst_llavaov_window_free);
}

const GstLlavaovWindow *
gst_llavaov_asks_last (const GstLlavaovAsks * asks)
{
  return asks->last;
}

guint64
gst_llavaov_asks_add (GstLlavaovAsks * asks, GstLlavaovWindow * window)
{
  if (asks->waiting.length >= GST_LLAVAOV_MAX_ASKS)
    return 0;
  window->ask_id = ++asks->last_id;
  g_queue_push_tail (&asks->waiting, window);
  return window->ask_id;
}

GstLlavaovWindow *
gst_llavaov_asks_next (GstLlavaovAsks * asks, gboolean windows_wait)
{
  gboolean ask = asks->waiting.length && !(windows_wait && asks->window_next);

  asks->window_next = ask;
  return ask ? g_queue_pop_head (&asks->waiting) : NULL;
}

guint64
gst_llavaov_asks_newest (const GstLlavaovAsks * asks)
{
  return asks->waiting.tail ?
      ((const GstLlavaovWindow *) asks->waiting.tail->data)->ask_id : 0;
}

GstLlavaovWindow *
gst_llavaov_asks_pop (GstLlavaovAsks * asks)
{
  return g_queue_pop_head (&asks->waiting);
}

guint
gst_llavaov_asks_n_waiting (const GstLlavaovAsks * asks)
{
  return asks->waiting.length;
}

gboolean
gst_llavaov_asks_waits (const GstLlavaovAsks * asks, guint64 id)
{
  const GList *walk;

  for (walk = asks->waiting.head; walk; walk = walk->next)
    if (((const GstLlavaovWindow *) walk->data)->ask_id == id)
      return TRUE;
  return FALSE;
}

gboolean
gst_llavaov_asks_wait_up_to (const GstLlavaovAsks * asks, guint64 id)
{
  const GstLlavaovWindow *window = asks->waiting.head ?
      asks->waiting.head->data : NULL;

  return window && window->ask_id <= id;
}
