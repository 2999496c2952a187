/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "clock.h"
#include "errors.h"
#include "host.h"
#include "json-schema.h"
#include "loading.h"
#include "questions.h"
#include "reports.h"
#include "requests.h"
#include "window-queue.h"

static void
engine_changed (gpointer data)
{
  GstLlavaovElement *self = data;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_worker_thread_set_engine_changed (&self->worker);
  g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
}

/* How long a state change waits for a callback in the worker before it goes on without it. The callback may itself wait for a
 * state change, so waiting for ever would be a deadlock. */
#define PATIENCE (2 * G_TIME_SPAN_SECOND)

/* Questions of the application that were left without an answer. With the lock. */
static void
report_unasked (GstLlavaovElement * self)
{
  GstLlavaovWindow *window;

  while ((window = g_queue_pop_head (&self->windows.outbox))) {
    g_mutex_unlock (&self->windows.lock);
    gst_llavaov_report (self, window);
    gst_llavaov_window_free (window);
    g_mutex_lock (&self->windows.lock);
  }
}

/* After the worker's last call. */
static void
let_go (GstLlavaovElement * self)
{
  LlavaovSession *session;
  GstLlavaovModel was;
  LlavaovTicket *ticket;
  guint i;

  gst_llavaov_clock_cancel (self);

  g_mutex_lock (&self->windows.lock);
  session = gst_llavaov_model_take_session (&self->model);
  g_mutex_unlock (&self->windows.lock);
  llavaov_session_close (session);

  g_mutex_lock (&self->windows.lock);
  ticket = gst_llavaov_window_queue_flush (self);
  gst_llavaov_windows_abandon (&self->windows);
  report_unasked (self);
  was = gst_llavaov_model_stop (&self->model);
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_output_stop (&self->output);
  if (ticket)
    llavaov_ticket_unref (ticket);
  gst_llavaov_model_release (&was);
  for (i = 0; i < G_N_ELEMENTS (self->json); i++)
    gst_llavaov_json_schema_clear (&self->json[i]);
  gst_llavaov_host_notify (self, "ready");
}

/* Whether the worker has ended; waits for that, but no longer than PATIENCE. With the lock. */
static gboolean
await_end (GstLlavaovElement * self)
{
  return gst_llavaov_worker_thread_await_end (&self->worker,
      &self->windows.cond, &self->windows.lock,
      g_get_monotonic_time () + PATIENCE);
}

/* Joins a worker that has ended. Without the lock. */
static void
join (GstLlavaovElement * self)
{
  GThread *thread;

  g_mutex_lock (&self->windows.lock);
  thread = gst_llavaov_worker_thread_take (&self->worker);
  g_mutex_unlock (&self->windows.lock);
  if (thread)
    g_thread_join (thread);
}

/* With the lock. */
static gboolean
owes_partial (GstLlavaovElement * self)
{
  gint64 due = gst_llavaov_partials_due (&self->partials);

  return due && due <= g_get_monotonic_time ();
}

static gpointer
worker_main (gpointer data)
{
  GstLlavaovElement *self = data;
  GstLlavaovWindow *window;
  guint percent = GST_LLAVAOV_LOADING_UNTOLD;

  gst_llavaov_worker_thread_begin ();
  g_mutex_lock (&self->windows.lock);
  while (!gst_llavaov_worker_thread_is_stopping (&self->worker)) {
    if (gst_llavaov_worker_thread_take_engine_changed (&self->worker)) {
      g_mutex_unlock (&self->windows.lock);
      gst_llavaov_loading_poll (self, &percent);
      g_mutex_lock (&self->windows.lock);
    } else if (gst_llavaov_loading_can_check_frames (self)) {
      g_mutex_unlock (&self->windows.lock);
      gst_llavaov_loading_check_frames (self);
      g_mutex_lock (&self->windows.lock);
    } else if (gst_llavaov_alerts_owe (&self->alerts)) {
      g_mutex_unlock (&self->windows.lock);
      gst_llavaov_report_owed_alert (self);
      g_mutex_lock (&self->windows.lock);
    } else if (owes_partial (self)) {
      g_mutex_unlock (&self->windows.lock);
      gst_llavaov_report_partial (self);
      g_mutex_lock (&self->windows.lock);
    } else if ((window = gst_llavaov_windows_report (&self->windows))) {
      g_mutex_unlock (&self->windows.lock);
      gst_llavaov_report (self, window);
      g_mutex_lock (&self->windows.lock);
      gst_llavaov_windows_reported (&self->windows);
    } else if (self->model.session && gst_llavaov_windows_ask (&self->windows)) {
      gst_llavaov_request_send (self);
    } else if (gst_llavaov_timer_take_fired (&self->timer)) {
      g_mutex_unlock (&self->windows.lock);
      gst_llavaov_clock_close_windows (self);
      g_mutex_lock (&self->windows.lock);
    } else if (gst_llavaov_timer_is_stale (&self->timer)) {
      gst_llavaov_clock_schedule (self);
    } else {
      gst_llavaov_timer_wait (&self->timer,
          gst_llavaov_partials_due (&self->partials), &self->windows.cond,
          &self->windows.lock);
    }
  }
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_loading_end (self, percent);

  g_mutex_lock (&self->windows.lock);
  if (gst_llavaov_worker_thread_is_left_alone (&self->worker)) {
    g_mutex_unlock (&self->windows.lock);
    let_go (self);
    g_mutex_lock (&self->windows.lock);
  }
  gst_llavaov_worker_thread_end (&self->worker);
  g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
  gst_object_unref (self);
  return NULL;
}

/* Opens the chat template before the model is loaded, so that a mistake in it shows at once. FALSE: error is filled. What is
 * wrong with the folder itself is left for the load to report. */
static gboolean
open_template (const GstLlavaovSettings * settings,
    LlavaovChatTemplate ** chat_template, LlavaovError * error)
{
  LlavaovStatus status = llavaov_chat_template_open (settings->model_path,
      settings->chat_template, chat_template, error);

  if (status == LLAVAOV_OK || (settings->chat_template == NULL &&
          (status == LLAVAOV_ERROR_NOT_FOUND || status == LLAVAOV_ERROR_IO)))
    return TRUE;
  error->status = status;
  return FALSE;
}

/* What servers are to be given decides on the layout where that is open. */
static void
settle_layout (GstLlavaovSettings * settings)
{
  if (!gst_llavaov_engine_is_remote (settings) ||
      settings->layout != GST_LLAVAOV_LAYOUT_AUTO)
    return;
  if (settings->remote_layout == GST_LLAVAOV_REMOTE_LAYOUT_IMAGES)
    settings->layout = GST_LLAVAOV_LAYOUT_IMAGES;
  else if (settings->remote_layout == GST_LLAVAOV_REMOTE_LAYOUT_VIDEO)
    settings->layout = GST_LLAVAOV_LAYOUT_VIDEO;
}

/* Before anything is loaded, so that a mistake shows at once. */
static gboolean
check_servers (const GstLlavaovSettings * settings, LlavaovError * error)
{
  const LlavaovRemoteOptions remote =
      gst_llavaov_engine_remote_options (settings);

  if (!gst_llavaov_engine_is_remote (settings))
    return TRUE;
  error->status = llavaov_remote_check (&remote, error);
  return error->status == LLAVAOV_OK;
}

gboolean
gst_llavaov_worker_start (GstLlavaovElement * self)
{
  LlavaovPrecision precision = LLAVAOV_PRECISION_AUTO;
  LlavaovError error = { 0, };
  GstLlavaovSettings settings;
  LlavaovChatTemplate *chat_template = NULL;
  GstLlavaovEngineUser *user;
  GstLlavaovModel was;
  gchar *prompt = NULL;
  gboolean ended;

  g_mutex_lock (&self->windows.lock);
  ended = !gst_llavaov_worker_thread_exists (&self->worker) || await_end (self);
  g_mutex_unlock (&self->windows.lock);
  if (!ended) {
    g_warning ("%s is still in a callback of an answer before: it cannot start "
        "again from there, nor wait for its end without a deadlock. Change "
        "the state from another thread.", GST_OBJECT_NAME (self));
    return FALSE;
  }
  join (self);

  GST_OBJECT_LOCK (self);
  gst_llavaov_settings_copy (&self->settings, &settings);
  GST_OBJECT_UNLOCK (self);
  if (settings.model_path == NULL)
    settings.model_path = gst_llavaov_engine_default_model ();
  settle_layout (&settings);

  if (!gst_llavaov_check_settings (&settings, &precision, &error) ||
      !check_servers (&settings, &error) ||
      !(prompt = gst_llavaov_read_prompt (&settings, &error)) ||
      !gst_llavaov_json_schema_read (&settings, &error) ||
      !gst_llavaov_questions_read (&settings, &error) ||
      !gst_llavaov_questions_check (&settings, &error) ||
      !open_template (&settings, &chat_template, &error)) {
    g_free (prompt);
    goto failed;
  }
  g_free (settings.prompt);
  settings.prompt = prompt;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_settings_clear (&self->run);
  self->run = settings;
  gst_llavaov_model_start (&self->model, chat_template);
  gst_llavaov_format_start (&self->format);
  gst_llavaov_input_start (&self->input);
  gst_llavaov_output_start (&self->output);
  gst_llavaov_alerts_start (&self->alerts);
  gst_llavaov_window_queue_reset (self);
  gst_llavaov_windows_start (&self->windows);
  g_mutex_unlock (&self->windows.lock);

  user = gst_llavaov_engine_acquire (&self->run, precision, engine_changed,
      self, &error);
  if (user == NULL) {
    g_mutex_lock (&self->windows.lock);
    gst_llavaov_windows_stop (&self->windows);
    was = gst_llavaov_model_stop (&self->model);
    g_mutex_unlock (&self->windows.lock);
    gst_llavaov_model_release (&was);
    gst_llavaov_post_error (GST_ELEMENT (self), &error, &self->run,
        self->run.model_path);
    return FALSE;
  }
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_model_set_user (&self->model, user);
  /* A reference of its own: a callback may drop all others. */
  gst_llavaov_worker_thread_start (&self->worker, worker_main,
      gst_object_ref (self));
  g_mutex_unlock (&self->windows.lock);
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

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_windows_stop (&self->windows);
  gst_llavaov_worker_thread_ask_to_stop (&self->worker);
  ticket = gst_llavaov_window_queue_flush (self);
  g_mutex_unlock (&self->windows.lock);
  if (ticket) {
    llavaov_ticket_cancel (ticket);
    llavaov_ticket_unref (ticket);
  }
}

void
gst_llavaov_worker_stop (GstLlavaovElement * self)
{
  gboolean ended;

  g_mutex_lock (&self->windows.lock);
  if (!gst_llavaov_worker_thread_exists (&self->worker) ||
      gst_llavaov_worker_thread_is_left_alone (&self->worker)) {
    g_mutex_unlock (&self->windows.lock);
    return;
  }
  ended = await_end (self);
  if (!ended) {
    gst_llavaov_worker_thread_leave_alone (&self->worker);
    gst_llavaov_model_set_not_ready (&self->model);
  }
  g_mutex_unlock (&self->windows.lock);
  if (!ended) {
    /* In the words of a GstTask that is joined from its own thread. */
    g_warning
        ("Trying to join the worker of %s from a callback in it, or while "
        "one does not return, would deadlock. It ends by itself when the "
        "callback returns. You cannot change the state of an element from a "
        "callback in its own thread: do it from the main loop.",
        GST_OBJECT_NAME (self));
    gst_llavaov_host_notify (self, "ready");
    return;
  }
  join (self);
  let_go (self);
}
