/* SPDX-License-Identifier: Apache-2.0 */

/**
 * SECTION:element-llavaovelement
 * @title: llavaovelement
 * @see_also: llavaov
 *
 * Answers questions about raw video with a LLaVA-OneVision model. The video goes through untouched and without delay;
 * answers come as messages, metas, notifications of #llavaovelement:last-answer and on the request pad `text`.
 *
 * ## Example
 * |[
 * gst-launch-1.0 -v videotestsrc num-buffers=300 ! llavaovelement prompt="What is shown?" ! fakesink
 * ]|
 */
#include "gstllavaovelement.h"

#include "answers.h"
#include "ask.h"
#include "backpressure.h"
#include "clock.h"
#include "errors.h"
#include "properties.h"
#include "stream.h"
#include "upstream.h"
#include "worker.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_LLAVAOV_RAW_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src",
    GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (GST_LLAVAOV_RAW_CAPS));
static GstStaticPadTemplate text_template = GST_STATIC_PAD_TEMPLATE ("text",
    GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS (GST_LLAVAOV_TEXT_CAPS));

G_DEFINE_TYPE (GstLlavaovElement, gst_llavaov_element, GST_TYPE_ELEMENT);
GST_ELEMENT_REGISTER_DEFINE (llavaovelement, "llavaovelement", GST_RANK_NONE,
    GST_TYPE_LLAVAOV_ELEMENT);

gboolean
gst_llavaov_element_set (GstLlavaovElement * self, guint id,
    const GValue * value)
{
  gboolean found;

  GST_OBJECT_LOCK (self);
  found = gst_llavaov_settings_set (&self->settings, id, value);
  GST_OBJECT_UNLOCK (self);
  return found;
}

static GstStructure *
get_stats (GstLlavaovElement * self)
{
  LlavaovSessionStats session = {.size = sizeof (session) };
  GstStructure *stats;

  g_mutex_lock (&self->windows.lock);
  if (self->model.session)
    llavaov_session_stats (self->model.session, &session);
  stats = gst_llavaov_output_stats (&self->output, &session);
  gst_llavaov_alerts_add_stats (&self->alerts, stats);
  gst_llavaov_triggers_add_stats (&self->windows.triggers, stats);
  gst_llavaov_motion_watch_add_stats (&self->windows.motion, stats);
  gst_structure_set (stats, "requests-waiting", G_TYPE_UINT,
      gst_llavaov_windows_n_waiting (&self->windows),
      "requests-running", G_TYPE_UINT, self->windows.asked.length, NULL);
  g_mutex_unlock (&self->windows.lock);
  return stats;
}

gboolean
gst_llavaov_element_get (GstLlavaovElement * self, guint id, GValue * value)
{
  gboolean found = TRUE;

  switch (id) {
    case GST_LLAVAOV_PROP_STATS:
      g_value_take_boxed (value, get_stats (self));
      break;
    case GST_LLAVAOV_PROP_READY:
      g_mutex_lock (&self->windows.lock);
      g_value_set_boolean (value, self->model.ready);
      g_mutex_unlock (&self->windows.lock);
      break;
    case GST_LLAVAOV_PROP_LAST_ANSWER:
      g_value_take_string (value,
          gst_llavaov_output_last_answer (&self->output));
      break;
    case GST_LLAVAOV_PROP_LAST_PARTIAL:
      g_mutex_lock (&self->windows.lock);
      g_value_take_string (value, gst_llavaov_partials_last (&self->partials));
      g_mutex_unlock (&self->windows.lock);
      break;
    case GST_LLAVAOV_PROP_LAST_ALERT:
      g_value_take_string (value, gst_llavaov_alerts_last (&self->alerts));
      break;
    default:
      GST_OBJECT_LOCK (self);
      found = gst_llavaov_settings_get (&self->settings, id, value);
      if (id == GST_LLAVAOV_PROP_STREAM_NAME &&
          self->settings.stream_name == NULL)
        g_value_set_string (value,
            GST_OBJECT_NAME (self->host ? self->host : (gpointer) self));
      GST_OBJECT_UNLOCK (self);
      break;
  }
  return found;
}

static void
set_property (GObject * object, guint id, const GValue * value,
    GParamSpec * pspec)
{
  if (!gst_llavaov_element_set (GST_LLAVAOV_ELEMENT (object), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
get_property (GObject * object, guint id, GValue * value, GParamSpec * pspec)
{
  if (!gst_llavaov_element_get (GST_LLAVAOV_ELEMENT (object), id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static GstPad *
request_new_pad (GstElement * element, GstPadTemplate * templ,
    const gchar * name, const GstCaps * caps)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (element);
  GstPad *pad = NULL;

  GST_OBJECT_LOCK (self);
  if (self->text == NULL) {
    pad = gst_llavaov_text_pad_new (templ, "text");
    gst_pad_set_event_function (pad, gst_llavaov_upstream_event);
    self->text = GST_LLAVAOV_TEXT_PAD (pad);
  }
  GST_OBJECT_UNLOCK (self);
  if (pad == NULL)
    return NULL;
  if (GST_STATE (element) > GST_STATE_READY ||
      GST_STATE_TARGET (element) > GST_STATE_READY)
    gst_pad_set_active (pad, TRUE);
  gst_element_add_pad (element, pad);
  return pad;
}

static void
release_pad (GstElement * element, GstPad * pad)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (element);

  GST_OBJECT_LOCK (self);
  self->text = NULL;
  GST_OBJECT_UNLOCK (self);
  gst_pad_set_active (pad, FALSE);
  gst_element_remove_pad (element, pad);
}

/* Alone it has no decoder. */
static void
warn_of_decode (GstLlavaovElement * self)
{
  LlavaovError error = { LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "decode",
    "llavaovelement decodes nothing, so this does nothing: llavaov does"
  };
  gboolean useless;

  GST_OBJECT_LOCK (self);
  useless = !self->host && self->settings.decode != GST_LLAVAOV_DECODE_ALL;
  GST_OBJECT_UNLOCK (self);
  if (useless)
    gst_llavaov_post_warning (GST_ELEMENT (self), &error, "decode");
}

static GstStateChangeReturn
change_state (GstElement * element, GstStateChange transition)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (element);
  GstStateChangeReturn result;

  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!gst_llavaov_worker_start (self))
        return GST_STATE_CHANGE_FAILURE;
      warn_of_decode (self);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
      gst_llavaov_clock_set_playing (self, TRUE);
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      gst_llavaov_clock_set_playing (self, FALSE);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      gst_llavaov_worker_interrupt (self);
      break;
    default:
      break;
  }

  result = GST_ELEMENT_CLASS (gst_llavaov_element_parent_class)->change_state
      (element, transition);

  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
          result == GST_STATE_CHANGE_FAILURE)) {
    gst_llavaov_worker_interrupt (self);
    gst_llavaov_worker_stop (self);
  }
  return result;
}

/* From a callback in the worker: the streaming thread may wait for that callback with the pad's lock held. */
static gboolean
send_event (GstElement * element, GstEvent * event)
{
  /* Not through a pad, whose lock the streaming thread may hold. */
  if (gst_llavaov_ask_event (GST_LLAVAOV_ELEMENT (element), event))
    return TRUE;
  gst_llavaov_backpressure_release_waiters (GST_LLAVAOV_ELEMENT (element));
  return GST_ELEMENT_CLASS (gst_llavaov_element_parent_class)->send_event
      (element, event);
}

static void
finalize (GObject * object)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (object);
  GThread *worker = gst_llavaov_worker_thread_take (&self->worker);

  /* It has ended, or this is its last call. */
  if (worker)
    g_thread_unref (worker);
  gst_llavaov_settings_clear (&self->settings);
  gst_llavaov_settings_clear (&self->run);
  gst_llavaov_format_clear (&self->format);
  gst_llavaov_input_clear (&self->input);
  gst_llavaov_partials_clear (&self->partials);
  gst_llavaov_windows_clear (&self->windows);
  gst_llavaov_output_clear (&self->output);
  gst_llavaov_alerts_clear (&self->alerts);
  G_OBJECT_CLASS (gst_llavaov_element_parent_class)->finalize (object);
}

static void
gst_llavaov_element_class_init (GstLlavaovElementClass * klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  gst_llavaov_properties_install (object_class);
  gst_llavaov_ask_install (G_TYPE_FROM_CLASS (klass),
      G_CALLBACK (gst_llavaov_ask));

  element_class->change_state = change_state;
  element_class->request_new_pad = request_new_pad;
  element_class->release_pad = release_pad;
  element_class->send_event = send_event;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_add_static_pad_template (element_class, &text_template);
  gst_element_class_set_static_metadata (element_class,
      "LLaVA-OneVision for raw video", "Filter/Analyzer/Video",
      "Answers questions about raw video with a LLaVA-OneVision model",
      "The llavaov authors");
  gst_llavaov_answers_register_meta ();
}

static void
gst_llavaov_element_init (GstLlavaovElement * self)
{
  gst_llavaov_settings_init (&self->settings);
  gst_llavaov_settings_init (&self->run);
  gst_llavaov_format_init (&self->format);
  gst_llavaov_input_init (&self->input);
  gst_llavaov_windows_init (&self->windows);
  gst_llavaov_output_init (&self->output);
  gst_llavaov_alerts_init (&self->alerts);

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_llavaov_stream_setup (self);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
