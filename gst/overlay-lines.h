/* SPDX-License-Identifier: Apache-2.0
 *
 * What there is to draw of an answer, as plain text. Pure functions.
 */
#ifndef GST_LLAVAOV_OVERLAY_LINES_H
#define GST_LLAVAOV_OVERLAY_LINES_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Flags. */
typedef enum
{
  GST_LLAVAOV_OVERLAY_QUESTION = 1 << 0,        /* the name of the question, where it has one */
  GST_LLAVAOV_OVERLAY_PROMPT = 1 << 1,
  GST_LLAVAOV_OVERLAY_CONFIDENCE = 1 << 2,
  GST_LLAVAOV_OVERLAY_ALERT = 1 << 3
} GstLlavaovOverlayShow;

typedef enum
{
  GST_LLAVAOV_OVERLAY_NEUTRAL,  /* nothing is watched */
  GST_LLAVAOV_OVERLAY_CALM,     /* watched, no alert */
  GST_LLAVAOV_OVERLAY_UNSURE,   /* between the two, or not told because of the cooldown */
  GST_LLAVAOV_OVERLAY_RAISED
} GstLlavaovOverlayMood;

/* One answer. All text is valid UTF-8 in one paragraph without control characters, of bounded length; NULL: there is none. */
typedef struct
{
  gchar *question, *text, *confidence;
  gboolean valid;               /* or the model wanted to say something else */
  GstLlavaovOverlayMood mood;
} GstLlavaovOverlayLine;

/* Of GstLlavaovOverlayLine, from the structure of a meta: one, or one for each of its `answers`. Never NULL. Free it. */
GPtrArray *gst_llavaov_overlay_lines (const GstStructure * answer,
    GstLlavaovOverlayShow show);

G_END_DECLS

#endif
