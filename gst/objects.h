/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors upstream have found in a frame, as its metas say: regions of interest (GstVideoRegionOfInterestMeta) and, where the
 * plugin is built with it, GstAnalytics. Pure; thread-safe.
 */
#ifndef GST_LLAVAOV_OBJECTS_H
#define GST_LLAVAOV_OBJECTS_H

#include "settings.h"

G_BEGIN_DECLS

/* Whether the frame's objects are what triggers (trigger-classes, trigger-match, trigger-min-confidence). Then, if `labels` is
 * not NULL, it becomes an array (GST_TYPE_ARRAY) of strings: the labels of those that count, each once; unset it. */
gboolean gst_llavaov_objects_match (GstBuffer * buffer,
    const GstLlavaovSettings * settings, GValue * labels);

/* Whether trigger-classes are classes. FALSE: error is filled. */
gboolean gst_llavaov_classes_are_good (const gchar * classes,
    LlavaovError * error);

G_END_DECLS

#endif
