/* SPDX-License-Identifier: Apache-2.0
 *
 * Grey frames with answers, for llavaovoverlay alone. OVERLAY_PLUGIN is the plugin's file.
 */
#ifndef TESTS_GST_OVERLAY_H
#define TESTS_GST_OVERLAY_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#define GREY 128

void overlay_load_plugin (void);
/* properties: as in a gst-launch line; more: of the caps, beginning with a comma. */
GstHarness *overlay_harness_new (const gchar * properties, const gchar * format,
    gint width, gint height, const gchar * more);
/* Takes the answer, which may be NULL. */
GstBuffer *overlay_frame_new (const gchar * format, gint width, gint height,
    GstClockTime pts, GstStructure * answer);
/* alert: NULL or a state, which has a confidence. */
GstStructure *overlay_answer_new (const gchar * text, const gchar * alert);
/* Bytes that are not grey any more. */
guint overlay_count_drawn (GstBuffer * buffer);

#endif
