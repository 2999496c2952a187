/* SPDX-License-Identifier: Apache-2.0
 *
 * What the property `stats` says, since the element went from READY to PAUSED. The lock of the output is held around every
 * access.
 */
#ifndef GST_LLAVAOV_STATS_H
#define GST_LLAVAOV_STATS_H

#include <gst/gst.h>

#include "llavaov.h"

G_BEGIN_DECLS

typedef enum
{
  GST_LLAVAOV_COUNT_WINDOWS,    /* that held a frame and were to be answered */
  GST_LLAVAOV_COUNT_ANSWERS,
  GST_LLAVAOV_COUNT_DROPPED_WINDOWS,
  GST_LLAVAOV_COUNT_FAILED_WINDOWS,
  GST_LLAVAOV_COUNT_EMPTY_WINDOWS,      /* that held no frame and were reported */
  GST_LLAVAOV_COUNT_IDLE_WINDOWS,       /* that held frames, and that nothing triggered */
  GST_LLAVAOV_COUNT_FRAMES_KEPT,        /* prepared for looking back */
  GST_LLAVAOV_COUNT_FRAMES_SEEN,
  GST_LLAVAOV_COUNT_FRAMES_SAMPLED,     /* distinct frames given to the engine */
  GST_LLAVAOV_COUNT_FRAMES_UNREADABLE,  /* whose buffers do not hold what caps and metas say */
  GST_LLAVAOV_N_COUNTS
} GstLlavaovCount;

typedef struct _GstLlavaovStats
{
  guint64 count[GST_LLAVAOV_N_COUNTS];
  guint64 prompt_tokens, new_tokens;    /* of all answers */
  guint64 load_ns, encode_ns, prefill_ns, decode_ns;
  gchar device[64], precision[32];
  gchar notice[256];            /* what the device does without, and is slower for; "": nothing */
} GstLlavaovStats;

/* session may be NULL. */
GstStructure *gst_llavaov_stats_to_structure (const GstLlavaovStats * stats,
    const LlavaovSessionStats * session);

G_END_DECLS

#endif
