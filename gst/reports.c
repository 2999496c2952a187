/* SPDX-License-Identifier: Apache-2.0 */
#include "reports.h"

#include "answers.h"
#include "engine-registry.h"
#include "errors.h"
#include "host.h"
#include "text-stream.h"

/* A device that fails so many windows in a row is taken to be lost. An engine does not get over that. */
#define MAX_DEVICE_FAILURES 3

/* Answers with choices in a row that are not valid, before somebody is told. */
#define DOUBTS 3

/* Says, once, what the device does without and is slower for. */
static void
report_notice (GstLlavaovElement * self)
{
  LlavaovEngineStats stats = {.size = sizeof (stats) };
  gchar *text;

  if (llavaov_engine_stats (self->model.engine, &stats) != LLAVAOV_OK ||
      !gst_llavaov_output_notice (&self->output, stats.notice))
    return;
  text = g_strdup_printf ("The device is slower than it could be: %s",
      stats.notice);
  GST_INFO_OBJECT (self, "%s", text);
  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_INFO,
      GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, g_strdup (text), text,
      __FILE__, GST_FUNCTION, __LINE__);
}

/* The labels are not what the model would say: once for so many windows in a row. */
static void
report_doubt (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  LlavaovError error = { LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
    "choices", ""
  };
  gboolean valid = FALSE;
  gdouble mass = 0;
  const gchar *end;
  gchar *what;

  gst_structure_get (window->chosen, "valid", G_TYPE_BOOLEAN, &valid,
      "label-mass", G_TYPE_DOUBLE, &mass, NULL);
  if (gst_llavaov_output_count_doubt (&self->output,
          window->question_index, valid) != DOUBTS)
    return;
  g_snprintf (error.message, sizeof (error.message),
      "%d windows in a row had less than choices-min-mass on all labels "
      "together (now %.3g). Other labels, choices-variants or choices-hint may "
      "fit the model better, which would begin with \"%s\"", DOUBTS, mass,
      gst_structure_get_string (window->chosen, "wanted"));
  if (!g_utf8_validate (error.message, -1, &end))
    error.message[end - error.message] = '\0';  /* it was cut */
  what = g_strdup_printf ("%s%schoices=\"%s\"",
      window->question ? window->question : "", window->question ? ": " : "",
      window->labels);
  gst_llavaov_post_warning (GST_ELEMENT (self), &error, what);
  g_free (what);
}

static void
report_alert (GstLlavaovElement * self, const GstStructure * alert)
{
  gst_llavaov_alerts_set_last (&self->alerts, alert);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), gst_structure_copy (alert)));
  gst_llavaov_host_notify (self, "last-alert");
}

void
gst_llavaov_report_owed_alert (GstLlavaovElement * self)
{
  GstStructure *alert = gst_llavaov_alerts_take_owed (&self->alerts);

  if (alert == NULL)
    return;
  report_alert (self, alert);
  gst_structure_free (alert);
}

void
gst_llavaov_report_partial (GstLlavaovElement * self)
{
  gchar *name = gst_llavaov_host_stream_name (self);
  GstStructure *partial;

  g_mutex_lock (&self->windows.lock);
  partial = gst_llavaov_partials_take (&self->partials,
      g_get_monotonic_time (), name);
  g_mutex_unlock (&self->windows.lock);
  g_free (name);
  if (partial == NULL)
    return;
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), partial));
  gst_llavaov_host_notify (self, "last-partial");
}

static void
report_answer (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  const LlavaovEngineInfo *info = llavaov_engine_info (self->model.engine);
  GstStructure *answer;
  GPtrArray *alerts;
  guint64 dropped;
  gboolean post;
  guint i;
  gchar *name = gst_llavaov_host_stream_name (self);
  gchar *model = g_utf8_make_valid (info->model_name, -1);      /* a folder's name */

  report_notice (self);
  gst_llavaov_output_answer (&self->output, window);
  dropped = gst_llavaov_output_read (&self->output,
      GST_LLAVAOV_COUNT_DROPPED_WINDOWS);
  answer = gst_llavaov_answer_to_structure (window, name, dropped,
      model, info->device);
  alerts = window->ask_id ? NULL :
      gst_llavaov_alerts_take (&self->alerts, window, name, answer);
  g_free (model);
  g_free (name);

  GST_OBJECT_LOCK (self);
  post = self->settings.post_messages;
  GST_OBJECT_UNLOCK (self);
  if (post)
    gst_element_post_message (GST_ELEMENT (self),
        gst_message_new_element (GST_OBJECT (self),
            gst_structure_copy (answer)));
  gst_llavaov_host_notify (self, "last-answer");
  for (i = 0; alerts && i < alerts->len; i++)
    report_alert (self, g_ptr_array_index (alerts, i));
  gst_llavaov_text_stream_answer (self, window, answer, alerts);
  gst_llavaov_output_add_meta (&self->output, window, answer);
  if (window->chosen && !window->ask_id)
    report_doubt (self, window);
  g_clear_pointer (&alerts, g_ptr_array_unref);
}

static void
post_no_answer (GstLlavaovElement * self, guint64 id, const gchar * question,
    const gchar * prompt, const gchar * reason, const gchar * text)
{
  gchar *name = gst_llavaov_host_stream_name (self);

  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_llavaov_no_answer_to_structure (id, name, question, prompt,
              reason, text)));
  g_free (name);
}

void
gst_llavaov_report_not_asked (GstLlavaovElement * self,
    const GstStructure * fields, const gchar * reason)
{
  post_no_answer (self, 0, gst_structure_get_string (fields, "question"),
      gst_structure_get_string (fields, "prompt"), reason, NULL);
}

static void
report_unanswered (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  gchar *what;

  if (window->state != GST_LLAVAOV_WINDOW_DROPPED) {
    what = g_strdup_printf ("Question %" G_GUINT64_FORMAT " has no answer",
        window->ask_id);
    gst_llavaov_post_warning (GST_ELEMENT (self), &window->error, what);
    g_free (what);
  }
  post_no_answer (self, window->ask_id, window->question, window->prompt,
      window->reason ? window->reason : "failed",
      window->error.status == LLAVAOV_OK ? NULL : window->error.message);
}

static void
report_dropped (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  GstClockTime timestamp = gst_llavaov_window_timestamp (window);
  GstClockTime stream_time = timestamp;
  GstMessage *message;
  guint64 answers, dropped;

  answers = gst_llavaov_output_read (&self->output, GST_LLAVAOV_COUNT_ANSWERS);
  dropped = gst_llavaov_output_read (&self->output,
      GST_LLAVAOV_COUNT_DROPPED_WINDOWS);
  if (window->segment.format == GST_FORMAT_TIME &&
      GST_CLOCK_TIME_IS_VALID (timestamp))
    stream_time = gst_segment_to_stream_time (&window->segment,
        GST_FORMAT_TIME, timestamp);
  message = gst_message_new_qos (GST_OBJECT (self),
      gst_llavaov_input_live (&self->input, NULL), window->start,
      stream_time, timestamp, window->length);
  /* Whole windows, not frames: the video itself loses nothing. */
  gst_message_set_qos_stats (message, GST_FORMAT_DEFAULT, answers, dropped);
  gst_structure_set (gst_message_writable_structure (message), "reason",
      G_TYPE_STRING, window->reason, NULL);
  gst_element_post_message (GST_ELEMENT (self), message);
}

static void
report_empty (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  gchar *name = gst_llavaov_host_stream_name (self);

  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_llavaov_no_frames_to_structure (window, name)));
  g_free (name);
}

/* Ends the stream, and makes sure that the next user of this model loads it anew. */
static void
report_lost (GstLlavaovElement * self, const LlavaovError * cause)
{
  LlavaovError error = *cause;

  g_snprintf (error.message, sizeof (error.message),
      "%d windows in a row failed "
      "on it: stop and start again, in a new process if that does not help. The "
      "last: %s", MAX_DEVICE_FAILURES, cause->message);
  gst_llavaov_engine_give_up (self->model.user);
  gst_llavaov_host_fail (self, &error);
}

static void
report_failed (GstLlavaovElement * self, const GstLlavaovWindow * window)
{
  guint failures;
  gchar *what;

  gst_llavaov_output_add_meta (&self->output, window, NULL);
  if (window->status == LLAVAOV_ERROR_CANCELLED)
    return;
  if (window->status == LLAVAOV_ERROR_REMOTE_UNFIT) {
    if (!gst_llavaov_windows_have_failed (&self->windows))
      gst_llavaov_host_fail (self, &window->error);
    return;
  }
  failures = gst_llavaov_output_count_failure (&self->output, window);
  what = g_strdup_printf ("Window %" G_GUINT64_FORMAT " at %" GST_TIME_FORMAT
      " has no answer%s%s", window->seq, GST_TIME_ARGS (window->start),
      window->question ? " to " : "", window->question ? window->question : "");
  gst_llavaov_post_warning (GST_ELEMENT (self), &window->error, what);
  g_free (what);
  if (failures >= MAX_DEVICE_FAILURES &&
      !gst_llavaov_windows_have_failed (&self->windows))
    report_lost (self, &window->error);
}

void
gst_llavaov_report (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  if (window->ask_id && window->state != GST_LLAVAOV_WINDOW_ANSWERED) {
    report_unanswered (self, window);
    return;
  }
  switch (window->state) {
    case GST_LLAVAOV_WINDOW_ANSWERED:
      report_answer (self, window);
      break;
    case GST_LLAVAOV_WINDOW_DROPPED:
      report_dropped (self, window);
      break;
    case GST_LLAVAOV_WINDOW_EMPTY:
      report_empty (self, window);
      break;
    default:
      report_failed (self, window);
      break;
  }
}
