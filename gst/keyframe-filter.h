/* SPDX-License-Identifier: Apache-2.0
 *
 * `decode`: probes on the pads of the bin's video decoders. In front of one, units that depend on others are left out while only
 * keyframes are decoded, a GAP in place of each; a still-frame event behind a keyframe makes the decoder hand out its picture at once, which
 * otherwise waits for the next ones. Behind it that event ends, caps are of a variable frame rate, and an event says which frames are decoded.
 */
#ifndef GST_LLAVAOV_KEYFRAME_FILTER_H
#define GST_LLAVAOV_KEYFRAME_FILTER_H

#include <gst/gst.h>

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* What all decoders of a bin share. The lock rule: all members are read and written by the functions of keyframe-filter.c alone, with the
 * lock, which is a leaf; element is set once. Any thread. */
typedef struct
{
  GMutex lock;
  GstLlavaovElement *element;   /* whose settings count; not owned */
  GstLlavaovDecode decode;      /* as of READY to PAUSED */
  guint n_decoders;             /* that were found since */
  guint64 n_skipped;            /* units that no decoder has got */
  gboolean warned_lacking, warned_useless;
} GstLlavaovKeyframeFilters;

void gst_llavaov_keyframe_filters_init (GstLlavaovKeyframeFilters * filters,
    GstLlavaovElement * element);
void gst_llavaov_keyframe_filters_free (GstLlavaovKeyframeFilters * filters);

/* READY to PAUSED. */
void gst_llavaov_keyframe_filters_start (GstLlavaovKeyframeFilters * filters);
/* Puts probes around an element if it decodes video of which not all pictures are keyframes. */
void gst_llavaov_keyframe_filters_add (GstLlavaovKeyframeFilters * filters,
    GstElement * element);
/* Video comes that was decoded elsewhere: a WARNING, once, where `decode` asks for something. */
void gst_llavaov_keyframe_filters_raw (GstLlavaovKeyframeFilters * filters);
/* Decoded video comes from the bin's decoder: the same where its kind is unknown. */
void gst_llavaov_keyframe_filters_video (GstLlavaovKeyframeFilters * filters);
void gst_llavaov_keyframe_filters_add_stats (GstLlavaovKeyframeFilters *
    filters, GstStructure * stats);

G_END_DECLS

#endif
