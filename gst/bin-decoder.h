/* SPDX-License-Identifier: Apache-2.0
 *
 * What is inside the bin in front of the element: nothing, or a decoder and a converter.
 */
#ifndef GST_LLAVAOV_BIN_DECODER_H
#define GST_LLAVAOV_BIN_DECODER_H

#include "gstllavaov.h"

G_BEGIN_DECLS

/* Links the inner sink pad to a pad of no element while it has no other peer, and unlinks it. Unlinked,
 * gst_bin_find_unlinked_pad() would find it and make it the sink of a bin around us; bins made from descriptions use that. */
void gst_llavaov_bin_attach_nothing (GstLlavaov * self);
void gst_llavaov_bin_detach_nothing (GstLlavaov * self);

/* Makes the sink pad lead to the sink pad of a child; NULL: nowhere. */
void gst_llavaov_bin_set_target (GstLlavaov * self, GstElement * element);

/* Whether it has been chosen what is in front of the element. Any thread. */
gboolean gst_llavaov_bin_is_chosen (GstLlavaov * self);
/* Makes the choice the caller's. FALSE: it has been made. Any thread. */
gboolean gst_llavaov_bin_begin_choice (GstLlavaov * self);
/* The decoder while no video has come out of it, else NULL. Any thread. Unref it. */
GstElement *gst_llavaov_bin_decoder_without_video (GstLlavaov * self);
/* The converter, or NULL. Any thread. Unref it. */
GstElement *gst_llavaov_bin_converter (GstLlavaov * self);

/* Puts a decoder and a converter in front of the element. */
void gst_llavaov_bin_use_decoder (GstLlavaov * self);
/* Takes them out again: the inside is to be chosen anew. */
void gst_llavaov_bin_remove_decoder (GstLlavaov * self);

G_END_DECLS

#endif
