/* SPDX-License-Identifier: Apache-2.0
 *
 * What is inside the bin in front of the element: nothing, or a decoder and a converter.
 */
#ifndef GST_LLAVAOV_BIN_DECODER_H
#define GST_LLAVAOV_BIN_DECODER_H

#include "gstllavaov.h"

G_BEGIN_DECLS

/* The inner sink pad is never without a peer: it would be taken for the bin's own by whoever looks for a pad to link in a bin
 * around us (gst_bin_find_unlinked_pad: all pipelines made from descriptions do). */
void gst_llavaov_bin_attach_nothing (GstLlavaov * self);
void gst_llavaov_bin_detach_nothing (GstLlavaov * self);

/* Makes the sink pad lead to the sink pad of a child, or nowhere. */
void gst_llavaov_bin_set_target (GstLlavaov * self, GstElement * element);

/* Puts a decoder and a converter in front of the element. */
void gst_llavaov_bin_use_decoder (GstLlavaov * self);
/* Takes them out again: the inside is to be chosen anew. */
void gst_llavaov_bin_remove_decoder (GstLlavaov * self);

G_END_DECLS

#endif
