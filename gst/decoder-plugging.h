/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds back what a decodebin pulls until it has plugged the element that pulls: it throws away the errors of an element that it
 * is still plugging, and a demuxer that pulls by a thread of its own may have ended with its only one by then.
 */
#ifndef GST_LLAVAOV_DECODER_PLUGGING_H
#define GST_LLAVAOV_DECODER_PLUGGING_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;                  /* a leaf */
  GCond plugged;
  GThread *thread;              /* that plugs, or NULL */
} GstLlavaovDecoderPlugging;

void gst_llavaov_decoder_plugging_init (GstLlavaovDecoderPlugging * plugging);
void gst_llavaov_decoder_plugging_free (GstLlavaovDecoderPlugging * plugging);

/* Notes when the decodebin, which is new and in NULL, plugs. It must not outlive plugging. */
void gst_llavaov_decoder_plugging_watch (GstLlavaovDecoderPlugging * plugging,
    GstElement * decoder);

/* Returns when no other thread is plugging, or after a second: it may be waiting for this one. Any thread. */
void gst_llavaov_decoder_plugging_wait (GstLlavaovDecoderPlugging * plugging);

G_END_DECLS

#endif
