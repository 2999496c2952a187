/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers as a picture: laid out by Pango, drawn by Cairo, put where they belong on a frame.
 *
 * Not thread-safe: a streaming thread's alone.
 */
#ifndef GST_LLAVAOV_OVERLAY_PICTURE_H
#define GST_LLAVAOV_OVERLAY_PICTURE_H

#include <gst/video/video.h>
#include <pango/pangocairo.h>

G_BEGIN_DECLS

typedef enum
{
  GST_LLAVAOV_OVERLAY_TOP,
  GST_LLAVAOV_OVERLAY_BOTTOM
} GstLlavaovOverlayPosition;

typedef struct
{
  gchar *font;            /* NULL: as the system has it. Its size is for a picture of 480 lines; 0: 20 pixels */
  GstLlavaovOverlayPosition position;
  gdouble max_height;           /* share of the picture */
} GstLlavaovOverlayStyle;

/* The fonts of this system, or NULL where it has none, which Pango would abort for. Unref it. */
PangoFontMap *gst_llavaov_overlay_fonts (void);

/* lines: of GstLlavaovOverlayLine. missing: whether a font lacks some of their characters. NULL where the frame is too small for
 * any. Unref it. */
GstVideoOverlayComposition *gst_llavaov_overlay_draw (PangoFontMap * fonts,
    const GPtrArray * lines, const GstLlavaovOverlayStyle * style,
    const GstVideoInfo * info, gboolean * missing);

G_END_DECLS

#endif
