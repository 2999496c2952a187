/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

GstStructure *
gst_llavaov_stats_to_structure (const GstLlavaovStats * stats,
    const LlavaovSessionStats * session)
{
  return gst_structure_new ("llavaov-stats",
      "windows", G_TYPE_UINT64, stats->count[GST_LLAVAOV_COUNT_WINDOWS],
      "answers", G_TYPE_UINT64, stats->count[GST_LLAVAOV_COUNT_ANSWERS],
      "dropped-windows", G_TYPE_UINT64,
      stats->count[GST_LLAVAOV_COUNT_DROPPED_WINDOWS], "failed-windows",
      G_TYPE_UINT64, stats->count[GST_LLAVAOV_COUNT_FAILED_WINDOWS],
      "empty-windows", G_TYPE_UINT64,
      stats->count[GST_LLAVAOV_COUNT_EMPTY_WINDOWS], "idle-windows",
      G_TYPE_UINT64, stats->count[GST_LLAVAOV_COUNT_IDLE_WINDOWS],
      "frames-kept", G_TYPE_UINT64,
      stats->count[GST_LLAVAOV_COUNT_FRAMES_KEPT], "frames-seen",
      G_TYPE_UINT64, stats->count[GST_LLAVAOV_COUNT_FRAMES_SEEN],
      "frames-sampled", G_TYPE_UINT64,
      stats->count[GST_LLAVAOV_COUNT_FRAMES_SAMPLED], "frames-unreadable",
      G_TYPE_UINT64, stats->count[GST_LLAVAOV_COUNT_FRAMES_UNREADABLE],
      "frames-encoded", G_TYPE_UINT64,
      (guint64) (session ? session->frames_encoded : 0), "frames-reused",
      G_TYPE_UINT64,
      (guint64) (session ? session->frames_reused : 0), "prompt-tokens",
      G_TYPE_UINT64, stats->prompt_tokens, "new-tokens", G_TYPE_UINT64,
      stats->new_tokens, "draft-tokens", G_TYPE_UINT64,
      (guint64) (session ? session->draft_tokens : 0), "accepted-tokens",
      G_TYPE_UINT64,
      (guint64) (session ? session->accepted_tokens : 0), "early-tokens",
      G_TYPE_UINT64,
      (guint64) (session ? session->early_tokens : 0), "load-time",
      G_TYPE_UINT64, stats->load_ns, "encode-time", G_TYPE_UINT64,
      stats->encode_ns, "prefill-time", G_TYPE_UINT64, stats->prefill_ns,
      "decode-time", G_TYPE_UINT64, stats->decode_ns, "device", G_TYPE_STRING,
      stats->device, "precision", G_TYPE_STRING, stats->precision, "notice",
      G_TYPE_STRING, *stats->notice ? stats->notice : NULL, NULL);
}
