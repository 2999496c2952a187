/* SPDX-License-Identifier: Apache-2.0
 *
 * Caps of the bin's input, which may have been typed by hand: `udpsrc caps=video/mpegts` says less than a demuxer asks for.
 * Pure functions.
 */
#ifndef GST_LLAVAOV_INPUT_CAPS_H
#define GST_LLAVAOV_INPUT_CAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* A copy with those missing fields added for which there is only one possible value; NULL if none is missing. The caller
 * owns the result. */
GstCaps *gst_llavaov_input_caps_complete (GstCaps * caps);

typedef enum
{
  GST_LLAVAOV_INPUT_NOTHING,    /* no caps, or empty ones */
  GST_LLAVAOV_INPUT_VIDEO,      /* video or pictures, also in RTP */
  GST_LLAVAOV_INPUT_UNLABELLED_RTP,     /* RTP whose caps do not say what it carries */
  GST_LLAVAOV_INPUT_OTHER
} GstLlavaovInputKind;

/* What kind of stream caps describe. caps may be NULL. */
GstLlavaovInputKind gst_llavaov_input_caps_kind (const GstCaps * caps);

/* Its name for people: the media type or, of RTP, what it carries. caps must not be of the kind NOTHING. Free it. */
gchar *gst_llavaov_input_caps_name (const GstCaps * caps);

G_END_DECLS

#endif
