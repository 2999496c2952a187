/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include "answers.h"
#include "ask-fields.h"
#include "errors.h"
#include "host.h"
#include "reports.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* The settings as the next window would have them. */
static void
copy_settings (GstLlavaovElement * self, GstLlavaovSettings * settings)
{
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_settings_copy (&self->run, settings);
  GST_OBJECT_LOCK (self);
  gst_llavaov_settings_refresh (settings, &self->settings);
  GST_OBJECT_UNLOCK (self);
  g_mutex_unlock (&self->windows.lock);
}

/* Before it is known how the frames of the stream become tokens, those of a question are counted as many: it has its own. */
static void
own_samples (GstLlavaovWindow * window)
{
  GPtrArray *samples = window->samples;
  guint i;

  window->samples = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_llavaov_sample_unref);
  for (i = 0; i < samples->len; i++) {
    GstLlavaovSample *copy =
        gst_llavaov_sample_copy (g_ptr_array_index (samples, i));

    if (copy)
      g_ptr_array_add (window->samples, copy);
  }
  g_ptr_array_unref (samples);
}

/* The frames of the stream so far. With the lock. */
static gboolean
take_now (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  GstLlavaovWindows *windows = &self->windows;
  const gboolean found = self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP ?
      gst_llavaov_clip_now (&windows->clip, window, self->run.frames) :
      gst_llavaov_sampler_now (&windows->sampler, window);

  if (!found)
    return FALSE;
  window->ask_from = "now";
  window->seq = windows->next_seq;
  window->layout = windows->layout;
  if (!windows->layout_known)
    own_samples (window);
  else if (window->layout == LLAVAOV_LAYOUT_IMAGE && window->samples->len > 1)
    g_ptr_array_set_size (window->samples, 1);
  return window->samples->len > 0;
}

/* Whether there are frames for it, which it then has. With the lock. */
static gboolean
take_frames (GstLlavaovElement * self, GstLlavaovAskFrom from,
    GstLlavaovWindow * window)
{
  const GstLlavaovWindow *last = gst_llavaov_asks_last (&self->windows.asks);

  if (from == GST_LLAVAOV_ASK_NOW || (from == GST_LLAVAOV_ASK_ANY && !last))
    return take_now (self, window);
  if (last == NULL)
    return FALSE;
  gst_llavaov_window_set_frames (window, last);
  window->ask_from = "last";
  return TRUE;
}

static GstLlavaovWindow *
new_window (const GstLlavaovAskFields * fields)
{
  GstLlavaovWindow *window;
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  window = gst_llavaov_window_new (0, 0, &fields->settings, &segment, 0);
  window->question = g_strdup (fields->name);
  window->question_index = GST_LLAVAOV_MAX_QUESTIONS;
  return window;
}

/* Whether there is what it is about. With the lock. */
static gboolean
take_subject (GstLlavaovElement * self, const GstLlavaovAskFields * fields,
    GstLlavaovWindow * window, const gchar ** reason)
{
  const gboolean follows = fields->history || fields->follows;

  window->last_arrival = g_get_monotonic_time ();
  if (follows && fields->from == GST_LLAVAOV_ASK_ANY) {
    *reason = "no-history";
    if (!gst_llavaov_windows_follow (&self->windows, window, fields->follows))
      return FALSE;
    if (window->follows)
      return TRUE;
  }
  *reason = "no-frames";
  if (!take_frames (self, fields->from, window))
    return FALSE;
  *reason = "no-history";
  return !follows || fields->from == GST_LLAVAOV_ASK_ANY ||
      gst_llavaov_windows_follow (&self->windows, window, fields->follows);
}

/* Takes the window. */
static guint64
add (GstLlavaovElement * self, const GstLlavaovAskFields * fields,
    GstLlavaovWindow * window, const gchar ** reason)
{
  GstLlavaovWindows *windows = &self->windows;
  guint64 id = 0;

  g_mutex_lock (&windows->lock);
  if (gst_llavaov_windows_flow (windows) != GST_FLOW_OK) {
    *reason = windows->running && windows->flushing ? "flush" :
        windows->running ? "error" : "stopped";
  } else if (take_subject (self, fields, window, reason)) {
    window->state = GST_LLAVAOV_WINDOW_WAITING;
    window->flushes = windows->flushes;
    window->stream = windows->streams;
    id = gst_llavaov_asks_add (&windows->asks, window);
    if (id == 0)
      *reason = "full";
    else
      g_cond_broadcast (&windows->cond);
  }
  g_mutex_unlock (&windows->lock);
  if (id == 0)
    gst_llavaov_window_free (window);
  return id;
}

/* 0: *reason says why, in a static word. */
static guint64
ask (GstLlavaovElement * self, const GstStructure * fields,
    const gchar ** reason)
{
  GstLlavaovAskFields read;
  GstLlavaovSettings settings;
  LlavaovError error = { 0, };
  guint64 id = 0;
  gboolean good;

  copy_settings (self, &settings);
  good = gst_llavaov_ask_fields_read (fields, &settings, &read, &error);
  gst_llavaov_settings_clear (&settings);
  if (good) {
    id = add (self, &read, new_window (&read), reason);
    gst_llavaov_ask_fields_clear (&read);
  } else {
    *reason = "fields";
    gst_llavaov_post_warning (GST_ELEMENT (self), &error, "Not asked");
  }
  if (id == 0)
    GST_INFO_OBJECT (self, "not asked: %s", *reason);
  return id;
}

guint64
gst_llavaov_ask (GstLlavaovElement * self, const GstStructure * fields)
{
  const gchar *reason = NULL;

  return ask (self, fields, &reason);
}

void
gst_llavaov_ask_install (GType type, GCallback handler)
{
  /**
   * llavaov::ask:
   * @element: the element
   * @fields: (nullable): what is asked, as in docs/asking.md
   *
   * Asks a question between the windows. Any thread.
   *
   * Returns: the id that its answer carries, 0 where it is not asked
   */
  g_signal_new_class_handler ("ask", type, G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      handler, NULL, NULL, NULL, G_TYPE_UINT64, 1, GST_TYPE_STRUCTURE);
}

gboolean
gst_llavaov_ask_event (GstLlavaovElement * self, GstEvent * event)
{
  const GstStructure *fields = gst_event_get_structure (event);
  const gchar *reason = NULL;

  if (fields == NULL || !gst_structure_has_name (fields, GST_LLAVAOV_ASK_EVENT))
    return FALSE;
  if (ask (self, fields, &reason) == 0)
    gst_llavaov_report_not_asked (self, fields, reason);
  gst_event_unref (event);
  return TRUE;
}
