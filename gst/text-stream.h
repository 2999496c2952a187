/* SPDX-License-Identifier: Apache-2.0
 *
 * How the text stream follows the video: when it begins, how far its gaps may go, how answers are stamped, when it ends.
 * text-pad.c queues and pushes what is decided here. While no text pad is requested, nothing happens.
 *
 * Timestamps are those of the element's segment. Functions named as "with the lock" need the lock of the windows held; the
 * others want it free, because they reach other elements' pads.
 */
#ifndef GST_LLAVAOV_TEXT_STREAM_H
#define GST_LLAVAOV_TEXT_STREAM_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* The text pad with a reference, or NULL. */
GstLlavaovTextPad *gst_llavaov_text_stream_pad (GstLlavaovElement * self);

/* Whether answers carry the times of their windows, and not of their arrival. */
gboolean gst_llavaov_text_stream_by_window (GstLlavaovElement * self);

/* Running time to timestamp; as it is while the segment is not in time. On the streaming thread. */
GstClockTime gst_llavaov_text_stream_timestamp (GstLlavaovElement * self,
    GstClockTime running);

/* The timestamp up to which the text stream may go when the video has come to a running time: as far, but not beyond the
 * start of a window that will still be answered for when answers carry the times of their windows. On the streaming thread,
 * with the lock. */
GstClockTime gst_llavaov_text_stream_limit (GstLlavaovElement * self,
    GstClockTime running);

/* In front of the video's CAPS: the text's go first. */
void gst_llavaov_text_stream_start (GstLlavaovElement * self);

/* A SEGMENT event of the video has come: the text stream begins, or goes on in it. */
void gst_llavaov_text_stream_segment (GstLlavaovElement * self,
    GstEvent * segment);
/* The window's answer becomes a text buffer, and so do the messages about alerts that it brings (or NULL). */
void gst_llavaov_text_stream_answer (GstLlavaovElement * self,
    const GstLlavaovWindow * window, const GstStructure * answer,
    GPtrArray * alerts);
/* No text will come before `until`. */
void gst_llavaov_text_stream_advance (GstLlavaovElement * self,
    GstClockTime until);
/* EOS or SEGMENT_DONE of the video: the text's follows what is queued. Takes the event. */
void gst_llavaov_text_stream_event (GstLlavaovElement * self, GstEvent * event);
/* EOS of the video has been pushed; the text's waits a little for that, since splitmuxsink loses its way when the text ends
 * well before the video. */
void gst_llavaov_text_stream_video_ended (GstLlavaovElement * self);

G_END_DECLS

#endif
