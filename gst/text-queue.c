/* SPDX-License-Identifier: Apache-2.0 */
#include "text-queue.h"

GST_DEBUG_CATEGORY_EXTERN (gst_llavaov_debug);
#define GST_CAT_DEFAULT gst_llavaov_debug

/* Answers that may wait for a blocked text branch before the oldest is let go. */
#define MAX_ANSWERS 256
/* The gap behind every answer, which lets muxers go on past it. */
#define TAIL_GAP GST_MSECOND
/* textoverlay shows a video frame when the text has come past it, which cannot be for the last one played backwards: a text
 * segment that ends so much later lets it. */
#define REVERSE_SHIFT GST_MSECOND

void
gst_llavaov_text_item_free (GstLlavaovTextItem * item)
{
  if (item->event)
    gst_event_unref (item->event);
  if (item->answer)
    gst_structure_free (item->answer);
  if (item->alerts)
    g_ptr_array_unref (item->alerts);
  g_free (item);
}

void
gst_llavaov_text_queue_init (GstLlavaovTextQueue * queue)
{
  memset (queue, 0, sizeof (*queue));
  g_queue_init (&queue->items);
}

void
gst_llavaov_text_queue_clear (GstLlavaovTextQueue * queue)
{
  GstLlavaovTextItem *item;

  while ((item = g_queue_pop_head (&queue->items)))
    gst_llavaov_text_item_free (item);
  queue->n_answers = 0;
  queue->has_segment = FALSE;
  queue->position = 0;
}

static gboolean
is_backwards (const GstLlavaovTextQueue * queue)
{
  return queue->segment.rate < 0;
}

void
gst_llavaov_text_queue_add_event (GstLlavaovTextQueue * queue, GstEvent * event)
{
  GstLlavaovTextItem *item = g_new0 (GstLlavaovTextItem, 1);

  item->event = event;
  g_queue_push_tail (&queue->items, item);
}

void
gst_llavaov_text_queue_add_start (GstLlavaovTextQueue * queue,
    GstEvent * stream_start)
{
  const gchar *upstream = NULL;
  GstLlavaovTextItem *item;
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
  gst_llavaov_text_queue_add_event (queue, event);
  item = g_new0 (GstLlavaovTextItem, 1);
  item->caps = TRUE;
  g_queue_push_tail (&queue->items, item);
}

static void
add_gap (GstLlavaovTextQueue * queue, GstClockTime until)
{
  GstLlavaovTextItem *item = g_queue_peek_tail (&queue->items);
  GstClockTime from = queue->position;

  if (!GST_CLOCK_TIME_IS_VALID (until) ||
      (is_backwards (queue) ? until >= from : until <= from))
    return;
  queue->position = until;
  if (!GST_CLOCK_TIME_IS_VALID (from))
    from = until + 1;           /* backwards from an end that nobody knows */
  if (item == NULL || item->event || item->answer || item->caps) {
    item = g_new0 (GstLlavaovTextItem, 1);
    item->timestamp = MIN (from, until);
    item->duration = MAX (from, until) - item->timestamp;
    item->backwards = is_backwards (queue);
    g_queue_push_tail (&queue->items, item);
  } else {
    item->duration += MAX (from, until) - MIN (from, until);
    item->timestamp = MIN (item->timestamp, until);
  }
}

void
gst_llavaov_text_queue_add_segment (GstLlavaovTextQueue * queue,
    GstEvent * segment)
{
  gboolean backwards;
  GstEvent *event;

  gst_event_copy_segment (segment, &queue->segment);
  backwards = is_backwards (queue);
  queue->shift = 0;
  if (queue->segment.format == GST_FORMAT_TIME && backwards &&
      GST_CLOCK_TIME_IS_VALID (queue->segment.stop)) {
    queue->shift = REVERSE_SHIFT;
    queue->segment.stop += queue->shift;
  }
  event = gst_event_new_segment (&queue->segment);
  gst_event_set_seqnum (event, gst_event_get_seqnum (segment));
  gst_llavaov_text_queue_add_event (queue, event);
  queue->has_segment = TRUE;
  queue->position = 0;
  if (queue->segment.format == GST_FORMAT_TIME)
    queue->position = backwards ? queue->segment.stop : queue->segment.start;
  /* Something at the very start, for preroll; a nanosecond does not keep an answer from starting there too. */
  if (!backwards)
    add_gap (queue, queue->position + 1);
  else if (GST_CLOCK_TIME_IS_VALID (queue->position) && queue->position)
    add_gap (queue, queue->position - 1);
}

void
gst_llavaov_text_queue_add_gap (GstLlavaovTextQueue * queue, GstClockTime until)
{
  if (queue->has_segment && GST_CLOCK_TIME_IS_VALID (until))
    add_gap (queue, until + queue->shift);
}

static void
drop_oldest_answer (GstLlavaovTextQueue * queue)
{
  GList *walk;

  for (walk = queue->items.head; walk; walk = walk->next) {
    GstLlavaovTextItem *item = walk->data;

    if (item->answer == NULL)
      continue;
    GST_WARNING ("text branch is blocked: oldest answer lost");
    g_queue_delete_link (&queue->items, walk);
    gst_llavaov_text_item_free (item);
    queue->n_answers--;
    break;
  }
}

void
gst_llavaov_text_queue_add_answer (GstLlavaovTextQueue * queue,
    const GstStructure * answer, GPtrArray * alerts, GstClockTime timestamp,
    GstClockTime duration)
{
  gboolean backwards = is_backwards (queue);
  GstLlavaovTextItem *item;

  if (!queue->has_segment)
    return;
  if (queue->n_answers == MAX_ANSWERS)
    drop_oldest_answer (queue);
  item = g_new0 (GstLlavaovTextItem, 1);
  item->answer = gst_structure_copy (answer);
  item->alerts = alerts ? g_ptr_array_ref (alerts) : NULL;
  if (GST_CLOCK_TIME_IS_VALID (timestamp)) {
    timestamp += queue->shift;
  } else {
    timestamp = GST_CLOCK_TIME_IS_VALID (queue->position) ? queue->position : 0;
    if (backwards) {
      duration = MIN (duration, timestamp);
      timestamp -= duration;
    }
  }
  item->timestamp = timestamp;
  item->duration = duration;
  add_gap (queue, backwards ? timestamp + duration : timestamp);
  g_queue_push_tail (&queue->items, item);
  queue->n_answers++;
  if (duration == 0)
    return;                     /* the next one may stand at the same place */
  if (backwards)
    add_gap (queue, queue->position - MIN (queue->position, TAIL_GAP));
  else
    add_gap (queue, queue->position + TAIL_GAP);
}

const GstLlavaovTextItem *
gst_llavaov_text_queue_peek (GstLlavaovTextQueue * queue)
{
  return g_queue_peek_head (&queue->items);
}

GstLlavaovTextItem *
gst_llavaov_text_queue_pop (GstLlavaovTextQueue * queue)
{
  GstLlavaovTextItem *item = g_queue_pop_head (&queue->items);

  if (item && item->answer)
    queue->n_answers--;
  return item;
}
