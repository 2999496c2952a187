/* SPDX-License-Identifier: Apache-2.0
 *
 * The request pad "text": a sparse stream of answers with a task of its own, so that a blocked text branch never holds up
 * the video. Between answers GAP events tell consumers that no text will come for a stretch of time; without them muxers
 * and overlays wait for ever.
 *
 * Thread-safe. Functions only queue; the task pushes.
 */
#ifndef GST_LLAVAOV_TEXT_PAD_H
#define GST_LLAVAOV_TEXT_PAD_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_LLAVAOV_TEXT_PAD (gst_llavaov_text_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstLlavaovTextPad, gst_llavaov_text_pad, GST,
    LLAVAOV_TEXT_PAD, GstPad)

GstPad *gst_llavaov_text_pad_new (GstPadTemplate * templ, const gchar * name);

/* The stream that follows: stream_start is upstream's event (group-id and seqnum are taken from it). Caps are whatever the
 * consumer takes. Waits a little for both to have been pushed, so that they are there before the video's. */
void gst_llavaov_text_pad_start (GstLlavaovTextPad * pad,
    GstEvent * stream_start);
/* The same without waiting, and a segment, which may be sent again and again. */
void gst_llavaov_text_pad_begin (GstLlavaovTextPad * pad,
    GstEvent * stream_start, GstEvent * segment);
/* Whether it has a segment. */
gboolean gst_llavaov_text_pad_has_segment (GstLlavaovTextPad * pad);

/* No text before `until` (a timestamp of the segment; in a segment that is played backwards: none behind it). */
void gst_llavaov_text_pad_gap (GstLlavaovTextPad * pad, GstClockTime until);

/* Queues an answer, and the messages about alerts that it brings (of GstStructure, or NULL), of which the caller changes nothing
 * any more. timestamp NONE = now: where the gaps have got to. */
void gst_llavaov_text_pad_answer (GstLlavaovTextPad * pad,
    const GstStructure * answer, GPtrArray * alerts, GstClockTime timestamp,
    GstClockTime duration);

/* Queues an event behind what is there; takes it. EOS waits a little for the video's. */
void gst_llavaov_text_pad_event (GstLlavaovTextPad * pad, GstEvent * event);
/* The video's EOS has gone through. */
void gst_llavaov_text_pad_video_ended (GstLlavaovTextPad * pad);
/* Pushes the event through at once. */
void gst_llavaov_text_pad_flush_start (GstLlavaovTextPad * pad,
    GstEvent * event);
void gst_llavaov_text_pad_flush_stop (GstLlavaovTextPad * pad,
    GstEvent * event);

G_END_DECLS

#endif
