/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovoverlay: draws the latest answer, which llavaov attached to a buffer, on the frames from that one on.
 */
#ifndef GST_LLAVAOV_OVERLAY_H
#define GST_LLAVAOV_OVERLAY_H

#include "overlay-answer.h"
#include "overlay-settings.h"

G_BEGIN_DECLS

#define GST_TYPE_LLAVAOV_OVERLAY (gst_llavaov_overlay_get_type ())
G_DECLARE_FINAL_TYPE (GstLlavaovOverlay, gst_llavaov_overlay, GST,
    LLAVAOV_OVERLAY, GstElement)

struct _GstLlavaovOverlay
{
  GstElement parent;

  GstPad *sinkpad, *srcpad;

  /* With the object's lock. */
  GstLlavaovOverlaySettings settings;
  gboolean changed;             /* since the last frame */

  /* The streaming thread's alone. */
  GstSegment segment;
  GstVideoInfo info;
  gboolean negotiated;
  gboolean attach;              /* whoever is downstream draws what is attached to a buffer */
  PangoFontMap *fonts;
  gboolean told_missing;
  GstLlavaovOverlayAnswer answer;
  gboolean is_drawn;
  GstVideoOverlayComposition *drawn;    /* of it; NULL where nothing has room */
};

GST_ELEMENT_REGISTER_DECLARE (llavaovoverlay);

G_END_DECLS

#endif
