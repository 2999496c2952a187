/* SPDX-License-Identifier: Apache-2.0
 *
 * The properties of llavaovoverlay and their values. The caller locks.
 */
#ifndef GST_LLAVAOV_OVERLAY_SETTINGS_H
#define GST_LLAVAOV_OVERLAY_SETTINGS_H

#include "overlay-lines.h"
#include "overlay-picture.h"

G_BEGIN_DECLS

typedef struct
{
  GstLlavaovOverlayStyle style;
  GstLlavaovOverlayShow show;
  guint64 hold_time;            /* ns; 0: by the window's length */
} GstLlavaovOverlaySettings;

void gst_llavaov_overlay_settings_install (GObjectClass * klass);
void gst_llavaov_overlay_settings_init (GstLlavaovOverlaySettings * settings);
void gst_llavaov_overlay_settings_clear (GstLlavaovOverlaySettings * settings);
/* FALSE: there is no such property. */
gboolean gst_llavaov_overlay_settings_set (GstLlavaovOverlaySettings *
    settings, guint id, const GValue * value);
gboolean gst_llavaov_overlay_settings_get (const GstLlavaovOverlaySettings *
    settings, guint id, GValue * value);

G_END_DECLS

#endif
