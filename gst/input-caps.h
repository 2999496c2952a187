/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes in, of caps that were typed by hand: `udpsrc caps=video/mpegts` says less than a demuxer asks for.
 */
#ifndef GST_LLAVAOV_INPUT_CAPS_H
#define GST_LLAVAOV_INPUT_CAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* The caps with the fields that they lack and that can have one value alone, or NULL where they lack none. The caller owns
 * the result. */
GstCaps *gst_llavaov_input_caps_complete (GstCaps * caps);

/* A name for people: the media type, of RTP with what it carries. Free it; NULL: the caps have none. */
gchar *gst_llavaov_input_caps_name (const GstCaps * caps);

G_END_DECLS

#endif
