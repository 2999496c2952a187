/* SPDX-License-Identifier: Apache-2.0
 *
 * One schema for every way out: the element message "llavaov-answer", the custom meta "GstLlavaovMeta" and the JSON line
 * hold the same fields in the same order. Times are guint64 nanoseconds; frame-times is a GST_TYPE_ARRAY of them in
 * running time. Pure functions.
 */
#ifndef GST_LLAVAOV_ANSWERS_H
#define GST_LLAVAOV_ANSWERS_H

#include "window.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_ANSWER_NAME "llavaov-answer"
#define GST_LLAVAOV_NO_FRAMES_NAME "llavaov-no-frames"
#define GST_LLAVAOV_NO_ANSWER_NAME "llavaov-no-answer"
#define GST_LLAVAOV_QUIET_NAME "llavaov-quiet"
#define GST_LLAVAOV_META_NAME "GstLlavaovMeta"

/* Registers the custom meta, once. */
void gst_llavaov_answers_register_meta (void);

/* The answer of a window in state ANSWERED. */
GstStructure *gst_llavaov_answer_to_structure (const GstLlavaovWindow *
    window, const gchar * stream, guint64 dropped, const gchar * model,
    const gchar * device);

/* A live window in which no frame came. */
GstStructure *gst_llavaov_no_frames_to_structure (const GstLlavaovWindow *
    window, const gchar * stream);

/* A question of the application without an answer; id 0: it was not asked. question, prompt and text (what went wrong) may be
 * NULL. */
GstStructure *gst_llavaov_no_answer_to_structure (guint64 id,
    const gchar * stream, const gchar * question, const gchar * prompt,
    const gchar * reason, const gchar * text);

/* One line without its newline. Free it. A time that is not known is null. */
gchar *gst_llavaov_answer_to_json (const GstStructure * answer);

/* The buffer must be writable. */
void gst_llavaov_answer_attach (const GstStructure * answer,
    GstBuffer * buffer);

/* The window's start as a timestamp of its segment. */
GstClockTime gst_llavaov_window_timestamp (const GstLlavaovWindow * window);

G_END_DECLS

#endif
