/* SPDX-License-Identifier: Apache-2.0
 *
 * The text stream as it is to be pushed: events, answers, and gaps between them.
 *
 * Not thread-safe: the text pad's lock is held around every call.
 */
#ifndef GST_LLAVAOV_TEXT_QUEUE_H
#define GST_LLAVAOV_TEXT_QUEUE_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstEvent *event;              /* or: */
  GstStructure *answer;         /* or: */
  GPtrArray *alerts;            /* of GstStructure, behind the answer; or NULL */
  gboolean caps;                /* whatever the consumer takes; or: a gap */
  gboolean backwards;           /* a gap of a segment that is played so */
  GstClockTime timestamp, duration;
} GstLlavaovTextItem;

typedef struct
{
  /* private */
  GQueue items;
  guint n_answers;
  gboolean has_segment;
  GstSegment segment;
  GstClockTime shift;           /* between timestamps of the video and of the text */
  GstClockTime position;        /* how far the text has come: end of the last gap or answer, start in reverse */
} GstLlavaovTextQueue;

void gst_llavaov_text_queue_init (GstLlavaovTextQueue * queue);
/* Forgets the items and the segment. */
void gst_llavaov_text_queue_clear (GstLlavaovTextQueue * queue);

/* Takes the event. */
void gst_llavaov_text_queue_add_event (GstLlavaovTextQueue * queue,
    GstEvent * event);
/* A stream-start like the video's (or NULL), and caps. */
void gst_llavaov_text_queue_add_start (GstLlavaovTextQueue * queue,
    GstEvent * stream_start);
/* Takes no reference. */
void gst_llavaov_text_queue_add_segment (GstLlavaovTextQueue * queue,
    GstEvent * segment);
/* No text before `until`; nothing without a segment. */
void gst_llavaov_text_queue_add_gap (GstLlavaovTextQueue * queue,
    GstClockTime until);
/* timestamp NONE: where the gaps have got to. Copies the answer and takes a reference of the messages about alerts, or NULL;
 * nothing without a segment. */
void gst_llavaov_text_queue_add_answer (GstLlavaovTextQueue * queue,
    const GstStructure * answer, GPtrArray * alerts, GstClockTime timestamp,
    GstClockTime duration);

/* NULL: empty. */
const GstLlavaovTextItem *gst_llavaov_text_queue_peek (GstLlavaovTextQueue *
    queue);
GstLlavaovTextItem *gst_llavaov_text_queue_pop (GstLlavaovTextQueue * queue);
void gst_llavaov_text_item_free (GstLlavaovTextItem * item);

G_END_DECLS

#endif
