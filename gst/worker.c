/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "answers.h"
#include "asking.h"
#include "clock.h"
#include "errors.h"
#include "frames.h"
#include "handover.h"
#include "loading.h"
#include "textflow.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* Metas that may wait for a buffer to carry them. */
#define MAX_METAS 64

static void
engine_changed (gpointer data)
{
  GstLlavaovElement *self = data;

  g_mutex_lock (&self->lock);
  self->engine_changed = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* ---- telling ---- */

static void
tell_text (GstLlavaovElement * self, const GstLlavaovWindow * window,
    const GstStructure * answer)
{
  GstLlavaovTextPad *text = gst_llavaov_textflow_pad (self);
  GstClockTime timestamp, duration;
  gboolean by_window;

  if (text == NULL)
    return;
  g_mutex_lock (&self->lock);
  by_window = gst_llavaov_textflow_by_window (self);
  timestamp = GST_CLOCK_TIME_NONE;
  duration = window->settings.interval ? window->settings.interval :
      window->settings.window;
  if (by_window) {
    timestamp = gst_llavaov_window_timestamp (window);
    duration = window->length;
  } else if (self->eos) {
    /* The video has ended; the text should not outlast it by a window. */
    duration = MIN (duration, window->length);
  }
  g_mutex_unlock (&self->lock);
  gst_llavaov_text_pad_answer (text, answer, timestamp, duration);
  gst_object_unref (text);
}

static void
tell_answer (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  const LlavaovEngineInfo *info = llavaov_engine_info (self->engine);
  GstStructure *answer;
  guint64 dropped;
  gboolean post;
  gchar *name = gst_llavaov_element_stream_name (self);

  g_mutex_lock (&self->lock);
  self->stats.answers++;
  self->stats.prompt_tokens += window->prompt_tokens;
  self->stats.new_tokens += window->new_tokens;
  self->stats.encode_ns += window->encode_ns;
  self->stats.prefill_ns += window->prefill_ns;
  self->stats.decode_ns += window->decode_ns;
  dropped = self->stats.dropped_windows;
  g_mutex_unlock (&self->lock);

  answer = gst_llavaov_answer_to_structure (window, name, dropped,
      info->model_name, info->device);
  g_free (name);

  GST_OBJECT_LOCK (self);
  post = self->settings.post_messages;
  g_free (self->last_answer);
  self->last_answer = g_strdup (window->text);
  GST_OBJECT_UNLOCK (self);
  if (post)
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_element (GST_OBJECT (self),
            gst_structure_copy (answer)));
  gst_llavaov_element_notify (self, "last-answer");
  tell_text (self, window, answer);

  g_mutex_lock (&self->lock);
  if (window->generation == self->generation) {
    g_queue_push_tail (&self->metas, gst_structure_copy (answer));
    if (self->metas.length > MAX_METAS)
      gst_structure_free (g_queue_pop_head (&self->metas));
    if (self->sticky)
      gst_structure_free (self->sticky);
    self->sticky = g_steal_pointer (&answer);
  }
  g_mutex_unlock (&self->lock);
  if (answer)
    gst_structure_free (answer);
}

static void
tell_dropped (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  GstClockTime timestamp = gst_llavaov_window_timestamp (window);
  GstClockTime stream_time = timestamp;
  GstMessage *message;
  guint64 answers, dropped;

  g_mutex_lock (&self->lock);
  answers = self->stats.answers;
  dropped = self->stats.dropped_windows;
  g_mutex_unlock (&self->lock);
  if (window->segment.format == GST_FORMAT_TIME &&
      GST_CLOCK_TIME_IS_VALID (timestamp))
    stream_time = gst_segment_to_stream_time (&window->segment,
        GST_FORMAT_TIME, timestamp);
  message = gst_message_new_qos (GST_OBJECT (self), self->live, window->start,
      stream_time, timestamp, window->length);
  /* Whole windows, not frames: the video itself loses nothing. */
  gst_message_set_qos_stats (message, GST_FORMAT_DEFAULT, answers, dropped);
  gst_element_post_message (GST_ELEMENT (self), message);
}

static void
tell_empty (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  gchar *name = gst_llavaov_element_stream_name (self);

  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_llavaov_no_frames_to_structure (window, name)));
  g_free (name);
}

static void
tell_failed (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  gchar *what;

  if (window->status == LLAVAOV_ERROR_CANCELLED)
    return;
  g_mutex_lock (&self->lock);
  self->stats.failed_windows++;
  g_mutex_unlock (&self->lock);
  what = g_strdup_printf ("Window %" G_GUINT64_FORMAT " at %" GST_TIME_FORMAT
      " has no answer", window->seq, GST_TIME_ARGS (window->start));
  gst_llavaov_post_warning (GST_ELEMENT (self), &window->error, what);
  g_free (what);
}

static void
tell (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  switch (window->state) {
    case GST_LLAVAOV_WINDOW_ANSWERED:
      tell_answer (self, window);
      break;
    case GST_LLAVAOV_WINDOW_DROPPED:
      tell_dropped (self, window);
      break;
    case GST_LLAVAOV_WINDOW_EMPTY:
      tell_empty (self, window);
      break;
    default:
      tell_failed (self, window);
      break;
  }
}

/* ---- the thread ---- */

static gpointer
worker_main (gpointer data)
{
  GstLlavaovElement *self = data;
  GstLlavaovWindow *window;
  guint percent = GST_LLAVAOV_LOADING_UNTOLD;

  g_mutex_lock (&self->lock);
  while (!self->stop) {
    if (self->engine_changed) {
      self->engine_changed = FALSE;
      g_mutex_unlock (&self->lock);
      gst_llavaov_loading_follow (self, &percent);
      g_mutex_lock (&self->lock);
    } else if (gst_llavaov_loading_can_check_frames (self)) {
      g_mutex_unlock (&self->lock);
      gst_llavaov_loading_check_frames (self);
      g_mutex_lock (&self->lock);
    } else if ((window = g_queue_pop_head (&self->outbox))) {
      guint generation = window->generation;

      self->telling = window;
      g_mutex_unlock (&self->lock);
      tell (self, window);
      g_mutex_lock (&self->lock);
      self->telling = NULL;
      gst_llavaov_window_free (window);
      if (generation == self->generation)
        self->undelivered--;
      g_cond_broadcast (&self->cond);
    } else if (self->session && !self->asked && !self->failed &&
        (window = g_queue_pop_head (&self->waiting))) {
      gst_llavaov_ask (self, window);
    } else if (self->clock_fired) {
      self->clock_fired = FALSE;
      g_mutex_unlock (&self->lock);
      gst_llavaov_clock_close_windows (self);
      g_mutex_lock (&self->lock);
    } else if (self->clock_stale) {
      gst_llavaov_clock_schedule (self);
    } else {
      g_cond_wait (&self->cond, &self->lock);
    }
  }
  g_mutex_unlock (&self->lock);
  gst_llavaov_loading_end (self, percent);
  return NULL;
}

gboolean
gst_llavaov_worker_start (GstLlavaovElement * self)
{
  LlavaovPrecision precision = LLAVAOV_PRECISION_AUTO;
  LlavaovError error = { 0, };
  GstLlavaovSettings settings;
  gchar *prompt = NULL;

  GST_OBJECT_LOCK (self);
  gst_llavaov_settings_copy (&self->settings, &settings);
  GST_OBJECT_UNLOCK (self);
  if (settings.model_path == NULL)
    settings.model_path = gst_llavaov_engine_default_model ();

  if (!gst_llavaov_check_settings (&settings, &precision, &error) ||
      !(prompt = gst_llavaov_read_prompt (&settings, &error)))
    goto failed;
  g_free (settings.prompt);
  settings.prompt = prompt;

  g_mutex_lock (&self->lock);
  gst_llavaov_settings_clear (&self->run);
  self->run = settings;
  self->stop = self->failed = self->flushing = FALSE;
  self->engine_changed = TRUE;
  self->frames_checked = FALSE;
  self->have_info = FALSE;
  self->next_seq = 0;
  memset (&self->stats, 0, sizeof (self->stats));
  gst_llavaov_frames_reset (self);
  self->running = TRUE;
  g_mutex_unlock (&self->lock);

  self->engine_user = gst_llavaov_engine_acquire (self->run.engine_id,
      self->run.model_path, self->run.device, precision, engine_changed, self,
      &error);
  if (self->engine_user == NULL) {
    self->running = FALSE;
    gst_llavaov_post_error (GST_ELEMENT (self), &error, &self->run,
        self->run.model_path);
    return FALSE;
  }
  self->worker = g_thread_new ("llavaov", worker_main, self);
  return TRUE;

failed:
  gst_llavaov_post_error (GST_ELEMENT (self), &error, &settings,
      settings.model_path);
  gst_llavaov_settings_clear (&settings);
  return FALSE;
}

void
gst_llavaov_worker_interrupt (GstLlavaovElement * self)
{
  LlavaovTicket *ticket;

  g_mutex_lock (&self->lock);
  self->running = FALSE;
  self->stop = TRUE;
  ticket = gst_llavaov_handover_discard (self);
  g_mutex_unlock (&self->lock);
  if (ticket) {
    llavaov_ticket_cancel (ticket);
    llavaov_ticket_unref (ticket);
  }
}

void
gst_llavaov_worker_stop (GstLlavaovElement * self)
{
  LlavaovSession *session;
  LlavaovTicket *ticket;

  if (self->worker == NULL)
    return;
  g_thread_join (g_steal_pointer (&self->worker));
  gst_llavaov_clock_cancel (self);

  g_mutex_lock (&self->lock);
  session = g_steal_pointer (&self->session);
  g_mutex_unlock (&self->lock);
  llavaov_session_close (session);

  g_mutex_lock (&self->lock);
  ticket = gst_llavaov_handover_discard (self);
  self->engine = NULL;
  self->ready = FALSE;
  if (self->asked)
    gst_llavaov_window_free (g_steal_pointer (&self->asked));
  if (self->sticky)
    gst_structure_free (g_steal_pointer (&self->sticky));
  g_mutex_unlock (&self->lock);
  if (ticket)
    llavaov_ticket_unref (ticket);
  gst_llavaov_engine_release (g_steal_pointer (&self->engine_user));
  gst_llavaov_element_notify (self, "ready");
}
