/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaov: a bin around llavaovelement that decodes what is not raw video. It has the same properties and speaks for the
 * inner element: messages and notifications come from the bin.
 */
#ifndef GST_LLAVAOV_H
#define GST_LLAVAOV_H

#include "decoder-errors.h"
#include "decoder-plugging.h"
#include "gstllavaovelement.h"
#include "keyframe-filter.h"

G_BEGIN_DECLS

#define GST_TYPE_LLAVAOV (gst_llavaov_get_type ())
G_DECLARE_FINAL_TYPE (GstLlavaov, gst_llavaov, GST, LLAVAOV, GstBin)

struct _GstLlavaov
{
  GstBin parent;

  GstElement *inner;            /* llavaovelement, always there */
  GstPad *sinkpad, *srcpad;
  GstPad *nothing;              /* upstream of inner while nothing else is */

  GstLlavaovDecoderErrors decoder_errors;       /* what the decoder found instead of video; its lock: decoder-errors.h */
  GstLlavaovDecoderPlugging decoder_plugging;

  GstLlavaovKeyframeFilters keyframe_filters;   /* around video decoders; its lock: keyframe-filter.h */

  /* What is in front of inner: read and written by the functions of bin-decoder.c alone, with the lock, which is a leaf. */
  GMutex lock;
  GstElement *decoder, *converter;      /* or NULL; the bin's */
  GList *swallowed;             /* sinks for streams that are not the video; the bin's */
  gboolean chosen, linked_video;
};

GST_ELEMENT_REGISTER_DECLARE (llavaov);

G_END_DECLS

#endif
