/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers with choices, and alerts, as GstAnalytics classification, where the plugin is built with it. The caller locks.
 */
#ifndef GST_LLAVAOV_CLASSIFICATION_H
#define GST_LLAVAOV_CLASSIFICATION_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* GQuarks are never freed: an element makes no more of them than this, which is all labels of all questions twice. */
#define GST_LLAVAOV_MAX_CLASS_LABELS 4096

/* What an answer says of choices and alerts: on a buffer that is writable, one classification for each, beside what detectors
 * attached. n_labels: of GQuarks that the element has made so far. FALSE: some were too many, and are left out. */
gboolean gst_llavaov_classification_attach (const GstStructure * answer,
    GstBuffer * buffer, guint * n_labels);

G_END_DECLS

#endif
