/* SPDX-License-Identifier: Apache-2.0 */
#include "textpad.h"

#include "answers.h"

GST_DEBUG_CATEGORY_EXTERN (gst_llavaov_debug);
#define GST_CAT_DEFAULT gst_llavaov_debug

/* Answers that may wait for a blocked text branch before the oldest is let go. */
#define MAX_ANSWERS 256
/* The gap behind every answer, which lets muxers go on past it. */
#define TAIL_GAP GST_MSECOND

typedef struct
{
  GstEvent *event;              /* or: */
  GstStructure *answer;         /* or: a gap */
  GstClockTime timestamp, duration;
} Item;

struct _GstLlavaovTextPad
{
  GstPad parent;

  GMutex lock;
  GCond cond;
  /* under the lock */
  GQueue items;
  guint n_answers;
  gboolean flushing, begun;
  GstSegment segment;
  GstClockTime position;        /* end of the last gap or answer queued */

  /* the task's own */
  gboolean need_caps, json;
};

G_DEFINE_TYPE (GstLlavaovTextPad, gst_llavaov_text_pad, GST_TYPE_PAD);

static void
item_free (Item * item)
{
  if (item->event)
    gst_event_unref (item->event);
  if (item->answer)
    gst_structure_free (item->answer);
  g_free (item);
}

static void
clear_items (GstLlavaovTextPad * self)
{
  Item *item;

  while ((item = g_queue_pop_head (&self->items)))
    item_free (item);
  self->n_answers = 0;
}

static void
queue_event (GstLlavaovTextPad * self, GstEvent * event)
{
  Item *item = g_new0 (Item, 1);

  item->event = event;
  g_queue_push_tail (&self->items, item);
  g_cond_signal (&self->cond);
}

/* With the lock held. */
static void
queue_gap (GstLlavaovTextPad * self, GstClockTime until)
{
  Item *item = g_queue_peek_tail (&self->items);

  if (!GST_CLOCK_TIME_IS_VALID (until) || until <= self->position)
    return;
  if (item && item->event == NULL && item->answer == NULL) {
    item->duration = until - item->timestamp;
  } else {
    item = g_new0 (Item, 1);
    item->timestamp = self->position;
    item->duration = until - self->position;
    g_queue_push_tail (&self->items, item);
    g_cond_signal (&self->cond);
  }
  self->position = until;
}

static void
push_caps (GstLlavaovTextPad * self)
{
  GstPad *pad = GST_PAD (self);
  GstCaps *allowed, *current;
  GstCaps *caps = NULL;

  gst_pad_check_reconfigure (pad);
  allowed = gst_pad_get_allowed_caps (pad);
  if (allowed && !gst_caps_is_empty (allowed))
    caps = gst_caps_fixate (gst_caps_copy_nth (allowed, 0));
  gst_clear_caps (&allowed);
  if (caps == NULL)
    caps = gst_caps_new_simple ("text/x-raw", "format", G_TYPE_STRING, "utf8",
        NULL);
  self->json = gst_structure_has_name (gst_caps_get_structure (caps, 0),
      "application/x-json");
  current = gst_pad_get_current_caps (pad);
  if (current == NULL || !gst_caps_is_equal (current, caps))
    gst_pad_push_event (pad, gst_event_new_caps (caps));
  gst_clear_caps (&current);
  gst_caps_unref (caps);
  self->need_caps = FALSE;
}

static GstFlowReturn
push_answer (GstLlavaovTextPad * self, const Item * item)
{
  gchar *text;
  GstBuffer *buffer;

  if (self->json) {
    gchar *line = gst_llavaov_answer_to_json (item->answer);

    text = g_strconcat (line, "\n", NULL);
    g_free (line);
  } else {
    text = g_strdup (gst_structure_get_string (item->answer, "text"));
  }
  buffer = gst_buffer_new_wrapped (text, strlen (text));
  GST_BUFFER_PTS (buffer) = item->timestamp;
  GST_BUFFER_DURATION (buffer) = item->duration;
  return gst_pad_push (GST_PAD (self), buffer);
}

static GstFlowReturn
push_item (GstLlavaovTextPad * self, Item * item)
{
  GstPad *pad = GST_PAD (self);
  GstFlowReturn flow = GST_FLOW_OK;

  if (item->event) {
    GstEventType type = GST_EVENT_TYPE (item->event);

    if (type == GST_EVENT_STREAM_START)
      self->need_caps = TRUE;
    else if (self->need_caps)
      push_caps (self);
    gst_pad_push_event (pad, g_steal_pointer (&item->event));
  } else if (item->answer) {
    if (gst_pad_check_reconfigure (pad))
      push_caps (self);
    flow = push_answer (self, item);
  } else {
    gst_pad_push_event (pad, gst_event_new_gap (item->timestamp,
            item->duration));
  }
  return flow;
}

static void
text_loop (gpointer data)
{
  GstLlavaovTextPad *self = data;
  GstPad *pad = GST_PAD (self);
  GstFlowReturn flow;
  Item *item;

  g_mutex_lock (&self->lock);
  while (!self->flushing && g_queue_is_empty (&self->items))
    g_cond_wait (&self->cond, &self->lock);
  if (self->flushing) {
    g_mutex_unlock (&self->lock);
    gst_pad_pause_task (pad);
    return;
  }
  item = g_queue_pop_head (&self->items);
  if (item->answer)
    self->n_answers--;
  g_mutex_unlock (&self->lock);

  flow = push_item (self, item);
  item_free (item);

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

/* The task keeps the pad until its thread has ended. */
static gboolean
start_task (GstLlavaovTextPad * self)
{
  return gst_pad_start_task (GST_PAD (self), text_loop, gst_object_ref (self),
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
  clear_items (self);
  self->flushing = !active;
  self->begun = FALSE;
  self->position = 0;
  g_cond_signal (&self->cond);
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

  clear_items (self);
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
  g_queue_init (&self->items);
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

void
gst_llavaov_text_pad_begin (GstLlavaovTextPad * self, GstEvent * stream_start,
    GstEvent * segment)
{
  g_mutex_lock (&self->lock);
  if (self->flushing) {
    g_mutex_unlock (&self->lock);
    return;
  }
  if (!self->begun) {
    const gchar *upstream = NULL;
    GstEvent *event;
    gchar *id;
    guint group;

    if (stream_start)
      gst_event_parse_stream_start (stream_start, &upstream);
    id = g_strconcat (upstream ? upstream : "llavaov", "/text", NULL);
    event = gst_event_new_stream_start (id);
    g_free (id);
    gst_event_set_stream_flags (event, GST_STREAM_FLAG_SPARSE);
    if (stream_start) {
      gst_event_set_seqnum (event, gst_event_get_seqnum (stream_start));
      if (gst_event_parse_group_id (stream_start, &group))
        gst_event_set_group_id (event, group);
    }
    queue_event (self, event);
    self->begun = TRUE;
  }
  gst_event_copy_segment (segment, &self->segment);
  queue_event (self, gst_event_ref (segment));
  self->position = self->segment.format == GST_FORMAT_TIME ?
      self->segment.start : 0;
  /* Something at the very start, for preroll; a nanosecond does not keep an answer from starting there too. */
  queue_gap (self, self->position + 1);
  g_mutex_unlock (&self->lock);
}

gboolean
gst_llavaov_text_pad_has_begun (GstLlavaovTextPad * self)
{
  gboolean begun;

  g_mutex_lock (&self->lock);
  begun = self->begun || self->flushing;
  g_mutex_unlock (&self->lock);
  return begun;
}

void
gst_llavaov_text_pad_gap (GstLlavaovTextPad * self, GstClockTime until)
{
  g_mutex_lock (&self->lock);
  if (!self->flushing && self->begun)
    queue_gap (self, until);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_answer (GstLlavaovTextPad * self,
    const GstStructure * answer, GstClockTime timestamp, GstClockTime duration)
{
  Item *item;

  g_mutex_lock (&self->lock);
  if (self->flushing || !self->begun) {
    g_mutex_unlock (&self->lock);
    return;
  }
  if (self->n_answers == MAX_ANSWERS) {
    GList *walk;

    for (walk = self->items.head; walk; walk = walk->next) {
      item = walk->data;
      if (item->answer) {
        GST_WARNING_OBJECT (self, "text branch is blocked: oldest answer lost");
        g_queue_delete_link (&self->items, walk);
        item_free (item);
        self->n_answers--;
        break;
      }
    }
  }
  if (!GST_CLOCK_TIME_IS_VALID (timestamp))
    timestamp = self->position;
  else if (timestamp > self->position)
    queue_gap (self, timestamp);
  item = g_new0 (Item, 1);
  item->answer = gst_structure_copy (answer);
  item->timestamp = timestamp;
  item->duration = duration;
  g_queue_push_tail (&self->items, item);
  self->n_answers++;
  self->position = MAX (self->position, timestamp);
  queue_gap (self, self->position + TAIL_GAP);
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_event (GstLlavaovTextPad * self, GstEvent * event)
{
  g_mutex_lock (&self->lock);
  if (self->flushing)
    gst_event_unref (event);
  else
    queue_event (self, event);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_flush_start (GstLlavaovTextPad * self, GstEvent * event)
{
  gst_pad_push_event (GST_PAD (self), event);
  g_mutex_lock (&self->lock);
  self->flushing = TRUE;
  clear_items (self);
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
  gst_pad_pause_task (GST_PAD (self));
}

void
gst_llavaov_text_pad_flush_stop (GstLlavaovTextPad * self, GstEvent * event)
{
  gst_pad_push_event (GST_PAD (self), event);
  g_mutex_lock (&self->lock);
  clear_items (self);
  self->flushing = !gst_pad_is_active (GST_PAD (self));
  self->position = 0;
  g_mutex_unlock (&self->lock);
  if (gst_pad_is_active (GST_PAD (self)))
    start_task (self);
}
