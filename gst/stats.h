/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts behind the `stats` property, since READY to PAUSED. The lock of the output is held around every access.
 */
#ifndef GST_LLAVAOV_STATS_H
#define GST_LLAVAOV_STATS_H

#include <gst/gst.h>

#include "llavaov.h"

G_BEGIN_DECLS

typedef struct _GstLlavaovStats
{
  guint64 windows;              /* that held a frame and were to be answered */
  guint64 answers, dropped_windows, failed_windows;
  guint64 empty_windows;        /* that held no frame and were reported */
  guint64 frames_seen, frames_sampled;  /* sampled: distinct frames given to the engine */
  guint64 frames_unreadable;    /* whose buffers do not hold what caps and metas say */
  guint64 prompt_tokens, new_tokens;
  guint64 load_ns, encode_ns, prefill_ns, decode_ns;
  gchar device[64], precision[32];
  gchar notice[256];            /* what the device has come to do without; "": nothing */
} GstLlavaovStats;

/* session may be NULL. */
GstStructure *gst_llavaov_stats_to_structure (const GstLlavaovStats * stats,
    const LlavaovSessionStats * session);

G_END_DECLS

#endif
