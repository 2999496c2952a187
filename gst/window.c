/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include "alert-settings.h"
#include "choices.h"
#include "questions.h"

/* What is asked, with these settings. */
static void
set_question (GstLlavaovWindow * window, const GstLlavaovSettings * settings)
{
  window->prompt = g_strdup (settings->prompt);
  window->system_prompt = g_strdup (settings->system_prompt);
  window->json_schema = g_strdup (settings->json_schema);
  window->generation = gst_llavaov_settings_generation (settings);
  window->labels = g_strdup (settings->choices);
  window->choices = gst_llavaov_choices_of (settings, window->labels);
  if ((window->labels && !gst_llavaov_choices_agree (settings,
              &window->error)) || !gst_llavaov_alert_rule (settings,
          &window->alert, &window->error))
    window->status = window->error.status;
}

static void
set_one_of (GstLlavaovWindow * window, const GPtrArray * questions, guint index)
{
  const GstLlavaovQuestion *question = g_ptr_array_index (questions, index);

  window->question = g_strdup (question->name);
  window->question_index = index;
  window->n_questions = questions->len;
  set_question (window, &question->settings);
  if (window->status != LLAVAOV_OK)
    gst_llavaov_question_blame (question->name, &window->error);
}

static void
set_questions (GstLlavaovWindow * window, const GPtrArray * questions)
{
  guint i;

  set_one_of (window, questions, 0);
  window->others = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_llavaov_window_free);
  for (i = 1; i < questions->len; i++) {
    GstLlavaovWindow *other = g_new0 (GstLlavaovWindow, 1);

    set_one_of (other, questions, i);
    other->samples = g_ptr_array_new_with_free_func ((GDestroyNotify)
        gst_llavaov_sample_unref);
    g_ptr_array_add (window->others, other);
  }
}

GstLlavaovWindow *
gst_llavaov_window_new (GstClockTime start, GstClockTime length,
    const GstLlavaovSettings * settings, const GstSegment * segment,
    guint n_points)
{
  GstLlavaovWindow *window = g_new0 (GstLlavaovWindow, 1);
  GPtrArray *questions;
  gboolean good;

  window->start = start;
  window->length = length;
  window->segment = *segment;
  window->n_points = n_points;
  window->motion_level = -1;
  good = gst_llavaov_questions_of (settings, &questions, &window->error);
  if (questions)
    set_questions (window, questions);
  else if (good)
    set_question (window, settings);
  else
    window->status = window->error.status;
  g_clear_pointer (&questions, g_ptr_array_unref);
  window->full_length = settings->window;
  window->interval = settings->interval ? settings->interval : settings->window;
  window->samples = g_ptr_array_new_full (n_points,
      (GDestroyNotify) gst_llavaov_sample_unref);
  return window;
}

gint64
gst_llavaov_window_utc (gint64 utc_offset, GstClockTime running)
{
  return utc_offset == G_MININT64 ? g_get_real_time () * 1000 :
      utc_offset + (gint64) running;
}

GstLlavaovWindow *
gst_llavaov_window_new_empty (GstClockTime start, GstClockTime length,
    const GstLlavaovSettings * settings, const GstSegment * segment,
    gint64 utc_offset, const gchar * reason)
{
  GstLlavaovWindow *window =
      gst_llavaov_window_new (start, length, settings, segment, 0);

  window->state = GST_LLAVAOV_WINDOW_EMPTY;
  window->utc_start = gst_llavaov_window_utc (utc_offset, start);
  window->reason = reason;
  return window;
}

void
gst_llavaov_window_free (GstLlavaovWindow * window)
{
  g_free (window->prompt);
  g_free (window->system_prompt);
  g_free (window->json_schema);
  g_ptr_array_unref (window->samples);
  llavaov_reservation_free (window->reservation);
  g_free (window->text);
  g_free (window->labels);
  g_free (window->question);
  llavaov_history_unref (window->history);
  llavaov_history_unref (window->made);
  g_clear_pointer (&window->others, g_ptr_array_unref);
  gst_clear_structure (&window->triggered);
  gst_clear_structure (&window->chosen);
  gst_clear_structure (&window->json_values);
  g_free (window);
}

void
gst_llavaov_window_set_frames (GstLlavaovWindow * to,
    const GstLlavaovWindow * from)
{
  guint i;

  to->state = from->state;
  to->seq = from->seq;
  to->flushes = from->flushes;
  to->stream = from->stream;
  to->early = from->early;
  to->motion_level = from->motion_level;
  gst_clear_structure (&to->triggered);
  if (from->triggered)
    to->triggered = gst_structure_copy (from->triggered);
  to->start = from->start;
  to->length = from->length;
  to->segment = from->segment;
  to->utc_start = from->utc_start;
  to->full_length = from->full_length;
  to->interval = from->interval;
  to->n_points = from->n_points;
  to->n_seen = from->n_seen;
  to->last_arrival = from->last_arrival;
  to->layout = from->layout;
  g_ptr_array_set_size (to->samples, 0);
  for (i = 0; i < from->samples->len; i++)
    g_ptr_array_add (to->samples,
        gst_llavaov_sample_ref (g_ptr_array_index (from->samples, i)));
}

GstLlavaovWindow *
gst_llavaov_window_copy_frames (const GstLlavaovWindow * window)
{
  GstLlavaovWindow *copy = g_new0 (GstLlavaovWindow, 1);

  copy->samples = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_llavaov_sample_unref);
  gst_llavaov_window_set_frames (copy, window);
  return copy;
}

void
gst_llavaov_window_split (GstLlavaovWindow * window, GQueue * windows)
{
  GPtrArray *others = g_steal_pointer (&window->others);
  guint i;

  g_queue_push_tail (windows, window);
  if (others == NULL)
    return;
  g_ptr_array_set_free_func (others, NULL);
  for (i = 0; i < others->len; i++) {
    gst_llavaov_window_set_frames (g_ptr_array_index (others, i), window);
    g_queue_push_tail (windows, g_ptr_array_index (others, i));
  }
  g_ptr_array_unref (others);
}

void
gst_llavaov_window_take (GstLlavaovWindow * window, GstLlavaovSample * sample)
{
  g_ptr_array_add (window->samples, gst_llavaov_sample_ref (sample));
  window->last_arrival = MAX (window->last_arrival, sample->arrival);
}
