/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's errors as messages of GStreamer, and the checks of properties that are made before the engine is asked. Any
 * thread, without any lock.
 */
#ifndef GST_LLAVAOV_ERRORS_H
#define GST_LLAVAOV_ERRORS_H

#include <gst/gst.h>

#include "llavaov.h"
#include "settings.h"

G_BEGIN_DECLS

/* What a status is in GStreamer: domain and code of a GError. */
void gst_llavaov_error_code (LlavaovStatus status, GQuark * domain,
    gint * code);

/* Posts an ERROR about a load or a start that failed; the text names the property and its value. */
void gst_llavaov_post_error (GstElement * element, const LlavaovError * error,
    const GstLlavaovSettings * settings, const gchar * model_path);

/* Posts a WARNING about one window. */
void gst_llavaov_post_warning (GstElement * element,
    const LlavaovError * error, const gchar * what);

/* Checks device, precision and engine-id. FALSE: error is filled, its subject is the property. */
gboolean gst_llavaov_check_settings (const GstLlavaovSettings * settings,
    LlavaovPrecision * precision, LlavaovError * error);

/* Fills an error about what a property is set to; returns FALSE. */
gboolean gst_llavaov_bad_value (LlavaovError * error, const gchar * property,
    const gchar * value, const gchar * hint);

/* The text of the file that the property names, of at most `most` bytes. NULL: error is filled. Free it. */
gchar *gst_llavaov_read_file (const gchar * property, const gchar * path,
    gsize most, LlavaovError * error);

/* The question: prompt, or the text of prompt-file. NULL: error is filled. Free it. */
gchar *gst_llavaov_read_prompt (const GstLlavaovSettings * settings,
    LlavaovError * error);

G_END_DECLS

#endif
