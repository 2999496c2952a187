/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of the properties that llavaov and llavaovelement share.
 *
 * Not thread-safe: the owner holds its lock around every call.
 */
#ifndef GST_LLAVAOV_SETTINGS_H
#define GST_LLAVAOV_SETTINGS_H

#include "properties.h"

G_BEGIN_DECLS

/* The defaults; clear it. */
void gst_llavaov_settings_init (GstLlavaovSettings * settings);
void gst_llavaov_settings_clear (GstLlavaovSettings * settings);
/* A deep copy; clear it. */
void gst_llavaov_settings_copy (const GstLlavaovSettings * settings,
    GstLlavaovSettings * copy);

/* Copies the properties that may change in PLAYING from `settings` to `run`, which is in use and was a copy of it. Some stay: `prompt` where
 * prompt-file was read, `json-schema` where json-schema-file was, `questions` where
 * questions-file was, and with layout=images a `frames` of 1, or of more than 1, on which the layout depends. */
void gst_llavaov_settings_refresh (GstLlavaovSettings * run,
    const GstLlavaovSettings * settings);

/* FALSE when the id is not that of a property with a value here. */
gboolean gst_llavaov_settings_set (GstLlavaovSettings * settings, guint id,
    const GValue * value);
/* The values that these properties have at first. */
void gst_llavaov_settings_reset (GstLlavaovSettings * settings,
    const guint * ids, guint n);
gboolean gst_llavaov_settings_get (const GstLlavaovSettings * settings,
    guint id, GValue * value);

/* Whether a property with a value here has another one than its default. */
gboolean gst_llavaov_settings_differs (const GstLlavaovSettings * settings,
    guint id);

/* How tokens are chosen, and what of it is left to the checkpoint. */
LlavaovGeneration gst_llavaov_settings_generation (const GstLlavaovSettings *
    settings);

G_END_DECLS

#endif
