/* SPDX-License-Identifier: Apache-2.0 */
#include "text-pad.h"

#include "answers.h"

GST_DEBUG_CATEGORY_EXTERN (gst_llavaov_debug);
#define GST_CAT_DEFAULT gst_llavaov_debug

/* Answers that may wait for a blocked text branch before the oldest is let go. */
#define MAX_ANSWERS 256
/* The gap behind every answer, which lets muxers go on past it. */
#define TAIL_GAP GST_MSECOND
/* textoverlay shows a video frame when the text has come past it, which cannot be for the last one played backwards: a text
 * segment that ends so much later lets it. */
#define REVERSE_SHIFT GST_MSECOND

/* How long EOS waits for that of the video to have gone through; a consumer may hold that back until it has the text's. */
#define EOS_PATIENCE (500 * G_TIME_SPAN_MILLISECOND)
/* How long the video waits for the text's first events. */
#define START_PATIENCE (200 * G_TIME_SPAN_MILLISECOND)

typedef struct
{
  GstEvent *event;              /* or: */
  GstStructure *answer;         /* or: */
  gboolean caps;                /* whatever the consumer takes; or: a gap */
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
  gboolean flushing, begun, has_segment;
  gboolean started;             /* stream start and caps have been pushed */
  gint64 eos_at;                /* monotonic microseconds; EOS waits for that */
  GstSegment segment;
  GstClockTime shift;           /* between timestamps of the video and of the text */
  GstClockTime position;        /* how far the text has come: end of the last gap or answer queued, start in reverse */

  /* the task's own */
  gboolean json;
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
  g_cond_broadcast (&self->cond);
}

static gboolean
backwards (GstLlavaovTextPad * self)
{
  return self->segment.rate < 0;
}

/* With the lock held. */
static void
queue_gap (GstLlavaovTextPad * self, GstClockTime until)
{
  Item *item = g_queue_peek_tail (&self->items);
  GstClockTime from = self->position;

  if (!GST_CLOCK_TIME_IS_VALID (until) ||
      (backwards (self) ? until >= from : until <= from))
    return;
  self->position = until;
  if (!GST_CLOCK_TIME_IS_VALID (from))
    from = until + 1;           /* backwards from an unknown end */
  if (item == NULL || item->event || item->answer || item->caps) {
    item = g_new0 (Item, 1);
    item->timestamp = MIN (from, until);
    item->duration = MAX (from, until) - item->timestamp;
    g_queue_push_tail (&self->items, item);
    g_cond_broadcast (&self->cond);
  } else {
    item->duration += MAX (from, until) - MIN (from, until);
    item->timestamp = MIN (item->timestamp, until);
  }
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

/* Consumers take either end of a gap for how far the text has come: splitmuxsink its start, textoverlay its end. So both
 * ends of the last one are as far as can be. */
static void
push_gap (GstLlavaovTextPad * self, GstClockTime start, GstClockTime duration)
{
  GstPad *pad = GST_PAD (self);
  gboolean back = backwards (self);

  if (duration > 1)
    gst_pad_push_event (pad, gst_event_new_gap (start + back, duration - 1));
  gst_pad_push_event (pad, gst_event_new_gap (back ? start : start + duration -
          1, 1));
}

static GstFlowReturn
push_item (GstLlavaovTextPad * self, Item * item)
{
  GstPad *pad = GST_PAD (self);
  GstFlowReturn flow = GST_FLOW_OK;

  if (item->event) {
    gst_pad_push_event (pad, g_steal_pointer (&item->event));
  } else if (item->caps) {
    push_caps (self);
    g_mutex_lock (&self->lock);
    self->started = gst_pad_has_current_caps (pad);
    g_cond_broadcast (&self->cond);
    g_mutex_unlock (&self->lock);
  } else if (item->answer) {
    if (gst_pad_check_reconfigure (pad))
      push_caps (self);
    flow = push_answer (self, item);
  } else {
    push_gap (self, item->timestamp, item->duration);
  }
  return flow;
}

/* The next item, when it may go. NULL: the pad is flushing. With the lock. */
static Item *
next_item (GstLlavaovTextPad * self)
{
  Item *item;

  while (!self->flushing) {
    item = g_queue_peek_head (&self->items);
    if (item == NULL)
      g_cond_wait (&self->cond, &self->lock);
    else if (item->event == NULL || GST_EVENT_TYPE (item->event) !=
        GST_EVENT_EOS || g_get_monotonic_time () >= self->eos_at)
      return g_queue_pop_head (&self->items);
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
  Item *item;

  g_mutex_lock (&self->lock);
  item = next_item (self);
  if (item == NULL) {
    g_mutex_unlock (&self->lock);
    gst_pad_pause_task (pad);
    return;
  }
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
  clear_items (self);
  self->flushing = !active;
  self->begun = self->started = self->has_segment = FALSE;
  self->position = 0;
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

/* With the lock. */
static void
queue_start (GstLlavaovTextPad * self, GstEvent * stream_start)
{
  const gchar *upstream = NULL;
  GstEvent *event;
  Item *item;
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
  item = g_new0 (Item, 1);
  item->caps = TRUE;
  g_queue_push_tail (&self->items, item);
  self->begun = TRUE;
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
  GstEvent *event;

  g_mutex_lock (&self->lock);
  if (self->flushing) {
    g_mutex_unlock (&self->lock);
    return;
  }
  if (!self->begun)
    queue_start (self, stream_start);
  gst_event_copy_segment (segment, &self->segment);
  self->shift = 0;
  if (self->segment.format == GST_FORMAT_TIME && backwards (self) &&
      GST_CLOCK_TIME_IS_VALID (self->segment.stop)) {
    self->shift = REVERSE_SHIFT;
    self->segment.stop += self->shift;
  }
  event = gst_event_new_segment (&self->segment);
  gst_event_set_seqnum (event, gst_event_get_seqnum (segment));
  queue_event (self, event);
  self->has_segment = TRUE;
  self->position = 0;
  if (self->segment.format == GST_FORMAT_TIME)
    self->position = backwards (self) ? self->segment.stop :
        self->segment.start;
  /* Something at the very start, for preroll; a nanosecond does not keep an answer from starting there too. */
  if (backwards (self)) {
    if (GST_CLOCK_TIME_IS_VALID (self->position) && self->position)
      queue_gap (self, self->position - 1);
  } else {
    queue_gap (self, self->position + 1);
  }
  g_mutex_unlock (&self->lock);
}

gboolean
gst_llavaov_text_pad_has_segment (GstLlavaovTextPad * self)
{
  gboolean has;

  g_mutex_lock (&self->lock);
  has = self->has_segment || self->flushing;
  g_mutex_unlock (&self->lock);
  return has;
}

void
gst_llavaov_text_pad_gap (GstLlavaovTextPad * self, GstClockTime until)
{
  g_mutex_lock (&self->lock);
  if (!self->flushing && self->has_segment && GST_CLOCK_TIME_IS_VALID (until))
    queue_gap (self, until + self->shift);
  g_mutex_unlock (&self->lock);
}

void
gst_llavaov_text_pad_answer (GstLlavaovTextPad * self,
    const GstStructure * answer, GstClockTime timestamp, GstClockTime duration)
{
  Item *item;

  g_mutex_lock (&self->lock);
  if (self->flushing || !self->has_segment) {
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
  item = g_new0 (Item, 1);
  item->answer = gst_structure_copy (answer);
  if (!GST_CLOCK_TIME_IS_VALID (timestamp)) {
    timestamp = GST_CLOCK_TIME_IS_VALID (self->position) ? self->position : 0;
    if (backwards (self)) {
      duration = MIN (duration, timestamp);
      timestamp -= duration;
    }
  } else {
    timestamp += self->shift;
  }
  item->timestamp = timestamp;
  item->duration = duration;
  if (backwards (self))
    timestamp += duration;
  queue_gap (self, timestamp);
  g_queue_push_tail (&self->items, item);
  self->n_answers++;
  if (backwards (self))
    queue_gap (self, self->position - MIN (self->position, TAIL_GAP));
  else
    queue_gap (self, self->position + TAIL_GAP);
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
    queue_event (self, event);
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
  clear_items (self);
  g_cond_broadcast (&self->cond);
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
  /* What had begun may have been flushed before it was pushed. */
  self->begun = self->started;
  self->has_segment = FALSE;
  self->position = 0;
  g_mutex_unlock (&self->lock);
  if (gst_pad_is_active (GST_PAD (self)))
    start_task (self);
}
