/* SPDX-License-Identifier: Apache-2.0
 *
 * What llavaovoverlay takes and gives: raw video in main memory, which it blends into; and any raw video where whoever is
 * downstream draws overlay compositions. Any thread.
 */
#ifndef GST_LLAVAOV_OVERLAY_CAPS_H
#define GST_LLAVAOV_OVERLAY_CAPS_H

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_LLAVAOV_OVERLAY_CAPS \
    GST_VIDEO_CAPS_MAKE (GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS) ";" \
    GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)

/* What the pad may have, given what the other pad's peer takes. filter: NULL or what is asked for. */
GstCaps *gst_llavaov_overlay_get_caps (GstPad * pad, GstPad * other,
    GstCaps * filter);
/* The caps to send downstream for those that came, with `attach` where compositions go with the buffers; NULL: nobody could draw
 * on them. Nothing is sent. */
GstCaps *gst_llavaov_overlay_decide (GstPad * srcpad, GstCaps * caps,
    gboolean * attach);
/* Video in memory that is not blended into, and no composition with it. */
gboolean gst_llavaov_overlay_foreign (const GstCaps * caps);

G_END_DECLS

#endif
