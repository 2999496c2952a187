/* SPDX-License-Identifier: Apache-2.0 */
#include "text-pad.h"

#include "text-push.h"
#include "text-queue.h"

/* How long EOS waits for that of the video to have gone through; a consumer may hold that back until it has the text's. */
#define EOS_PATIENCE (500 * G_TIME_SPAN_MILLISECOND)
/* How long the video waits for the text's first events. */
#define START_PATIENCE (200 * G_TIME_SPAN_MILLISECOND)

struct _GstLlavaovTextPad
{
  GstPad parent;

  GMutex lock;
  GCond cond;
  /* under the lock */
  GstLlavaovTextQueue queue;
  gboolean flushing;
  gboolean begun;               /* stream start and caps have been queued */
  gboolean started;             /* stream start and caps have been pushed */
  gint64 eos_at;                /* monotonic microseconds; EOS waits for that */
};

G_DEFINE_TYPE (GstLlavaovTextPad, gst_llavaov_text_pad, GST_TYPE_PAD);

/* The next item, when it may go. NULL: the pad is flushing. With the lock. */
static GstLlavaovTextItem *
next_item (GstLlavaovTextPad * self)
{
  const GstLlavaovTextItem *item;

  while (!self->flushing) {
    item = gst_llavaov_text_queue_peek (&self->queue);
    if (item == NULL)
      g_cond_wait (&self->cond, &self->lock);
    else if (item->event == NULL || GST_EVENT_TYPE (item->event) !=
        GST_EVENT_EOS || g_get_monotonic_time () >= self->eos_at)
      return gst_llavaov_text_queue_pop (&self->queue);
    else
      g_cond_wait_until (&self->cond, &self->lock, self->eos_at);
  }
  return NULL;
}

static void
text_loop (gpointer data)
{
  GstLlavaovTextPad *self = data;
  GstPad *pad = GST_PAD (self);
  GstFlowReturn flow;
  GstLlavaovTextItem *item;

  g_mutex_lock (&self->lock);
  item = next_item (self);
  if (item == NULL) {
    g_mutex_unlock (&self->lock);
    gst_pad_pause_task (pad);
    return;
  }
  g_mutex_unlock (&self->lock);

  flow = gst_llavaov_text_push (pad, item);
  if (item->caps) {
    g_mutex_lock (&self->lock);
    self->started = gst_pad_has_current_caps (pad);
    g_cond_broadcast (&self->cond);
    g_mutex_unlock (&self->lock);
  }
  gst_llavaov_text_item_free (item);

  if (flow == GST_FLOW_FLUSHING) {
    gst_pad_pause_task (pad);
  } else if (flow <= GST_FLOW_NOT_NEGOTIATED) {
    GstElement *element = gst_pad_get_parent_element (pad);

    if (element) {
      GST_ELEMENT_FLOW_ERROR (element, flow);
      gst_object_unref (element);
    }
    gst_pad_pause_task (pad);
  }
}

/* The task keeps the pad until its thread has ended. One that is there already, as behind a flush, takes no second reference:
 * gst_pad_start_task() would leave it behind. */
static gboolean
start_task (GstLlavaovTextPad * self)
{
  GstPad *pad = GST_PAD (self);
  gboolean there;

  GST_OBJECT_LOCK (pad);
  there = GST_PAD_TASK (pad) != NULL;
  GST_OBJECT_UNLOCK (pad);
  if (there)
    return gst_pad_start_task (pad, text_loop, self, NULL);
  return gst_pad_start_task (pad, text_loop, gst_object_ref (self),
      gst_object_unref);
}

static gboolean
text_activate_mode (GstPad * pad, GstObject * parent, GstPadMode mode,
    gboolean active)
{
  GstLlavaovTextPad *self = GST_LLAVAOV_TEXT_PAD (pad);
  GstTask *task;

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  g_mutex_lock (&self->lock);
  gst_llavaov_text_queue_clear (&self->queue);
  self->flushing = !active;
  self->begun = self->started = FALSE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  if (active)
    return start_task (self);
  /* In the task's own thread, a probe say, GstTask warns and puts it back; the task ends with what it is doing, and then lets
   * go of the pad. */
  if (!gst_pad_stop_task (pad)) {
    GST_OBJECT_LOCK (pad);
    task = g_steal_pointer (&GST_PAD_TASK (pad));
    GST_OBJECT_UNLOCK (pad);
    gst_clear_object (&task);
  }
  return TRUE;
}

/* Only what concerns the text stream is answered here; where the stream stands is upstream's to say. */
static gboolean
text_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstPad *sink;
  gboolean result;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_LATENCY:
    case GST_QUERY_POSITION:
    case GST_QUERY_DURATION:
    case GST_QUERY_SEEKING:
    case GST_QUERY_SEGMENT:
      if (parent == NULL ||
          !(sink = gst_element_get_static_pad (GST_ELEMENT (parent), "sink")))
        return FALSE;
      result = gst_pad_peer_query (sink, query);
      gst_object_unref (sink);
      return result;
    default:
      return gst_pad_query_default (pad, parent, query);
  }
}

static GstIterator *
no_internal_links (GstPad * pad, GstObject * parent)
{
  return NULL;
}

static void
gst_llavaov_text_pad_finalize (GObject * object)
{
  GstLlavaovTextPad *self = GST_LLAVAOV_TEXT_PAD (object);

  gst_llavaov_text_queue_clear (&self->queue);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  G_OBJECT_CLASS (gst_llavaov_text_pad_parent_class)->finalize (object);
}

static void
gst_llavaov_text_pad_class_init (GstLlavaovTextPadClass * klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_llavaov_text_pad_finalize;
}

static void
gst_llavaov_text_pad_init (GstLlavaovTextPad * self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  gst_llavaov_text_queue_init (&self->queue);
  self->flushing = TRUE;
}

GstPad *
gst_llavaov_text_pad_new (GstPadTemplate * templ, const gchar * name)
{
  GstPad *pad = g_object_new (GST_TYPE_LLAVAOV_TEXT_PAD, "name", name,
      "direction", GST_PAD_SRC, "template", templ, NULL);

  gst_pad_set_activatemode_function (pad, text_activate_mode);
  gst_pad_set_query_function (pad, text_query);
  gst_pad_set_iterate_internal_links_function (pad, no_internal_links);
  gst_pad_use_fixed_caps (pad);
  return pad;
}

/* With the lock. */
static void
queue_start (GstLlavaovTextPad * self, GstEvent * stream_start)
{
  gst_llavaov_text_queue_add_start (&self->queue, stream_start);
  self->begun = TRUE;
  g_cond_broadcast (&self->cond);
}

void
gst_llavaov_text_pad_start (GstLlavaovTextPad * self, GstEvent * stream_start)
{
  gint64 until = g_get_monotonic_time () + START_PATIENCE;

  g_mutex_lock (&self->lock);
  if (!self->flushing && !self->begun)
    queue_start (self, stream_start);
  while (!self->flushing && !self->started &&
      g_cond_wait_until (&self->cond, &self->lock, until));
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_begin (GstLlavaovTextPad * self, GstEvent * stream_start,
    GstEvent * segment)
{
  g_mutex_lock (&self->lock);
  if (!self->flushing) {
    if (!self->begun)
      queue_start (self, stream_start);
    gst_llavaov_text_queue_add_segment (&self->queue, segment);
    g_cond_broadcast (&self->cond);
  }
  g_mutex_unlock (&self->lock);
}

gboolean
gst_llavaov_text_pad_has_segment (GstLlavaovTextPad * self)
{
  gboolean has;

  g_mutex_lock (&self->lock);
  has = self->queue.has_segment || self->flushing;
  g_mutex_unlock (&self->lock);
  return has;
}

void
gst_llavaov_text_pad_gap (GstLlavaovTextPad * self, GstClockTime until)
{
  g_mutex_lock (&self->lock);
  if (!self->flushing)
    gst_llavaov_text_queue_add_gap (&self->queue, until);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_answer (GstLlavaovTextPad * self,
    const GstStructure * answer, GPtrArray * alerts, GstClockTime timestamp,
    GstClockTime duration)
{
  g_mutex_lock (&self->lock);
  if (!self->flushing && self->begun)
    gst_llavaov_text_queue_add_answer (&self->queue, answer, alerts,
        timestamp, duration);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_event (GstLlavaovTextPad * self, GstEvent * event)
{
  g_mutex_lock (&self->lock);
  self->eos_at = g_get_monotonic_time () + EOS_PATIENCE;
  if (self->flushing) {
    gst_event_unref (event);
  } else {
    /* Behind an end only the beginning of another stream is let through. */
    if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
      self->begun = self->started = FALSE;
    gst_llavaov_text_queue_add_event (&self->queue, event);
    g_cond_broadcast (&self->cond);
  }
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_video_ended (GstLlavaovTextPad * self)
{
  g_mutex_lock (&self->lock);
  self->eos_at = 0;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_flush_start (GstLlavaovTextPad * self, GstEvent * event)
{
  gst_pad_push_event (GST_PAD (self), event);
  g_mutex_lock (&self->lock);
  self->flushing = TRUE;
  gst_llavaov_text_queue_clear (&self->queue);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  gst_pad_pause_task (GST_PAD (self));
}

void
gst_llavaov_text_pad_flush_stop (GstLlavaovTextPad * self, GstEvent * event)
{
  gst_pad_push_event (GST_PAD (self), event);
  g_mutex_lock (&self->lock);
  gst_llavaov_text_queue_clear (&self->queue);
  self->flushing = !gst_pad_is_active (GST_PAD (self));
  /* What had begun may have been flushed before it was pushed. */
  self->begun = self->started;
  g_mutex_unlock (&self->lock);
  if (gst_pad_is_active (GST_PAD (self)))
    start_task (self);
}
